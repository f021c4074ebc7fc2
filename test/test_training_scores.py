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

"""Scores of answers whose right values are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from training.calibration import fit_temperature
from training.datasets.labels import LABELS
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.sequence_protocol import (
    FRAME_RATE_HZ,
    Track,
    buffer_windows,
    in_classes,
    track_scores,
)
from training.still_protocols import f7_scores, p7_scores
from training.stills import Stills
from training.window_resampling import STEPS


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
    figures = {**f7_scores(chances, stills), **p7_scores(chances, stills)}
    found = {name: figure['value'] for name, figure in figures.items()}
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
    told = in_classes([track, unchanged], HAPPY_UNKNOWN_SAD)
    # Neutral, happy, disgusted; but neutral, angry, disgusted are all 'unknown'.
    assert len(told) == 1
    assert list(dict.fromkeys(told[0].truth.tolist())) == [1, 0]
    assert told[0].truth[-1] == 1


def values(figures):
    return {name: figure['value'] for name, figure in figures.items()}


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
