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
How many photographs of each expression there are, are chosen, and have no face.

These are the seed report's sections 3, 4.1 and 4.2; its counts stand beside ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from training.datasets.pictures import LABELS, REPORT_ORDER, Pictures, Split, count_labels
from training.seed_report.figures import Layout, cell_of, write_pages
from training.stills import HAPPY_UNKNOWN_SAD

REPORT_COUNTS: dict[str, tuple[int, int, int]] = {
    'happy': (7215, 895, 879),
    'sad': (4830, 653, 594),
    'angry': (3995, 467, 491),
    'scared': (4097, 496, 528),
    'surprised': (3171, 415, 416),
    'disgusted': (436, 56, 55),
    'neutral': (4965, 607, 626),
}
"""The seed report's section 3: training, public and private test."""


def class_count_table(counts: NDArray[np.int64]) -> Table:
    """
    Lay the counts out for a terminal.

    :param counts: of `class_counts`, shape [7, 3], lines in the order of `LABELS`, columns in
        that of `Split`.
    :returns: a line for each class in the seed report's order, and one for all.
    """
    report = np.array([REPORT_COUNTS[name] for name in LABELS])
    table = Table(title='Photographs of each expression (section 3)')
    table.add_column('expression')
    for heading in ('all', *(split.name.lower() for split in Split)):
        table.add_column(heading, justify='right')
        table.add_column('report', justify='right')
    for name in REPORT_ORDER:
        index = LABELS.index(name)
        table.add_row(name, *_cells(counts[index], report[index]))
    table.add_section()
    table.add_row('all', *_cells(counts.sum(axis=0), report.sum(axis=0)))
    different = int((counts != report).sum())
    table.caption = f"Counts that differ from the seed report's: {different} of {report.size}."
    return table


def _cells(counts: NDArray[np.int64], report: NDArray[np.int64]) -> list[str]:
    ours, theirs = ([int(each.sum()), *each.tolist()] for each in (counts, report))
    return [str(number) for pair in zip(ours, theirs) for number in pair]


HAPPY_AND_SAD = 4000
OTHERS = 1500
"""Most photographs of a class (section 4.1); of 'disgusted' there are fewer."""

MOST_OF_CLASS: dict[str, int] = {
    name: HAPPY_AND_SAD if name in ('happy', 'sad') else OTHERS for name in LABELS
}


def balanced_rows(labels: NDArray[np.int64], seed: int | None = 0) -> NDArray[np.int64]:
    """
    Choose rows so that happy, sad and all others together have similar counts.

    The seed report does not say which photographs of a class it took. Here they are drawn at
    random, because FER2013's order is not known to be random; `seed=None` takes the first.

    :param labels: indices into `LABELS`, shape [N]; rows without a label are never chosen. Give
        the training split's only.
    :param seed: of the draw, or None for the first in order.
    :returns: the rows chosen, ascending; all of a class that has no more than its limit.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    chosen = []
    for label, name in enumerate(LABELS):
        rows = np.flatnonzero(labels == label)
        chosen.append((rows if rng is None else rng.permutation(rows))[: MOST_OF_CLASS[name]])
    return np.sort(np.concatenate(chosen))


def balance_counts(
    labels: NDArray[np.int64], chosen: NDArray[np.int64], readable: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """
    Count what there is of each class, what is chosen, and what is left of that.

    :param labels: of the training photographs, indices into `LABELS` or `NO_LABEL`, shape [N].
    :param chosen: of `balanced_rows`.
    :param readable: whether a face was found, shape [N].
    :returns: photographs, those chosen, and those chosen with a face, shape [7, 3].
    """
    parts = (labels, labels[chosen], labels[chosen][readable[chosen]])
    counts = [np.bincount(part[part >= 0], minlength=len(LABELS)) for part in parts]
    return np.stack(counts, axis=1).astype(np.int64)


def balance_table(counts: NDArray[np.int64]) -> Table:
    """
    Lay the choice out for a terminal.

    :param counts: of `balance_counts`, shape [7, 3].
    :returns: a line for each of `LABELS`, then one for each of the seed report's three classes.
    """
    table = Table(title="The seed report's choice of training photographs (section 4.1)")
    for heading in ('expression', 'relabelled'):
        table.add_column(heading)
    for heading in ('photographs', 'at most', 'chosen', 'with a face'):
        table.add_column(heading, justify='right')
    names = HAPPY_UNKNOWN_SAD.names
    for name, coarse, (there, chosen, left) in zip(LABELS, HAPPY_UNKNOWN_SAD.of, counts):
        cells = (there, MOST_OF_CLASS[name], chosen, left)
        table.add_row(name, names[coarse], *map(str, cells))
    table.add_section()
    for coarse, name in enumerate(names):
        there, chosen, left = counts[np.array(HAPPY_UNKNOWN_SAD.of) == coarse].sum(axis=0)
        table.add_row('', name, str(there), '', str(chosen), str(left))
    table.add_row('', 'all', str(counts[:, 0].sum()), '', *map(str, counts[:, 1:].sum(axis=0)))
    return table


REPORT_UNREADABLE: tuple[int, ...] = (597, 72, 616, 377, 835, 239, 261)
"""
The seed report's unreadable photographs of FER2013's training split, in the order of `LABELS`.

Source: its section 4.2; photographs of 48 x 48 pixels, given to MediaPipe as they are.
"""

SHEET = Layout(columns=20, rows=12, side_px=72, caption_lines=1)


@dataclass(frozen=True)
class Readability:
    """
    Counts of photographs by split and class, in the orders of `Split` and `LABELS`.

    :param unreadable: those without a face, shape [3, 7].
    :param total: all of them, shape [3, 7].
    """

    unreadable: NDArray[np.int64]
    total: NDArray[np.int64]

    @property
    def percent(self) -> NDArray[np.float64]:
        """Unreadable photographs of a hundred, shape [3, 7]; nan where there are none."""
        shares = 100 * self.unreadable / np.maximum(self.total, 1)
        return np.where(self.total > 0, shares, np.nan)


def count_unreadable(
    readable: NDArray[np.bool_], labels: NDArray[np.int64], splits: NDArray[np.int64]
) -> Readability:
    """
    Count the photographs that MediaPipe finds no face in.

    :param readable: whether it found one, shape [N].
    :param labels: indices into `LABELS`, shape [N]; photographs without a label are left out.
    :param splits: a `Split` each, shape [N].
    """
    unreadable = count_labels(labels[~readable], splits[~readable])
    return Readability(unreadable.T, count_labels(labels, splits).T)


def readability_table(counts: Readability) -> Table:
    """
    Lay the counts out for a terminal, the seed report's beside ours.

    :returns: a table with a line for each class, and one for all.
    """
    table = Table(title='Photographs without a face for MediaPipe')
    table.add_column('class')
    for split in Split:
        table.add_column(split.name.lower(), justify='right')
        table.add_column('%', justify='right')
        if split is Split.TRAINING:
            table.add_column('report', justify='right')
            table.add_column('difference', justify='right')
    for index, name in enumerate(LABELS):
        _add_line(table, name, counts.unreadable[:, index], counts.total[:, index], index)
    table.add_section()
    _add_line(table, 'all', counts.unreadable.sum(axis=1), counts.total.sum(axis=1), None)
    return table


def unreadable_sheet(
    pictures: Pictures, rows: NDArray[np.int64], path: Path, title: str = 'unreadable photographs'
) -> list[Path]:
    """
    Draw unreadable photographs with their index under each, 240 a page (the seed report's fig. 4).

    :param pictures: all photographs.
    :param rows: indices of those to draw, shape [any].
    :param path: PNG; page 3 of `unreadable.png` is `unreadable-3.png`.
    :raises ValueError: when the path is in the checkout but not under `out/`.
    """
    cells = (cell_of(pictures, int(row), str(row)) for row in rows)
    return write_pages(cells, SHEET, path, f'{len(rows)} {title}')


def _add_line(
    table: Table,
    name: str,
    unreadable: NDArray[np.int64],
    total: NDArray[np.int64],
    index: int | None,
) -> None:
    report = sum(REPORT_UNREADABLE) if index is None else REPORT_UNREADABLE[index]
    line = [name]
    for split in Split:
        lost, of = int(unreadable[split]), int(total[split])
        line += [f'{lost} of {of}', f'{100 * lost / of:.1f}' if of else '-']
        if split is Split.TRAINING:
            line += [str(report), f'{lost - report:+d}']
    table.add_row(*line)
