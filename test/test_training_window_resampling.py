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

"""The vectorised resampling gives what the runtime's buffer gives."""

from __future__ import annotations

import numpy as np
import pytest

from emotion_estimator.emotion.temporal_buffer import TemporalBuffer
from training.time_ablation import retimed
from training.time_course import Visibility, sample_ages
from training.window_resampling import (
    MAX_GAP_S,
    NEVER_NS,
    RATE_HZ,
    STEPS,
    WINDOW_S,
    constant_windows,
    resample,
)


def buffer_window(ages_ns, values):
    buffer = TemporalBuffer(values.shape[1], WINDOW_S, RATE_HZ, MAX_GAP_S)
    there = ages_ns < NEVER_NS
    for age_ns, value in zip(ages_ns[there][::-1], values[there][::-1]):
        buffer.add(10_000_000_000 - int(age_ns), value)
    return buffer.window()


def vectorised_windows(ages_ns, values):
    steps = resample(ages_ns)
    rows = np.arange(len(ages_ns))[:, None]
    earlier, later = values[rows, steps.earlier], values[rows, steps.later]
    windows = np.ones((len(ages_ns), STEPS, values.shape[2] + 1), np.float32)
    windows[..., :-1] = earlier + steps.share[..., None] * (later - earlier)
    return windows * steps.observed[..., None]


@pytest.mark.parametrize(
    'visibility', [Visibility(0, 0, 0), Visibility(1, 0, 0), Visibility(0.5, 1, 0.7)]
)
def test_random_windows_equal_those_of_the_runtime(visibility):
    rng = np.random.default_rng(3)
    ages_ns = sample_ages(60, visibility, rng)
    values = rng.random((*ages_ns.shape, 4), np.float32)
    expected = [buffer_window(*pair) for pair in zip(ages_ns, values)]
    np.testing.assert_array_equal(vectorised_windows(ages_ns, values), expected)


def test_one_sample_observes_the_last_step_alone():
    ages_ns = np.full((1, 5), NEVER_NS)
    ages_ns[0, 0] = 0
    assert resample(ages_ns).observed[0].tolist() == [False] * (STEPS - 1) + [True]


def test_a_hole_longer_than_the_gap_is_not_observed():
    ages_ns = np.array([[0, 300_000_000, 400_000_000]])
    observed = resample(ages_ns).observed[0]
    # Steps lie 66.7 ms apart: those at 66.7 ... 266.7 ms are in the hole, 333.3 and 400 not.
    assert observed[-8:].tolist() == [False, True, True, False, False, False, False, True]


def test_constant_windows_are_those_of_a_face_that_stays():
    values = np.linspace(0, 1, 52, dtype=np.float32)
    buffer = TemporalBuffer(52, WINDOW_S, RATE_HZ, MAX_GAP_S)
    for step in range(40):
        buffer.add(round(step * 1e9 / RATE_HZ), values)
    np.testing.assert_array_equal(constant_windows(values[None])[0], buffer.window())


def test_pooled_windows_hold_the_mean_of_the_observed_steps():
    window = np.array([[[0, 0], [0.2, 1], [0.6, 1]]], np.float32)
    pooled = retimed(window, 'pooled', np.random.default_rng(0))
    np.testing.assert_allclose(pooled, [[[0, 0], [0.4, 1], [0.4, 1]]], atol=1e-7)


def test_shuffled_windows_hold_the_same_steps():
    windows = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    shuffled = retimed(windows, 'shuffled', np.random.default_rng(0))
    assert not np.array_equal(shuffled, windows)
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), windows)


def test_an_unknown_kind_of_time_is_refused():
    with pytest.raises(ValueError, match="not 'reversed'"):
        retimed(np.zeros((1, 2, 3), np.float32), 'reversed', np.random.default_rng(0))
