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

"""Frames of heads and gazes."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from emotion_estimator.faces.face_description import FrameOfFace, frames_of
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.head_pose import HeadPose


def frames_message(heads: Iterable[tuple[Face, HeadPose]], header: Header) -> TFMessage:
    """
    Make the frames of an image's faces.

    :param heads: the faces and where they are.
    :param header: the image's header; its frame is the parent, an optical frame (REP-103).
    :returns: for each face two frames, see `frames_of`.
    """
    frames = (frame for face, pose in heads for frame in frames_of(face, pose))
    return TFMessage(transforms=[_transform(header, frame) for frame in frames])


def _transform(header: Header, frame: FrameOfFace) -> TransformStamped:
    x, y, z = frame.position_m
    turn_x, turn_y, turn_z, turn_w = frame.quaternion
    return TransformStamped(
        header=header,
        child_frame_id=frame.name,
        transform=Transform(
            translation=Vector3(x=x, y=y, z=z),
            rotation=Quaternion(x=turn_x, y=turn_y, z=turn_z, w=turn_w),
        ),
    )
