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

"""Opens whatever a path names: a bag, a video, a photograph, a folder of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError
from emotion_estimator.replay.bag import Bag
from emotion_estimator.replay.bag_files import (
    METADATA_FILE,
    SUFFIXES,
    is_bag_folder,
    may_be_of_a_bag,
    storage_files,
)
from emotion_estimator.replay.bag_recovery import is_bag_file
from emotion_estimator.replay.recordings import (
    FIRST_STAMP_NS,
    Calibration,
    Frame,
    Recording,
    RecordingError,
)
from emotion_estimator.replay.videos import VIDEO_SUFFIXES, Video
from emotion_estimator.stamps import NS_PER_S

# Pictures as a recording: a photograph, or a folder whose names are stamps or numbers.


PICTURE_SUFFIXES = (
    *('.bmp', '.jfif', '.jpe', '.jpeg', '.jpg', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff'),
    '.webp',
)
DEFAULT_RATE_HZ = 30.0
HELD_S = 3.0
"""How long one photograph is shown as a film, in seconds: longer than models look back."""
LONGEST_LEAP_S = 0.5
"""Numbers in names that leap by more, in seconds at the rate, are reported."""
_LONGEST_S = 1_000_000.0
"""Numbers that span more, in seconds at the rate, count nothing that was recorded in a row."""


def pictures_in(folder: Path) -> list[Path]:
    """
    List the pictures of a folder.

    :returns: its picture files; without what systems put beside them under a hidden name,
        such as macOS's '._NAME.jpg'.
    """
    named = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return [path for path in named if path.name[0] != '.' and path.is_file()]


class Pictures:
    """
    A photograph, or a folder of pictures: JPEG, PNG, WebP, TIFF, BMP or PNM files.

    Where every name holds a time (see `_times`) these are the stamps. Otherwise the names
    are put into the order in which a person would count them. Where they differ in one number
    alone it is the number of the frame, else the place in that order is.

    :param path: the folder, or the file.
    :param rate_hz: frames a second where the names hold no times, above 0.
    :raises RecordingError: when there is no picture in it.
    """

    def __init__(self, path: Path, rate_hz: float = DEFAULT_RATE_HZ) -> None:
        self.name = path.name
        self.problems: list[str] = []
        self.hints: list[str] = []
        files = pictures_in(path) if path.is_dir() else [path]
        if not files:
            raise RecordingError(f'{path} holds no pictures ({", ".join(PICTURE_SUFFIXES)}).')
        named = stamps_of_names([file.name for file in files], rate_hz)
        if named.hint:
            self.hints.append(f'{self.name}: {named.hint}')
        self.rate_hz = rate_hz
        self.are_a_film = True
        """Whether all are of one camera, so that deep ones have one range of values."""
        self._stamped = sorted(zip(named.stamps_ns, files))
        self.image_count = len(files)

    def frames(self) -> Iterator[Frame]:
        """Read picture by picture."""
        decoder = ImageDecoder()
        for stamp_ns, path in self._stamped:
            decoder = decoder if self.are_a_film else ImageDecoder()
            yield Frame(stamp_ns, stamp_ns, '', partial(decoder.read, path), path.name)

    def pictures(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """
        Show picture by picture, as a camera does; one alone is held for `HELD_S`.

        :returns: yields nanoseconds since the first one, and the pixels in BGR.
        """
        first_ns = self._stamped[0][0]
        for frame in self.frames():
            try:
                bgr = np.asarray(cv2.cvtColor(frame.decode(), cv2.COLOR_RGB2BGR), np.uint8)
            except ImageError as error:
                self.problems.append(f'{self.name}: {error}')
                continue
            for number in range(round(HELD_S * self.rate_hz) if self.image_count == 1 else 1):
                yield frame.stamp_ns - first_ns + round(number * NS_PER_S / self.rate_hz), bgr

    def calibrations(self) -> Iterator[Calibration]:
        """Pictures hold none."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


# What names of pictures say of their order and time.


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
    :returns: nanoseconds since 1970, a time of day without a zone taken as UTC; None where there
        is none.
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
    return round(whole.timestamp()) * NS_PER_S + int(fraction.ljust(9, '0'))


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


# What a path names.


def open_recording(
    path: Path, topic: str = '', picture_rate_hz: float = DEFAULT_RATE_HZ
) -> Recording:
    """
    Open a recording.

    :param path: a rosbag2 folder, an .mcap, .db3 or .bag file, a video, a photograph, or a
        folder of pictures.
    :param topic: the camera's topic in a bag; empty takes the only one that there is.
    :param picture_rate_hz: frames a second of pictures whose names are no stamps.
    :returns: the recording, to be closed.
    :raises RecordingError: when there is none, or none that can be read.
    """
    if not path.exists():
        raise RecordingError(f'{path} does not exist; check the path.')
    try:
        if path.is_dir():
            return _open_folder(path, topic, picture_rate_hz)
        if path.is_file():
            return _open_file(path, topic, picture_rate_hz)
    except OSError as error:
        raise RecordingError(f'{path} cannot be read: {error.strerror or error}.') from error
    raise RecordingError(f'{path} is neither a file nor a folder.')


def recordings_in(path: Path) -> list[Path]:
    """
    List the recordings in a folder that is none itself, however deep they lie in it.

    :param path: what the user names.
    :returns: bags, videos and folders of pictures in the order of their names, and folders that
        cannot be read; the path itself where it is a recording, or nothing is found in it.
    """
    return _in_folder(path) or [path]


def _in_folder(folder: Path, above: Collection[str] = ()) -> list[Path]:
    try:
        if _is_bag(folder) or pictures_in(folder):
            return [folder]
        return _held(folder, above)
    except OSError:  # said where it is opened
        return [folder]


def _held(folder: Path, above: Collection[str] = ()) -> list[Path]:
    """List what lies in a folder, but not by links to the folders that it lies in, `above`."""
    above = {*above, os.path.realpath(folder)}
    found: list[Path] = []
    for one in sorted(folder.iterdir()):
        if one.name.startswith('.'):
            continue
        if one.is_dir():
            found += _in_folder(one, above) if os.path.realpath(one) not in above else []
        elif one.suffix.lower() in VIDEO_SUFFIXES or may_be_of_a_bag(one):
            found.append(one)
    return found


def _is_bag(folder: Path) -> bool:
    """Tell a bag from a folder where a bag's file lies among other recordings or pictures."""
    if (folder / METADATA_FILE).is_file() or not is_bag_folder(folder):
        return is_bag_folder(folder)
    return not pictures_in(folder) and set(_held(folder)) <= set(storage_files(folder))


def _open_folder(path: Path, topic: str, picture_rate_hz: float) -> Recording:
    if _is_bag(path):
        return Bag(path, topic)
    more = _held(path)
    if pictures_in(path):
        pictures = Pictures(path, picture_rate_hz)
        if more:
            pictures.hints.append(
                f'{path}: its pictures are read; give {more[0]} by name if it is meant'
                f'{f", and {len(more) - 1} more" if len(more) > 1 else ""}.'
            )
        return pictures
    if more:
        raise RecordingError(
            f'{path} is a folder of {len(more)} recordings; give them by name, such as {more[0]}.'
        )
    raise RecordingError(
        f'{path} is neither a rosbag2 folder ({METADATA_FILE} and files ending in '
        f'{", ".join(SUFFIXES)} are missing) nor a folder of pictures '
        f'({", ".join(PICTURE_SUFFIXES)}).'
    )


def _open_file(path: Path, topic: str, picture_rate_hz: float) -> Recording:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return Pictures(path, picture_rate_hz)
    if is_bag_file(path):
        return Bag(path, topic)
    try:
        return Video(path)
    except RecordingError:
        if suffix in VIDEO_SUFFIXES or path.stat().st_size == 0:
            raise
    raise RecordingError(
        f'{path} is of no kind that is read: bags ({", ".join(SUFFIXES)}, or a rosbag2 folder), '
        f'videos that OpenCV opens, pictures ({", ".join(PICTURE_SUFFIXES)}) and folders of these.'
    )


def open_film(path: Path) -> Video | Pictures:
    """
    Open what can be shown as a camera shows it.

    :param path: a video, a photograph or a folder of pictures.
    :returns: the film, to be closed.
    :raises RecordingError: when there is none, or none that can be read.
    """
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return Pictures(path)
    return Video(path)
