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

"""Composed windows hold what was asked for; protocols S and C score answers over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.estimation import TemporalBuffer
from emotion_estimator.emotion.model import SCHEMA, ModelMetadata
from emotion_estimator.stamps import NS_PER_S
from training import scoring
from training.clips import Dynamics
from training.datasets.pictures import LABELS, NEUTRAL
from training.protocols.sequences import (
    FRAME_RATE_HZ,
    Track,
    buffer_windows,
    clip_scores,
    in_classes,
    track_scores,
)
from training.scoring import decisions
from training.settings import Settings
from training.stills import HAPPY_UNKNOWN_SAD, Stills, Targets
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


# Protocol S: answers over time whose right scores are known by hand.


@pytest.fixture
def track():
    """Six seconds: class 6, from second 2 on class 3, from second 4 on class 1."""
    frames = round(6 * FRAME_RATE_HZ)
    second = round(FRAME_RATE_HZ)
    return Track(
        stamps_ns=np.rint(np.arange(frames) * 1e9 / FRAME_RATE_HZ).astype(np.int64),
        values=np.tile(np.arange(frames, dtype=np.float32)[:, None] / frames, (1, 52)),
        truth=np.repeat([6, 3, 1], 2 * second),
        onsets=(2 * second, 4 * second),
        segments=((second, 2 * second), (3 * second, 4 * second), (5 * second, frames)),
    )


def test_coarser_classes_leave_out_sequences_that_change_none_of_them(track):
    unchanged = replace(track, truth=np.where(track.truth == 3, 0, track.truth))
    coarser = in_classes([track, unchanged], HAPPY_UNKNOWN_SAD)
    # Neutral, happy, disgusted; but neutral, angry, disgusted are all 'unknown'.
    assert len(coarser) == 1
    assert list(dict.fromkeys(coarser[0].truth.tolist())) == [1, 0]
    assert coarser[0].truth[-1] == 1


def values(metrics):
    return {name: metric['value'] for name, metric in metrics.items()}


def test_a_perfect_answer(track):
    found = values(track_scores([track], [track.truth]))
    assert found['s_accuracy'] == 1
    assert found['s_onsets_settled'] == 1
    assert found['s_onset_to_stable_ms'] == 0
    assert found['s_false_switches_per_s'] == 0


def test_a_late_answer_that_flickers(track):
    answer = np.roll(track.truth, 15)  # half a second behind
    answer[:15] = 6
    answer[45] = 0  # one frame wrong in the first constant segment: two switches
    found = values(track_scores([track], [answer]))
    assert found['s_onset_to_stable_ms'] == 500
    assert found['s_accuracy_second_1'] == 0.5
    assert found['s_accuracy_second_2'] == 1
    assert found['s_accuracy'] == pytest.approx(1 - 31 / 180, abs=1e-4)
    assert found['s_false_switches_per_s'] == pytest.approx(2 * 30 / 87, abs=1e-4)


def test_windows_of_a_track_end_at_its_frames(track):
    windows = buffer_windows(track)
    assert windows.shape == (len(track.truth), STEPS, 53)
    np.testing.assert_array_equal(windows[:, -1, 0], track.values[:, 0])
    assert windows[0, :, -1].sum() == 1
    assert windows[-1, :, -1].sum() == STEPS


# Protocol C: how steady answers on clips are, by models whose answers are known.


ONE_FEATURE = ('a',)


class Follows:
    """Answers with the newest value of its one feature: 1 is yes, 0 is no."""

    metadata = ModelMetadata(
        schema=SCHEMA,
        name='follows',
        version='1',
        labels=('yes', 'no'),
        features=ONE_FEATURE,
        rate_hz=15.0,
        window_s=2.0,
        network='none',
        network_sha256='none',
        normalisation='none',
        temperature=1.0,
        data='none',
        licence='none',
    )

    def probabilities(self, window, prior):
        """Answer for one window."""
        return np.array([window[-1, 0], 1 - window[-1, 0]])


def test_a_face_that_changes_twice_in_four_seconds():
    values = np.repeat([1.0, 0.0, 1.0], [40, 40, 40])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], ONE_FEATURE, 0.0, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.5)
    assert found['c_agreement_15_fps']['value'] == found['c_agreement_10_fps']['value'] == 1


def test_an_unsure_answer_counts_as_one_of_its_own():
    values = np.repeat([0.9, 0.55], [60, 60])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], ONE_FEATURE, 0.6, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.25)


def test_a_head_that_is_turned_away_leaves_no_answer():
    values = np.stack([np.ones(120), np.repeat([0.0, 1.2], 60)], axis=1).astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], (*ONE_FEATURE, 'head.yaw'), 0.0, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.25)


def test_decisions_over_a_sequence_let_hysteresis_wear_off_by_its_stamps():
    lead = np.array([(1, 0), *[(0.45, 0.55)] * 7])
    # 1.5 ** exp(-t / HYSTERESIS_S) falls below 0.55 / 0.45 after 1.06 s.
    for step_s, last in ((0.1, 0), (1.0, 1)):
        stamps_ns = (np.arange(8) * step_s * NS_PER_S).astype(np.int64)
        assert decisions(('happy', 'sad'), lead, stamps_ns).tolist()[-1] == last


def test_networks_without_time_answer_by_the_votes_as_they_are(stills, monkeypatch):
    shown = np.repeat(np.arange(7), 40)
    stamps_ns = (np.arange(len(shown)) * NS_PER_S / FRAME_RATE_HZ).astype(np.int64)
    values = stills.values[shown]
    segments = ((0, 40), (40, 80), (80, 280))
    track = Track(stamps_ns, values, shown, (40, 80), segments)

    def logits_of(windows):
        nearest = np.abs(windows[:, -1, None, :-1] - stills.values).sum(axis=2).argmin(axis=1)
        corrected = np.tile(np.eye(7)[NEUTRAL], (len(windows), 1))
        return np.concatenate([corrected, np.eye(7)[nearest], np.eye(7)[nearest]], axis=1)

    monkeypatch.setattr(scoring, 'timeless_classifiers', lambda *_: {'pooled': logits_of})
    found = scoring.timeless_scores(Settings(groups=()), None, stills, [track])['pooled']
    for name in ('p7_accuracy_readable', 'f7_accuracy_readable', 's_accuracy'):
        assert found[name]['value'] == 1, name
