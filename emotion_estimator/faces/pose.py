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

"""Where a head is, how it is turned and where it looks, and what else REP-155 tells of a face."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator import blendshapes
from emotion_estimator.faces.geometry import (
    POSE_NAMES,
    PinholeCamera,
    align,
    head_axes,
    in_face_units,
)

if TYPE_CHECKING:
    from emotion_estimator.faces.finder import Face

GAZE_FRAME_PREFIX = 'gaze_'

PUPIL_DISTANCE_M = 0.063
"""
Mean distance of an adult's pupils in metres: N. A. Dodgson, "Variation and extrema of human
interpupillary distance", SPIE 5291 (2004). MediaPipe's canonical face has the same. A head whose
pupils are 10 % further apart appears 10 % nearer than it is.
"""


@dataclass(frozen=True)
class HeadPose:
    """
    A head in the camera's optical frame (x right, y down, z away).

    :param position_m: of the sellion, shape [3].
    :param rotation: its columns are the head's forward, left and up, shape [3, 3].
    """

    position_m: NDArray[np.float64]
    rotation: NDArray[np.float64]


class HeadModel:
    """
    A face of average shape and size that landmarks are compared with.

    :param template: looking straight ahead, in face units, shape [478, 3], see `in_face_units`.
    """

    def __init__(self, template: NDArray[np.float32]) -> None:
        self._template = template
        pupils = np.linalg.norm(template[LEFT_PUPIL] - template[RIGHT_PUPIL])
        self.unit_m = PUPIL_DISTANCE_M / float(pupils)

    def pose(self, landmarks: NDArray[np.float32], camera: PinholeCamera) -> HeadPose:
        """
        Tell where a head is.

        The face is seen as if from afar, since its depth is small against its distance, along
        the line of sight to its middle.

        :param landmarks: shape [478, 3], see `LandmarkedFace`.
        :param camera: of the image they were found in.
        :returns: the pose. The sellion lies on its own line of sight.
        """
        width, height = camera.width, camera.height
        # Where pixels are no squares, as joined ones (binning), all lengths are those across.
        square = camera.focal_x / camera.focal_y
        points, (x, y, unit_px) = in_face_units(landmarks, width, height * square)
        _, rotations = align(points[None], self._template)
        distance_m = self.unit_m * camera.focal_x / unit_px
        depth_m = distance_m + self.unit_m * float(points[SELLION, 2])
        sellion = landmarks[SELLION]
        position_m = depth_m * camera.ray(float(sellion[0]) * width, float(sellion[1]) * height)
        # A head beside the optical axis that faces the lens is turned towards it.
        towards = _rotation_of_axis_to(camera.ray(x, y / square))
        return HeadPose(position_m, head_axes(towards @ rotations[0]))


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
    axes = head_axes(np.eye(3))
    return np.asarray(axes @ yaw @ pitch @ roll @ axes.T)


_RECTIFIED = re.compile(r'(^|/)image_rect(_\w+)?(/|$)')


def calibration_of(info: Any, topic: str) -> tuple[list[float], int, int, tuple[int, ...]]:
    """
    Read what a camera says of itself.

    Its matrix is that of all its pixels, of which it may send a part (`roi`), or join them
    (`binning_x`), see REP-104 and image_geometry's PinholeCameraModel. Of images that image_proc
    rectified, on topics such as image_rect_color, it is that in `p`.

    :param info: sensor_msgs/CameraInfo, of rclpy or of a bag; that of ROS 1 has capitals.
    :param topic: of the images.
    :returns: what `KnownCamera.calibrate` takes.
    """
    k = np.ravel(info.k if hasattr(info, 'k') else info.K).tolist()
    p = np.ravel(info.p if hasattr(info, 'p') else info.P)
    # Where there is none it is filled with zeros.
    if _RECTIFIED.search(topic) and p.size == 12 and p[0] > 0:
        k = p.reshape(3, 4)[:, :3].ravel().tolist()
    roi = info.roi
    part = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    joined = (max(binning, 1) for binning in (info.binning_x, info.binning_y))
    return k, int(info.width), int(info.height), tuple(map(int, (*part, *joined)))


def _rotation_of_axis_to(ray: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn z onto a direction with z above 0, the shortest way; shape [3, 3]."""
    x, y, z = ray / np.linalg.norm(ray)
    share = 1 / (1 + z)
    return np.array(
        [
            [1 - x * x * share, -x * y * share, x],
            [-x * y * share, 1 - y * y * share, y],
            [-x, -y, z],
        ]
    )


def quaternion_of(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """
    Tell a rotation as ROS does.

    From the largest of the four, so that none is divided by a small one (S. W. Shepperd,
    "Quaternion from rotation matrix", Journal of Guidance and Control 1 (1978), 223).

    :param rotation: shape [3, 3].
    :returns: x, y, z, w of the unit quaternion, w at least 0.
    """
    r = rotation.tolist()
    trace = r[0][0] + r[1][1] + r[2][2]
    a = max(range(3), key=lambda axis: r[axis][axis])
    axis = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]]
    w = 1 + trace
    if trace < r[a][a]:
        w = axis[a]
        axis = [r[a][b] + r[b][a] for b in range(3)]
        axis[a] += 1 - trace
    length = math.copysign(math.hypot(*axis, w), w)
    x, y, z = (value / length for value in axis)
    return x, y, z, w / length


# Where a person looks: the head's direction, and on top of it that of the eyes.


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


@dataclass(frozen=True)
class FrameOfFace:
    """
    A frame and where it is in its parent.

    :param name: of the frame.
    :param parent: name of the frame that it hangs on; empty for the camera's.
    :param position_m: x, y, z of its origin.
    :param quaternion: x, y, z, w of its rotation.
    """

    name: str
    parent: str
    position_m: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]


def frames_of(face: Face, pose: HeadPose) -> Iterator[FrameOfFace]:
    """
    Tell the frames of a face.

    :param pose: where its head is.
    :returns: `face_<id>` in the camera's frame (origin at the sellion, x out of the face, z up),
        then `gaze_<id>` in that one (the same origin, z along the gaze).
    """
    x, y, z = pose.position_m.tolist()
    name = FACE_FRAME_PREFIX + face.face_id
    yield FrameOfFace(name, '', (x, y, z), quaternion_of(pose.rotation))
    # REP-155 has what is in a face hang on it; hri_face_detect does so with the gaze.
    gaze = quaternion_of(gaze_rotation(np.eye(3), face.blendshapes))
    yield FrameOfFace(GAZE_FRAME_PREFIX + face.face_id, name, (0.0, 0.0, 0.0), gaze)


# What REP-155 tells of a face beside its frames, as numbers; messages only carry them.


FACE_FRAME_PREFIX = 'face_'
FOUND = 1.0
"""Confidence of what is said of a face; nothing is said of one below MediaPipe's thresholds."""


def region(face: Face) -> tuple[float, float, float, float]:
    """
    Tell where a face is in the image.

    :returns: left, upper, right and lower edge of the part of its box that lies in the image, as
        fractions of the image's width and height.
    """
    box = np.clip((face.box.x_min, face.box.y_min, face.box.x_max, face.box.y_max), 0, 1)
    x_min, y_min, x_max, y_max = box.tolist()
    return x_min, y_min, x_max, y_max


def facial_action_units(face: Face) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Read a face's action units, those of the head only where its pose is a feature.

    :returns: intensity and confidence, see `blendshapes.action_units`.
    """
    head = None
    if face.feature_names[: len(POSE_NAMES)] == POSE_NAMES:
        head = face.features[: len(POSE_NAMES)]
    return blendshapes.action_units(face.blendshapes, head)


def rated_landmarks(face: Face) -> list[tuple[float, float, float]]:
    """
    Pick REP-155's landmarks of a face.

    :returns: x and y as fractions of the image's width and height, and the confidence, which is
        0 outside the image; 70 of them.
    """
    points = dlib_landmarks(face.landmarks)
    inside = np.where(np.abs(points - 0.5).max(axis=1) <= 0.5, FOUND, 0.0)
    return [(x, y, confidence) for (x, y), confidence in zip(points.tolist(), inside.tolist())]


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
