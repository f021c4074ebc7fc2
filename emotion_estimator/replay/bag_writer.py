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

"""Writes what a replay tells into a bag, as the nodes would publish it."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from emotion_estimator.estimator import FrameResult
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import KnownCamera
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import FACE_FRAME_PREFIX, HeadModel, frames_of
from emotion_estimator.faces.tracker import FacePresence
from emotion_estimator.files import DEFAULT_ENCODING, Unfinished, find_encoding, writing
from emotion_estimator.messages import (
    ACTION_UNITS,
    CLASSIFICATION,
    EXPRESSION,
    IDS_LIST,
    LANDMARKS,
    REGION,
    TF,
    MessageBuilder,
    TypeOf,
    bag_types,
)
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.bag_reader import METADATA_FILE, BagReader
from emotion_estimator.replay.recordings import Frame, RecordingError, assumed_camera

# The messages that both nodes publish of one image, made without ROS.


def head_model(parameters: NodeParameters) -> HeadModel:
    """
    Make what tells where heads are.

    :param parameters: of both nodes; without an encoding the default one's template is taken.
    :raises AssetError: when the encoding is not there.
    """
    named = str(parameters.blendshape_node['encoding'])
    return HeadModel(read_encoding(find_encoding(named or DEFAULT_ENCODING)).template)


@dataclass(frozen=True)
class Published:
    """
    One message on its topic.

    :param topic: absolute name.
    :param kind: message type.
    :param message: of that type, as rosbags makes it.
    """

    topic: str
    kind: str
    message: Any


class PublishedMessages:
    """
    Makes the messages of one image after the other.

    :param type_of: see `MessageBuilder`.
    :param parameters: of both nodes; `ros4hri` switches what stands below /humans and on /tf off.
    :param camera: took the images.
    :raises AssetError: when the face encoding is not there.
    """

    def __init__(self, type_of: TypeOf, parameters: NodeParameters, camera: KnownCamera) -> None:
        self._build = MessageBuilder(type_of)
        self._faces_reported = bool(parameters.blendshape_node['ros4hri'])
        self._expressions_reported = bool(parameters.emotion_node['ros4hri'])
        self._camera = camera
        self._heads = head_model(parameters)
        self._presence = FacePresence(float(parameters.blendshape_node['max_absence_s']))

    def of(self, frame: Frame, image: Rgb, result: FrameResult) -> Iterator[Published]:
        """Make the messages in the order in which the nodes publish them."""
        build = self._build
        headers = [
            build.header(frame.stamp_ns, FACE_FRAME_PREFIX + face.face_id) for face in result.faces
        ]
        for face, header in zip(result.faces, headers):
            yield Published('/blendshapes', CLASSIFICATION, build.blendshapes(face, header))
        if self._faces_reported:
            yield from self._of_faces(frame, image, result, headers)
        for estimate, header in zip(result.estimates, headers):
            yield Published('/emotion', CLASSIFICATION, build.emotion(estimate, header))
            if self._expressions_reported:
                topic = f'/humans/faces/{estimate.face_id}/expression'
                yield Published(topic, EXPRESSION, build.expression(estimate, header))

    def _of_faces(
        self, frame: Frame, image: Rgb, result: FrameResult, headers: list[Any]
    ) -> Iterator[Published]:
        build, (height, width) = self._build, image.shape[:2]
        of_image = build.header(frame.stamp_ns, frame.frame_id)
        for face, of_face in zip(result.faces, headers):
            topic = f'/humans/faces/{face.face_id}'
            units = build.action_units(face, of_face)
            yield Published(f'{topic}/facs', ACTION_UNITS, units)
            yield Published(f'{topic}/roi', REGION, build.region(face, of_image))
            points = build.landmarks(face, of_image, width, height)
            yield Published(f'{topic}/landmarks', LANDMARKS, points)
        ids = [face.face_id for face in result.faces]
        listed = self._presence.see(ids, frame.stamp_ns, result.step.restarts).listed
        tracked = build.tracked(listed, of_image)
        yield Published('/humans/faces/tracked', IDS_LIST, tracked)
        # As the nodes have it: a frame without a parent is none.
        if result.faces and frame.frame_id:
            camera = self._camera.camera(width, height)
            poses = [self._heads.pose(face.landmarks, camera) for face in result.faces]
            frames = chain.from_iterable(map(frames_of, result.faces, poses))
            yield Published('/tf', TF, build.frames(frames, of_image))


_ANY_TIME = QosTime(9223372036, 854775807)
# Of the nodes' publishers: reliable, depth 10.
_QOS = Qos(
    QosHistory.KEEP_LAST,
    10,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _ANY_TIME,
    _ANY_TIME,
    QosLiveliness.AUTOMATIC,
    _ANY_TIME,
    False,
)
_TF_DEPTH = 100
# Not /tf, which a robot's other frames stand on too.
_OWN_TOPIC = re.compile(
    r'/blendshapes|/emotion|/annotated_image(/compressed)?'
    r'|/humans/faces/(tracked|[^/]+/(expression|roi|facs|landmarks|cropped|aligned))'
)


_SIGN = ('written_by', 'emotion_estimator replay')
_FOOTER_BYTES, _MOST_METADATA_BYTES = 28, 1 << 20  # of an mcap


def is_recorded_replay(path: Path) -> bool:
    """
    Tell whether a bag is one that `BagWriter` wrote, by what its metadata say.

    :param path: an .mcap file, or a folder, which holds nothing else then.
    """
    if path.is_dir():
        names = {METADATA_FILE, f'{path.stem}.mcap'}
        if {each.name for each in path.iterdir()} != names:
            return False
        metadata = (path / METADATA_FILE).read_bytes()
    else:
        with path.open('rb') as file:
            if b'rosbags' not in file.read(64):  # it may be merged of several
                return False
            # They stand before the index, whose place the footer tells.
            file.seek(-_FOOTER_BYTES, 2)
            end = min(struct.unpack('<Q', file.read(8))[0], file.tell())
            begin = file.seek(max(end - _MOST_METADATA_BYTES, 0))
            metadata = file.read(end - begin)
    return ': '.join(_SIGN).encode() in metadata


class BagWriter:
    """
    Records a replay; a listener of `replay`.

    Messages carry the images' stamps and stand at the time at which the image was recorded.

    :param path: a file that ends in .mcap, or a folder for a rosbag2 with metadata.yaml; replaced
        when `finish` is called.
    :param parameters: of both nodes.
    :param beside: a rosbag2 whose messages are copied beside, but for those on the topics of the
        nodes; None copies none.
    :param camera: took the images; None knows no more of it than `field_of_view_deg`.
    :raises RecordingError: when that bag cannot be opened.
    :raises AssetError: when the face encoding is not there.
    :raises OutputError: here and in every call, when the bag cannot be written.
    """

    def __init__(
        self,
        path: Path,
        parameters: NodeParameters,
        beside: Path | None = None,
        camera: KnownCamera | None = None,
    ) -> None:
        self._store = bag_types()
        self._messages = PublishedMessages(
            self._store.types.__getitem__, parameters, camera or assumed_camera(parameters)
        )
        self.problems: list[str] = []
        """Sentences: what of the input is not copied."""
        self._input = None if beside is None else _InputMessages(beside, self.problems)
        self._bag = BagFile(path, dict([_SIGN]))

    def __call__(self, frame: Frame, image: Rgb, result: FrameResult) -> None:
        """Record what was seen in one image, without its pixels."""
        self._copy_input(frame.recorded_ns)
        for published in self._messages.of(frame, image, result):
            raw = self._store.serialize_cdr(published.message, published.kind)
            place = published.topic, published.kind, frame.recorded_ns
            self._bag.write(*place, raw, self._store, [_qos_of(published)])

    def finish(self) -> None:
        """Put the bag where it belongs."""
        self._copy_input(None)
        self._bag.finish()
        self.close()

    def close(self) -> None:
        """Leave nothing behind; what `finish` has put in its place stays."""
        self._bag.close()
        if self._input is not None:
            self._input.close()
            self._input = None

    def _copy_input(self, until_ns: int | None) -> None:
        if self._input is None:
            return
        for connection, recorded_ns, raw in self._input.until(until_ns):
            qos: Sequence[Qos] = ()
            if isinstance(connection.ext, ConnectionExtRosbag2):
                qos = connection.ext.offered_qos_profiles
            # On /tf stand the input's frames and these.
            types = self._input.reader.typestore
            self._bag.write(connection.topic, connection.msgtype, recorded_ns, raw, types, qos)


def _qos_of(published: Published) -> Qos:
    return _QOS._replace(depth=_TF_DEPTH) if published.kind == TF else _QOS


class _InputMessages:
    """The messages of a bag in order, up to where the replay is."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.reader = BagReader(path, bag_types)
        if not self.reader.is2:
            self.close()
            raise RecordingError(
                f'{path} is a ROS 1 bag, whose messages cannot stand in a rosbag2; leave out '
                '--with-input, or convert it with `rosbags-convert`.'
            )
        others = [c for c in self.reader.connections if not _OWN_TOPIC.fullmatch(c.topic)]
        unknown = [c for c in others if c.msgtype not in self.reader.typestore.fielddefs]
        if unknown:
            listed = ', '.join(sorted(f'{c.topic} ({c.msgtype})' for c in unknown))
            problems.append(
                f'{path} does not define the types of {listed}, so that these are not copied.'
            )
        others = [c for c in others if c not in unknown]
        self._messages = self.reader.messages(others)
        self._next: tuple[Connection, int, bytes] | None = None
        self._ended = not others

    def until(self, until_ns: int | None) -> Iterator[tuple[Connection, int, bytes]]:
        """Take what was recorded up to a time; None takes the rest, as far as it can be read."""
        while not self._ended:
            if self._next is None:
                try:
                    self._next = next(self._messages, None)
                # Where the bag is damaged; the replay itself tells it.
                except Exception:
                    self._next = None
                if self._next is None:
                    self._ended = True
                    return
            if until_ns is not None and self._next[1] > until_ns:
                return
            message, self._next = self._next, None
            yield message

    def close(self) -> None:
        """Close the bag."""
        self.reader.close()


# A bag that is written whole or not at all: beside its place first, then moved there.


class BagFile:
    """
    Writes messages into an mcap; `path` and `OutputError` are those of `BagWriter`.

    :param said: stands in its metadata.
    """

    def __init__(self, path: Path, said: Mapping[str, str] = {}) -> None:
        self._path = path
        self._connections: dict[tuple[str, str], Connection] = {}
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._unfinished = Unfinished(path, folder=True)
            self._folder = self._unfinished.path
            self._writer = Writer(
                self._folder / path.stem, version=8, storage_plugin=StoragePlugin.MCAP
            )
            for key, value in said.items():
                self._writer.set_custom_data(key, value)
            try:
                self._writer.open()
            except OSError:
                self._unfinished.remove()
                raise

    @property
    def size_bytes(self) -> int:
        """What has been written to the disk so far."""
        with suppress(OSError):
            return sum(file.stat().st_size for file in self._folder.rglob('*') if file.is_file())
        return 0

    def write(
        self,
        topic: str,
        kind: str,
        recorded_ns: int,
        raw: bytes | memoryview,
        types: Typestore,
        qos: Sequence[Qos] = (),
    ) -> None:
        """
        Write a message; all of a topic go on one connection.

        :param topic: absolute name.
        :param kind: message type.
        :param recorded_ns: time at which it was recorded, in nanoseconds.
        :param raw: the message, serialized as CDR.
        :param types: knows the type.
        :param qos: as it was offered; of the topic's first message it counts.
        """
        with writing(self._path):
            connection = self._connections.get((topic, kind))
            if connection is None:
                connection = self._connections[topic, kind] = self._writer.add_connection(
                    topic, kind, typestore=types, offered_qos_profiles=qos
                )
            self._writer.write(connection, recorded_ns, raw)

    def finish(self, whole: bool = True) -> None:
        """Put the bag where it belongs; where writing has failed, as much as was written."""
        if not whole:
            with suppress(OSError):  # the last that it holds cannot be written either
                self._writer.abort()
        with writing(self._path):
            if whole:
                self._writer.close()
            made = self._folder / self._path.stem
            if self._path.suffix == '.mcap':
                made = next(made.glob('*.mcap'))
            if self._path.is_dir():
                shutil.rmtree(self._path)
            made.replace(self._path)
        self.close()

    def close(self) -> None:
        """Leave nothing behind; what `finish` has put in its place stays."""
        with suppress(OSError):
            self._writer.abort()
        self._unfinished.remove()
