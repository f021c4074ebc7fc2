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

"""How far an estimate is trusted, and what becomes of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typical_faces import SMILING

from emotion_estimator.emotion.decision import UNKNOWN, Decider
from emotion_estimator.emotion.emotion_estimation import EmotionEstimation
from emotion_estimator.emotion.trust import Trust
from emotion_estimator.stamps import NS_PER_S

LABELS = ('happy', 'sad', 'neutral')


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
            features = {**SMILING, 'head.yaw': math.radians(yaw_deg)}
            last = estimation.estimate('a', NS_PER_S + i * NS_PER_S // 15, features)
        return last

    ahead, away = smile(10), smile(60)
    assert ahead.label == 'happy'
    assert (away.label, away.confidence) == (UNKNOWN, 1)
    assert (away.valence, away.arousal) == (0, 0)
    assert ahead.valence > 0.5
