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

"""From probabilities to a label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.emotion.decision import MAX_MIN_CONFIDENCE, Decider

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
