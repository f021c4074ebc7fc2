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

"""Patches are learned from crops, the same from the same; crops are cut once."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from emotion_estimator.faces.face_appearance import APPEARANCE, appearance_of
from emotion_estimator.faces.face_crop import CROP_PX, crop_face
from emotion_estimator.faces.face_geometry import LANDMARKS
from emotion_estimator.faces.face_patches import PATCHES, PIXELS, normalised_patches

pytest.importorskip('sklearn', reason='scikit-learn is only in the training environment')

from training import sources
from training.datasets.pictures import ArrayPictures
from training.encoding import crops as crops_module
from training.encoding.crops import face_crops
from training.encoding.patches import all_appearance, learn_patches
from training.extraction.face_table import empty_table
from training.extraction.views import NATIVE, X4_PAD25


@pytest.fixture(scope='module')
def crops():
    """Make crops of blurred noise: neighbouring pixels are alike, as on skin."""
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 256, (60, CROP_PX, CROP_PX)).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(crop, (0, 0), 2) for crop in sharp])
    return np.clip(128 + 5 * (soft - 128), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def bank(crops):
    return learn_patches(crops)


def test_the_bank_has_the_runtimes_sizes(bank):
    assert bank.centres.shape == (PATCHES, PIXELS)
    assert bank.mean.shape == (PIXELS,)
    assert bank.whitening.shape == (PIXELS, PIXELS)
    assert {part.dtype for part in vars(bank).values()} == {np.dtype(np.float32)}


def test_whitened_patches_are_uncorrelated_where_they_vary(crops, bank):
    patches = np.concatenate([normalised_patches(crop) for crop in crops])
    whitened = (patches - bank.mean) @ bank.whitening
    before, after = np.cov(patches.T), np.cov(whitened.T)
    np.testing.assert_allclose(bank.whitening, bank.whitening.T, atol=1e-4)
    # Directions of less variance than is added stay small; no other is longer than 1.
    assert np.linalg.eigvalsh(before)[-1] > 5
    assert 0.8 < np.linalg.eigvalsh(after)[-1] < 1.2


def test_patches_lie_nearer_to_learned_centres_than_to_those_of_other_crops(crops, bank):
    other = learn_patches(np.random.default_rng(1).integers(0, 256, crops.shape, np.uint8))
    patches = np.concatenate([normalised_patches(crop) for crop in crops[:10]])
    whitened = (patches - bank.mean) @ bank.whitening

    def nearest(centres):
        return np.linalg.norm(whitened[:, None] - centres, axis=2).min(axis=1).mean()

    assert nearest(bank.centres) < 0.8 * nearest(other.centres)


def test_the_same_crops_give_the_same_bank_and_another_seed_another(crops, bank):
    for name, part in vars(learn_patches(crops)).items():
        np.testing.assert_array_equal(part, getattr(bank, name))
    assert not np.array_equal(learn_patches(crops, seed=1).centres, bank.centres)


def test_centres_survive_the_half_precision_in_which_they_are_kept(bank):
    np.testing.assert_array_equal(bank.centres.astype(np.float16), bank.centres)


def test_many_crops_are_described_as_by_the_runtime(crops, bank):
    found = all_appearance(crops, bank, 'test')
    assert found.shape == (len(crops), APPEARANCE) and found.dtype == np.float16
    np.testing.assert_allclose(found[-2:], appearance_of(crops[-2:], bank), rtol=1e-3, atol=1e-4)


@pytest.fixture
def photographs():
    """Make pictures with made-up faces, the second without any; gives a template too."""
    rng = np.random.default_rng(2)
    template = rng.normal(size=(LANDMARKS, 3)).astype(np.float32)
    table = empty_table(4)
    rows = np.array([0, 2, 3])
    table.readable[rows] = True
    table.points[rows] = template + rng.normal(0, 0.1, (3, LANDMARKS, 3))
    table.places[:] = [20, 28, 10]
    images = rng.integers(0, 256, (4, 48, 48), np.uint8)
    return ArrayPictures(images, 'test'), table, template


def test_crops_are_those_of_the_runtime_and_none_where_there_is_no_face(
    photographs, tmp_path, monkeypatch
):
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    pictures, table, template = photographs
    found = face_crops(pictures, table, NATIVE, template)
    assert found.shape == (4, CROP_PX, CROP_PX) and found.dtype == np.uint8
    assert not found[1].any()
    for row in (0, 2, 3):
        picture = NATIVE.picture(pictures.read(row))
        expected = crop_face(picture, table.outlines()[row], template)
        np.testing.assert_array_equal(found[row], expected)
        assert expected.std() > 10


def test_crops_are_cut_once_for_the_same_content(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    pictures, table, template = photographs
    cut = []

    def counted(*arguments):
        cut.append(1)
        return crop_face(*arguments)

    monkeypatch.setattr(crops_module, 'crop_face', counted)
    first = face_crops(pictures, table, NATIVE, template)
    np.testing.assert_array_equal(face_crops(pictures, table, NATIVE, template), first)
    assert len(cut) == 3
    moved = replace(table, places=table.places + 1)
    for changed in (
        (replace(pictures, images=255 - pictures.images), table, NATIVE, template),
        (pictures, moved, NATIVE, template),
        (pictures, table, X4_PAD25, template),
        (pictures, table, NATIVE, template * 1.1),
    ):
        assert not np.array_equal(face_crops(*changed), first)
    assert len(cut) == 15
