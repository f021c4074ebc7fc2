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

"""Jitter, speech and blinks are told apart in a series made for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from emotion_estimator.blendshapes import INDEX
from training.clips import BLINK_HALF_S, RATE_HZ, extract
from training.network import additive, from_additive, logit
from training.protocols.clips import clip_scores

FPS = 30.0


def still_series(seconds=3.0):
    return np.full((round(seconds * FPS), 52), 0.3, np.float32)


def test_log_odds_are_bounded_and_other_features_stay():
    shares = np.zeros((1, 54), np.float32)
    shares[0, :5] = [0.0, 0.001, 0.5, 0.9, 1.0]
    shares[0, 52:] = [-3.0, 7.0]
    found = additive(shares)
    np.testing.assert_allclose(found[0, [0, 2, 4, 52, 53]], [-9.21, 0, 9.21, -3, 7], atol=0.01)
    np.testing.assert_allclose(from_additive(found), shares, atol=1.1e-4)


def test_a_face_that_does_not_move_has_no_dynamics():
    found = extract(still_series(), FPS)
    assert len(found.blinks) == 0
    assert np.abs(found.jitter).max() < 1e-5
    assert np.abs(found.speech).max() < 1e-5


def test_a_slow_smile_is_no_jitter():
    series = still_series(6.0)
    series[:, INDEX['mouthSmileLeft']] = np.linspace(0.3, 0.6, len(series))
    assert np.abs(extract(series, FPS).jitter).max() < 0.1


def test_a_blink_is_found_and_only_the_eyes_move():
    series = still_series()
    eyes = [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]
    series[45:48, eyes] = [[0.6, 0.6], [0.9, 0.9], [0.6, 0.6]]
    blinks = extract(series, FPS).blinks
    assert blinks.shape == (1, 2 * round(BLINK_HALF_S * RATE_HZ) + 1, 52)
    expected = logit(np.float32(0.9)) - logit(np.float32(0.3))
    assert blinks[0, :, eyes[0]].max() == pytest.approx(expected, abs=1e-3)
    assert np.abs(np.delete(blinks[0], eyes, axis=1)).max() < 1e-5


def test_speech_is_in_mouth_and_jaw_alone():
    series = still_series()
    series[:, INDEX['jawOpen']] += 0.2 * np.sin(np.arange(len(series)))
    series[:, INDEX['browInnerUp']] += 0.2 * np.sin(np.arange(len(series)))
    speech = extract(series, FPS).speech
    assert np.abs(speech[:, INDEX['jawOpen']]).max() > 0.5
    assert np.abs(speech[:, INDEX['browInnerUp']]).max() == 0


def test_geometry_and_appearance_move_with_a_blink_and_the_head_does_not():
    series = np.hstack([still_series(), np.zeros((90, 5), np.float32)])
    series[44:49, [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]] = 0.9
    series[44:49, 52:] = 2.0  # three of the head, two of the skin
    blink = extract(series, FPS).blinks[0]
    assert np.abs(blink[:, 52:55]).max() == 0
    assert blink[:, 55:].max() > 1.5


# How steady answers on clips are: the right numbers for models whose answers are known.


NAMES = ('a',)


class Follows:
    """Answers with the newest value of its one feature: 1 is yes, 0 is no."""

    metadata = SimpleNamespace(
        name='follows', features=NAMES, labels=('yes', 'no'), window_s=2.0, rate_hz=15.0
    )

    def probabilities(self, window):
        """Answer for one window."""
        return np.array([window[-1, 0], 1 - window[-1, 0]])


def test_a_face_that_changes_twice_in_four_seconds():
    values = np.repeat([1.0, 0.0, 1.0], [40, 40, 40])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], NAMES, 0.0, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.5)
    assert found['c_agreement_15_fps']['value'] == 1
    assert found['c_agreement_10_fps']['value'] == 1


def test_an_unsure_answer_counts_as_one_of_its_own():
    values = np.repeat([0.9, 0.55], [60, 60])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], NAMES, 0.6, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.25)
