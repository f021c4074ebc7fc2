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

"""Where a head is and how it is turned, in the frame of the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from emotion_estimator.faces.dlib_landmarks import LEFT_PUPIL, RIGHT_PUPIL, SELLION
from emotion_estimator.faces.face_geometry import align, head_axes, in_face_units
from emotion_estimator.faces.pinhole_camera import PinholeCamera

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

        :param landmarks: shape [478, 3], see `FaceArrays`.
        :param camera: of the image they were found in.
        :returns: the pose. The sellion lies on its own line of sight.
        """
        width, height = camera.width, camera.height
        points, (x, y, unit_px) = in_face_units(landmarks, width, height)
        _, rotations = align(points[None], self._template)
        distance_m = self.unit_m * camera.focal_x / unit_px
        depth_m = distance_m + self.unit_m * float(points[SELLION, 2])
        sellion = landmarks[SELLION]
        position_m = depth_m * camera.ray(float(sellion[0]) * width, float(sellion[1]) * height)
        # A head beside the optical axis that faces the lens is turned towards it.
        towards = _rotation_of_axis_to(camera.ray(x, y))
        return HeadPose(position_m, head_axes(towards @ rotations[0]))


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

    :param rotation: shape [3, 3].
    :returns: x, y, z, w of the unit quaternion, w at least 0.
    """
    x, y, z, w = Rotation.from_matrix(rotation).as_quat(canonical=True).tolist()
    return x, y, z, w
