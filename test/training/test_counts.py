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

"""Photographs are counted, chosen and found unreadable; the seed report's counts stand beside."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from training import sources
from training.datasets import fer2013
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    ArrayPictures,
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
from training.stills import HAPPY_UNKNOWN_SAD

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


HAPPY, SAD, ANGRY = (LABELS.index(name) for name in ('happy', 'sad', 'angry'))


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
    text = io.StringIO()
    Console(file=text, width=160).print(readability_table(UNREAD))
    lines = {line.split()[1]: line for line in text.getvalue().splitlines() if '│' in line}
    assert [cell.strip() for cell in lines['sad'].split('│')[1:-1]] == [
        'sad',
        '1 of 2',
        '50.0',
        '835',
        '-834',
        '0 of 0',
        '-',
        '1 of 1',
        '100.0',
    ]
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
