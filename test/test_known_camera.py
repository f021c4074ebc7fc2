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


"""A camera by its calibration, or by its angle of view where that cannot be used."""

import math

import numpy as np
import pytest

from emotion_estimator.faces.known_camera import KnownCamera
from emotion_estimator.faces.pinhole_camera import PinholeCamera

MATRIX = np.array([[600, 0, 320], [0, 610, 240], [0, 0, 1.0]])
SIXTY_DEGREES = math.radians(60)


def camera():
    """Make one, and the list of the faults that it tells."""
    told = []
    return KnownCamera(SIXTY_DEGREES, told.append), told


@pytest.mark.parametrize('k', [MATRIX, MATRIX.ravel(), MATRIX.ravel().tolist()])
def test_a_calibration_holds_for_images_of_its_shape(k):
    known, told = camera()
    assert known.camera(640, 480) == PinholeCamera.of_view(640, 480, SIXTY_DEGREES)
    assert known.calibrate(k, 640, 480)
    assert known.camera(640, 480) == PinholeCamera(600, 610, 320, 240, 640, 480)
    assert known.camera(320, 240) == PinholeCamera(300, 305, 160, 120, 320, 240)
    assert told == []
    for _ in range(2):
        assert known.camera(480, 480) == PinholeCamera.of_view(480, 480, SIXTY_DEGREES)
        known.camera(640, 480)
    assert len(told) == 1
    assert 'another shape' in told[0] and 'A field of view of 60 degrees is assumed.' in told[0]


@pytest.mark.parametrize(
    'k, width, fault',
    [
        (np.zeros(9), 640, 'focal lengths'),
        (MATRIX, 0, 'it is empty'),
        (np.where(MATRIX == 600, np.nan, MATRIX), 640, 'focal lengths'),
        (MATRIX[:2], 640, 'k holds 6 values, not 9.'),
    ],
)
def test_a_calibration_that_no_camera_has_is_told_once(k, width, fault):
    known, told = camera()
    assert not known.calibrate(k, width, 480)
    assert not known.calibrate(k, width, 480)
    (sentence,) = told
    assert sentence.startswith('camera_info: k, width or height is wrong: ') and fault in sentence
    assert known.camera(640, 480) == PinholeCamera.of_view(640, 480, SIXTY_DEGREES)
