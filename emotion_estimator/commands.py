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

import errno
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType

STOPPED = 130
UNWRITTEN = 2
WRONG = 2
MISSING = 3
MOST_PORT = 65_535
"""The highest port that TCP has."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Module whose `main` a command runs, and its exit status where Ctrl-C comes before that.
COMMANDS = {
    'blendshape_node': ('nodes.blendshape_node', 0),
    'camera_node': ('extras.camera_node', 0),
    'demo': ('extras.demo', STOPPED),
    'emotion_estimator': ('nodes.both_nodes', 0),
    'emotion_node': ('nodes.emotion_node', 0),
    'fetch_assets': ('assets', STOPPED),
    'play': ('extras.play', 0),
    'replay': ('evaluation.cli', STOPPED),
    'view': ('view.main', 0),
}

_NODES = ('blendshape_node', 'camera_node', 'emotion_estimator', 'emotion_node')
"""Commands that take ROS's arguments alone."""


def main(name: str = '') -> int:
    """
    Run a command.

    :param name: as setup.py installs it; empty takes the name that the process was started under.
    :returns: its exit status.
    """
    name = name or Path(sys.argv[0]).stem
    others = part_arguments(sys.argv[1:])[0] if name in _NODES else []
    if others:
        asked = others[0] in ('-h', '--help')
        usage = f'Usage: {name} --ros-args [-p PARAMETER:=VALUE] [-r TOPIC:=OTHER]'
        wrong = '' if asked else f'{name} takes no {shlex.join(others)}. '
        print(f'{wrong}{usage}', file=sys.stdout if asked else sys.stderr)
        return 0 if asked else WRONG
    module, stopped = COMMANDS[name]
    return run(f'emotion_estimator.{module}', stopped)


def run(module: str, stopped: int = STOPPED) -> int:
    """
    Run a module's `main`; a place that cannot be used is reported in a sentence.

    :param stopped: exit status where Ctrl-C comes while Python imports; 0 where the module deals
        with signals itself after that.
    :returns: its exit status; `UNWRITTEN` where a named place, or ROS's log, cannot be used,
        `MISSING` where a package is not installed, or too old.
    """
    before = [signal.getsignal(number) for number in _SIGNALS]
    tell_any_name()
    # Nothing is to be released yet, and an exception would pass through half-imported modules.
    _handle(lambda number, frame: os._exit(stopped))
    # Who started this process may have held them back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        begin: Callable[[], int] = import_module(module).main
        if stopped:
            for number, handler in zip(_SIGNALS, before):
                # SIGTERM ends it as Ctrl-C does: nothing is left half written.
                ends = number == signal.SIGTERM and handler == signal.SIG_DFL
                signal.signal(number, signal.default_int_handler if ends else handler)
        status = begin()
        print(end='', flush=True)  # what is still to be printed, while an error can be told
        return status
    except ImportError as error:
        sentence = _of_missing(error)
        if not sentence:
            raise
        print(sentence, file=sys.stderr)
        return MISSING
    except (OSError, RuntimeError) as error:
        sentence = _of_place(error)
        if not sentence:
            raise
        with suppress(OSError):  # stderr may be the same pipe
            print(sentence, file=sys.stderr)
        return UNWRITTEN
    finally:
        ignore_interrupts()


def tell_any_name() -> None:
    """Let names of files that are no UTF-8 be printed all the same."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == 'strict':
        sys.stdout.reconfigure(errors='backslashreplace')


def part_arguments(arguments: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """
    Part a command line: ROS's arguments stand from --ros-args to -- or its end.

    rcl's own parting takes no other argument that is no UTF-8, as the name of a file may be.

    :param arguments: command line; None takes that of the process.
    :returns: the command's own arguments, and ROS's.
    """
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for argument in sys.argv if arguments is None else arguments:
        ends = inside and argument == '--'
        inside = (inside or argument == '--ros-args') and not ends
        (ros if inside or ends else own).append(argument)
    return own, ros


def place(text: str) -> Path:
    """
    Read a path of a command line; nothing, as of an unset variable, would be the working folder.

    :raises ArgumentTypeError: when it is empty.
    """
    if not text:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError("it is empty; name a place, '.' for this folder.")
    return Path(text)


def home_folder() -> Path:
    """Name the home folder; / where HOME is not set and the system does not know the user."""
    try:
        return Path.home()
    except RuntimeError:
        return Path('/')


def has_display() -> bool:
    """Tell whether a window can be opened."""
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))


# What a robot may lack, by the name it is imported under, and how it is installed.
_HOW_TO_INSTALL = {
    'ai_edge_litert': "pip install 'numpy<2' ai-edge-litert",
    'cv2': 'apt install python3-opencv, or pip install opencv-python-headless',
    'matplotlib': 'apt install python3-matplotlib',
    'numpy': 'apt install python3-numpy',
    'rich': "apt install python3-rich, or pip install 'rich>=12.3'",
    'rosbags': "pip install 'numpy<2' 'rosbags>=0.11.7'",
    'yaml': 'apt install python3-yaml',
}


def _of_missing(error: ImportError) -> str:
    """Make a sentence of what is not there, or too old; nothing of a module of this package."""
    package = (error.name or '').partition('.')[0]
    if package == 'backports':  # .zstd, which comes with rosbags
        package = 'rosbags'
    how = _HOW_TO_INSTALL.get(package, '')
    if package == 'rclpy' or package.endswith(('_msgs', '_interfaces')):
        how = "source ROS's setup.bash; rosdep installs what package.xml names"
    if isinstance(error, ModuleNotFoundError):
        return how and f'This command needs {package}, which is not installed: {how}.'
    return how and f'This command needs another {package} than is installed ({error}): {how}.'


# rclpy writes a file for each process, and does not start without.
_ROS_LOG = re.compile(
    r"Failed (?:to create log directory '(.+)'|opening file (.+) for writing): ([^,]+)"
    r'|Failed to get logging directory'
)


# Of a path that somebody typed; other errors of the system are faults of this package.
_OF_PATHS = (errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)


def _of_place(error: Exception) -> str:
    """Make a sentence of what cannot be written or looked at; nothing of another error."""
    from emotion_estimator.files import OutputError

    if isinstance(error, OutputError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
        # What is left of it would be tried, and complained of, again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return f'The output cannot be written: {error.strerror}.'
    if isinstance(error, OSError) and error.errno in _OF_PATHS and error.filename:
        return f'{error.filename} cannot be used: {error.strerror}. Name another place.'
    match = _ROS_LOG.search(str(error))
    if match is None:
        return ''
    folder, file, reason = match.groups()
    place = f' {folder or file}' if reason else ''
    reason = reason or 'HOME, below which it belongs, is not set'
    reason = os.strerror(int(reason)) if reason.isdecimal() else reason
    return (
        f'ROS cannot write its log{place}: {reason}. Let ROS_LOG_DIR name a folder that can be '
        'written.'
    )


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
