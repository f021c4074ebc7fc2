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

"""REP-155's messages of faces, made without ROS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rosbags.typesys.store import Typestore

from emotion_estimator.evaluation.message_types import (
    ACTION_UNITS,
    HEADER,
    LANDMARKS,
    POINT_OF_INTEREST,
    QUATERNION,
    REGION,
    TF,
    TIME,
    TRANSFORM,
    TRANSFORM_STAMPED,
    VECTOR3,
)
from emotion_estimator.faces.face_description import (
    FOUND,
    FrameOfFace,
    facial_action_units,
    rated_landmarks,
    region,
)
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.stamps import NS_PER_S


def header_message(store: Typestore, stamp_ns: int, frame_id: str) -> Any:
    """
    Make a header.

    :param store: see `published_types`.
    :param stamp_ns: the image's stamp in nanoseconds.
    :param frame_id: name of the frame.
    :returns: the message.
    """
    stamp = store.types[TIME](sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
    return store.types[HEADER](stamp=stamp, frame_id=frame_id)


def region_message(store: Typestore, header: Any, face: Face) -> Any:
    """
    Make the box of a face.

    :param store: see `published_types`.
    :param header: the image's.
    :param face: the face.
    :returns: the message.
    """
    x_min, y_min, x_max, y_max = region(face)
    return store.types[REGION](
        header=header, xmin=x_min, ymin=y_min, xmax=x_max, ymax=y_max, c=FOUND
    )


def action_units_message(store: Typestore, header: Any, face: Face) -> Any:
    """
    Make the action units of a face.

    :param store: see `published_types`.
    :param header: with the face's frame.
    :param face: the face.
    :returns: the message.
    """
    intensity, confidence = facial_action_units(face)
    return store.types[ACTION_UNITS](header=header, intensity=intensity, confidence=confidence)


def landmarks_message(store: Typestore, header: Any, face: Face, width: int, height: int) -> Any:
    """
    Make the landmarks of a face.

    :param store: see `published_types`.
    :param header: the image's.
    :param face: the face.
    :param width: of the image in pixels.
    :param height: likewise.
    :returns: the message.
    """
    point = store.types[POINT_OF_INTEREST]
    points = [point(x=x, y=y, c=confidence) for x, y, confidence in rated_landmarks(face)]
    return store.types[LANDMARKS](header=header, landmarks=points, height=height, width=width)


def frames_message(store: Typestore, header: Any, frames: Iterable[FrameOfFace]) -> Any:
    """
    Make the frames of an image's faces.

    :param store: see `published_types`.
    :param header: the image's; its frame is the parent.
    :param frames: those of all faces.
    :returns: the message.
    """
    return store.types[TF](transforms=[_transform(store, header, frame) for frame in frames])


def _transform(store: Typestore, header: Any, frame: FrameOfFace) -> Any:
    types = store.types
    x, y, z = frame.position_m
    turn_x, turn_y, turn_z, turn_w = frame.quaternion
    return types[TRANSFORM_STAMPED](
        header=header,
        child_frame_id=frame.name,
        transform=types[TRANSFORM](
            translation=types[VECTOR3](x=x, y=y, z=z),
            rotation=types[QUATERNION](x=turn_x, y=turn_y, z=turn_z, w=turn_w),
        ),
    )
