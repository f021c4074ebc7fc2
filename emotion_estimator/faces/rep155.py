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

"""What REP-155 tells of a face, as numbers; messages only carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import action_units
from emotion_estimator.faces.geometry import POSE_NAMES, dlib_landmarks

if TYPE_CHECKING:
    from emotion_estimator.faces.finder import Face

FACE_FRAME_PREFIX = 'face_'
FOUND = 1.0
"""Confidence of what is said of a face; nothing is said of one below MediaPipe's thresholds."""


def region(face: Face) -> tuple[float, float, float, float]:
    """
    Tell where a face is in the image.

    :param face: the face.
    :returns: left, upper, right and lower edge of the part of its box that lies in the image, as
        fractions of the image's width and height.
    """
    box = np.clip((face.box.x_min, face.box.y_min, face.box.x_max, face.box.y_max), 0, 1)
    x_min, y_min, x_max, y_max = box.tolist()
    return x_min, y_min, x_max, y_max


def facial_action_units(face: Face) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Read a face's action units, those of the head only where its pose is a feature.

    :param face: the face.
    :returns: intensity and confidence, see `action_units`.
    """
    head = None
    if face.feature_names[: len(POSE_NAMES)] == POSE_NAMES:
        head = face.features[: len(POSE_NAMES)]
    return action_units(face.blendshapes, head)


def rated_landmarks(face: Face) -> list[tuple[float, float, float]]:
    """
    Pick REP-155's landmarks of a face.

    :param face: the face.
    :returns: x and y as fractions of the image's width and height, and the confidence, which is
        0 outside the image; 70 of them.
    """
    points = dlib_landmarks(face.landmarks)
    inside = np.where(np.abs(points - 0.5).max(axis=1) <= 0.5, FOUND, 0.0)
    return [(x, y, confidence) for (x, y), confidence in zip(points.tolist(), inside.tolist())]
