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

"""Holds two finished runs of `replay` against each other: another model, other settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emotion_estimator.evaluation.finished_run import read_run
from emotion_estimator.evaluation.report import write_comparison

EXIT_WRONG_ARGUMENT = 2


def compare_runs(first: Path, second: Path, output: Path, label_map: str | None = None) -> Path:
    """
    Compare two runs by the labels that were given to them; the first's where both have some.

    :param first: output folder of one run.
    :param second: of another.
    :param output: folder for what comes out.
    :param label_map: see `write_report`.
    :returns: path of the page.
    :raises ValueError: when a folder holds no run, or the runs have nothing in common.
    """
    one, other = read_run(first), read_run(second)
    truth = {
        name: one.truth.get(name) or other.truth.get(name, ())
        for name in {*one.truth, *other.truth}
    }
    return write_comparison(output, one.replays, other.replays, truth, label_map)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Compare two runs and print the path of the page.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 2 when an argument is wrong.
    """
    parser = argparse.ArgumentParser(prog='compare', description=__doc__)
    parser.add_argument('runs', nargs=2, type=Path, metavar='FOLDER', help='output of `replay`')
    parser.add_argument(
        '-o', '--output', type=Path, default=Path('out/compare'), help='folder for what comes out'
    )
    parser.add_argument('--label-map', help='happy_unknown_sad or positive_negative')
    options = parser.parse_args(arguments)
    first, second = options.runs
    try:
        page = compare_runs(first, second, options.output, options.label_map)
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_ARGUMENT
    print(page.resolve())
    return 0


if __name__ == '__main__':
    sys.exit(main())
