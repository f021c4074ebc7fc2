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

"""Opens bags of all kinds, and reads what is whole in them by times that can be believed."""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from rosbags.interfaces import Connection, ConnectionExtRosbag1, MessageDefinitionFormat
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from emotion_estimator.messages import standard_types
from emotion_estimator.replay.bag_files import SUFFIXES, files_of_bag, unpacked_name
from emotion_estimator.replay.bag_recovery import (
    MOST_BYTES,
    ZSTD_MAGIC,
    RecoveredFile,
)
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEAST_STEP_NS = 1_000  # times that count from 0 by less are numbers, no times
_LONGEST_NS = 100 * 24 * 3600 * NS_PER_S  # no bag is recorded for longer
_MOST_NS = (1 << 31) * NS_PER_S  # since 1970 that a stamp can hold
_WAITING = 1000
Message = tuple[Connection, int, bytes]
_Reader = Union[Ros1Reader, Ros2Reader, RecoveredFile]


@dataclass
class _Part:
    """One storage file, as the user knows it and as it is read: perhaps unpacked."""

    path: Path
    file: Path
    reader: _Reader


class BagReader:
    """
    A bag that is open.

    Where a file of it is damaged or was not recorded to its end, what is whole is read. Where its
    receive times cannot be right, the stamps in the messages' headers stand for them.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file, also packed with zstd.
    :param types: makes definitions for bags that hold none.
    :raises RecordingError: when nothing in it can be read.
    """

    def __init__(self, path: Path, types: Callable[[], Typestore] = standard_types) -> None:
        self.problems: list[str] = []
        self.hints: list[str] = []
        self._path = path
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None
        self._parts: list[_Part] = []
        try:
            self._open(files_of_bag(path, self.problems, self.hints))
            every = [one for part in self._parts for one in part.reader.connections]
            self.is2 = not any(isinstance(one.ext, ConnectionExtRosbag1) for one in every)
            held: dict[tuple[str, str], Connection] = {}
            for one in every:
                known = held.setdefault(_key(one), one._replace(id=len(held), msgcount=0))
                count = known.msgcount + one.msgcount
                held[_key(one)] = known._replace(msgcount=count, owner=self)
            self.connections = list(held.values())
            self.typestore = self._types(types)
            self._by_stamps = not self._receive_times_hold()
        except BaseException:
            self.close()
            raise

    def messages(self, connections: Collection[Connection]) -> Iterator[Message]:
        """
        Read messages in the order in which they were recorded.

        :param connections: those of `connections` that are wanted.
        :returns: yields connection, receive time in nanoseconds, and the serialised message.
        """
        wanted = {_key(connection): connection for connection in connections}
        damaged: Counter[str] = Counter()
        for part in self._parts:
            messages = self._unzipped(self._read(part, wanted), damaged)
            yield from self._stamped(messages) if self._by_stamps else messages
        for topic, count in sorted(damaged.items()):
            self._complain(f'{self._path}: {count} messages on {topic} cannot be unpacked.')

    def deserialize(self, raw: bytes, kind: str) -> Any:
        """
        Turn a message's bytes into the message.

        :param raw: as `messages` gives it.
        :param kind: the connection's type.
        """
        if self.is2:
            return self.typestore.deserialize_cdr(raw, kind)
        return self.typestore.deserialize_ros1(raw, kind)

    def close(self) -> None:
        """Close the bag and remove what was unpacked."""
        for part in self._parts:
            with suppress(Exception):
                part.reader.close()
        self._parts.clear()
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None

    def _open(self, files: Iterable[Path]) -> None:
        unread = []
        for path in files:
            try:
                file = self._plain(path)
                self._parts.append(_Part(path, file, self._reader(path, file)))
            # Of damaged bytes rosbags, struct, sqlite, lz4 and zstd each complain in their way.
            except Exception as error:
                if isinstance(error, RecordingError):
                    raise
                reason = ' '.join(str(error).split()) or type(error).__name__
                unread.append(
                    f'{path} cannot be read as a bag ({reason}): it is truncated, damaged or of '
                    'another kind; restore it, or repair it with `ros2 bag reindex` or '
                    '`mcap recover`.'
                )
        if not any(part.reader.connections for part in self._parts) and unread:
            raise RecordingError(' '.join(unread))
        self.problems += unread

    def _reader(self, path: Path, file: Path) -> _Reader:
        if file.suffix in SUFFIXES:
            with suppress(Exception):
                reader = Ros1Reader(file) if file.suffix == '.bag' else Ros2Reader(file)
                reader.open()
                # Without an index rosbags stops where a message is older than that before it.
                chunks: object = getattr(getattr(reader, 'storage', None), 'chunks', True)
                if chunks:
                    return reader
                reader.close()
        return self._recovered(path, file)

    def _recovered(self, path: Path, file: Path) -> RecoveredFile:
        recovered = RecoveredFile(file)
        if recovered.damage:
            count = sum(connection.msgcount for connection in recovered.connections)
            span_s = max(recovered.end_time - recovered.start_time, 0) / NS_PER_S
            self._complain(
                f'{path} is damaged or was not recorded to its end: '
                f'{"; ".join(recovered.damage)}. {count} messages over {span_s:.1f} s are whole, '
                'and are used.'
            )
        return recovered

    def _complain(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _plain(self, path: Path) -> Path:
        """Unpack a file that is packed, and add to an SQLite file the log that stands beside."""
        with path.open('rb') as file:
            packed = file.read(4) == ZSTD_MAGIC
        logs = [path.with_name(path.name + end) for end in ('-wal', '-journal')]
        logs = [log for log in logs if log.is_file() and log.stat().st_size]
        if not packed and not logs:
            return path
        try:
            if self._unpacked is None:
                self._unpacked = tempfile.TemporaryDirectory()
            target = Path(self._unpacked.name) / unpacked_name(path.name)
            if packed:
                self._unpack(path, target)
            else:
                for file_ in (path, *logs):
                    shutil.copyfile(file_, target.with_name(file_.name))
                base = sqlite3.connect(target)
                base.execute('PRAGMA journal_mode=DELETE')
                base.close()
                self.hints.append(
                    f'{path} was not closed by its recorder; {logs[0].name} was read too.'
                )
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT):
                raise
            raise RecordingError(
                f'{path} must be unpacked before it can be read, and the folder for temporary '
                f'files has no room for it ({error.strerror or error}); let TMPDIR name a folder '
                'with more room.'
            ) from error
        return target

    def _unpack(self, path: Path, target: Path) -> None:
        try:
            with zstd.open(path, 'rb') as source, target.open('wb') as file:
                # `read` would lose what it has gathered where the file breaks off.
                file.writelines(iter(source.read1, b''))
        except (EOFError, zstd.ZstdError) as error:
            self._complain(f'{path} cannot be unpacked to its end ({error}).')

    def _types(self, default: Callable[[], Typestore]) -> Typestore:
        """Take the bag's definitions, and else those given: standard types do not change."""
        store = get_typestore(Stores.EMPTY)
        given = [
            (one.msgtype, one.msgdef) for part in self._parts for one in part.reader.connections
        ]
        for kind, definition in given:
            with suppress(Exception):
                if definition.format is MessageDefinitionFormat.MSG:
                    _add(store, get_types_from_msg(definition.data, kind))
                elif definition.format is MessageDefinitionFormat.IDL:
                    for text in re.split(r'=+\nIDL: .*\n', definition.data):
                        _add(store, get_types_from_idl(text) if text.strip() else {})
        if self.is2 and not all(kind in store.fielddefs for kind, _ in given):
            _add(store, default().fielddefs)
        return store

    def _read(self, part: _Part, wanted: dict[tuple[str, str], Connection]) -> Iterator[Message]:
        """Read a file; from the place on where it is damaged, what is whole."""
        if self._by_stamps and not isinstance(part.reader, RecoveredFile):
            part.reader.close()
            part.reader = self._recovered(part.path, part.file)
        newest_ns, same = -1, 0
        chosen = [one for one in part.reader.connections if _key(one) in wanted]
        if not chosen:
            return
        try:
            for one, received_ns, raw in part.reader.messages(chosen):
                same = same + 1 if received_ns == newest_ns else 1
                newest_ns = received_ns
                yield wanted[_key(one)], received_ns, raw
            return
        except Exception:
            if isinstance(part.reader, RecoveredFile):
                raise
            part.reader.close()
        part.reader = recovered = self._recovered(part.path, part.file)
        chosen = [one for one in recovered.connections if _key(one) in wanted]
        for one, received_ns, raw in recovered.messages(chosen) if chosen else ():
            same -= received_ns == newest_ns
            if received_ns > newest_ns or (received_ns == newest_ns and same < 0):
                yield wanted[_key(one)], received_ns, raw

    def _unzipped(self, messages: Iterator[Message], damaged: Counter[str]) -> Iterator[Message]:
        """Unpack the messages that are packed one by one."""
        for connection, received_ns, raw in messages:
            try:
                if self.is2 and raw[:4] == ZSTD_MAGIC:
                    raw = zstd.ZstdDecompressor().decompress(raw, MOST_BYTES)
            except (zstd.ZstdError, TypeError):  # or a number where a message belongs
                damaged[connection.topic] += 1
                continue
            yield connection, received_ns, raw

    def _receive_times_hold(self) -> bool:
        held = [part.reader for part in self._parts if part.reader.end_time]
        count = sum(connection.msgcount for connection in self.connections)
        if count < 3 or not held:
            return True
        first = min(reader.start_time for reader in held)
        last = max(reader.end_time for reader in held) - 1
        counted = last < count * _LEAST_STEP_NS
        if 0 < last - first < _LONGEST_NS and not counted and 0 <= first < last < _MOST_NS:
            return True
        self.hints.append(
            f'{self._path}: the receive times of its messages cannot be right (they reach from '
            f'{first / NS_PER_S:.0f} to {last / NS_PER_S:.0f} s); the stamps in their headers are '
            'used instead.'
        )
        return False

    def _stamped(self, messages: Iterator[Message]) -> Iterator[Message]:
        """Let the stamps stand for the receive times; a message without takes that before it."""
        waiting: list[Message] = []
        time_ns = 0
        for message in messages:
            time_ns = self._stamp_ns(message[0].msgtype, message[2]) or time_ns
            waiting.append(message)
            if time_ns or len(waiting) > _WAITING:
                yield from ((one, time_ns or at, raw) for one, at, raw in waiting)
                waiting.clear()
        yield from waiting

    def _stamp_ns(self, kind: str, raw: bytes) -> int:
        """Read the stamp that a message begins with; 0 where there is none."""
        with suppress(KeyError, IndexError, struct.error):
            first = self.typestore.fielddefs[kind][1][0][1][1]
            header = first == 'std_msgs/msg/Header'
            if not header and first != 'builtin_interfaces/msg/Time':
                return 0
            order = '<' if not self.is2 or raw[1] & 1 else '>'
            # CDR begins with four bytes of its own, the header of ROS 1 with a number.
            at = 4 if self.is2 or header else 0
            sec, nanosec = struct.unpack_from(f'{order}II', raw, at)
            stamp_ns = sec * NS_PER_S + nanosec
            return stamp_ns if nanosec < NS_PER_S and stamp_ns < _MOST_NS else 0
        return 0


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _add(store: Typestore, types: Any) -> None:
    store.register({name: one for name, one in types.items() if name not in store.fielddefs})
