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

"""Reads what is whole in a storage file of a bag, in the order in which it was written."""

from __future__ import annotations

import bz2
import os
import sqlite3
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Union
from urllib.parse import quote

from lz4.frame import LZ4FrameDecompressor
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag1,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys.store import Typestore

from emotion_estimator.stamps import NS_PER_S

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MCAP_MAGIC = b'\x89MCAP0\r\n'
SQLITE_MAGIC = b'SQLite format 3\0'
ROS1_MAGIC = b'#ROSBAG V2.0\n'
ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
MOST_BYTES = 1 << 28
"""No chunk or message is larger; a length beyond it is garbage, and must not fill the memory."""
MOST_STAMP_NS = (1 << 31) * NS_PER_S
"""Since 1970, that a stamp can hold."""
_WAITING = 1000
Message = tuple[Connection, int, bytes]
"""Connection, receive time in nanoseconds, serialised message."""
Raw = tuple[int, int, bytes]
"""A message: id of its connection, receive time in nanoseconds, serialised."""
_Held = Union[Connection, Raw]
_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, '')
_UNPACKERS: dict[str, Callable[[], Any]] = {
    'zstd': zstd.ZstdDecompressor,
    'lz4': LZ4FrameDecompressor,
    'bz2': bz2.BZ2Decompressor,
}


class RecoveredFile:
    """
    A storage file that is read from its beginning, without its index.

    It is read through once when it is opened: only so its topics are known.

    :raises ValueError: when it is no storage file of a bag.
    """

    def __init__(self, path: Path) -> None:
        with path.open('rb') as file:
            magic = file.read(16)
        readers = ((MCAP_MAGIC, _mcap), (SQLITE_MAGIC, _sqlite), (ROS1_MAGIC, _ros1))
        found = [reader for begin, reader in readers if magic.startswith(begin)]
        if not found:
            empty = not magic.strip(b'\0')
            raise ValueError('it is empty' if empty else 'it does not begin like a bag')
        self._path = path
        self._read: Callable[[Path, list[str]], Iterator[_Held]] = found[0]
        self.damage: list[str] = []
        held: dict[int, Connection] = {}
        counts: Counter[int] = Counter()
        times: list[int] = []
        for one in self._held(self.damage):
            if isinstance(one, Connection):
                held.setdefault(one.id, one)
            else:
                counts[one[0]] += 1
                times = [min(*times, one[1]), max(*times, one[1])] if times else [one[1]] * 2
        self.connections = [one._replace(msgcount=counts[id_]) for id_, one in held.items()]
        self.start_time, self.end_time = (times[0], times[1] + 1) if times else (2**63 - 1, 0)

    def messages(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """
        Read messages in the order of the file.

        :param connections: those of `connections` that are wanted.
        """
        wanted = {connection.id: connection for connection in connections}
        for one in self._held([]):
            if not isinstance(one, Connection) and one[0] in wanted:
                yield wanted[one[0]], one[1], one[2]

    def close(self) -> None:
        """Nothing is held."""

    def _held(self, damage: list[str]) -> Iterator[_Held]:
        try:
            yield from self._read(self._path, damage)
        # What damaged bytes are taken for fails in any way.
        except Exception as error:
            damage.append(f'it cannot be read any further ({error})')


def _unpacked(data: bytes, compression: str) -> bytes:
    """Unpack a chunk, or the beginning of one that is cut off."""
    if compression in ('', 'none'):
        return data
    if compression not in _UNPACKERS:
        raise ValueError(f'compression {compression!r} is not known')
    return bytes(_UNPACKERS[compression]().decompress(data, MOST_BYTES))


def _ends(path: Path, at: int, damage: list[str]) -> None:
    size = path.stat().st_size
    damage.append(
        f'it ends unfinished after {size:,} bytes'
        if at >= size
        else f'what stands in it from byte {at:,} of {size:,} on is unreadable'
    )


# MCAP: records of one byte that says what it is, eight that say how long, and content.


_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 1, 2, 3, 4, 5, 6, 15
_LAST_RECORD = 15
_FORMATS = {
    'ros2msg': MessageDefinitionFormat.MSG,
    'ros2idl': MessageDefinitionFormat.IDL,
    'omgidl': MessageDefinitionFormat.IDL,
}


def _mcap(path: Path, damage: list[str]) -> Iterator[_Held]:
    schemas: dict[int, tuple[str, MessageDefinition]] = {}
    size = path.stat().st_size
    with path.open('rb') as file:
        file.seek(len(MCAP_MAGIC))
        while True:
            at = file.tell()
            head = file.read(9)
            kind, length = struct.unpack('<BQ', head) if len(head) == 9 else (0, 0)
            if kind in (_FOOTER, _DATA_END):
                # Behind the data stands an index; without it the recording was not ended.
                file.seek(-len(MCAP_MAGIC), 2)
                if file.read() != MCAP_MAGIC:
                    _ends(path, size, damage)
                return
            whole = at + 9 + length <= size
            if not 0 < kind <= _LAST_RECORD or (not whole and kind != _CHUNK):
                return _ends(path, at, damage)
            if kind == _CHUNK:
                try:
                    yield from _chunk(file.read(min(length, MOST_BYTES)), whole, schemas)
                except (ValueError, struct.error, OSError, RuntimeError, zstd.ZstdError) as error:
                    damage.append(f'{length:,} bytes from byte {at:,} on are damaged ({error})')
            elif kind in (_SCHEMA, _CHANNEL, _MESSAGE):
                yield from _record(kind, file.read(length), schemas)
            if not whole:
                return _ends(path, size, damage)
            file.seek(at + 9 + length)


def _chunk(
    chunk: bytes, whole: bool, schemas: dict[int, tuple[str, MessageDefinition]]
) -> Iterator[_Held]:
    _, _, size, crc, name = struct.unpack_from('<QQQII', chunk)
    compression = chunk[32 : 32 + name].decode()
    records = _unpacked(chunk[40 + name :], compression)
    if whole and len(records) != size:
        raise ValueError('it unpacks to another length than stated')
    if whole and crc and zlib.crc32(records) != crc:
        raise ValueError('its checksum is wrong')
    at = 0
    while at + 9 <= len(records):
        kind, length = struct.unpack_from('<BQ', records, at)
        if not kind:
            raise ValueError('zeros stand in it')
        if at + 9 + length > len(records):
            if whole:
                raise ValueError('a record reaches beyond it')
            return
        yield from _record(kind, records[at + 9 : at + 9 + length], schemas)
        at += 9 + length


def _record(
    kind: int, content: bytes, schemas: dict[int, tuple[str, MessageDefinition]]
) -> Iterator[_Held]:
    if kind == _MESSAGE:
        channel, _, received_ns, _ = struct.unpack_from('<HIQQ', content)
        yield channel, received_ns, content[22:]
    elif kind == _SCHEMA:
        rest = BytesIO(content[2:])
        name, encoding, text = _text(rest), _text(rest), _text(rest)
        known = _FORMATS.get(encoding)
        definition = _NO_DEFINITION if known is None else MessageDefinition(known, text)
        schemas[struct.unpack_from('<H', content)[0]] = (name, definition)
    elif kind == _CHANNEL:
        channel, schema = struct.unpack_from('<HH', content)
        rest = BytesIO(content[4:])
        topic, encoding = _text(rest), _text(rest)
        fields = BytesIO(rest.read(struct.unpack('<I', rest.read(4))[0]))
        said: dict[str, str] = {}
        while key := fields.read(4):
            name = fields.read(struct.unpack('<I', key)[0]).decode()
            said[name] = _text(fields)
        qos = parse_qos(said.get('offered_qos_profiles', '') or [])
        name, definition = schemas.get(schema, ('', _NO_DEFINITION))
        extra = ConnectionExtRosbag2(encoding, qos)
        yield Connection(channel, topic, name, definition, '', 0, extra, None)


def _text(source: BinaryIO | BytesIO) -> str:
    # Other programs' schemas, as those of Protocol Buffers, are no text.
    return source.read(struct.unpack('<I', source.read(4))[0]).decode(errors='replace')


# SQLite: the table of messages row by row; its index stands anywhere in the file.


def _sqlite(path: Path, damage: list[str]) -> Iterator[_Held]:
    base = sqlite3.connect(
        f'file:{quote(os.fsencode(path))}?mode=ro&immutable=1', uri=True, check_same_thread=False
    )
    base.text_factory = lambda raw: raw.decode(errors='replace')
    read = 0
    try:
        # A file that is shorter than it says is opened only so.
        base.execute('PRAGMA writable_schema=ON')
        columns = {row[1] for row in base.execute('PRAGMA table_info(topics)')}
        qos = 'offered_qos_profiles' if 'offered_qos_profiles' in columns else "''"
        tables = {row[0] for row in base.execute('SELECT name FROM sqlite_master')}
        definitions: dict[str, MessageDefinition] = {}
        if 'message_definitions' in tables:
            for kind, encoding, text in base.execute(
                'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
            ):
                if encoding in _FORMATS:
                    definitions[kind] = MessageDefinition(_FORMATS[encoding], text)
        for id_, topic, kind, form, offered in base.execute(
            f'SELECT id, name, type, serialization_format, {qos} FROM topics'
        ):
            extra = ConnectionExtRosbag2(form, parse_qos(offered or []))
            definition = definitions.get(kind, _NO_DEFINITION)
            yield Connection(id_, topic, kind, definition, '', 0, extra, None)
        for id_, received_ns, data in base.execute(
            'SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY rowid'
        ):
            if isinstance(received_ns, int) and isinstance(data, bytes):
                yield id_, received_ns, data
                read += 1
            else:
                damage.append('a message in it has no time or no content')
    except sqlite3.Error as error:
        damage.append(f'it breaks off after {read} messages ({error})')
    finally:
        base.close()


# ROS 1: records of a header with named fields, and content.


def _ros1(path: Path, damage: list[str]) -> Iterator[_Held]:
    size = path.stat().st_size
    indexed = False
    with path.open('rb') as file:
        file.seek(len(ROS1_MAGIC))
        while (at := file.tell()) < size:
            try:
                fields, content = _ros1_record(file)
                kind = fields['op'][0]
            except (ValueError, KeyError, struct.error, IndexError):
                return _ends(path, at, damage)
            whole = file.tell() <= size and len(content) == struct.unpack('<I', fields[''])[0]
            if kind == 3:
                indexed = fields.get('index_pos', bytes(8)) != bytes(8)
            if kind == 5:
                try:
                    compression = fields['compression'].decode()
                    yield from _ros1_chunk(_unpacked(content, compression))
                except (ValueError, KeyError, struct.error, OSError, RuntimeError) as error:
                    damage.append(f'the chunk at byte {at:,} is damaged ({error})')
            if not whole:
                return _ends(path, size, damage)
    if not indexed:
        _ends(path, size, damage)


def _ros1_chunk(records: bytes) -> Iterator[_Held]:
    source = BytesIO(records)
    while source.tell() < len(records):
        try:
            fields, content = _ros1_record(source)
        except (ValueError, struct.error):
            return
        if len(content) != struct.unpack('<I', fields[''])[0]:
            return
        id_ = struct.unpack('<I', fields['conn'])[0]
        if fields['op'][0] == 2:
            sec, nanosec = struct.unpack('<II', fields['time'])
            yield id_, sec * 10**9 + nanosec, content
        elif fields['op'][0] == 7:
            said = _fields(content)
            kind = '/msg/'.join(said['type'].decode().split('/'))
            text = MessageDefinition(
                MessageDefinitionFormat.MSG, said['message_definition'].decode(errors='replace')
            )
            extra = ConnectionExtRosbag1(None, int(said.get('latching', b'') or b'0'))
            topic = fields['topic'].decode()
            yield Connection(id_, topic, kind, text, '', 0, extra, None)


def _ros1_record(source: BinaryIO | BytesIO) -> tuple[dict[str, bytes], bytes]:
    """Read a record; the field without a name is the length that its content should have."""
    length = struct.unpack('<I', source.read(4))[0]
    header = source.read(length)
    if len(header) != length:
        raise ValueError('the header is cut off')
    stated = source.read(4)
    fields = {**_fields(header), '': stated}
    return fields, source.read(min(struct.unpack('<I', stated)[0], MOST_BYTES))


def _fields(header: bytes) -> dict[str, bytes]:
    fields, at = {}, 0
    while at < len(header):
        length = struct.unpack_from('<I', header, at)[0]
        name, _, value = header[at + 4 : at + 4 + length].partition(b'=')
        fields[name.decode()] = value
        at += 4 + length
    return fields


# Stamps in place of receive times that cannot be right.


def stamped(messages: Iterator[Message], typestore: Typestore, is2: bool) -> Iterator[Message]:
    """
    Let the stamps stand for the receive times; a message without takes that before it.

    :param messages: connection, receive time in nanoseconds, serialised message.
    :param typestore: of the bag.
    :param is2: whether it is one of ROS 2.
    :returns: yields the same messages with the other times.
    """
    waiting: list[Message] = []
    time_ns = 0
    for message in messages:
        time_ns = _stamp_ns(message[0].msgtype, message[2], typestore, is2) or time_ns
        waiting.append(message)
        if time_ns or len(waiting) > _WAITING:
            yield from ((one, time_ns or at, raw) for one, at, raw in waiting)
            waiting.clear()
    yield from waiting


def _stamp_ns(kind: str, raw: bytes, typestore: Typestore, is2: bool) -> int:
    """Read the stamp that a message begins with; 0 where there is none."""
    with suppress(KeyError, IndexError, struct.error):
        first = typestore.fielddefs[kind][1][0][1][1]
        header = first == 'std_msgs/msg/Header'
        if not header and first != 'builtin_interfaces/msg/Time':
            return 0
        order = '<' if not is2 or raw[1] & 1 else '>'
        # CDR begins with four bytes of its own, the header of ROS 1 with a number.
        at = 4 if is2 or header else 0
        sec, nanosec = struct.unpack_from(f'{order}II', raw, at)
        stamp_ns = sec * NS_PER_S + nanosec
        return stamp_ns if nanosec < NS_PER_S and stamp_ns < MOST_STAMP_NS else 0
    return 0
