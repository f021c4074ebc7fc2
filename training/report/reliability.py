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

"""Draws whether probabilities mean what they say, and what it costs to answer only when sure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emotion_estimator.evaluation.metrics.reliability import BINS, reliability_bins
from emotion_estimator.evaluation.metrics.risk_coverage import RiskCoverage
from emotion_estimator.evaluation.metrics.scores import calibration_error
from training.report.figure_file import write_figure

# Paul Tol's "muted" scheme, made for colour-blind readers.
RIGHT = '#88CCEE'
GAP = '#CC6677'


def draw_reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], path: Path, title: str
) -> None:
    """
    Draw accuracy over confidence with the counts below; the title states the error.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param path: PNG to write.
    :param title: headline.
    """
    bins = reliability_bins(probabilities, truth)
    middles = (np.arange(BINS) + 0.5) / BINS
    error = calibration_error(probabilities, truth, BINS)
    figure = Figure(figsize=(6, 7), layout='constrained')
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.bar(middles, bins.accuracy, 1 / BINS, color=RIGHT, edgecolor='white', label='accuracy')
    above.plot(
        bins.confidence, bins.accuracy, 'o', color=GAP, label='mean confidence and accuracy'
    )
    above.plot((0, 1), (0, 1), color='black', linewidth=0.8, linestyle='--', label='calibrated')
    above.set_ylabel('share of right answers')
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.legend(loc='upper left', frameon=False)
    bars = below.bar(middles, bins.counts, 1 / BINS, color=RIGHT, edgecolor='white')
    below.bar_label(bars, fontsize=7, padding=1)
    below.margins(y=0.15)
    below.set_ylabel('photographs')
    below.set_xlabel('confidence: highest probability')
    figure.suptitle(f'{title}\nECE {error:.3f} over {BINS} bins, {len(truth)} photographs')
    figure.align_ylabels()
    write_figure(figure, path)


def draw_risk_coverage(curves: Mapping[str, RiskCoverage], path: Path, title: str) -> None:
    """
    Draw the share of wrong answers over the share of photographs answered.

    :param curves: by what they are of, such as a model's name.
    :param path: PNG to write.
    :param title: headline.
    """
    figure = Figure(figsize=(7, 5), layout='constrained')
    axis = figure.subplots()
    for name, curve in curves.items():
        label = f'{name}: {curve.risk[-1]:.3f} of all, area {curve.area:.3f}'
        axis.plot(curve.coverage, curve.risk, label=label)
    axis.set_xlim(0, 1)
    axis.set_ylim(bottom=0)
    axis.set_xlabel('coverage: share of photographs answered')
    axis.set_ylabel('risk: share of the answers that are wrong')
    axis.grid(linewidth=0.4)
    axis.legend(loc='best', frameon=False)
    axis.set_title(title)
    write_figure(figure, path)
