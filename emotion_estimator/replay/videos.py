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

"""Video files: their frames with the times at which a player shows them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shlex import quote
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.geometry import ImageError, check_size
from emotion_estimator.faces.image_decoding import open_video, rgb_of_bgr
from emotion_estimator.replay.recordings import (
    FIRST_STAMP_NS,
    Calibration,
    Frame,
    RecordingError,
)
from emotion_estimator.stamps import NS_PER_S

VIDEO_SUFFIXES = (
    *('.3gp', '.asf', '.avi', '.flv', '.gif', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg'),
    *('.mpg', '.mts', '.ogv', '.ts', '.vob', '.webm', '.wmv'),
)
"""Names by which videos are found in a folder; a file that the user names is tried."""
FALLBACK_RATE_HZ = 30.0
_NS_PER_MS = 1_000_000
_CUT_SHORT = 0.9
"""A share of the frames, or of the time, below which some are missing."""
_CODECS = {'av01': 'AV1', 'hev1': 'H.265', 'hvc1': 'H.265', 'vp09': 'VP9', 'apch': 'ProRes'}


class Video:
    """
    A video file; its stamps are the frames' times from the start.

    :raises RecordingError: when it cannot be opened, or no frame of it can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.problems: list[str] = []
        self.hints: list[str] = []
        self._path = path
        if not path.is_file():
            raise RecordingError(f'{path} cannot be opened: there is no such file.')
        self._capture = open_video(path)
        if not self._capture.isOpened():
            raise RecordingError(
                f'{path} cannot be opened as a video ({path.stat().st_size} bytes): it is '
                'truncated, damaged or of a kind that OpenCV does not read; try to play it.'
            )
        width, height = (
            int(self._capture.get(side))
            for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if width > 0 and height > 0:
            try:
                check_size(width, height)
            except ImageError as error:
                self.close()
                raise RecordingError(f'{path} cannot be used: {error}') from error
        self.rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS)) or FALLBACK_RATE_HZ
        self.image_count = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        codec = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        self._codec = codec.to_bytes(4, 'little').decode('latin-1').lower()
        self._first = self._read()
        if self._first is None:
            self.close()
            raise RecordingError(self._undecodable())

    def pictures(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """
        Read frame by frame; their times go forward, see `_FrameTimes`.

        :returns: yields nanoseconds since the first frame, and the pixels in BGR.
        """
        count, time_ns, first_ns = 0, 0, 0
        times = _FrameTimes(self.rate_hz)
        found = self._first
        first = None if found is None else found[1]
        while found is not None:
            stated_ns, bgr = found
            if first is not None and not np.array_equal(bgr, first):
                first = None
            if count:
                time_ns = times.next_ns(stated_ns - first_ns)
            else:
                first_ns = stated_ns
            count += 1
            yield time_ns, bgr
            found = self._read()
        problem = self._missing(count, time_ns, first_ns)
        if problem:
            self.problems.append(f'{self._path} {problem} {count} frames of it are used.')
        if first is not None and count > 1:
            # OpenCV 5 turns no interlaced frame into a picture, and gives what its memory held.
            name, made = quote(self._path.name), quote(self._path.stem + '_progressive.mp4')
            self.hints.append(
                f'{self._path}: all {count} frames are the same picture. If they should not be, '
                'they are perhaps interlaced, which OpenCV 5 does not read; convert them: '
                f'`ffmpeg -i {name} -vf yadif {made}`.'
            )

    def frames(self) -> Iterator[Frame]:
        """Read frame by frame."""
        for time_ns, bgr in self.pictures():
            stamp_ns = FIRST_STAMP_NS + time_ns
            yield Frame(stamp_ns, stamp_ns, '', partial(rgb_of_bgr, bgr))

    def calibrations(self) -> Iterator[Calibration]:
        """Videos hold none."""
        return iter(())

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    def _read(self) -> tuple[int, NDArray[np.uint8]] | None:
        read, bgr = self._capture.read()
        if not read:
            return None
        stated_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * _NS_PER_MS)
        return stated_ns, np.asarray(bgr, np.uint8)

    def _undecodable(self) -> str:
        known = _CODECS.get(self._codec)
        name = f'{known} ({self._codec})' if known else self._codec
        cut = missing_bytes(self._path)
        if cut:
            return f'{self._path} is cut off: {cut:,} bytes of it are missing, and all its frames.'
        return (
            f'{self._path}: no frame can be decoded. Its codec is {name}, which this OpenCV may '
            f'lack; else it is damaged. Convert it: `ffmpeg -i {quote(self._path.name)} '
            f'-c:v libx264 {quote(self._path.stem + "_h264.mp4")}`.'
        )

    def _missing(self, count: int, time_ns: int, first_ns: int) -> str:
        """Tell what is missing; containers only estimate their frames, and cuts leave some out."""
        cut = missing_bytes(self._path)
        if cut:
            return f'is cut off: {cut:,} bytes of it are missing.'
        shown = shown_share(self._path)
        lasts_s = time_ns / NS_PER_S + 1 / self.rate_hz
        if shown is not None:
            damaged = count < _CUT_SHORT * shown * self.image_count
        else:
            begin_s = first_time_s(self._path)
            before_s = first_ns / NS_PER_S if begin_s is None else begin_s
            stated_s = self.image_count / self.rate_hz - before_s
            damaged = lasts_s < _CUT_SHORT * stated_s
            if damaged and begin_s is not None:
                # Of Matroska the sound may last longer, or the last frame stand.
                self.hints.append(
                    f'{self._path} ends after {lasts_s:.1f} s, though {stated_s:.1f} s are '
                    'stated; look whether it is whole.'
                )
                return ''
        return 'is damaged: some of its frames cannot be decoded.' if damaged else ''


class _FrameTimes:
    """
    Lets the frames' times go forward.

    A frame of the same time as the one before is taken to be a microsecond later, and so is one
    whose time has not caught up yet. A frame that goes back has no time, nor have further ones of
    the same time, nor all where none goes forward: they stand where the frame rate puts them, and
    so do those whose times began again, as in videos joined one behind the other.
    """

    _MOMENT_NS = 1000
    _FRAMES_BACK = 16
    """No codec puts a frame further from its place (H.264: max_num_reorder_frames)."""

    def __init__(self, rate_hz: float) -> None:
        self._step_ns = round(NS_PER_S / rate_hz)
        self._time_ns = self._stated_ns = 0
        self._known = self._moved = False

    def next_ns(self, stated_ns: int) -> int:
        """
        Place the next frame.

        :param stated_ns: nanoseconds from the first frame to this one, as the file has it.
        :returns: the same, or later.
        """
        way_ns, self._stated_ns = stated_ns - self._stated_ns, stated_ns
        moved, self._moved = self._moved, stated_ns <= self._time_ns
        catches_up = self._time_ns - stated_ns <= self._FRAMES_BACK * self._step_ns
        if not self._moved:
            self._time_ns, self._known = stated_ns, True
        elif self._known and catches_up and (way_ns > 0 or (way_ns == 0 and not moved)):
            self._time_ns += self._MOMENT_NS
        else:
            self._time_ns += self._step_ns
        return self._time_ns


# What containers say of themselves.


_EBML = b'\x1a\x45\xdf\xa3'
_SEGMENT, _INFO, _SCALE, _CLUSTER, _TIME = 0x18538067, 0x1549A966, 0x2AD7B1, 0x1F43B675, 0xE7
_MP4 = (b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide', b'moof', b'styp', b'sidx')
_MOST_BOXES = 100_000
_FARTHEST = 1 << 43  # bytes, 8 TB: file systems refuse to look much further


def missing_bytes(path: Path) -> int:
    """
    Compare a file's size with what it states: MP4, Matroska and AVI do.

    :returns: how many bytes are missing at its end; 0 where none are, or nothing is stated.
    """
    size = path.stat().st_size
    with path.open('rb') as file:
        head = file.read(12)
        file.seek(0)
        end = size
        if head[4:8] in _MP4:
            for _, at, length in _boxes(file, 0, size):
                end = max(end, at + length)
        elif head[:4] == b'RIFF' and head[8:] == b'AVI ':
            stated = struct.unpack('<I', head[4:8])[0]
            end = stated + 8 if stated < 0xFFFFFFFF else size
        elif segment := _segment(file, size):
            end = segment[1]
    return max(end - size, 0)


def shown_share(path: Path) -> float | None:
    """
    Tell how much of an MP4 file's frames a player shows: edit lists leave some out.

    :returns: in [0, 1]; None for another kind of file.
    """
    size = path.stat().st_size
    with path.open('rb') as file:
        if file.read(8)[4:] not in _MP4:
            return None
        moov = next((box for box in _boxes(file, 0, size) if box[0] == b'moov'), None)
        if moov is None:
            return 1.0
        file.seek(moov[1])
        content = file.read(min(moov[2], size))
    try:
        return _share(content)
    except (struct.error, ValueError, LookupError, ArithmeticError):
        return 1.0


def _share(moov: bytes) -> float:
    """Divide what the video's edit list shows by what the track holds."""
    movie_scale, _ = _durations(moov, moov.index(b'mvhd'))
    at = 0
    for _ in range(_MOST_BOXES):
        at = moov.find(b'mdhd', at + 1)
        if at < 0:
            break
        scale, duration = _durations(moov, at)
        track = moov.rfind(b'trak', 0, at)
        edits = moov.find(b'elst', track, at)
        if moov.find(b'vide', at, at + 200) < 0 or edits < 0:
            continue
        version, count = moov[edits + 4], struct.unpack_from('>I', moov, edits + 8)[0]
        form, step = ('>Qq', 20) if version else ('>Ii', 12)
        entries = [struct.unpack_from(form, moov, edits + 12 + step * n) for n in range(count)]
        shown_s = float(sum(length for length, start in entries if start >= 0)) / movie_scale
        return min(1.0, shown_s / (duration / scale))
    return 1.0


def _durations(moov: bytes, name_at: int) -> tuple[int, int]:
    """Read scale and duration of a header box, whose name stands at a place."""
    form, at = ('>IQ', 24) if moov[name_at + 4] else ('>II', 16)
    scale, duration = struct.unpack_from(form, moov, name_at + at)
    return scale, duration


def _boxes(file: BinaryIO, at: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Go through an MP4 file's boxes: name, place and length."""
    for _ in range(_MOST_BOXES):
        file.seek(min(at, _FARTHEST))
        head = file.read(16)
        if len(head) < 8:
            return
        length, name = struct.unpack_from('>I4s', head)
        if length == 1 and len(head) == 16:
            length = struct.unpack_from('>Q', head, 8)[0]
        elif length == 0:
            length = size - at
        if length < 8 or not name.isalnum():
            return
        yield name, at, length
        at += length


# Matroska (also WebM): elements of a name, a length and content, which may be elements again.


def first_time_s(path: Path) -> float | None:
    """
    Tell when a Matroska file's first frame is: the length that it states counts from 0.

    :returns: in seconds; None for another kind of file.
    """
    scale_ns = 1_000_000
    with path.open('rb') as file:
        segment = _segment(file, path.stat().st_size)
        if segment is None:
            return None
        for name, at, length in _elements(file, *segment):
            if name == _INFO:
                for inner, begin, size in _elements(file, at, at + length):
                    if inner == _SCALE:
                        scale_ns = _number(file, begin, size)
            elif name == _CLUSTER:
                for inner, begin, size in _elements(file, at, at + length):
                    if inner == _TIME:
                        return _number(file, begin, size) * scale_ns / NS_PER_S
    return 0.0


def _segment(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Find where the content of a Matroska file begins and ends, as far as it states that."""
    if file.read(4) != _EBML:
        return None
    for name, at, length in _elements(file, 0, size):
        if name == _SEGMENT:
            return at, at + length
    return None


def _elements(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Go through elements: name, place of the content and its length."""
    while at < min(end, _FARTHEST):
        file.seek(at)
        head = file.read(12)
        if len(head) < 3 or not head[0]:
            return
        name = 9 - head[0].bit_length()
        if len(head) <= name or not head[name]:
            return
        width = 9 - head[name].bit_length()
        content = at + name + width
        length = int.from_bytes(head[name : name + width], 'big') & ((1 << 7 * width) - 1)
        if length == (1 << 7 * width) - 1:
            # Unknown, as of what is written while it is recorded: to the end.
            length = max(end - content, 0)
        yield int.from_bytes(head[:name], 'big'), content, length
        at = content + length


def _number(file: BinaryIO, at: int, length: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(min(length, 8)), 'big')
