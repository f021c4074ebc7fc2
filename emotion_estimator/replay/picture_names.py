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

"""Tells when pictures were taken by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise

from emotion_estimator.replay.recordings import FIRST_STAMP_NS
from emotion_estimator.stamps import NS_PER_S

DEFAULT_RATE_HZ = 30.0
LONGEST_LEAP_S = 0.5
"""Numbers in names that leap by more, in seconds at the rate, are reported."""
_LONGEST_S = 1_000_000.0
"""Numbers that span more, in seconds at the rate, count nothing that was recorded in a row."""


@dataclass(frozen=True)
class NamedStamps:
    """
    Stamps of pictures.

    :param stamps_ns: of each picture, in nanoseconds; no two are equal.
    :param hint: a sentence where the times may not be what the user means, or nothing.
    """

    stamps_ns: tuple[int, ...]
    hint: str = ''


def stamps_of_names(names: Sequence[str], rate_hz: float = DEFAULT_RATE_HZ) -> NamedStamps:
    """
    Tell when pictures were taken by their names, see `Pictures`.

    :param names: of the files, at least one.
    :param rate_hz: frames a second where they hold no times, above 0.
    :returns: the stamps, in the order of the names given.
    """
    stems = [name.rpartition('.')[0] for name in names]
    times_ns = _times(stems)
    timed = [time_ns for time_ns in times_ns if time_ns is not None]
    if len(timed) == len(stems) == len(set(timed)):
        return NamedStamps(tuple(timed))
    hint = ''
    if timed:
        count, why = len(stems) - len(timed), 'have no time in their names'
        if not count:
            count, why = len(stems) - len(set(timed)), 'share their time with another'
        hint = (
            f'{count} of {len(stems)} pictures {why}: all are taken in the order of their names, '
            f'{rate_hz:g} a second; give --picture-rate-hz for another rate.'
        )
    order = sorted(range(len(stems)), key=lambda index: (_natural(stems[index]), names[index]))
    rank = {index: place for place, index in enumerate(order)}
    numbers = None if timed else _frame_numbers(stems)
    if numbers is None or max(numbers) - min(numbers) > _LONGEST_S * rate_hz:
        numbers = [rank[index] for index in range(len(stems))]
    first = min(numbers)
    leap_s = max((b - a for a, b in pairwise(sorted(numbers))), default=0) / rate_hz
    if leap_s > LONGEST_LEAP_S:
        hint = (
            f'the numbers in the names leap by up to {leap_s * rate_hz:g}, which is {leap_s:g} s '
            f'at {rate_hz:g} pictures a second; give --picture-rate-hz for another rate, or '
            '--stills where the pictures are no film.'
        )
    return NamedStamps(
        tuple(FIRST_STAMP_NS + round((n - first) * NS_PER_S / rate_hz) for n in numbers), hint
    )


def _natural(stem: str) -> list[tuple[int, str]]:
    """Order numbers within texts as a person counts: 2 before 10."""
    parts = re.split(r'(\d+)', stem.casefold())
    return [(int(part) if index % 2 else -1, part) for index, part in enumerate(parts)]


def _frame_numbers(stems: Sequence[str]) -> list[int] | None:
    """Give the one number in which the names differ, if there is one."""
    parts = [re.split(r'(\d+)', stem) for stem in stems]
    if len({tuple(each[::2]) for each in parts}) > 1:
        return None
    columns = [[int(text) for text in column] for column in zip(*(each[1::2] for each in parts))]
    if not columns:
        return None
    varying = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    only = varying[0]
    return only if len(varying) == 1 and len(set(only)) == len(only) else None


_DATE = re.compile(
    r"""(?<!\d)
    (20\d\d) [-_.:]? (0[1-9]|1[0-2]) [-_.:]? (0[1-9]|[12]\d|3[01])
    (?:[-_.T\ ]|\ at\ )?
    ([01]\d|2[0-3]) [-_.:h]? ([0-5]\d) [-_.:m]? ([0-5]\d)
    (?: [.,s]?(\d{1,9}) | [-_](\d{3,9}) )?
    (Z | \+\d\d:?\d\d | -\d\d:\d\d)?
    (?!\d)""",
    re.VERBOSE,
)
_SINCE_1970 = re.compile(r'(?<!\d)(\d{19}|\d{16}|\d{13}|\d{10}(?:([._])(\d{1,9}))?)(?!\d)')
# Digits of a time since 1970 in this century: nanoseconds, microseconds, milliseconds.
_NS_PER_UNIT = {19: 1, 16: 1_000, 13: 1_000_000}
_DIGITS_OF_SECONDS = 10
_LEAST_FRACTION, _LEAST_NANOSECONDS = 3, 7  # digits behind `_`
_EARLIEST_NS, _LATEST_NS = 946_684_800 * NS_PER_S, 4_102_444_800 * NS_PER_S  # 2000 to 2100


def _times(stems: Sequence[str]) -> list[int | None]:
    """
    Read the times in names; what counts the pictures of a second is no fraction of it.

    :param stems: such as 'PXL_20240501_101559500' or 'IMG_20240101_120000_123', an ISO date and
        time, or a time since 1970 in s (also with a fraction), ms, us or ns.
    :returns: nanoseconds since 1970; None where there is no time. A time of day is in UTC, or has
        its zone behind it: +02:00, +0200 or -04:00; -0400 cannot be told from a number.
    """
    dates = [_DATE.search(stem) for stem in stems]
    # Numbers behind a date that begin with zeros count pictures: 20240501_000012.
    if all(m[4] == m[5] == '00' and not (m[7] or m[8]) for m in dates if m):
        dates = [None for _ in dates]
    # A burst is numbered: _001, _002 and so on behind the second.
    behind = sorted((m.group(*range(1, 7)), int(m[8])) for m in dates if m and m[8])
    counted = any(a[0] == b[0] for a, b in pairwise(behind)) and all(
        b[1] - a[1] == 1 for a, b in pairwise(behind) if a[0] == b[0]
    )
    found = [_SINCE_1970.search(stem) for stem in stems]
    digits = {len(m[3]) for m in found if m and m[2] == '_'}
    return [
        _since_1970(other, digits) if date is None else _date(date, counted)
        for date, other in zip(dates, found)
    ]


def _date(match: re.Match[str], counted: bool) -> int | None:
    fraction = match[7] or ('' if counted else match[8]) or ''
    try:
        whole = datetime(*map(int, match.group(*range(1, 7))), tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError:  # such as February 30th
        return None
    zone = match[9] or 'Z'
    ahead_min = 0 if zone == 'Z' else int(zone[:3]) * 60 + int(zone[0] + zone[-2:])
    return round(whole.timestamp() - ahead_min * 60) * NS_PER_S + int(fraction.ljust(9, '0'))


def _since_1970(match: re.Match[str] | None, behind: Collection[int]) -> int | None:
    """Read one time; `behind` holds the numbers of digits behind `_` of all names."""
    if match is None:
        return None
    whole, separator, fraction = match[1], match[2], match[3] or ''
    digits = whole[:_DIGITS_OF_SECONDS] if separator else whole
    if separator == '_' and (len(behind) > 1 or max(behind) < _LEAST_FRACTION):
        # Nanoseconds without leading zeros, as in 1700000000_5000000, or a number in a burst.
        fraction = fraction.zfill(9) if max(behind) >= _LEAST_NANOSECONDS else ''
    time_ns = int(digits) * _NS_PER_UNIT.get(len(digits), NS_PER_S)
    time_ns += int(fraction.ljust(9, '0'))
    return time_ns if _EARLIEST_NS <= time_ns < _LATEST_NS else None
