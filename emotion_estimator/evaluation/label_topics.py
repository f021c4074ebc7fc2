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

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.interfaces import Connection

from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    Given,
    LabelError,
    Labels,
    Recorded,
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


class Message(NamedTuple):
    """
    A label that was heard.

    :param stamp_ns: of its header, in nanoseconds.
    :param received_ns: when it was recorded.
    :param face: the face's id; '' where none is reported.
    :param name: the expression; '' where none holds.
    :param wrong: why it cannot be used, as the end of a sentence on several; '' where it can.
    """

    stamp_ns: int
    received_ns: int
    face: str
    name: str
    wrong: str = ''


LONGEST_LEAD_NS = 10 * NS_PER_S
"""Labels that are recorded with images begin at most so long before the first image."""


def labels_of_messages(
    messages: Iterable[Message],
    where: str,
    first_ns: int,
    last_ns: int,
    own_names: Collection[str] = (),
    zero_ns: int | None = None,
) -> Labels:
    """
    Make segments of labels by stamp; by the time of receipt where stamps are not filled in.

    A label holds until the next message of its face, or the recording's end; an empty one ends
    it. Where only one face is ever labelled the labels are of any face: its id need not be the
    one that the package gives.

    :param messages: in the order of the bag, in which those of one time follow each other.
    :param where: topic and recording, for sentences.
    :param first_ns: stamp of the first image that was looked at, in nanoseconds.
    :param last_ns: stamp of the last one.
    :param own_names: names that count beside those of `vocabulary`.
    :param zero_ns: stamp of the recording's own first image; None where that was looked at.
    :returns: the segments, and which messages could not be used.
    """
    zero_ns = first_ns if zero_ns is None else zero_ns
    messages = list(messages)
    timed, unstamped = _timed(messages, zero_ns - LONGEST_LEAD_NS)
    none = f'{where}: {unstamped} of {len(messages)} labels have no right stamp (header.stamp)'
    if unstamped and all(one.received_ns < zero_ns - LONGEST_LEAD_NS for one in messages):
        loss = f'{none}, and were recorded before the images; let the sender fill it in.'
        return Labels((), (loss,), len(messages), (loss,))
    hint = f'{none}; the times at which they were recorded are used. Let the sender fill it in.'
    of_face: dict[str, list[tuple[int, str]]] = {}
    unusable: dict[str, tuple[int, int]] = {}
    for stamp_ns, _, face, name, wrong in timed:
        label = known_name(name, own_names) if name.strip() else ''
        if label is None:
            known = ', '.join(EXPRESSIONS)
            wrong = f'name {name!r}, which is no expression that is known, such as {known}'
        if wrong:
            count, earliest_ns = unusable.get(wrong, (0, stamp_ns))
            unusable[wrong] = count + 1, earliest_ns
        of_face.setdefault(face, []).append((stamp_ns, label or ''))
    problems = [
        f'{where}: {count} messages, the first at {(stamp_ns - zero_ns) / 1e9:.2f} s, {wrong}; '
        'their time was left out.'
        for wrong, (count, stamp_ns) in unusable.items()
    ]
    given: list[Given] = []
    for face, heard in of_face.items():
        name = face if len(of_face) > 1 else ANY_FACE
        for segment in _held(heard, name, max(last_ns + 1, heard[-1][0] + 1)):
            at_s = (segment.start_ns - zero_ns) / 1e9
            given.append(Given(f'{where}, message at {at_s:.2f} s', segment))
    inside = [one for one in given if reaches(one.segment, first_ns, last_ns)]
    placed = place(inside or given, first_ns, last_ns, zero_ns, whole=False)
    return Labels(
        placed.segments,
        (*problems, *placed.problems),
        len(given),
        (*problems, *(f'{where}: {loss}' for loss in placed.losses)),
        (hint,) if unstamped else (),
    )


def _timed(messages: Sequence[Message], earliest_ns: int) -> tuple[list[Message], int]:
    """Order messages by their times, and count those whose time is that of receipt."""
    of_face: dict[str, list[Message]] = {}
    for one in messages:
        of_face.setdefault(one.face, []).append(one)
    strange = {face for face, heard in of_face.items() if not _may_be_right(heard, earliest_ns)}
    by_receipt = [
        one.face in strange or (one.stamp_ns == 0 and earliest_ns > 0) for one in messages
    ]
    timed = [
        one._replace(stamp_ns=one.received_ns) if unstamped else one
        for one, unstamped in zip(messages, by_receipt)
    ]
    return sorted(timed, key=lambda one: one.stamp_ns), sum(by_receipt)


def _may_be_right(heard: Sequence[Message], earliest_ns: int) -> bool:
    """Tell whether the stamps of a face's labels can be when these were seen."""
    stamps = {one.stamp_ns for one in heard}
    if len(stamps) == 1 and len({one.name for one in heard}) > 1:
        return False
    # One label may be old: it was kept for whoever comes later.
    with_images = any(one.received_ns >= earliest_ns for one in heard)
    return len(stamps) == 1 or max(stamps) >= earliest_ns or not with_images


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


def labels_of_topic(
    name: str, one: Recorded, topic: str, own_names: Collection[str] = ()
) -> Labels:
    """
    Read one bag's labels; what is wrong with it is said and costs the others nothing.

    :param name: of the recording, for sentences.
    :param one: the recording.
    :param topic: see `label_messages`.
    :param own_names: names that count beside those of `vocabulary`.
    """
    where = f'{topic}, {name}'
    try:
        messages, damaged = label_messages(one.path, topic)
    except LabelError as error:
        return Labels((), (str(error),), 0, (str(error),))
    labels = labels_of_messages(messages, where, *one.span_ns, own_names, one.zero_ns)
    if not damaged:
        return labels
    loss = f'{where}: {damaged} damaged messages are left out; the label before each holds on.'
    return replace(
        labels,
        problems=(loss, *labels.problems),
        given=labels.given + damaged,
        losses=(loss, *labels.losses),
    )


def label_messages(path: Path, topic: str) -> tuple[list[Message], int]:
    """
    Read labels of a bag.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topic: of vision_msgs/Classification, whose highest score counts, or of
        hri_msgs/Expression; `*` stands for any text, as in `/humans/faces/*/expression`.
    :returns: those that can be read, in the order of the bag; how many are damaged.
    :raises LabelError: when there is no such topic or it cannot be read.
    """
    with _labels_in(path, topic) as (reader, chosen):
        read = [_message(reader, *each) for each in reader.messages(chosen)]
    messages = [one for one in read if one is not None]
    return messages, len(read) - len(messages)


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
def _labels_in(path: Path, topic: str) -> Iterator[tuple[BagReader, list[Connection]]]:
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


def _message(
    reader: BagReader, connection: Connection, received_ns: int, raw: bytes
) -> Message | None:
    """Read a message; None where it is damaged."""
    try:
        message: Any = reader.deserialize(raw, connection.msgtype)
        stamp = message.header.stamp
        label = wrong = ''
        if connection.msgtype == EXPRESSION:
            label = message.expression
        elif not all(isfinite(result.score) for result in message.results):
            wrong = 'have scores that are no finite numbers'
        elif message.results:
            label = max(message.results, key=lambda result: float(result.score)).class_id
        stamp_ns = int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
        face = _face(connection.topic, message.header.frame_id)
    # Of damaged bytes, or a damaged definition, each library complains in its own way.
    except Exception:
        return None
    return Message(stamp_ns, received_ns, face, label, wrong)


def _face(topic: str, frame_id: str) -> str:
    if frame_id.startswith(FACE_FRAME_PREFIX):
        return frame_id.removeprefix(FACE_FRAME_PREFIX)
    with suppress(ValueError):
        face, _ = topic.removeprefix(_FACES).split('/') if topic.startswith(_FACES) else ('', '')
        return face
    return ''
