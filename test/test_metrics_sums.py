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

"""Scores of sums agree with those of rows; switches and delays are as counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.metrics import scores, sums
from emotion_estimator.evaluation.metrics.coverage import image_durations_s
from emotion_estimator.evaluation.metrics.intervals import bootstrap, bootstrap_sums
from emotion_estimator.evaluation.metrics.steadiness import stable_from, switches

S = 1_000_000_000
PAIRS = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=30)
CHANCES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def confusion_of(pairs):
    table = np.zeros((3, 4))
    for predicted, truth in pairs:
        table[truth, predicted] += 1
    return table


@given(PAIRS)
def test_scores_of_a_confusion_are_those_of_its_rows(pairs):
    predicted, truth = np.array(pairs).T
    found = confusion_of(pairs)
    assert sums.accuracy(found) == pytest.approx(np.mean(predicted == truth))
    occurring = len(set(truth.tolist()))
    f1 = [
        2
        * np.sum((predicted == truth) & (truth == one))
        / max(np.sum(truth == one) + np.sum(predicted == one), 1)
        for one in range(3)
    ]
    expected = sum(f1[one] for one in set(truth.tolist())) / occurring
    assert sums.macro_f1(found) == pytest.approx(expected)
    if occurring == 3:
        assert sums.macro_f1(found) == pytest.approx(scores.macro_f1(predicted, truth, 3))
    assert 0 <= sums.macro_f1(found) <= 1


def test_no_answer_is_wrong_but_not_among_the_answers():
    found = confusion_of([(0, 0), (-1, 0), (1, 0)])
    assert sums.accuracy(found) == pytest.approx(1 / 3)
    assert sums.accuracy_of_answers(found) == pytest.approx(1 / 2)
    assert np.isnan(sums.accuracy_of_answers(confusion_of([(-1, 0)])))


@given(CHANCES)
def test_the_error_of_bins_is_that_of_the_answers(rows):
    confidence = np.array([max(share, 1 - share) for share, _ in rows])
    right = np.array([hit for _, hit in rows])
    chances = np.stack([confidence, 1 - confidence], axis=1)
    truth = np.where(right == (chances.argmax(axis=1) == 0), 0, 1)
    hits = chances.argmax(axis=1) == truth
    found = sums.calibration_error(sums.binned(confidence, hits, 15))
    assert found == pytest.approx(scores.calibration_error(chances, truth))
    assert 0 <= found <= 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_the_median_of_counts_is_the_lower_median(values):
    distinct, counts = np.unique(values, return_counts=True)
    found = sums.median_of_counts(counts.astype(float), distinct.astype(float))
    assert found == sorted(values)[(len(values) - 1) // 2]


def test_no_value_has_no_median():
    assert np.isnan(sums.median_of_counts(np.zeros((2, 3)), np.arange(3.0))).all()
    assert np.isnan(sums.median_of_counts(np.zeros((2, 0)), np.zeros(0))).all()


def test_sums_are_drawn_like_rows():
    right = np.arange(200) < 140
    rows = bootstrap(np.mean, [right], resamples=4000)
    drawn = bootstrap_sums(sums.ratio, [right * 1.0, np.ones(200)], resamples=4000)
    assert drawn.value == rows.value == 0.7
    assert (drawn.low, drawn.high) == pytest.approx((rows.low, rows.high), abs=0.006)


def test_equal_runs_have_no_difference_however_they_are_drawn():
    part, whole = np.arange(9.0), np.full(9, 10.0)
    found = bootstrap_sums(lambda a, b, c, d: a / b - c / d, [part, whole, part, whole])
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_one_unit_has_no_interval():
    found = bootstrap_sums(sums.ratio, [np.ones(1), np.full(1, 2.0)])
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()


def test_a_change_over_a_gap_is_no_switch():
    stamps_ns = np.array([0, 100, 200, 1200, 1300]) * (S // 1000)
    changes, followed_s = switches(stamps_ns, np.array([0, 1, 1, 0, 1]))
    assert changes.tolist() == [1, 4]
    assert followed_s.tolist() == pytest.approx([0, 0.1, 0.1, 0, 0.1])
    assert switches(np.zeros(0, np.int64), np.zeros(0, np.int64))[0].tolist() == []


def test_stable_is_from_after_the_last_wrong_frame():
    assert stable_from(np.array([False, True, False, True, True])) == 3
    assert stable_from(np.array([True, True])) == 0
    assert stable_from(np.array([True, False])) is None


def test_an_image_stands_until_the_next_but_not_through_a_pause():
    found = image_durations_s(np.array([0, 1, 2, 50]) * (S // 10))
    assert found.tolist() == pytest.approx([0.1, 0.1, 0.5, 0.1])
    assert image_durations_s(np.array([7])).tolist() == [0]
