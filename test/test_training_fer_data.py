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

"""Reading FER2013's blendshapes: words, votes, splits and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from training import fer_data
from training.fer_data import LABELS, DataError, Split, Stills


def votes(**counts):
    """Make a row of the FER+ table from counts by its own column names."""
    columns = ('neutral', 'happiness', 'surprise', 'sadness', 'anger', 'disgust', 'fear',
               'contempt', 'unknown', 'nf')  # fmt: skip
    return [counts.get(name, 0) for name in columns]


def stills(rows):
    table = np.array(rows, np.float32)
    seven = list(fer_data.VOTE_COLUMNS)
    return Stills(
        views=np.zeros((len(rows), 2, 52), np.float32),
        readable=np.ones((len(rows), 2), bool),
        labels=np.full(len(rows), LABELS.index('sad')),
        votes=table[:, seven],
        other_votes=np.delete(table, seven, axis=1).sum(axis=1),
        rows=np.arange(len(rows)),
    )


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """Six training photographs and one of each test split, as small made files."""
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path))
    (tmp_path / 'fer2013').mkdir()
    (tmp_path / 'blendshapes').mkdir()
    images = np.arange(8, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    images[1] = images[7]  # a training photograph that stands in PrivateTest too
    usage = np.array([0, 0, 0, 0, 0, 0, 1, 2], np.int8)
    flags = np.array([0, 0, 1, 2, 0, 0, 0, 0], np.uint8)
    ferplus = np.array([votes(anger=10)] * 8, np.uint8)
    ferplus[4] = votes(anger=2, nf=8)
    np.savez(tmp_path / 'fer2013' / 'fer2013.npz', images=images, usage=usage, flags=flags)
    ok = np.array([True, True, True, True, True, False, True, True])
    for part, rows in (('training', np.arange(6)), ('tests', np.arange(6, 8))):
        for view in fer_data.VIEWS:
            np.savez(
                tmp_path / 'blendshapes' / f'fer2013_{part}_{view}.npz',
                blends=np.full((len(rows), 52), 0.5, np.float16),
                ok=ok[rows],
                labels=np.zeros(len(rows), np.int8),
                usage=usage[rows],
                index=rows,
                ferplus=ferplus[rows],
            )
    return tmp_path


def test_votes_are_shared_out_in_our_words_and_order():
    shares = stills([votes(anger=1, disgust=1, fear=1, happiness=2, surprise=3, neutral=2)])
    found = dict(zip(LABELS, shares.vote_shares()[0].astype(float).round(3).tolist()))
    assert found == {
        'angry': 0.1,
        'disgusted': 0.1,
        'scared': 0.1,
        'happy': 0.2,
        'sad': 0.0,
        'surprised': 0.3,
        'neutral': 0.2,
    }


def test_contempt_and_unknown_leave_the_shares():
    shares = stills([votes(anger=2, sadness=2, contempt=3, unknown=2, nf=1)]).vote_shares()[0]
    assert shares[[LABELS.index('angry'), LABELS.index('sad')]].tolist() == [0.5, 0.5]


def test_without_votes_for_the_seven_the_label_stands():
    shares = stills([votes(unknown=10)]).vote_shares()[0]
    assert shares[LABELS.index('sad')] == 1


@pytest.mark.parametrize(
    ('row', 'expected'),
    [
        (votes(neutral=6, happiness=4), LABELS.index('neutral')),
        (votes(neutral=5, happiness=5), -1),
        (votes(fear=4, contempt=3, unknown=3), -1),
        (votes(), -1),
    ],
)
def test_majority(row, expected):
    assert stills([row]).majority()[0] == expected


def test_training_leaves_out_what_misleads(assets):
    # 1 repeats a test photograph, 2 and 3 are flagged, 4 is no face, 5 is not readable.
    assert fer_data.read_training_stills().rows.tolist() == [0]


def test_a_split_is_read_whole(assets):
    assert fer_data.read_stills(Split.TRAINING).readable.shape == (6, 2)
    assert fer_data.read_stills(Split.PUBLIC).rows.tolist() == [6]
    assert fer_data.read_stills(Split.PRIVATE).rows.tolist() == [7]


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path / 'nothing'))
    with pytest.raises(DataError, match=r'nothing.*EMOTION_ESTIMATOR_ASSETS'):
        fer_data.read_stills(Split.PUBLIC)


@pytest.mark.skipif(
    not all(path.is_file() for path in fer_data.data_files()),
    reason='the assets folder lacks FER2013 and its blendshapes',
)
def test_the_real_splits_have_their_published_sizes():
    public = fer_data.read_stills(Split.PUBLIC)
    assert len(public) == 3589
    assert np.bincount(public.labels).tolist() == [467, 56, 496, 895, 653, 415, 607]
    assert public.readable[:, 0].mean() > 0.96
