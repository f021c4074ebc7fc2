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

"""Blendshapes by stamp to the expression shown."""

import numpy as np
import pytest
from helpers.faces import RESTING, SMILE, clip_features

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


def test_a_face_that_was_away_for_longer_than_its_time_out_begins_anew(basic7_blendshapes):
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


def test_a_face_whose_clock_was_set_begins_anew_and_says_so(basic7_blendshapes):
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


def test_missing_and_unreal_features_are_told_and_leave_no_trace(basic7_blendshapes):
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
