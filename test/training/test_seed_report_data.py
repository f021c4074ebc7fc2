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

"""The seed report's data: photographs counted, chosen, unreadable; the dataset's file."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from emotion_estimator.blendshapes import NAMES
from training import sources
from training.datasets import fer2013
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    ArrayPictures,
    DataError,
    FilePictures,
    LabelledPictures,
    Split,
    assets_folder,
    class_counts,
)
from training.seed_report import counts as module
from training.seed_report import figures
from training.seed_report.counts import (
    REPORT_COUNTS,
    REPORT_UNREADABLE,
    balance_counts,
    balance_table,
    balanced_rows,
    class_count_table,
    count_unreadable,
    readability_table,
    unreadable_sheet,
)
from training.seed_report.dataset import (
    BlendshapesDataset,
    read_dataset,
    write_class_files,
    write_dataset,
    write_test_index,
)
from training.stills import HAPPY_UNKNOWN_SAD

HAPPY, SAD, ANGRY = (LABELS.index(name) for name in ('happy', 'sad', 'angry'))
# FER2013's training split, by the seed report's chapter 3: angry to neutral.
COUNTS = (3995, 436, 4097, 7215, 4830, 3171, 4965)
SHUFFLED = np.random.default_rng(3).permutation(np.repeat(np.arange(7), COUNTS))


@pytest.mark.parametrize('seed', [0, 1, None])
def test_each_class_gets_what_the_report_gave_it(seed):
    rows = balanced_rows(SHUFFLED, seed)
    assert np.bincount(SHUFFLED[rows]).tolist() == [1500, 436, 1500, 4000, 4000, 1500, 1500]
    assert np.bincount(HAPPY_UNKNOWN_SAD.labels(SHUFFLED[rows])).tolist() == [4000, 6436, 4000]
    assert (np.diff(rows) > 0).all()


def test_without_a_seed_the_first_are_taken():
    rows = balanced_rows(SHUFFLED, None)
    happy = np.flatnonzero(LABELS.index('happy') == SHUFFLED)
    np.testing.assert_array_equal(rows[SHUFFLED[rows] == 3], happy[:4000])


def test_a_seed_draws_the_same_rows_again_and_another_seed_others():
    np.testing.assert_array_equal(balanced_rows(SHUFFLED, 5), balanced_rows(SHUFFLED, 5))
    assert not np.array_equal(balanced_rows(SHUFFLED, 5), balanced_rows(SHUFFLED, 6))


def test_rows_without_a_label_are_never_chosen():
    assert balanced_rows(np.array([NO_LABEL, 3, NO_LABEL, 4])).tolist() == [1, 3]


def cells(table):
    """Give the cells of each line, in order."""
    text = io.StringIO()
    Console(file=text, width=160).print(table)
    lines = [line for line in text.getvalue().splitlines() if line.startswith('│')]
    return [[cell.strip() for cell in line.split('│')[1:-1]] for line in lines]


def test_the_report_counts_all_of_fer2013():
    report = np.array(list(REPORT_COUNTS.values()))
    assert report.sum(axis=0).tolist() == [28709, 3589, 3589]
    assert sum(REPORT_COUNTS['sad']) == 6077


def test_counts_stand_beside_the_report_s():
    counts = np.array([REPORT_COUNTS[name] for name in LABELS])
    counts[SAD] -= [30, 0, 4]
    table = class_count_table(counts)
    found = {line[0]: line[1:] for line in cells(table)}
    assert found['sad'] == ['6043', '6077', '4800', '4830', '653', '653', '590', '594']
    assert found['all'][:2] == ['35853', '35887']
    assert list(found)[:2] == ['happy', 'sad']
    assert '2 of 21' in str(table.caption)


def test_the_choice_is_counted_before_and_after_faces_are_sought(monkeypatch):
    monkeypatch.setitem(module.MOST_OF_CLASS, 'happy', 3)
    labels = np.array([HAPPY] * 5 + [SAD, SAD, ANGRY, NO_LABEL])
    chosen = balanced_rows(labels, seed=None)
    readable = np.array([1, 0, 1, 1, 1, 0, 1, 1, 1], bool)
    counts = balance_counts(labels, chosen, readable)
    assert counts[HAPPY].tolist() == [5, 3, 2]
    assert counts[SAD].tolist() == [2, 2, 1]
    assert counts[ANGRY].tolist() == [1, 1, 1]
    assert counts.sum(axis=0).tolist() == [8, 6, 4]


def test_the_table_adds_up_the_report_s_three_classes():
    counts = np.arange(21).reshape(7, 3)
    found = cells(balance_table(counts))
    assert found[SAD] == ['sad', 'sad', '12', '4000', '13', '14']
    unknown = counts[[i for i in range(7) if i not in (HAPPY, SAD)]].sum(axis=0)
    assert found[8] == ['', 'unknown', str(unknown[0]), '', str(unknown[1]), str(unknown[2])]
    assert found[10] == ['', 'all', '63', '', '70', '77']


REAL = assets_folder() / 'fer2013' / 'fer2013.npz'


def counted(labels, splits):
    nothing = np.zeros(len(labels), np.float32)
    return class_counts(
        LabelledPictures(
            name='made',
            pictures=ArrayPictures(np.zeros((len(labels), 2, 2), np.uint8), 'made'),
            labels=np.array(labels, np.int64),
            splits=np.array(splits, np.int64),
            votes=np.zeros((len(labels), 7), np.float32),
            other_votes=nothing,
        )
    )


def test_classes_are_counted_by_split_without_what_has_no_label():
    counts = counted([3, 3, 3, 6, NO_LABEL], [0, 0, 2, 1, 0])
    assert counts.shape == (7, 3)
    assert counts[LABELS.index('happy')].tolist() == [2, 0, 1]
    assert counts[LABELS.index('neutral')].tolist() == [0, 1, 0]
    assert counts.sum() == 4


@pytest.mark.skipif(not REAL.is_file(), reason=f'{REAL} is not on this machine')
def test_the_counts_of_the_photographs_are_those_of_the_report():
    counts = class_counts(fer2013.read(REAL))
    assert {name: tuple(counts[LABELS.index(name)]) for name in LABELS} == REPORT_COUNTS


UNREAD = count_unreadable(
    readable=np.array([False, True, True, False, False, False, True]),
    labels=np.array([HAPPY, HAPPY, SAD, SAD, SAD, NO_LABEL, NO_LABEL]),
    splits=np.array([0, 0, 0, 0, 2, 0, 1]),
)


def test_unreadable_photographs_are_counted_by_split_and_class():
    assert UNREAD.unreadable[Split.TRAINING].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert UNREAD.total[Split.TRAINING].tolist() == [0, 0, 0, 2, 2, 0, 0]
    assert UNREAD.unreadable[Split.PUBLIC].sum() == 0
    assert UNREAD.unreadable[Split.PRIVATE, SAD] == 1


def test_photographs_without_a_label_are_not_counted():
    assert UNREAD.total.sum() == 5


def test_the_percentage_of_no_photographs_is_no_number():
    assert UNREAD.percent[Split.TRAINING, HAPPY] == 50
    assert UNREAD.percent[Split.PRIVATE, SAD] == 100
    assert np.isnan(UNREAD.percent[Split.PUBLIC, HAPPY])


def test_the_table_states_counts_shares_and_differences():
    lines = {line[0]: line[1:] for line in cells(readability_table(UNREAD))}
    assert lines['sad'] == ['1 of 2', '50.0', '835', '-834', '0 of 0', '-', '1 of 1', '100.0']
    assert f'{sum(REPORT_UNREADABLE)}' in lines['all']
    assert '2 of 4' in lines['all']


def test_the_sheet_shows_each_photograph_with_its_index(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, 'write_figure', lambda figure, _: drawn.append(figure))
    images = np.arange(300, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    rows = np.arange(40, 290)
    written = unreadable_sheet(ArrayPictures(images, 'made'), rows, tmp_path / 'lost.png')
    assert [path.name for path in written] == ['lost-1.png', 'lost-2.png']
    texts = [[text.get_text() for text in figure.axes[0].texts] for figure in drawn]
    assert texts[0] == [*map(str, range(40, 280)), '250 unreadable photographs, page 1']
    assert texts[1] == [*map(str, range(280, 290)), '250 unreadable photographs, page 2']


@pytest.mark.parametrize('place', ['doc/lost.png', 'lost.png', 'out/../doc/lost.png'])
def test_no_photograph_is_written_where_git_finds_it(place):
    pictures = ArrayPictures(np.zeros((1, 2, 2), np.uint8), 'made')
    path = sources.REPOSITORY / place
    with pytest.raises(ValueError, match=r'under .*out'):
        unreadable_sheet(pictures, np.array([0]), path)
    assert not path.with_name('lost-1.png').exists()


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
    assert write_class_files(DATASET.take(np.array([1])), tmp_path / 'classes') == written[1:]
    left = sorted(path.name for path in (tmp_path / 'classes').iterdir())
    assert left == ['sad.csv', 'sad.schema.json']


def test_the_index_names_the_photographs_of_the_test_split(tmp_path):
    pictures = ArrayPictures(np.zeros((31, 1, 1), np.uint8), 'made, up')
    write_test_index(DATASET, pictures, tmp_path / 'index.csv')
    assert text_of(tmp_path / 'index.csv').splitlines() == [
        'row,class,picture',
        '7,sad,"made, up row 7"',
        '30,happy,"made, up row 30"',
    ]
    files = FilePictures([Path(os.fsdecode(b'caf\xe9.png'))] * 31)
    write_test_index(DATASET, files, tmp_path / 'index.csv')
    assert (tmp_path / 'index.csv').read_bytes().endswith(b'30,happy,caf\xe9.png\n')
