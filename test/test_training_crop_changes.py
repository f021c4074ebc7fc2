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

"""Crops are changed within bounds, and the same chance changes them likewise."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.face_appearance import evened
from emotion_estimator.faces.face_crop import CROP_PX
from training.encoding.crop_changes import CropChanges, changed_crop

NONE = replace(
    CropChanges(),
    **{part.name: 0.0 for part in fields(CropChanges) if not part.name.endswith(('_px', 'noise'))},
    shift_px=0.0,
)


def crop(seed=0):
    grey = np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX), np.uint8)
    return cv2.GaussianBlur(grey, (0, 0), 2)


def changed(how, seed=0, of=None):
    return changed_crop(crop() if of is None else of, how, np.random.default_rng(seed))


def test_no_change_leaves_the_evened_crop():
    np.testing.assert_allclose(changed(NONE), evened(crop()), atol=1e-4)


@given(st.integers(0, 1000))
def test_the_same_chance_gives_the_same_values_and_all_are_finite(seed):
    found = changed(CropChanges(), seed)
    np.testing.assert_array_equal(found, changed(CropChanges(), seed))
    assert found.shape == (CROP_PX, CROP_PX)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_mirrored_crop_is_the_evened_crop_from_right_to_left():
    found = changed(replace(NONE, mirrored=1.0))
    np.testing.assert_allclose(found, evened(crop())[:, ::-1], atol=0.05)


@pytest.mark.parametrize('seed', range(5))
def test_a_coarse_crop_loses_what_is_fine_and_keeps_what_is_not(seed):
    how = replace(NONE, coarse=1.0, coarse_px=(12.0, 12.5))
    fine = np.where(np.indices((CROP_PX, CROP_PX)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    assert np.abs(changed(how, seed, fine)).max() < 0.2
    halves = np.zeros((CROP_PX, CROP_PX), np.uint8)
    halves[:, CROP_PX // 2 :] = 200
    found = changed(how, seed, halves)
    np.testing.assert_allclose(found[:, :20], evened(halves)[:, :20], atol=0.05)


@pytest.mark.parametrize('seed', range(20))
def test_what_is_hidden_is_even_and_at_most_a_rectangle_of_the_given_size(seed):
    found = changed(replace(NONE, hidden=1.0), seed)
    rows, columns = np.nonzero(np.abs(found - evened(crop())) > 1e-3)
    assert len(rows)
    assert np.ptp(rows) < CropChanges().hidden_px[1]
    assert np.ptp(columns) < CropChanges().hidden_px[1]
    np.testing.assert_allclose(found[rows, columns], 0, atol=1e-6)


def test_a_shift_moves_by_about_as_many_pixels():
    dot = np.zeros((CROP_PX, CROP_PX), np.uint8)
    dot[23:25, 23:25] = 255
    places = []
    for seed in range(200):
        found = changed(replace(NONE, shift_px=1.5), seed, dot)
        found = found - found.min()
        places.append(
            [(found.sum(axis=a) * np.arange(CROP_PX)).sum() / found.sum() for a in (0, 1)]
        )
    assert np.mean(places) == pytest.approx(23.5, abs=0.2)
    assert np.std(places, axis=0) == pytest.approx(1.5, abs=0.3)
