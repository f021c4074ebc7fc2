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

"""A bag that is written whole or not at all: beside its place first, then moved there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from emotion_estimator.files import writing


class BagFile:
    """
    Writes messages into an mcap.

    :param path: a file that ends in .mcap, or a folder for a rosbag2 with metadata.yaml; replaced
        when `finish` is called.
    :raises OutputError: here and in every call, when the bag cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: dict[tuple[str, str], Connection] = {}
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.'))
            self._writer = Writer(
                self._folder / path.stem, version=8, storage_plugin=StoragePlugin.MCAP
            )
            try:
                self._writer.open()
            except OSError:
                shutil.rmtree(self._folder, ignore_errors=True)
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

    def finish(self) -> None:
        """Put the bag where it belongs."""
        with writing(self._path):
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
        shutil.rmtree(self._folder, ignore_errors=True)
