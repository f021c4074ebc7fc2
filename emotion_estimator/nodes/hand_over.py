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

"""Hands faces from one node to the other of the same process without a message between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.publisher import Publisher
from std_msgs.msg import Header

from emotion_estimator.messages import NamedFeatures

Take = Callable[[NamedFeatures, Header], None]
"""Takes a face's features, and the header that their message would have."""


class HandOver:
    """
    A short way from the node that finds faces to the one that estimates their expression.

    It is taken while the second is the only one that listens. Where others listen too a message is
    sent, which that node hears as they do. What is on its way as a message comes first: so faces
    keep their order where a listener comes or goes.
    """

    def __init__(self) -> None:
        self._taker: tuple[str, Take] | None = None
        self._awaited: Header | None = None

    def open(self, topic: str, take: Take) -> None:
        """
        Begin to take faces.

        :param topic: resolved name of the topic that the taker listens to.
        :param take: called in the thread of whoever offers a face.
        """
        self._awaited = None
        self._taker = topic, take

    def close(self) -> None:
        """Take no more."""
        self._taker = None

    def offer(self, publisher: Publisher[Any], face: NamedFeatures, header: Header) -> bool:
        """
        Hand a face over, if no message of it is needed.

        :param publisher: what would send the message.
        :param face: the face.
        :param header: of the message.
        :returns: whether it was taken; if not, the message is to be sent.
        """
        taker = self._taker
        if taker is None or taker[0] != publisher.topic_name:
            return False
        if self._awaited is not None or publisher.get_subscription_count() != 1:
            self._awaited = header
            return False
        taker[1](face, header)
        return True

    def hear(self, header: Header) -> None:
        """
        Note a message that has arrived, when it was dealt with.

        :param header: the message's.
        """
        if header == self._awaited:
            self._awaited = None
