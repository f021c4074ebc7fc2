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

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.geometry import MAX_PIXELS, check_size
from emotion_estimator.faces.geometry import ImageError as ImageError
from emotion_estimator.faces.image_headers import (
    damage_of_jpeg,
    first_jpeg,
    overheard,
    read_header,
    rotation_of_exif,
)
from emotion_estimator.faces.image_headers import quiet_opencv as quiet_opencv

Rgb = NDArray[np.uint8]
"""Pixels of shape [height, width, 3], red first, contiguous."""
Buffer = Union[bytes, bytearray, memoryview, NDArray[np.uint8]]


class EncodingError(ImageError):
    """An image whose encoding this decoder does not know."""


@dataclass(frozen=True)
class _Layout:
    """
    How an encoding lies in memory, and how OpenCV turns it into RGB.

    :param channels: values a pixel, in the (first) plane.
    :param conversion: OpenCV's colour conversion code, or None when it is RGB already.
    :param even: whether width (packed 4:2:2), or width and height (4:2:0, Bayer), must be even.
    :param planar: whether a half-height plane of chroma follows the plane of luma.
    :param deep: whether a value takes 16 bits instead of 8.
    """

    channels: int
    conversion: int | None
    even: str = ''
    planar: bool = False
    deep: bool = False


# Names: sensor_msgs/image_encodings.hpp, with nv12 as OpenCV, GStreamer and V4L2 name it. ROS's
# Bayer names give the pattern's first rows, OpenCV's, all that 4.5.4 has, a later part; 8UC1, 8UC3
# and 8UC4 carry no colour order, OpenCV's own (grey, BGR, BGRA) is meant, as in cv_bridge.
_OF_8_BITS: dict[str, _Layout] = {
    'rgb8': _Layout(3, None),
    'bgr8': _Layout(3, cv2.COLOR_BGR2RGB),
    '8UC3': _Layout(3, cv2.COLOR_BGR2RGB),
    'rgba8': _Layout(4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout(4, cv2.COLOR_BGRA2RGB),
    '8UC4': _Layout(4, cv2.COLOR_BGRA2RGB),
    'mono8': _Layout(1, cv2.COLOR_GRAY2RGB),
    '8UC1': _Layout(1, cv2.COLOR_GRAY2RGB),
    'bayer_rggb8': _Layout(1, cv2.COLOR_BayerBG2RGB, even='width and height'),
    'bayer_bggr8': _Layout(1, cv2.COLOR_BayerRG2RGB, even='width and height'),
    'bayer_gbrg8': _Layout(1, cv2.COLOR_BayerGR2RGB, even='width and height'),
    'bayer_grbg8': _Layout(1, cv2.COLOR_BayerGB2RGB, even='width and height'),
}
_LAYOUTS: dict[str, _Layout] = {
    **_OF_8_BITS,
    **{
        name.replace('8UC', '16UC') if 'UC' in name else f'{name[:-1]}16': replace(
            layout, deep=True
        )
        for name, layout in _OF_8_BITS.items()
    },
    'uyvy': _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even='width'),
    'yuv422': _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even='width'),
    'yuyv': _Layout(2, cv2.COLOR_YUV2RGB_YUY2, even='width'),
    'yuv422_yuy2': _Layout(2, cv2.COLOR_YUV2RGB_YUY2, even='width'),
    'nv12': _Layout(1, cv2.COLOR_YUV2RGB_NV12, even='width and height', planar=True),
    'nv21': _Layout(1, cv2.COLOR_YUV2RGB_NV21, even='width and height', planar=True),
}
_MOSAICS = {name: one.conversion or 0 for name, one in _LAYOUTS.items() if 'bayer' in name}

ENCODINGS: tuple[str, ...] = tuple(_LAYOUTS)
"""Encodings that `ImageDecoder` knows."""
_BITS = (8, 10, 12, 14, 16)
_DISTANCES = re.compile(r'(32F|64F|16S|32S)C1\Z')  # REP-118: depth images are 32FC1 or 16UC1
_DEPTH_TOPIC = re.compile(r'depth(?!.*(?:[/_](?:ir|infra)|/(?:rgb|colou?r)))', re.IGNORECASE)
_NO_PICTURE = (
    "{} carries distances (a depth image), no picture; choose the camera's colour or infrared "
    'topic.'
)
_ALIGNMENTS = (1, 4, 8, 16, 32, 64, 128, 256)  # of rows, in bytes, as drivers pad them
_OTHER_ORDER = {'uyvy': 'yuyv', 'yuv422': 'yuyv', 'yuyv': 'uyvy', 'yuv422_yuy2': 'uyvy'}
_WATCH_EVERY, _NEAR_GREY, _LEAST_CONTRAST, _SWAPPED_SHARE = 30, 24, 10, 0.8
_MOST_REMARKS = 20
_MOST_BYTES = 512_000_000  # of a picture file: `MAX_PIXELS` of 16 bits and three channels


def is_depth_topic(topic: str) -> bool:
    """
    Tell whether a topic is named after distances, not after another picture of a depth camera.

    :param topic: of images.
    """
    return _DEPTH_TOPIC.search(topic) is not None


class ImageDecoder:
    """
    Turns the images of one stream into RGB.

    Values of 16 bits are brought to 8 by their range. Encodings and files say "16 bits" whatever
    the sensor has, so the range is that of the fewest of 8, 10, 12, 14 and 16 bits that hold the
    greatest value (of grey or colour, not of alpha) in all images of the stream so far. It only
    grows, so that brightness does not flicker: a value v becomes v >> (bits - 8).

    :param topic: of the images; 16UC1 on one that is named after depth carries distances.
    :param tell: called once with each sentence on what is not as it should be, though the
        images can be used.
    """

    def __init__(
        self, topic: str = '', tell: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self.suspicion = ''
        """Sentence: luma and chroma look swapped in most images; empty when they do not."""
        self._topic = topic
        self._is_depth = is_depth_topic(topic)
        self._tell = tell
        self._said: set[str] = set()
        self._bits = _BITS[0]
        self._watched = self._contrasty = self._swapped = 0
        self._ends_clean = False  # whether a JPEG came with no byte too many before its end

    def decode(self, message: Any) -> Rgb:
        """
        Decode an image message, of rclpy or of a bag.

        :param message: sensor_msgs/Image or CompressedImage.
        :returns: the pixels in RGB; may alias the message.
        :raises ImageError: when it cannot be decoded.
        """
        if hasattr(message, 'format'):
            return self.decode_file(message.data, message.format, cv2.IMREAD_IGNORE_ORIENTATION)
        layout = message.encoding, message.height, message.width, message.step
        return self.decode_raw(*layout, message.data, bool(message.is_bigendian))

    def decode_raw(
        self,
        encoding: str,
        height: int,
        width: int,
        step: int,
        data: Buffer,
        is_bigendian: bool = False,
    ) -> Rgb:
        """
        Turn the fields of a raw image message into RGB.

        An rgb8 image without padding is not copied: the result then aliases `data`. A step that
        cannot be right is replaced where the size of `data` shows the right one.

        :param encoding: name of the encoding, see `ENCODINGS`; case matters, as it does in ROS.
        :param height: rows.
        :param width: columns.
        :param step: bytes from one row to the next, at least width times bytes per pixel.
        :param data: the pixels; bytes after the last row are ignored.
        :param is_bigendian: whether values of 16 bits have their high byte first.
        :returns: the pixels in RGB.
        :raises EncodingError: when the encoding is not known.
        :raises ImageError: when size, step and data do not fit together, or they are distances.
        """
        self._refuse_distances(encoding)
        layout = _LAYOUTS.get(encoding)
        if layout is None:
            raise EncodingError(_unknown_encoding(encoding))
        check_size(width, height)
        if layout.even and (width % 2 or ('height' in layout.even and height % 2)):
            raise ImageError(f'{encoding} needs an even {layout.even}, not {width} x {height}.')
        value: np.dtype[Any] = np.dtype('u1')
        if layout.deep:
            value = np.dtype('>u2' if is_bigendian else '<u2')
        rows = height * 3 // 2 if layout.planar else height
        row_bytes = width * layout.channels * value.itemsize
        flat = np.frombuffer(data, np.uint8)
        step = self._right_step(encoding, width, rows, row_bytes, step, flat.size)
        # OpenCV reads padded rows in place; the last row may lack its padding.
        shape = (rows, width) if layout.channels == 1 else (rows, width, layout.channels)
        strides = (step, layout.channels * value.itemsize, value.itemsize)[: len(shape)]
        pixels: NDArray[Any] = np.ndarray(shape, value, flat, 0, strides)
        pixels.flags.writeable = False
        if layout.deep:
            pixels = self._of_8_bits(pixels)
        if encoding in _OTHER_ORDER:
            self._watch_order(encoding, pixels)
        if layout.conversion is None:
            return np.ascontiguousarray(pixels)
        return np.asarray(cv2.cvtColor(pixels, layout.conversion), np.uint8)

    def decode_file(self, content: Buffer, stated_format: str = '', flags: int = 0) -> Rgb:
        """
        Turn a picture file, or the bytes of a compressed image message, into RGB.

        The bytes tell the format, see `read_header`. A file without its end, or of which the
        decoder says that it is damaged, is refused: what is missing would be filled with grey.

        :param stated_format: the message's `format`.
        :param flags: OpenCV's; IMREAD_IGNORE_ORIENTATION for messages: camera_info means pixels.
        :returns: the pixels in RGB; a grey file has three equal channels.
        :raises ImageError: when it is empty, damaged, too large, of another format, or distances.
        """
        self._refuse_distances(*stated_format.split(';')[:-1], file_format=stated_format)
        data = bytes(content)
        if not data:
            raise ImageError('The compressed image is empty; check the camera driver.')
        kind = read_header(data, stated_format).kind
        data = first_jpeg(data) if kind == 'JPEG' else data
        if flags & cv2.IMREAD_IGNORE_ORIENTATION and (degrees := rotation_of_exif(data)):
            self.remark(
                f'The images say that they must be turned by {degrees} degrees (EXIF). They are '
                f'used as they lie, as camera_info means them; set rotate to {degrees}.'
            )
        flags |= cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        try:
            with quiet_opencv():
                raw = np.frombuffer(data, np.uint8)
                bgr, said = overheard(partial(cv2.imdecode, raw, flags))
        except cv2.error as error:
            raise ImageError(f'The {kind} image is damaged: {error.err}') from error
        reason = damage_of_jpeg(said, data, self._ends_clean) if kind == 'JPEG' else ''
        self._ends_clean |= kind == 'JPEG' and not said
        if bgr is None and not cv2.haveImageWriter(f'.{kind.lower()}'):  # as 4.6 has no GIF
            raise ImageError(f'OpenCV {cv2.__version__} reads no {kind}; send JPEG or PNG.')
        if bgr is None or reason:
            reason = f' ({reason or said.strip()})' if reason or said.strip() else ''
            raise ImageError(f'The {kind} image of {len(data)} bytes is damaged{reason}.')
        check_size(bgr.shape[1], bgr.shape[0])
        if bgr.dtype == np.uint16:
            bgr = self._of_8_bits(bgr)
        if bgr.dtype != np.uint8:
            raise ImageError(f'The {kind} image holds {bgr.dtype}: distances or heat, no picture.')
        stated = stated_format.partition(';')[0]
        if stated in _MOSAICS and (bgr[..., 0] == bgr[..., 2]).all():
            # image_transport compresses a sensor's mosaic as it lies.
            mosaic = cv2.extractChannel(bgr, 0)
            return np.asarray(cv2.cvtColor(mosaic, _MOSAICS[stated]), np.uint8)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, bgr), np.uint8)

    def read(self, path: Path) -> Rgb:
        """
        Read a picture file.

        :returns: see `decode_file`.
        :raises ImageError: when it cannot be read or decoded; the message names it.
        """
        try:
            if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                raise ImageError(f'it is no file of at most {_MOST_BYTES // 10**6} MB.')
            return self.decode_file(path.read_bytes())
        except OSError as error:
            raise ImageError(f'{path.name} cannot be read: {error.strerror}.') from error
        except ImageError as error:
            raise ImageError(f'{path.name}: {error}') from error

    def _refuse_distances(self, *encodings: str, file_format: str = '') -> None:
        for encoding in encodings:
            if _DISTANCES.match(encoding) or (encoding == '16UC1' and self._is_depth):
                where = f' on {self._topic}' if self._topic else ''
                raise ImageError(_NO_PICTURE.format(encoding + where))
        if 'compressedDepth' in file_format:
            raise ImageError(_NO_PICTURE.format(f'The format {file_format!r}'))

    def _right_step(
        self, encoding: str, width: int, rows: int, row_bytes: int, step: int, size: int
    ) -> int:
        if step >= row_bytes and size >= step * (rows - 1) + row_bytes:
            return step
        # A step that is possible may stand in an image that is cut short, so only a whole image
        # without padding speaks against it.
        alignments = _ALIGNMENTS if step < row_bytes else (1,)
        steps = (-(-row_bytes // alignment) * alignment for alignment in alignments)
        right = next((one for one in steps if one * rows == size), None)
        if right is not None:
            self.remark(
                f'step is {step} bytes, but a row of {width} pixels in {encoding} takes '
                f'{row_bytes}; data is whole with {right}, which is taken: the camera driver '
                'fills in a wrong step.'
            )
            return right
        if step < row_bytes:
            raise ImageError(
                f'step is {step} bytes, but a row of {width} pixels in {encoding} takes at least '
                f'{row_bytes}; the camera driver fills in a wrong step, width or encoding.'
            )
        raise ImageError(
            f'data holds {size} bytes, but {width} x {rows} pixels in {encoding} with step '
            f'{step} take {step * (rows - 1) + row_bytes}; the image is cut short.'
        )

    def _of_8_bits(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        greatest = int((pixels[..., :3] if pixels.ndim == 3 else pixels).max())
        self._bits = max(self._bits, next(bits for bits in _BITS if greatest < 1 << bits))
        return (pixels >> (self._bits - 8)).astype(np.uint8)

    def _watch_order(self, encoding: str, pixels: NDArray[np.uint8]) -> None:
        self._watched += 1
        if self._watched % _WATCH_EVERY != 1:
            return
        # U and V take turns, and each has its own mean.
        halves = pixels[::4, : pixels.shape[1] // 2 * 2].astype(np.float32)
        halves = halves.reshape(len(halves), -1, 2, 2)
        deviations = halves.std(axis=(0, 1)).mean(axis=0).tolist()
        means = halves.mean(axis=(0, 1, 2)).tolist()
        luma = 0 if encoding in ('yuyv', 'yuv422_yuy2') else 1
        if max(deviations) < _LEAST_CONTRAST:
            return
        self._contrasty += 1
        smooth = deviations[luma] < deviations[1 - luma] / 2
        self._swapped += smooth and abs(means[luma] - 128) < _NEAR_GREY
        self.suspicion = ''
        if self._swapped > _SWAPPED_SHARE * self._contrasty:
            self.suspicion = (
                f'The images are labelled {encoding}, but look like {_OTHER_ORDER[encoding]}: '
                'brightness seems to stand where colour is expected. Correct the pixel format or '
                'the encoding in the camera driver.'
            )

    def remark(self, sentence: str) -> None:
        """
        Tell something of the stream, once.

        :param sentence: what is not as it should be.
        """
        if sentence not in self._said and len(self._said) < _MOST_REMARKS:
            self._said.add(sentence)
            self._tell(sentence)


def open_video(path: Path | int) -> cv2.VideoCapture:
    """
    Open a video, or a webcam, so that no frame is decoded that is larger than an image may be.

    :param path: the file, or the webcam's number.
    :returns: the capture; not open where it cannot be opened.
    """
    if isinstance(path, int):
        return cv2.VideoCapture(path)
    # The one way to say it; OpenCV reads it each time. A user's own choice stays.
    os.environ.setdefault('OPENCV_FFMPEG_CAPTURE_OPTIONS', f'max_pixels;{MAX_PIXELS}')
    # Others know no limit; one reads pictures whose names hold numbers.
    ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends()
    backend = cv2.CAP_FFMPEG if ffmpeg else cv2.CAP_ANY
    # Of a relative name FFmpeg takes what stands before a colon for a protocol.
    name = str(path.absolute())
    if os.fsencode(name) == name.encode(errors='replace'):
        return cv2.VideoCapture(name, backend)
    # OpenCV ends the process where a name is no UTF-8; a descriptor has another name.
    with suppress(OSError), path.open('rb') as file:
        return cv2.VideoCapture(f'/proc/self/fd/{file.fileno()}', backend)
    return cv2.VideoCapture()


def rgb_of_bgr(bgr: NDArray[np.uint8]) -> Rgb:
    """
    Take a frame as OpenCV gives it.

    :returns: its pixels in RGB.
    :raises ImageError: when it is too large.
    """
    check_size(bgr.shape[1], bgr.shape[0])
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _unknown_encoding(encoding: str) -> str:
    lower = {name.lower(): name for name in _LAYOUTS}
    if meant := lower.get(encoding.strip().lower()):
        return f'The encoding {encoding!r} is not known; {meant!r} is (case matters in ROS).'
    return f'The encoding {encoding!r} is not known; known are {", ".join(_LAYOUTS)}.'
