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

"""Pictures of the blendshapes' values and of what they tell: the report's fig. 3 and fig. 5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from training.report.figure_file import write_figure
from training.report.relevance import LEAST_IMAGES, THRESHOLD, Relevance

FIRST = 2000
"""Photographs in the scatter plots, as in the report's fig. 5."""

# Paul Tol's "muted" scheme, made for colour-blind readers.
KEPT = '#44AA99'
DROPPED = '#CC6677'
VALUE = '#332288'
COLUMNS = 8


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
        axes[index].scatter(np.arange(len(values)), values[:, index], s=1, c=VALUE, linewidths=0)
        axes[index].axhline(THRESHOLD, color=DROPPED, linewidth=1)
        axes[index].set_title(f'{index} {name}', fontsize=9)
    # The last plot of every column states the photographs, though a hidden one is below.
    for axis in axes[len(NAMES) - COLUMNS : len(NAMES)]:
        axis.tick_params(labelbottom=True)
    for axis in axes[len(NAMES) :]:
        axis.axis('off')
    figure.suptitle(f"Blendshapes of {len(values)} photographs; line: the report's {THRESHOLD:g}")
    figure.supxlabel('photograph')
    figure.supylabel('value')
    write_figure(figure, path)


def draw_blendshapes(blendshapes: NDArray[np.float32], path: Path, title: str) -> None:
    """
    Draw one photograph's blendshapes as bars by name (fig. 3).

    :param blendshapes: in [0, 1], shape [52].
    :param path: PNG to write.
    :param title: headline.
    """
    figure = Figure(figsize=(8, 11), layout='constrained')
    axis = figure.subplots()
    bars = axis.barh(NAMES, blendshapes, color=VALUE)
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
    Draw what each blendshape tells, coloured by the choice of the report's rule.

    :param relevance: of all blendshapes.
    :param path: PNG to write.
    """
    order = np.argsort(-relevance.about_sad, kind='stable')
    figure = Figure(figsize=(12, 11), layout='constrained')
    axes = figure.subplots(1, 2, sharey=True)
    colours = [KEPT if relevance.kept[index] else DROPPED for index in order]
    names = [NAMES[index] for index in order]
    told = (
        ('sad or not', relevance.about_sad),
        ('the class, one of seven', relevance.about_label),
    )
    for axis, (what, information) in zip(axes, told):
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
            Patch(color=KEPT, label=f"kept by the report's rule: {rule}"),
            Patch(color=DROPPED, label='dropped; bold: tells more of sad than half of those kept'),
        ],
        loc='outside upper center',
        ncols=2,
        frameon=False,
    )
    write_figure(figure, path)
