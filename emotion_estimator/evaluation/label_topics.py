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

"""Labels from a topic of the bag: each holds until the face's next one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    Given,
    LabelError,
    Labels,
    Segment,
    known_name,
    place,
    reaches,
)
from emotion_estimator.faces.pose import FACE_FRAME_PREFIX
from emotion_estimator.messages import CLASSIFICATION, EXPRESSION, bag_types
from emotion_estimator.replay.bag_reader import BagReader
from emotion_estimator.stamps import NS_PER_S

# Messages made into segments.


def labels_of_messages(
    messages: Iterable[tuple[int, str, str]],
    topic: str,
    first_ns: int,
    last_ns: int,
    own_names: Collection[str] = (),
) -> Labels:
    """
    Make segments of labels by stamp.

    A label holds until the next message of its face, or the recording's end; an empty one ends
    it. Where only one face is ever labelled the labels are of any face: its id need not be the
    one that the package gives.

    :param messages: stamp in nanoseconds, face id and label, in any order.
    :param topic: where they were heard.
    :param first_ns: stamp of the recording's first image in nanoseconds.
    :param last_ns: stamp of its last image.
    :param own_names: names that count beside those of `vocabulary`.
    :returns: the segments, and which messages could not be used.
    """
    problems: list[str] = []
    of_face: dict[str, list[tuple[int, str]]] = {}
    unknown_names: dict[str, tuple[int, int]] = {}
    for stamp_ns, face, name in sorted(messages):
        label = known_name(name, own_names) if name.strip() else ''
        if label is None:
            count, earliest_ns = unknown_names.get(name, (0, stamp_ns))
            unknown_names[name] = count + 1, earliest_ns
            label = ''
        of_face.setdefault(face, []).append((stamp_ns, label))
    for name, (count, stamp_ns) in unknown_names.items():
        problems.append(
            f'{topic}: {count} messages, the first at {(stamp_ns - first_ns) / 1e9:.2f} s, name '
            f'{name!r}, which is no expression that is known, such as {", ".join(EXPRESSIONS)}; '
            'their time was left out.'
        )
    given: list[Given] = []
    for face, heard in of_face.items():
        name = face if len(of_face) > 1 else ANY_FACE
        for segment in _held(heard, name, max(last_ns + 1, heard[-1][0] + 1)):
            where = f'{topic}, message at {(segment.start_ns - first_ns) / 1e9:.2f} s'
            given.append(Given(where, segment))
    inside = [one for one in given if reaches(one.segment, first_ns, last_ns)]
    placed = place(inside or given, first_ns, last_ns)
    losses = (*problems, *placed.losses)
    return Labels(placed.segments, (*problems, *placed.problems), len(given), losses)


def _held(heard: list[tuple[int, str]], face: str, end_ns: int) -> Iterable[Segment]:
    """Join equal labels that follow each other."""
    start_ns, shown = heard[0]
    for stamp_ns, label in [*heard[1:], (end_ns, '')]:
        if label != shown or stamp_ns == end_ns:
            if shown and stamp_ns > start_ns:
                yield Segment(start_ns, stamp_ns, face, shown)
            start_ns, shown = stamp_ns, label


# Labels that were recorded beside the images, on a topic of the bag.


_FACES = '/humans/faces/'

Message = tuple[int, str, str]
"""Stamp in nanoseconds, face id ('' where none is reported), label ('' where none holds)."""


def label_messages(path: Path, topic: str) -> list[Message]:
    """
    Read labels of a bag.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topic: of vision_msgs/Classification, whose highest score counts, or of
        hri_msgs/Expression; `*` stands for any text, as in `/humans/faces/*/expression`.
    :returns: in the order of the bag.
    :raises LabelError: when there is no such topic or it cannot be read.
    """
    with _labels_in(path, topic) as (reader, chosen):
        return list(_read(reader, chosen))


def check_topic(path: Path, topic: str) -> None:
    """
    See that a bag has labels, without reading them.

    :param path: see `label_messages`.
    :param topic: see `label_messages`.
    :raises LabelError: when there is no such topic or it cannot be read.
    """
    with _labels_in(path, topic):
        pass


@contextmanager
def _labels_in(path: Path, topic: str) -> Iterator[tuple[BagReader, list[Any]]]:
    try:
        with closing(BagReader(path, bag_types)) as reader:
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
            yield reader, chosen
    except LabelError:
        raise
    # Of a damaged bag rosbags and what it reads with each complain in their own way.
    except Exception as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LabelError(f'The labels on {topic} of {path} cannot be read ({reason}).') from error


def _read(reader: BagReader, chosen: list[Any]) -> Iterator[Message]:
    for connection, _, raw in reader.messages(chosen):
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
