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

"""The report's steps are taken of the photographs that were looked at, and written whole."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from training.commands import seed_report as steps
from training.commands.seed_report import SeenPhotographs, look
from training.datasets.labels import LABELS, Split
from training.datasets.pictures import ArrayPictures, LabelledPictures
from training.extraction.face_reader import empty_table
from training.extraction.views import X4_PAD25
from training.seed_report.blendshapes import FLIPPED
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
