# Copyright 2026 emotion_estimator maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Ctrl-C as an event, not as an exception at any line."""

from __future__ import annotations

import signal
from types import FrameType


def raise_first_interrupt() -> None:
    """
    Let the first SIGINT raise KeyboardInterrupt and those behind it nothing.

    Where the first one breaks off a wait, the second one, which comes under launch, would come
    while that is dealt with or while Python shuts down.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def note_interrupts() -> list[int]:
    """
    Let SIGINT raise nothing, so that it breaks off no release: under launch it comes twice.

    Called before rclpy is initialised, whose own handler then comes first, ends the context and
    thereby the executor, and passes the signal on. With KeyboardInterrupt the second SIGINT, or
    the passing on of the first, would come at any line.

    :returns: a list that each SIGINT is added to.
    """
    noted: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    return noted
