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

"""Wrong answers are told against the truth that fits a model's classes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from emotion_estimator.evaluation.metrics.confusion import confusion
from training import error_analysis, sources
from training.datasets.labels import LABELS, DataError, Split
from training.datasets.pictures import ArrayPictures, LabelledPictures
from training.extraction.face_table import empty_table
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.stills import Stills
from training.targets import truth_for

HAPPY, SAD, NEUTRAL = (LABELS.index(name) for name in ('happy', 'sad', 'neutral'))


class Metadata:
    """What the analysis asks a model's metadata."""

    name = 'made'
    labels = LABELS
    features = ('first',)


class Model:
    """A model whose answers are made."""

    metadata = Metadata()


def stills():
    """Label all 'sad'; voters see happy, sad and nothing clear; the last is not readable."""
    votes = np.zeros((4, len(LABELS)), np.float32)
    votes[[0, 1, 3], [HAPPY, SAD, SAD]] = 10
    votes[2, [HAPPY, SAD]] = 5
    return Stills(
        features=('first', 'second'),
        views=np.zeros((4, 1, 2), np.float32),
        readable=np.array([[True], [True], [True], [False]]),
        labels=np.full(4, SAD),
        votes=votes,
        other_votes=np.zeros((4, 3), np.float32),
        rows=np.arange(4),
    )


def test_seven_classes_are_judged_by_the_voters():
    assert truth_for(LABELS, stills()).tolist() == [HAPPY, SAD, -1, SAD]


def test_the_report_s_classes_are_judged_by_the_labels():
    truth = truth_for(HAPPY_UNKNOWN_SAD.names, stills())
    assert [HAPPY_UNKNOWN_SAD.names[label] for label in truth] == ['sad'] * 4


def test_other_classes_are_refused_by_name():
    with pytest.raises(DataError, match='calm, excited'):
        truth_for(('calm', 'excited'), stills())


def test_the_matrix_has_truths_in_lines_and_answers_in_columns():
    found = confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), ('one', 'two'))
    text = io.StringIO()
    Console(file=text, width=80).print(error_analysis.matrix_table(found, 'made'))
    lines = [line for line in text.getvalue().splitlines() if line.startswith('│')]
    cells = [[cell.strip() for cell in line.split('│')[1:-1]] for line in lines]
    assert cells == [['one', '1', '2'], ['two', '0', '1']]


def test_wrong_answers_are_drawn_with_their_landmarks_and_rows(tmp_path, monkeypatch):
    # Two photographs of another split stand before those of the public one.
    photographs = LabelledPictures(
        'made',
        ArrayPictures(np.zeros((6, 48, 48), np.uint8), 'made'),
        np.full(6, SAD),
        np.array([Split.TRAINING] * 2 + [Split.PUBLIC] * 4),
        np.zeros((6, 7), np.float32),
        np.zeros((6, 3), np.float32),
    )
    faces = empty_table(4)
    faces.places[:] = [(0, 0, 1), (100, 110, 1), (0, 0, 1), (0, 0, 1)]
    answers = np.full((2, len(LABELS)), 0.1)
    answers[0, HAPPY] = answers[1, NEUTRAL] = 0.4
    drawn = []
    monkeypatch.setattr(sources, 'read_photographs', lambda: photographs)
    monkeypatch.setattr(error_analysis, 'read_faces_twice', lambda _pictures, _view: faces)
    monkeypatch.setattr(error_analysis, 'still_probabilities', lambda _model, _stills: answers)
    monkeypatch.setattr(
        error_analysis, 'error_sheet', lambda *arguments: drawn.append(arguments) or []
    )
    stale = tmp_path / 'made_public-7.png'
    stale.touch()
    text = io.StringIO()
    error_analysis.analyse(
        Model(), stills(), Split.PUBLIC, Console(file=text, width=100), tmp_path
    )
    pictures, rows, probabilities, truth, outlines, path, names = drawn[0]
    assert rows.tolist() == [2, 3]
    assert truth.tolist() == [HAPPY, SAD]
    assert probabilities is answers
    assert outlines[1, 0].tolist() == [100, 110]
    assert pictures.read(3).shape == (288, 288, 3)
    assert (path.name, names) == ('made_public.png', LABELS)
    assert not stale.exists()
    # Happy and neutral are positive, sad is negative: one of two is right in either grouping.
    assert text.getvalue().count('accuracy 0.5000') == 2
