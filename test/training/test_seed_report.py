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

"""The seed report's steps, and what they find: which blendshapes tell, how mirrored ones agree."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from training.commands import seed_report as steps
from training.commands import train
from training.commands.seed_report import SeenPhotographs, look
from training.datasets.pictures import LABELS, ArrayPictures, DataError, LabelledPictures, Split
from training.extraction.face_reader import empty_table
from training.extraction.views import X4_PAD25, flipped
from training.seed_report import blendshapes
from training.seed_report.blendshapes import (
    FLIPPED,
    Relevance,
    flip_agreement,
    flip_table,
    images_above,
    information,
    measure_relevance,
    names_where,
    relevance_table,
)
from training.seed_report.dataset import read_dataset

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


def test_photographs_without_two_faces_of_an_expression_are_refused(
    photographs, console, monkeypatch
):
    few = photographs.select(np.arange(1, 8))  # an expression each
    monkeypatch.setattr(steps.sources, 'read_photographs', lambda: few)
    monkeypatch.setattr(steps, 'read_faces_twice', lambda *each: steps.read_faces(*each))
    with pytest.raises(DataError, match=r'No two faces of one expression .* view native'):
        steps.run(False, X4_PAD25.name, 1, console)


@pytest.mark.parametrize('given_seed', ['-1', '2147483648', 'one'])
def test_a_seed_that_is_none_is_refused_before_the_work(given_seed, capsys):
    for main in (steps.main, train.main):
        with pytest.raises(SystemExit, match='2'):
            main(['--seed', given_seed])
        assert f"'{given_seed}' is no whole number from 0 to" in capsys.readouterr().err


# The rule keeps what its words say.


def made_relevance() -> Relevance:
    """Make one in which the rule keeps three shapes and overlooks cheekPuff."""
    images, sad = np.zeros(52, np.int64), np.zeros(52)
    images[[INDEX['jawOpen'], INDEX['mouthPucker'], INDEX['mouthSmileLeft']]] = 101
    images[INDEX['cheekPuff']] = 100
    sad[INDEX['jawOpen']], sad[INDEX['mouthPucker']], sad[INDEX['mouthSmileLeft']] = 0.1, 0.2, 0.4
    sad[INDEX['cheekPuff']], sad[INDEX['jawForward']] = 0.3, 0.15
    return Relevance(images, np.linspace(0, 1, 52), sad)


def test_a_shape_is_kept_that_passes_the_threshold_in_more_than_a_hundred_photographs():
    blends = np.zeros((150, 52), np.float32)
    blends[:101, INDEX['jawOpen']] = 0.41
    blends[:100, INDEX['cheekPuff']] = 1.0
    blends[:, INDEX['mouthPucker']] = 0.39
    relevance = Relevance(images_above(blends), np.zeros(52), np.zeros(52))
    assert names_where(relevance.kept) == ('jawOpen',)
    assert relevance.images[INDEX['cheekPuff']] == 100


def test_a_dropped_shape_is_overlooked_that_tells_more_than_half_of_the_kept():
    relevance = made_relevance()
    assert names_where(relevance.kept) == ('jawOpen', 'mouthPucker', 'mouthSmileLeft')
    assert names_where(relevance.overlooked) == ('cheekPuff',)


def test_everything_is_overlooked_where_nothing_is_kept():
    assert Relevance(np.zeros(52, np.int64), np.zeros(52), np.zeros(52)).overlooked.all()


def test_the_table_begins_with_what_tells_most_of_sad():
    text = io.StringIO()
    Console(file=text, width=120).print(relevance_table(made_relevance()))
    lines = [line.split('│')[1:-1] for line in text.getvalue().splitlines() if '│' in line]
    found = [[cell.strip() for cell in line] for line in lines[:3]]
    assert found[0] == ['mouthSmileLeft', '101', f'{44 / 51:.3f}', '0.400', 'keeps']
    assert found[1][0::4] == ['cheekPuff', 'drops, though it tells sad']
    assert found[2][0::4] == ['mouthPucker', 'keeps']
    assert len(lines) == 52


@pytest.fixture
def drawn(monkeypatch):
    """Keep plots as figures instead of files."""
    kept = []
    monkeypatch.setattr(blendshapes, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


def test_the_scatter_plots_show_the_first_two_thousand_of_all_shapes(tmp_path, drawn):
    blends = np.random.default_rng(0).random((2100, 52), np.float32)
    blendshapes.draw_scatter(blends, tmp_path / 'x.png')
    drawn = [axis for axis in drawn[0].axes if axis.collections]
    assert [axis.get_title() for axis in drawn] == [f'{i} {name}' for i, name in enumerate(NAMES)]
    points = drawn[7].collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], blends[:2000, 7])


def test_the_bars_of_one_photograph_are_its_blendshapes_by_name(tmp_path, drawn):
    blends = np.linspace(0, 1, 52, dtype=np.float32)
    blendshapes.draw_blendshapes(blends, tmp_path / 'x.png', 'row 3')
    (axis,) = drawn[0].axes
    assert tuple(label.get_text() for label in axis.get_yticklabels()) == NAMES
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches], blends)


def test_the_bars_of_information_are_coloured_by_the_rule(tmp_path, drawn):
    blendshapes.draw_information(made_relevance(), tmp_path / 'x.png')
    axis = drawn[0].axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[:2] == ['mouthSmileLeft', 'cheekPuff']
    kept, dropped = (bar.get_facecolor() for bar in axis.patches[:2])
    assert kept[1] > kept[0], 'green'
    assert dropped[0] > dropped[1], 'red'
    weights = [label.get_fontweight() for label in axis.get_yticklabels()]
    assert weights.count('bold') == 1
    assert weights[1] == 'bold'


# Mutual information tells a shape that knows the class from one that does not.


def test_a_shape_that_tells_the_class_has_its_entropy_and_another_nothing():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 2
    noise = rng.random(1000)
    # Millionths of a shape's range: what the seed report's threshold cannot see.
    tiny = 1e-6 * (labels + 0.1 * noise)
    found = information(np.column_stack([tiny, rng.random(1000)]).astype(np.float32), labels)
    assert found[0] == pytest.approx(np.log(2), abs=0.03)
    assert found[1] < 0.03


def test_the_estimate_is_the_same_each_time():
    blends = np.random.default_rng(1).random((200, 3)).astype(np.float32)
    labels = np.arange(200) % 3
    np.testing.assert_array_equal(information(blends, labels), information(blends, labels))


def test_a_small_shape_that_tells_sad_is_overlooked_by_the_rule():
    rng = np.random.default_rng(2)
    labels = np.arange(350) % 7
    blends = np.zeros((350, 52), np.float32)
    blends[:, INDEX['jawOpen']] = 0.41 + 0.5 * rng.random(350)
    blends[:, INDEX['mouthFrownLeft']] = 0.01 * (labels == SAD) + 0.001 * rng.random(350)
    relevance = measure_relevance(blends, labels)
    assert names_where(relevance.kept) == ('jawOpen',)
    assert 'mouthFrownLeft' in names_where(relevance.overlooked)
    assert relevance.about_sad.argmax() == INDEX['mouthFrownLeft']


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
