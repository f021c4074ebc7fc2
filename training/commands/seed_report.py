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

"""The report's steps on FER2013, in its order, into out/report."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any

import numpy as np
from rich.console import Console

from emotion_estimator.files import AssetError, write_whole
from training import sources
from training.datasets.labels import DataError
from training.extraction.views import NATIVE, X4_PAD25
from training.seed_report import steps
from training.seed_report.sheets import LAYOUT, augmentation_sheet
from training.seed_report.steps import look

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')


QUICK = 1000
PLAIN_WIDTH = 120
"""Columns of the tables where there is no terminal."""


def run(quick: bool, dataset_view: str, seed: int, console: Console) -> dict[str, Any]:
    """
    Take all steps.

    :param quick: whether only a sample of the photographs is looked at.
    :param dataset_view: the view whose blendshapes are written, of the two that are looked at.
    :param seed: of all samples.
    :param console: gets the tables.
    :returns: what was found, by step; it stands in `report.json` beside the files.
    :raises DataError: when photographs are missing.
    :raises AssetError: when MediaPipe's model cannot be had.
    """
    folder = sources.OUT / 'report' / ('quick' if quick else 'all')
    photographs = sources.read_photographs()
    pictures = photographs.pictures
    rows = np.arange(len(photographs))
    if quick:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:QUICK])
    found: dict[str, Any] = {
        'photographs': len(rows),
        'class_counts': steps.count_classes(photographs.select(rows), console),
    }
    native, enlarged, again = (
        look(photographs, rows, view, twice)
        for view, twice in ((NATIVE, False), (X4_PAD25, False), (X4_PAD25, True))
    )
    seen = {each.name: each for each in (native, enlarged, again)}
    found['balanced'] = steps.choose_balanced(native, console)
    found['unreadable'] = {
        name: steps.count_readable(pictures, each, console, folder) for name, each in seen.items()
    }
    found['relevance'] = steps.find_relevant(native, console, folder)
    augmentation_sheet(pictures, rows[enlarged.readable][: LAYOUT.rows], folder / 'augmented.png')
    found['flip'] = steps.compare_flips(photographs, enlarged, console, seed)
    found['files'] = steps.write_datasets(pictures, seen[dataset_view], console, folder)
    found['dataset_view'] = dataset_view
    write_whole(folder / 'report.json', (json.dumps(found, indent=1) + '\n').encode())
    console.print(f'Written: {folder / "report.json"}', soft_wrap=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--quick', action='store_true', help=f'only {QUICK} photographs, to try it'
    )
    parser.add_argument(
        '--view',
        choices=(NATIVE.name, X4_PAD25.name),
        default=X4_PAD25.name,
        help='whose blendshapes are written as files: as the report prepares photographs, or as '
        'the training does',
    )
    parser.add_argument('--seed', type=int, default=1, help='of the samples')
    options = parser.parse_args(arguments)
    start = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    try:
        run(options.quick, options.view, options.seed, console)
    except (DataError, AssetError) as error:
        print(error, file=sys.stderr)
        return 1
    console.print(f'{time.monotonic() - start:.0f} s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
