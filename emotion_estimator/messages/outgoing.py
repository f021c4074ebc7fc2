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

"""What REP-155 says of the faces in an image."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from hri_msgs.msg import (
    Expression,
    FacialActionUnits,
    FacialLandmarks,
    IdsList,
    NormalizedPointOfInterest2D,
    NormalizedRegionOfInterest2D,
)
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import HeadPose
from emotion_estimator.faces.rep155 import (
    FACE_FRAME_PREFIX,
    FOUND,
    FrameOfFace,
    facial_action_units,
    frames_of,
    rated_landmarks,
    region,
)


def tracked_message(face_ids: Iterable[str], header: Header) -> IdsList:
    """
    Make the list of faces.

    :param face_ids: the faces' ids.
    :param header: the image's header.
    :returns: the message.
    """
    return IdsList(header=header, ids=list(face_ids))


def roi_message(face: Face, header: Header) -> NormalizedRegionOfInterest2D:
    """
    Make the box of a face.

    :param face: the face.
    :param header: the image's header.
    :returns: the part of the box that lies in the image.
    """
    x_min, y_min, x_max, y_max = region(face)
    return NormalizedRegionOfInterest2D(
        header=header, xmin=x_min, ymin=y_min, xmax=x_max, ymax=y_max, c=FOUND
    )


def facs_message(face: Face, header: Header) -> FacialActionUnits:
    """
    Make the action units of a face, those of the head only where its pose is a feature.

    :param face: the face.
    :param header: the image's header.
    :returns: the message; its frame is that of the face.
    """
    intensity, confidence = facial_action_units(face)
    return FacialActionUnits(
        header=Header(stamp=header.stamp, frame_id=FACE_FRAME_PREFIX + face.face_id),
        intensity=intensity,
        confidence=confidence,
    )


def landmarks_message(face: Face, header: Header, width: int, height: int) -> FacialLandmarks:
    """
    Make the landmarks of a face.

    :param face: the face.
    :param header: the image's header.
    :param width: of the image in pixels.
    :param height: likewise.
    :returns: the message; points outside the image have confidence 0.
    """
    return FacialLandmarks(
        header=header,
        landmarks=[
            NormalizedPointOfInterest2D(x=x, y=y, c=confidence)
            for x, y, confidence in rated_landmarks(face)
        ],
        width=width,
        height=height,
    )


def picture_message(pixels: Rgb, header: Header) -> Image:
    """
    Make a picture: of a face, or of all that was found.

    :param pixels: in RGB.
    :param header: the image's header.
    :returns: an rgb8 image.
    """
    height, width, channels = pixels.shape
    return Image(
        header=header,
        height=height,
        width=width,
        encoding='rgb8',
        step=width * channels,
        # Bytes given to the constructor are the one fast way to fill an image.
        data=pixels.tobytes(),
    )


# What the emotion node says of a face.


def emotion_message(estimate: EmotionEstimate, header: Header) -> Classification:
    """
    Make the message with all classes and their scores, the decided one first.

    :param estimate: the estimate.
    :param header: header of the blendshapes message.
    :returns: the message.
    """
    return Classification(
        header=header,
        results=[ObjectHypothesis(class_id=name, score=score) for name, score in estimate.scores],
    )


def expression_message(estimate: EmotionEstimate, header: Header) -> Expression:
    """
    Make the REP-155 message; 'unknown' is the empty expression with confidence 0.

    :param estimate: the estimate.
    :param header: header of the blendshapes message.
    :returns: the message.
    """
    known = estimate.label != UNKNOWN
    return Expression(
        header=header,
        expression=estimate.label if known else '',
        valence=estimate.valence,
        arousal=estimate.arousal,
        confidence=estimate.confidence if known else 0.0,
    )


# Frames of heads and gazes.


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
