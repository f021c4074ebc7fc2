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

"""Composed windows hold what was asked for; clips give the movements that are laid on them."""

from __future__ import annotations

import numpy as np
import pytest

from emotion_estimator.blendshapes import INDEX, NAMES
from emotion_estimator.emotion.estimation import TemporalBuffer
from training.clips import BLINK_HALF_S, Dynamics, extract
from training.clips import RATE_HZ as CLIP_RATE_HZ
from training.datasets.pictures import LABELS, NEUTRAL
from training.network import additive, from_additive, logit
from training.stills import Stills, Targets
from training.windows import (
    MAX_GAP_S,
    NEVER_NS,
    RATE_HZ,
    STEPS,
    WINDOW_S,
    Composition,
    SequenceComposer,
    Transitions,
    Visibility,
    constant_windows,
    draw_transitions,
    resample,
    retimed,
    sample_ages,
)

STILL = Composition(
    constant=1.0,
    mixing=0.0,
    other_views=0.0,
    jitter=0.0,
    speech=0.0,
    noise=0.0,
    blinks_per_s=0.0,
    visibility=Visibility(0, 0, 0),
)


@pytest.fixture
def stills():
    """One photograph of each class, all voters agreeing with the label."""
    rng = np.random.default_rng(0)
    count = len(LABELS)
    return Stills(
        features=NAMES,
        views=rng.uniform(0.1, 0.9, (count, 2, 52)).astype(np.float32),
        readable=np.ones((count, 2), bool),
        labels=np.arange(count),
        votes=10 * np.eye(count, dtype=np.float32),
        other_votes=np.zeros((count, 3), np.float32),
        rows=np.arange(count),
    )


@pytest.fixture
def dynamics():
    rng = np.random.default_rng(1)
    return Dynamics(
        jitter=rng.normal(0, 0.2, (300, 52)).astype(np.float32),
        speech=rng.normal(0, 0.5, (300, 52)).astype(np.float32),
        blinks=rng.normal(0, 1, (2, 31, 52)).astype(np.float32),
    )


def composer_of(stills, dynamics, how):
    return SequenceComposer(stills, Targets().shares(stills), dynamics, how)


def test_a_held_still_fills_the_window(stills, dynamics):
    windows, targets = composer_of(stills, dynamics, STILL).windows(20, np.random.default_rng(5))
    assert windows.shape == (20, STEPS, 53)
    for window, target in zip(windows, targets):
        assert target.max() == 1
        expected = np.tile(stills.values[target.argmax()], (STEPS, 1))
        np.testing.assert_allclose(window[:, :-1], expected, atol=1e-5)
        assert (window[:, -1] == 1).all()


def test_other_views_are_taken_where_they_are_readable(stills, dynamics):
    readable = stills.readable.copy()
    readable[0, 1] = False
    asked = Stills(**{**vars(stills), 'readable': readable})
    how = Composition(**{**vars(STILL), 'other_views': 0.999})
    windows, targets = composer_of(asked, dynamics, how).windows(60, np.random.default_rng(2))
    for window, target in zip(windows, targets):
        label = int(target.argmax())
        np.testing.assert_allclose(window[0, :-1], asked.views[label, int(label > 0)], atol=1e-5)


def test_everything_random_is_seeded(stills, dynamics):
    composer = composer_of(stills, dynamics, Composition())
    one, two = (composer.windows(30, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], composer.windows(30, np.random.default_rng(9))[0])


def test_windows_are_those_of_the_runtime_in_shape_and_range(stills, dynamics):
    windows, targets = composer_of(stills, dynamics, Composition()).windows(
        200, np.random.default_rng(4)
    )
    validity = windows[..., -1]
    assert set(np.unique(validity)) == {0, 1}
    assert (validity[:, -1] == 1).all()  # the newest sample is always observed
    assert (windows[validity == 0] == 0).all()
    assert windows.min() >= 0 and windows.max() <= 1
    assert validity.sum(axis=1).min() < 5  # a face that has only just appeared
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_the_target_is_ahead_of_the_window_by_the_lead(stills, dynamics):
    how = Composition(**{**vars(STILL), 'constant': 0.0, 'returning': 0.0})
    seen, asked = {}, {}
    for lead_s in (0.0, 0.2, 1.0):
        composer = composer_of(stills, dynamics, Composition(**{**vars(how), 'lead_s': lead_s}))
        seen[lead_s], asked[lead_s] = composer.windows(300, np.random.default_rng(7))
    np.testing.assert_array_equal(seen[0.0], seen[0.2])
    after = asked[1.0].argmax(axis=1)
    # A transition that has begun is over a second later.
    np.testing.assert_allclose(asked[1.0].max(axis=1), 1)
    arrived = [targets[np.arange(300), after] for targets in (asked[0.0], asked[0.2])]
    assert (arrived[1] >= arrived[0]).all()
    assert 0 < (arrived[1] - arrived[0]).mean() < 0.3


def test_the_target_weighs_label_and_votes(stills, dynamics):
    votes = np.tile(10 * np.eye(7, dtype=np.float32)[NEUTRAL], (7, 1))
    asked = Stills(**{**vars(stills), 'votes': votes})
    shares = Targets(label_weight=0.8).shares(asked)
    _, targets = SequenceComposer(asked, shares, dynamics, STILL).windows(
        50, np.random.default_rng(6)
    )
    others = targets[targets.argmax(axis=1) != NEUTRAL]
    np.testing.assert_allclose(np.sort(others)[:, -2:], [[0.2, 0.8]] * len(others), atol=1e-6)


def test_balance_draws_rare_classes_as_often(stills, dynamics):
    many = stills.select(np.array([NEUTRAL] * 60 + [0]))
    shares = []
    for balance in (0.0, 1.0):
        how = Composition(**{**vars(STILL), 'class_balance': balance})
        _, targets = composer_of(many, dynamics, how).windows(600, np.random.default_rng(1))
        shares.append(float(targets[:, 0].mean()))
    assert shares[0] < 0.05
    assert shares[1] == pytest.approx(0.5, abs=0.07)


def test_transitions_go_from_the_first_state_to_the_third():
    course = Transitions(np.array([[1.0, 0.2]]), np.array([[0.5, 0.1]]))
    weights = course.weights(np.array([[1.5, 0.75, 0.3, 0.0]]))[0]
    np.testing.assert_allclose(
        weights, [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]], atol=1e-6
    )


def test_constant_windows_show_the_apex_alone():
    course = draw_transitions(50, 1.0, 0.5, np.random.default_rng(0))
    weights = course.weights(np.tile([0.0, 1.0, 2.2], (50, 1)))
    np.testing.assert_array_equal(weights[..., 1], 1)


def test_the_newest_sample_has_age_zero_and_ages_grow():
    ages_ns = sample_ages(100, Visibility(), np.random.default_rng(0))
    assert (ages_ns[:, 0] == 0).all()
    assert (np.diff(ages_ns, axis=1) >= 0).all()


# The vectorised resampling gives what the runtime's buffer gives.


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


# Jitter, speech and blinks are parted in a series made for it.


FPS = 30.0


def still_series(seconds=3.0):
    return np.full((round(seconds * FPS), 52), 0.3, np.float32)


def test_log_odds_are_bounded_and_other_features_stay():
    shares = np.zeros((1, 54), np.float32)
    shares[0, :5] = [0.0, 0.001, 0.5, 0.9, 1.0]
    shares[0, 52:] = [-3.0, 7.0]
    found = additive(shares)
    np.testing.assert_allclose(found[0, [0, 2, 4, 52, 53]], [-9.21, 0, 9.21, -3, 7], atol=0.01)
    np.testing.assert_allclose(from_additive(found), shares, atol=1.1e-4)


def test_a_face_that_does_not_move_has_no_dynamics():
    found = extract(still_series(), FPS)
    assert len(found.blinks) == 0
    assert np.abs(found.jitter).max() < 1e-5
    assert np.abs(found.speech).max() < 1e-5


def test_a_slow_smile_is_no_jitter():
    series = still_series(6.0)
    series[:, INDEX['mouthSmileLeft']] = np.linspace(0.3, 0.6, len(series))
    assert np.abs(extract(series, FPS).jitter).max() < 0.1


def test_a_blink_is_found_and_only_the_eyes_move():
    series = still_series()
    eyes = [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]
    series[45:48, eyes] = [[0.6, 0.6], [0.9, 0.9], [0.6, 0.6]]
    blinks = extract(series, FPS).blinks
    assert blinks.shape == (1, 2 * round(BLINK_HALF_S * CLIP_RATE_HZ) + 1, 52)
    expected = logit(np.float32(0.9)) - logit(np.float32(0.3))
    assert blinks[0, :, eyes[0]].max() == pytest.approx(expected, abs=1e-3)
    assert np.abs(np.delete(blinks[0], eyes, axis=1)).max() < 1e-5


def test_speech_is_in_mouth_and_jaw_alone():
    series = still_series()
    series[:, INDEX['jawOpen']] += 0.2 * np.sin(np.arange(len(series)))
    series[:, INDEX['browInnerUp']] += 0.2 * np.sin(np.arange(len(series)))
    speech = extract(series, FPS).speech
    assert np.abs(speech[:, INDEX['jawOpen']]).max() > 0.5
    assert np.abs(speech[:, INDEX['browInnerUp']]).max() == 0


def test_geometry_and_appearance_move_with_a_blink_and_the_head_does_not():
    series = np.hstack([still_series(), np.zeros((90, 5), np.float32)])
    series[44:49, [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]] = 0.9
    series[44:49, 52:] = 2.0  # three of the head, two of the skin
    blink = extract(series, FPS).blinks[0]
    assert np.abs(blink[:, 52:55]).max() == 0
    assert blink[:, 55:].max() > 1.5
