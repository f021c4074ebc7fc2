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
from typing import Any

from rosbags.typesys.store import Typestore

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.emotion_estimation import EmotionEstimate
from emotion_estimator.evaluation.message_types import (
    CLASSIFICATION,
    EXPRESSION,
    HEADER,
    IDS_LIST,
    OBJECT_HYPOTHESIS,
    TIME,
)
from emotion_estimator.evaluation.parameters import NodeParameters
from emotion_estimator.evaluation.pipeline import Seen, features_of
from emotion_estimator.evaluation.recordings.recording import Frame
from emotion_estimator.stamps import NS_PER_S

FACE_FRAME_PREFIX = 'face_'


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


def published_messages(
    store: Typestore, parameters: NodeParameters, frame: Frame, seen: Seen
) -> Iterator[Published]:
    """
    Make the messages in the order in which the nodes publish them.

    :param store: see `published_types`.
    :param parameters: of both nodes; `ros4hri` switches the topics below /humans off.
    :param frame: the image.
    :param seen: what was seen in it.
    """
    headers = [
        _header(store, frame.stamp_ns, FACE_FRAME_PREFIX + face.face_id) for face in seen.faces
    ]
    for face, header in zip(seen.faces, headers):
        scores = _classification(store, header, features_of(face).items())
        yield Published('/blendshapes', CLASSIFICATION, scores)
    if parameters.blendshape_node['ros4hri']:
        header = _header(store, frame.stamp_ns, frame.frame_id)
        ids = [face.face_id for face in seen.faces]
        tracked = store.types[IDS_LIST](header=header, ids=ids)
        yield Published('/humans/faces/tracked', IDS_LIST, tracked)
    for estimate, header in zip(seen.estimates, headers):
        scores = _classification(store, header, estimate.scores)
        yield Published('/emotion', CLASSIFICATION, scores)
        if parameters.emotion_node['ros4hri']:
            topic = f'/humans/faces/{estimate.face_id}/expression'
            yield Published(topic, EXPRESSION, _expression(store, header, estimate))


def _header(store: Typestore, stamp_ns: int, frame_id: str) -> Any:
    stamp = store.types[TIME](sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
    return store.types[HEADER](stamp=stamp, frame_id=frame_id)


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
