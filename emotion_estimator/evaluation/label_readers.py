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

"""Labels from a table (start_s, end_s, face, emotion, recording), as spreadsheets save it."""

from __future__ import annotations

import codecs
import csv
import enum
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    LabelError,
    known_name,
)

COLUMNS = ('start_s', 'end_s', 'emotion')
LEAST_ABSOLUTE_S = 100_000_000
"""Seconds since 1970 from which on a time can be no time since a recording's start: 1973."""
_TOUCHING_S = Decimal('0.001')  # times are rounded, or summed up from shares of a second
MOST_BYTES = 64 * 1024 * 1024


class NoTableError(LabelError):
    """
    A file that holds no labels.

    :param sentence: what is wrong.
    :param meant: whether some of its columns are those of a table of labels.
    """

    def __init__(self, sentence: str, meant: bool) -> None:
        super().__init__(sentence)
        self.meant = meant


class Time(enum.Enum):
    """What the seconds of a table count from."""

    AUTOMATIC = 'automatic'
    RELATIVE = 'relative'
    ABSOLUTE = 'absolute'


@dataclass(frozen=True)
class Row:
    """
    One label of a table.

    :param where: file and line.
    :param recording: as the table names it; empty where it does not.
    :param start: in seconds, as `end`.
    :param face: the face's id; '' for any face.
    """

    where: str
    recording: str
    start: Decimal
    end: Decimal
    face: str
    label: str


@dataclass(frozen=True)
class Table:
    """
    Labels as a file gives them.

    :param rows: the labels that can be read.
    :param problems: a sentence for each that cannot.
    """

    path: Path
    rows: tuple[Row, ...]
    problems: tuple[str, ...]

    def losses(self) -> tuple[str, ...]:
        """Count the rows that cannot be read, in a sentence."""
        if not self.problems:
            return ()
        count = len(self.rows) + len(self.problems)
        return (f'{len(self.problems)} of {count} labels cannot be read: {self.problems[0]}',)


def joined(rows: Sequence[Row]) -> list[Row]:
    """
    Join equal labels that follow each other where one is shorter than a second, as of frames.

    :returns: by face and label; two of at least a second each stay two, such as trials.
    """
    ordered = sorted(rows, key=lambda one: (one.face, one.label, one.start, one.end))
    found = ordered[:1]
    for before, row in pairwise(ordered):
        alike = (before.face, before.label) == (row.face, row.label)
        length = min(before.end - before.start, row.end - row.start)
        near = abs(row.start - before.end) <= min(_TOUCHING_S, length / 2)
        if alike and near and length < 1:
            found[-1] = replace(found[-1], end=max(found[-1].end, row.end))
        else:
            found.append(row)
    return found


def read_table(path: Path, own_names: Collection[str] = ()) -> Table:
    """
    Read labels from a text file as Excel, LibreOffice and programs write it.

    Its first line names the columns `start_s`, `end_s`, `emotion` and, where they are wanted,
    `face` (empty for any face) and `recording`, in any order and case. What stands between the
    fields, the decimal mark and the encoding are recognised. Times are seconds (`start_ms` and
    `end_ms`: milliseconds), hh:mm:ss, or ISO dates and times; seconds since 1970 may be written
    as milliseconds, microseconds or nanoseconds too.

    :param own_names: names that count beside those of `vocabulary`, such as a model's classes.
    :raises LabelError: when the file cannot be read at all, or none of its labels.
    """
    sheet = _sheet(path, _text(path))
    problems: list[str] = []
    written: list[tuple[str, Mapping[str, str]]] = []
    try:
        for number, fields in sheet.lines:
            where, more = f'{path.name}, line {number}', fields[len(sheet.columns) :]
            if len(fields) < len(sheet.columns) or any(more):
                problems.append(
                    f'{where} has not as many fields as the first line: {len(fields)}, not '
                    f'{len(sheet.columns)} (decimal commas need quotes, or semicolons between the '
                    'fields); it was left out.'
                )
            else:
                # Of two columns of one name the first counts.
                named = [*zip(sheet.columns, fields)]
                written.append((where, dict(reversed(named))))
    except csv.Error as error:
        raise LabelError(f'{path}: {error}; mend it there.') from error
    times = _Times([row[name] for _, row in written for name in COLUMNS[:2]], sheet)
    rows: list[Row] = []
    for where, named_fields in written:
        try:
            rows.append(_row(where, named_fields, times, own_names))
        except LabelError as error:
            problems.append(str(error))
    if not problems and not rows:
        raise LabelError(f'{path} holds no label below its first line.')
    if not rows:
        count = len(problems)
        raise LabelError(
            f'None of the {count} labels in {path} can be used: {problems[0]}'
            if count > 1
            else problems[0]
        )
    return Table(path, tuple(rows), tuple(problems))


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise OSError('it is a folder; name the table in it')
        if not path.is_file():
            raise OSError('there is no such file')
        if path.stat().st_size > MOST_BYTES:
            raise OSError(f'it is larger than {MOST_BYTES // 2**20} MB')
        content = path.read_bytes()
        if content.startswith((b'PK\3\4', b'\xd0\xcf\x11\xe0')):
            raise OSError('it is a workbook; save its sheet as CSV')
        text = _decoded(content)
        if '\0' in text:
            raise OSError('it is no text')
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f'The labels {path} cannot be read: {error}.') from error
    return text


def _decoded(content: bytes) -> str:
    marks = {
        codecs.BOM_UTF8: 'utf-8-sig',
        codecs.BOM_UTF32_LE: 'utf-32',
        codecs.BOM_UTF32_BE: 'utf-32',
        codecs.BOM_UTF16_LE: 'utf-16',
        codecs.BOM_UTF16_BE: 'utf-16',
    }
    for mark, name in marks.items():
        if content.startswith(mark):
            return content.decode(name)
    if content[1:2] == b'\0' or content[:1] == b'\0':
        return content.decode('utf-16-le' if content[1:2] == b'\0' else 'utf-16-be')
    try:
        return content.decode('utf-8')
    except UnicodeDecodeError:
        return content.decode('cp1252')


_DIGITS = {'s': 0, 'sec': 0, 'seconds': 0, 'ms': 3, 'us': 6, 'ns': 9}
"""Decimal places of a second in which a column's times count, by the end of its name."""
_TIME = re.compile(rf'(start|end)(?:_time)?(?:_({"|".join(_DIGITS)}))?')
_NAMES = {'label': 'emotion', 'expression': 'emotion', 'face_id': 'face'}


@dataclass(frozen=True)
class _Sheet:
    """
    A table taken apart.

    :param columns: their names in the form of `COLUMNS`.
    :param digits: see `_DIGITS`, by name of the column.
    :param delimiter: what stands between fields.
    :param lines: number and fields of those behind the first; empty ones are left out.
    """

    columns: tuple[str, ...]
    digits: Mapping[str, int]
    delimiter: str
    lines: Iterator[tuple[int, list[str]]]


def _sheet(path: Path, text: str) -> _Sheet:
    # Excel's own way to tell what stands between the fields.
    stated = re.match(r'"?sep=(.)"?[,;\t]*\r?\n', text, re.IGNORECASE)
    if stated:
        text = text[stated.end() :]
    sheets = [_sheet_by(text, each, 1 + bool(stated)) for each in ',;\t|']
    found = [sum(name in sheet.columns for name in COLUMNS) for sheet in sheets]
    best = sheets[found.index(max(found))]
    if max(found) < len(COLUMNS):
        missing = [name for name in COLUMNS if name not in best.columns]
        raise NoTableError(
            f'{path} lacks the column {" and ".join(missing)} in its first line, which should '
            f'be `start_s,end_s,face,emotion`, not {text.partition(chr(10))[0].strip()[:80]!r}.',
            bool(max(found)),
        )
    return best


def _sheet_by(text: str, delimiter: str, first_line: int) -> _Sheet:
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, skipinitialspace=True)
    columns: list[str] = []
    digits: dict[str, int] = {}
    with suppress(csv.Error):
        for written in next(reader, []):
            name = re.sub(r'\W+', '_', written.strip().casefold()).strip('_')
            time = _TIME.fullmatch(name)
            if time:
                name = f'{time[1]}_s'
                digits.setdefault(name, _DIGITS[time[2] or 's'])
            columns.append(_NAMES.get(name, name))
    lines = (
        (reader.line_num + first_line - 1, [field.strip() for field in fields])
        for fields in reader
        if any(field.strip() for field in fields)
    )
    return _Sheet(tuple(columns), digits, delimiter, lines)


# Times as people and spreadsheets write them.


_CLOCK = re.compile(r'(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)')
_FRACTION = re.compile(r'[.,](\d+)')
_GROUPED = re.compile(r'[1-9]\d{0,2}(?:[.,]\d{3})+')
_LEAST_DIGITS = ((10**17, 9), (10**14, 6), (10**11, 3))
"""Least time since 1970 (it is in 1973) by the decimal places of a second in which it counts."""


class _Times:
    """
    Reads times in the way that all of a table show together.

    :param texts: all times of the table.
    :param sheet: where they stand.
    """

    def __init__(self, texts: Sequence[str], sheet: _Sheet) -> None:
        self._digits = sheet.digits
        self._mark = _decimal_mark([text for text in texts if ':' not in text], sheet.delimiter)
        numbers = [number for text in texts if (number := self._number(text)) is not None]
        # Seconds since 1970 are above a hundred million: what is above that is written finer.
        least = min(numbers, default=Decimal(0))
        finer = next((digits for each, digits in _LEAST_DIGITS if least >= each), 0)
        self._finer = finer if set(sheet.digits.values()) == {0} else 0

    def __call__(self, name: str, text: str) -> Decimal | None:
        """Read a time of a column, in seconds; None for what is none."""
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, seconds = clock.groups()
            whole = 3600 * int(hours or 0) + 60 * int(minutes)
            return whole + Decimal(seconds.replace(',', '.'))
        if re.match(r'\d{4}-\d\d-\d\d.', text):
            return _iso_seconds(text)
        number = self._number(text)
        if number is None:
            return None
        return number.scaleb(-(self._digits[name] or self._finer))

    def unsure(self, text: str) -> bool:
        """Tell whether it cannot be known if a mark stands before decimals."""
        return self._mark is None and re.fullmatch(r'[\d.,]+', text) is not None

    def _number(self, text: str) -> Decimal | None:
        text = re.sub(r"[\s'\u2019]", '', text)  # what stands between thousands
        if self._mark is None and not text.isdecimal():
            return None
        marks = [each for each in text if each in '.,']
        other = '.' if self._mark == ',' else ','
        whole, _, fraction = text.partition(self._mark or '.')
        if other in text and (other in fraction or not _GROUPED.fullmatch(whole)):
            return None
        try:
            number = Decimal(whole.replace(other, '') + ('.' + fraction if marks else ''))
        except InvalidOperation:
            return None
        # Where a spreadsheet writes 1.7E+12, digits are lost.
        if not number.is_finite() or int(number.as_tuple().exponent) > 0:
            return None
        return number


def _decimal_mark(texts: Sequence[str], delimiter: str) -> str | None:
    """Find what stands before decimals; None where it cannot be known, '.' where nothing does."""
    both = [text for text in texts if '.' in text and ',' in text]
    if both:
        return max('.,', key=both[0].rindex)
    marked = [text for text in texts if '.' in text or ',' in text]
    # 1,234 may be one or a thousand; only a locale with decimal commas writes semicolons.
    sure = {
        '.' if '.' in text else ','
        for text in marked
        if not _GROUPED.fullmatch(text) or (',' in text) == (delimiter != ',')
    }
    if len(sure) == 1:
        return sure.pop()
    return None if marked else '.'


def _iso_seconds(text: str) -> Decimal | None:
    """Read an ISO date and time as seconds since 1970; without a zone it is UTC."""
    # Python 3.10 reads three or six digits behind the seconds, and no others.
    text = _FRACTION.sub(lambda found: f'.{found[1][:6]:0<6}', text.replace('Z', '+00:00'))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds).scaleb(-6)


def _row(where: str, fields: Mapping[str, str], times: _Times, own_names: Collection[str]) -> Row:
    read = []
    for name in COLUMNS[:2]:
        number = times(name, fields[name])
        if number is None and times.unsure(fields[name]):
            raise LabelError(
                f'{where}: {name} {fields[name]!r} may be a fraction or thousands; write it '
                'without what stands between thousands; the row was left out.'
            )
        # More than nine digits of seconds behind 1970 are no time.
        if number is None or not 0 <= number < 10**10:
            raise LabelError(
                f'{where}: {name} must be seconds from 0 on, not {fields[name]!r} (or hh:mm:ss, '
                'or an ISO date and time); the row was left out.'
            )
        read.append(number)
    start, end = read
    if end <= start:
        how = (
            f'ends ({end} s) before it has begun' if end < start else f'begins and ends at {end} s'
        )
        raise LabelError(f'{where} {how}; it was left out.')
    label = known_name(fields['emotion'], own_names)
    if label is None:
        raise LabelError(
            f'{where}: {fields["emotion"]!r} is no expression that is known, such as '
            f'{", ".join(EXPRESSIONS)} or unknown; the row was left out.'
        )
    return Row(
        where, fields.get('recording', ''), start, end, fields.get('face') or ANY_FACE, label
    )
