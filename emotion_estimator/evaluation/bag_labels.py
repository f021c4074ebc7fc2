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

"""Labels that were recorded beside the images, on a topic of the bag."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader

from emotion_estimator.evaluation.labels.segment import LabelError
from emotion_estimator.evaluation.message_types import CLASSIFICATION, EXPRESSION, published_types
from emotion_estimator.faces.face_description import FACE_FRAME_PREFIX
from emotion_estimator.stamps import NS_PER_S

_FACES = '/humans/faces/'

Message = tuple[int, str, str]
"""Stamp in nanoseconds, face id ('' where none is told), label ('' where none holds)."""


def label_messages(path: Path, topic: str) -> list[Message]:
    """
    Read labels of a bag.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topic: of vision_msgs/Classification, whose highest score counts, or of
        hri_msgs/Expression; `*` stands for any text, as in '/humans/faces/*/expression'.
    :returns: in the order of the bag.
    :raises LabelError: when there is no such topic or it cannot be read.
    """
    try:
        with AnyReader([path], default_typestore=published_types()) as reader:
            chosen = [
                connection
                for connection in reader.connections
                if fnmatchcase(connection.topic, topic)
                and connection.msgtype in (CLASSIFICATION, EXPRESSION)
            ]
            if not chosen:
                held = sorted({f'{one.topic} ({one.msgtype})' for one in reader.connections})
                raise LabelError(
                    f'{path} has no {CLASSIFICATION} or {EXPRESSION} on {topic}; topics there: '
                    f'{", ".join(held) or "none"}.'
                )
            return list(_read(reader, chosen))
    except LabelError:
        raise
    # Of a damaged bag rosbags and what it reads with each complain in their own way.
    except Exception as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LabelError(f'The labels on {topic} of {path} cannot be read ({reason}).') from error


def _read(reader: AnyReader, chosen: list[Any]) -> Iterator[Message]:
    for connection, _, raw in reader.messages(connections=chosen):
        message: Any = reader.deserialize(raw, connection.msgtype)
        stamp = message.header.stamp
        label = ''
        if connection.msgtype == EXPRESSION:
            label = message.expression
        elif message.results:
            label = max(message.results, key=lambda result: float(result.score)).class_id
        yield (
            int(stamp.sec) * NS_PER_S + int(stamp.nanosec),
            _face(connection.topic, message.header.frame_id),
            label,
        )


def _face(topic: str, frame_id: str) -> str:
    if frame_id.startswith(FACE_FRAME_PREFIX):
        return frame_id.removeprefix(FACE_FRAME_PREFIX)
    with suppress(ValueError):
        face, _ = topic.removeprefix(_FACES).split('/') if topic.startswith(_FACES) else ('', '')
        return face
    return ''
