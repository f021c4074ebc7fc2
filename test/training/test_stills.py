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

"""Photographs as features: whose votes count, and what is left out of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emotion_estimator.blendshapes import NAMES
from training.datasets import fer2013
from training.datasets.pictures import LABELS, NO_LABEL, DataError
from training.facial_actions import ALSO_WITH_CLOSED_EYES, corrected
from training.stills import (
    HAPPY_UNKNOWN_SAD,
    POSITIVE_NEGATIVE,
    IndexMap,
    Stills,
    Targets,
    truth_for,
)

SAD = LABELS.index('sad')


def votes(**counts):
    """Make a row of the FER+ table from counts by its own column names."""
    assert set(counts) <= set(fer2013.COLUMNS)
    return [counts.get(name, 0) for name in fer2013.COLUMNS]


def stills(rows, labels=None, readable=None):
    """Make stills with two views from rows of the FER+ table."""
    seven, others = fer2013.votes_for_labels(np.array(rows))
    count = len(rows)
    seen = np.ones((count, 2), bool)
    if readable is not None:
        seen[:, 0] = readable
    return Stills(
        features=('first', 'second', 'third'),
        views=np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3),
        readable=seen,
        labels=np.full(count, SAD) if labels is None else np.array(labels),
        votes=seven,
        other_votes=others,
        rows=np.arange(10, 10 + count),
    )


def test_votes_are_shared_out_in_our_words_and_order():
    row = votes(anger=1, disgust=1, fear=1, happiness=2, surprise=3, neutral=2)
    found = dict(zip(LABELS, stills([row]).vote_shares()[0].astype(float).round(3).tolist()))
    assert found == {
        'angry': 0.1,
        'disgusted': 0.1,
        'scared': 0.1,
        'happy': 0.2,
        'sad': 0.0,
        'surprised': 0.3,
        'neutral': 0.2,
    }


def test_contempt_unknown_and_no_face_leave_the_shares():
    shares = stills([votes(anger=2, sadness=2, contempt=3, unknown=2, NF=1)]).vote_shares()[0]
    assert shares[[LABELS.index('angry'), SAD]].tolist() == [0.5, 0.5]
    assert shares.sum() == 1


def test_without_votes_for_the_seven_the_label_stands():
    shares = stills([votes(unknown=10), votes()]).vote_shares()
    assert shares[:, SAD].tolist() == [1, 1]
    assert shares.sum() == 2


@pytest.mark.parametrize(
    ('row', 'expected'),
    [
        (votes(neutral=6, happiness=4), 'neutral'),
        # More than half is asked for.
        (votes(neutral=5, happiness=5), None),
        # A single vote for a class does not count: five of nine.
        (votes(anger=5, sadness=4, fear=1), 'angry'),
        (votes(anger=5, sadness=3, fear=2), None),
        # Nor does it count among the others.
        (votes(sadness=5, unknown=1, contempt=4), 'sad'),
        (votes(fear=4, contempt=3, unknown=3), None),
        # 'Not a face', contempt and unknown win over the seven.
        (votes(happiness=4, NF=6), None),
        (votes(surprise=2, contempt=8), None),
        # Of votes for seven classes one each, none counts.
        (votes(anger=1, disgust=1, fear=1, happiness=1), None),
        (votes(), None),
    ],
)
def test_the_majority_is_that_of_ferplus(row, expected):
    assert stills([row]).majority()[0] == (-1 if expected is None else LABELS.index(expected))


def test_training_leaves_out_what_misleads():
    rows = [votes(sadness=10)] * 6 + [
        votes(sadness=5, unknown=5),
        votes(sadness=6, unknown=4),
        votes(NF=10),
        votes(),
    ]
    labels = [SAD, SAD, SAD, 0, SAD, SAD, SAD, SAD, SAD, SAD]
    doubled = [b'twofold'] * 2 + [b'twice'] * 2
    pixels = [b'plain', b'tested', *doubled, b'a', b'b', b'c', b'd']
    found = stills(rows, labels).for_training(pixels, {b'tested', b'other'})
    # Left out: 1 is tested, 2 and 3 bear two labels, 6 and 8 are doubted. Without votes (9) the
    # label stands, and the same photograph twice with one label (4, 5) does no harm.
    assert (found.rows - 10).tolist() == [0, 4, 5, 7, 9]


def test_training_leaves_out_the_unreadable_but_heeds_their_labels():
    rows = [votes(sadness=10)] * 3
    found = stills(rows, [SAD, 0, SAD], readable=[True, False, True])
    assert found.for_training([b'a', b'a', b'b'], set()).rows.tolist() == [12]


def test_photographs_are_kept_by_mask_and_by_index():
    found = stills([votes(sadness=number) for number in range(4)])
    by_mask = found.select(np.array([False, True, False, True]))
    assert len(by_mask) == 2
    assert by_mask.rows.tolist() == [11, 13]
    assert by_mask.votes[:, SAD].tolist() == [1, 3]
    assert by_mask.views.tolist() == found.select(np.array([1, 3])).views.tolist()
    assert by_mask.features == found.features


def test_features_are_kept_in_the_order_asked_for():
    found = stills([votes()] * 2).only(('third', 'first'))
    assert found.features == ('third', 'first')
    assert found.values.tolist() == [[2, 0], [8, 6]]
    assert found.views.shape == (2, 2, 2)


# What networks are asked, and how answers in one vocabulary read in another.


VOTED_SAD, HAPPY, NEUTRAL = (LABELS.index(name) for name in ('sad', 'happy', 'neutral'))


@pytest.fixture
def voted_stills():
    """Three photographs: label and votes agree, disagree, and no class has a majority."""
    votes = np.zeros((3, 7), np.float32)
    votes[0, HAPPY] = 10
    votes[1, NEUTRAL], votes[1, VOTED_SAD] = 8, 2
    votes[2, VOTED_SAD], votes[2, NEUTRAL] = 5, 5
    return Stills(
        features=NAMES,
        views=np.zeros((3, 1, 52), np.float32),
        readable=np.ones((3, 1), bool),
        labels=np.array([HAPPY, VOTED_SAD, VOTED_SAD]),
        votes=votes,
        other_votes=np.zeros((3, 3), np.float32),
        rows=np.arange(3),
    )


def test_votes_alone_are_the_default(voted_stills):
    shares = Targets().shares(voted_stills)
    assert shares[1, NEUTRAL] == pytest.approx(0.8)
    assert shares[1, VOTED_SAD] == pytest.approx(0.2)


def test_a_label_weighs_as_much_as_was_asked(voted_stills):
    shares = Targets(label_weight=0.75).shares(voted_stills)
    assert shares[1, VOTED_SAD] == pytest.approx(0.75 + 0.25 * 0.2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


def test_three_classes_sum_what_belongs_together(voted_stills):
    targets = Targets('happy_unknown_sad')
    assert targets.names == ('happy', 'unknown', 'sad')
    np.testing.assert_allclose(
        targets.shares(voted_stills), [[1, 0, 0], [0, 0.8, 0.2], [0, 0.5, 0.5]], atol=1e-6
    )


def test_who_teaches_also_validates(voted_stills):
    assert Targets().validation_labels(voted_stills).tolist() == [HAPPY, NEUTRAL, -1]
    assert Targets(label_weight=0.8).validation_labels(voted_stills).tolist() == [
        HAPPY,
        VOTED_SAD,
        VOTED_SAD,
    ]
    assert Targets('happy_unknown_sad', 0.8).validation_labels(voted_stills).tolist() == [0, 2, 2]


def test_where_nobody_voted_labels_validate(voted_stills):
    silent = np.zeros_like(voted_stills.votes), np.zeros_like(voted_stills.other_votes)
    unvoted = replace(voted_stills, votes=silent[0], other_votes=silent[1])
    assert Targets().validation_labels(unvoted).tolist() == voted_stills.labels.tolist()
    assert truth_for(LABELS, voted_stills).tolist() == [HAPPY, NEUTRAL, -1]
    for without in (unvoted, replace(voted_stills, readable=np.zeros((3, 1), bool))):
        with pytest.raises(DataError, match='None of the 3 photographs shows a face on which mo'):
            truth_for(LABELS, without)


def face(**shown):
    """Make the blendshapes of a face, each name on both sides where it has two."""
    values = np.zeros(len(NAMES), np.float32)
    for name, value in shown.items():
        for index, shape in enumerate(NAMES):
            if shape in (name, f'{name}Left', f'{name}Right'):
                values[index] = value
    return values


# neutral, sad and happy before; then what has changed
@pytest.mark.parametrize(
    ('shown', 'expected'),
    [
        ({}, {}),
        ({'mouthSmile': 0.15}, {}),
        ({'mouthSmile': 0.275}, {'happy': 0.35, 'neutral': 0.3}),
        ({'mouthSmile': 0.5}, {'happy': 0.65, 'neutral': 0.0}),
        ({'mouthSmile': 0.5, 'eyeBlink': 0.475}, {'happy': 0.35, 'neutral': 0.3}),
        ({'mouthSmile': 0.5, 'eyeBlink': 0.6}, {}),
        ({'browDown': 0.6}, {'angry': 0.12, 'neutral': 0.48}),
        ({'browDown': 0.4}, {'angry': 0.06, 'neutral': 0.54}),
        ({'browDown': 0.6, 'mouthSmile': 0.12}, {}),
        ({'mouthStretch': 0.4, 'browInnerUp': 0.3}, {'scared': 0.95, 'neutral': 0.0, 'sad': 0.0}),
        (
            {'mouthStretch': 0.2, 'browInnerUp': 0.3},
            {'scared': 0.475, 'neutral': 0.3, 'sad': 0.175},
        ),
        ({'mouthStretch': 0.4}, {}),
        ({'mouthStretch': 0.4, 'browInnerUp': 0.3, 'mouthSmile': 0.15}, {}),
        ({'mouthStretch': 0.4, 'browDown': 0.6}, {}),
    ],
)
def test_votes_go_to_the_expression_whose_actions_are_shown(shown, expected):
    before = dict.fromkeys(LABELS, 0.0) | {'neutral': 0.6, 'sad': 0.35, 'happy': 0.05}
    shares = np.array([list(before.values())], np.float32)
    found = dict(zip(LABELS, corrected(shares, face(**shown)[None])[0].tolist()))
    assert found == pytest.approx(before | expected, abs=1e-6)


def test_other_rules_may_count_a_smile_with_closed_eyes_too():
    shares = np.array([[0, 0, 0, 0, 0, 0, 1]], np.float32)
    asleep = face(mouthSmile=0.5, eyeBlink=0.8)[None]
    np.testing.assert_array_equal(corrected(shares, asleep), shares)
    found = corrected(shares, asleep, rules=ALSO_WITH_CLOSED_EYES)[0]
    assert found[[HAPPY, NEUTRAL]].tolist() == [1, 0]


def test_twice_the_strength_moves_the_same_share_of_what_stays():
    shares = np.array([[0, 0, 0, 0, 0, 0, 1]], np.float32)
    smile = face(mouthSmile=0.275)[None]
    once, twice = (corrected(shares, smile, strength)[0] for strength in (1.0, 2.0))
    assert once[[HAPPY, NEUTRAL]] == pytest.approx([0.5, 0.5])
    assert twice[[HAPPY, NEUTRAL]] == pytest.approx([0.75, 0.25])
    np.testing.assert_array_equal(corrected(shares, smile, 0.0), shares)


@given(st.integers(0, 1000))
def test_corrected_votes_stay_shares(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(len(LABELS)), 20).astype(np.float32)
    found = corrected(shares, rng.random((20, len(NAMES))).astype(np.float32))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.min() >= 0
    for expression in ('disgusted', 'surprised'):
        column = LABELS.index(expression)
        np.testing.assert_array_equal(found[:, column], shares[:, column])


def test_only_votes_of_several_people_about_a_face_that_is_found_are_corrected(voted_stills):
    smiling = np.tile(face(mouthSmile=0.6), (3, 1, 1))
    votes = voted_stills.votes.copy()
    votes[2] = 0
    votes[2, NEUTRAL] = 1
    seen = replace(voted_stills, views=smiling, votes=votes)
    assert seen.corrected_shares()[1, HAPPY] == pytest.approx(0.8)
    assert seen.corrected_shares()[2, NEUTRAL] == 1
    unseen = replace(seen, readable=np.zeros((3, 1), bool))
    np.testing.assert_array_equal(unseen.corrected_shares(), seen.vote_shares())
    assert Targets(correction=1.0).shares(seen)[1, HAPPY] == pytest.approx(0.8)
    assert Targets().shares(seen)[1, HAPPY] == 0


def test_further_questions_stand_behind_the_first(voted_stills):
    smiling = replace(voted_stills, views=np.tile(face(mouthSmile=0.6), (3, 1, 1)))
    targets = Targets(correction=1.0, votes_weight=0.7, second_weight=0.5)
    first, votes, label = np.split(targets.taught(smiling), 3, axis=1)
    np.testing.assert_array_equal(first, targets.shares(smiling))
    np.testing.assert_array_equal(votes, smiling.vote_shares())
    assert (first != votes).any()
    assert label.argmax(axis=1).tolist() == smiling.labels.tolist()
    assert targets.weights == (1.0, 0.7, 0.5)
    assert targets.further_names[HAPPY] == 'votes.happy'
    assert targets.further_names[len(LABELS) + HAPPY] == 'fer2013.happy'
    assert len(targets.further_names) == 2 * len(LABELS)
    assert Targets(second_weight=0.5).further_names == targets.further_names[len(LABELS) :]
    assert Targets().further_names == () and Targets().weights == (1.0,)
    assert Targets().taught(voted_stills).shape == Targets().shares(voted_stills).shape


# Coarser classes gather the labels and probabilities of the finer ones.


# angry, disgusted, scared, happy, sad, surprised, neutral
EVERY = np.arange(7)


def test_labels_get_the_reports_numbers():
    assert HAPPY_UNKNOWN_SAD.names == ('happy', 'unknown', 'sad')
    assert HAPPY_UNKNOWN_SAD.labels(EVERY).tolist() == [1, 1, 1, 0, 2, 1, 1]
    assert POSITIVE_NEGATIVE.names == ('positive', 'negative')
    assert POSITIVE_NEGATIVE.labels(EVERY).tolist() == [1, 1, 1, 0, 1, 0, 0]


def test_no_label_stays_no_label():
    labels = np.array([[NO_LABEL, 3], [4, NO_LABEL]])
    assert HAPPY_UNKNOWN_SAD.labels(labels).tolist() == [[NO_LABEL, 0], [2, NO_LABEL]]


def test_probabilities_are_summed():
    chances = np.array([[0.1, 0.05, 0.05, 0.3, 0.2, 0.1, 0.2]])
    np.testing.assert_allclose(HAPPY_UNKNOWN_SAD.probabilities(chances), [[0.3, 0.5, 0.2]])
    np.testing.assert_allclose(POSITIVE_NEGATIVE.probabilities(chances), [[0.6, 0.4]])


@given(arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=32)))
def test_rows_keep_their_sum_and_type(chances):
    for label_map in (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE):
        summed = label_map.probabilities(chances)
        assert summed.dtype == np.float32
        np.testing.assert_allclose(summed.sum(axis=1), chances.sum(axis=1), rtol=1e-5)


@given(st.integers(0, 6))
def test_a_sure_answer_stays_sure_in_the_class_of_its_label(label):
    for label_map in (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE):
        sure = label_map.probabilities(np.eye(len(LABELS))[[label]])
        assert sure.argmax() == label_map.labels(np.array([label]))[0]
        assert sure.max() == 1


@pytest.mark.parametrize('of', [(0, 1), (0,) * 7, (0, 1, 2, 0, 1, 0, 1), (0, -1, 1, 1, 1, 1, 1)])
def test_a_map_that_is_none_is_refused(of):
    with pytest.raises(ValueError, match='one of the numbers 0 to 1'):
        IndexMap(('positive', 'negative'), of)
