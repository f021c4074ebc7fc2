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

"""The images of one camera in a bag: which topic they are on, and when they were taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosbags.interfaces import Connection
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from emotion_estimator.cameras import Camera
from emotion_estimator.faces.image_decoding import ImageDecoder, is_depth_topic
from emotion_estimator.faces.pose import calibration_of
from emotion_estimator.messages import rgb_of, standard_types
from emotion_estimator.replay.bag_reader import BagReader
from emotion_estimator.replay.recordings import Calibration, Frame, RecordingError
from emotion_estimator.stamps import NS_PER_S

if TYPE_CHECKING:
    from emotion_estimator.replay.video_messages import VideoDecoder

RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CALIBRATION = 'sensor_msgs/msg/CameraInfo'
PACKET = 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'
VIDEO = 'foxglove_msgs/msg/CompressedVideo'
# Definitions of both; bags before Iron hold none.
_DEFINITIONS = {
    PACKET: 'std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n'
    'uint8 flags\nbool is_bigendian\nuint8[] data\n',
    VIDEO: 'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n',
}
# Parts of the names that encoders, drivers and FFmpeg give a codec -> its name in FFmpeg.
_CODECS = {
    **{'264': 'h264', 'avc': 'h264', '265': 'hevc', 'hevc': 'hevc', 'av1': 'av1'},
    **{'vp8': 'vp8', 'vp9': 'vp9', 'mpeg4': 'mpeg4'},
}
_STILLS = ('jpeg', 'jpg', 'png')
_START_CODES = (b'\0\0\0\1', b'\0\0\1')
_KINDS = (RAW, COMPRESSED, PACKET, VIDEO)
"""Types of images; of one camera the first is taken."""
_TRIED = 10
"""A camera that is not calibrated, or fills in no stamps, does so in every message."""
_TRANSPORT = re.compile(r'/(compressed|compressedDepth|zstd|ffmpeg|foxglove|theora)$')
_UNREADABLE = re.compile(r'/(compressedDepth|zstd|theora)$')
# The packages' own pictures, which stand beside a camera's where a running robot is recorded.
_OWN = re.compile(r'(^|/)annotated_image(/|$)|(^|/)humans/(faces|bodies|persons)/')
_DEPTH_ENCODINGS = ('16UC1', '16SC1', '32FC1', 'mono16')
_GREY_ENCODINGS = ('mono8', '8UC1', *_DEPTH_ENCODINGS)
# What image_proc makes of one camera's images beside each other: the first is taken.
_SAME_CAMERA = (
    *('image_raw', 'image', 'image_color', 'image_rect_color', 'image_rect', 'image_mono'),
    'image_rect_raw',
)


class Bag:
    """
    A bag that is open.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topic: the camera's topic; empty takes the only one that there is.
    :raises RecordingError: when the bag cannot be read or the topic is not clear.
    """

    def __init__(self, path: Path, topic: str = '') -> None:
        self.name = path.name
        self._path = path
        self._reader = BagReader(path, video_types)
        self.problems, self.hints = self._reader.problems, self._reader.hints
        try:
            self._camera = self._camera_connection(topic)
            self.topic = self._camera.topic
            first = self._first(self._camera)
            self._decoder = self._video_decoder(first)
        except RecordingError as error:
            self.close()
            raise RecordingError(' '.join((str(error), *self.problems))) from error
        self.image_count = self._camera.msgcount

    def frames(self) -> Iterator[Frame]:
        """
        Read the camera's images.

        Where no image has a stamp of its own, the times count at which they were received.
        """
        messages = self._messages()
        first = list(islice(messages, _TRIED))
        by_receipt = self._go_by_receipt(first)
        decoder = ImageDecoder(self.topic, lambda said: self.hints.append(f'{self.name}: {said}'))
        for recorded_ns, message in chain(first, messages):
            stamp_ns = recorded_ns if by_receipt else _stamp_ns(message)
            frame_id = str(_header(message).frame_id)
            at = (stamp_ns, recorded_ns or stamp_ns, frame_id)
            if self._decoder is None:
                yield Frame(*at, partial(rgb_of, message, decoder))
            else:
                yield from self._decoder.frames(bytes(message.data), at)
        if decoder.suspicion:
            decoder.remark(decoder.suspicion)
        if self._decoder is not None:
            yield from self._decoder.rest()
            self.hints += self._decoder.hints()

    def calibrations(self) -> Iterator[Calibration]:
        """Read the first few messages of the camera's `camera_info`; damaged ones end it."""
        topic = Camera(_TRANSPORT.sub('', self.topic)).calibration
        held = [
            c
            for c in self._reader.connections
            if (with_slash(c.topic), c.msgtype) == (with_slash(topic), CALIBRATION)
        ]
        for connection, _, raw in islice(self._reader.messages(held), _TRIED) if held else ():
            try:
                message: Any = self._reader.deserialize(raw, connection.msgtype)
                calibration = Calibration(*calibration_of(message, self.topic))
            except Exception:
                return
            yield calibration

    def close(self) -> None:
        """Close the bag."""
        self._reader.close()

    def _video_decoder(self, first: Any) -> VideoDecoder | None:
        """Make what decodes the topic, by its first message; None where images stand alone."""
        codec = '' if first is None else codec_of(self._camera.msgtype, first)
        if not codec:
            return None
        from emotion_estimator.replay.video_messages import VideoDecoder

        return VideoDecoder(self._path, f'{self.topic} ({self._camera.msgtype})', codec)

    def _messages(self) -> Iterator[tuple[int, Any]]:
        damaged = 0
        for connection, recorded_ns, raw in self._reader.messages([self._camera]):
            try:
                message: Any = self._reader.deserialize(raw, connection.msgtype)
                _stamp_ns(message), _header(message).frame_id, _PARTS[connection.msgtype](message)
            # Of damaged bytes, or a damaged definition, each library complains in its own way.
            except Exception:
                damaged += 1
                continue
            yield recorded_ns, message
        if damaged:
            self.problems.append(
                f'{self._path}: {damaged} messages on {self.topic} are damaged, and left out.'
            )

    def _go_by_receipt(self, first: list[tuple[int, Any]]) -> bool:
        """Tell whether the stamps are none, but the times of receipt are."""
        stamps = {_stamp_ns(message) for _, message in first}
        received = {recorded_ns for recorded_ns, _ in first}
        if len(stamps) != 1 or max(received) <= 0 or len(received) < len(first):
            return False
        if len(first) == 1 and 0 not in stamps:
            return False
        if len(first) == _TRIED and not self._all_carry(*stamps):
            return False
        what = 'no stamps (header.stamp is 0)' if 0 in stamps else 'the same stamp all of them'
        self.hints.append(
            f'{self._path}: the images on {self.topic} carry {what}; the times at which they were '
            'recorded are used. Let the driver fill in header.stamp: the nodes need it.'
        )
        return True

    def _all_carry(self, stamp_ns: int) -> bool:
        """Look through the whole topic, as far as it can be read."""
        for connection, _, raw in self._reader.messages([self._camera]):
            with suppress(Exception):  # damaged ones are counted where they are used
                message = self._reader.deserialize(raw, connection.msgtype)
                if _stamp_ns(message) != stamp_ns:
                    return False
        return True

    def _first(self, connection: Connection) -> Any:
        """Read the first message on a connection; None where it is damaged."""
        for one, _, raw in self._reader.messages([connection]):
            try:
                message = self._reader.deserialize(raw, one.msgtype)
                _PARTS[one.msgtype](message)
            except Exception:
                return None
            return message
        return None

    def _camera_connection(self, topic: str) -> Connection:
        """
        Choose the camera's topic; of several transports of one camera the one without loss.

        :raises RecordingError: naming the topics that there are.
        """
        held = self._reader.connections
        images = [c for c in held if c.msgtype in _KINDS and c.msgcount]
        if topic:
            exact = [c for c in images if with_slash(c.topic) == with_slash(topic)]
            chosen = exact or [c for c in images if with_slash(_base(c)) == with_slash(topic)]
            if not chosen:
                raise RecordingError(
                    f'{self._path} has no images on {topic}; {_listed(held, images)}'
                )
            return min(chosen, key=_preference)
        cameras = [c for c in images if not _OWN.search(c.topic) and not is_depth_topic(c.topic)]
        cameras = [c for c in cameras if not c.topic.endswith('/compressedDepth')]
        bases = sorted({_base(c) for c in cameras})
        best = [min((c for c in cameras if _base(c) == base), key=_preference) for base in bases]
        best = self._clear(best)
        if not best:
            none = "no camera's images, unless --topic names one" if images else 'no images'
            raise RecordingError(f'{self._path} has {none}; {_listed(held, images)}')
        if len(best) > 1:
            raise RecordingError(
                f'{self._path} has several image topics: name one with --topic; '
                f'{_listed(held, images)}'
            )
        if _UNREADABLE.search(best[0].topic):
            transport = best[0].topic.rpartition('/')[2]
            raise RecordingError(
                f'{self._path} has images on {best[0].topic} alone, which {transport} packed in a '
                'way that is not read; play it, and record what `ros2 run image_transport '
                f'republish {transport} raw` makes of it.'
            )
        return best[0]

    def _clear(self, cameras: list[Connection]) -> list[Connection]:
        """Take those of several cameras that can be meant: not depth, colour before grey."""
        if len(cameras) > 1:
            seen = {c.id: str(getattr(self._first(c), 'encoding', '')) for c in cameras}
            cameras = [c for c in cameras if seen[c.id] not in _DEPTH_ENCODINGS] or cameras
            colour = [c for c in cameras if seen[c.id] not in _GREY_ENCODINGS]
            if len(colour) == 1 and len(cameras) > 1:
                self.hints.append(
                    f'{self._path}: {colour[0].topic} is taken, the only camera in colour; '
                    '--topic names another.'
                )
                cameras = colour
        folders = {_base(c).rpartition('/')[0] for c in cameras}
        names = [_base(c).rpartition('/')[2] for c in cameras]
        if len(folders) == 1 and len(cameras) > 1 and set(names) <= set(_SAME_CAMERA):
            return [cameras[min(range(len(names)), key=lambda i: _SAME_CAMERA.index(names[i]))]]
        return cameras


# Messages that hold video.


def video_types() -> Typestore:
    """Give the standard types with those of video beside them."""
    store = standard_types()
    for name, definition in _DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store


def codec_of(kind: str, message: Any) -> str:
    """
    Tell which codec an image message needs.

    :returns: FFmpeg's name of the codec; empty for a picture that stands for itself.
    """
    stated = str(getattr(message, 'encoding' if kind == PACKET else 'format', '')).lower()
    for part, codec in _CODECS.items():
        if part in stated:
            return codec
    if kind in (PACKET, VIDEO):
        return stated.partition(';')[0] or 'h264'
    if hasattr(message, 'format') and not any(name in stated for name in _STILLS):
        return 'h264' if bytes(message.data[:4]).startswith(_START_CODES) else ''
    return ''


# Topics and messages.


# What is read of a message: the definition in the bag may lack it.
_PARTS: dict[str, Callable[[Any], Any]] = {
    RAW: attrgetter('encoding', 'height', 'width', 'step', 'data', 'is_bigendian'),
    COMPRESSED: attrgetter('format', 'data'),
    PACKET: attrgetter('encoding', 'data'),
    VIDEO: attrgetter('format', 'data'),
}


def with_slash(topic: str) -> str:
    """Name a topic with its slash, which ROS 1 and users leave out."""
    return '/' + topic.strip('/')


def _base(connection: Connection) -> str:
    return _TRANSPORT.sub('', connection.topic)


def _preference(connection: Connection) -> tuple[bool, int]:
    return bool(_UNREADABLE.search(connection.topic)), _KINDS.index(connection.msgtype)


def _listed(held: list[Connection], images: list[Connection]) -> str:
    shown = images or held
    kinds = [f'{c.topic} ({c.msgtype}, {c.msgcount})' for c in shown]
    what = 'image topics' if images else 'topics'
    return f'{what} there: {", ".join(sorted(kinds)) or "none"}.'


def _header(message: Any) -> Any:
    """Give what holds the frame's name: foxglove's video has no header of its own."""
    return getattr(message, 'header', message)


def _stamp_ns(message: Any) -> int:
    header = _header(message)
    stamp = header.timestamp if hasattr(header, 'timestamp') else header.stamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
