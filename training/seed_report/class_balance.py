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

"""FER2013's photographs of each expression, the report's counts beside them: its section 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from training.datasets.labels import LABELS, Split
from training.datasets.pictures import REPORT_ORDER
from training.targets import HAPPY_UNKNOWN_SAD

REPORT_COUNTS: dict[str, tuple[int, int, int]] = {
    'happy': (7215, 895, 879),
    'sad': (4830, 653, 594),
    'angry': (3995, 467, 491),
    'scared': (4097, 496, 528),
    'surprised': (3171, 415, 416),
    'disgusted': (436, 56, 55),
    'neutral': (4965, 607, 626),
}
"""The report's section 3: training, public and private test."""


def class_count_table(counts: NDArray[np.int64]) -> Table:
    """
    Lay the counts out for a terminal.

    :param counts: of `class_counts`, shape [7, 3], lines in the order of `LABELS`, columns in
        that of `Split`.
    :returns: a line for each class in the report's order, and one for all.
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
    table.caption = f"Counts that differ from the report's: {different} of {report.size}."
    return table


def _cells(counts: NDArray[np.int64], report: NDArray[np.int64]) -> list[str]:
    ours, theirs = ([int(each.sum()), *each.tolist()] for each in (counts, report))
    return [str(number) for pair in zip(ours, theirs) for number in pair]


# The report's choice of training photographs per class: section 4.1.


HAPPY_AND_SAD = 4000
OTHERS = 1500
"""Most photographs of a class, by the report's section 4.1; of 'disgusted' there are fewer."""

MOST_OF_CLASS: dict[str, int] = {
    name: HAPPY_AND_SAD if name in ('happy', 'sad') else OTHERS for name in LABELS
}


def balanced_rows(labels: NDArray[np.int64], seed: int | None = 0) -> NDArray[np.int64]:
    """
    Choose rows so that happy, sad and all others together have similar counts.

    The report does not say which photographs of a class it took. Here they are drawn at random,
    because FER2013's order is not known to be random; `seed=None` takes the first in order.

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


# What the report's choice per class takes of the training photographs: its section 4.1.


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
    :returns: a line for each of `LABELS`, then one for each of the report's three classes.
    """
    table = Table(title="The report's choice of training photographs (section 4.1)")
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
