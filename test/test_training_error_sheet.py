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

"""Wrong answers are drawn, the surest first, with truth, answer and landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from training.datasets.pictures import ArrayPictures
from training.report import contact_sheet
from training.report.error_sheet import error_order, error_sheet

NAMES = ('happy', 'unknown', 'sad')
PROBABILITIES = np.array(
    [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9], [0.1, 0.6, 0.3], [0.1, 0.2, 0.7]]
)
TRUTH = np.array([2, 0, 2, -1, 1])


@pytest.fixture
def figures(monkeypatch):
    """Keep pages as figures instead of files."""
    kept = []
    monkeypatch.setattr(contact_sheet, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


def draw(tmp_path, landmarks, truth=TRUTH, per_page=2):
    pictures = ArrayPictures(np.zeros((20, 4, 4), np.uint8), 'made')
    rows = np.arange(10, 15)
    path = tmp_path / 'errors.png'
    return error_sheet(pictures, rows, PROBABILITIES, truth, landmarks, path, NAMES, per_page)


def test_wrong_answers_come_the_surest_first_and_right_ones_not_at_all():
    # Of two equally sure ones (.7) the first comes first; row 3 has no label.
    assert error_order(PROBABILITIES, TRUTH).tolist() == [1, 4, 0]


def test_index_truth_and_answer_stand_under_each_photograph(tmp_path, figures):
    written = draw(tmp_path, np.ones((5, 478, 3), np.float32))
    assert [path.name for path in written] == ['errors-1.png', 'errors-2.png']
    texts = [text.get_text() for figure in figures for text in figure.axes[0].texts]
    assert texts == [
        '11\ntruth happy 0.20\nanswer unknown 0.70',
        '14\ntruth unknown 0.20\nanswer sad 0.70',
        '3 of 5 answers are wrong, the surest first, page 1',
        '10\ntruth sad 0.20\nanswer happy 0.50',
        '3 of 5 answers are wrong, the surest first, page 2',
    ]


def test_a_face_without_landmarks_gets_no_dots(tmp_path, figures):
    landmarks = np.ones((5, 478, 3), np.float32)
    landmarks[4, 100, 1] = np.nan
    draw(tmp_path, landmarks, per_page=32)
    assert [len(dots.get_offsets()) for dots in figures[0].axes[0].collections] == [478, 478]


def test_right_answers_alone_make_no_page(tmp_path, figures):
    right = PROBABILITIES.argmax(axis=1)
    assert draw(tmp_path, np.ones((5, 478, 3), np.float32), right) == []
    assert figures == []
