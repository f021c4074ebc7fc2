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

"""What picture files say of themselves, before a decoder sees them, and what it says of them."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import cv2

from emotion_estimator.faces.geometry import ImageError, check_size
from emotion_estimator.files import write_all

_MOST_SEGMENTS = 100_000  # of a JPEG file before its size, or a PNG file; some ten are usual
_MOST_SCANS = 100  # of a progressive JPEG file: each costs a pass over the whole image
_EXIF_WITHIN = 65_536  # bytes from the start
_ORIENTATION, _TURNS = 0x112, {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
_MOST_ENTRIES = 1_000  # of a TIFF file's directory


@dataclass(frozen=True)
class PictureHeader:
    """
    What a picture file says of itself.

    :param kind: its format, such as 'JPEG'.
    :param width: in pixels, above 0.
    :param height: in pixels, above 0.
    """

    kind: str
    width: int
    height: int


def read_header(content: bytes, stated_format: str = '') -> PictureHeader:
    """
    Read the header of a JPEG, PNG, WebP, TIFF, BMP, GIF or PNM file.

    Other formats that OpenCV knows are refused, since their size is not read here. Of an
    animation the size of the whole picture counts; each of its frames lies within that.

    :param stated_format: what a message says of it, for the error message only.
    :returns: the header; its size has passed `check_size`.
    :raises ImageError: when it is of another format, cut short, too large or empty.
    """
    for start, (kind, read, is_whole) in _FORMATS.items():
        if not content.startswith(start):
            continue
        try:
            width, height = read(content)
        except ImageError:
            raise
        except (struct.error, IndexError, OverflowError, ValueError):
            raise ImageError(
                f'The {kind} image is truncated after {len(content)} bytes, in its header.'
            ) from None
        check_size(width, height)
        if not is_whole(content):
            raise ImageError(f'The {kind} image is truncated after {len(content)} bytes.')
        return PictureHeader(kind, width, height)
    raise ImageError(
        f'The compressed image (format {stated_format!r}, {len(content)} bytes) is neither JPEG '
        'nor PNG, WebP, TIFF, BMP, GIF or PNM; have it republished or saved as JPEG or PNG, or '
        'use image_transport: raw.'
    )


def rotation_of_exif(content: bytes) -> int:
    """
    Tell how a picture must be turned to be upright, as phones and cameras note it.

    :param content: a JPEG file.
    :returns: degrees clockwise: 0, 90, 180 or 270.
    """
    at = content.find(b'Exif\0\0', 0, _EXIF_WITHIN) + 6
    order = {b'II': '<', b'MM': '>'}.get(content[at : at + 2])
    if at < 6 or order is None:
        return 0
    try:
        entries = at + struct.unpack_from(f'{order}I', content, at + 4)[0]
        for entry in range(struct.unpack_from(f'{order}H', content, entries)[0]):
            tag, _, _, value = struct.unpack_from(
                f'{order}HHIH', content, entries + 2 + 12 * entry
            )
            if tag == _ORIENTATION:
                return _TURNS.get(value, 0)
    except struct.error:
        return 0
    return 0


def _size_of_jpeg(content: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        # As libjpeg does: what is no marker is passed over, and any number of 0xff before one.
        at = content.index(b'\xff', at)
        while content[at] == 0xFF:
            at += 1
        marker, at = content[at], at + 1
        if marker in (0, 1) or 0xD0 <= marker <= 0xD7:
            continue
        if marker in (0xD9, 0xDA):
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from('>HH', content, at + 3)
            if marker in (0xC2, 0xC6, 0xCA) and content.count(b'\xff\xda') > _MOST_SCANS:
                raise ImageError(
                    f'The JPEG image has more than {_MOST_SCANS} scans, which no camera writes.'
                )
            return width, height
        (length,) = struct.unpack_from('>H', content, at)
        at += max(length, 2)
    raise ImageError('The JPEG image is damaged: its header states no size.')


def _size_of_png(content: bytes) -> tuple[int, int]:
    if content[12:16] != b'IHDR':
        raise ImageError('The PNG image is damaged: its header is missing.')
    width, height = struct.unpack_from('>II', content, 16)
    return width, height


def _size_of_webp(content: bytes) -> tuple[int, int]:
    if content[8:12] != b'WEBP':
        raise ImageError('The file is a RIFF file, but no WebP image.')
    kind = content[12:16]
    if kind == b'VP8X':
        width, height = (int.from_bytes(content[at : at + 3], 'little') for at in (24, 27))
        return (width + 1, height + 1) if len(content) >= 30 else (0, 0)
    if kind == b'VP8L':
        (bits,) = struct.unpack_from('<I', content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from('<HH', content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _size_of_bmp(content: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from('<I', content, 14)
    width, height = struct.unpack_from('<HH' if header_bytes == 12 else '<ii', content, 18)
    return width, abs(height)  # below 0 where the rows go downward


def _size_of_gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from('<HH', content, 6)
    return width, height


def _size_of_pnm(content: bytes) -> tuple[int, int]:
    found = re.match(rb'P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s', content)
    if found is None:
        raise IndexError
    return int(found[1]), int(found[2])


_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_TILES = 256, 257, 258, (322, 323)
_TIFF_TYPES = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}


def _size_of_tiff(content: bytes) -> tuple[int, int]:
    order = '<' if content.startswith(b'II') else '>'
    big = content[2:4] in (b'+\0', b'\0+')
    offset, count, entry = ('Q', 'Q', 'HHQ8s') if big else ('I', 'H', 'HHI4s')
    (at,) = struct.unpack_from(order + offset, content, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, content, at)
    greatest: dict[int, int] = {}
    for number in range(min(entries, _MOST_ENTRIES)):
        place = at + struct.calcsize('=' + count) + number * struct.calcsize('=' + entry)
        tag, kind, values, inline = struct.unpack_from(order + entry, content, place)
        code = _TIFF_TYPES.get(kind)
        if tag not in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, *_TIFF_TILES) or code is None:
            continue
        field = order + min(values, 4) * code
        if struct.calcsize(field) > len(inline):
            (far,) = struct.unpack(order + offset, inline)
            inline = content[far : far + struct.calcsize(field)]
        greatest[tag] = max(greatest.get(tag, 0), *struct.unpack_from(field, inline), 0)
    check_size(*(max(greatest.get(tag, 1), 1) for tag in _TIFF_TILES))
    if greatest.get(_TIFF_BITS, 1) > 16:
        raise ImageError(
            f'The TIFF image has {greatest[_TIFF_BITS]} bits a channel: distances or heat, no '
            'picture; give one with 8 or 16.'
        )
    return greatest.get(_TIFF_WIDTH, 0), greatest.get(_TIFF_HEIGHT, 0)


def _is_whole_jpeg(content: bytes) -> bool:
    """Seek the end marker, which cannot occur inside the coded pixels; drivers pad behind it."""
    near = b'\xff\xd9' in content.rstrip(b'\0\xff')[-4096:]  # some send their whole buffer
    return near or _end_of_jpeg(content) > 0


_MARKER = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]')  # what cannot stand inside coded pixels


def _end_of_jpeg(content: bytes) -> int:
    """Tell where the first picture of a JPEG file ends; 0 where it does not."""
    at = 2
    while (found := _MARKER.search(content, at)) is not None:
        at, marker = found.end(), content[found.end() - 1]
        if marker == 0xD9:
            return at
        if marker != 1 and at + 2 <= len(content):
            at += max(struct.unpack_from('>H', content, at)[0], 2)
    return 0


def first_jpeg(content: bytes) -> bytes:
    """Leave out what phones append to a JPEG file's picture: films, depth maps."""
    # To walk through the picture takes some percent of the time to decode it.
    if content.rstrip(b'\0\xff').endswith(b'\xff\xd9'):
        return content
    return content[: _end_of_jpeg(content) or None]


def _is_whole_png(content: bytes) -> bool:
    """Walk from part to part: OpenCV makes room for a part of whatever length is stated."""
    at = 8
    for _ in range(_MOST_SEGMENTS):
        length, kind = int.from_bytes(content[at : at + 4], 'big'), content[at + 4 : at + 8]
        at += 12 + length
        if at > len(content) or kind == b'IEND':
            return at <= len(content)
    return False


def _is_whole_webp(content: bytes) -> bool:
    (stated,) = struct.unpack_from('<I', content, 4)
    return len(content) >= 8 + int(stated)


_Reader = Callable[[bytes], tuple[int, int]]
_Check = Callable[[bytes], bool]
# By how the file starts; the last tells whether its end is there, where that shows at once.
_FORMATS: dict[bytes, tuple[str, _Reader, _Check]] = {
    b'\xff\xd8\xff': ('JPEG', _size_of_jpeg, _is_whole_jpeg),
    b'\x89PNG\r\n\x1a\n': ('PNG', _size_of_png, _is_whole_png),
    b'RIFF': ('WebP', _size_of_webp, _is_whole_webp),
    **dict.fromkeys(
        (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'), ('TIFF', _size_of_tiff, lambda _: True)
    ),
    b'BM': ('BMP', _size_of_bmp, lambda _: True),
    **dict.fromkeys((b'GIF87a', b'GIF89a'), ('GIF', _size_of_gif, lambda _: True)),
    **dict.fromkeys(
        (b'P%d' % number for number in range(1, 7)), ('PNM', _size_of_pnm, lambda _: True)
    ),
}


# What a decoder says of a file whose pixels are wrong.


# What libjpeg says of pixels that are wrong, and of bytes too many before the end.
_DAMAGE = re.compile('Corrupt JPEG|Premature end of JPEG|Inconsistent progression')
_SURPLUS = re.compile(r'(\d+) extraneous bytes before marker 0xd9')
_HARMLESS_SURPLUS = 4
_MOST_ZEROS = 64
# Lengths of the codes in the JPEG standard's own table (K.3.3.2), which nearly all cameras use.
_USUAL_TABLE = bytes((0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D))


def damage_of_jpeg(said: str, content: bytes, ends_clean: bool) -> str:
    """
    Tell whether pixels of a JPEG file are wrong.

    :param said: what libjpeg said while it decoded the file.
    :param ends_clean: whether files of the same camera have come without a byte too many.
    :returns: what is wrong; empty where nothing shows.
    """
    end = content.rfind(b'\xff\xd9')
    for line in filter(_DAMAGE.search, said.splitlines()):
        surplus = _SURPLUS.search(line)
        if surplus is None:
            return line.strip()
        # Some cameras fill up the end of each image.
        count = int(surplus[1])
        few = count <= _HARMLESS_SURPLUS and not ends_clean
        if not few and len(set(content[end - count : end])) > 1:
            return line.strip()
    # Zeros decode as well as anything, though no camera's tables give so many in a row.
    coded = content[content.rfind(b'\xff\xda') : end].rstrip(b'\0')
    if _USUAL_TABLE in content and bytes(_MOST_ZEROS) in coded:
        return f'more than {_MOST_ZEROS} zeros among the coded pixels'
    return ''


# What decoders say of a file while they decode it.


Result = TypeVar('Result')
_OF_DECODERS = re.compile(
    rb'Corrupt JPEG|Premature end|Inconsistent progression|Invalid |Unknown |Unsupported |'
    rb'Warning: |libpng |TIFF|Application transferred'
)
_LISTENING = threading.Lock()


class _Ear:
    """
    Takes the place of the C library's stderr, and is never closed: a thread may still write to it.

    :raises AttributeError: where the C library keeps stderr otherwise.
    :raises OSError: where files in memory cannot be made.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version  # elsewhere stderr may not be written to
        library.fdopen.restype = ctypes.c_void_p
        self.place = ctypes.c_void_p.in_dll(library, 'stderr')
        self.file = os.memfd_create('stderr', os.MFD_CLOEXEC)
        self.stream = library.fdopen(self.file, b'a')
        # Without a buffer, as stderr is.
        library.setvbuf(ctypes.c_void_p(self.stream), None, 2, 0)


@cache
def _ear() -> _Ear | None:
    try:
        return _Ear()
    except (AttributeError, OSError, ValueError):
        return None


def overheard(work: Callable[[], Result]) -> tuple[Result, str]:
    """
    Do some work, and tell what libjpeg, libpng and libtiff said meanwhile.

    They write to C's stderr and tell nobody else. What others write there in that time is passed
    on. Where C's stderr cannot be replaced (other systems than Linux) nothing is heard.

    :param work: what to do.
    :returns: its result, and the lines.
    """
    with _LISTENING:
        ear = _ear()
    if ear is None:
        return work(), ''
    with _LISTENING:
        stderr = ear.place.value
        ear.place.value = ear.stream
        try:
            result = work()
        finally:
            ear.place.value = stderr
            size = os.fstat(ear.file).st_size
            lines = os.pread(ear.file, size, 0).splitlines(keepends=True) if size else []
            if size:
                os.ftruncate(ear.file, 0)
            write_all(2, b''.join(line for line in lines if not _OF_DECODERS.match(line)))
    said = b''.join(line for line in lines if _OF_DECODERS.match(line))
    return result, said.decode(errors='replace')


_SILENCING = threading.Lock()
_levels: list[int] = []  # that each of those in `quiet_opencv` found: the first, the user's


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """
    Keep OpenCV from writing lines of its own, where what it says is told in better words.

    Threads may be in it at once: it speaks again when the last one leaves.
    """
    log: Any = cv2 if hasattr(cv2, 'setLogLevel') else cv2.utils.logging  # as of OpenCV 5
    with _SILENCING:
        _levels.append(log.setLogLevel(0))
    try:
        yield
    finally:
        with _SILENCING:
            level = _levels.pop()
            if not _levels:
                log.setLogLevel(level)
