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

"""What networks are asked, and how answers in one vocabulary read in another."""

from __future__ import annotations

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from training.datasets.labels import LABELS
from training.stills import Stills
from training.targets import Targets

SAD, HAPPY, NEUTRAL = (LABELS.index(name) for name in ('sad', 'happy', 'neutral'))


@pytest.fixture
def stills():
    """Three photographs: label and votes agree, disagree, and no class has a majority."""
    votes = np.zeros((3, 7), np.float32)
    votes[0, HAPPY] = 10
    votes[1, NEUTRAL], votes[1, SAD] = 8, 2
    votes[2, SAD], votes[2, NEUTRAL] = 5, 5
    return Stills(
        features=NAMES,
        views=np.zeros((3, 1, 52), np.float32),
        readable=np.ones((3, 1), bool),
        labels=np.array([HAPPY, SAD, SAD]),
        votes=votes,
        other_votes=np.zeros((3, 3), np.float32),
        rows=np.arange(3),
    )


def test_votes_alone_are_the_default(stills):
    shares = Targets().shares(stills)
    assert shares[1, NEUTRAL] == pytest.approx(0.8)
    assert shares[1, SAD] == pytest.approx(0.2)


def test_a_label_weighs_as_much_as_it_is_told_to(stills):
    shares = Targets(label_weight=0.75).shares(stills)
    assert shares[1, SAD] == pytest.approx(0.75 + 0.25 * 0.2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


def test_three_classes_sum_what_belongs_together(stills):
    targets = Targets('happy_unknown_sad')
    assert targets.names == ('happy', 'unknown', 'sad')
    np.testing.assert_allclose(
        targets.shares(stills), [[1, 0, 0], [0, 0.8, 0.2], [0, 0.5, 0.5]], atol=1e-6
    )


def test_who_teaches_also_judges(stills):
    assert Targets().judged(stills).tolist() == [HAPPY, NEUTRAL, -1]
    assert Targets(label_weight=0.8).judged(stills).tolist() == [HAPPY, SAD, SAD]
    assert Targets('happy_unknown_sad', 0.8).judged(stills).tolist() == [0, 2, 2]


def test_a_second_question_stands_behind_the_first(stills):
    targets = Targets(second_weight=0.5)
    taught = targets.taught(stills)
    np.testing.assert_array_equal(taught[:, : len(targets.names)], targets.shares(stills))
    assert taught[:, len(targets.names) :].argmax(axis=1).tolist() == stills.labels.tolist()
    assert len(targets.further_names) == taught.shape[1] - len(targets.names)
    assert Targets().further_names == ()
    assert Targets().taught(stills).shape == Targets().shares(stills).shape
