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

"""FER+'s votes from their table, and joined to FER2013's photographs."""

from dataclasses import replace

import numpy as np
import pytest

from training.datasets import ferplus
from training.datasets.fer2013 import RowPictures
from training.datasets.labels import LABELS, DataError
from training.datasets.pictures import FilePictures, LabelledPictures

HEADER = (
    'Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF'
)


def write_votes(path, lines):
    path.write_text('\n'.join([HEADER, *lines]) + '\n')
    return path


def test_votes_are_sorted_into_our_classes_and_keep_their_rows(tmp_path):
    path = write_votes(
        tmp_path / 'fer2013new.csv',
        [
            'Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0',
            'PublicTest,,0,0,0,0,0,0,0,0,0,10',
            'PrivateTest,fer0000001.png,0,1,2,0,0,0,4,2,1,0',
        ],
    )
    table = ferplus.read(path)
    found = [dict(zip(LABELS, row)) for row in table.votes.tolist()]
    assert found[0] == {
        'angry': 3, 'disgusted': 2, 'scared': 0, 'happy': 0, 'sad': 1, 'surprised': 0,
        'neutral': 4,
    }  # fmt: skip
    assert found[2]['scared'] == 4
    assert found[2]['surprised'] == 2
    assert table.other_votes.sum(axis=1).tolist() == [0, 10, 3]
    assert table.splits.tolist() == [0, 1, 2]
    assert table.complaints == ()


@pytest.mark.parametrize(
    ('broken', 'said'),
    [
        ('Training,fer0000001.png,4,0,0,1,3,2,0,0,0', '11 fields instead of 12'),
        ('Training,fer0000001.png,4,0,0,1,3,2,0,0,0,x', "NF is 'x'"),
        ('Training,fer0000001.png,4,0,0,1,-3,2,0,0,0,0', "anger is '-3'"),
        ('Training,fer0000001.png,4,0,0,1,300,2,0,0,0,0', "anger is '300'"),
        ('Test,fer0000001.png,4,0,0,1,3,2,0,0,0,0', "Usage is 'Test'"),
        ('', '1 fields instead of 12'),
    ],
)
def test_a_broken_line_of_votes_is_told_and_keeps_its_row(tmp_path, broken, said):
    good = 'Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0'
    path = write_votes(tmp_path / 'fer2013new.csv', [good, broken, good])
    table = ferplus.read(path)
    assert table.votes.sum(axis=1).tolist() == [10, 0, 10]
    assert table.other_votes[1].sum() == 0
    assert table.splits[1] == ferplus.UNKNOWN_SPLIT
    (complaint,) = table.complaints
    assert complaint.startswith(f'{path}, line 3: {said}')


def photographs(rows, splits):
    """Make photographs of those rows of fer2013.csv."""
    n = len(rows)
    return LabelledPictures(
        name='FER2013',
        pictures=RowPictures(np.zeros((n, 48, 48), np.uint8), 'made', np.array(rows)),
        labels=np.zeros(n, np.int64),
        splits=np.array(splits),
        votes=np.zeros((n, 7), np.float32),
        other_votes=np.zeros((n, 3), np.float32),
        complaints=('a photograph was left out.',),
    )


def votes_for_neutral(*usages):
    """Make lines with as many votes for neutral as their row and 2 for NF."""
    return [
        f'{usage},fer{9 * row}.png,{row},0,0,0,0,0,0,0,0,2' for row, usage in enumerate(usages)
    ]


def test_votes_are_joined_by_row_past_a_photograph_that_was_left_out(tmp_path):
    lines = votes_for_neutral('Training', 'PublicTest', 'PrivateTest', 'Training')
    table = ferplus.read(write_votes(tmp_path / 'fer2013new.csv', lines))
    joined = ferplus.join(photographs([0, 2, 3], [0, 2, 0]), table)
    assert joined.votes[:, LABELS.index('neutral')].tolist() == [0, 2, 3]
    assert joined.votes.sum() == 5
    assert joined.other_votes.sum(axis=1).tolist() == [2, 2, 2]
    assert joined.splits.tolist() == [0, 2, 0]
    assert joined.complaints == ('a photograph was left out.',)


def test_a_photograph_whose_votes_are_broken_has_none(tmp_path):
    lines = [*votes_for_neutral('Training', 'Training'), 'broken']
    table = ferplus.read(write_votes(tmp_path / 'fer2013new.csv', lines))
    joined = ferplus.join(photographs([1, 2], [0, 1]), table)
    assert joined.votes.sum(axis=1).tolist() == [1, 0]
    assert len(joined.complaints) == 2


def test_votes_of_other_photographs_are_refused(tmp_path):
    lines = votes_for_neutral('Training', 'Training', 'Training')
    table = ferplus.read(write_votes(tmp_path / 'fer2013new.csv', lines))
    with pytest.raises(DataError, match='different Usages in row 2'):
        ferplus.join(photographs([0, 2], [0, 1]), table)


def test_too_few_votes_are_refused(tmp_path):
    table = ferplus.read(write_votes(tmp_path / 'a.csv', votes_for_neutral('Training')))
    with pytest.raises(DataError, match=r'FER\+ has 1 rows but FER2013 at least 2'):
        ferplus.join(photographs([0, 1], [0, 0]), table)


def test_pictures_that_do_not_know_their_rows_get_no_votes(tmp_path):
    table = ferplus.read(write_votes(tmp_path / 'a.csv', votes_for_neutral('Training')))
    pictures = replace(photographs([0], [0]), pictures=FilePictures([tmp_path / 'a.png']))
    with pytest.raises(DataError, match='joined by the rows'):
        ferplus.join(pictures, table)


def test_a_missing_table_of_votes_tells_where_it_is_published(tmp_path):
    with pytest.raises(DataError, match=r'fer2013new\.csv cannot be read.*microsoft/FERPlus'):
        ferplus.read(tmp_path / 'fer2013new.csv')


def test_another_table_is_no_table_of_votes(tmp_path):
    path = tmp_path / 'fer2013.csv'
    path.write_text('emotion,pixels,Usage\n')
    with pytest.raises(DataError, match='line 1: no column neutral, happiness'):
        ferplus.read(path)


def test_an_empty_table_of_votes_is_told(tmp_path):
    with pytest.raises(DataError, match='holds no line with votes'):
        ferplus.read(write_votes(tmp_path / 'fer2013new.csv', []))
