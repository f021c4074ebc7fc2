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

"""Covers hide what they are named after, and a network learns to notice it."""

import cv2
import numpy as np
import pytest
from helpers.media import SERIOUS, media_path

from emotion_estimator.faces.appearance import CROP_PX, AppearanceNetwork
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from training.covers import EYE_COVERS, HARMLESS, MOUTH_COVERS, covered
from training.datasets.pictures import FilePictures
from training.encoding.appearance import CropChanges, litert_of
from training.encoding.visibility import VisibilitySettings, learn_visibility
from training.extraction.covered_faces import SeenParts, covered_pictures, misfit, read_parts
from training.painting import FacePlaces

SIDE = 240
DONORS = [np.full((48, 48), 90, np.uint8)]


@pytest.fixture(scope='module')
def outline():
    """Lay the template's face into the middle of a picture, half as wide."""
    template = read_encoding(find_encoding(DEFAULT_ENCODING)).template
    return (template[:, :2] * SIDE / 5 + SIDE / 2).astype(np.float32)


@pytest.fixture(scope='module')
def picture():
    noise = np.random.default_rng(0).integers(60, 200, (SIDE, SIDE, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.0)


def changed(picture, other, place, half):
    """Tell which share of a square round a place is another than before."""
    x, y = np.rint(place).astype(int)
    part = np.s_[y - half : y + half + 1, x - half : x + half + 1]
    away = np.abs(picture[part].astype(int) - other[part]).max(axis=2)
    return float((away > 8).mean())


@pytest.mark.parametrize('name', [*MOUTH_COVERS, *EYE_COVERS])
def test_a_cover_hides_its_part_and_leaves_the_other(picture, outline, name):
    face = FacePlaces(outline)
    mouth, eyes = [], []
    for seed in range(20):
        made = covered(picture, face, [name], np.random.default_rng(seed), DONORS)
        mouth.append(changed(picture, made, face.mouth, 6))
        eyes += [changed(picture, made, eye, 4) for eye in face.eyes]
    hidden, left = (mouth, eyes) if name in MOUTH_COVERS else (eyes, mouth)
    assert np.median(hidden) > 0.8
    assert np.mean(np.array(left) < 0.1) > 0.85


@pytest.mark.parametrize('name', sorted({*HARMLESS} - {'shadow', 'spectacles'}))
def test_what_is_harmless_leaves_mouth_and_eyes(picture, outline, name):
    face = FacePlaces(outline)
    for seed in range(20):
        made = covered(picture, face, [name], np.random.default_rng(seed), DONORS)
        assert (made != picture).any()
        for place in (face.mouth, *face.eyes):
            assert changed(picture, made, place, 2) < 0.5


def test_the_same_chance_draws_the_same(picture, outline):
    face = FacePlaces(outline)
    for name in (*MOUTH_COVERS, *EYE_COVERS, *HARMLESS):
        one, two = (
            covered(picture, face, [name], np.random.default_rng(5), DONORS) for _ in range(2)
        )
        np.testing.assert_array_equal(one, two)


def test_a_mesh_misfits_by_how_far_it_lies_off(outline):
    assert misfit(outline, outline) == 0
    assert misfit(2 * outline.mean(axis=0) - outline, outline) == pytest.approx(2, abs=0.05)
    aside = outline + np.array([SIDE / 5, 0])
    assert misfit(aside, outline) == pytest.approx(1, abs=0.1)


def test_where_a_face_is_turned_its_landmarks_are_turned_with_it(picture, outline):
    marked = picture.copy()
    nose = np.rint(outline[4]).astype(int)
    cv2.circle(marked, nose.tolist(), 4, (255, 0, 255), -1)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        plans = {kind: rest for kind, *rest in covered_pictures(marked, outline, rng, DONORS)}
        mouth, eyes, made, right = plans['turned']
        assert mouth and eyes
        x, y = np.rint(right[4]).astype(int)
        assert made[y, x].tolist() == pytest.approx([255, 0, 255], abs=40)
        seen = {kind: (mouth, eyes) for kind, (mouth, eyes, *_) in plans.items()}
        for kind, (mouth, eyes) in seen.items():
            names = set(kind.split('+'))
            assert mouth == (not names & {*MOUTH_COVERS})
            assert eyes == (not names & {*EYE_COVERS})


def test_photographs_become_crops_of_what_the_landmarker_sees():
    pictures = FilePictures((media_path(SERIOUS),))
    parts = read_parts(pictures, DONORS, find_encoding(DEFAULT_ENCODING))
    assert parts.kinds[0] == 'as it is' and parts.seen[0].all()
    assert 3 <= len(parts) <= 8
    assert parts.crops.shape == (len(parts), CROP_PX, CROP_PX)
    again = read_parts(pictures, DONORS, find_encoding(DEFAULT_ENCODING))
    np.testing.assert_array_equal(parts.crops, again.crops)


def test_a_network_learns_what_is_seen(tmp_path):
    rng = np.random.default_rng(1)
    seen = rng.random((600, 3)) < 0.6
    crops = rng.integers(90, 110, (600, CROP_PX, CROP_PX), np.uint8)
    for number, (above, left) in enumerate(((34, 20), (14, 20), (2, 2))):
        crops[seen[:, number], above : above + 8, left : left + 8] = 250
    parts = SeenParts(crops, seen, np.array(['made up'] * 600))
    still = CropChanges(0, 0, 0, 0, 0, noisy=0, hidden=0, contrast=0)
    how = VisibilitySettings((4, 8, 8, 8), 8, 0.0, epochs=12, batch=60, changes=still)
    network = AppearanceNetwork(litert_of(learn_visibility(parts, how)))
    logits = network(crops)
    assert ((logits[:, 2] > 0) == seen[:, 2]).mean() > 0.95
    right = seen[:, 2]
    assert ((logits[right, :2] > 0) == seen[right, :2]).mean() > 0.95
