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

"""Which photographs MediaPipe finds no face in: the report's section 4.2."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.blendshapes import MIRROR, NAMES
from training.datasets.labels import LABELS, Split
from training.datasets.pictures import Pictures
from training.extraction.views import Augmentation, View
from training.seed_report.sheets import Layout, cell_of, write_pages

REPORT_UNREADABLE: tuple[int, ...] = (597, 72, 616, 377, 835, 239, 261)
"""
The report's unreadable photographs of FER2013's training split, in the order of `LABELS`.

Source: the report's section 4.2; photographs of 48 x 48 pixels, given to MediaPipe as they are.
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

    @property
    def difference_from_report(self) -> NDArray[np.int64]:
        """Unreadable of the training split, less the report's count, shape [7]."""
        return np.asarray(self.unreadable[Split.TRAINING] - np.array(REPORT_UNREADABLE))


def count_unreadable(
    readable: NDArray[np.bool_], labels: NDArray[np.int64], splits: NDArray[np.int64]
) -> Readability:
    """
    Count the photographs that MediaPipe finds no face in.

    :param readable: whether it found one, shape [N].
    :param labels: indices into `LABELS`, shape [N]; photographs without a label are left out.
    :param splits: a `Split` each, shape [N].
    :returns: the counts.
    """
    shape = (len(Split), len(LABELS))
    unreadable, total = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labelled = labels >= 0
    np.add.at(total, (splits[labelled], labels[labelled]), 1)
    lost = labelled & ~readable
    np.add.at(unreadable, (splits[lost], labels[lost]), 1)
    return Readability(unreadable, total)


def readability_table(counts: Readability) -> Table:
    """
    Lay the counts out for a terminal, the report's beside ours.

    :param counts: of one data set.
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
    Draw unreadable photographs with their index under each, 240 a page (the report's fig. 4).

    :param pictures: all photographs.
    :param rows: indices of those to draw, shape [any].
    :param path: PNG; page 3 of `unreadable.png` is `unreadable-3.png`.
    :param title: headline of every page.
    :returns: the pages written.
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


# Whether swapping left and right blendshapes is the same as mirroring the photograph.
#
# The report mirrors photographs and runs them through MediaPipe again (section 4.5). Swapping
# the blendshapes costs nothing; what it misses is how far MediaPipe itself is from symmetric.


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
