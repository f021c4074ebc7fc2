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

"""Learned patches tell the form of the skin, where it is, whatever the light."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from emotion_estimator.faces.face_appearance import (
    APPEARANCE,
    GRADIENTS,
    appearance_of,
    oriented_gradients,
)
from emotion_estimator.faces.face_crop import CROP_PX
from emotion_estimator.faces.face_patches import (
    GRID,
    PATCH_PX,
    PATCHES,
    PIXELS,
    PLACES,
    RESPONSES,
    STEP_PX,
    PatchBank,
    normalised_patches,
)


def bank_of(count, seed=0):
    """Make a bank of random patches with a whitening that is no identity."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(PIXELS, PIXELS)))[0] * rng.uniform(0.5, 2, PIXELS)
    return PatchBank(
        rng.normal(0, 1, (count, PIXELS)).astype(np.float32),
        rng.normal(0, 0.1, PIXELS).astype(np.float32),
        (turn @ turn.T).astype(np.float32),
    )


BANK = bank_of(PATCHES)


def noise(seed, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (CROP_PX, CROP_PX), np.uint8)


def by_definition(bank, crop):
    """Compute the answers one patch at a time."""
    edges = np.linspace(0, PLACES, GRID + 1).round().astype(int)
    answers = np.zeros((PLACES, PLACES, len(bank.centres)))
    for y, x in np.ndindex(PLACES, PLACES):
        top, left = y * STEP_PX, x * STEP_PX
        patch = crop[top : top + PATCH_PX, left : left + PATCH_PX].ravel().astype(float)
        patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
        distances = np.linalg.norm((patch - bank.mean) @ bank.whitening - bank.centres, axis=1)
        answers[y, x] = np.maximum(distances.mean() - distances, 0)
    cells = [
        answers[edges[y] : edges[y + 1], edges[x] : edges[x + 1]].sum(axis=(0, 1))
        for y, x in np.ndindex(GRID, GRID)
    ]
    return np.concatenate(cells)


def test_answers_are_those_of_the_definition():
    crop = noise(1)
    found = BANK(crop)
    assert found.shape == (RESPONSES,) == (3200,)
    assert found.dtype == np.float32
    assert found.min() >= 0 and found.std() > 0.1
    np.testing.assert_allclose(found, by_definition(BANK, crop), rtol=1e-3, atol=1e-3)


def test_a_crop_of_one_centres_patch_answers_most_at_that_centre():
    rng = np.random.default_rng(2)
    tiles = rng.integers(0, 256, (5, PATCH_PX, PATCH_PX), np.uint8)
    whole = [np.tile(tile, (CROP_PX // PATCH_PX,) * 2) for tile in tiles]
    first = np.stack([normalised_patches(crop)[0] for crop in whole])
    bank = PatchBank(first, np.zeros(PIXELS, np.float32), np.eye(PIXELS, dtype=np.float32))
    for number, crop in enumerate(whole):
        answers = bank(crop).reshape(GRID * GRID, len(tiles))
        assert (answers.argmax(axis=1) == number).all()


def test_a_change_of_one_corner_stays_in_its_cell():
    crop = noise(3)
    changed = crop.copy()
    changed[:6, -6:] = 255 - changed[:6, -6:]
    before, after = (BANK(c).reshape(GRID, GRID, PATCHES) for c in (crop, changed))
    differs = np.abs(before - after).max(axis=2) > 1e-3
    assert differs[0, -1]
    assert differs.sum() == 1


def test_brightness_and_contrast_change_little_and_form_changes_much():
    crop = noise(4, 0, 100)
    usual = BANK(crop)
    np.testing.assert_allclose(BANK(crop + np.uint8(90)), usual, atol=1e-2)
    strong, other = BANK(crop * np.uint8(2)), BANK(noise(5, 0, 100))
    assert np.linalg.norm(strong - usual) < 0.05 * np.linalg.norm(usual)
    assert np.linalg.norm(other - usual) > 0.2 * np.linalg.norm(usual)


@pytest.mark.parametrize('grey', [0, 77, 255])
def test_an_even_crop_answers_alike_everywhere_and_at_any_brightness(grey):
    found = BANK(np.full((CROP_PX, CROP_PX), grey, np.uint8)).reshape(GRID, GRID, PATCHES)
    assert np.isfinite(found).all()
    # Cells of 6 x 6 and of 5 x 5 patches: sums go with their number.
    np.testing.assert_allclose(found[0, 0] / 36, found[1, 1] / 25, rtol=1e-4)
    black = BANK(np.zeros((CROP_PX, CROP_PX), np.uint8))
    np.testing.assert_allclose(found.ravel(), black, rtol=1e-3, atol=1e-3)


@given(arrays(np.uint8, (CROP_PX, CROP_PX)))
def test_any_crop_gives_finite_answers_of_0_or_more(crop):
    found = BANK(crop)
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_what_lies_far_from_every_centre_is_finite():
    far = PatchBank(1e4 * BANK.centres, BANK.mean, BANK.whitening)
    assert np.isfinite(far(noise(6))).all()


def test_appearance_is_gradients_then_answers_of_each_crop():
    crops = np.stack([noise(7), noise(8)])
    found = appearance_of(crops, BANK)
    assert found.shape == (2, APPEARANCE) and found.dtype == np.float32
    for row, crop in zip(found, crops):
        np.testing.assert_array_equal(row[:GRADIENTS], oriented_gradients(crop))
        np.testing.assert_array_equal(row[GRADIENTS:], BANK(crop))


def test_a_mirrored_view_is_read_as_its_copy():
    crops = np.stack([noise(9)])
    turned = crops[:, :, ::-1]
    np.testing.assert_array_equal(appearance_of(turned, BANK), appearance_of(turned.copy(), BANK))
