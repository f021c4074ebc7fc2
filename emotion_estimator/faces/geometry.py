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

"""
Landmarks in the face's own frame, laid on a template; the rotation is the head's pose.

The similarity transform is that of least squares: W. Kabsch, Acta Crystallographica A32 (1976),
922; S. Umeyama, IEEE PAMI 13 (1991), 376.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LANDMARKS = 478
MESH = 468
"""Landmarks of the skin; those behind are the irises, which gaze moves."""

POSE_NAMES: tuple[str, ...] = ('head.roll', 'head.pitch', 'head.yaw')
"""Names of what `head_angles` returns."""

# Rows: forward, left and up of the head (REP-103) in the image's axes right, down and away.
_HEAD_AXES = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], np.float64)


def in_face_units(
    landmarks: NDArray[np.float32], width: int, height: int
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """
    Free landmarks from the image: equal scale of all axes, centred, mean square distance 1.

    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param width: of the image in pixels.
    :param height: its height in pixels.
    :returns: points of shape [478, 3] in image axes (x right, y down, z away); and x and y of the
        face's middle and the length of a face unit, in pixels of the image.
    """
    pixels = landmarks * np.array([width, height, width], np.float32)
    middle = pixels[:MESH].mean(axis=0)
    centred = pixels - middle
    unit_px = np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())
    return centred / unit_px, (float(middle[0]), float(middle[1]), float(unit_px))


def align(
    points: NDArray[np.float32], template: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """
    Rotate faces onto the template.

    :param points: in face units, shape [N, 478, 3].
    :param template: in face units, shape [478, 3].
    :returns: the rotated faces, shape [N, 478, 3], and the rotations that turn the template as
        the faces are turned, shape [N, 3, 3], image axes.
    """
    products = np.matmul(template[:MESH].T.astype(np.float64), points[:, :MESH])
    left, _, right = np.linalg.svd(products)
    # Without this a mirrored face would be explained by a reflection.
    right[:, 2] *= np.sign(np.linalg.det(np.matmul(left, right)))[:, None]
    rotations = np.matmul(right.transpose(0, 2, 1), left.transpose(0, 2, 1))
    # Points are rows: multiplied from the right, the rotations turn them back.
    return np.matmul(points, rotations.astype(np.float32)), rotations


def head_axes(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Tell which way a head faces.

    :param rotation: that turns a head as it is turned, shape [3, 3].
    :returns: its columns are the head's forward, left and up (REP-103) in image axes, [3, 3].
    """
    return np.asarray(rotation @ _HEAD_AXES.T)


def head_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Tell the head's pose.

    :param rotations: of `align`, shape [N, 3, 3].
    :returns: roll, pitch and yaw in radians about the head's forward, left and up axes (REP-103:
        positive are roll to the person's right shoulder, pitch downward and yaw to the person's
        left), applied in this order about the template's axes, 0 when the head is held as the
        template's, shape [N, 3].
    """
    turned = _HEAD_AXES @ rotations @ _HEAD_AXES.T
    roll = np.arctan2(turned[:, 2, 1], turned[:, 2, 2])
    pitch = -np.arcsin(np.clip(turned[:, 2, 0], -1, 1))
    yaw = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
    return np.stack([roll, pitch, yaw], axis=1)


def rotation_of(angles: tuple[float, float, float]) -> NDArray[np.float64]:
    """
    Make the rotation that has these angles: the inverse of `head_angles`.

    :param angles: roll, pitch and yaw in radians.
    :returns: it turns columns in image axes, shape [3, 3].
    """
    (roll_c, pitch_c, yaw_c), (roll_s, pitch_s, yaw_s) = np.cos(angles), np.sin(angles)
    roll = np.array([[1, 0, 0], [0, roll_c, -roll_s], [0, roll_s, roll_c]])
    pitch = np.array([[pitch_c, 0, pitch_s], [0, 1, 0], [-pitch_s, 0, pitch_c]])
    yaw = np.array([[yaw_c, -yaw_s, 0], [yaw_s, yaw_c, 0], [0, 0, 1]])
    return np.asarray(_HEAD_AXES.T @ yaw @ pitch @ roll @ _HEAD_AXES)


# The 70 landmarks of REP-155 among MediaPipe's 478.
#
# REP-155 takes the 68 points of dlib's shape predictor (C. Sagonas et al., "300 Faces in-the-
# Wild Challenge", ICCV Workshops 2013) and both pupils. MediaPipe's mesh has no points of its
# own for them: brows, eyes and lips have points on the same contours; of the oval those are
# taken that lie nearest to dlib's even spacing from ear to chin, of the nose those along bridge
# and base.


SELLION = 168
"""Deepest point of the root of the nose, between the eyes; REP-155's number 27."""
RIGHT_PUPIL = 468
"""Middle of the person's right iris."""
LEFT_PUPIL = 473
"""Middle of the person's left iris."""

# Right and left are the person's own; the numbers in front are REP-155's.
INDICES: tuple[int, ...] = (
    # 0 to 16: from the right ear along the jaw, over the chin (8), to the left ear
    *(127, 234, 132, 58, 172, 136, 150, 176),
    152,
    *(400, 379, 365, 397, 288, 361, 454, 356),
    # 17 to 21: right brow from outside; 22 to 26: left brow from inside
    *(70, 63, 105, 66, 107),
    *(336, 296, 334, 293, 300),
    # 27 to 30: bridge of the nose downward; 31 to 35: its base from right to left
    *(SELLION, 197, 5, 4),
    *(98, 97, 2, 326, 327),
    # 36 to 41: right eye from its outer corner over the upper lid; 42 to 47: left from its inner
    *(33, 160, 158, 133, 153, 144),
    *(362, 385, 387, 263, 373, 380),
    # 48 to 59: outer edge of the lips from the right corner over the upper lip
    *(61, 39, 37, 0, 267, 269),
    *(291, 405, 314, 17, 84, 181),
    # 60 to 67: inner edge, in the same order
    *(78, 81, 13, 311),
    *(308, 402, 14, 178),
    # 68 and 69: pupils
    *(RIGHT_PUPIL, LEFT_PUPIL),
)
"""MediaPipe's index by REP-155's number, 70 of them."""

_INDICES = np.array(INDICES)


def dlib_landmarks(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Pick REP-155's landmarks.

    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :returns: x and y as fractions of the image's width and height, shape [70, 2].
    """
    picked: NDArray[np.float32] = landmarks[_INDICES, :2]
    return picked
