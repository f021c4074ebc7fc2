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

"""Where a person looks: the head's direction, and on top of it that of the eyes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from emotion_estimator import blendshapes

FULL_RAD = math.radians(30)
"""
Turn of the eyes that a blendshape of 1 stands for, in radians.

Neither ARKit nor MediaPipe states one; 30 degrees is about as far as eyes turn before the head
follows.
"""
CLOSED = 0.6
"""With both eyeBlink shapes above it the eyes are shut: the head's direction is left."""

_LEFTWARD = [blendshapes.INDEX[name] for name in ('eyeLookOutLeft', 'eyeLookInRight')]
_RIGHTWARD = [blendshapes.INDEX[name] for name in ('eyeLookInLeft', 'eyeLookOutRight')]
_DOWNWARD = [blendshapes.INDEX[name] for name in ('eyeLookDownLeft', 'eyeLookDownRight')]
_UPWARD = [blendshapes.INDEX[name] for name in ('eyeLookUpLeft', 'eyeLookUpRight')]
_LIDS = [blendshapes.INDEX[name] for name in ('eyeBlinkLeft', 'eyeBlinkRight')]

# Columns: an optical frame's right, down and forward in the head's forward, left and up.
_OPTICAL = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float64)


def eye_angles(shapes: NDArray[np.float32]) -> tuple[float, float]:
    """
    Tell how far the eyes are turned in the head, the mean of both.

    :param shapes: the blendshapes, shape [52] in the order of `blendshapes.NAMES`.
    :returns: pitch and yaw in radians about the head's left and up (REP-103: positive are pitch
        downward and yaw to the person's left); 0 when the eyes are shut.
    """
    if shapes[_LIDS].min() > CLOSED:
        return 0.0, 0.0
    pitch = float(shapes[_DOWNWARD].mean() - shapes[_UPWARD].mean()) * FULL_RAD
    yaw = float(shapes[_LEFTWARD].mean() - shapes[_RIGHTWARD].mean()) * FULL_RAD
    return pitch, yaw


def gaze_rotation(head: NDArray[np.float64], shapes: NDArray[np.float32]) -> NDArray[np.float64]:
    """
    Tell where a person looks.

    :param head: rotation of the head, its columns forward, left and up, shape [3, 3].
    :param shapes: the blendshapes, shape [52].
    :returns: in the frame of `head`: columns right, down (the person's) and along the gaze, as an
        optical frame has them, shape [3, 3].
    """
    pitch, yaw = eye_angles(shapes)
    down, left = math.sin(pitch), math.sin(yaw)
    level, ahead = math.cos(pitch), math.cos(yaw)
    eyes = np.array(
        [
            [ahead * level, -left, ahead * down],
            [left * level, ahead, left * down],
            [-down, 0, level],
        ]
    )
    rotation: NDArray[np.float64] = head @ eyes @ _OPTICAL
    return rotation
