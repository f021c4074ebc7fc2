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

"""Which blendshapes matter: the report's rule of section 4.3, beside what it overlooks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.blendshapes import NAMES

THRESHOLD = 0.4
LEAST_IMAGES = 100
"""A blendshape counts that is above the threshold in more photographs than this (section 4.3)."""


@dataclass(frozen=True)
class Relevance:
    """
    What is known of each blendshape, in the order of `NAMES`.

    :param images: photographs in which it is above `THRESHOLD`, shape [52].
    :param about_label: mutual information with the class in nats, shape [52].
    :param about_sad: mutual information with 'sad or not' in nats, shape [52].
    """

    images: NDArray[np.int64]
    about_label: NDArray[np.float64]
    about_sad: NDArray[np.float64]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether the report's rule keeps it, shape [52]."""
        return self.images > LEAST_IMAGES

    @property
    def overlooked(self) -> NDArray[np.bool_]:
        """
        Whether the rule drops it although it tells sad from the rest, shape [52].

        That is: it tells more of 'sad or not' than half of the shapes do that the rule keeps.
        """
        if not self.kept.any():
            return ~self.kept
        return ~self.kept & (self.about_sad > np.median(self.about_sad[self.kept]))


def images_above(blendshapes: NDArray[np.float32]) -> NDArray[np.int64]:
    """
    Count the photographs in which each blendshape is above the report's threshold.

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :returns: shape [52].
    """
    return np.asarray((blendshapes > THRESHOLD).sum(axis=0), np.int64)


def relevant_names(blendshapes: NDArray[np.float32]) -> tuple[str, ...]:
    """
    Apply the report's rule.

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :returns: the blendshapes it keeps, in the order of `NAMES`.
    """
    return names_where(images_above(blendshapes) > LEAST_IMAGES)


def names_where(mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """
    Name blendshapes.

    :param mask: shape [52].
    :returns: those where it is true, in the order of `NAMES`.
    """
    return tuple(name for name, chosen in zip(NAMES, mask) if chosen)


def relevance_table(relevance: Relevance) -> Table:
    """
    Lay the blendshapes out for a terminal, those that tell most of 'sad or not' first.

    :param relevance: of all blendshapes.
    :returns: the table.
    """
    table = Table(title='Blendshapes by what they tell of sad')
    table.add_column('blendshape')
    for heading in (f'images above {THRESHOLD:g}', 'of the class', 'of sad or not'):
        table.add_column(heading, justify='right')
    table.add_column("the report's rule")
    overlooked = relevance.overlooked
    for index in np.argsort(-relevance.about_sad, kind='stable'):
        verdict = 'keeps' if relevance.kept[index] else 'drops'
        table.add_row(
            NAMES[index],
            str(relevance.images[index]),
            f'{relevance.about_label[index]:.3f}',
            f'{relevance.about_sad[index]:.3f}',
            f'{verdict}, though it tells sad' if overlooked[index] else verdict,
        )
    table.caption = 'Mutual information in nats.'
    return table
