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

"""What arrives on image topics: whose images, in what order; the latest wait to be looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sensor_msgs.msg import CompressedImage, Image

from emotion_estimator.messages import nanoseconds
from emotion_estimator.nodes.diagnostics import PATIENCE
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.parameters import advice_for_rate
from emotion_estimator.stamps import (
    NS_PER_S,
    FirstSender,
    Placed,
    RateLimiter,
    Step,
    TimeLine,
)

NO_STAMP = "header.stamp is zero; let the driver fill in the image's time."
_HELD_S = 0.3
_LATELY_S = 3.0  # a sender that was silent for longer disturbs nobody any more
_MOST_SENDERS = 8
_LONGEST_FRAME = 80


Item = TypeVar('Item')


class LatestOfEach(Generic[Item]):
    """A place for one item of each sender; those who waited longest come first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: dict[str, Item] = {}
        self._closed = False

    def put(self, sender: str, item: Item) -> bool:
        """
        Leave an item.

        :param sender: its name.
        :param item: the item.
        :returns: whether it replaced one of the same sender that nobody had taken.
        """
        with self._changed:
            replaced = sender in self._items
            self._items[sender] = item
            self._changed.notify()
            return replaced

    def take(self) -> tuple[str, Item] | None:
        """
        Wait for an item.

        :returns: a sender and its latest item, or None once the place is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if self._closed:
                return None
            sender = next(iter(self._items))
            return sender, self._items.pop(sender)

    def drop(self, sender: str) -> None:
        """
        Throw a sender's item away.

        :param sender: its name; one that left nothing is no error.
        """
        with self._changed:
            self._items.pop(sender, None)

    def close(self) -> None:
        """Wake and end whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class CameraStream:
    """
    Follows all images that arrive, also those that will be skipped.

    Where a topic has several senders, it keeps to the one that came first, see `FirstSender`:
    they are distinguished by `header.frame_id`, and where the middleware tells it by publisher.

    :param node: whose statistics count them, and which refuses those that are left out.
    :param topic: resolved name of the topic.
    :param receive: called with each image that may be looked at.
    """

    def __init__(
        self,
        node: ManagedNode,
        topic: str,
        receive: Callable[[Placed[Image | CompressedImage]], None],
    ) -> None:
        self._node = node
        self._topic = topic
        self._receive = receive
        self._sender: FirstSender[tuple[str, bytes]] = FirstSender()
        self._heard_s: dict[tuple[str, bytes], float] = {}  # by the steady clock
        self._warned = False
        self._numbered: tuple[bytes, int] | None = None
        self._line: TimeLine[Image | CompressedImage] = TimeLine()
        self.limit_rate()

    def limit_rate(self) -> None:
        """Take over the parameter `max_rate_hz`."""
        self._max_rate_hz: float = self._node.parameters['max_rate_hz']
        self._pace = RateLimiter(self._max_rate_hz)

    @property
    def frame_id(self) -> str | None:
        """Frame of the camera that is kept to; None before the first image."""
        return None if self._sender.kept is None else self._sender.kept[0]

    @property
    def step_s(self) -> float:
        """See `TimeLine.step_s`."""
        return self._line.step_s

    @property
    def looked_at_step_s(self) -> float:
        """Usual time between images that are looked at, in seconds; 0: not known."""
        least_s = 1 / self._max_rate_hz if self._max_rate_hz else 0.0
        return self.step_s and max(self.step_s, least_s)

    def on_image(self, message: Image | CompressedImage, known: Mapping[str, Any]) -> None:
        """
        Take the next image.

        :param message: the image.
        :param known: what the middleware knows of it, by name; Jazzy's names no publisher.
        """
        stamp_ns = nanoseconds(message.header.stamp)
        gid = known.get('publisher_gid') or {}
        publisher = bytes(gid.get('data', b''))
        if self._is_others(message.header.frame_id, stamp_ns, publisher):
            self._node.statistics.receive_other()
            return
        self._node.statistics.receive(stamp_ns, self._lost(publisher, known))
        if stamp_ns == 0:
            self._node.refuse(NO_STAMP)
            return
        self._pass_on(self._line.follow(stamp_ns, message))

    def watch(self) -> None:
        """Let an image that is held count when none follows it, by the steady clock."""
        silence_s = self._node.statistics.silence.duration_s
        if self._line.waits and silence_s > max(_HELD_S, PATIENCE * self.step_s):
            self._pass_on(self._line.end())

    def _pass_on(self, images: list[Placed[Image | CompressedImage]]) -> None:
        for placed in images:
            if problem := _stamp_problem(placed):
                self._node.refuse(problem)
            # Whether an image repeats another is found out when that could be decoded.
            if placed.step in (Step.LATE, Step.STRAY):
                continue
            if self._pace.is_due(placed.stamp_ns):
                self._receive(placed)
            else:
                self._node.statistics.skip(by_choice=True)

    def _is_others(self, frame_id: str, stamp_ns: int, publisher: bytes) -> bool:
        kept = self._sender.kept
        sender = FirstSender.frame_of(frame_id[:_LONGEST_FRAME], self.frame_id), publisher
        # One that was started again is another publisher; its predecessor has left the graph.
        gone = False
        if kept is not None and sender != kept and sender not in self._heard_s:
            gone = b'' != kept[1] not in self._nodes()
            self._heard_s = {} if gone else self._heard_s
        if sender in self._heard_s or len(self._heard_s) < _MOST_SENDERS:
            self._heard_s[sender] = time.monotonic()
        return self._sender.is_other(sender, stamp_ns, gone)

    def _nodes(self) -> dict[bytes, str]:
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        return {bytes(p.endpoint_gid): p.node_name for p in publishers}

    def _lost(self, publisher: bytes, info: Mapping[str, Any]) -> int | None:
        """Count what the publisher sent between the image before and this one."""
        number = info.get('publication_sequence_number')
        if not isinstance(number, int):
            return None
        before, self._numbered = self._numbered, (publisher, number)
        if before is None or before[0] != publisher or number <= before[1]:
            return 0
        return number - before[1] - 1

    def problems(self) -> list[str]:
        """
        Tell of several senders, and of a rate for which the parameters are not made.

        :returns: sentences.
        """
        absence = {'max_absence_s': self._node.parameters['max_absence_s']}
        advice = advice_for_rate(self.looked_at_step_s, absence)
        return [*self._several_senders(), *filter(None, [advice])]

    def _several_senders(self) -> list[str]:
        since_s = time.monotonic() - _LATELY_S
        self._heard_s = {who: at_s for who, at_s in self._heard_s.items() if at_s > since_s}
        if len(self._heard_s) < 2:
            self._warned = False
            return []
        nodes = self._nodes()
        known = [nodes[publisher] for _, publisher in self._heard_s if publisher in nodes]
        names = known if len(known) == len(self._heard_s) else list(nodes.values())
        publishers = len({publisher for _, publisher in self._heard_s}) if known else len(nodes)
        frames = ', '.join(frame_id or "''" for frame_id, _ in self._heard_s)
        several = (
            f'has {publishers} publishers ({", ".join(names)}; frames {frames})'
            if publishers > 1
            else f'carries images of several frames ({frames}), all from {names[0]}'
        )
        problem = (
            f'{self._topic} {several}: remap one. Only images of the one that came first, frame '
            f'{self.frame_id!r}, are looked at.'
        )
        if not self._warned:
            self._node.get_logger().warning(problem)
        self._warned = True
        return [problem]


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
