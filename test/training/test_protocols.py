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

"""Protocols F7, P7, R and X on answers whose scores are known; R on the seed report's rows too."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.faces import media_path

from emotion_estimator.blendshapes import INDEX, NAMES
from emotion_estimator.emotion.decision import TRUSTED_NAMES
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.files import AssetError
from emotion_estimator.parameters import read_parameters
from training import sources
from training.datasets.pictures import (
    LABELS,
    DataError,
    FilePictures,
    LabelledPictures,
    PeoplesPictures,
    Split,
    assets_folder,
)
from training.fitting import fit_temperature
from training.protocols.other_people import (
    ANSWERED,
    COVERED,
    NO_ANSWER,
    NO_FACE,
    TURNED,
    UNSURE,
    Answers,
    HeldFaces,
    Peer,
    decide,
    find_held_faces,
    held_probabilities,
    scores,
    surest,
    truth_of,
)
from training.protocols.stills import (
    REPORT_LABELS,
    REPORT_METRICS,
    ReportRows,
    f7_scores,
    p7_scores,
    read_matched_rows,
    report_scores,
)
from training.seed_report.figures import REPORT_CONFUSION
from training.stills import HAPPY_UNKNOWN_SAD, Stills

needs_report = pytest.mark.skipif(
    not (assets_folder() / 'report' / 'report_test_rows.csv').is_file(),
    reason="the assets folder lacks the seed report's rows",
)


def rows(labels, photographs=None):
    labels = np.array(labels)
    return ReportRows(
        np.arange(len(labels)) if photographs is None else np.array(photographs), labels
    )


def table(count=1647, **changed):
    lines = [f'{index},{index + 5},0.1,{index % 3}' for index in range(count)]
    for index, line in changed.items():
        lines[int(index[1:])] = line
    return '\n'.join(['report_row,fer2013_row,l2_distance,report_label', *lines]) + '\n'


def test_scores_of_the_reports_confusion_matrix_are_the_reports():
    counts = REPORT_CONFUSION.counts
    truth, answers = np.indices((3, 3)).reshape(2, 9).repeat(counts.ravel(), axis=1)
    sure = 0.98 * np.eye(3)[answers] + 0.02 / 3
    found = report_scores(sure, np.ones(1646, bool), rows(truth), np.full(3, 1 / 3))
    np.testing.assert_array_equal(found.confusion.counts, counts)
    assert found.accuracy.value == pytest.approx(REPORT_METRICS['r_accuracy'], abs=5e-5)
    assert found.macro_f1.value == pytest.approx(REPORT_METRICS['r_macro_f1'], abs=5e-5)
    assert [one.value for one in found.recalls] == pytest.approx([251 / 291, 850 / 1110, 84 / 245])
    # The standard error of an accuracy of .72 over 1,646 rows is .011.
    assert found.accuracy.high - found.accuracy.low == pytest.approx(2 * 1.96 * 0.01107, rel=0.1)


def test_a_row_that_cannot_be_read_is_unknown_with_the_shares_of_the_training():
    report = rows([0, 1, 2, 2], photographs=[7, 8, -1, 9])
    chances = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2]])
    found = np.array([True, True, False, False])
    scored = report_scores(chances, found, report, np.array([0.5, 0.3, 0.2]))
    # Happy is the training's most frequent class, and yet the answer is 'unknown'.
    np.testing.assert_array_equal(scored.confusion.counts, [[1, 0, 0], [0, 1, 0], [0, 2, 0]])
    assert scored.accuracy.value == 0.5
    assert scored.macro_f1.value == pytest.approx((1 + 0.5 + 0) / 3)
    expected = -np.log([0.7, 0.5, 0.2, 0.2]).mean()
    assert scored.cross_entropy.value == pytest.approx(expected)


def test_the_prior_moves_every_row_before_the_answer_is_taken():
    report = rows([1, 1, 1, 0], photographs=[7, 8, 9, -1])
    chances = np.tile([0.5, 0.4, 0.1], (3, 1))
    found, training = np.array([True, True, True, False]), np.array([0.4, 0.4, 0.2])
    plain = report_scores(chances, found, report, training)
    moved = report_scores(chances, found, report, training, prior_of_rows=True)
    assert (plain.accuracy.value, moved.accuracy.value) == (0, 0.75)
    # .5 * .25/.4 : .4 * .75/.4 : 0; the row that cannot be read has the rows' own shares.
    right = 0.75 / (0.3125 + 0.75)
    expected = -(3 * np.log(right) + np.log(0.25)) / 4
    assert moved.cross_entropy.value == pytest.approx(expected)
    # The shares belong to the logits before they are divided: .5 * sqrt(.25/.4) : .4 * ...
    cooled = report_scores(chances, found, report, training, True, temperature=2.0)
    right = 0.4 * 0.75**0.5 / (0.5 * 0.25**0.5 + 0.4 * 0.75**0.5)
    assert cooled.cross_entropy.value == pytest.approx(-(3 * np.log(right) + np.log(0.25)) / 4)


def test_a_constant_unknown():
    report = rows([0] * 291 + [1] * 1110 + [2] * 245)
    nothing = np.zeros(1646, bool)
    scored = report_scores(np.empty((0, 3)), nothing, report, report.shares)
    assert scored.accuracy.value == pytest.approx(0.674, abs=5e-4)
    assert scored.macro_f1.value == pytest.approx(2 * 1110 / (1646 + 1110) / 3)
    entropy = -(report.shares * np.log(report.shares)).sum()
    assert scored.cross_entropy.value == pytest.approx(entropy)


def test_scores_are_written_as_metrics():
    scored = report_scores(np.eye(3), np.ones(3, bool), rows([0, 1, 2]), np.full(3, 1 / 3))
    found = scored.metrics('_prior')
    assert found['r_accuracy_prior'] == {'value': 1, 'low': 1, 'high': 1}
    assert list(found)[:3] == [f'{name}_prior' for name in REPORT_METRICS]
    assert list(found)[3:] == [f'r_recall_{name}_prior' for name in REPORT_LABELS]


def test_answers_that_do_not_fit_the_rows_are_refused():
    report = rows([0, 1], photographs=[3, -1])
    even = np.full(3, 1 / 3)
    with pytest.raises(ValueError, match='3 rows of probabilities and 2 of 2'):
        report_scores(np.eye(3), np.ones(2, bool), report, even)
    with pytest.raises(ValueError, match='without a photograph'):
        report_scores(np.eye(3)[:2], np.ones(2, bool), report, even)


def test_the_first_row_is_left_out(tmp_path):
    path = tmp_path / 'rows.csv'
    path.write_text(table(r3='3,-1,0.2,2'))
    found = read_matched_rows(path)
    assert len(found.labels) == 1646
    assert list(found.photographs[:4]) == [6, 7, -1, 9]
    assert list(found.labels[:4]) == [1, 2, 2, 1]
    assert found.matched.sum() == 1645


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('7,12,0.1,3', 'line 9'),
        ('7,-2,0.1,1', 'line 9'),
        ('8,12,0.1,1', 'line 9: expected report_row 7'),
        ('7,twelve,0.1,1', "'twelve'"),
        ('7,35', 'line 9'),
    ],
)
def test_a_damaged_row_is_reported_by_file_and_line(tmp_path, line, message):
    path = tmp_path / 'rows.csv'
    path.write_text(table(r7=line))
    with pytest.raises(DataError, match=message) as caught:
        read_matched_rows(path)
    assert str(path) in str(caught.value)


def test_a_table_that_was_cut_is_reported(tmp_path):
    path = tmp_path / 'rows.csv'
    path.write_text(table(count=800))
    with pytest.raises(DataError, match='holds 800 rows, not the 1647'):
        read_matched_rows(path)
    path.write_text('report_row,fer2013_row\n0,1\n')
    with pytest.raises(DataError, match='lacks the column report_label'):
        read_matched_rows(path)
    path.write_text('')
    with pytest.raises(DataError, match='lacks the column report_row, fer2013_row'):
        read_matched_rows(path)


def test_a_table_that_is_missing_or_no_text_is_reported(tmp_path):
    with pytest.raises(DataError, match='EMOTION_ESTIMATOR_ASSETS'):
        read_matched_rows(tmp_path / 'rows.csv')
    (tmp_path / 'rows.csv').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='cannot be read'):
        read_matched_rows(tmp_path / 'rows.csv')


@needs_report
def test_the_reports_rows_are_counted_as_it_counts_them():
    report = read_matched_rows()
    assert list(np.bincount(report.labels)) == [291, 1110, 245]
    assert report.matched.sum() == 1642
    assert list(report.labels[~report.matched]) == [2, 2, 2, 2]


@needs_report
def test_the_labels_of_the_reports_rows_are_those_of_their_photographs():
    path = assets_folder() / 'fer2013' / 'fer2013.npz'
    if not path.is_file():
        pytest.skip('the assets folder lacks FER2013')
    report = read_matched_rows()
    with np.load(path, allow_pickle=False) as file:
        labels, usage = file['labels'], file['usage']
    private = np.flatnonzero(usage == 2)
    assert report.fit(private, labels[private])
    assert not report.fit(private + 1, labels[private])  # in another order


# Scores of answers whose right values are known by hand.


def test_the_temperature_that_blurred_the_logits_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 4))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) > rng.random((20000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.05)


def test_an_unreadable_photograph_counts_as_wrong_among_all():
    stills = Stills(
        features=NAMES,
        views=np.zeros((4, 2, 52), np.float32),
        readable=np.array([[True] * 2] * 3 + [[False] * 2]),
        labels=np.array([0, 3, 3, 3]),
        votes=10 * np.eye(7, dtype=np.float32)[[6, 3, 3, 3]],
        other_votes=np.zeros((4, 3), np.float32),
        rows=np.arange(4),
    )
    chances = np.full((3, 7), 0.05)
    chances[[0, 1, 2], [0, 3, 6]] = 0.7
    metrics = {**f7_scores(chances, stills), **p7_scores(chances, stills)}
    found = {name: metric['value'] for name, metric in metrics.items()}
    assert found['f7_accuracy_readable'] == pytest.approx(2 / 3, abs=1e-4)
    assert found['f7_accuracy_all'] == 0.5
    assert found['p7_accuracy_readable'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['p7_accuracy_all'] == 0.25
    assert found['coverage'] == 0.75
    assert found['f7_recall_happy'] == 0.5
    assert found['f7_recall_' + LABELS[0]] == 1


# Protocol X: other people's pictures, looked at as a robot does.


BLENDSHAPES = sources.MODELS / 'basic7_blendshapes'


# Faces that are held, and what is answered to them.


def held(*rows):
    """Make faces of blendshapes and further features by name; None is a picture without one."""
    names = (*NAMES, *TRUSTED_NAMES)
    values = np.zeros((len(rows), len(names)), np.float32)
    values[:, len(INDEX) + 2 :] = 1
    for value, row in zip(values, rows):
        for name, number in (row or {}).items():
            value[names.index(name)] = number
    found = np.array([row is not None for row in rows])
    return HeldFaces(names, values * found[:, None], found, np.zeros((len(rows), 4), np.float32))


SMILE = {
    **dict.fromkeys(('mouthSmileLeft', 'mouthSmileRight'), 0.9),
    **dict.fromkeys(('eyeSquintLeft', 'eyeSquintRight'), 0.4),
}


def test_a_held_face_is_answered_as_the_node_does_and_silence_has_a_reason():
    covered, turned = {**SMILE, 'visible.mouth': 0.1}, {**SMILE, 'head.yaw': 0.95}
    faces = held(SMILE, None, covered, turned)
    answers = decide(BLENDSHAPES, faces, read_parameters().changed({'min_confidence': 0.0}))
    model = EmotionModel(BLENDSHAPES)
    quick = surest(held_probabilities(model), faces, model.metadata.features)
    shown = quick.labels[0]
    assert quick.labels.tolist() == [shown, NO_ANSWER, shown, shown]
    assert answers.labels.tolist() == [shown, NO_ANSWER, NO_ANSWER, NO_ANSWER]
    assert answers.reasons.tolist() == [ANSWERED, NO_FACE, COVERED, TURNED]
    three = decide(sources.MODELS / 'happy_unknown_sad', held(None))
    assert three.reasons.tolist() == [NO_FACE]


def test_faces_are_found_as_the_nodes_find_them_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'out')
    (tmp_path / 'no.jpg').write_bytes(b'no picture')
    paths = [media_path(name) for name in ('single_face.jpg', 'free-mountain-vector-01.jpg')]
    pictures = FilePictures([*paths, tmp_path / 'no.jpg'])
    faces = find_held_faces(pictures)
    assert faces.found.tolist() == [True, False, False]
    assert faces.names[: len(NAMES)] == NAMES
    assert 0 < faces.boxes[0, 0] < faces.boxes[0, 2] < pictures.read(0).shape[1]
    assert not faces.boxes[1:].any() and not faces.values[1:].any()
    (kept,) = (tmp_path / 'out' / 'held').iterdir()
    written = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(find_held_faces(pictures).values, faces.values)
    assert kept.stat().st_mtime_ns == written


def test_a_model_of_other_classes_or_features_is_refused():
    with pytest.raises(DataError, match='The model answers good, bad'):
        truth_of(np.array([0]), ('good', 'bad'))
    for faces, said in ((held(None), 'No face is found'), (held(SMILE), 'reads geometry')):
        with pytest.raises(DataError, match=said):
            faces.only(('geometry',))


# Scores.


def labelled(labels, **groups):
    files = [(f'{index}.jpg', label, Split.PUBLIC) for index, label in enumerate(labels)]
    people = np.arange(len(labels)).astype(str)
    return PeoplesPictures(
        LabelledPictures.of_files('set', files, ()),
        people,
        {kind: np.array(group) for kind, group in groups.items()},
    )


HAPPY, SAD, NEUTRAL = (LABELS.index(name) for name in ('happy', 'sad', 'neutral'))


def test_unknown_and_no_face_count_as_wrong():
    answers = Answers(
        np.array([HAPPY, NO_ANSWER, SAD, NO_ANSWER, HAPPY, NEUTRAL]),
        np.array([ANSWERED, UNSURE, ANSWERED, NO_FACE, ANSWERED, ANSWERED]),
    )
    truth = labelled(
        [HAPPY, HAPPY, HAPPY, NEUTRAL, NEUTRAL, NEUTRAL],
        gender=['female', 'female', 'male', 'male', 'male', ''],
    )
    found = {name: metric['value'] for name, metric in scores(answers, truth, LABELS).items()}
    assert found['x_accuracy'] == found['x_balanced'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_recall_happy'] == found['x_recall_neutral'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_recall_happy_female'] == 0.5
    assert found['x_recall_happy_male'] == found['x_recall_neutral_male'] == 0
    assert found['x_false_alarms'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_no_answer'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_no_face'] == found['x_unsure'] == pytest.approx(1 / 6, abs=1e-4)
    assert 'x_recall_sad' not in found and found['x_turned'] == 0


def test_recalls_are_balanced_over_the_classes_that_occur():
    answers = Answers(np.array([HAPPY] * 4), np.zeros(4, np.int64))
    found = scores(answers, labelled([HAPPY] * 3 + [SAD]), LABELS)
    assert found['x_accuracy']['value'] == 0.75
    assert found['x_balanced']['value'] == 0.5
    assert 'x_false_alarms' not in found


def test_the_seed_reports_classes_have_a_place_for_every_expression():
    answers = Answers(np.array([0, 1, 1]), np.zeros(3, np.int64))
    found = scores(answers, labelled([HAPPY, NEUTRAL, SAD]), HAPPY_UNKNOWN_SAD.names)
    assert found['x_recall_unknown']['value'] == 1 and found['x_recall_sad']['value'] == 0
    assert 'x_no_face' in found and not {'x_no_answer', 'x_turned'} & found.keys()


def test_the_peer_answers_to_a_face_that_either_finds():
    try:
        peer = Peer()
    except AssetError as error:
        pytest.skip(str(error))
    pictures = FilePictures([media_path('single_face.jpg')])
    picture = pictures.read(0)
    faces = held(SMILE)
    faces.boxes[0] = (0, 0, *picture.shape[1::-1])
    answers = peer.answers(pictures, faces)
    assert list(answers) == ['fer', 'fer_our_faces']
    assert all(one.labels[0] in range(len(LABELS)) for one in answers.values())
    nothing = peer.answers(FilePictures([media_path('free-mountain-vector-01.jpg')]), held(None))
    assert [one.reasons.tolist() for one in nothing.values()] == [[NO_FACE], [NO_FACE]]
