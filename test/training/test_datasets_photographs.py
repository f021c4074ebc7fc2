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

"""Photographs in the layouts in which they are passed on: AffectNet's, RAF-DB's, anybody's."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training import sources
from training.datasets.photographs import (
    AFFECTNET_WORDS,
    read_affectnet,
    read_labelled_folder,
    read_rafdb,
)
from training.datasets.pictures import LABELS, NO_LABEL, DataError, Split, one_hot
from training.still_features import OTHERS_TIMES, _stills, rows_to_learn_from


def write_picture(path, grey=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((8, 8), grey, np.uint8))


def write_annotated(folder, name, expression, grey=0):
    write_picture(folder / 'images' / f'{name}.jpg', grey)
    (folder / 'annotations').mkdir(exist_ok=True)
    np.save(folder / 'annotations' / f'{name}_exp.npy', expression)


def write_text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


def words(read):
    return [LABELS[label] if label != NO_LABEL else 'none' for label in read.labels]


def names(read):
    return [read.pictures.name(index).rpartition('/')[2] for index in range(len(read))]


def test_affectnets_eight_numbers_are_our_words(tmp_path):
    for number in range(8):
        write_annotated(tmp_path / 'train_set', f'{number}', np.array(str(number)))
    assert words(read_affectnet(tmp_path)) == [
        'neutral', 'happy', 'sad', 'surprised', 'scared', 'disgusted', 'angry', 'none',
    ]  # fmt: skip


def test_affectnets_sets_are_splits_and_pictures_keep_their_labels(tmp_path):
    write_annotated(tmp_path / 'train_set', '7', np.array('6'), grey=70)
    write_annotated(tmp_path / 'train_set', '11', np.array('1'), grey=110)
    write_annotated(tmp_path / 'val_set', '7', np.array('2'), grey=170)
    # The other annotations of the publisher are not read.
    np.save(tmp_path / 'train_set' / 'annotations' / '7_aro.npy', np.array('-0.5'))
    read = read_affectnet(tmp_path)
    seen = [int(read.pictures.read(index)[0, 0, 0]) for index in range(3)]
    assert dict(zip(seen, words(read))) == {70: 'angry', 110: 'happy', 170: 'sad'}
    assert dict(zip(seen, read.splits)) == {
        70: Split.TRAINING,
        110: Split.TRAINING,
        170: Split.PUBLIC,
    }
    assert read.votes.shape == (3, 7)
    assert read.complaints == ()


def test_affectnets_pictures_without_annotation_and_the_reverse_are_reported(tmp_path):
    folder = tmp_path / 'train_set'
    for name in ('1', '2', '3'):
        write_annotated(folder, name, np.array('1'))
    (folder / 'images' / '1.jpg').unlink()
    (folder / 'annotations' / '2_exp.npy').unlink()
    read = read_affectnet(tmp_path)
    assert names(read) == ['3.jpg']
    assert [complaint.split(' has ')[0] for complaint in read.complaints] == [
        str(folder / 'annotations' / '1_exp.npy'),
        str(folder / 'images' / '2.jpg'),
    ]


def test_affectnets_broken_annotations_are_reported_by_file(tmp_path):
    folder = tmp_path / 'train_set'
    expressions = {'a': '1', 'b': '8', 'c': 'x', 'd': 'nan'}
    for name, expression in expressions.items():
        write_annotated(folder, name, np.array(expression))
    write_annotated(folder, 'e', np.array([1, 2]))
    write_annotated(folder, 'f', np.array('1'))
    cut = folder / 'annotations' / 'f_exp.npy'
    cut.write_bytes(cut.read_bytes()[:-2])
    write_annotated(folder, 'g', np.array('1'))
    (folder / 'annotations' / 'g_exp.npy').write_bytes(b'')
    read = read_affectnet(tmp_path)
    assert names(read) == ['a.jpg']
    assert len(read.complaints) == 6
    for name, complaint in zip('bcdefg', read.complaints):
        assert complaint.startswith(str(folder / 'annotations' / f'{name}_exp.npy'))
        assert complaint.endswith('left out.')


def test_affectnets_table_counts_more_than_the_folder(tmp_path):
    write_picture(tmp_path / 'Train' / 'anger' / 'image0000006.jpg')
    write_picture(tmp_path / 'Test' / 'Contempt' / 'image0000007.jpg')
    write_picture(tmp_path / 'Test' / 'Anger' / 'image0000008.jpg')
    write_text(
        tmp_path / 'labels.csv',
        ',pth,label,relFCs',
        '0,anger/image0000006.jpg,surprise,0.87',
        '1,Contempt/image0000007.jpg,contempt,0.8',
        '2,anger/image0000008.jpg,"fear",0.8',
    )
    read = read_affectnet(tmp_path)
    assert words(read) == ['surprised', 'none', 'scared']
    assert read.splits.tolist() == [Split.TRAINING, Split.PRIVATE, Split.PRIVATE]
    assert names(read) == ['image0000006.jpg', 'image0000007.jpg', 'image0000008.jpg']
    assert read.complaints == ()


def test_affectnets_table_without_splits_is_for_training(tmp_path):
    for word in AFFECTNET_WORDS:
        write_picture(tmp_path / word / f'{word}.jpg')
    lines = [f'{word}/{word}.jpg,{word}' for word in AFFECTNET_WORDS]
    write_text(tmp_path / 'labels.csv', 'pth,label', *lines)
    read = read_affectnet(tmp_path)
    assert words(read) == [
        'neutral', 'happy', 'sad', 'surprised', 'scared', 'disgusted', 'angry', 'none',
    ]  # fmt: skip
    assert set(read.splits.tolist()) == {Split.TRAINING}


def test_broken_lines_of_affectnets_table_are_reported_by_number(tmp_path):
    write_picture(tmp_path / 'sad' / 'a.jpg')
    write_text(
        tmp_path / 'labels.csv',
        'pth,label',
        'sad/a.jpg,bored',
        '"sad/missing.jpg,sad',
        'sad/a.jpg',
        'sad/a.jpg,sad',
    )
    read = read_affectnet(tmp_path)
    assert words(read) == ['sad']
    assert [complaint.partition(': ')[0] for complaint in read.complaints] == [
        f'{tmp_path / "labels.csv"}, line {number}' for number in (2, 3, 4)
    ]


def test_another_table_is_none_of_affectnets(tmp_path):
    write_text(tmp_path / 'labels.csv', 'image,label', 'a.jpg,sad')
    with pytest.raises(DataError, match=r'labels\.csv, line 1: expected the columns pth'):
        read_affectnet(tmp_path)


def test_a_folder_without_affectnet_is_reported(tmp_path):
    with pytest.raises(DataError, match=r'train_set/images/0\.jpg'):
        read_affectnet(tmp_path)


def write_list(tmp_path, *lines, name='list_patition_label.txt'):
    write_text(tmp_path / 'basic' / 'EmoLabel' / name, *lines)
    return tmp_path / 'basic' / 'Image' / 'aligned'


@pytest.mark.parametrize('name', ['list_patition_label.txt', 'list_partition_label.txt'])
def test_raf_dbs_list_is_read_with_its_seven_numbers(tmp_path, name):
    lines = [f'train_{number:05}.jpg {number}' for number in range(1, 8)]
    aligned = write_list(tmp_path, *lines, 'test_0001.jpg 4', name=name)
    for number in range(1, 8):
        write_picture(aligned / f'train_{number:05}_aligned.jpg', 30 * number)
    write_picture(aligned / 'test_0001_aligned.jpg')
    read = read_rafdb(tmp_path)
    assert words(read) == [
        'surprised', 'scared', 'disgusted', 'happy', 'sad', 'angry', 'neutral', 'happy',
    ]  # fmt: skip
    assert read.splits.tolist() == [Split.TRAINING] * 7 + [Split.PRIVATE]
    assert int(read.pictures.read(4)[0, 0, 0]) == 150
    assert read.complaints == ()
    assert len(read_rafdb(tmp_path / 'basic')) == 8


def test_broken_lines_of_raf_dbs_list_are_reported_by_number(tmp_path):
    aligned = write_list(
        tmp_path,
        'train_00001.jpg 5',
        'train_00002.jpg',
        'train_00003.jpg 8',
        'holiday_00004.jpg 5',
        'train_00005.jpg 5',
    )
    write_picture(aligned / 'train_00001_aligned.jpg')
    read = read_rafdb(tmp_path)
    assert words(read) == ['sad']
    listed = tmp_path / 'basic' / 'EmoLabel' / 'list_patition_label.txt'
    assert [complaint.partition(': ')[0] for complaint in read.complaints] == [
        f'{listed}, line {number}' for number in (2, 3, 4, 5)
    ]


def test_raf_dbs_folders_are_read_without_tables(tmp_path):
    write_picture(tmp_path / 'DATASET' / 'train' / '6' / 'train_00009_aligned.jpg')
    write_picture(tmp_path / 'DATASET' / 'train' / '7' / 'train_00001_aligned.jpg')
    write_picture(tmp_path / 'DATASET' / 'test' / '1' / 'test_0001_aligned.jpg')
    write_picture(tmp_path / 'DATASET' / 'test' / '8' / 'test_0002_aligned.jpg')
    read = read_rafdb(tmp_path)
    assert words(read) == ['angry', 'neutral', 'surprised']
    assert read.splits.tolist() == [Split.TRAINING, Split.TRAINING, Split.PRIVATE]
    (complaint,) = read.complaints
    assert complaint.startswith(str(tmp_path / 'DATASET' / 'test' / '8'))


def test_raf_dbs_tables_name_the_pictures_of_the_folders(tmp_path):
    write_picture(tmp_path / 'DATASET' / 'train' / '5' / 'train_00001_aligned.jpg')
    write_picture(tmp_path / 'DATASET' / 'train' / '5' / 'train_00002_aligned.jpg')
    write_picture(tmp_path / 'DATASET' / 'test' / 'test_0001_aligned.jpg')
    write_text(
        tmp_path / 'train_labels.csv',
        'image,label',
        'train_00001_aligned.jpg,5',
        'train_00002_aligned.jpg,4',
        'train_00003_aligned.jpg,4',
        ',5',
    )
    write_text(tmp_path / 'test_labels.csv', 'image,label', 'test_0001_aligned.jpg,2')
    read = read_rafdb(tmp_path)
    assert names(read) == ['train_00001_aligned.jpg', 'test_0001_aligned.jpg']
    assert words(read) == ['sad', 'scared']
    assert [complaint.partition(': ')[0] for complaint in read.complaints] == [
        f'{tmp_path / "train_labels.csv"}, line {number}' for number in (3, 4, 5)
    ]


def test_a_folder_without_raf_db_and_another_table_are_reported(tmp_path):
    with pytest.raises(DataError, match=r'expected basic/EmoLabel/list_patition_label\.txt'):
        read_rafdb(tmp_path)
    write_text(tmp_path / 'train_labels.csv', 'name,label', 'a.jpg,5')
    with pytest.raises(DataError, match=r'train_labels\.csv, line 1: expected the columns image'):
        read_rafdb(tmp_path)


# Any folder of labelled pictures, with what is known of the people in them.


def test_a_table_names_files_expressions_and_people(tmp_path):
    for name in ('club/a1.png', 'club/b2.png', 'web/0f.png', 'web/8f.png'):
        write_picture(tmp_path / name)
    (tmp_path / 'labels.csv').write_text(
        'file,expression,person,gender\n'
        'club/a1.png,smiling,anna,female\nclub/b2.png,Fear,bert,male\nclub/c3.png,sad,carl,male\n'
        f'web/0f.png,neutral,,\nweb/8f.png,contempt,,\n{tmp_path}/web/0f.png,sad,,\n'
    )
    found, complaints = read_labelled_folder(tmp_path, {'web': '01'})
    assert words(found['club'].photographs) == ['happy', 'scared']
    assert found['club'].people.tolist() == ['anna', 'bert']
    assert found['club'].groups['gender'].tolist() == ['female', 'male']
    assert found['club'].photographs.splits.tolist() == [Split.PUBLIC] * 2
    assert words(found['web'].photographs) == ['neutral']
    assert found['web'].photographs.splits.tolist() == [Split.TRAINING]
    assert found['web'].photographs.complaints == (
        "web: 1 pictures labelled 'contempt', none of the seven expressions; left out.",
    )
    assert words(found[tmp_path.name].photographs) == ['sad']  # where it lies elsewhere
    (missing,) = complaints
    assert missing.endswith("labels.csv, line 4: there is no picture 'club/c3.png'; left out.")


def test_folders_may_be_named_by_expressions(tmp_path, monkeypatch):
    for name in ('anger/1.png', 'happy/2.png', 'happy/3.png', '.hidden/4.png'):
        write_picture(tmp_path / 'mine' / name)
    monkeypatch.chdir(tmp_path / 'mine')
    found, _ = read_labelled_folder(Path())
    assert list(found) == ['mine']
    assert words(found['mine'].photographs) == ['angry', 'happy', 'happy']
    assert len(set(found['mine'].people)) == 3


def test_files_that_are_no_pictures_are_left_out_of_scores(tmp_path, capsys):
    write_picture(tmp_path / 'sad' / '1.png')
    (tmp_path / 'sad' / 'Thumbs.db').write_bytes(b'no picture')
    for _ in range(2):
        (found,) = sources.read_other_people(tmp_path).values()
        assert names(found.photographs) == ['1.png']
    assert capsys.readouterr().out.count('Thumbs.db') == 1
    (tmp_path / 'sad' / '1.png').unlink()
    with pytest.raises(DataError, match='holds no picture that can be read'):
        sources.read_other_people(tmp_path)


def test_arrays_name_the_person_before_the_underscore(tmp_path):
    images = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    names = np.array(['S1_004_7', 'S1_005_7', 'S2_001_9'])
    np.savez(tmp_path / 'lab.npz', images=images, labels=['sad', 'joy', 'bored'], names=names)
    found, _ = read_labelled_folder(tmp_path)
    assert words(found['lab'].photographs) == ['sad', 'happy']
    assert found['lab'].people.tolist() == ['S1', 'S1']
    np.testing.assert_array_equal(found['lab'].photographs.pictures.read(1), images[1])


def test_arrays_that_are_not_all_there_are_refused(tmp_path):
    path = tmp_path / 'lab.npz'
    np.savez_compressed(path, images=np.arange(5000), labels=np.arange(9), names=np.arange(9))
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(10) + content[110:])
    with pytest.raises(DataError, match=r'lab\.npz cannot be read: it is damaged'):
        read_labelled_folder(tmp_path)


LONG = 'b.png,sad\n' * 20_000


@pytest.mark.parametrize(
    'name, content, said',
    [
        ('holiday/1.png', 'no picture', 'holds no labelled pictures'),
        ('labels.csv', 'file,mood\na.png,happy', 'line 1: expected the columns file and exp'),
        pytest.param('labels.csv', f'file,expression\na.png,"sad\n{LONG}', 'a quote', id='quote'),
        ('labels.csv', 'file,expression,person\na.png,sad,"Ann\nb.png,sad,Bob', 'several lines'),
        ('labels.csv', f'file,expression\n{"b" * 300}.png,sad', 'line 2: there is no picture'),
    ],
)
def test_a_folder_without_labelled_pictures_is_refused(tmp_path, name, content, said):
    write_text(tmp_path / name, content)
    with pytest.raises(DataError, match=said):
        read_labelled_folder(tmp_path)


# What of these may be learned from stands behind FER2013's training split.


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Two photographs of FER2013 to learn from, two of the web, one of these for scores."""
    images = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    (tmp_path / 'fer2013').mkdir()
    arrays = {'labels': [4, 6, 3], 'usage': [0, 1, 0], 'ferplus': np.zeros((3, 10), np.uint8)}
    np.savez(tmp_path / 'fer2013' / 'fer2013.npz', images=images, **arrays)
    for grey, name in enumerate(('0f', '8f', '1a')):
        write_picture(tmp_path / 'ood' / 'web' / f'{name}.png', grey)
    (tmp_path / 'ood' / 'labels.csv').write_text(
        'file,expression\nweb/0f.png,disgusted\nweb/8f.png,sad\nweb/1a.png,angry\n'
    )
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path))
    return tmp_path


def test_other_photographs_to_learn_from_stand_behind_those_of_fer2013(learned):
    found, count = sources.read_to_learn_from()
    assert count == 2
    assert [LABELS[label] for label in found.labels] == ['sad', 'happy', 'disgusted', 'angry']
    assert names(found) == ['fer2013 row 0', 'fer2013 row 2', '0f.png', '1a.png']
    assert found.pictures.read(1)[0, 0] == 2
    assert found.pictures.read(3).shape == (8, 8, 3)
    some = found.pictures.part([3, 0, 1])
    assert [len(some), some.name(0).split('/')[-1], some.name(2)] == [3, '1a.png', 'fer2013 row 2']
    assert list(some.content()) == [list(found.pictures.content())[row] for row in (3, 0, 1)]
    with pytest.raises(IndexError, match='There are 4 pictures'):
        found.pictures.read(4)


def test_other_photographs_are_learned_from_several_times(learned):
    found, count = sources.read_to_learn_from()
    readable = np.array([[True], [False], [True], [True]])
    stills = _stills(found, (), np.zeros((4, 1, 0), np.float32), readable)
    rows = rows_to_learn_from(stills)
    assert np.bincount(rows, minlength=4).tolist() == [1, 0, OTHERS_TIMES, OTHERS_TIMES]
    # Without votes the label is believed whole.
    taught = stills.select(rows[rows >= count])
    np.testing.assert_array_equal(taught.vote_shares(), one_hot(taught.labels))


def test_what_is_left_out_of_what_is_learned_from_is_said_once(learned, monkeypatch, capsys):
    for split in ('train', 'val', 'valid'):
        write_picture(learned / 'fer' / split / 'sad' / '1.png')
    (learned / 'ood' / 'web' / '1a.png').unlink()
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(learned / 'fer'))
    for _ in range(2):
        assert sources.read_to_learn_from()[1] == 1
    valid, missing = capsys.readouterr().out.splitlines()
    assert 'valid/sad is named after no split' in valid and "no picture 'web/1a.png'" in missing
    (learned / 'ood').rename(learned / 'away')
    assert len(sources.read_to_learn_from()[0]) == 1
