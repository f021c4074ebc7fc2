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

"""Photographs are prepared alike everywhere: RGB, enlarged by a whole factor, with a border."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.extraction.preparation import BORDER, ENLARGED_PX, enlarged, native
from training.extraction.views import NATIVE, X4_PAD25

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(8, 420)


def photograph(seed, height, width, grey):
    shape = (height, width) if grey else (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@settings(deadline=None)
@given(seeds, sides, sides, st.booleans())
def test_native_is_the_photograph_as_it_is(seed, height, width, grey):
    picture = photograph(seed, height, width, grey)
    prepared = native(picture)
    assert prepared.shape == (height, width, 3)
    assert prepared.dtype == np.uint8
    expected = np.repeat(picture[..., None], 3, axis=2) if grey else picture
    assert np.array_equal(prepared, expected)


@settings(deadline=None, max_examples=50)
@given(seeds, sides, sides, st.booleans())
def test_the_border_is_black_and_a_quarter_of_the_side(seed, height, width, grey):
    picture = photograph(seed, height, width, grey)
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
    picture = photograph(seed, height, width, grey=True)
    before = picture.copy()
    assert np.array_equal(enlarged(picture), enlarged(picture.copy()))
    assert np.array_equal(picture, before)


def test_photographs_of_fer2013_become_four_times_as_large():
    picture = photograph(1, 48, 48, grey=True)
    assert enlarged(picture).shape == (288, 288, 3)


def test_enlarging_keeps_what_the_photograph_shows():
    smooth = np.asarray(cv2.GaussianBlur(photograph(2, 48, 48, grey=True), (0, 0), 3), np.uint8)
    inside = enlarged(smooth)[48:-48, 48:-48, 0]
    back = cv2.resize(inside, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(int) - smooth.astype(int)).max() <= 2


def test_a_large_photograph_is_not_reduced():
    assert enlarged(photograph(3, 500, 700, grey=False)).shape == (750, 1050, 3)


def test_the_views_prepare_so():
    picture = photograph(4, 48, 48, grey=True)
    assert np.array_equal(NATIVE.picture(picture), native(picture))
    assert np.array_equal(X4_PAD25.picture(picture), enlarged(picture))
