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

"""
The package's commands, and how Ctrl-C ends them: quietly, from a process's first lines on.

What a command does takes a second or more to import. So a command begins here, with nothing but
the standard library, and `python -m` on a command's module does too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType

STOPPED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Module whose `main` a command runs, and its exit status where Ctrl-C comes before that.
COMMANDS = {
    'blendshape_node': ('nodes.blendshape_node', 0),
    'camera_node': ('extras.camera_node', 0),
    'demo': ('extras.demo', STOPPED),
    'emotion_estimator': ('nodes.both_nodes', 0),
    'emotion_node': ('nodes.emotion_node', 0),
    'fetch_assets': ('fetch_assets', STOPPED),
    'play': ('extras.play', 0),
    'replay': ('evaluation.cli', STOPPED),
}


def main(name: str = '') -> int:
    """
    Run a command.

    :param name: as setup.py installs it; empty takes the name that the process was started under.
    :returns: its exit status.
    """
    module, stopped = COMMANDS[name or Path(sys.argv[0]).stem]
    before = [signal.getsignal(number) for number in _SIGNALS]
    # Nothing is to be released yet, and an exception would pass through half-imported modules.
    _handle(lambda number, frame: os._exit(stopped))
    run: Callable[[], int] = import_module(f'emotion_estimator.{module}').main
    if stopped:  # the others handle signals themselves
        for number, handler in zip(_SIGNALS, before):
            signal.signal(number, handler)
    return run()


def raise_first_interrupt() -> None:
    """
    Let the first SIGINT or SIGTERM raise KeyboardInterrupt and those behind it nothing.

    Where the first one breaks off a wait, the second one, which comes under launch, would come
    while that is dealt with or while Python shuts down.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        ignore_interrupts()
        raise KeyboardInterrupt

    _handle(interrupt)


def note_interrupts() -> list[int]:
    """
    Let SIGINT and SIGTERM raise nothing, so that they break off no release.

    Under launch they come twice. As an exception they would come at any line.

    :returns: a list that each signal is added to.
    """
    noted: list[int] = []
    _handle(lambda number, frame: noted.append(number))
    return noted


def ignore_interrupts() -> None:
    """Let SIGINT and SIGTERM do nothing, also while Python shuts down."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _handle(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)
