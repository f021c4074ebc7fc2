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

"""Which classes are taken for which (section 6), and whether probabilities mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.evaluation.classification_metrics import (
    BINS,
    Confusion,
    calibration_error,
    reliability_bins,
)
from training.seed_report.sheets import CYAN, ROSE, write_figure
from training.stills import HAPPY_UNKNOWN_SAD

REPORT_CONFUSION = Confusion(
    names=HAPPY_UNKNOWN_SAD.names,
    counts=np.array([[251, 35, 5], [110, 850, 150], [21, 140, 84]]),
    unanswered=np.zeros(3, np.int64),
)
"""The seed report's final model on its 1,646 readable test photographs (section 6)."""


def class_table(found: Confusion, title: str) -> Table:
    """
    Lay each class's scores out for a terminal.

    :returns: a table with a line for each class, and one with their means.
    """
    table = Table(title=title, caption=f'accuracy {found.accuracy:.4f}')
    table.add_column('class')
    for heading in ('photographs', 'precision', 'recall', 'F1'):
        table.add_column(heading, justify='right')
    for index, name in enumerate(found.names):
        scores = (found.precision[index], found.recall[index], found.f1[index])
        table.add_row(name, str(found.support[index]), *map(_score, scores))
    table.add_section()
    table.add_row('mean', str(found.support.sum()), *map(_score, found.means))
    return table


def draw_confusion(found: Confusion, path: Path, title: str) -> None:
    """
    Draw the matrix: colour and number are the share of the truth's line, the count is below.

    :param path: PNG to write.
    """
    columns, counts = list(found.names), found.counts
    if found.unanswered.any():
        columns.append('no answer')
        counts = np.column_stack([counts, found.unanswered])
    shares = counts / np.maximum(found.support, 1)[:, None]
    size = 3 + 0.85 * len(columns), 2.2 + 0.75 * len(found.names)
    figure = Figure(figsize=size, layout='constrained')
    axis = figure.subplots()
    image = axis.imshow(shares, cmap='Blues', vmin=0, vmax=1, aspect='auto')
    for (line, column), share in np.ndenumerate(shares):
        axis.text(
            column,
            line,
            f'{share:.2f}\n{counts[line, column]}',
            ha='center',
            va='center',
            fontsize=9,
            color='white' if share > 0.6 else 'black',
        )
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha='right', rotation_mode='anchor')
    lines = [f'{name} ({count})' for name, count in zip(found.names, found.support)]
    axis.set_yticks(range(len(lines)), lines)
    axis.set_xlabel('answer')
    axis.set_ylabel('truth')
    figure.suptitle(f'{title}\naccuracy {found.accuracy:.3f}, mean F1 {found.means[2]:.3f}')
    figure.colorbar(image, ax=axis, label='share of the truth')
    write_figure(figure, path)


def _score(score: float) -> str:
    return '-' if np.isnan(score) else f'{score:.3f}'


def draw_reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], path: Path, title: str
) -> None:
    """
    Draw accuracy over confidence with the counts below; the title states the error.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param path: PNG to write.
    """
    bins = reliability_bins(probabilities, truth)
    middles = (np.arange(BINS) + 0.5) / BINS
    error = calibration_error(probabilities, truth, BINS)
    figure = Figure(figsize=(6, 7), layout='constrained')
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.bar(middles, bins.accuracy, 1 / BINS, color=CYAN, edgecolor='white', label='accuracy')
    above.plot(
        bins.confidence, bins.accuracy, 'o', color=ROSE, label='mean confidence and accuracy'
    )
    above.plot((0, 1), (0, 1), color='black', linewidth=0.8, linestyle='--', label='calibrated')
    above.set_ylabel('share of right answers')
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.legend(loc='upper left', frameon=False)
    bars = below.bar(middles, bins.counts, 1 / BINS, color=CYAN, edgecolor='white')
    below.bar_label(bars, fontsize=7, padding=1)
    below.margins(y=0.15)
    below.set_ylabel('photographs')
    below.set_xlabel('confidence: highest probability')
    figure.suptitle(f'{title}\nECE {error:.3f} over {BINS} bins, {len(truth)} photographs')
    figure.align_ylabels()
    write_figure(figure, path)
