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

"""Labels from a table: start_s, end_s, face, emotion, and for several recordings recording."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from emotion_estimator.evaluation.labels.placing import Given, place
from emotion_estimator.evaluation.labels.segment import ANY_FACE, LabelError, Labels, Segment
from emotion_estimator.evaluation.labels.vocabulary import EXPRESSIONS, known_name
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
    :returns: labels by recording; one without rows is told of.
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
        # What concerns no recording, or all, is told once.
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
