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

"""Blendshapes by stamp to the expression shown: windows, probabilities, the decision."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.faces import RESTING, SMILE, clip_features
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.emotion.decision import (
    MAX_MIN_CONFIDENCE,
    TRUST_S,
    UNKNOWN,
    Decider,
    Trust,
)
from emotion_estimator.emotion.estimation import EmotionEstimation, FeatureError
from emotion_estimator.stamps import NS_PER_S, Step

START_NS = 1_700_000_000 * NS_PER_S


def play(estimation, features, seconds=2.0, rate_hz=30, start_ns=START_NS, face_id='a'):
    estimates = []
    for i in range(round(seconds * rate_hz)):
        stamp_ns = start_ns + round(i * NS_PER_S / rate_hz)
        estimates.append(estimation.estimate(face_id, stamp_ns, features))
    return estimates


def test_a_smile_is_happy_with_pleasure_and_a_resting_face_is_not(basic7_blendshapes):
    smiling = play(EmotionEstimation(basic7_blendshapes), SMILE)[-1]
    assert smiling.label == 'happy'
    assert smiling.confidence > 0.8
    assert smiling.valence > 0.5
    assert smiling.scores[0] == ('happy', smiling.confidence)
    assert play(EmotionEstimation(basic7_blendshapes), RESTING)[-1].label != 'happy'


def test_stamp_and_face_are_those_of_the_sample(basic7_blendshapes):
    estimate = EmotionEstimation(basic7_blendshapes).estimate('abc', START_NS, RESTING)
    assert (estimate.face_id, estimate.stamp_ns, estimate.step) == ('abc', START_NS, Step.FIRST)


def test_each_face_has_a_buffer_of_its_own(basic7_blendshapes):
    together = EmotionEstimation(basic7_blendshapes)
    for i in range(60):
        stamp_ns = START_NS + i * NS_PER_S // 30
        smiling = together.estimate('a', stamp_ns, SMILE)
        resting = together.estimate('b', stamp_ns, RESTING)
    assert smiling.scores == play(EmotionEstimation(basic7_blendshapes), SMILE)[-1].scores
    assert resting.scores == play(EmotionEstimation(basic7_blendshapes), RESTING)[-1].scores
    together.forget_all()
    assert together.face_ids == ()


def test_a_face_that_was_away_for_longer_than_its_time_out_starts_over(basic7_blendshapes):
    estimation = EmotionEstimation(basic7_blendshapes, face_timeout_s=1.0)
    for i in range(30):
        estimation.estimate('a', START_NS + i * NS_PER_S // 30, SMILE)
    # Others keep the time too: 'a' ends by the stamps of 'b'.
    away_ns = START_NS + 2 * NS_PER_S
    estimation.estimate('b', away_ns, RESTING)
    assert estimation.face_ids == ('b',)
    back = estimation.estimate('a', away_ns + NS_PER_S // 30, RESTING)
    fresh = EmotionEstimation(basic7_blendshapes).estimate('a', START_NS, RESTING)
    assert back.scores == fresh.scores


def test_a_face_whose_clock_was_set_starts_over_and_says_so(basic7_blendshapes):
    estimation = EmotionEstimation(basic7_blendshapes, face_timeout_s=1.0)
    estimation.estimate('a', START_NS, SMILE)
    assert estimation.estimate('a', START_NS + 3600 * NS_PER_S, RESTING).step is Step.JUMP


def test_a_repeated_stamp_gives_nothing(basic7_blendshapes):
    estimation = EmotionEstimation(basic7_blendshapes)
    estimation.estimate('a', START_NS, SMILE)
    assert estimation.estimate('a', START_NS, RESTING) is None


@pytest.mark.parametrize('jump_s', [-3600, 3600])
def test_after_a_jump_nothing_of_the_past_remains(basic7_blendshapes, jump_s):
    estimation = EmotionEstimation(basic7_blendshapes, hysteresis=2.0)
    play(estimation, SMILE)
    jumped_ns = START_NS + jump_s * NS_PER_S
    if jump_s > 0:
        assert estimation.estimate('a', jumped_ns - 1, RESTING) is None, 'it may stand alone'
    again = estimation.estimate('a', jumped_ns, RESTING)
    alone = EmotionEstimation(basic7_blendshapes, hysteresis=2.0).estimate('a', START_NS, RESTING)
    assert again.step.restarts
    assert again.scores == alone.scores


def test_late_and_lone_samples_change_no_other_answer(basic7_blendshapes):
    clean = play(EmotionEstimation(basic7_blendshapes, face_timeout_s=1.0), SMILE)
    estimation = EmotionEstimation(basic7_blendshapes, face_timeout_s=1.0)
    steps = []
    for number, expected in enumerate(clean):
        assert estimation.estimate('a', expected.stamp_ns, SMILE) == expected
        wrong_ns = {10: -NS_PER_S // 25, 20: -NS_PER_S // 2, 30: 3600 * NS_PER_S}
        if number in wrong_ns:
            wrong = estimation.estimate('a', expected.stamp_ns + wrong_ns[number], RESTING)
            assert wrong is None
            steps.append(estimation.step)
    assert steps == [Step.LATE, Step.LATE, Step.STRAY]


def test_unknown_features_are_ignored(basic7_blendshapes):
    more = {**SMILE, 'tailWag': float('nan')}
    assert (
        play(EmotionEstimation(basic7_blendshapes), more)[-1].scores
        == play(EmotionEstimation(basic7_blendshapes), SMILE)[-1].scores
    )


def test_missing_and_unreal_features_are_reported_and_leave_no_trace(basic7_blendshapes):
    estimation = EmotionEstimation(basic7_blendshapes)
    with pytest.raises(FeatureError, match=r'1 of the .* are missing: jawOpen'):
        estimation.estimate('a', START_NS, {k: v for k, v in RESTING.items() if k != 'jawOpen'})
    with pytest.raises(FeatureError, match='jawOpen: not a finite number'):
        estimation.estimate('a', START_NS, {**RESTING, 'jawOpen': float('nan')})
    assert estimation.face_ids == ()


def test_new_thresholds_hold_for_known_faces_and_wrong_ones_change_nothing(basic7_blendshapes):
    mixtures = [
        {name: (1 - share) * RESTING[name] + share * SMILE[name] for name in RESTING}
        for share in np.linspace(0, 1, 21)
    ]
    half = min(
        mixtures, key=lambda face: play(EmotionEstimation(basic7_blendshapes), face)[-1].confidence
    )
    estimation = EmotionEstimation(basic7_blendshapes)
    confidence = play(estimation, half)[-1].confidence
    with pytest.raises(ValueError, match='min_confidence'):
        estimation.set_thresholds(0.9, 1.0)
    assert estimation.estimate('a', START_NS + 2 * NS_PER_S, half).label != 'unknown'
    assert confidence < 0.6, 'the mixed face should be undecided'
    estimation.set_thresholds(0.6, 1.0)
    assert estimation.estimate('a', START_NS + 2 * NS_PER_S + 1, half).label == 'unknown'


@pytest.mark.parametrize('every', [2, 3])
def test_a_clip_at_a_lower_frame_rate_shows_the_same_emotions_at_the_same_times(
    basic7, media, every
):
    """single_face.mp4 has 30 fps; every second and third frame make 15 and 10 fps."""
    features, rate_hz = clip_features(media('single_face.mp4'))
    stamps_ns = [START_NS + round(i * NS_PER_S / rate_hz) for i in range(len(features))]

    def run(step):
        estimation = EmotionEstimation(basic7)
        return {
            stamps_ns[i]: dict(estimation.estimate('a', stamps_ns[i], features[i]).scores)
            for i in range(0, len(features), step)
        }

    full, sparse = run(1), run(every)
    differences = [
        max(abs(full[stamp][name] - score) for name, score in scores.items())
        for stamp, scores in sparse.items()
    ]
    same = [max(full[s], key=full[s].get) == max(sparse[s], key=sparse[s].get) for s in sparse]
    assert np.mean(same) > 0.9
    assert np.median(differences) < 0.1


def test_a_clip_from_neutral_to_a_smile_ends_happy(basic7, media):
    features, rate_hz = clip_features(media('single_face.mp4'))
    estimation = EmotionEstimation(basic7, min_confidence=0.35, hysteresis=1.5)
    labels = [
        estimation.estimate('a', START_NS + round(i * NS_PER_S / rate_hz), values).label
        for i, values in enumerate(features)
    ]
    assert labels[-1] == 'happy'
    assert labels[10] != 'happy'


def test_a_held_face_is_estimated_as_one_that_was_seen_for_the_whole_window(basic7_blendshapes):
    estimation = EmotionEstimation(basic7_blendshapes)
    estimation.estimate('a', START_NS, RESTING)
    held = estimation.estimate_held(SMILE)
    for step in range(31):
        stamp_ns = START_NS + round(step * NS_PER_S / 15)
        seen = estimation.estimate('b', stamp_ns, SMILE)
    assert held.scores == seen.scores
    assert held.label == 'happy'
    for rate_hz, max_gap_s in [(0.5, 0.25), (3.5, 0.25), (5, 0.25), (14, 0.05)]:
        model = copy.copy(basic7_blendshapes)
        model.metadata = replace(model.metadata, rate_hz=rate_hz, window_s=30 / rate_hz)
        other = EmotionEstimation(model, max_gap_s=max_gap_s, face_timeout_s=0.1)
        assert other.estimate_held(SMILE).scores == held.scores


# From probabilities to a label.


LABELS = ('happy', 'sad', 'neutral')


def test_without_thresholds_the_likeliest_label_comes_first_with_its_probability():
    decision = Decider(LABELS).decide(np.array([0.2, 0.7, 0.1]))
    assert decision.label == 'sad'
    assert decision.confidence == pytest.approx(0.7)
    assert [name for name, _ in decision.scores] == ['sad', 'happy', 'neutral', 'unknown']


def test_below_the_least_confidence_the_answer_is_unknown():
    decision = Decider(LABELS, min_confidence=0.5).decide(np.array([0.3, 0.4, 0.3]))
    assert decision.label == 'unknown'
    assert dict(decision.scores) == pytest.approx(
        {'unknown': 0.6, 'sad': 0.16, 'happy': 0.12, 'neutral': 0.12}
    )


def test_hysteresis_multiplies_the_odds_of_the_label_shown_last():
    decider = Decider(LABELS, hysteresis=2.0)
    decider.decide(np.array([0.9, 0.05, 0.05]))
    kept = decider.decide(np.array([0.4, 0.6, 0.0]))
    assert kept.label == 'happy'
    assert kept.confidence == pytest.approx(0.8 / 1.4)
    assert decider.decide(np.array([0.3, 0.7, 0.0])).label == 'sad'


@pytest.mark.parametrize('rate_hz', [10, 30, 60])
def test_hysteresis_wears_off_while_another_label_is_ahead_at_any_frame_rate(rate_hz):
    decider = Decider(LABELS, hysteresis=2.0)
    decider.decide(np.array([0.9, 0.05, 0.05]))
    ahead = np.array([0.45, 0.55, 0.0])
    labels = [decider.decide(ahead, gap_s=1 / rate_hz).label for _ in range(2 * rate_hz)]
    # Until 2 ** exp(-t / HYSTERESIS_S) = 0.55 / 0.45, after 1.86 s.
    assert labels.index('sad') + 1 == math.ceil(1.859 * rate_hz)
    assert decider.decide(np.array([0.55, 0.45, 0.0]), gap_s=1 / rate_hz).label == 'sad'


def test_an_estimation_lets_hysteresis_wear_off_by_the_stamps(basic7_blendshapes, monkeypatch):
    first, second = np.eye(7)[:2]
    answers = iter([first, *[0.45 * first + 0.55 * second] * 4])
    monkeypatch.setattr(basic7_blendshapes, 'probabilities', lambda *_: next(answers))
    estimation = EmotionEstimation(basic7_blendshapes, hysteresis=2.0)
    labels = [one.label for one in play(estimation, RESTING, seconds=2.5, rate_hz=2)]
    before, after = basic7_blendshapes.metadata.labels[:2]
    assert labels == [before] * 4 + [after]  # after 2 s; see above


def test_hysteresis_does_not_wear_off_where_two_labels_take_turns():
    decider = Decider(LABELS, hysteresis=2.0)
    turns = [np.array(row) for row in ([0.55, 0.45, 0.0], [0.45, 0.55, 0.0])]
    assert {decider.decide(turns[n % 2], gap_s=0.3).label for n in range(50)} == {'happy'}


def test_a_reset_forgets_the_label_shown_last():
    decider = Decider(LABELS, hysteresis=2.0)
    decider.decide(np.array([0.9, 0.05, 0.05]))
    decider.reset()
    assert decider.decide(np.array([0.4, 0.6, 0.0])).label == 'sad'


def test_a_models_own_unknown_class_takes_the_rest():
    decider = Decider(('happy', 'unknown', 'sad'), min_confidence=0.5)
    decision = decider.decide(np.array([0.45, 0.35, 0.2]))
    assert decision.label == 'unknown'
    assert len(decision.scores) == 3
    assert decision.confidence == pytest.approx(0.35 * 0.45 + 0.55)


@given(
    st.lists(
        st.lists(st.floats(1e-6, 1), min_size=3, max_size=3).map(lambda v: np.array(v) / sum(v)),
        min_size=1,
        max_size=20,
    ),
    st.floats(0, MAX_MIN_CONFIDENCE),
    st.floats(1, 100),
    st.booleans(),
)
def test_scores_are_sorted_sum_to_one_and_begin_with_the_label(rows, least, factor, unknown):
    labels = ('happy', 'unknown', 'sad') if unknown else LABELS
    decider = Decider(labels, least, factor)
    for row in rows:
        decision = decider.decide(row)
        scores = [score for _, score in decision.scores]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
        assert decision.scores[0][0] == decision.label
        assert decision.label == 'unknown' or decision.confidence >= least


@pytest.mark.parametrize('least, factor', [(-0.1, 1), (0.61, 1), (0, 0.9), (float('nan'), 1)])
def test_thresholds_out_of_range_are_refused(least, factor):
    with pytest.raises(ValueError, match=r'must (lie in|be at least)'):
        Decider(LABELS, least, factor)


# How far an estimate is trusted, and what becomes of it.


def test_a_face_of_unknown_pose_is_trusted():
    assert Trust().of({}) == 1


@pytest.mark.parametrize(
    'yaw_deg, expected', [(0, 1), (40, 1), (-40, 1), (50, 0.5), (-55, 0.25), (60, 0), (170, 0)]
)
def test_trust_falls_from_two_thirds_of_the_limit_to_the_limit(yaw_deg, expected):
    trust = Trust(max_yaw_deg=60)
    assert trust.of({'head.yaw': math.radians(yaw_deg)}) == pytest.approx(expected)


def test_yaw_pitch_and_covered_parts_count_together():
    trust = Trust(max_yaw_deg=60, max_pitch_deg=30)
    turned = {'head.yaw': math.radians(50), 'head.pitch': math.radians(-25)}
    assert trust.of(turned) == pytest.approx(0.25)
    assert trust.of({**turned, 'visible.mouth': 0.5}) == pytest.approx(0.125)
    assert trust.of({'visible.mouth': 1.0, 'visible.eyes': 0.0}) == 0


@pytest.mark.parametrize(
    'name', ['head.yaw', 'head.pitch', 'visible.mouth', 'visible.eyes', 'visible.skin']
)
def test_what_is_no_number_is_not_trusted(name):
    assert Trust().of({name: math.nan}) == 0


@pytest.mark.parametrize('rate_hz', [10, 30, 60])
def test_what_passes_a_face_interrupts_nothing_and_what_stays_does(rate_hz):
    trust, reported, now = Trust(), {}, 1.0
    for step in range(3 * rate_hz):
        time_s = step / rate_hz
        hidden = 1.0 < time_s <= 1.1 or time_s > 2.0
        now = trust.of({'visible.mouth': 0.0 if hidden else 1.0}, now, 1 / rate_hz)
        reported[round(time_s, 3)] = now
    assert reported[1.0] == 1
    assert reported[1.1] == pytest.approx(math.exp(-0.1 / TRUST_S))
    assert reported[2.0] > 0.98
    assert reported[2.2] == pytest.approx(reported[2.0] * math.exp(-0.2 / TRUST_S))
    assert reported[2.9] < 0.05


@pytest.mark.parametrize('limits', [(0, 40), (50, -1), (math.nan, 40)])
def test_a_limit_that_is_not_above_0_is_refused(limits):
    with pytest.raises(ValueError, match='must be above 0'):
        Trust(*limits)


def test_partial_trust_lowers_confidence_and_then_says_unknown():
    probabilities = np.array([0.9, 0.06, 0.04])
    decisions = [Decider(LABELS, 0.5).decide(probabilities, t) for t in (1, 0.8, 0.5, 0)]
    assert [d.label for d in decisions] == ['happy', 'happy', UNKNOWN, UNKNOWN]
    assert [d.confidence for d in decisions[:2]] == pytest.approx([0.9, 0.72])
    assert decisions[3].scores[0] == (UNKNOWN, 1)


@given(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.floats(0, 1),
    st.floats(0, 0.6),
)
def test_scores_sum_to_1_and_the_first_is_the_answer_at_any_trust(weights, trust, min_confidence):
    probabilities = np.array(weights) / sum(weights)
    decision = Decider(LABELS, min_confidence, 1.5).decide(probabilities, trust)
    assert sum(score for _, score in decision.scores) == pytest.approx(1)
    assert decision.scores[0] == (decision.label, max(score for _, score in decision.scores))
    assert decision.label == UNKNOWN or decision.confidence >= min_confidence


def test_a_smile_turned_away_is_unknown_and_neither_pleasant_nor_aroused(basic7_blendshapes):
    def smile(yaw_deg):
        estimation = EmotionEstimation(basic7_blendshapes, 0.5, trust=Trust(max_yaw_deg=45))
        for i in range(30):
            features = {**SMILE, 'head.yaw': math.radians(yaw_deg)}
            last = estimation.estimate('a', NS_PER_S + i * NS_PER_S // 15, features)
        return last

    ahead, away = smile(10), smile(60)
    assert ahead.label == 'happy'
    assert (away.label, away.confidence) == (UNKNOWN, 1)
    assert (away.valence, away.arousal) == (0, 0)
    assert ahead.valence > 0.5
