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

"""Which photographs a model answers wrongly, and how."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.error_analysis'))

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation.classification_metrics import Confusion, confusion
from emotion_estimator.files import find_model
from training import sources
from training.commands import command, terminal
from training.datasets.pictures import LABELS, Split
from training.extraction.views import X4_PAD25, ViewedPictures
from training.protocols.stills import still_probabilities
from training.seed_report.figures import class_table, draw_confusion, error_sheet
from training.still_features import read_faces_twice, read_stills
from training.stills import POSITIVE_NEGATIVE, Stills, truth_for


def matrix_table(found: Confusion, title: str) -> Table:
    """
    Lay a confusion matrix out for a terminal.

    :returns: a line for each truth, a column for each answer.
    """
    table = Table(title=title)
    table.add_column('truth \\ answer')
    for name in found.names:
        table.add_column(name, justify='right')
    for index, (name, line) in enumerate(zip(found.names, found.counts)):
        cells = [str(count) for count in line]
        cells[index] = f'[bold]{cells[index]}[/bold]'
        table.add_row(name, *cells)
    return table


def analyse(
    model: EmotionModel, stills: Stills, split: Split, console: Console, folder: Path
) -> list[Path]:
    """
    Print what is taken for what, and draw the wrong answers with their landmarks.

    Unreadable photographs, to which the robot gives no answer, and those without a truth do not
    count.

    :param stills: all photographs of the split, all features.
    :param folder: gets the pages and the drawn matrix.
    :raises DataError: when photographs are missing, or the classes are not known.
    """
    name, labels = model.metadata.name, model.metadata.labels
    truth = truth_for(labels, stills)
    counted = stills.readable[:, 0] & (truth >= 0)
    probabilities = still_probabilities(model, stills.select(counted))
    truth, answers = truth[counted], probabilities.argmax(axis=1)
    where = f'{name}, {split.name.lower()}'
    found = confusion(answers, truth, labels)
    console.print(matrix_table(found, f'{where}: {len(truth)} photographs'))
    console.print(class_table(found, where))
    if labels == LABELS:
        coarse = POSITIVE_NEGATIVE.probabilities(probabilities).argmax(axis=1)
        two = confusion(coarse, POSITIVE_NEGATIVE.labels(truth), POSITIVE_NEGATIVE.names)
        console.print(matrix_table(two, f'{where}: positive or negative (section 7)'))
        console.print(class_table(two, f'{where}: positive or negative'))
    sheet = folder / f'{name}_{split.name.lower()}.png'
    matrix = sheet.with_name(f'{sheet.stem}_confusion.png')
    draw_confusion(found, matrix, where)
    photographs = sources.read_photographs()
    rows = np.flatnonzero(photographs.splits == split)
    outlines = read_faces_twice(photographs.split(split), X4_PAD25).outlines()
    for stale in folder.glob(f'{sheet.stem}-*.png'):  # there may have been more of them
        stale.unlink()
    pages = error_sheet(
        ViewedPictures(photographs.pictures, X4_PAD25),
        rows[counted],
        probabilities,
        truth,
        outlines[counted],
        sheet,
        labels,
    )
    return [matrix, *pages]


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='basic7', help="name or path of the model's folder")
    parser.add_argument(
        '--split', choices=[split.name.lower() for split in Split], default='public'
    )
    options = parser.parse_args(arguments)
    split = Split[options.split.upper()]
    console = terminal()
    model = EmotionModel(find_model(options.model))
    stills = read_stills(split)
    written = analyse(model, stills, split, console, sources.OUT / 'errors')
    console.print(f'Written: {written[0]} and {len(written) - 1} pages', soft_wrap=True)
    return 0
