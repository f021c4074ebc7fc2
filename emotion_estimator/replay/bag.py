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

"""Bags: rosbag2 (mcap, sqlite3) and ROS 1, read without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from emotion_estimator.cameras import Camera
from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.messages.incoming import rgb_of
from emotion_estimator.messages.outgoing import standard_types
from emotion_estimator.replay.recordings import Calibration, Frame, RecordingError
from emotion_estimator.stamps import NS_PER_S

SUFFIXES = ('.bag', '.db3', '.mcap')
METADATA_FILE = 'metadata.yaml'
RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CALIBRATION = 'sensor_msgs/msg/CameraInfo'
_TRIED = 10
"""A camera that is not calibrated says so in every message; so many are looked at."""


class Bag:
    """
    A bag that is open.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topic: the camera's topic; empty takes the only one that there is.
    :raises RecordingError: when the bag cannot be read or the topic is not clear.
    """

    def __init__(self, path: Path, topic: str = '') -> None:
        self.name = path.name
        self.problems: list[str] = []
        self.hints: list[str] = []
        self._path = path
        self._reader = open_bag(path)
        try:
            self._cameras = camera_connections(path, self._reader.connections, topic)
        except RecordingError:
            self.close()
            raise
        self.topic = self._cameras[0].topic
        self.image_count = sum(camera.msgcount for camera in self._cameras)

    def frames(self) -> Iterator[Frame]:
        """
        Read the camera's images.

        :raises RecordingError: where the bag is damaged.
        """
        messages = self._reader.messages(connections=self._cameras)
        decoder = ImageDecoder(self.topic, lambda said: self.hints.append(f'{self.name}: {said}'))
        while True:
            with _reading(self._path):
                connection, recorded_ns, raw = next(messages, (None, 0, b''))
                if connection is None:
                    return
                message: Any = self._reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp
                stamp_ns = int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
                decode = partial(rgb_of, message, decoder)
                frame = Frame(stamp_ns, recorded_ns, str(message.header.frame_id), decode)
            yield frame

    def calibrations(self) -> Iterator[Calibration]:
        """Read the first few messages of the camera's `camera_info`; damaged ones end it."""
        topic = Camera(self.topic.removesuffix('/compressed')).calibration
        held = [
            c for c in self._reader.connections if (c.topic, c.msgtype) == (topic, CALIBRATION)
        ]
        if not held:
            return
        with suppress(RecordingError), _reading(self._path):
            for connection, _, raw in islice(self._reader.messages(connections=held), _TRIED):
                message: Any = self._reader.deserialize(raw, connection.msgtype)
                # ROS 1 has a capital.
                k = message.k if hasattr(message, 'k') else message.K
                yield Calibration(k.tolist(), int(message.width), int(message.height))

    def close(self) -> None:
        """Close the bag."""
        with suppress(Exception):
            self._reader.close()


def open_bag(path: Path) -> AnyReader:
    """
    Open a bag of any kind.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :returns: the reader, to be closed.
    :raises RecordingError: when it cannot be opened.
    """
    if path.is_dir() and not (path / METADATA_FILE).is_file():
        raise RecordingError(
            f'{path} lacks {METADATA_FILE}, which belongs to a rosbag2 folder; give the file in '
            'it, or restore it with `ros2 bag reindex`.'
        )
    with _reading(path):
        # Older bags hold no definitions; those of the standard types have not changed since.
        reader = AnyReader([path], default_typestore=standard_types())
        reader.open()
    return reader


def camera_connections(
    path: Path, connections: Iterable[Connection], topic: str
) -> list[Connection]:
    """
    Choose the camera's topic; where raw and compressed images of one camera are, the raw ones.

    :param path: the bag, for the error message.
    :param connections: all that the bag holds.
    :param topic: the topic that the user names, or empty.
    :returns: the connections of one topic, all of one type.
    :raises RecordingError: naming the topics that there are.
    """
    held = list(connections)
    images = [c for c in held if c.msgtype in (RAW, COMPRESSED) and c.msgcount]
    if topic:
        chosen = [c for c in images if c.topic == topic]
        if not chosen:
            raise RecordingError(f'{path} has no images on {topic}; {_listed(held, images)}')
    else:
        raw = {c.topic for c in images if c.msgtype == RAW}
        chosen = [
            c
            for c in images
            if c.topic.removesuffix('/compressed') not in raw - {c.topic}
            and not c.topic.endswith('/compressedDepth')
        ]
        if not chosen:
            raise RecordingError(f'{path} has no images; {_listed(held, images)}')
        if len({c.topic for c in chosen}) > 1:
            raise RecordingError(
                f'{path} has several image topics: name one with --topic; {_listed(held, images)}'
            )
    return [c for c in chosen if c.msgtype == chosen[0].msgtype]


def _listed(held: list[Connection], images: list[Connection]) -> str:
    shown = images or held
    kinds = [f'{c.topic} ({c.msgtype}, {c.msgcount})' for c in shown]
    what = 'image topics' if images else 'topics'
    return f'{what} there: {", ".join(sorted(kinds)) or "none"}.'


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    # Of a damaged bag rosbags, struct, sqlite, lz4 and zstd each complain in their own way.
    except Exception as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f'{path} cannot be read as a bag ({reason}): it is truncated, damaged or of another '
            'kind; restore it, or repair it with `ros2 bag reindex` or `mcap recover`.'
        ) from error
