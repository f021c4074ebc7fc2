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

"""How one image's stamp follows another: time is the message's stamp, in nanoseconds."""

from __future__ import annotations

import enum

NS_PER_S = 1_000_000_000


class Step(enum.Enum):
    """How a stamp follows the one before it."""

    FIRST = 'first'
    FORWARD = 'forward'
    REPEATED = 'repeated'
    BACK = 'went back'
    JUMP = 'jumped ahead'

    @property
    def restarts(self) -> bool:
        """Whether what came before belongs to another time line."""
        return self in (Step.BACK, Step.JUMP)


def step_between(previous_ns: int | None, stamp_ns: int, jump_s: float) -> Step:
    """
    Tell how a stamp follows the previous one.

    :param previous_ns: the previous stamp in nanoseconds, or None when there is none.
    :param stamp_ns: the stamp in nanoseconds.
    :param jump_s: longest step forward, in seconds, that still continues the time line.
    :returns: the kind of step.
    """
    if previous_ns is None:
        return Step.FIRST
    if stamp_ns == previous_ns:
        return Step.REPEATED
    if stamp_ns < previous_ns:
        return Step.BACK
    return Step.JUMP if stamp_ns - previous_ns > jump_s * NS_PER_S else Step.FORWARD
