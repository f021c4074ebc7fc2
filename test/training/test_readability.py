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
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from training.datasets.labels import LABELS, NO_LABEL, Split
from training.datasets.pictures import ArrayPictures
from training.extraction.views import X4_PAD25, flipped
from training.seed_report import sheets
from training.seed_report.readability import (
    FLIPPED,
    REPORT_UNREADABLE,
    count_unreadable,
    flip_agreement,
    flip_table,
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
    monkeypatch.setattr(sheets, 'write_figure', lambda figure, _: figures.append(figure))
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
    path = sheets.CHECKOUT / place
    with pytest.raises(ValueError, match=r'under .*out'):
        unreadable_sheet(pictures, np.array([0]), path)
    assert not path.with_name('lost-1.png').exists()


# Swapped blendshapes are compared with those of the mirror image, shape by shape.


RNG = np.random.default_rng(1)
STRAIGHT = RNG.uniform(0, 1, (50, len(NAMES))).astype(np.float32)
MIRRORED = STRAIGHT[:, list(MIRROR)]
LEFT, RIGHT = INDEX['mouthSmileLeft'], INDEX['mouthSmileRight']


def test_a_symmetric_finder_agrees_wholly():
    found = flip_agreement(STRAIGHT, MIRRORED)
    assert found.photographs == 50
    assert found.median.max() == found.high.max() == 0
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))


def test_unswapped_blendshapes_do_not_agree():
    found = flip_agreement(STRAIGHT, STRAIGHT)
    assert found.median[LEFT] > 0.1
    assert found.median[INDEX['jawOpen']] == 0


def test_differences_are_those_of_the_shape_that_the_mirror_image_shows():
    other = MIRRORED.copy()
    other[:, LEFT] = STRAIGHT[:, RIGHT] + np.linspace(0, 1, 50)
    found = flip_agreement(STRAIGHT, other)
    assert found.median[LEFT] == pytest.approx(0.5)
    assert found.high[LEFT] == pytest.approx(0.95)
    assert found.median[RIGHT] == 0


def test_a_scaled_shape_correlates_although_it_differs():
    found = flip_agreement(STRAIGHT, MIRRORED / 2)
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))
    assert found.median.min() > 0.1


def test_a_constant_shape_has_no_correlation():
    constant = MIRRORED.copy()
    constant[:, LEFT] = 0.25
    found = flip_agreement(STRAIGHT, constant)
    assert np.isnan(found.correlation[LEFT])
    assert found.as_dict()['mouthSmileLeft']['correlation'] is None
    assert found.as_dict()['mouthSmileRight'] == {
        'median_absolute_difference': 0.0,
        'p95_absolute_difference': 0.0,
        'correlation': 1.0,
    }


def test_the_table_begins_with_what_differs_most():
    other = MIRRORED.copy()
    other[:, LEFT] = 0
    text = io.StringIO()
    Console(file=text, width=120).print(flip_table(flip_agreement(STRAIGHT, other)))
    lines = [line.split()[1:] for line in text.getvalue().splitlines() if line.startswith('│')]
    assert lines[0][0] == 'mouthSmileLeft'
    assert lines[0][-2] == '-'
    assert lines[1][-2] == '1.000'
    assert len(lines) == len(NAMES)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(8, 60))
def test_the_flipped_view_is_the_mirror_image_of_the_prepared_picture(seed, height, width):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    assert np.array_equal(FLIPPED.picture(picture), flipped(X4_PAD25.picture(picture)))
