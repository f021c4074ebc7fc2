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

"""Stamps of messages as nanoseconds."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from emotion_estimator.stamps import NS_PER_S


def nanoseconds(stamp: Time) -> int:
    """
    Turn a message's stamp into nanoseconds.

    :param stamp: the stamp.
    :returns: nanoseconds; 0 when the publisher did not fill it in.
    """
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def time_message(stamp_ns: int) -> Time:
    """
    Turn nanoseconds into a message's stamp.

    :param stamp_ns: nanoseconds.
    :returns: the stamp.
    """
    return Time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
