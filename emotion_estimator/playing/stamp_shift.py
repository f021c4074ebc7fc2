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


"""Moves the stamps of serialised messages in time."""

from __future__ import annotations

import struct
from typing import Any

from rclpy.serialization import deserialize_message, serialize_message
from tf2_msgs.msg import TFMessage

from emotion_estimator.stamps import NS_PER_S

# CDR: four bytes tell the byte order, then a header begins with seconds and nanoseconds.
_HEADER_AT = 4
_BYTE_ORDERS = {0: '>', 1: '<'}


def shifted(raw: bytes, message_type: Any, shift_ns: int) -> bytes:
    """
    Move a message's stamp: that of its header, or those of its transforms.

    A stamp of zero, which nobody filled in, stays; so does a message that begins with no header.

    :param raw: the message in CDR.
    :param message_type: its class.
    :param shift_ns: nanoseconds to add.
    :returns: the message with moved stamps.
    """
    if message_type is TFMessage:
        return _shifted_transforms(raw, shift_ns)
    fields = list(message_type.get_fields_and_field_types().values())
    if not fields or fields[0] != 'std_msgs/Header':
        return raw
    layout = _BYTE_ORDERS[raw[1] & 1] + 'iI'
    sec, nanosec = struct.unpack_from(layout, raw, _HEADER_AT)
    if not sec and not nanosec:
        return raw
    moved = bytearray(raw)
    struct.pack_into(layout, moved, _HEADER_AT, *_moved(sec, nanosec, shift_ns))
    return bytes(moved)


def _shifted_transforms(raw: bytes, shift_ns: int) -> bytes:
    message = deserialize_message(raw, TFMessage)
    for transform in message.transforms:
        stamp = transform.header.stamp
        if stamp.sec or stamp.nanosec:
            stamp.sec, stamp.nanosec = _moved(stamp.sec, stamp.nanosec, shift_ns)
    return bytes(serialize_message(message))


def _moved(sec: int, nanosec: int, shift_ns: int) -> tuple[int, int]:
    return divmod(sec * NS_PER_S + nanosec + shift_ns, NS_PER_S)
