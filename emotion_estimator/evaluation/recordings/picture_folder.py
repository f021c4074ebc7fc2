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


"""Folders of pictures, in the order of the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from emotion_estimator.evaluation.recordings.recording import (
    FIRST_STAMP_NS,
    Calibration,
    Frame,
    RecordingError,
)
from emotion_estimator.faces.image_decoding import ImageError, Rgb, decode_compressed
from emotion_estimator.stamps import NS_PER_S

SUFFIXES = ('.jpeg', '.jpg', '.png')
DEFAULT_RATE_HZ = 30.0
_NUMBER = re.compile(r'(\d+)(?:[._](\d+))?$')
# Digits of a time since 1970 in this century: nanoseconds, microseconds, milliseconds.
_NS_PER_UNIT = {19: 1, 16: 1_000, 13: 1_000_000}
_DIGITS_OF_SECONDS = 10


class PictureFolder:
    """
    A folder of JPEG or PNG files.

    The number at the end of a name is its stamp when it has the length of a time since 1970 (in
    seconds with a fraction, or whole milliseconds, microseconds or nanoseconds), else the number
    of the frame.

    :param path: the folder.
    :param rate_hz: frames a second where the names are no stamps, above 0.
    :raises RecordingError: when there is no picture in it.
    """

    def __init__(self, path: Path, rate_hz: float = DEFAULT_RATE_HZ) -> None:
        self.name = path.name
        files = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
        if not files:
            raise RecordingError(f'{path} holds no pictures ({", ".join(SUFFIXES)}).')
        self._stamped = _stamped(files, rate_hz)
        self.image_count = len(files)

    def frames(self) -> Iterator[Frame]:
        """Read picture by picture."""
        for stamp_ns, path in self._stamped:
            yield Frame(stamp_ns, stamp_ns, '', partial(_read, path))

    def calibrations(self) -> Iterator[Calibration]:
        """Pictures hold none."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def _stamped(files: list[Path], rate_hz: float) -> list[tuple[int, Path]]:
    by_name = sorted(files)
    stamps_ns = [_stamp_ns(path.stem) for path in by_name]
    if None in stamps_ns:
        numbers = [_frame_number(path.stem) for path in by_name]
        if None in numbers or len(set(numbers)) < len(numbers):
            numbers = list(range(len(by_name)))
        known = [number for number in numbers if number is not None]
        first = min(known)
        stamps_ns = [FIRST_STAMP_NS + round((n - first) * NS_PER_S / rate_hz) for n in known]
    return sorted((stamp, path) for stamp, path in zip(stamps_ns, by_name) if stamp is not None)


def _stamp_ns(stem: str) -> int | None:
    match = _NUMBER.search(stem)
    if match is None:
        return None
    whole, fraction = match.groups()
    if fraction is not None:
        if len(whole) != _DIGITS_OF_SECONDS or len(fraction) > 9:
            return None
        return int(whole) * NS_PER_S + int(fraction.ljust(9, '0'))
    unit_ns = _NS_PER_UNIT.get(len(whole))
    return None if unit_ns is None else int(whole) * unit_ns


def _frame_number(stem: str) -> int | None:
    match = re.search(r'(\d+)$', stem)
    return None if match is None else int(match.group(1))


def _read(path: Path) -> Rgb:
    try:
        return decode_compressed(path.read_bytes())
    except (ImageError, OSError) as error:
        raise ImageError(f'{path.name}: {error}') from error
