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

"""Frames of heads and gazes, and the camera that they are seen by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.gaze import gaze_rotation
from emotion_estimator.faces.head_pose import HeadPose, quaternion_of
from emotion_estimator.faces.pinhole_camera import IntrinsicsError, PinholeCamera
from emotion_estimator.messages.features import FACE_FRAME_PREFIX, MessageError

GAZE_FRAME_PREFIX = 'gaze_'


def frames_message(heads: Iterable[tuple[Face, HeadPose]], header: Header) -> TFMessage:
    """
    Make the frames of an image's faces.

    :param heads: the faces and where they are.
    :param header: the image's header; its frame is the parent, an optical frame (REP-103).
    :returns: for each face `face_<id>` (origin at the sellion, x out of the face, z up) and
        `gaze_<id>` (the same origin, z along the gaze).
    """
    transforms = []
    for face, pose in heads:
        gaze = gaze_rotation(pose.rotation, face.blendshapes)
        for prefix, rotation in ((FACE_FRAME_PREFIX, pose.rotation), (GAZE_FRAME_PREFIX, gaze)):
            transforms.append(_transform(header, prefix + face.face_id, pose.position_m, rotation))
    return TFMessage(transforms=transforms)


def _transform(
    header: Header, child: str, position_m: NDArray[np.float64], rotation: NDArray[np.float64]
) -> TransformStamped:
    x, y, z = position_m.tolist()
    turn_x, turn_y, turn_z, turn_w = quaternion_of(rotation)
    return TransformStamped(
        header=header,
        child_frame_id=child,
        transform=Transform(
            translation=Vector3(x=x, y=y, z=z),
            rotation=Quaternion(x=turn_x, y=turn_y, z=turn_z, w=turn_w),
        ),
    )


def camera_of(message: CameraInfo) -> PinholeCamera:
    """
    Read a camera's calibration; distortion is left out.

    :param message: the calibration.
    :returns: the camera.
    :raises MessageError: when no camera can have it.
    """
    matrix = np.asarray(message.k, np.float64).ravel()
    if matrix.size != 9:
        raise MessageError(f'k holds {matrix.size} values, not 9.')
    try:
        return PinholeCamera(
            focal_x=float(matrix[0]),
            focal_y=float(matrix[4]),
            middle_x=float(matrix[2]),
            middle_y=float(matrix[5]),
            width=int(message.width),
            height=int(message.height),
        )
    except IntrinsicsError as error:
        raise MessageError(f'k, width or height is wrong: {error}') from error
