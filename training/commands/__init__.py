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

"""The commands of the training, each a module with a `main`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Before TensorFlow is imported, which reads it then: fewer notes on the machine.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

# All else is imported where it is used, so that a command can begin to listen to Ctrl-C first.


def terminal(plain_width: int = 120) -> Console:
    """
    Make what a command prints its tables on.

    :param plain_width: columns where the output is no terminal, but a file or a pipe.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else plain_width)


MOST_SEED = 2**31 - 1
"""Those of further networks count up from a seed, and Keras takes them below 2**32."""


def seed(text: str) -> int:
    """
    Read a seed from the command line, for argparse.

    :raises ArgumentTypeError: when it is none that everything random takes.
    """
    if not (text.isdecimal() and int(text) <= MOST_SEED):
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number from 0 to {MOST_SEED}.')
    return int(text)


def command(main: Callable[[list[str] | None], int]) -> Callable[..., int]:
    """
    Let a command end with a sentence: with exit status 1 where data, models or files are missing.

    Where what it keeps cannot be written the exit status is 2, after Ctrl-C it is 130.

    :param main: runs it, and returns its exit status; takes the arguments of the command line,
        or None for the process's own.
    """

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        from emotion_estimator.commands import STOPPED, UNWRITTEN, tell_any_name
        from emotion_estimator.emotion.model import ModelError
        from emotion_estimator.faces.encoding import FaceEncodingError
        from emotion_estimator.files import AssetError, OutputError, check_output
        from emotion_estimator.parallel.engine import SchedulerError
        from training import sources
        from training.datasets.pictures import DataError, PictureError

        tell_any_name()
        of_data = (DataError, PictureError, SchedulerError)
        try:
            if not {'-h', '--help'} & set(sys.argv[1:] if arguments is None else arguments):
                check_output(sources.OUT)
            return main(arguments)
        except (*of_data, ModelError, AssetError, FaceEncodingError) as error:
            print(error, file=sys.stderr)
            return 1
        except OutputError as error:
            print(error, file=sys.stderr)
            return UNWRITTEN
        except KeyboardInterrupt:
            print('Stopped; what is finished is kept.', file=sys.stderr)
            return STOPPED

    return run
