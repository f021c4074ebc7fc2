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

"""FER2013 from its table, its arrays and its folders; FER+'s votes, joined to it."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.datasets import fer2013
from training.datasets.fer2013 import RowPictures
from training.datasets.pictures import LABELS, DataError, FilePictures, LabelledPictures, Split

USAGES = ('Training', 'PublicTest', 'PrivateTest')


def photograph(row):
    """Make a picture that tells its row by its first two pixels."""
    image = np.arange(48 * 48, dtype=np.int64).reshape(48, 48) % 256
    image[0, :2] = row, 255 - row
    return image.astype(np.uint8)


def line(row):
    pixels = ' '.join(map(str, photograph(row).ravel()))
    return f'{row % 7},{pixels},{USAGES[row % 3]}'


def write_table(path, lines, header='emotion,pixels,Usage'):
    path.write_text('\n'.join([header, *lines]) + '\n')
    return path


def write_arrays(path, rows=5, **changed):
    arrays = {
        'images': np.stack([photograph(row) for row in range(rows)]),
        'labels': (np.arange(rows) % 7).astype(np.int8),
        'usage': (np.arange(rows) % 3).astype(np.int8),
        'ferplus': np.tile(np.array([1, 2, 0, 0, 3, 0, 0, 1, 2, 1], np.uint8), (rows, 1)),
        'flags': np.zeros(rows, np.uint8),
    }
    np.savez(path, **{**arrays, **changed})
    return path


def breakages():
    """Ways in which a line can be broken, each with what is said about it."""
    good = line(4)
    emotion, pixels, usage = good.split(',')
    return {
        'cut off': (good[: len(good) // 2], '2 fields instead of 3'),
        'empty': ('', '1 fields instead of 3'),
        'a field more': (f'{good},Training', '4 fields instead of 3'),
        'a return within': (f'{good}\rmore', r"Usage is 'PublicTest\\rmore'"),
        'unknown class': (f'7,{pixels},{usage}', "emotion is '7'"),
        'no class': (f'?,{pixels},{usage}', "emotion is '\\?'"),
        'unknown split': (f'{emotion},{pixels},Test', "Usage is 'Test'"),
        'a pixel less': (f'{emotion},{pixels.rpartition(" ")[0]},{usage}', '2303 pixels'),
        'no number': (f'{emotion},x{pixels},{usage}', 'no whole number'),
        'foreign letters': (f'{emotion},é{pixels},{usage}', 'no whole number'),
        'too bright': (f'{emotion},256{pixels[1:]},{usage}', 'not 0 to 255'),
        'negative': (f'{emotion},-{pixels},{usage}', 'not 0 to 255'),
        'stray quote': (f'{emotion},{pixels[:50]}"{pixels[50:]},{usage}', 'no whole number'),
    }


def test_a_table_is_read_in_its_order(tmp_path):
    read = fer2013.read_csv(write_table(tmp_path / 'fer2013.csv', map(line, range(8))))
    assert read.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert read.splits.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    for row in range(8):
        np.testing.assert_array_equal(read.pictures.read(row), photograph(row))
    assert (read.pictures.name(3), read.complaints) == ('fer2013 row 3', ())
    assert not read.votes.any()


def test_the_other_release_with_blanks_and_another_order_is_read_too(tmp_path):
    path = tmp_path / 'icml_face_data.csv'
    lines = [f'{row % 7}, {USAGES[2]}, {line(row).split(",")[1]}\r' for row in range(2)]
    read = fer2013.read_csv(write_table(path, lines, '\ufeffemotion, Usage, pixels\r'))
    assert read.splits.tolist() == [Split.PRIVATE] * 2
    np.testing.assert_array_equal(read.pictures.read(1), photograph(1))


def test_quoted_pixels_are_read_too(tmp_path):
    emotion, pixels, usage = line(3).split(',')
    read = fer2013.read_csv(write_table(tmp_path / 'a.csv', [f'"{emotion}","{pixels}",{usage}']))
    np.testing.assert_array_equal(read.pictures.read(0), photograph(3))


@pytest.mark.parametrize(('broken', 'said'), breakages().values(), ids=breakages())
def test_a_broken_line_is_reported_by_its_number(tmp_path, broken, said):
    path = write_table(tmp_path / 'fer2013.csv', [line(0), broken, line(2)])
    read = fer2013.read_csv(path)
    assert read.labels.tolist() == [0, 2]
    (complaint,) = read.complaints
    assert complaint.startswith(f'{path}, line 3: ')
    assert re.search(said, complaint)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(broken=st.dictionaries(st.integers(0, 5), st.sampled_from(sorted(breakages())), max_size=5))
def test_broken_lines_leave_the_meaning_of_the_others(tmp_path, broken):
    lines = [breakages()[broken[row]][0] if row in broken else line(row) for row in range(6)]
    read = fer2013.read_csv(write_table(tmp_path / 'fer2013.csv', lines))
    kept = [row for row in range(6) if row not in broken]
    assert read.labels.tolist() == [row % 7 for row in kept]
    assert read.splits.tolist() == [row % 3 for row in kept]
    assert [read.pictures.name(i) for i in range(len(kept))] == [f'fer2013 row {r}' for r in kept]
    for index, row in enumerate(kept):
        np.testing.assert_array_equal(read.pictures.read(index), photograph(row))
    assert len(read.complaints) == len(broken)


def test_a_table_without_a_column_is_reported(tmp_path):
    path = write_table(tmp_path / 'fer2013.csv', [line(0)], 'emotion,pixels')
    with pytest.raises(DataError, match=r'fer2013\.csv, line 1: no column Usage'):
        fer2013.read_csv(path)


def test_a_table_without_a_whole_line_is_reported(tmp_path):
    with pytest.raises(DataError, match=r'holds no photograph.*line 2: 3 pixels'):
        fer2013.read_csv(write_table(tmp_path / 'fer2013.csv', ['0,1 2 3,Training']))


def test_arrays_are_read_with_their_votes(tmp_path):
    read = fer2013.read_npz(write_arrays(tmp_path / 'fer2013.npz'))
    assert read.labels.tolist() == [0, 1, 2, 3, 4]
    assert read.splits.tolist() == [0, 1, 2, 0, 1]
    np.testing.assert_array_equal(read.pictures.read(4), photograph(4))
    # neutral 1, happiness 2, anger 3; contempt 1, unknown 2 and NF 1 are others.
    assert read.votes[0].tolist() == [3, 0, 0, 2, 0, 0, 1]
    assert read.other_votes.sum(axis=1).tolist() == [4] * 5


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        ({'labels': np.zeros(4, np.int8)}, r'should be .*but are'),
        ({'images': np.zeros((5, 48, 48), np.float32)}, 'float32'),
        ({'labels': np.full(5, 7, np.int8)}, 'labels must be 0 to 6'),
        ({'usage': np.full(5, 3, np.int8)}, 'usage 0 to 2'),
        ({'ferplus': np.full((5, 10), np.nan)}, 'votes 0 to 10'),
        ({'ferplus': np.full((5, 10), -1)}, 'votes 0 to 10'),
        ({'ferplus': np.full((5, 10), 'one')}, 'votes 0 to 10'),
    ],
)
def test_arrays_that_do_not_fit_are_reported(tmp_path, changed, said):
    with pytest.raises(DataError, match=said):
        fer2013.read_npz(write_arrays(tmp_path / 'fer2013.npz', **changed))


def test_a_missing_array_is_reported_by_name(tmp_path):
    path = tmp_path / 'fer2013.npz'
    np.savez(path, images=np.zeros((1, 48, 48), np.uint8), labels=[0], usage=[0])
    with pytest.raises(DataError, match=r'fer2013\.npz has no array ferplus'):
        fer2013.read_npz(path)


@pytest.mark.parametrize('how', ['cut off', 'damaged'])
def test_a_file_that_is_not_whole_is_reported_by_name(tmp_path, how):
    path = write_arrays(tmp_path / 'fer2013.npz')
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content if how == 'damaged' else path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=rf'fer2013\.npz cannot be read.*{how}'):
        fer2013.read_npz(path)


def write_picture(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((48, 48), grey, np.uint8))


def test_folders_are_read_by_split_and_class(tmp_path):
    for grey, name in enumerate(['Training/angry/b.png', 'Training/surprise/a.jpg',
                                 'PublicTest/fear/c.png', 'PrivateTest/neutral/d.png',
                                 'Training/happy/e.PNG']):  # fmt: skip
        write_picture(tmp_path / name, 20 * grey)
    read = fer2013.read_folders(tmp_path)
    assert [LABELS[label] for label in read.labels] == [
        'angry', 'happy', 'surprised', 'scared', 'neutral',
    ]  # fmt: skip
    assert read.splits.tolist() == [0, 0, 0, 1, 2]
    assert [int(read.pictures.read(i)[0, 0, 0]) for i in range(5)] == [0, 80, 20, 40, 60]
    assert read.pictures.name(0) == str(tmp_path / 'Training/angry/b.png')


def test_names_tell_the_two_test_splits_in_one_folder_apart(tmp_path):
    for name in ('train/sad/Training_1.jpg', 'test/sad/PublicTest_1.jpg',
                 'test/sad/PrivateTest_1.jpg', 'test/anger/image_7.jpg'):  # fmt: skip
        write_picture(tmp_path / name, 9)
    read = fer2013.read_folders(tmp_path)
    found = [read.pictures.name(index).rpartition('/')[2] for index in range(4)]
    assert found[:2] == ['Training_1.jpg', 'PublicTest_1.jpg']
    assert set(found[2:]) == {'PrivateTest_1.jpg', 'image_7.jpg'}
    assert read.splits.tolist() == [Split.TRAINING, Split.PUBLIC, Split.PRIVATE, Split.PRIVATE]


def test_strange_folders_and_files_are_reported(tmp_path):
    write_picture(tmp_path / 'train' / 'disgust' / 'a.png', 0)
    write_picture(tmp_path / 'train' / 'bored' / 'a.png', 0)
    write_picture(tmp_path / 'more' / 'sad' / 'a.png', 0)
    (tmp_path / 'train' / 'disgust' / 'list.txt').write_text('a.png')
    (tmp_path / 'train' / 'disgust' / '._a.png').write_text('')
    read = fer2013.read_folders(tmp_path)
    assert read.labels.tolist() == [LABELS.index('disgusted')]
    assert [complaint.split(' is ')[0] for complaint in read.complaints] == [
        str(tmp_path / 'more' / 'sad'),
        str(tmp_path / 'train' / 'bored'),
        str(tmp_path / 'train' / 'disgust' / 'list.txt'),
    ]


def test_a_folder_without_pictures_is_reported(tmp_path):
    with pytest.raises(DataError, match='holds no pictures in folders such as train/happy'):
        fer2013.read_folders(tmp_path)


def test_the_path_tells_which_reader_is_meant(tmp_path):
    write_picture(tmp_path / 'train' / 'sad' / 'a.png', 0)
    table = write_table(tmp_path / 'a.csv', [line(0)])
    paths = (table, write_arrays(tmp_path / 'a.npz'), tmp_path)
    assert [len(fer2013.read(path)) for path in paths] == [1, 5, 1]
    (tmp_path / 'labels.csv').write_text('pth,label\nsad/a.png,anger\n')
    with pytest.raises(DataError, match='is no copy of FER2013: it has a labels'):
        fer2013.read(tmp_path)


@pytest.mark.parametrize('name', ['fer2013.tar.gz', 'nothing', 'nothing.csv', 'nothing.npz'])
def test_a_path_that_cannot_be_read_is_reported(tmp_path, name):
    with pytest.raises(DataError, match=name):
        fer2013.read(tmp_path / name)


# FER+'s votes from their table, and joined to FER2013's photographs.


HEADER = (
    'Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF'
)


def write_votes(path, lines):
    return write_table(path, lines, HEADER)


def test_votes_are_sorted_into_our_classes_and_keep_their_rows(tmp_path):
    path = write_votes(
        tmp_path / 'fer2013new.csv',
        [
            'Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0',
            'PublicTest,,0,0,0,0,0,0,0,0,0,10',
            'PrivateTest,fer0000001.png,0,1,2,0,0,0,4,2,1,0',
        ],
    )
    table = fer2013.read_votes(path)
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
def test_a_broken_line_of_votes_is_reported_and_keeps_its_row(tmp_path, broken, said):
    good = 'Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0'
    path = write_votes(tmp_path / 'fer2013new.csv', [good, broken, good])
    table = fer2013.read_votes(path)
    assert table.votes.sum(axis=1).tolist() == [10, 0, 10]
    assert table.other_votes[1].sum() == 0
    assert table.splits[1] == fer2013.UNKNOWN_SPLIT
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
    table = fer2013.read_votes(write_votes(tmp_path / 'fer2013new.csv', lines))
    joined = fer2013.join_votes(photographs([0, 2, 3], [0, 2, 0]), table)
    assert joined.votes[:, LABELS.index('neutral')].tolist() == [0, 2, 3]
    assert joined.votes.sum() == 5
    assert joined.other_votes.sum(axis=1).tolist() == [2, 2, 2]
    assert joined.splits.tolist() == [0, 2, 0]
    assert joined.complaints == ('a photograph was left out.',)


def test_a_photograph_whose_votes_are_broken_has_none(tmp_path):
    lines = [*votes_for_neutral('Training', 'Training'), 'broken']
    table = fer2013.read_votes(write_votes(tmp_path / 'fer2013new.csv', lines))
    joined = fer2013.join_votes(photographs([1, 2], [0, 1]), table)
    assert joined.votes.sum(axis=1).tolist() == [1, 0]
    assert len(joined.complaints) == 2


def test_votes_of_other_photographs_are_refused(tmp_path):
    lines = votes_for_neutral('Training', 'Training', 'Training')
    table = fer2013.read_votes(write_votes(tmp_path / 'fer2013new.csv', lines))
    with pytest.raises(DataError, match='different Usages in row 2'):
        fer2013.join_votes(photographs([0, 2], [0, 1]), table)


def test_too_few_votes_are_refused(tmp_path):
    table = fer2013.read_votes(write_votes(tmp_path / 'a.csv', votes_for_neutral('Training')))
    with pytest.raises(DataError, match=r'FER\+ has 1 rows but FER2013 at least 2'):
        fer2013.join_votes(photographs([0, 1], [0, 0]), table)


def test_pictures_that_do_not_know_their_rows_get_no_votes(tmp_path):
    table = fer2013.read_votes(write_votes(tmp_path / 'a.csv', votes_for_neutral('Training')))
    pictures = replace(photographs([0], [0]), pictures=FilePictures([tmp_path / 'a.png']))
    with pytest.raises(DataError, match='joined by the rows'):
        fer2013.join_votes(pictures, table)


def test_a_missing_table_of_votes_tells_where_it_is_published(tmp_path):
    with pytest.raises(DataError, match=r'fer2013new\.csv cannot be read.*microsoft/FERPlus'):
        fer2013.read_votes(tmp_path / 'fer2013new.csv')


def test_another_table_is_no_table_of_votes(tmp_path):
    path = tmp_path / 'fer2013.csv'
    path.write_text('emotion,pixels,Usage\n')
    with pytest.raises(DataError, match='line 1: no column neutral, happiness'):
        fer2013.read_votes(path)


def test_an_empty_table_of_votes_is_reported(tmp_path):
    with pytest.raises(DataError, match='holds no line with votes'):
        fer2013.read_votes(write_votes(tmp_path / 'fer2013new.csv', []))
