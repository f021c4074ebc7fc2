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

"""Builds what goes out, for rclpy and for bags alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.faces.rep155 import (
    FACE_FRAME_PREFIX,
    FOUND,
    facial_action_units,
    rated_landmarks,
    region,
)
from emotion_estimator.files import find_shared_file
from emotion_estimator.stamps import NS_PER_S

# Classes of message types by name: rclpy's where ROS is, those of rosbags where it is not.
#
# Definitions of the types that no package registry has stand in dev/interfaces alone.


if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

TypeOf = Callable[[str], Any]
"""Gives the class of a message type by its name, such as 'std_msgs/msg/Header'."""

CLASSIFICATION = 'vision_msgs/msg/Classification'
OBJECT_HYPOTHESIS = 'vision_msgs/msg/ObjectHypothesis'
EXPRESSION = 'hri_msgs/msg/Expression'
IDS_LIST = 'hri_msgs/msg/IdsList'
REGION = 'hri_msgs/msg/NormalizedRegionOfInterest2D'
ACTION_UNITS = 'hri_msgs/msg/FacialActionUnits'
LANDMARKS = 'hri_msgs/msg/FacialLandmarks'
POINT_OF_INTEREST = 'hri_msgs/msg/NormalizedPointOfInterest2D'
TF = 'tf2_msgs/msg/TFMessage'
TRANSFORM_STAMPED = 'geometry_msgs/msg/TransformStamped'
TRANSFORM = 'geometry_msgs/msg/Transform'
VECTOR3 = 'geometry_msgs/msg/Vector3'
QUATERNION = 'geometry_msgs/msg/Quaternion'
IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
HEADER = 'std_msgs/msg/Header'
TIME = 'builtin_interfaces/msg/Time'

RESTATED = (
    *(OBJECT_HYPOTHESIS, CLASSIFICATION),
    *(REGION, ACTION_UNITS, POINT_OF_INTEREST, LANDMARKS, IDS_LIST, EXPRESSION),
)
"""Types of vision_msgs and hri_msgs, those that others consist of first."""


@cache
def ros_type(name: str) -> Any:
    """
    Give rclpy's class of a message type.

    :param name: such as 'std_msgs/msg/Header'.
    :returns: the class.
    :raises ImportError: when its package is not installed.
    """
    package, folder, kind = name.split('/')
    return getattr(import_module(f'{package}.{folder}'), kind)


def standard_types() -> Typestore:
    """
    Give the definitions of the message types that come with ROS 2.

    :returns: a new store, which further types can be registered in.
    """
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_HUMBLE)


def bag_types() -> Typestore:
    """
    Give the definitions of all that the nodes publish; its `types` are a `TypeOf`.

    :returns: a new store with them beside the standard types.
    """
    from rosbags.typesys import get_types_from_msg

    store = standard_types()
    for name in RESTATED:
        definition = find_shared_file(f'dev/interfaces/{name}.msg').read_text(encoding='utf-8')
        store.register(get_types_from_msg(definition, name))
    return store


if TYPE_CHECKING:
    from emotion_estimator.emotion.estimation import EmotionEstimate
    from emotion_estimator.faces.finder import Face
    from emotion_estimator.faces.image_decoding import Rgb
    from emotion_estimator.faces.pose import FrameOfFace


class MessageBuilder:
    """
    Builds messages; a `header` is a std_msgs/Header of the same family of types.

    :param type_of: gives the classes: `ros_type`, or those of `bag_types`.
    """

    def __init__(self, type_of: TypeOf) -> None:
        self._type_of = type_of

    def time(self, stamp_ns: int) -> Any:
        """
        Build a stamp.

        :param stamp_ns: nanoseconds, at least 0.
        :returns: builtin_interfaces/Time.
        """
        return self._type_of(TIME)(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """
        Build a header.

        :param stamp_ns: the image's stamp in nanoseconds.
        :param frame_id: name of the frame.
        :returns: std_msgs/Header.
        """
        return self._type_of(HEADER)(stamp=self.time(stamp_ns), frame_id=frame_id)

    def header_of_face(self, face_id: str, stamp: Any) -> Any:
        """
        Build the header of what is said of one face.

        :param face_id: the face.
        :param stamp: builtin_interfaces/Time of the image.
        :returns: std_msgs/Header in the face's frame.
        """
        return self._type_of(HEADER)(stamp=stamp, frame_id=FACE_FRAME_PREFIX + face_id)

    def blendshapes(self, face: Face, header: Any) -> Any:
        """
        Build what goes from the blendshape node to the emotion node.

        :param face: one face.
        :param header: see `header_of_face`.
        :returns: vision_msgs/Classification: every blendshape, then every further feature.
        """
        return self._classification(face.named_values().items(), header)

    def emotion(self, estimate: EmotionEstimate, header: Any) -> Any:
        """
        Build the list of all classes with their scores, the decided one first.

        :param estimate: the estimate.
        :param header: see `header_of_face`.
        :returns: vision_msgs/Classification.
        """
        return self._classification(estimate.scores, header)

    def expression(self, estimate: EmotionEstimate, header: Any) -> Any:
        """
        Build REP-155's expression; 'unknown' is the empty one with confidence 0.

        :param estimate: the estimate.
        :param header: see `header_of_face`.
        :returns: hri_msgs/Expression.
        """
        known = estimate.label != UNKNOWN
        return self._type_of(EXPRESSION)(
            header=header,
            expression=estimate.label if known else '',
            valence=estimate.valence,
            arousal=estimate.arousal,
            confidence=estimate.confidence if known else 0.0,
        )

    def tracked(self, face_ids: Iterable[str], header: Any) -> Any:
        """
        Build the list of faces.

        :param face_ids: the faces' ids.
        :param header: the image's.
        :returns: hri_msgs/IdsList.
        """
        return self._type_of(IDS_LIST)(header=header, ids=list(face_ids))

    def region(self, face: Face, header: Any) -> Any:
        """
        Build the box of a face.

        :param face: the face.
        :param header: the image's.
        :returns: hri_msgs/NormalizedRegionOfInterest2D: the part of the box inside the image.
        """
        x_min, y_min, x_max, y_max = region(face)
        return self._type_of(REGION)(
            header=header, xmin=x_min, ymin=y_min, xmax=x_max, ymax=y_max, c=FOUND
        )

    def action_units(self, face: Face, header: Any) -> Any:
        """
        Build the action units of a face, those of the head only where its pose is a feature.

        :param face: the face.
        :param header: see `header_of_face`.
        :returns: hri_msgs/FacialActionUnits.
        """
        intensity, confidence = facial_action_units(face)
        return self._type_of(ACTION_UNITS)(
            header=header, intensity=intensity, confidence=confidence
        )

    def landmarks(self, face: Face, header: Any, width: int, height: int) -> Any:
        """
        Build the landmarks of a face.

        :param face: the face.
        :param header: the image's.
        :param width: of the image in pixels.
        :param height: its height in pixels.
        :returns: hri_msgs/FacialLandmarks; points outside the image have confidence 0.
        """
        point = self._type_of(POINT_OF_INTEREST)
        points = [point(x=x, y=y, c=confidence) for x, y, confidence in rated_landmarks(face)]
        return self._type_of(LANDMARKS)(
            header=header, landmarks=points, height=height, width=width
        )

    def frames(self, frames: Iterable[FrameOfFace], header: Any) -> Any:
        """
        Build the frames of an image's faces.

        :param frames: those of all faces.
        :param header: the image's; its frame, an optical one (REP-103), is that of the camera.
        :returns: tf2_msgs/TFMessage.
        """
        return self._type_of(TF)(transforms=[self._transform(frame, header) for frame in frames])

    def picture(self, pixels: Rgb, header: Any, encoding: str = 'rgb8') -> Any:
        """
        Build a picture: of a face, or of all that was found.

        :param pixels: in the order of the encoding.
        :param header: the image's.
        :param encoding: rgb8 or bgr8.
        :returns: sensor_msgs/Image.
        """
        height, width, channels = pixels.shape
        return self._type_of(IMAGE)(
            header=header,
            height=height,
            width=width,
            encoding=encoding,
            step=width * channels,
            # Bytes given to the constructor are the one fast way to fill an image.
            data=pixels.tobytes(),
        )

    def compressed_picture(self, jpeg: bytes, header: Any) -> Any:
        """
        Build a picture for readers over a radio network, as image_transport's plugin sends rgb8.

        :param jpeg: a JPEG file.
        :param header: the image's.
        :returns: sensor_msgs/CompressedImage.
        """
        # The plugin's format names the encoding of the raw picture, and that inside the JPEG.
        return self._type_of(COMPRESSED_IMAGE)(
            header=header, format='rgb8; jpeg compressed bgr8', data=jpeg
        )

    def _classification(self, scores: Iterable[tuple[str, float]], header: Any) -> Any:
        hypothesis = self._type_of(OBJECT_HYPOTHESIS)
        results = [hypothesis(class_id=name, score=score) for name, score in scores]
        return self._type_of(CLASSIFICATION)(header=header, results=results)

    def _transform(self, frame: FrameOfFace, header: Any) -> Any:
        x, y, z = frame.position_m
        turn_x, turn_y, turn_z, turn_w = frame.quaternion
        parent = self._type_of(HEADER)(
            stamp=header.stamp, frame_id=frame.parent or header.frame_id
        )
        return self._type_of(TRANSFORM_STAMPED)(
            header=parent,
            child_frame_id=frame.name,
            transform=self._type_of(TRANSFORM)(
                translation=self._type_of(VECTOR3)(x=x, y=y, z=z),
                rotation=self._type_of(QUATERNION)(x=turn_x, y=turn_y, z=turn_z, w=turn_w),
            ),
        )


ROS = MessageBuilder(ros_type)
"""Builds rclpy's messages."""
