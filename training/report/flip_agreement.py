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
Whether swapping left and right blendshapes is the same as mirroring the photograph.

The report mirrors photographs and runs them through MediaPipe again (section 4.5). Swapping the
blendshapes costs nothing; what it misses is how far MediaPipe itself is from symmetric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.blendshapes import MIRROR, NAMES
from training.extraction.augmentation import Augmentation
from training.extraction.views import View

FLIPPED = View(
    'flipped',
    augmentation=Augmentation(
        flipped=1.0,
        rotation_rad=0.0,
        scale=(1.0, 1.0),
        shift=0.0,
        blurred=0.0,
        noisy=0.0,
        lit=0.0,
        compressed=0.0,
    ),
)
"""The mirror image of every prepared picture, otherwise as `X4_PAD25`."""

HIGH_PERCENTILE = 95


@dataclass(frozen=True)
class FlipAgreement:
    """
    How far swapped and mirrored blendshapes agree, in the order of `NAMES`.

    :param photographs: number of photographs in which both were found.
    :param median: of the absolute difference, shape [52].
    :param high: its 95th percentile, shape [52].
    :param correlation: of the two, shape [52]; nan where either is constant.
    """

    photographs: int
    median: NDArray[np.float64]
    high: NDArray[np.float64]
    correlation: NDArray[np.float64]

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """
        Give the figures as JSON takes them.

        :returns: by blendshape; None where there is no correlation.
        """
        return {
            name: {
                'median_absolute_difference': round(float(self.median[index]), 5),
                'p95_absolute_difference': round(float(self.high[index]), 5),
                'correlation': _rounded(float(self.correlation[index])),
            }
            for index, name in enumerate(NAMES)
        }


def flip_agreement(straight: NDArray[np.float32], mirrored: NDArray[np.float32]) -> FlipAgreement:
    """
    Swap the blendshapes of photographs and compare them with those of the mirror images.

    :param straight: of the photographs, shape [N, 52], N at least 1.
    :param mirrored: of their mirror images, found by MediaPipe anew, same shape.
    :returns: how far the two agree.
    """
    swapped = straight[:, list(MIRROR)].astype(np.float64)
    found = mirrored.astype(np.float64)
    difference = np.abs(swapped - found)
    centred = [each - each.mean(axis=0) for each in (swapped, found)]
    spread = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    together = (centred[0] * centred[1]).sum(axis=0)
    return FlipAgreement(
        photographs=len(straight),
        median=np.median(difference, axis=0),
        high=np.percentile(difference, HIGH_PERCENTILE, axis=0),
        correlation=np.where(spread > 0, together / np.where(spread > 0, spread, 1), np.nan),
    )


def flip_table(agreement: FlipAgreement) -> Table:
    """
    Lay the agreement out for a terminal, the blendshapes that differ most first.

    :param agreement: of all blendshapes.
    :returns: the table.
    """
    table = Table(
        title=f'Swapped blendshapes against those of {agreement.photographs} mirror images '
        '(section 4.5)'
    )
    table.add_column('of the mirror image')
    for heading in ('median |difference|', '95th percentile', 'correlation'):
        table.add_column(heading, justify='right')
    for index in np.argsort(-agreement.high, kind='stable'):
        correlation = agreement.correlation[index]
        table.add_row(
            NAMES[index],
            f'{agreement.median[index]:.4f}',
            f'{agreement.high[index]:.4f}',
            '-' if np.isnan(correlation) else f'{correlation:.3f}',
        )
    known = agreement.correlation[~np.isnan(agreement.correlation)]
    table.caption = (
        f'Medians over the blendshapes: {np.median(agreement.median):.4f}, '
        f'{np.median(agreement.high):.4f}, {np.median(known):.3f}.'
    )
    return table


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
