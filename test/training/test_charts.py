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

"""Confusions are counted and scored as by hand."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.classification_metrics import (
    confusion,
    reliability_bins,
    risk_coverage_curve,
)
from training.seed_report import charts
from training.seed_report import charts as module
from training.seed_report.charts import (
    REPORT_CONFUSION,
    class_table,
    draw_confusion,
    draw_reliability,
)

NAMES = ('happy', 'unknown', 'sad')
TRUTH = np.array([0, 0, 0, 1, 1, 2, 2, -1])
ANSWERS = np.array([0, 0, 1, 1, -1, 0, 2, 1])
FOUND = confusion(ANSWERS, TRUTH, NAMES)


def test_truth_is_a_line_and_the_answer_a_column():
    assert FOUND.counts.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert FOUND.unanswered.tolist() == [0, 1, 0]


def test_no_answer_counts_as_wrong():
    np.testing.assert_allclose(FOUND.precision, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(FOUND.recall, [2 / 3, 1 / 2, 1 / 2])
    np.testing.assert_allclose(FOUND.f1, [2 / 3, 1 / 2, 2 / 3])
    assert FOUND.accuracy == pytest.approx(4 / 7)


def test_what_was_never_answered_has_no_precision():
    found = confusion(np.array([0, 0]), np.array([0, 1]), NAMES)
    np.testing.assert_array_equal(found.precision, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(found.recall, [1, 0, np.nan])
    assert found.means == pytest.approx((0.5 / 3, 1 / 3, (2 / 3) / 3))


def test_the_reports_matrix_has_the_reports_scores():
    assert REPORT_CONFUSION.support.tolist() == [291, 1110, 245]
    assert REPORT_CONFUSION.accuracy == pytest.approx(0.7199, abs=5e-5)
    assert REPORT_CONFUSION.means[2] == pytest.approx(0.6298, abs=5e-5)


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2)), min_size=1))
def test_scores_agree_with_those_of_the_training(pairs):
    predicted, truth = np.array(pairs).T
    found = confusion(predicted, truth, NAMES)
    np.testing.assert_allclose(found.recall, metrics.recalls(predicted, truth, 3))
    assert found.means[2] == pytest.approx(metrics.macro_f1(predicted, truth, 3))
    assert found.accuracy == pytest.approx(float((predicted == truth).mean()))


def test_the_table_has_a_line_for_each_class_and_their_mean():
    text = io.StringIO()
    Console(file=text, width=100).print(class_table(FOUND, 'scores'))
    lines = [line.split() for line in text.getvalue().splitlines() if '│' in line]
    cells = [[word for word in line if word != '│'] for line in lines]
    assert cells == [
        ['happy', '3', '0.667', '0.667', '0.667'],
        ['unknown', '2', '0.500', '0.500', '0.500'],
        ['sad', '2', '1.000', '0.500', '0.667'],
        ['mean', '7', '0.722', '0.556', '0.611'],
    ]
    assert 'accuracy 0.5714' in text.getvalue()


def test_each_field_states_its_share_and_count(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, 'write_figure', lambda figure, _: figures.append(figure))
    draw_confusion(FOUND, tmp_path / 'x.png', 'trial')
    axis = figures[0].axes[0]
    assert [text.get_text() for text in axis.texts[:4]] == [
        '0.67\n2',
        '0.33\n1',
        '0.00\n0',
        '0.00\n0',
    ]
    columns = [label.get_text() for label in axis.get_xticklabels()]
    assert columns == ['happy', 'unknown', 'sad', 'no answer']
    assert axis.texts[7].get_text() == '0.50\n1'


def test_the_picture_is_a_png(tmp_path):
    draw_confusion(REPORT_CONFUSION, tmp_path / 'made' / 'x.png', 'report')
    image = cv2.imread(str(tmp_path / 'made' / 'x.png'))
    # Without a column for no answers: (3 + 3 x .85) x (2.2 + 3 x .75) inches of 100 pixels.
    assert image.shape == (445, 555, 3)


# Bins and curves agree with the scores and with what is counted by hand.


CHANCES = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
RATED_TRUTH = np.array([0, 1, 1, 1, 0])
RATED_ANSWERS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 1)), min_size=1, max_size=40
)


def answers_of(pairs):
    shares, truth = np.array(pairs).T
    return np.column_stack([shares / 100, 1 - shares / 100]), truth


def test_bins_hold_the_mean_confidence_and_the_share_of_right_answers():
    bins = reliability_bins(CHANCES, RATED_TRUTH, bins=10)
    assert bins.counts.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 3]
    np.testing.assert_allclose(bins.confidence[[6, 8, 9]], [0.6, 0.8, 2.8 / 3])
    np.testing.assert_allclose(bins.accuracy[[6, 8, 9]], [0, 1, 2 / 3])
    assert np.isnan(bins.accuracy[0])
    assert np.isnan(bins.confidence[0])


@given(RATED_ANSWERS)
def test_the_bins_make_up_the_calibration_error(pairs):
    probabilities, truth = answers_of(pairs)
    bins = reliability_bins(probabilities, truth)
    gaps = np.nan_to_num(np.abs(bins.confidence - bins.accuracy))
    error = metrics.calibration_error(probabilities, truth)
    assert (bins.counts * gaps).sum() / len(truth) == pytest.approx(error)


def test_equally_sure_answers_are_given_together():
    curve = risk_coverage_curve(CHANCES, RATED_TRUTH)
    np.testing.assert_allclose(curve.coverage, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


@given(RATED_ANSWERS)
def test_the_curve_passes_through_the_score_of_every_threshold(pairs):
    probabilities, truth = answers_of(pairs)
    curve = risk_coverage_curve(probabilities, truth)
    thresholds = np.unique(probabilities.max(axis=1))[::-1]
    expected = [metrics.risk_coverage(probabilities, truth, each) for each in thresholds]
    np.testing.assert_allclose(np.column_stack([curve.coverage, 1 - curve.risk]), expected)


@pytest.fixture
def figures(monkeypatch):
    """Keep plots as figures instead of files."""
    kept = []
    monkeypatch.setattr(charts, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


def test_the_diagram_states_the_error_and_the_counts(tmp_path, figures):
    draw_reliability(CHANCES, RATED_TRUTH, tmp_path / 'x.png', 'trial')
    error = metrics.calibration_error(CHANCES, RATED_TRUTH)
    title = figures[0].get_suptitle()
    assert title == f'trial\nECE {error:.3f} over 15 bins, 5 photographs'
    above, below = figures[0].axes
    heights = [bar.get_height() for bar in below.patches]
    assert heights == [0] * 9 + [1, 0, 0, 1, 2, 1]
    assert above.patches[12].get_height() == 1
