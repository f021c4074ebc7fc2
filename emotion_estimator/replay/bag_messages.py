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

"""The messages that both nodes publish of one image, made without ROS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rosbags.typesys.store import Typestore

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import Seen
from emotion_estimator.faces.camera import KnownCamera
from emotion_estimator.faces.encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import HeadModel
from emotion_estimator.faces.rep155 import (
    FACE_FRAME_PREFIX,
    FOUND,
    FacePresence,
    FrameOfFace,
    facial_action_units,
    frames_of,
    rated_landmarks,
    region,
)
from emotion_estimator.files import find_encoding
from emotion_estimator.messages.types import (
    ACTION_UNITS,
    CLASSIFICATION,
    EXPRESSION,
    HEADER,
    IDS_LIST,
    LANDMARKS,
    OBJECT_HYPOTHESIS,
    POINT_OF_INTEREST,
    QUATERNION,
    REGION,
    TF,
    TIME,
    TRANSFORM,
    TRANSFORM_STAMPED,
    VECTOR3,
)
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.recordings import Frame, Recording
from emotion_estimator.stamps import NS_PER_S

# REP-155's messages of faces, made without ROS.


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


# The camera that took a recording, and the heads that it may have seen.


def recorded_camera(
    recording: Recording, parameters: NodeParameters, refuse: Callable[[str], None]
) -> KnownCamera:
    """
    Tell what took the images, by the first calibration that can be used.

    Unlike a node, which hears of it after its first images, a replay knows it from the start.

    :param recording: open, its images not yet read.
    :param parameters: of both nodes; `field_of_view_deg` counts where nothing better is known.
    :param refuse: see `KnownCamera`.
    :returns: the camera.
    """
    camera = assumed_camera(parameters, refuse)
    for calibration in recording.calibrations():
        if camera.calibrate(calibration.k, calibration.width, calibration.height):
            break
    return camera


def assumed_camera(
    parameters: NodeParameters, refuse: Callable[[str], None] = lambda _: None
) -> KnownCamera:
    """
    Make a camera of which no more than its field of view is known.

    :param parameters: of both nodes.
    :param refuse: see `KnownCamera`.
    :returns: the camera.
    """
    field_of_view_deg = float(parameters.blendshape_node['field_of_view_deg'])
    return KnownCamera(math.radians(field_of_view_deg), refuse)


def head_model(parameters: NodeParameters) -> HeadModel:
    """
    Make what tells where heads are.

    :param parameters: of both nodes; without an encoding the default one's template is taken.
    :returns: the model.
    :raises AssetError: when the encoding is not there.
    """
    named = str(parameters.blendshape_node['encoding'])
    return HeadModel(read_encoding(find_encoding(named or DEFAULT_VERSION)).template)


@dataclass(frozen=True)
class Published:
    """
    One message on its topic.

    :param topic: absolute name.
    :param kind: message type.
    :param message: of that type, as rosbags makes it.
    """

    topic: str
    kind: str
    message: Any


class PublishedMessages:
    """
    Makes the messages of one image after the other.

    :param store: see `published_types`.
    :param parameters: of both nodes; `ros4hri` switches what stands below /humans and on /tf off.
    :param camera: took the images.
    :raises AssetError: when the face encoding is not there.
    """

    def __init__(self, store: Typestore, parameters: NodeParameters, camera: KnownCamera) -> None:
        self._store = store
        self._faces_told = bool(parameters.blendshape_node['ros4hri'])
        self._expressions_told = bool(parameters.emotion_node['ros4hri'])
        self._camera = camera
        self._heads = head_model(parameters)
        self._presence = FacePresence(float(parameters.blendshape_node['max_absence_s']))

    def of(self, frame: Frame, image: Rgb, seen: Seen) -> Iterator[Published]:
        """
        Make the messages in the order in which the nodes publish them.

        :param frame: the image.
        :param image: its pixels.
        :param seen: what was seen in it.
        """
        store = self._store
        headers = [
            header_message(store, frame.stamp_ns, FACE_FRAME_PREFIX + face.face_id)
            for face in seen.faces
        ]
        for face, header in zip(seen.faces, headers):
            scores = _classification(store, header, face.named_values().items())
            yield Published('/blendshapes', CLASSIFICATION, scores)
        if self._faces_told:
            yield from self._of_faces(frame, image, seen, headers)
        for estimate, header in zip(seen.estimates, headers):
            scores = _classification(store, header, estimate.scores)
            yield Published('/emotion', CLASSIFICATION, scores)
            if self._expressions_told:
                topic = f'/humans/faces/{estimate.face_id}/expression'
                yield Published(topic, EXPRESSION, _expression(store, header, estimate))

    def _of_faces(
        self, frame: Frame, image: Rgb, seen: Seen, headers: list[Any]
    ) -> Iterator[Published]:
        store, (height, width) = self._store, image.shape[:2]
        of_image = header_message(store, frame.stamp_ns, frame.frame_id)
        for face, of_face in zip(seen.faces, headers):
            topic = f'/humans/faces/{face.face_id}'
            units = action_units_message(store, of_face, face)
            yield Published(f'{topic}/facs', ACTION_UNITS, units)
            yield Published(f'{topic}/roi', REGION, region_message(store, of_image, face))
            points = landmarks_message(store, of_image, face, width, height)
            yield Published(f'{topic}/landmarks', LANDMARKS, points)
        ids = [face.face_id for face in seen.faces]
        listed = self._presence.see(ids, frame.stamp_ns, seen.step.restarts).listed
        tracked = store.types[IDS_LIST](header=of_image, ids=listed)
        yield Published('/humans/faces/tracked', IDS_LIST, tracked)
        # As the nodes have it: a frame without a parent is none.
        if seen.faces and frame.frame_id:
            camera = self._camera.camera(width, height)
            poses = [self._heads.pose(face.landmarks, camera) for face in seen.faces]
            frames = chain.from_iterable(map(frames_of, seen.faces, poses))
            yield Published('/tf', TF, frames_message(store, of_image, frames))


def _classification(store: Typestore, header: Any, scores: Iterable[tuple[str, float]]) -> Any:
    hypothesis = store.types[OBJECT_HYPOTHESIS]
    results = [hypothesis(class_id=name, score=score) for name, score in scores]
    return store.types[CLASSIFICATION](header=header, results=results)


def _expression(store: Typestore, header: Any, estimate: EmotionEstimate) -> Any:
    known = estimate.label != UNKNOWN
    return store.types[EXPRESSION](
        header=header,
        expression=estimate.label if known else '',
        valence=estimate.valence,
        arousal=estimate.arousal,
        confidence=estimate.confidence if known else 0.0,
    )
