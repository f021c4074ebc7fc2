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

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Union

import yaml
from rosbags.interfaces import Connection, ConnectionExtRosbag1, MessageDefinitionFormat
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from emotion_estimator.messages import standard_types
from emotion_estimator.replay.bag_recovery import (
    MCAP_MAGIC,
    MOST_BYTES,
    MOST_STAMP_NS,
    ROS1_MAGIC,
    SQLITE_MAGIC,
    ZSTD_MAGIC,
    Message,
    RecoveredFile,
    stamped,
)
from emotion_estimator.replay.bag_unpacking import Unpacker
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

METADATA_FILE = 'metadata.yaml'
SUFFIXES = ('.bag', '.db3', '.mcap')
_PART = re.compile(r'(.*)_(\d+)(\.[a-z0-9]+){1,2}$')
NAME = re.compile(r'.*\.(bag|db3|mcap)(\.active)?(\.zstd?)?$')
"""Names of storage files, also while they are recorded, and packed."""
_LEAST_STEP_NS = 1_000  # times that count from 0 by less are numbers, no times
_LONGEST_NS = 100 * 24 * 3600 * NS_PER_S  # no bag is recorded for longer
_Reader = Union[Ros1Reader, Ros2Reader, RecoveredFile]


# Which files are one bag.


def is_bag_file(path: Path) -> bool:
    """Tell whether a file is one of a bag, by its name or by how it begins."""
    with path.open('rb') as file:
        begin = file.read(16)
    return bool(NAME.match(path.name)) or begin.startswith((MCAP_MAGIC, ROS1_MAGIC, SQLITE_MAGIC))


def storage_files(folder: Path) -> list[Path]:
    """
    List the storage files in a folder, parts of one bag in their order.

    :returns: their paths; hidden files are none.
    """

    def order(path: Path) -> tuple[str, int]:
        part = _PART.match(path.name)
        return (part[1], int(part[2])) if part else (path.name, -1)

    found = (p for p in folder.iterdir() if NAME.match(p.name) and p.name[0] != '.')
    return sorted((path for path in found if path.is_file()), key=order)


def may_be_of_a_bag(path: Path) -> bool:
    """Tell whether what lies in a folder is a file of a bag; unreadable, by its name alone."""
    try:
        return path.is_file() and is_bag_file(path)
    except OSError:
        return bool(NAME.match(path.name))


def is_bag_folder(folder: Path) -> bool:
    """
    Tell whether a folder is one bag, rather than a folder of several.

    :returns: whether it has metadata, or one storage file, or parts that are numbered.
    """
    if (folder / METADATA_FILE).is_file():
        return True
    files = storage_files(folder)
    parts = [_PART.match(path.name) for path in files]
    names = {part[1] if part else '' for part in parts}
    numbers = [int(part[2]) for part in parts if part]
    return len(files) == 1 or (len(names) == 1 and numbers == list(range(len(files))))


def files_of_bag(path: Path, problems: list[str], hints: list[str]) -> list[Path]:
    """
    List the storage files of a bag in their order: those that its metadata names.

    Where it names none all in the folder are taken; where parts go on behind those that it names
    it is older than they are, and they are taken too.

    :param path: a folder, or a storage file.
    :param problems: gets sentences that say what is missing.
    :param hints: gets sentences that say what else was found.
    :returns: their paths.
    :raises RecordingError: when there is no bag, or none of its files.
    """
    if not path.exists():
        raise RecordingError(f'{path} does not exist; check the path.')
    if not path.is_dir():
        return [path]
    found = storage_files(path)
    metadata = path / METADATA_FILE
    if not metadata.is_file():
        if not is_bag_folder(path):
            what = 'several bags: give one of them' if found else f'no bag ({", ".join(SUFFIXES)})'
            raise RecordingError(f'{path} holds {what}.')
        return found
    try:
        said = yaml.safe_load(metadata.read_text(encoding='utf-8'))
        names = said['rosbag2_bagfile_information']['relative_file_paths']
        listed = [path / PurePath(name).name for name in names]
        if not listed:
            raise ValueError('it names no files')
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        hints.append(f'{metadata} cannot be read ({reason}); all files beside it are used.')
        return found
    known = {unpacked_name(p.name): p for p in found}
    there = [p if p.is_file() else known.get(unpacked_name(p.name)) for p in listed]
    lost = [str(file) for file, one in zip(listed, there) if one is None]
    if lost and not any(there):
        raise RecordingError(f'{metadata} names files that are not there: {", ".join(lost)}.')
    problems += [f'{file} is missing, though {METADATA_FILE} names it.' for file in lost]
    return _with_later_parts([one for one in there if one is not None], listed, found, hints)


def _with_later_parts(
    named: list[Path], listed: list[Path], found: list[Path], hints: list[str]
) -> list[Path]:
    """Add to the files that metadata names those whose numbers go on; tell of all others."""
    stems = {unpacked_name(file.name) for file in listed}
    others = [file for file in found if unpacked_name(file.name) not in stems]
    if not others:
        return named
    first = others[0].parent / METADATA_FILE
    every = [part for file in (*listed, *others) if (part := _PART.match(file.name))]
    numbers = sorted(int(part[2]) for part in every)
    alike = len({(part[1], unpacked_name(part[0]).rpartition('.')[2]) for part in every}) == 1
    if alike and len(every) == len(listed) + len(others) and numbers == list(range(len(every))):
        hints.append(f'{first} does not name {_listed(others)}; the numbers go on: used too.')
        return [file for file in found if file in named or file in others]
    hints.append(f'{first} does not name {_listed(others)}; give such a file by name to read it.')
    return named


def _listed(files: list[Path]) -> str:
    return files[0].name + (f' and {len(files) - 1} more files' if len(files) > 1 else '')


def unpacked_name(name: str) -> str:
    """Name the file that another holds, packed."""
    return re.sub(r'\.zstd?$', '', name)


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
        self._unpacker: Unpacker | None = None
        self._parts: list[_Part] = []
        try:
            self._open(files_of_bag(path, self.problems, self.hints))
            every = [one for part in self._parts for one in part.reader.connections]
            self.is2 = not any(isinstance(one.ext, ConnectionExtRosbag1) for one in every)
            if any(getattr(one.ext, 'serialization_format', '') == 'ros1' for one in every):
                self.problems.append(
                    f'{path} holds messages of ROS 1 in an MCAP file, which are not read: give '
                    'the .bag that it was made of, or convert that with `rosbags-convert`.'
                )
            held: dict[tuple[str, str], Connection] = {}
            for one in every:
                seen = held.setdefault(_key(one), one._replace(id=len(held), msgcount=0))
                held[_key(one)] = seen._replace(msgcount=seen.msgcount + one.msgcount, owner=self)
            self.connections = list(held.values())
            self.typestore = self._types(every, types)
            self._stamped = not self._receive_times_hold()
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
            yield from stamped(messages, self.typestore, self.is2) if self._stamped else messages
        for topic, count in sorted(damaged.items()):
            self._complain(f'{self._path}: {count} messages on {topic} cannot be unpacked.')

    def deserialize(self, raw: bytes, kind: str) -> Any:
        """
        Turn a message's bytes into the message.

        :param raw: as `messages` gives it.
        :param kind: the connection's type.
        """
        store = self.typestore
        return (store.deserialize_cdr if self.is2 else store.deserialize_ros1)(raw, kind)

    def close(self) -> None:
        """Close the bag and remove what was unpacked."""
        for part in self._parts:
            with suppress(Exception):
                part.reader.close()
        self._parts.clear()
        if self._unpacker is not None:
            self._unpacker.close()

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
            raise RecordingError(' '.join((*self.problems, *unread)))
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
        beside = [path.with_name(path.name + end) for end in ('-wal', '-journal') if not packed]
        logs = [log for log in beside if log.is_file() and log.stat().st_size]
        if not packed and not logs:
            return path
        self._unpacker = self._unpacker or Unpacker(self.problems, self.hints)
        return self._unpacker.unpack(path, unpacked_name(path.name), logs)

    def _types(self, held: list[Connection], default: Callable[[], Typestore]) -> Typestore:
        """Take the bag's definitions, and else those given: standard types do not change."""
        store = get_typestore(Stores.EMPTY)
        given = [(one.msgtype, one.msgdef) for one in held]
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
        if self._stamped and not isinstance(part.reader, RecoveredFile):
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
        if 0 < last - first < _LONGEST_NS and not counted and 0 <= first < last < MOST_STAMP_NS:
            return True
        self.hints.append(
            f'{self._path}: the receive times of its messages cannot be right (they reach from '
            f'{first / NS_PER_S:.0f} to {last / NS_PER_S:.0f} s); the stamps in their headers are '
            'used instead.'
        )
        return False


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _add(store: Typestore, types: Any) -> None:
    store.register({name: one for name, one in types.items() if name not in store.fielddefs})
