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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from emotion_estimator.estimator import FrameResult
from emotion_estimator.faces.camera import KnownCamera
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import HeadModel, frames_of
from emotion_estimator.faces.rep155 import FACE_FRAME_PREFIX, FacePresence
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.messages.outgoing import MessageBuilder
from emotion_estimator.messages.types import (
    ACTION_UNITS,
    CLASSIFICATION,
    EXPRESSION,
    IDS_LIST,
    LANDMARKS,
    REGION,
    TF,
    TypeOf,
)
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.recordings import Frame, Recording

# REP-155's messages of faces, made without ROS.


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
    return HeadModel(read_encoding(find_encoding(named or DEFAULT_ENCODING)).template)


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

    :param type_of: see `MessageBuilder`.
    :param parameters: of both nodes; `ros4hri` switches what stands below /humans and on /tf off.
    :param camera: took the images.
    :raises AssetError: when the face encoding is not there.
    """

    def __init__(self, type_of: TypeOf, parameters: NodeParameters, camera: KnownCamera) -> None:
        self._build = MessageBuilder(type_of)
        self._faces_told = bool(parameters.blendshape_node['ros4hri'])
        self._expressions_told = bool(parameters.emotion_node['ros4hri'])
        self._camera = camera
        self._heads = head_model(parameters)
        self._presence = FacePresence(float(parameters.blendshape_node['max_absence_s']))

    def of(self, frame: Frame, image: Rgb, result: FrameResult) -> Iterator[Published]:
        """
        Make the messages in the order in which the nodes publish them.

        :param frame: the image.
        :param image: its pixels.
        :param result: what was seen in it.
        """
        build = self._build
        headers = [
            build.header(frame.stamp_ns, FACE_FRAME_PREFIX + face.face_id) for face in result.faces
        ]
        for face, header in zip(result.faces, headers):
            yield Published('/blendshapes', CLASSIFICATION, build.blendshapes(face, header))
        if self._faces_told:
            yield from self._of_faces(frame, image, result, headers)
        for estimate, header in zip(result.estimates, headers):
            yield Published('/emotion', CLASSIFICATION, build.emotion(estimate, header))
            if self._expressions_told:
                topic = f'/humans/faces/{estimate.face_id}/expression'
                yield Published(topic, EXPRESSION, build.expression(estimate, header))

    def _of_faces(
        self, frame: Frame, image: Rgb, result: FrameResult, headers: list[Any]
    ) -> Iterator[Published]:
        build, (height, width) = self._build, image.shape[:2]
        of_image = build.header(frame.stamp_ns, frame.frame_id)
        for face, of_face in zip(result.faces, headers):
            topic = f'/humans/faces/{face.face_id}'
            units = build.action_units(face, of_face)
            yield Published(f'{topic}/facs', ACTION_UNITS, units)
            yield Published(f'{topic}/roi', REGION, build.region(face, of_image))
            points = build.landmarks(face, of_image, width, height)
            yield Published(f'{topic}/landmarks', LANDMARKS, points)
        ids = [face.face_id for face in result.faces]
        listed = self._presence.see(ids, frame.stamp_ns, result.step.restarts).listed
        tracked = build.tracked(listed, of_image)
        yield Published('/humans/faces/tracked', IDS_LIST, tracked)
        # As the nodes have it: a frame without a parent is none.
        if result.faces and frame.frame_id:
            camera = self._camera.camera(width, height)
            poses = [self._heads.pose(face.landmarks, camera) for face in result.faces]
            frames = chain.from_iterable(map(frames_of, result.faces, poses))
            yield Published('/tf', TF, build.frames(frames, of_image))
