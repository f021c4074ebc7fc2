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

"""Scores of answers whose right values are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.bags import replay
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.comparison import agreement
from emotion_estimator.evaluation.report.figures import risk_coverage_figure
from emotion_estimator.evaluation.segment_statistics import (
    Interval,
    bootstrap,
    bootstrap_sums,
    image_durations_s,
    stable_from,
    switches,
)

TRUTH = np.array([0, 0, 1, 1, 2])
ANSWERS = np.array([0, 1, 1, 1, -1])


def test_recalls():
    np.testing.assert_allclose(metrics.recalls(ANSWERS, TRUTH, 4), [0.5, 1.0, 0.0, np.nan])


def test_macro_f1():
    # F1: class 0 2/3, class 1 4/5, class 2 0.
    assert metrics.macro_f1(ANSWERS, TRUTH, 3) == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_log_losses_of_labels_and_of_shares():
    chances = np.array([[0.5, 0.5], [0.25, 0.75], [0, 1]])
    expected = -np.log([0.5, 0.75, metrics.LEAST_PROBABILITY])
    labels = np.array([0, 1, 0])
    assert metrics.log_losses(chances, labels) == pytest.approx(expected)
    assert metrics.log_losses(chances, np.eye(2, dtype=np.float32)[labels]) == pytest.approx(
        expected
    )
    halves = np.full((3, 2), 0.5, np.float32)
    assert metrics.log_losses(chances, halves)[:1] == pytest.approx(np.log(2))


def test_calibration_error():
    chances = np.array([[0.8, 0.2]] * 10)
    assert metrics.calibration_error(chances, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert metrics.calibration_error(chances, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3)


def test_unsure_answers_leave_coverage_and_risk():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.8, 0.2]])
    labels = np.array([0, 0, 1, 1])
    assert metrics.risk_coverage(probabilities, labels, 0.0) == (1.0, 0.5)
    assert metrics.risk_coverage(probabilities, labels, 0.6) == (0.75, pytest.approx(1 / 3))
    answered, right = metrics.risk_coverage(probabilities, labels, 0.95)
    assert answered == 0
    assert math.isnan(right)


# Scores of sums agree with those of rows; switches and delays are as counted by hand.


S = 1_000_000_000
PAIRS = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=30)
CHANCES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def confusion_of(pairs):
    table = np.zeros((3, 4))
    for predicted, truth in pairs:
        table[truth, predicted] += 1
    return table


@given(PAIRS)
def test_rows_are_counted_by_truth_and_answer(pairs):
    predicted, truth = np.array(pairs).T
    np.testing.assert_array_equal(metrics.count_answers(predicted, truth, 3), confusion_of(pairs))
    more = np.append(predicted, [0, -1]), np.append(truth, [-1, -1])
    np.testing.assert_array_equal(metrics.count_answers(*more, 3), confusion_of(pairs))


@given(PAIRS)
def test_scores_of_a_confusion_are_those_of_its_rows(pairs):
    predicted, truth = np.array(pairs).T
    found = confusion_of(pairs)
    assert metrics.accuracy_from_counts(found) == pytest.approx(np.mean(predicted == truth))
    occurring = len(set(truth.tolist()))
    f1 = [
        2
        * np.sum((predicted == truth) & (truth == one))
        / max(np.sum(truth == one) + np.sum(predicted == one), 1)
        for one in range(3)
    ]
    expected = sum(f1[one] for one in set(truth.tolist())) / occurring
    assert metrics.macro_f1_from_counts(found) == pytest.approx(expected)
    if occurring == 3:
        assert metrics.macro_f1_from_counts(found) == pytest.approx(
            metrics.macro_f1(predicted, truth, 3)
        )
    assert 0 <= metrics.macro_f1_from_counts(found) <= 1


def test_no_answer_is_wrong():
    found = confusion_of([(0, 0), (-1, 0), (1, 0)])
    assert metrics.accuracy_from_counts(found) == pytest.approx(1 / 3)


@given(CHANCES)
def test_the_error_of_bins_is_that_of_the_answers(rows):
    confidence = np.array([max(share, 1 - share) for share, _ in rows])
    right = np.array([hit for _, hit in rows])
    chances = np.stack([confidence, 1 - confidence], axis=1)
    truth = np.where(right == (chances.argmax(axis=1) == 0), 0, 1)
    hits = chances.argmax(axis=1) == truth
    found = metrics.calibration_error_from_bins(metrics.binned(confidence, hits, 15))
    assert found == pytest.approx(metrics.calibration_error(chances, truth))
    assert 0 <= found <= 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_the_median_of_counts_is_the_lower_median(values):
    distinct, counts = np.unique(values, return_counts=True)
    found = metrics.median_of_counts(counts.astype(float), distinct.astype(float))
    assert found == sorted(values)[(len(values) - 1) // 2]


def test_no_value_has_no_median():
    assert np.isnan(metrics.median_of_counts(np.zeros((2, 3)), np.arange(3.0))).all()
    assert np.isnan(metrics.median_of_counts(np.zeros((2, 0)), np.zeros(0))).all()


def test_sums_are_drawn_like_rows():
    right = np.arange(200) < 140
    rows = bootstrap(np.mean, [right], resamples=4000)
    drawn = bootstrap_sums(metrics.ratio, [right * 1.0, np.ones(200)], resamples=4000)
    assert drawn.value == rows.value == 0.7
    assert (drawn.low, drawn.high) == pytest.approx((rows.low, rows.high), abs=0.006)


def test_equal_runs_have_no_difference_however_they_are_drawn():
    part, whole = np.arange(9.0), np.full(9, 10.0)
    found = bootstrap_sums(lambda a, b, c, d: a / b - c / d, [part, whole, part, whole])
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_one_unit_has_no_interval():
    found = bootstrap_sums(metrics.ratio, [np.ones(1), np.full(1, 2.0)])
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
    found = image_durations_s(np.array([0, 1, 2, 50]) * (S // 10), 0.5)
    assert found.tolist() == pytest.approx([0.1, 0.1, 0.5, 0.1])
    assert image_durations_s(np.array([7]), 0.5).tolist() == [0]


# Bins and curves agree with the scores and with what is counted by hand.


RATED_CHANCES = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
RATED_TRUTH = np.array([0, 1, 1, 1, 0])
RATED_ANSWERS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 1)), min_size=1, max_size=40
)


def answers_of(pairs):
    shares, truth = np.array(pairs).T
    return np.column_stack([shares / 100, 1 - shares / 100]), truth


def test_bins_hold_the_mean_confidence_and_the_share_of_right_answers():
    bins = metrics.reliability_bins(RATED_CHANCES, RATED_TRUTH, bins=10)
    assert bins.counts.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 3]
    np.testing.assert_allclose(bins.confidence[[6, 8, 9]], [0.6, 0.8, 2.8 / 3])
    np.testing.assert_allclose(bins.accuracy[[6, 8, 9]], [0, 1, 2 / 3])
    assert np.isnan(bins.accuracy[0])
    assert np.isnan(bins.confidence[0])


@given(RATED_ANSWERS)
def test_the_bins_make_up_the_calibration_error(pairs):
    probabilities, truth = answers_of(pairs)
    bins = metrics.reliability_bins(probabilities, truth)
    gaps = np.nan_to_num(np.abs(bins.confidence - bins.accuracy))
    error = metrics.calibration_error(probabilities, truth)
    assert (bins.counts * gaps).sum() / len(truth) == pytest.approx(error)


def test_equally_sure_answers_are_given_together():
    curve = metrics.risk_coverage_curve(RATED_CHANCES, RATED_TRUTH)
    np.testing.assert_allclose(curve.coverage, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


@given(RATED_ANSWERS)
def test_the_curve_passes_through_the_score_of_every_threshold(pairs):
    probabilities, truth = answers_of(pairs)
    curve = metrics.risk_coverage_curve(probabilities, truth)
    thresholds = np.unique(probabilities.max(axis=1))[::-1]
    expected = [metrics.risk_coverage(probabilities, truth, each) for each in thresholds]
    np.testing.assert_allclose(np.column_stack([curve.coverage, 1 - curve.risk]), expected)


@pytest.mark.parametrize(('right', 'above'), [(1.0, True), (0.2, True), (0.0, False)])
def test_equally_sure_answers_are_one_mark_whose_words_stay_in_the_figure(right, above):
    chances = np.full((4, 2), 0.5)
    curve = metrics.risk_coverage_curve(chances, np.zeros(4, np.int64))
    line, shown = risk_coverage_figure(curve, 1.0, right).data
    assert (len(line.x), line.mode) == (1, 'markers')
    assert shown.textposition == ('top left' if above else 'bottom left')


# Intervals against distributions that are known.


numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


def hits(right: int, rows: int) -> np.ndarray:
    return np.arange(rows) < right


def test_an_accuracy_has_the_binomial_interval():
    # Drawing N rows of which k are right is Binomial(N, k / N) exactly.
    found = bootstrap(np.mean, [hits(140, 200)], resamples=4000)
    assert found.value == 0.7
    low, high = binom.ppf([0.025, 0.975], 200, 0.7) / 200
    assert found.low == pytest.approx(low, abs=0.0051)
    assert found.high == pytest.approx(high, abs=0.0051)


def test_about_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(150):
        found = bootstrap(np.mean, [rng.random(150) < 0.6], resamples=100, seed=seed)
        held += found.low <= 0.6 <= found.high
    # Three standard deviations of Binomial(150, .95) either way.
    assert 134 <= held <= 150


def test_arrays_are_drawn_together():
    truth = np.array([0, 1, 2, 1, 0])
    same = bootstrap(lambda a, b: float((a == b).mean()), [truth, truth], resamples=50)
    assert same == Interval(1.0, 1.0, 1.0)
    table = np.stack([truth, truth], axis=1)
    assert (
        bootstrap(lambda a, b: float((a == b[:, 1]).mean()), [truth, table], resamples=50).low == 1
    )


def test_macro_f1_of_a_coin_is_around_its_value():
    rng = np.random.default_rng(1)
    truth, answers = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    found = bootstrap(lambda a, t: metrics.macro_f1(a, t, 2), [answers, truth])
    assert found.value == metrics.macro_f1(answers, truth, 2)
    # The accuracy's standard error is .025; macro-F1 of two even classes moves with it.
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.025, rel=0.15)
    assert found.low < found.value < found.high


def test_groups_of_equal_rows_count_as_one_row_each():
    right = hits(30, 50)
    alone = bootstrap(np.mean, [right], seed=3)
    repeated = bootstrap(np.mean, [np.repeat(right, 20)], seed=3, groups=np.repeat(range(50), 20))
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))
    believed = bootstrap(np.mean, [np.repeat(right, 20)], seed=3)
    assert believed.high - believed.low < 0.3 * (alone.high - alone.low)


def test_groups_are_drawn_whole_whatever_their_size_and_order():
    # Each row weighs 1 / its group's size, so three whole groups weigh 3.
    groups = np.array(['b', 'a', 'c', 'a', 'c', 'c'])
    sizes = np.array([1, 2, 3, 2, 3, 3])

    def whole(names, lengths):
        for name in set(names):
            assert (names == name).sum() % lengths[names == name][0] == 0
        return sum(1 / lengths)

    found = bootstrap(whole, [groups, sizes], resamples=200, groups=groups)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_one_group_leaves_nothing_to_draw():
    found = bootstrap(np.mean, [np.arange(9)], groups=np.zeros(9))
    assert found == Interval(4.0, 4.0, 4.0)


def test_equal_seeds_draw_equally():
    right = hits(7, 11)
    assert bootstrap(np.mean, [right], seed=5) == bootstrap(np.mean, [right], seed=5)
    values = np.random.default_rng(0).normal(size=11)
    assert bootstrap(np.mean, [values], seed=5) != bootstrap(np.mean, [values], seed=6)


@settings(max_examples=40, deadline=None)
@given(numbers, st.integers(0, 99))
def test_a_mean_stays_between_the_rows(values, seed):
    found = bootstrap(np.mean, [np.array(values)], resamples=20, seed=seed)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


@settings(max_examples=40, deadline=None)
@given(numbers, st.floats(0.1, 10), st.floats(-10, 10))
def test_a_mean_moves_and_stretches_with_the_rows(values, factor, offset):
    rows = np.array(values)
    plain = bootstrap(np.mean, [rows], resamples=20)
    moved = bootstrap(np.mean, [factor * rows + offset], resamples=20)
    for name, expected in vars(plain).items():
        assert getattr(moved, name) == pytest.approx(factor * expected + offset, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(numbers)
def test_groups_of_one_row_are_no_groups(values):
    rows = np.array(values)
    plain = bootstrap(np.mean, [rows], resamples=20)
    assert bootstrap(np.mean, [rows], resamples=20, groups=np.arange(len(rows))) == plain


def test_resamples_without_a_score_are_left_out():
    # Class 1 occurs once in four rows: a third of the resamples lack it.
    answers, truth = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1])
    found = bootstrap(lambda a, t: metrics.recalls(a, t, 2)[1], [answers, truth])
    assert found == Interval(1.0, 1.0, 1.0)
    none = bootstrap(lambda rows: float('nan'), [truth], resamples=3)
    assert np.isnan([none.value, none.low, none.high]).all()


def test_what_it_cannot_draw_is_reported():
    with pytest.raises(ValueError, match='2, 3'):
        bootstrap(np.mean, [np.zeros(2), np.zeros(3)])
    with pytest.raises(ValueError, match='3, 4'):
        bootstrap(np.mean, [np.zeros(3)], groups=np.zeros(4))
    with pytest.raises(ValueError, match='above 0'):
        bootstrap(np.mean, [np.zeros(0)])
    with pytest.raises(ValueError, match='none'):
        bootstrap(np.mean, [])
    with pytest.raises(ValueError, match='not 0'):
        bootstrap(np.mean, [np.zeros(2)], resamples=0)


def test_it_is_written_as_the_metrics_are():
    found = Interval(0.123456, 0.1, 0.15009).rounded()
    assert found == {'value': 0.1235, 'low': 0.1, 'high': 0.1501}


def test_agreement_is_the_share_of_equal_answers():
    first, second = replay('happy happy sad sad'), replay('happy unknown sad sad')
    assert agreement([(first, second)], {}, {}).value == 0.75
    assert agreement([(first, second)], {'happy': 'a', 'sad': 'a'}, {'unknown': 'a'}).value == 0.25
    assert math.isnan(agreement([(replay('- -'), second)], {}, {}).value)
