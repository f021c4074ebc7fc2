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

"""Figures and sheets show everything in its place; a model's wrong answers are drawn on them."""

from __future__ import annotations

import io
import os
from argparse import Namespace

import cv2
import numpy as np
import pytest
from rich.console import Console

from emotion_estimator.evaluation.classification_metrics import calibration_error, confusion
from training import sources
from training.commands import command, studies
from training.datasets.pictures import (
    LABELS,
    ArrayPictures,
    DataError,
    FilePictures,
    LabelledPictures,
    Split,
)
from training.extraction.face_reader import empty_table
from training.seed_report import figures
from training.seed_report.figures import (
    GAP_PX,
    LINE_PX,
    REPORT_CONFUSION,
    TITLE_PX,
    Cell,
    Layout,
    cell_of,
    class_table,
    draw_confusion,
    draw_reliability,
    error_order,
    error_sheet,
    write_pages,
)
from training.stills import HAPPY_UNKNOWN_SAD, Stills, truth_for


@pytest.fixture
def drawn(monkeypatch):
    """Keep plots as figures instead of files."""
    kept = []
    monkeypatch.setattr(figures, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


LAYOUT = Layout(columns=2, rows=2, side_px=40, caption_lines=1)


def pages(cells, tmp_path):
    written = write_pages(cells, LAYOUT, tmp_path / 'sheet.png', 'title')
    return [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in written]


def field(page, place):
    row, column = divmod(place, LAYOUT.columns)
    top = TITLE_PX + row * (LAYOUT.side_px + LINE_PX + GAP_PX)
    left = GAP_PX + column * (LAYOUT.side_px + GAP_PX)
    return page[top : top + LAYOUT.side_px, left : left + LAYOUT.side_px]


def test_every_picture_stands_in_its_place_on_its_page(tmp_path):
    cells = [Cell(np.full((5, 5), 10 * grey, np.uint8), 'x') for grey in range(1, 6)]
    first, second = pages(cells, tmp_path)
    assert [field(first, place).mean() for place in range(4)] == [10, 20, 30, 40]
    assert field(second, 0).mean() == 50
    assert second.shape[0] < first.shape[0], 'the last page ends with its last line'


def test_a_wide_picture_keeps_its_shape(tmp_path):
    rgb = np.zeros((10, 20, 3), np.uint8)
    rgb[..., 0] = 200
    (page,) = pages([Cell(rgb, 'x')], tmp_path)
    drawn = field(page, 0)
    assert (drawn[10:30] == (200, 0, 0)).all()
    assert (drawn[:10] == 255).all()
    assert (drawn[30:] == 255).all()


def test_dots_stand_on_the_pixels_they_name(tmp_path):
    dots = np.array([[5, 2.5, 0.1], [-3, 2.5, 0], [2, 11, 0]], np.float32)
    (page,) = pages([Cell(np.zeros((10, 10), np.uint8), '', dots)], tmp_path)
    green = field(page, 0)[..., 1].astype(float)
    ys, xs = np.nonzero(green)
    # The picture is drawn four times as large; a pixel's middle is half a pixel off its corner.
    assert np.average(xs + 0.5, weights=green[ys, xs]) == pytest.approx(20, abs=0.5)
    assert np.average(ys + 0.5, weights=green[ys, xs]) == pytest.approx(10, abs=0.5)
    around = page.copy()
    field(around, 0)[:] = 255
    assert not ((around[..., 1] > around[..., 0]).any()), 'dots outside are not drawn'


def test_a_picture_that_cannot_be_read_does_not_stop_the_sheet(tmp_path):
    good = tmp_path / 'good.png'
    cv2.imwrite(str(good), np.full((4, 4), 90, np.uint8))
    pictures = FilePictures([tmp_path / 'missing.png', good])
    dots = np.zeros((1, 2), np.float32)
    (page,) = pages([cell_of(pictures, index, str(index), dots[:0]) for index in (0, 1)], tmp_path)
    assert field(page, 0).mean() == 200
    assert field(page, 1).mean() == 90


def test_no_pictures_make_no_page(tmp_path):
    assert pages([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_pages_that_an_earlier_call_left_go_and_those_of_other_sheets_stay(tmp_path):
    for number in ('1', '7', 'night-7'):
        (tmp_path / f'sheet-{number}.png').touch()
    assert len(pages([Cell(np.zeros((4, 4), np.uint8), '')], tmp_path)) == 1
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['sheet-1.png', 'sheet-night-7.png']


# Wrong answers are drawn, the surest first, with truth, answer and landmarks.


NAMES = ('happy', 'unknown', 'sad')
PROBABILITIES = np.array(
    [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9], [0.1, 0.6, 0.3], [0.1, 0.2, 0.7]]
)
TRUTH = np.array([2, 0, 2, -1, 1])


def draw(tmp_path, landmarks, truth=TRUTH, per_page=2):
    pictures = ArrayPictures(np.zeros((20, 4, 4), np.uint8), 'made')
    rows = np.arange(10, 15)
    path = tmp_path / 'errors.png'
    return error_sheet(pictures, rows, PROBABILITIES, truth, landmarks, path, NAMES, per_page)


def test_wrong_answers_come_the_surest_first_and_right_ones_not_at_all():
    # Of two equally sure ones (.7) the first comes first; row 3 has no label.
    assert error_order(PROBABILITIES, TRUTH).tolist() == [1, 4, 0]


def test_index_truth_and_answer_stand_under_each_photograph(tmp_path, drawn):
    written = draw(tmp_path, np.ones((5, 478, 3), np.float32))
    assert [path.name for path in written] == ['errors-1.png', 'errors-2.png']
    texts = [text.get_text() for figure in drawn for text in figure.axes[0].texts]
    assert texts == [
        '11\ntruth happy 0.20\nanswer unknown 0.70',
        '14\ntruth unknown 0.20\nanswer sad 0.70',
        '3 of 5 answers are wrong, the surest first, page 1',
        '10\ntruth sad 0.20\nanswer happy 0.50',
        '3 of 5 answers are wrong, the surest first, page 2',
    ]


def test_a_face_without_landmarks_gets_no_dots(tmp_path, drawn):
    landmarks = np.ones((5, 478, 3), np.float32)
    landmarks[4, 100, 1] = np.nan
    draw(tmp_path, landmarks, per_page=32)
    assert [len(dots.get_offsets()) for dots in drawn[0].axes[0].collections] == [478, 478]


def test_right_answers_alone_make_no_page(tmp_path, drawn):
    right = PROBABILITIES.argmax(axis=1)
    assert draw(tmp_path, np.ones((5, 478, 3), np.float32), right) == []
    assert drawn == []


# A model's answers are compared with the truth that fits its classes.


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


def test_voters_give_the_truth_of_seven_classes():
    assert truth_for(LABELS, stills()).tolist() == [HAPPY, SAD, -1, SAD]


def test_labels_give_the_truth_of_the_seed_report_s_classes():
    truth = truth_for(HAPPY_UNKNOWN_SAD.names, stills())
    assert [HAPPY_UNKNOWN_SAD.names[label] for label in truth] == ['sad'] * 4


def test_other_classes_are_refused_by_name():
    with pytest.raises(DataError, match='calm, excited'):
        truth_for(('calm', 'excited'), stills())


def test_the_matrix_has_truths_in_lines_and_answers_in_columns():
    found = confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), ('one', 'two'))
    text = io.StringIO()
    Console(file=text, width=80).print(studies.matrix_table(found, 'made'))
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
    monkeypatch.setattr(studies, 'read_faces_twice', lambda _pictures, _view: faces)
    monkeypatch.setattr(studies, 'still_probabilities', lambda *_: answers)
    monkeypatch.setattr(studies, 'error_sheet', lambda *arguments: drawn.append(arguments) or [])
    text = io.StringIO()
    # Behind the photographs of the training split others stand.
    more = stills().select(np.array([0, 1, 2, 3, 1]))
    studies.analyse_errors(Model(), more, Split.PUBLIC, Console(file=text, width=100), tmp_path)
    pictures, rows, probabilities, truth, outlines, path, names = drawn[0]
    assert rows.tolist() == [2, 3]
    assert truth.tolist() == [HAPPY, SAD]
    assert probabilities is answers
    assert outlines[1, 0].tolist() == [100, 110]
    assert pictures.read(3).shape == (288, 288, 3)
    assert (path.name, names) == ('made_public.png', LABELS)
    # Happy and neutral are positive, sad is negative: one of two is right in either grouping.
    assert text.getvalue().count('accuracy 0.5000') == 2


def test_thresholds_are_of_publictest_alone_where_no_other_people_are(
    monkeypatch, capsys, tmp_path
):
    happy = np.eye(len(LABELS))[[HAPPY] * 2]
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path))
    monkeypatch.setattr(studies, 'EmotionModel', lambda _: Model())
    monkeypatch.setattr(studies, 'read_stills', lambda _: stills())
    monkeypatch.setattr(studies, 'held_probabilities', lambda *_: lambda _: happy)
    studies.thresholds(Namespace())
    said = capsys.readouterr().out
    assert f'PublicTest stands alone: {tmp_path}/ood holds no labelled pictures' in said
    assert '1.000 0.500 0.500 nan' in said


def test_a_command_says_before_its_work_that_it_cannot_write(tmp_path, monkeypatch, capsys):
    (tmp_path / 'file').write_text('no folder')
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'file' / 'out')
    assert studies.main(['errors']) == 2
    assert 'file is a file, not a folder' in capsys.readouterr().err


def test_names_that_are_no_utf_8_are_told_and_drawn(tmp_path, monkeypatch):
    name = os.fsdecode(b'caf\xe9')
    answers = np.eye(7)[[HAPPY, SAD]]
    answered = studies.Answered(
        np.arange(2), answers, np.array([HAPPY, HAPPY]), np.zeros((2, 4, 2), np.float32)
    )
    pictures = ArrayPictures(np.zeros((2, 48, 48), np.uint8), 'made')
    told = io.TextIOWrapper(io.BytesIO(), 'utf-8', errors='strict')
    monkeypatch.setattr('sys.stdout', told)
    monkeypatch.setattr(sources, 'OUT', tmp_path)

    def main(_):
        print(name)
        written = studies._draw_errors(Model(), answered, pictures, name, Console(), tmp_path)
        return sum(path.is_file() for path in written)

    assert command(main)([]) == 2
    told.flush()
    assert b'caf\\udce9\n' in told.buffer.getvalue()


# Confusions are counted and scored as by hand.


FOUND = confusion(np.array([0, 0, 1, 1, -1, 0, 2, 1]), np.array([0, 0, 0, 1, 1, 2, 2, -1]), NAMES)


def test_truth_is_a_line_and_the_answer_a_column():
    assert FOUND.counts.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert FOUND.unanswered.tolist() == [0, 1, 0]


def test_no_answer_counts_as_wrong():
    np.testing.assert_allclose(FOUND.precision, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(FOUND.recall, [2 / 3, 1 / 2, 1 / 2])
    np.testing.assert_allclose(FOUND.f1, [2 / 3, 1 / 2, 2 / 3])
    assert FOUND.accuracy == pytest.approx(4 / 7)


def test_what_was_never_answered_has_no_precision():
    found = confusion(np.array([0, 0]), np.array([0, 1]), NAMES)
    np.testing.assert_array_equal(found.precision, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(found.recall, [1, 0, np.nan])
    assert found.means == pytest.approx((0.5 / 3, 1 / 3, (2 / 3) / 3))


def test_the_reports_matrix_has_the_reports_scores():
    assert REPORT_CONFUSION.support.tolist() == [291, 1110, 245]
    assert REPORT_CONFUSION.accuracy == pytest.approx(0.7199, abs=5e-5)
    assert REPORT_CONFUSION.means[2] == pytest.approx(0.6298, abs=5e-5)


def test_the_table_has_a_line_for_each_class_and_their_mean():
    text = io.StringIO()
    Console(file=text, width=100).print(class_table(FOUND, 'scores'))
    lines = [line.split() for line in text.getvalue().splitlines() if '│' in line]
    cells = [[word for word in line if word != '│'] for line in lines]
    assert cells == [
        ['happy', '3', '0.667', '0.667', '0.667'],
        ['unknown', '2', '0.500', '0.500', '0.500'],
        ['sad', '2', '1.000', '0.500', '0.667'],
        ['mean', '7', '0.722', '0.556', '0.611'],
    ]
    assert 'accuracy 0.5714' in text.getvalue()


def test_each_field_states_its_share_and_count(tmp_path, drawn):
    draw_confusion(FOUND, tmp_path / 'x.png', 'trial')
    axis = drawn[0].axes[0]
    assert [text.get_text() for text in axis.texts[:4]] == [
        '0.67\n2',
        '0.33\n1',
        '0.00\n0',
        '0.00\n0',
    ]
    columns = [label.get_text() for label in axis.get_xticklabels()]
    assert columns == ['happy', 'unknown', 'sad', 'no answer']
    assert axis.texts[7].get_text() == '0.50\n1'


def test_the_picture_is_a_png(tmp_path):
    draw_confusion(REPORT_CONFUSION, tmp_path / 'made' / 'x.png', 'report')
    image = cv2.imread(str(tmp_path / 'made' / 'x.png'))
    # Without a column for no answers: (3 + 3 x .85) x (2.2 + 3 x .75) inches of 100 pixels.
    assert image.shape == (445, 555, 3)


CHANCES = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
RATED_TRUTH = np.array([0, 1, 1, 1, 0])


def test_the_diagram_states_the_error_and_the_counts(tmp_path, drawn):
    draw_reliability(CHANCES, RATED_TRUTH, tmp_path / 'x.png', 'trial')
    error = calibration_error(CHANCES, RATED_TRUTH)
    title = drawn[0].get_suptitle()
    assert title == f'trial\nECE {error:.3f} over 15 bins, 5 photographs'
    above, below = drawn[0].axes
    heights = [bar.get_height() for bar in below.patches]
    assert heights == [0] * 9 + [1, 0, 0, 1, 2, 1]
    assert above.patches[12].get_height() == 1
