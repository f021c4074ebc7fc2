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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rosbags.typesys.store import Typestore

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.emotion_estimation import EmotionEstimate
from emotion_estimator.evaluation.face_messages import (
    action_units_message,
    frames_message,
    header_message,
    landmarks_message,
    region_message,
)
from emotion_estimator.evaluation.message_types import (
    ACTION_UNITS,
    CLASSIFICATION,
    EXPRESSION,
    IDS_LIST,
    LANDMARKS,
    OBJECT_HYPOTHESIS,
    REGION,
    TF,
)
from emotion_estimator.evaluation.parameters import NodeParameters
from emotion_estimator.evaluation.pipeline import Seen
from emotion_estimator.evaluation.recorded_scene import head_model
from emotion_estimator.evaluation.recordings.recording import Frame
from emotion_estimator.faces.face_description import FACE_FRAME_PREFIX, frames_of
from emotion_estimator.faces.face_presence import FacePresence
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.known_camera import KnownCamera


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
