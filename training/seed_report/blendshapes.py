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
What blendshapes tell of the expression, and whether they can be swapped instead of mirrored.

These are the seed report's sections 4.3 and 4.5. It mirrors photographs and runs them through
MediaPipe again. Swapping left and right blendshapes costs nothing; what it misses is how far
MediaPipe itself is from symmetric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.table import Table
from sklearn.feature_selection import mutual_info_classif

from emotion_estimator.blendshapes import MIRROR, NAMES
from training.datasets.pictures import LABELS
from training.extraction.views import Augmentation, View
from training.seed_report.figures import INDIGO, ROSE, TEAL, write_figure

THRESHOLD = 0.4
LEAST_IMAGES = 100
"""A blendshape counts that is above the threshold in more photographs than this (section 4.3)."""

SEED = 0

FIRST = 2000
"""Photographs in the scatter plots, as in the seed report's fig. 5."""

COLUMNS = 8

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
        """Whether the seed report's rule keeps it, shape [52]."""
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


def measure_relevance(
    blendshapes: NDArray[np.float32], labels: NDArray[np.int64], seed: int = SEED
) -> Relevance:
    """
    Put the seed report's rule beside the mutual information; 25,000 photographs take 12 s.

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :param labels: indices into `LABELS`, shape [N], all labelled.
    """
    sad = (labels == LABELS.index('sad')).astype(np.int64)
    return Relevance(
        images=images_above(blendshapes),
        about_label=information(blendshapes, labels, seed),
        about_sad=information(blendshapes, sad, seed),
    )


def images_above(blendshapes: NDArray[np.float32]) -> NDArray[np.int64]:
    """
    Count the photographs in which each blendshape is above the seed report's threshold.

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :returns: shape [52].
    """
    return np.asarray((blendshapes > THRESHOLD).sum(axis=0), np.int64)


def information(
    blendshapes: NDArray[np.float32], labels: NDArray[np.int64], seed: int = SEED
) -> NDArray[np.float64]:
    """
    Estimate the mutual information of each blendshape with the label.

    It does not depend on a blendshape's scale, as the seed report's threshold does. The estimate
    is that of Ross (2014), doi:10.1371/journal.pone.0087357, over three nearest neighbours. With
    shuffled labels, which tell nothing, FER2013's 25,710 readable photographs gave up to 0.003.

    :param blendshapes: of readable photographs, in [0, 1], shape [N, 52].
    :param labels: any classes, shape [N].
    :param seed: of the small noise that parts equal values.
    :returns: in nats, at least 0, shape [52].
    """
    found = mutual_info_classif(blendshapes, labels, random_state=seed)
    return np.asarray(found, np.float64)


def names_where(mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """
    Name blendshapes.

    :param mask: shape [52].
    :returns: those where it is true, in the order of `NAMES`.
    """
    return tuple(name for name, chosen in zip(NAMES, mask) if chosen)


def relevance_table(relevance: Relevance) -> Table:
    """Lay the blendshapes out for a terminal, those that tell most of 'sad or not' first."""
    table = Table(title='Blendshapes by what they tell of sad')
    table.add_column('blendshape')
    for heading in (f'images above {THRESHOLD:g}', 'of the class', 'of sad or not'):
        table.add_column(heading, justify='right')
    table.add_column("the seed report's rule")
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


def draw_scatter(blendshapes: NDArray[np.float32], path: Path) -> None:
    """
    Draw each blendshape's value in the first photographs, a small plot each (fig. 5).

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :param path: PNG to write.
    """
    values = blendshapes[:FIRST]
    rows = -(-len(NAMES) // COLUMNS)
    figure = Figure(figsize=(16, 2 * rows), layout='constrained')
    axes = figure.subplots(rows, COLUMNS, sharex='col', sharey='row').ravel()
    for axis in axes:
        axis.set(xlim=(-0.03 * len(values), 1.03 * len(values)), ylim=(-0.03, 1.03))
    for index, name in enumerate(NAMES):
        axes[index].scatter(np.arange(len(values)), values[:, index], s=1, c=INDIGO, linewidths=0)
        axes[index].axhline(THRESHOLD, color=ROSE, linewidth=1)
        axes[index].set_title(f'{index} {name}', fontsize=9)
    # The last plot of every column states the photographs, though a hidden one is below.
    for axis in axes[len(NAMES) - COLUMNS : len(NAMES)]:
        axis.tick_params(labelbottom=True)
    for axis in axes[len(NAMES) :]:
        axis.axis('off')
    figure.suptitle(
        f"Blendshapes of {len(values)} photographs; line: the seed report's {THRESHOLD:g}"
    )
    figure.supxlabel('photograph')
    figure.supylabel('value')
    write_figure(figure, path)


def draw_blendshapes(blendshapes: NDArray[np.float32], path: Path, title: str) -> None:
    """
    Draw one photograph's blendshapes as bars by name (fig. 3).

    :param blendshapes: in [0, 1], shape [52].
    :param path: PNG to write.
    """
    figure = Figure(figsize=(8, 11), layout='constrained')
    axis = figure.subplots()
    bars = axis.barh(NAMES, blendshapes, color=INDIGO)
    axis.bar_label(bars, fmt='%.2f', padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.tick_params(axis='y', labelsize=9)
    axis.set_xlim(0, 1.08)
    axis.set_xlabel('value')
    axis.set_title(title)
    write_figure(figure, path)


def draw_information(relevance: Relevance, path: Path) -> None:
    """
    Draw what each blendshape tells, coloured by the choice of the seed report's rule.

    :param path: PNG to write.
    """
    order = np.argsort(-relevance.about_sad, kind='stable')
    figure = Figure(figsize=(12, 11), layout='constrained')
    axes = figure.subplots(1, 2, sharey=True)
    colours = [TEAL if relevance.kept[index] else ROSE for index in order]
    names = [NAMES[index] for index in order]
    panels = (
        ('sad or not', relevance.about_sad),
        ('the class, one of seven', relevance.about_label),
    )
    for axis, (what, information) in zip(axes, panels):
        axis.barh(names, information[order], color=colours)
        axis.set_title(f'of {what}')
        axis.set_xlabel('mutual information in nats')
        axis.grid(axis='x', linewidth=0.4)
        axis.set_axisbelow(True)
    axes[0].invert_yaxis()
    axes[0].margins(y=0.01)
    axes[0].tick_params(axis='y', labelsize=9)
    for name, overlooked in zip(axes[0].get_yticklabels(), relevance.overlooked[order]):
        name.set_fontweight('bold' if overlooked else 'normal')
    rule = f'above {THRESHOLD:g} in more than {LEAST_IMAGES} photographs'
    figure.legend(
        handles=[
            Patch(color=TEAL, label=f"kept by the seed report's rule: {rule}"),
            Patch(color=ROSE, label='dropped; bold: tells more of sad than half of those kept'),
        ],
        loc='outside upper center',
        ncols=2,
        frameon=False,
    )
    write_figure(figure, path)


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
    :param mirrored: of their mirror images, found again by MediaPipe, same shape.
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
    """Lay the agreement out for a terminal, the blendshapes that differ most first."""
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
