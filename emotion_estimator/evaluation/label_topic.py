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

"""Expressions that a topic of a bag tells, as labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader

from emotion_estimator.evaluation.labels.segment import LabelError
from emotion_estimator.evaluation.message_types import CLASSIFICATION, EXPRESSION, published_types
from emotion_estimator.evaluation.recordings.bag import reading
from emotion_estimator.stamps import NS_PER_S

_FACE_FRAME = 'face_'
_FACE_TOPIC = re.compile(r'/humans/faces/([^/]+)/')


def told_on_topic(path: Path, topic: str) -> list[tuple[int, str, str]]:
    """
    Read who showed what when.

    :param path: a bag.
    :param topic: of type vision_msgs/Classification, whose first result counts, or
        hri_msgs/Expression; `*` stands for any part of a name, as in
        `/humans/faces/*/expression`.
    :returns: stamp in nanoseconds, face id, name of the expression; the face is that of
        `header.frame_id` (`face_<id>`), or of the topic's name; '' where neither tells.
    :raises LabelError: when the bag has no such topic, or it is of another type.
    :raises RecordingError: when the bag cannot be read.
    """
    with reading(path), AnyReader([path], default_typestore=published_types()) as reader:
        parts = map(re.escape, topic.split('*'))
        asked = re.compile('[^/]+'.join(parts))
        chosen = [c for c in reader.connections if asked.fullmatch(c.topic)]
        fitting = [c for c in chosen if c.msgtype in (CLASSIFICATION, EXPRESSION)]
        told = [
            _told(connection.topic, reader.deserialize(raw, connection.msgtype))
            for connection, _, raw in (reader.messages(connections=fitting) if fitting else ())
        ]
    if not fitting:
        kinds = ', '.join(sorted({c.msgtype for c in chosen})) or 'no topic of this name'
        raise LabelError(
            f'{path} has no labels on {topic} ({kinds}); name a topic of {CLASSIFICATION} or '
            f'{EXPRESSION}.'
        )
    return told


def _told(topic: str, message: Any) -> tuple[int, str, str]:
    stamp, frame = message.header.stamp, str(message.header.frame_id)
    found = _FACE_TOPIC.match(topic)
    face = frame.removeprefix(_FACE_FRAME) if frame.startswith(_FACE_FRAME) else ''
    if not face and found:
        face = found.group(1)
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec), face, _first(message)


def _first(message: Any) -> str:
    if hasattr(message, 'expression'):
        return str(message.expression)
    return str(next(_classes(message), ''))


def _classes(message: Any) -> Iterator[str]:
    yield from (result.class_id for result in message.results)
