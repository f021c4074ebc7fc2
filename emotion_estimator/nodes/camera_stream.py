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

"""
What arrives on the image topic: which images are the camera's, and in what order they came.

A file of its own because `sources.py` holds what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from emotion_estimator.messages.incoming import nanoseconds
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.stamps import NS_PER_S, Placed, Step, TimeLine

NO_STAMP = "header.stamp is zero; let the driver fill in the image's time."


class CameraStream:
    """
    Follows the stamps of all images that arrive, also of those that will be skipped.

    :param node: whose statistics count them, and which refuses those that are left out.
    :param receive: called with each image that may be looked at.
    """

    def __init__(
        self, node: ManagedNode, receive: Callable[[Placed[Image | CompressedImage]], None]
    ) -> None:
        self._node = node
        self._receive = receive
        self._line: TimeLine[Image | CompressedImage] = TimeLine()

    def on_image(self, message: Image | CompressedImage) -> None:
        """
        Take the next image.

        :param message: the image.
        """
        stamp_ns = nanoseconds(message.header.stamp)
        self._node.statistics.receive(stamp_ns)
        if stamp_ns == 0:
            self._node.refuse(NO_STAMP)
            return
        for placed in self._line.follow(stamp_ns, message):
            if problem := _stamp_problem(placed):
                self._node.refuse(problem)
            # Whether an image repeats another is found out when that could be decoded.
            if placed.step not in (Step.LATE, Step.STRAY):
                self._receive(placed)


def _stamp_problem(placed: Placed[Any]) -> str:
    """Say what is odd about a stamp, if anything."""
    way_s = abs(placed.way_ns) / NS_PER_S
    way = f'{way_s:.3f} s {"behind" if placed.way_ns < 0 else "ahead of"} the newest one'
    stamp = f'header.stamp {placed.stamp_ns} ns'
    if placed.step in (Step.LATE, Step.STRAY):
        return f'{stamp} {placed.step.value}, {way}; the image is left out.'
    if placed.step.restarts:
        return f'{stamp} {placed.step.value}, {way}: all faces start over.'
    return ''
