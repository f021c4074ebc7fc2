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

"""Swapped blendshapes are compared with those of the mirror image, shape by shape."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from training.extraction.augmentation import flipped
from training.extraction.views import X4_PAD25
from training.report.flip_agreement import FLIPPED, flip_agreement, flip_table

RNG = np.random.default_rng(1)
STRAIGHT = RNG.uniform(0, 1, (50, len(NAMES))).astype(np.float32)
MIRRORED = STRAIGHT[:, list(MIRROR)]
LEFT, RIGHT = INDEX['mouthSmileLeft'], INDEX['mouthSmileRight']


def test_a_symmetric_finder_agrees_wholly():
    found = flip_agreement(STRAIGHT, MIRRORED)
    assert found.photographs == 50
    assert found.median.max() == found.high.max() == 0
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))


def test_unswapped_blendshapes_do_not_agree():
    found = flip_agreement(STRAIGHT, STRAIGHT)
    assert found.median[LEFT] > 0.1
    assert found.median[INDEX['jawOpen']] == 0


def test_differences_are_those_of_the_shape_that_the_mirror_image_shows():
    other = MIRRORED.copy()
    other[:, LEFT] = STRAIGHT[:, RIGHT] + np.linspace(0, 1, 50)
    found = flip_agreement(STRAIGHT, other)
    assert found.median[LEFT] == pytest.approx(0.5)
    assert found.high[LEFT] == pytest.approx(0.95)
    assert found.median[RIGHT] == 0


def test_a_scaled_shape_correlates_although_it_differs():
    found = flip_agreement(STRAIGHT, MIRRORED / 2)
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))
    assert found.median.min() > 0.1


def test_a_constant_shape_has_no_correlation():
    constant = MIRRORED.copy()
    constant[:, LEFT] = 0.25
    found = flip_agreement(STRAIGHT, constant)
    assert np.isnan(found.correlation[LEFT])
    assert found.as_dict()['mouthSmileLeft']['correlation'] is None
    assert found.as_dict()['mouthSmileRight'] == {
        'median_absolute_difference': 0.0,
        'p95_absolute_difference': 0.0,
        'correlation': 1.0,
    }


def test_the_table_begins_with_what_differs_most():
    other = MIRRORED.copy()
    other[:, LEFT] = 0
    text = io.StringIO()
    Console(file=text, width=120).print(flip_table(flip_agreement(STRAIGHT, other)))
    lines = [line.split()[1:] for line in text.getvalue().splitlines() if line.startswith('│')]
    assert lines[0][0] == 'mouthSmileLeft'
    assert lines[0][-2] == '-'
    assert lines[1][-2] == '1.000'
    assert len(lines) == len(NAMES)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(8, 60))
def test_the_flipped_view_is_the_mirror_image_of_the_prepared_picture(seed, height, width):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    assert np.array_equal(FLIPPED.picture(picture), flipped(X4_PAD25.picture(picture)))
