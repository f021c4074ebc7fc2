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

"""The seed report's steps are taken of the photographs that were looked at, and written whole."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from training.commands import seed_report as steps
from training.commands.seed_report import SeenPhotographs, look
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    ArrayPictures,
    DataError,
    LabelledPictures,
    Split,
)
from training.extraction.face_reader import empty_table
from training.extraction.views import X4_PAD25
from training.seed_report.blendshapes import FLIPPED
from training.seed_report.dataset import (
    BlendshapesDataset,
    read_dataset,
    write_class_files,
    write_dataset,
    write_test_index,
)

HAPPY, SAD = LABELS.index('happy'), LABELS.index('sad')
COUNT = 60


@pytest.fixture
def photographs():
    """Make photographs of which the first pixel is the number and every tenth has no face."""
    images = np.zeros((COUNT, 48, 48), np.uint8)
    images[:, 0, 0] = np.arange(COUNT)
    return LabelledPictures(
        'made',
        ArrayPictures(images, 'made'),
        np.arange(COUNT) % len(LABELS),
        np.array([Split.TRAINING, Split.PUBLIC, Split.TRAINING, Split.PRIVATE] * (COUNT // 4)),
        np.zeros((COUNT, 7), np.float32),
        np.zeros((COUNT, 3), np.float32),
    )


@pytest.fixture(autouse=True)
def finder(monkeypatch):
    """Find faces without MediaPipe: the blendshapes are the number of the photograph."""
    asked = []

    def read_faces(photographs, view):
        table = empty_table(len(photographs))
        numbers = photographs.pictures.images[:, 0, 0]
        table.readable[:] = numbers % 10 != 0
        table.blendshapes[:] = numbers[:, None] / 100
        table.blendshapes[:, INDEX['jawLeft']] /= 2
        if view == FLIPPED:
            table.blendshapes[:] = table.blendshapes[:, list(MIRROR)]
        table.blendshapes[~table.readable] = 0
        asked.append(numbers.tolist())
        return table

    monkeypatch.setattr(steps, 'read_faces', read_faces)
    return asked


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=150)


def test_whole_splits_are_looked_at_one_by_one_and_put_in_order(photographs, finder):
    seen = look(photographs, np.arange(COUNT), X4_PAD25)
    assert seen.readable.tolist() == [number % 10 != 0 for number in range(COUNT)]
    assert (seen.blendshapes[seen.readable, 0] * 100).round().tolist() == [
        number for number in range(COUNT) if number % 10
    ]
    assert [len(numbers) for numbers in finder] == [COUNT // 2, COUNT // 4, COUNT // 4]


def test_a_sample_is_looked_at_at_once(photographs, finder):
    rows = np.array([1, 2, 20, 33])
    seen = look(photographs, rows, X4_PAD25)
    assert finder == [[1, 2, 20, 33]]
    assert seen.rows.tolist() == rows.tolist()
    assert seen.labels.tolist() == (rows % 7).tolist()
    assert seen.readable.tolist() == [True, True, False, True]
    assert seen.training.tolist() == [False, True, True, False]


def test_the_datasets_hold_the_readable_photographs(photographs, console, tmp_path):
    seen = look(photographs, np.arange(COUNT), X4_PAD25)
    counts = steps.write_datasets(photographs.pictures, seen, console, tmp_path)
    whole = read_dataset(tmp_path / 'blendshapes.csv')
    assert whole.rows.tolist() == [number for number in range(COUNT) if number % 10]
    balanced = read_dataset(tmp_path / 'balanced_training.csv')
    assert balanced.classes == ('happy', 'unknown', 'sad')
    assert set(balanced.splits) == {Split.TRAINING}
    by_row = dict(zip(balanced.rows.tolist(), balanced.labels.tolist()))
    # 24 is happy, 4 sad, 2 scared; 10 is happy and cannot be read.
    assert [by_row[24], by_row[2], by_row[4], by_row.get(10)] == [0, 1, 2, None]
    assert len(balanced) == counts['balanced_training.csv'] == 24
    index = (tmp_path / 'test_index.csv').read_text().splitlines()
    assert index[:2] == ['row,class,picture', '3,happy,made row 3']
    assert len(index) == 1 + counts['test_index.csv']
    assert sorted(p.stem for p in (tmp_path / 'classes').glob('*.csv')) == sorted(LABELS)


def test_rows_of_a_sample_are_those_of_the_whole_data_set(photographs, console, tmp_path):
    seen = look(photographs, np.array([3, 7, 41, 43]), X4_PAD25)
    steps.write_datasets(photographs.pictures, seen, console, tmp_path)
    assert read_dataset(tmp_path / 'blendshapes.csv').rows.tolist() == [3, 7, 41, 43]
    assert (tmp_path / 'test_index.csv').read_text().splitlines()[1:] == [
        '3,happy,made row 3',
        '7,angry,made row 7',
        '43,disgusted,made row 43',
    ]


def test_unreadable_photographs_are_counted_and_drawn_by_their_rows(
    photographs, console, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        steps, 'unreadable_sheet', lambda _pictures, rows, *_: drawn.append(rows.tolist()) or []
    )
    seen = look(photographs, np.arange(5, COUNT), X4_PAD25)
    found = steps.count_readable(photographs.pictures, seen, console, tmp_path)
    assert drawn == [[10, 20, 30, 40, 50]]
    # 10, 20, 30, 40 and 50 are of the training split; 30 is 'scared', 10 'happy', 50 'disgusted'.
    assert found['happy'] == [1, 0, 0]
    assert np.sum(list(found.values()), axis=0).tolist() == [5, 0, 0]


def test_a_balanced_choice_is_counted_among_training_photographs(photographs, console):
    seen = look(photographs, np.arange(COUNT), X4_PAD25)
    found = steps.choose_balanced(seen, console)
    training = np.arange(0, COUNT, 2)
    happy = training[training % 7 == HAPPY]
    assert found['happy'] == [len(happy)] * 2 + [int((happy % 10 != 0).sum())]
    assert np.sum(list(found.values()), axis=0).tolist() == [30, 30, 24]


def test_mirror_images_of_a_symmetric_finder_agree(photographs, console):
    seen = look(photographs, np.arange(COUNT), X4_PAD25)
    found = steps.compare_flips(photographs, seen, console, seed=1)
    assert found['photographs'] == 54
    assert found['without_a_face_mirrored'] == 0
    differences = [each['p95_absolute_difference'] for each in found['blendshapes'].values()]
    assert max(differences) == 0


def test_relevance_is_that_of_readable_training_photographs(console, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(steps, 'draw_scatter', lambda blends, path: drawn.append(len(blends)))
    monkeypatch.setattr(steps, 'draw_information', lambda _relevance, path: drawn.append(path))
    monkeypatch.setattr(
        steps, 'draw_blendshapes', lambda _blends, _path, title: drawn.append(title)
    )
    rng = np.random.default_rng(1)
    labels = np.repeat([HAPPY, SAD], 150)
    seen = SeenPhotographs(
        X4_PAD25,
        False,
        np.arange(300),
        labels,
        np.full(300, int(Split.TRAINING)),
        np.ones(300, bool),
        rng.uniform(0, 0.39, (300, len(NAMES))).astype(np.float32),
    )
    seen.blendshapes[labels == HAPPY, INDEX['jawOpen']] += 0.6
    unread = replace(seen, readable=labels == SAD)
    found = steps.find_relevant(seen, console, tmp_path)
    assert found['kept'] == ('jawOpen',)
    assert found['images']['jawOpen'] == 150
    assert max(found['about_sad_nats'], key=found['about_sad_nats'].get) == 'jawOpen'
    assert drawn == [300, tmp_path / 'information.png', 'photograph 0, happy']
    assert steps.find_relevant(unread, console, tmp_path)['photographs'] == 150


# The dataset's file is read back to the bit; what is wrong with a file is named by its place.


BLENDS = np.random.default_rng(0).random((4, 52), np.float32)
DATASET = BlendshapesDataset(
    rows=np.array([3, 7, 8, 30]),
    splits=np.array([0, 2, 1, 2]),
    labels=np.array([3, 4, NO_LABEL, 3]),
    blendshapes=BLENDS,
)


def assert_equal(one, other):
    assert one.classes == other.classes
    for name in ('rows', 'splits', 'labels', 'blendshapes'):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
        assert getattr(one, name).dtype == getattr(other, name).dtype


def text_of(path):
    return path.read_text(encoding='utf-8')


@settings(max_examples=30)
@given(arrays(np.float32, (2, 52), elements=st.floats(0, 1, width=32)))
def test_every_float32_is_read_back_as_it_was(tmp_path_factory, blendshapes):
    path = tmp_path_factory.mktemp('data') / 'all.csv'
    dataset = BlendshapesDataset(np.array([0, 1]), np.array([0, 0]), np.array([0, 6]), blendshapes)
    write_dataset(dataset, path)
    assert_equal(read_dataset(path), dataset)


@pytest.mark.parametrize('with_one_hot', [False, True])
def test_the_whole_dataset_is_read_back(tmp_path, with_one_hot):
    path = tmp_path / 'all.csv'
    write_dataset(DATASET, path, with_one_hot)
    assert_equal(read_dataset(path), DATASET)


def test_an_empty_dataset_is_read_back(tmp_path):
    write_dataset(DATASET.take(slice(0)), tmp_path / 'none.csv')
    assert_equal(read_dataset(tmp_path / 'none.csv'), DATASET.take(slice(0)))


def test_the_file_has_words_for_people(tmp_path):
    write_dataset(DATASET, tmp_path / 'all.csv', with_one_hot=True)
    header, first, *_, last = text_of(tmp_path / 'all.csv').splitlines()
    one_hot = [f'is_{name}' for name in LABELS]
    assert header.split(',') == ['row', 'split', 'class', *one_hot, *NAMES]
    assert first.split(',')[:10] == ['3', 'training', 'happy', *'0001000']
    assert last.split(',')[:3] == ['30', 'private', 'happy']


def test_the_schema_tells_fields_units_ranges_order_and_version(tmp_path):
    write_dataset(DATASET, tmp_path / 'all.csv')
    schema = json.loads(text_of(tmp_path / 'all.schema.json'))
    assert schema['version'] == 1
    assert schema['rows'] == 4
    names = [field['name'] for field in schema['fields']]
    assert names == ['row', 'split', 'class', *NAMES]
    assert schema['fields'][2]['constraints']['enum'] == list(LABELS)
    jaw = schema['fields'][names.index('jawOpen')]
    assert (jaw['type'], jaw['unit']) == ('number', '1')
    assert (jaw['constraints']['minimum'], jaw['constraints']['maximum']) == (0, 1)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('3,training,happy,', '3,training,joyful,', 'line 2: .*joyful'),
        ('7,private,sad,', '7,secret,sad,', 'line 3: .*secret'),
        ('7,private,sad,', '-7,private,sad,', 'line 3: row'),
        ('7,private,sad,', '7,private,sad,0.5,', 'line 3: 56 fields'),
        ('7,private,sad,', '7,private,sad,0.5x', 'line 3, field _neutral: .*no number'),
        ('7,private,sad,', '7,private,sad,1', '_neutral of the photograph in row 7 is 1'),
        ('row,split', 'line,split', 'line 1: not the fields'),
    ],
)
def test_a_changed_file_is_reported_by_its_line_and_field(tmp_path, old, new, message):
    path = tmp_path / 'all.csv'
    write_dataset(DATASET, path)
    assert text_of(path).count(old) == 1
    path.write_text(text_of(path).replace(old, new), encoding='utf-8')
    with pytest.raises(DataError, match=message):
        read_dataset(path)


def test_a_file_that_was_cut_after_a_line_is_reported(tmp_path):
    path = tmp_path / 'all.csv'
    write_dataset(DATASET, path)
    path.write_text('\n'.join(text_of(path).splitlines()[:-1]), encoding='utf-8')
    with pytest.raises(DataError, match=r'3 photographs where all\.schema\.json promises 4'):
        read_dataset(path)


def test_a_file_that_is_missing_or_no_text_is_reported(tmp_path):
    path = tmp_path / 'all.csv'
    with pytest.raises(DataError, match=r'all\.schema\.json cannot be read \(No such file'):
        read_dataset(path)
    write_dataset(DATASET, path)
    path.write_bytes(b'\xff\x00')
    with pytest.raises(DataError, match=r'all\.csv is not text'):
        read_dataset(path)
    path.unlink()
    with pytest.raises(DataError, match=r'all\.csv cannot be read: No such file'):
        read_dataset(path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda schema: schema.update(version=2), 'version 2'),
        (lambda schema: schema['fields'].reverse(), 'no schema|another order'),
        (lambda schema: schema['fields'].pop(), 'other fields'),
        (lambda schema: schema.pop('rows'), "no schema of a dataset .*'rows'"),
    ],
)
def test_a_schema_of_something_else_is_reported(tmp_path, change, message):
    path = tmp_path / 'all.csv'
    write_dataset(DATASET, path)
    schema = json.loads(text_of(tmp_path / 'all.schema.json'))
    change(schema)
    (tmp_path / 'all.schema.json').write_text(json.dumps(schema), encoding='utf-8')
    with pytest.raises(DataError, match=message):
        read_dataset(path)


@pytest.mark.parametrize(
    ('field', 'wrong', 'message'),
    [
        ('rows', -1, 'the row -1'),
        ('splits', 3, 'the split 3'),
        ('labels', 7, 'the label 7'),
        ('blendshapes', np.nan, '_neutral of the photograph in row 3 is nan'),
        ('blendshapes', 1.01, '_neutral of the photograph in row 3 is 1.01'),
    ],
)
def test_a_value_out_of_its_range_is_refused_before_it_is_written(field, wrong, message):
    parts = {
        name: getattr(DATASET, name).copy() for name in ('rows', 'splits', 'labels', 'blendshapes')
    }
    parts[field].flat[0] = wrong
    with pytest.raises(DataError, match=message):
        BlendshapesDataset(**parts)


def test_shapes_that_disagree_are_refused():
    with pytest.raises(DataError, match=r'\(4,\), \(4,\), \(3,\), \(4, 52\)'):
        BlendshapesDataset(DATASET.rows, DATASET.splits, DATASET.labels[:3], BLENDS)


def test_each_class_gets_a_file_of_its_own(tmp_path):
    written = write_class_files(DATASET, tmp_path / 'classes')
    assert [path.name for path in written] == ['happy.csv', 'sad.csv']
    assert_equal(read_dataset(written[0]), DATASET.take(np.array([0, 3])))
    assert_equal(read_dataset(written[1]), DATASET.take(np.array([1])))


def test_the_index_names_the_photographs_of_the_test_split(tmp_path):
    pictures = ArrayPictures(np.zeros((31, 1, 1), np.uint8), 'made, up')
    write_test_index(DATASET, pictures, tmp_path / 'index.csv')
    assert text_of(tmp_path / 'index.csv').splitlines() == [
        'row,class,picture',
        '7,sad,"made, up row 7"',
        '30,happy,"made, up row 30"',
    ]
