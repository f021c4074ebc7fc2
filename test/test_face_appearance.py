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

"""Gradients tell the form of the skin, whatever the light."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.face_appearance import GRADIENTS, oriented_gradients
from emotion_estimator.faces.face_crop import CROP_PX

ORIENTATIONS = 9
COLUMNS, ROWS = np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX))


def noise(seed, blur_px=0.0):
    grey = np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX), np.uint8)
    return cv2.GaussianBlur(grey, (0, 0), blur_px) if blur_px else grey


@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0, 5.0]))
def test_there_are_1764_values_in_0_to_1(seed, blur_px):
    gradients = oriented_gradients(noise(seed, blur_px))
    assert gradients.shape == (GRADIENTS,) == (1764,)
    assert gradients.dtype == np.float32
    assert 0 <= gradients.min() < gradients.max() <= 1


@pytest.mark.parametrize('grey', [0, 77, 255])
def test_an_even_crop_has_none(grey):
    np.testing.assert_array_equal(oriented_gradients(np.full_like(noise(0), grey)), 0)


@pytest.mark.parametrize('degrees', [0, 20, 40, 60, 80, 100, 120, 140, 160])
def test_stripes_are_told_by_their_direction(degrees):
    across = np.radians(degrees + 10)
    wave = np.sin((COLUMNS * np.cos(across) + ROWS * np.sin(across)) * 0.9)
    gradients = oriented_gradients((128 + 100 * wave).astype(np.uint8))
    # The middle of an orientation's 20 degrees lies 10 degrees behind its start.
    assert gradients.reshape(-1, ORIENTATIONS).sum(axis=0).argmax() == degrees // 20


def test_light_and_contrast_change_little_and_form_changes_much():
    crop = noise(1, blur_px=2).astype(float)
    crop = (crop - crop.min()) / np.ptp(crop)
    bright, dim = (
        oriented_gradients((a + b * crop).astype(np.uint8)) for a, b in ((5, 250), (60, 90))
    )
    other = oriented_gradients(noise(2, blur_px=2))
    assert np.linalg.norm(bright - dim) < 0.15 * np.linalg.norm(bright)
    assert np.linalg.norm(bright - other) > 0.5 * np.linalg.norm(bright)


def test_a_change_of_one_corner_stays_there():
    crop = noise(3, blur_px=2)
    changed = crop.copy()
    changed[:6, :6] = 255 - changed[:6, :6]
    blocks = oriented_gradients(crop).reshape(7, 7, -1)
    differs = (blocks != oriented_gradients(changed).reshape(7, 7, -1)).any(axis=2)
    # A cell's neighbours share its blocks; OpenCV's blocks go down the columns first.
    assert differs[0, 0]
    assert not differs[2:].any() and not differs[:, 2:].any()


def test_a_part_of_a_larger_crop_is_read_as_its_copy():
    wide = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    part = wide[6:-6, 6:-6]
    np.testing.assert_array_equal(oriented_gradients(part), oriented_gradients(part.copy()))
