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

"""Image bytes as cameras send them, checked, to RGB arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""Pixels of shape [height, width, 3], red first, contiguous."""
Buffer = Union[bytes, bytearray, memoryview, NDArray[np.uint8]]


class ImageError(ValueError):
    """An image that cannot be decoded; the message says which field is wrong and what to do."""


class EncodingError(ImageError):
    """An image whose encoding this decoder does not know."""


@dataclass(frozen=True)
class _Layout:
    """
    How an encoding lies in memory, and how OpenCV turns it into RGB.

    :param bytes_per_pixel: in the (first) plane.
    :param conversion: OpenCV's colour conversion code, or None when it is RGB already.
    :param even: whether width (packed 4:2:2), or width and height (4:2:0, Bayer), must be even.
    :param planar: whether a half-height plane of chroma follows the plane of luma.
    """

    bytes_per_pixel: int
    conversion: int | None
    even: str = ''
    planar: bool = False


# Names: sensor_msgs/image_encodings.hpp, with nv12 as OpenCV, GStreamer and V4L2 name it. The
# Bayer names of ROS and OpenCV's newer ones give the pattern's first two rows; 8UC1, 8UC3 and
# 8UC4 carry no colour order, OpenCV's own (grey, BGR, BGRA) is meant, as in cv_bridge.
_LAYOUTS: dict[str, _Layout] = {
    'rgb8': _Layout(3, None),
    'bgr8': _Layout(3, cv2.COLOR_BGR2RGB),
    '8UC3': _Layout(3, cv2.COLOR_BGR2RGB),
    'rgba8': _Layout(4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout(4, cv2.COLOR_BGRA2RGB),
    '8UC4': _Layout(4, cv2.COLOR_BGRA2RGB),
    'mono8': _Layout(1, cv2.COLOR_GRAY2RGB),
    '8UC1': _Layout(1, cv2.COLOR_GRAY2RGB),
    'uyvy': _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even='width'),
    'yuv422': _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even='width'),
    'yuyv': _Layout(2, cv2.COLOR_YUV2RGB_YUY2, even='width'),
    'yuv422_yuy2': _Layout(2, cv2.COLOR_YUV2RGB_YUY2, even='width'),
    'nv12': _Layout(1, cv2.COLOR_YUV2RGB_NV12, even='width and height', planar=True),
    'nv21': _Layout(1, cv2.COLOR_YUV2RGB_NV21, even='width and height', planar=True),
    'bayer_rggb8': _Layout(1, cv2.COLOR_BayerRGGB2RGB, even='width and height'),
    'bayer_bggr8': _Layout(1, cv2.COLOR_BayerBGGR2RGB, even='width and height'),
    'bayer_gbrg8': _Layout(1, cv2.COLOR_BayerGBRG2RGB, even='width and height'),
    'bayer_grbg8': _Layout(1, cv2.COLOR_BayerGRBG2RGB, even='width and height'),
}

ENCODINGS: tuple[str, ...] = tuple(_LAYOUTS)
"""Encodings that `decode_image` knows."""


def decode_image(encoding: str, height: int, width: int, step: int, data: Buffer) -> Rgb:
    """
    Turn the fields of a raw image message into RGB.

    All known encodings have 8 bits a channel, so byte order does not matter. An rgb8 image
    without padding is not copied: the result then aliases `data`.

    :param encoding: name of the encoding, see `ENCODINGS`; case matters, as it does in ROS.
    :param height: rows.
    :param width: columns.
    :param step: bytes from one row to the next, at least width times bytes per pixel.
    :param data: the pixels; bytes after the last row are ignored.
    :returns: the pixels in RGB.
    :raises EncodingError: when the encoding is not known.
    :raises ImageError: when size, step and data do not fit together.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise EncodingError(_unknown_encoding(encoding))
    if height <= 0 or width <= 0:
        raise ImageError(
            f'The image is {width} x {height} pixels: it is empty; check the camera driver.'
        )
    if layout.even and (width % 2 or ('height' in layout.even and height % 2)):
        raise ImageError(f'{encoding} needs an even {layout.even}, not {width} x {height}.')
    row_bytes = width * layout.bytes_per_pixel
    if step < row_bytes:
        raise ImageError(
            f'step is {step} bytes, but a row of {width} pixels in {encoding} takes at least '
            f'{row_bytes}; the camera driver fills in a wrong step, width or encoding.'
        )
    rows = height * 3 // 2 if layout.planar else height
    flat = np.frombuffer(data, np.uint8)
    # The last row may lack its padding.
    needed = step * (rows - 1) + row_bytes
    if flat.size < needed:
        raise ImageError(
            f'data holds {flat.size} bytes, but {width} x {height} pixels in {encoding} with '
            f'step {step} take {needed}; the image is cut short.'
        )
    pixels = _shaped(flat, rows, row_bytes, step, layout.bytes_per_pixel)
    if layout.conversion is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.cvtColor(pixels, layout.conversion), np.uint8)


def decode_compressed(data: Buffer, stated_format: str = '') -> Rgb:
    """
    Turn the bytes of a compressed image message into RGB.

    The bytes tell whether it is JPEG or PNG; a file without its end marker is refused, since
    decoders fill what is missing with grey.

    :param data: a JPEG or PNG file.
    :param stated_format: the message's `format`, for the error message only.
    :returns: the pixels in RGB; a grey file has three equal channels.
    :raises ImageError: when it is empty, truncated, damaged or of another format.
    """
    flat = np.frombuffer(data, np.uint8)
    if not flat.size:
        raise ImageError('The compressed image is empty; check the camera driver.')
    head, tail = flat[:8].tobytes(), flat[-4096:].tobytes()
    if head.startswith(b'\xff\xd8\xff'):
        # Drivers may pad behind the end marker, and it cannot occur inside the coded pixels.
        kind, complete = 'JPEG', b'\xff\xd9' in tail
    elif head == b'\x89PNG\r\n\x1a\n':
        kind, complete = 'PNG', b'IEND' in tail
    else:
        raise ImageError(
            f'The compressed image (format {stated_format!r}, {flat.size} bytes) is neither JPEG '
            'nor PNG; have it republished as one of them, or use image_transport: raw.'
        )
    if not complete:
        raise ImageError(f'The {kind} image is truncated after {flat.size} bytes.')
    try:
        bgr = cv2.imdecode(flat, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f'The {kind} image is damaged: {error.err}') from error
    if bgr is None:
        raise ImageError(f'The {kind} image of {flat.size} bytes is damaged.')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, bgr), np.uint8)


def _shaped(
    flat: NDArray[np.uint8], rows: int, row_bytes: int, step: int, bytes_per_pixel: int
) -> NDArray[np.uint8]:
    width = row_bytes // bytes_per_pixel
    shape = (rows, width) if bytes_per_pixel == 1 else (rows, width, bytes_per_pixel)
    strides = (step, bytes_per_pixel, 1)[: len(shape)]
    # OpenCV reads padded rows in place; the shape's last byte was checked against the size.
    return np.lib.stride_tricks.as_strided(flat, shape, strides, writeable=False)


def _unknown_encoding(encoding: str) -> str:
    lower = {name.lower(): name for name in _LAYOUTS}
    meant = lower.get(encoding.strip().lower())
    if meant:
        return f'The encoding {encoding!r} is not known; {meant!r} is (case matters in ROS).'
    return f'The encoding {encoding!r} is not known; known are {", ".join(_LAYOUTS)}.'
