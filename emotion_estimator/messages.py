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

"""Builds the messages that go out, for rclpy and for bags alike, and reads those that arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.faces.pose import (
    FACE_FRAME_PREFIX,
    FOUND,
    facial_action_units,
    rated_landmarks,
    region,
)
from emotion_estimator.files import find_shared_file
from emotion_estimator.stamps import NS_PER_S

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time
    from rosbags.typesys.store import Typestore
    from sensor_msgs.msg import CompressedImage, Image
    from vision_msgs.msg import Classification

    from emotion_estimator.emotion.estimation import EmotionEstimate
    from emotion_estimator.faces.finder import Face
    from emotion_estimator.faces.image_decoding import ImageDecoder, Rgb
    from emotion_estimator.faces.pose import FrameOfFace

# Classes of message types by name: rclpy's where ROS is, those of rosbags where it is not. The
# definitions of types that no package registry has stand in dev/interfaces alone.


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
    :raises ImportError: when its package is not installed.
    """
    package, folder, kind = name.split('/')
    return getattr(import_module(f'{package}.{folder}'), kind)


def standard_types() -> Typestore:
    """Make a store with the definitions of the message types that come with ROS 2."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_HUMBLE)


def bag_types() -> Typestore:
    """Make a store with all that the nodes publish, too; its `types` are a `TypeOf`."""
    from rosbags.typesys import get_types_from_msg

    store = standard_types()
    for name in RESTATED:
        definition = find_shared_file(f'dev/interfaces/{name}.msg').read_text(encoding='utf-8')
        store.register(get_types_from_msg(definition, name))
    return store


class MessageBuilder:
    """
    Builds messages of one family of types.

    A `header` is a std_msgs/Header: of what is said of one face `header_of_face`, otherwise that
    of the image.

    :param type_of: gives the classes: `ros_type`, or those of `bag_types`.
    """

    def __init__(self, type_of: TypeOf) -> None:
        self._type_of = type_of

    def time(self, stamp_ns: int) -> Any:
        """Build a builtin_interfaces/Time of nanoseconds, at least 0."""
        return self._type_of(TIME)(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """Build a std_msgs/Header of a stamp in nanoseconds and the name of a frame."""
        return self._type_of(HEADER)(stamp=self.time(stamp_ns), frame_id=frame_id)

    def header_of_face(self, face_id: str, stamp: Any) -> Any:
        """Build the std_msgs/Header, in the face's frame, of what is said of one face."""
        return self._type_of(HEADER)(stamp=stamp, frame_id=FACE_FRAME_PREFIX + face_id)

    def blendshapes(self, face: Face, header: Any) -> Any:
        """
        Build what goes from the blendshape node to the emotion node.

        :returns: vision_msgs/Classification: every blendshape, then every further feature.
        """
        return self._classification(face.named_values().items(), header)

    def emotion(self, estimate: EmotionEstimate, header: Any) -> Any:
        """Build a vision_msgs/Classification of all classes with scores, the decided one first."""
        return self._classification(estimate.scores, header)

    def expression(self, estimate: EmotionEstimate, header: Any) -> Any:
        """Build an hri_msgs/Expression; 'unknown' is the empty one with confidence 0."""
        known = estimate.label != UNKNOWN
        return self._type_of(EXPRESSION)(
            header=header,
            expression=estimate.label if known else '',
            valence=estimate.valence,
            arousal=estimate.arousal,
            confidence=estimate.confidence if known else 0.0,
        )

    def tracked(self, face_ids: Iterable[str], header: Any) -> Any:
        """Build an hri_msgs/IdsList of the faces' ids."""
        return self._type_of(IDS_LIST)(header=header, ids=list(face_ids))

    def region(self, face: Face, header: Any) -> Any:
        """Build an hri_msgs/NormalizedRegionOfInterest2D: the part of the box inside the image."""
        x_min, y_min, x_max, y_max = region(face)
        return self._type_of(REGION)(
            header=header, xmin=x_min, ymin=y_min, xmax=x_max, ymax=y_max, c=FOUND
        )

    def action_units(self, face: Face, header: Any) -> Any:
        """Build hri_msgs/FacialActionUnits, the head's only where its pose is a feature."""
        intensity, confidence = facial_action_units(face)
        return self._type_of(ACTION_UNITS)(
            header=header, intensity=intensity, confidence=confidence
        )

    def landmarks(self, face: Face, header: Any, width: int, height: int) -> Any:
        """
        Build hri_msgs/FacialLandmarks; points outside the image have confidence 0.

        :param width: of the image in pixels.
        :param height: its height in pixels.
        """
        point = self._type_of(POINT_OF_INTEREST)
        points = [point(x=x, y=y, c=confidence) for x, y, confidence in rated_landmarks(face)]
        return self._type_of(LANDMARKS)(
            header=header, landmarks=points, height=height, width=width
        )

    def frames(self, frames: Iterable[FrameOfFace], header: Any) -> Any:
        """
        Build a tf2_msgs/TFMessage.

        :param header: the image's; its frame, an optical one (REP-103), is that of the camera.
        """
        return self._type_of(TF)(transforms=[self._transform(frame, header) for frame in frames])

    def picture(self, pixels: Rgb, header: Any, encoding: str = 'rgb8') -> Any:
        """
        Build a sensor_msgs/Image: of a face, or of all that was found.

        :param encoding: rgb8 or bgr8, the order of the pixels.
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
        Build a sensor_msgs/CompressedImage, for readers over a radio network.

        :param jpeg: a JPEG file.
        """
        # As image_transport's plugin: the encoding of the raw picture, and that inside the JPEG.
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


# Reads what arrives: stamps, ids, a face's features by name, images.


_FACE_ID = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')
# A topic has at most 247 letters; the longest of a face is its expression.
_MOST_OF_ID = 247 - len('/humans/faces//expression')
MOST_FACES = 100
"""Faces beyond so many at once are refused: no robot meets them, and each costs topics."""
_MOST_FEATURES = 1000


class MessageError(ValueError):
    """A message that cannot be used; the message says which field is wrong."""


@dataclass(frozen=True)
class NamedFeatures:
    """
    One face's named features in one image.

    :param stamp_ns: the image's stamp in nanoseconds.
    :param values: by name.
    """

    face_id: str
    stamp_ns: int
    values: dict[str, float]


def nanoseconds(stamp: Time) -> int:
    """Turn a message's stamp into nanoseconds; 0 where the publisher did not fill it in."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def is_face_id(text: str) -> bool:
    """Tell whether a text can stand in the topics of a face, see `FACE_ID_RULE`."""
    return len(text) <= _MOST_OF_ID and _FACE_ID.match(text) is not None


FACE_ID_RULE = (
    f'a face id starts with a letter, holds letters, digits and _ only (REP-155), {_MOST_OF_ID} '
    'at most'
)


def shortened(text: str, most: int = 500) -> str:
    """
    Bound a text that may hold what a stranger sent.

    :param most: how many letters are kept.
    :returns: its beginning, without what UTF-8 cannot write.
    """
    text = text if len(text) <= most else f'{text[: most - 4]} ...'
    return text.encode('utf-8', 'replace').decode()


def listed_faces(ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """
    Read a list of faces.

    :param ids: as a detector lists them.
    :returns: those that can be used, each once, and sentences on the others.
    """
    given = dict.fromkeys(ids)
    faces = [name for name in given if is_face_id(name)]
    wrong = [shortened(name, 40) for name in given if not is_face_id(name)]
    complaints = []
    if wrong:
        more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        complaints.append(f'ids: {FACE_ID_RULE}, unlike {wrong[:3]}{more}.')
    if len(faces) > MOST_FACES:
        complaints.append(f'ids: {len(faces)} faces; the first {MOST_FACES} are looked at.')
    return faces[:MOST_FACES], complaints


def face_features(message: Classification) -> NamedFeatures:
    """
    Read a face's features by name.

    :param message: as `MessageBuilder.blendshapes` makes it; further names may follow.
    :raises MessageError: when it does not name a face or carries no stamp.
    """
    frame_id = message.header.frame_id
    if not frame_id.startswith(FACE_FRAME_PREFIX) or frame_id == FACE_FRAME_PREFIX:
        raise MessageError(
            f'header.frame_id is {shortened(frame_id, 60)!r}, but names a face as '
            f'{FACE_FRAME_PREFIX}<id>.'
        )
    face_id = frame_id[len(FACE_FRAME_PREFIX) :]
    if not is_face_id(face_id):
        raise MessageError(f'header.frame_id {shortened(frame_id, 60)!r}: {FACE_ID_RULE}.')
    if len(message.results) > _MOST_FEATURES:
        raise MessageError(
            f'{len(message.results)} results: a face has {_MOST_FEATURES} features at most.'
        )
    stamp_ns = nanoseconds(message.header.stamp)
    if stamp_ns == 0:
        raise MessageError("header.stamp is zero; fill in the image's stamp.")
    values = {result.class_id: result.score for result in message.results}
    if len(values) < len(message.results):
        raise MessageError(f'{len(message.results)} results name only {len(values)} features.')
    return NamedFeatures(face_id, stamp_ns, values)


def rgb_of(message: Image | CompressedImage, decoder: ImageDecoder) -> Rgb:
    """
    Decode an image message; rare encodings go through cv_bridge where it is installed.

    :param message: a raw or compressed image, of rclpy or of a bag.
    :param decoder: of the stream that it belongs to.
    :returns: pixels in RGB; may alias the message.
    :raises ImageError: when it cannot be decoded.
    """
    # Imported here: who reads features alone does without OpenCV.
    from emotion_estimator.faces.image_decoding import EncodingError, ImageError

    try:
        return decoder.decode(message)
    except EncodingError as unknown:
        bridge, problem = _cv_bridge()
        if problem:
            decoder.remark(problem)
        if bridge is None:
            raise
        try:
            return bridge(message)
        except Exception as error:  # whatever is wrong in a library of another version
            raise ImageError(f'{unknown} cv_bridge cannot convert it either: {error}') from error


@cache
def _cv_bridge() -> tuple[Callable[[Any], Rgb] | None, str]:
    """Import cv_bridge once: Python keeps no record of an import that failed."""
    import numpy as np

    try:
        from cv_bridge import CvBridge
    except ModuleNotFoundError:
        return None, ''
    except Exception as error:  # built against another numpy or OpenCV it fails in many ways
        return None, (
            f'cv_bridge is installed but cannot be imported ({type(error).__name__}: {error}): it '
            'was built for another numpy or OpenCV. Images in rare encodings are refused.'
        )
    bridge = CvBridge()

    def convert(message: Any) -> Rgb:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, 'rgb8'), np.uint8)

    return convert, ''
