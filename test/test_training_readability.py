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

"""Unreadable photographs are counted by class and split, the report's counts beside ours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from training.datasets.labels import LABELS, NO_LABEL, Split
from training.datasets.pictures import ArrayPictures
from training.report import contact_sheet
from training.report.readability import (
    REPORT_UNREADABLE,
    count_unreadable,
    readability_table,
    unreadable_sheet,
)

HAPPY, SAD = LABELS.index('happy'), LABELS.index('sad')
COUNTS = count_unreadable(
    readable=np.array([False, True, True, False, False, False, True]),
    labels=np.array([HAPPY, HAPPY, SAD, SAD, SAD, NO_LABEL, NO_LABEL]),
    splits=np.array([0, 0, 0, 0, 2, 0, 1]),
)


def test_unreadable_photographs_are_counted_by_split_and_class():
    assert COUNTS.unreadable[Split.TRAINING].tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert COUNTS.total[Split.TRAINING].tolist() == [0, 0, 0, 2, 2, 0, 0]
    assert COUNTS.unreadable[Split.PUBLIC].sum() == 0
    assert COUNTS.unreadable[Split.PRIVATE, SAD] == 1


def test_photographs_without_a_label_are_not_counted():
    assert COUNTS.total.sum() == 5


def test_the_percentage_of_no_photographs_is_no_number():
    assert COUNTS.percent[Split.TRAINING, HAPPY] == 50
    assert COUNTS.percent[Split.PRIVATE, SAD] == 100
    assert np.isnan(COUNTS.percent[Split.PUBLIC, HAPPY])


def test_the_report_is_subtracted():
    assert dict(zip(LABELS, COUNTS.difference_from_report)) == {
        'angry': -597,
        'disgusted': -72,
        'scared': -616,
        'happy': 1 - 377,
        'sad': 1 - 835,
        'surprised': -239,
        'neutral': -261,
    }


def test_the_table_states_counts_shares_and_differences():
    text = io.StringIO()
    Console(file=text, width=160).print(readability_table(COUNTS))
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
    figures = []
    monkeypatch.setattr(contact_sheet, 'write_figure', lambda figure, _: figures.append(figure))
    images = np.arange(300, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    rows = np.arange(40, 290)
    written = unreadable_sheet(ArrayPictures(images, 'made'), rows, tmp_path / 'lost.png')
    assert [path.name for path in written] == ['lost-1.png', 'lost-2.png']
    texts = [[text.get_text() for text in figure.axes[0].texts] for figure in figures]
    assert texts[0] == [*map(str, range(40, 280)), '250 unreadable photographs, page 1']
    assert texts[1] == [*map(str, range(280, 290)), '250 unreadable photographs, page 2']


@pytest.mark.parametrize('place', ['doc/lost.png', 'lost.png', 'out/../doc/lost.png'])
def test_no_photograph_is_written_where_git_finds_it(place):
    pictures = ArrayPictures(np.zeros((1, 2, 2), np.uint8), 'made')
    path = contact_sheet.CHECKOUT / place
    with pytest.raises(ValueError, match=r'under .*out'):
        unreadable_sheet(pictures, np.array([0]), path)
    assert not path.with_name('lost-1.png').exists()
