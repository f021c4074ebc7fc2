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

"""What the report's choice per class takes of the training photographs: its section 4.1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from training.datasets.labels import LABELS
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.report.class_balancing import MOST_OF_CLASS


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
