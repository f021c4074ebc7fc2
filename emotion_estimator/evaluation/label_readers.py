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

"""Labels from a table (start_s, end_s, face, emotion, recording) or a topic of the bag."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader

from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    Given,
    LabelError,
    Labels,
    Segment,
    known_name,
    place,
)
from emotion_estimator.faces.rep155 import FACE_FRAME_PREFIX
from emotion_estimator.messages.outgoing import CLASSIFICATION, EXPRESSION, bag_types
from emotion_estimator.stamps import NS_PER_S

COLUMNS = ('start_s', 'end_s', 'emotion')
LEAST_ABSOLUTE_S = 100_000_000
"""Seconds since 1970 from which on a time can be no time since a recording's start: 1973."""


class Time(enum.Enum):
    """What the seconds of a table count from."""

    AUTOMATIC = 'automatic'
    RELATIVE = 'relative'
    ABSOLUTE = 'absolute'


@dataclass(frozen=True)
class _Row:
    where: str
    recording: str
    start: Decimal
    end: Decimal
    face: str
    label: str


def read_table(
    path: Path,
    spans: Mapping[str, tuple[int, int]],
    time: Time = Time.AUTOMATIC,
    own_names: Collection[str] = (),
) -> dict[str, Labels]:
    """
    Read the labels of recordings from a CSV file.

    Its first line names the columns `start_s`, `end_s`, `emotion` and, where they are wanted,
    `face` (empty for any face) and `recording`, in any order. Without `recording` the rows are of
    the one recording.

    :param path: the file.
    :param spans: stamps of the first and last image, in nanoseconds, by recording.
    :param time: whether seconds count from the recording's first image or from 1970; by itself it
        takes all for absolute when the earliest is from 1973 on.
    :param own_names: names that count beside those of `vocabulary`, such as a model's classes.
    :returns: labels by recording; one without rows gets a sentence.
    :raises LabelError: when the file cannot be read at all.
    """
    rows, problems = _rows(path, own_names)
    if time is Time.AUTOMATIC:
        absolute = bool(rows) and min(row.start for row in rows) >= LEAST_ABSOLUTE_S
    else:
        absolute = time is Time.ABSOLUTE
    of_recording: dict[str, list[Given]] = {name: [] for name in spans}
    for row in rows:
        name = row.recording or (next(iter(spans)) if len(spans) == 1 else '')
        if name not in spans:
            told = f'the recording {name!r}' if name else 'no recording'
            problems.append(
                f'{row.where} names {told}, but there are {", ".join(spans)}; it was left out.'
            )
            continue
        zero_ns = 0 if absolute else spans[name][0]
        start_ns, end_ns = (zero_ns + int(each * NS_PER_S) for each in (row.start, row.end))
        segment = Segment(start_ns, end_ns, row.face, row.label)
        of_recording[name].append(Given(row.where, segment))
    found: dict[str, Labels] = {}
    for name, given in of_recording.items():
        labels = place(given, *spans[name])
        missing = () if given else (f'{path.name} holds no label of {name}.',)
        # What concerns no recording, or all, is said once.
        told_once = () if found else tuple(problems)
        found[name] = Labels(labels.segments, (*told_once, *labels.problems, *missing))
    return found


def _rows(path: Path, own_names: Collection[str]) -> tuple[list[_Row], list[str]]:
    try:
        # Spreadsheets write a byte order mark.
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f'The labels {path} cannot be read: {error}.') from error
    reader = csv.DictReader(io.StringIO(text, newline=''), skipinitialspace=True)
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise LabelError(
                f'{path} lacks the column {" and ".join(missing)} in its first line, which should '
                f'be `start_s,end_s,face,emotion`, not {",".join(columns)[:80]!r}.'
            )
        rows: list[_Row] = []
        problems: list[str] = []
        for fields in reader:
            try:
                rows.append(_row(f'{path.name}, line {reader.line_num}', fields, own_names))
            except LabelError as error:
                problems.append(str(error))
    except csv.Error as error:
        raise LabelError(f'{path}, line {reader.line_num}: {error}; mend it there.') from error
    return rows, problems


def _row(where: str, fields: Mapping[str | None, object], own_names: Collection[str]) -> _Row:
    def field(name: str) -> str:
        return str(fields.get(name) or '').strip()

    if None in fields or None in fields.values():
        raise LabelError(f'{where} has not as many fields as the first line; it was left out.')
    times = []
    for name in ('start_s', 'end_s'):
        try:
            number = Decimal(field(name))
        except InvalidOperation:
            number = Decimal('nan')
        # More than nine digits of seconds behind 1970 are no time.
        if not number.is_finite() or not 0 <= number < 10**10:
            raise LabelError(
                f'{where}: {name} must be seconds from 0 on, not {field(name)!r}; the row was '
                'left out.'
            )
        times.append(number)
    if times[1] <= times[0]:
        raise LabelError(f'{where} ends ({times[1]} s) before it has begun; it was left out.')
    label = known_name(field('emotion'), own_names)
    if label is None:
        raise LabelError(
            f'{where}: {field("emotion")!r} is no expression that is known, such as '
            f'{", ".join(EXPRESSIONS)} or unknown; the row was left out.'
        )
    return _Row(where, field('recording'), times[0], times[1], field('face') or ANY_FACE, label)


# Labels from a topic of the recording: each holds until the face's next one.


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
    placed = place(given, first_ns, last_ns)
    return Labels(placed.segments, (*problems, *placed.problems))


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
        with AnyReader([path], default_typestore=bag_types()) as reader:
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
