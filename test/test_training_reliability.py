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

"""Bins and curves agree with the scores and with what is counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.metrics import scores
from emotion_estimator.evaluation.metrics.reliability import reliability_bins
from emotion_estimator.evaluation.metrics.risk_coverage import RiskCoverage, risk_coverage_curve
from training.report import reliability
from training.report.reliability import draw_reliability, draw_risk_coverage

CHANCES = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
TRUTH = np.array([0, 1, 1, 1, 0])
ANSWERS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 1)), min_size=1, max_size=40)


def answers_of(pairs):
    shares, truth = np.array(pairs).T
    return np.column_stack([shares / 100, 1 - shares / 100]), truth


def test_bins_hold_the_mean_confidence_and_the_share_of_right_answers():
    bins = reliability_bins(CHANCES, TRUTH, bins=10)
    assert bins.counts.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 3]
    np.testing.assert_allclose(bins.confidence[[6, 8, 9]], [0.6, 0.8, 2.8 / 3])
    np.testing.assert_allclose(bins.accuracy[[6, 8, 9]], [0, 1, 2 / 3])
    assert np.isnan(bins.accuracy[0])
    assert np.isnan(bins.confidence[0])


@given(ANSWERS)
def test_the_bins_make_up_the_calibration_error(pairs):
    probabilities, truth = answers_of(pairs)
    bins = reliability_bins(probabilities, truth)
    gaps = np.nan_to_num(np.abs(bins.confidence - bins.accuracy))
    error = scores.calibration_error(probabilities, truth)
    assert (bins.counts * gaps).sum() / len(truth) == pytest.approx(error)


def test_equally_sure_answers_are_given_together():
    curve = risk_coverage_curve(CHANCES, TRUTH)
    np.testing.assert_allclose(curve.coverage, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


@given(ANSWERS)
def test_the_curve_passes_through_the_score_of_every_threshold(pairs):
    probabilities, truth = answers_of(pairs)
    curve = risk_coverage_curve(probabilities, truth)
    thresholds = np.unique(probabilities.max(axis=1))[::-1]
    expected = [scores.risk_coverage(probabilities, truth, each) for each in thresholds]
    np.testing.assert_allclose(np.column_stack([curve.coverage, 1 - curve.risk]), expected)


@pytest.fixture
def figures(monkeypatch):
    """Keep plots as figures instead of files."""
    kept = []
    monkeypatch.setattr(reliability, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


def test_the_diagram_states_the_error_and_the_counts(tmp_path, figures):
    draw_reliability(CHANCES, TRUTH, tmp_path / 'x.png', 'trial')
    error = scores.calibration_error(CHANCES, TRUTH)
    title = figures[0].get_suptitle()
    assert title == f'trial\nECE {error:.3f} over 15 bins, 5 photographs'
    above, below = figures[0].axes
    heights = [bar.get_height() for bar in below.patches]
    assert heights == [0] * 9 + [1, 0, 0, 1, 2, 1]
    assert above.patches[12].get_height() == 1


def test_every_curve_is_named_with_its_risk_and_area(tmp_path, figures):
    half = RiskCoverage(np.array([0.5, 1.0]), np.array([0.0, 0.25]))
    draw_risk_coverage({'one': half}, tmp_path / 'x.png', 'trial')
    (axis,) = figures[0].axes
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        'one: 0.250 of all, area 0.125'
    ]
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), [[0.5, 0], [1, 0.25]])
