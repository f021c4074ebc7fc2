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

"""Protocols on answers whose scores are known; R on the seed report's own rows, where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.decision import with_prior
from emotion_estimator.emotion.model import SCHEMA, ModelMetadata
from training.datasets.pictures import LABELS, DataError, assets_folder
from training.fitting import fit_temperature
from training.protocols.sequences import (
    FRAME_RATE_HZ,
    Track,
    buffer_windows,
    clip_scores,
    in_classes,
    track_scores,
)
from training.protocols.stills import (
    REPORT_LABELS,
    REPORT_METRICS,
    UNKNOWN,
    ReportRows,
    f7_scores,
    p7_scores,
    read_matched_rows,
    report_scores,
)
from training.seed_report.figures import REPORT_CONFUSION
from training.stills import HAPPY_UNKNOWN_SAD, Stills
from training.windows import STEPS

needs_report = pytest.mark.skipif(
    not (assets_folder() / 'report' / 'report_test_rows.csv').is_file(),
    reason="the assets folder lacks the seed report's rows",
)
shares = arrays(float, 3, elements=st.floats(0.01, 1)).map(lambda weights: weights / weights.sum())


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
    found = np.array([True, True, True, False])
    training = np.array([0.4, 0.4, 0.2])
    plain = report_scores(chances, found, report, training)
    moved = report_scores(chances, found, report, training, prior_of_rows=True)
    assert (plain.accuracy.value, moved.accuracy.value) == (0, 0.75)
    # .5 * .25/.4 : .4 * .75/.4 : 0; the row that cannot be read has the rows' own shares.
    right = 0.75 / (0.3125 + 0.75)
    expected = -(3 * np.log(right) + np.log(0.25)) / 4
    assert moved.cross_entropy.value == pytest.approx(expected)


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


def test_a_prior_by_hand():
    chances = np.array([[0.2, 0.5, 0.3]])
    found = with_prior(chances, np.array([0.25, 0.5, 0.25]), np.array([0.25, 0.25, 0.5]))
    # Weights 1, 1/2, 2: .2, .25, .6.
    np.testing.assert_allclose(found, [[0.2 / 1.05, 0.25 / 1.05, 0.6 / 1.05]])


def test_the_prior_of_a_class_that_the_training_lacked_is_refused():
    with pytest.raises(ValueError, match='above 0'):
        with_prior(np.eye(3), np.array([0.5, 0.5, 0]), np.full(3, 1 / 3))


@given(shares, shares, shares)
def test_a_prior_is_taken_back_by_its_reverse(chances, training, new):
    moved = with_prior(chances[None], training, new)
    assert moved.sum() == pytest.approx(1)
    np.testing.assert_allclose(with_prior(moved, new, training)[0], chances, rtol=1e-9)


@given(shares, shares)
def test_who_knows_nothing_but_the_training_answers_with_the_new_shares(training, new):
    np.testing.assert_allclose(with_prior(training[None], training, new)[0], new, rtol=1e-9)


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
    rule = np.full(len(LABELS), UNKNOWN)
    rule[[LABELS.index('happy'), LABELS.index('sad')]] = [0, 2]
    chosen = report.photographs[report.matched]
    np.testing.assert_array_equal(rule[labels[chosen]], report.labels[report.matched])
    assert set(usage[chosen]) == {2}  # PrivateTest


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


@pytest.fixture
def track():
    """Six seconds: class 6, from second 2 on class 3, from second 4 on class 1."""
    frames = round(6 * FRAME_RATE_HZ)
    second = round(FRAME_RATE_HZ)
    return Track(
        stamps_ns=np.rint(np.arange(frames) * 1e9 / FRAME_RATE_HZ).astype(np.int64),
        values=np.tile(np.arange(frames, dtype=np.float32)[:, None] / frames, (1, 52)),
        truth=np.repeat([6, 3, 1], 2 * second),
        onsets=(2 * second, 4 * second),
        segments=((second, 2 * second), (3 * second, 4 * second), (5 * second, frames)),
    )


def test_coarser_classes_leave_out_sequences_that_change_none_of_them(track):
    unchanged = replace(track, truth=np.where(track.truth == 3, 0, track.truth))
    coarser = in_classes([track, unchanged], HAPPY_UNKNOWN_SAD)
    # Neutral, happy, disgusted; but neutral, angry, disgusted are all 'unknown'.
    assert len(coarser) == 1
    assert list(dict.fromkeys(coarser[0].truth.tolist())) == [1, 0]
    assert coarser[0].truth[-1] == 1


def values(metrics):
    return {name: metric['value'] for name, metric in metrics.items()}


def test_a_perfect_answer(track):
    found = values(track_scores([track], [track.truth]))
    assert found['s_accuracy'] == 1
    assert found['s_onsets_settled'] == 1
    assert found['s_onset_to_stable_ms'] == 0
    assert found['s_false_switches_per_s'] == 0


def test_a_late_answer_that_flickers(track):
    answer = np.roll(track.truth, 15)  # half a second behind
    answer[:15] = 6
    answer[45] = 0  # one frame wrong in the first constant segment: two switches
    found = values(track_scores([track], [answer]))
    assert found['s_onset_to_stable_ms'] == 500
    assert found['s_accuracy_second_1'] == 0.5
    assert found['s_accuracy_second_2'] == 1
    assert found['s_accuracy'] == pytest.approx(1 - 31 / 180, abs=1e-4)
    assert found['s_false_switches_per_s'] == pytest.approx(2 * 30 / 87, abs=1e-4)


def test_windows_of_a_track_end_at_its_frames(track):
    windows = buffer_windows(track)
    assert windows.shape == (len(track.truth), STEPS, 53)
    np.testing.assert_array_equal(windows[:, -1, 0], track.values[:, 0])
    assert windows[0, :, -1].sum() == 1
    assert windows[-1, :, -1].sum() == STEPS


# How steady answers on clips are: the right numbers for models whose answers are known.


ONE_FEATURE = ('a',)


class Follows:
    """Answers with the newest value of its one feature: 1 is yes, 0 is no."""

    metadata = ModelMetadata(
        schema=SCHEMA,
        name='follows',
        version='1',
        labels=('yes', 'no'),
        features=ONE_FEATURE,
        rate_hz=15.0,
        window_s=2.0,
        network='none',
        network_sha256='none',
        normalisation='none',
        temperature=1.0,
        data='none',
        licence='none',
    )

    def probabilities(self, window):
        """Answer for one window."""
        return np.array([window[-1, 0], 1 - window[-1, 0]])


def test_a_face_that_changes_twice_in_four_seconds():
    values = np.repeat([1.0, 0.0, 1.0], [40, 40, 40])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], ONE_FEATURE, 0.0, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.5)
    assert found['c_agreement_15_fps']['value'] == 1
    assert found['c_agreement_10_fps']['value'] == 1


def test_an_unsure_answer_counts_as_one_of_its_own():
    values = np.repeat([0.9, 0.55], [60, 60])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], ONE_FEATURE, 0.6, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.25)
