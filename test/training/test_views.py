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

"""Augmentation changes how a photograph was taken and nothing else: by seed, in shape."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.faces import SERIOUS, media_path
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_estimator.faces.appearance import CROP_PX, AppearanceNetwork
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from training.covers import EYE_COVERS, HARMLESS, MOUTH_COVERS, covered
from training.datasets.pictures import FilePictures
from training.encoding.appearance import CropChanges, litert_of
from training.encoding.visibility import VisibilitySettings, learn_visibility
from training.extraction.covered_faces import (
    SeenParts,
    covered_pictures,
    misfit,
    place_of,
    read_parts,
)
from training.extraction.views import (
    AUGMENTED,
    BORDER,
    ENLARGED_PX,
    FAR,
    NATIVE,
    X4_PAD25,
    Augmentation,
    augmented,
    enlarged,
    flipped,
    framed,
    moved,
    native,
)
from training.painting import FacePlaces

NOTHING = Augmentation(
    flipped=0,
    rotation_rad=0,
    scale=(1, 1),
    shift=0,
    blurred=0,
    noisy=0,
    lit=0,
    compressed=0,
)
EVERYTHING = Augmentation(
    flipped=1, blurred=1, noisy=1, lit=1, compressed=1, occluded=1, reduced=(0.1, 0.5)
)
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(8, 80)


def photograph(seed, height=48, width=48, channels=3):
    """Make a picture with shapes in it, smooth as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.uint8).reshape(noise.shape)


@settings(max_examples=40, deadline=None)
@given(seeds, sides, sides, st.sampled_from([NOTHING, Augmentation(), EVERYTHING]))
def test_shape_and_kind_are_kept(seed, height, width, how):
    picture = photograph(seed, height, width)
    before = picture.copy()
    changed = augmented(picture, how, np.random.default_rng(seed))
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(picture, before)


@settings(max_examples=30, deadline=None)
@given(seeds, seeds)
def test_the_same_seed_gives_the_same_picture(picture_seed, seed):
    picture = photograph(picture_seed)
    first, second = (
        augmented(picture, Augmentation(), np.random.default_rng(seed)) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_other_seeds_give_other_pictures():
    picture = photograph(1)
    changed = {
        augmented(picture, Augmentation(), np.random.default_rng(s)).tobytes() for s in range(20)
    }
    assert len(changed) == 20


@settings(deadline=None)
@given(seeds, sides, sides)
def test_no_change_is_none(seed, height, width):
    picture = photograph(seed, height, width)
    assert np.array_equal(augmented(picture, NOTHING, np.random.default_rng(seed)), picture)


@settings(deadline=None)
@given(seeds, sides, sides, st.booleans())
def test_mirrored_twice_is_as_it_was(seed, height, width, grey):
    picture = photograph(seed, height, width)
    picture = picture[..., 0] if grey else picture
    once = flipped(picture)
    assert np.array_equal(once[:, 0], picture[:, -1])
    assert once.flags.c_contiguous
    assert np.array_equal(flipped(once), picture)


def test_the_share_that_is_mirrored_is_what_was_asked():
    picture, how = photograph(3), replace(NOTHING, flipped=0.5)
    rng = np.random.default_rng(3)
    mirrored = sum(
        np.array_equal(augmented(picture, how, rng), flipped(picture)) for _ in range(400)
    )
    assert 160 < mirrored < 240


@pytest.mark.parametrize('degrees', [10.0, 36.0])
def test_pictures_turn_no_further_than_the_bound(degrees):
    # A white line through the middle; its angle is read off its covariance.
    picture = np.zeros((101, 101, 3), np.uint8)
    picture[49:52, 10:91] = 255
    how = replace(NOTHING, rotation_rad=10.0, max_rotation_rad=np.radians(degrees))
    turns = []
    for seed in range(20):
        y, x = np.nonzero(moved(picture, how, np.random.default_rng(seed))[..., 0] > 127)
        _, axes = np.linalg.eigh(np.cov(x, y))
        turns.append(abs(np.degrees(np.arctan(axes[1, 1] / axes[0, 1]))))
    # So wide a spread that nearly all are cut to the bound.
    assert max(turns) == pytest.approx(degrees, abs=1)
    assert np.median(turns) == pytest.approx(degrees, abs=1)


def test_a_patch_covers_part_of_the_face_with_one_grey():
    picture = photograph(5, 90, 90)
    how = replace(NOTHING, occluded=1.0)
    for seed in range(20):
        changed = augmented(picture, how, np.random.default_rng(seed))
        covered = (changed != picture).any(axis=2)
        assert 0.002 < covered.mean() < 0.12
        assert len(np.unique(changed[covered])) == 1


def test_light_keeps_the_order_of_grey_levels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    how = replace(NOTHING, lit=1.0)
    for seed in range(20):
        lit = augmented(ramp, how, np.random.default_rng(seed))[0, :, 0].astype(int)
        assert (np.diff(lit) >= 0).all()
        assert lit[-1] - lit[0] > 100


@pytest.mark.parametrize('view', [AUGMENTED, FAR], ids=lambda view: view.name)
def test_a_view_changes_a_photograph_always_likewise_and_each_in_its_way(view):
    first, second = (photograph(seed)[..., 0] for seed in (1, 2))
    assert np.array_equal(view.picture(first), view.picture(first.copy()))
    assert not np.array_equal(view.picture(first), replace(view, seed=9).picture(first))
    assert view.picture(second).shape == X4_PAD25.picture(second).shape == (288, 288, 3)


def test_a_reduced_picture_keeps_what_is_coarse_and_loses_what_is_fine():
    how = replace(NOTHING, reduced=(0.25, 0.25))
    coarse = np.kron(np.array([[0, 255], [255, 0]], np.uint8), np.ones((64, 64), np.uint8))
    fine = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (64, 64))
    coarse, fine = (np.repeat(each[..., None], 3, axis=2) for each in (coarse, fine))
    rng = np.random.default_rng(1)
    near = np.abs(augmented(coarse, how, rng).astype(int) - coarse) < 2
    assert near.mean() > 0.9
    assert np.isin(augmented(fine, how, rng), (127, 128)).all()


# Photographs are prepared alike everywhere: RGB, enlarged by a whole factor, with a border.


prepared_sides = st.integers(8, 420)


def small_photograph(seed, height, width, grey):
    shape = (height, width) if grey else (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@settings(deadline=None)
@given(seeds, prepared_sides, prepared_sides, st.booleans())
def test_native_is_the_photograph_as_it_is(seed, height, width, grey):
    picture = small_photograph(seed, height, width, grey)
    prepared = native(picture)
    assert prepared.shape == (height, width, 3)
    assert prepared.dtype == np.uint8
    expected = np.repeat(picture[..., None], 3, axis=2) if grey else picture
    assert np.array_equal(prepared, expected)


@settings(deadline=None, max_examples=50)
@given(seeds, prepared_sides, prepared_sides, st.booleans())
def test_the_border_is_black_and_a_quarter_of_the_side(seed, height, width, grey):
    picture = small_photograph(seed, height, width, grey)
    prepared = enlarged(picture)
    factor = max(1, round(ENLARGED_PX / min(height, width)))
    above, beside = round(factor * height * BORDER), round(factor * width * BORDER)
    assert prepared.shape == (factor * height + 2 * above, factor * width + 2 * beside, 3)
    assert prepared.dtype == np.uint8
    inside = np.zeros(prepared.shape[:2], bool)
    inside[above:-above, beside:-beside] = True
    assert not prepared[~inside].any()
    if factor == 1:
        assert np.array_equal(prepared[above:-above, beside:-beside], native(picture))


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(8, 96), st.integers(8, 96))
def test_preparing_is_the_same_every_time(seed, height, width):
    picture = small_photograph(seed, height, width, grey=True)
    before = picture.copy()
    assert np.array_equal(enlarged(picture), enlarged(picture.copy()))
    assert np.array_equal(picture, before)


def test_photographs_of_fer2013_become_four_times_as_large():
    picture = small_photograph(1, 48, 48, grey=True)
    assert enlarged(picture).shape == (288, 288, 3)


def test_enlarging_keeps_what_the_photograph_shows():
    smooth = np.asarray(
        cv2.GaussianBlur(small_photograph(2, 48, 48, grey=True), (0, 0), 3), np.uint8
    )
    inside = enlarged(smooth)[48:-48, 48:-48, 0]
    back = cv2.resize(inside, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(int) - smooth.astype(int)).max() <= 2


def test_a_large_photograph_is_not_reduced():
    assert enlarged(small_photograph(3, 500, 700, grey=False)).shape == (750, 1050, 3)


def test_the_views_prepare_so():
    picture = small_photograph(4, 48, 48, grey=True)
    assert np.array_equal(NATIVE.picture(picture), native(picture))
    assert np.array_equal(X4_PAD25.picture(picture), enlarged(picture))


# Covers hide what they are named after, and a network learns to notice it.


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


def test_crops_that_were_covered_with_other_donors_are_not_taken_for_these():
    pictures, encoding = FilePictures((media_path(SERIOUS),)), find_encoding(DEFAULT_ENCODING)
    same = [donor.copy() for donor in DONORS]
    assert place_of(pictures, same, encoding) == place_of(pictures, DONORS, encoding)
    for others in (DONORS[1:], [*DONORS[1:], DONORS[0] // 2]):
        assert place_of(pictures, others, encoding) != place_of(pictures, DONORS, encoding)


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


def test_only_a_small_picture_is_enlarged_and_framed():
    small, tall = np.full((99, 60), 200, np.uint8), np.full((100, 60, 3), 200, np.uint8)
    grown = framed(small)
    assert grown.shape == (4 * 99 + 96, 4 * 60 + 96, 3)
    assert (grown[:48] == 0).all() and (grown[48:-48, 48:-48] == 200).all()
    assert framed(tall) is tall
