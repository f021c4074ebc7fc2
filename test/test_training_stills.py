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

import numpy as np
import pytest

from training.datasets import ferplus
from training.datasets.labels import LABELS
from training.stills import Stills

SAD = LABELS.index('sad')


def votes(**counts):
    """Make a row of the FER+ table from counts by its own column names."""
    assert set(counts) <= set(ferplus.COLUMNS)
    return [counts.get(name, 0) for name in ferplus.COLUMNS]


def stills(rows, labels=None, readable=None):
    """Make stills with two views from rows of the FER+ table."""
    seven, others = ferplus.for_labels(np.array(rows))
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
