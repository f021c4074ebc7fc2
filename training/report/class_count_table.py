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

from training.datasets.class_counts import REPORT_ORDER
from training.datasets.labels import LABELS, Split

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
