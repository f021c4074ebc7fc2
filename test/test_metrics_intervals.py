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

"""Intervals against distributions that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from emotion_estimator.evaluation.metrics import scores
from emotion_estimator.evaluation.metrics.intervals import Interval, bootstrap

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
    found = bootstrap(lambda a, t: scores.macro_f1(a, t, 2), [answers, truth])
    assert found.value == scores.macro_f1(answers, truth, 2)
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
    found = bootstrap(lambda a, t: scores.recalls(a, t, 2)[1], [answers, truth])
    assert found == Interval(1.0, 1.0, 1.0)
    none = bootstrap(lambda rows: float('nan'), [truth], resamples=3)
    assert np.isnan([none.value, none.low, none.high]).all()


def test_what_it_cannot_draw_is_told():
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
