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
How one image's stamp follows another: time is the message's stamp, in nanoseconds.

And whose images they are, where a topic has several senders, and which of them are looked at,
where that is done less often than they come.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, TypeVar

NS_PER_S = 1_000_000_000
LATE_S = 0.5
"""A stamp that lies no further behind the newest one, in seconds, is late: it ends nothing."""
SILENCE_S = 10.0
"""A camera that is silent for no longer, in seconds, goes on with the same faces."""
_AHEAD = 3.0  # times the longest of the latest steps: further ahead a stamp may be a wrong one
_LATEST_STEPS = 8
_KEPT_STEPS = 24
_KNOWN_STEPS = 3  # with fewer steps nobody knows what is usual


class Step(enum.Enum):
    """How a stamp follows the one before it."""

    FIRST = 'first'
    FORWARD = 'forward'
    REPEATED = 'repeated'
    LATE = 'came late'
    STRAY = 'stands alone'
    BACK = 'went back'
    JUMP = 'jumped ahead'

    @property
    def restarts(self) -> bool:
        """Whether what came before belongs to another time line."""
        return self in (Step.BACK, Step.JUMP)

    @property
    def left_out(self) -> bool:
        """Whether the image with this stamp is not to be looked at."""
        return self in (Step.REPEATED, Step.LATE, Step.STRAY)


Item = TypeVar('Item')


@dataclass(frozen=True)
class Placed(Generic[Item]):
    """
    A stamp and its place in time.

    :param item: what carries the stamp, such as an image.
    :param step: how it follows those before.
    :param way_ns: from the newest stamp before to this one, in nanoseconds; 0 for the first.
    :param line: number of its time line, from 0.
    :param pause: whether the step is longer than what is usual.
    """

    item: Item
    stamp_ns: int
    step: Step
    way_ns: int
    line: int
    pause: bool = False


class TimeLine(Generic[Item]):
    """
    Follows the stamps of one sender as they arrive, good or bad.

    - A stamp that comes a second time is left out.
    - One that lies behind the newest by at most `LATE_S` is late, and left out.
    - One that lies further behind, or ahead by more than `ahead_s` and than three times what is
      usual, is held until the next one arrives. Where that follows it, both count: the sender
      paused, or its clock was set. Otherwise it stood alone, and is left out. Where none arrives
      it counts, unless it jumped ahead. What repeats it stands alone too: it follows nothing.
    - A step back, and one ahead by more than `SILENCE_S`, begins a new time line.

    Before some steps are known nothing is usual, so that nothing is held.

    :param ahead_s: longest step ahead in seconds that is never held.
    """

    def __init__(self, ahead_s: float = 0.2) -> None:
        self._ahead_ns = ahead_s * NS_PER_S
        self._newest_ns: int | None = None
        self._line = 0
        self._steps_ns: deque[int] = deque(maxlen=_KEPT_STEPS)
        self._held: Placed[Item] | None = None

    def follow(self, stamp_ns: int, item: Item) -> list[Placed[Item]]:
        """
        Take the next stamp.

        :param item: what carries it.
        :returns: the item with its place, behind the one that was held, if any; none while this
            one is held. Each item is returned once.
        """
        newest_ns, held = self._newest_ns, self._held
        if newest_ns is None:
            return [self._take(stamp_ns, item)]
        way_ns = stamp_ns - newest_ns
        if way_ns == 0:
            return [Placed(item, stamp_ns, Step.REPEATED, way_ns, self._line)]
        if held is not None and stamp_ns == held.stamp_ns:
            return [replace(held, item=item)]
        if -LATE_S * NS_PER_S <= way_ns < 0:
            return [Placed(item, stamp_ns, Step.LATE, way_ns, self._line)]
        if len(self._steps_ns) < _KNOWN_STEPS or 0 < way_ns <= self._usual_ns():
            return [*self._rest(), self._take(stamp_ns, item)]
        if held is not None and (held.way_ns < 0) == (way_ns < 0) and held.stamp_ns < stamp_ns:
            self._held = None
            first = self._take(held.stamp_ns, held.item)
            if first.step is Step.FORWARD:
                self._steps_ns.pop()  # A pause is no usual step.
            return [replace(first, pause=True), self._take(stamp_ns, item)]
        before = self._rest()
        self._held = Placed(item, stamp_ns, Step.STRAY, way_ns, self._line)
        return before

    def follow_at_once(self: TimeLine[None], stamp_ns: int) -> Placed[None]:
        """
        Take the next stamp for a caller who cannot wait.

        What lies far ahead is left out where it would be held. A step back begins a new time line
        at once: who shows one clip after the other shall lose no image.
        """
        placed = self.follow(stamp_ns, None)
        held = self._held
        if held is None or held.stamp_ns != stamp_ns:
            first, last = placed[0], placed[-1]
            if first is last or not first.step.restarts:
                return last
            return replace(last, step=first.step, way_ns=first.way_ns + last.way_ns)
        if held.way_ns > 0:
            return held
        self._held = None
        return self._take(stamp_ns, None)

    def _usual_ns(self) -> float:
        latest = list(self._steps_ns)[-_LATEST_STEPS:]
        return max(self._ahead_ns, _AHEAD * max(latest))

    @property
    def step_s(self) -> float:
        """Time between stamps that is usual of late, of bursts between them; 0: not known."""
        return usual_step_s(self._steps_ns)

    def end(self) -> list[Placed[Item]]:
        """
        Give up waiting for the stamp that would follow the one that is held.

        :returns: the item that was held, if any; it counts unless it jumped ahead.
        """
        if self._held is None or self._held.way_ns > SILENCE_S * NS_PER_S:
            return self._rest()
        held, self._held = self._held, None
        return [self._take(held.stamp_ns, held.item)]

    @property
    def waits(self) -> bool:
        """Whether a stamp is held that `end` would let count."""
        return self._held is not None and self._held.way_ns <= SILENCE_S * NS_PER_S

    def _rest(self) -> list[Placed[Item]]:
        held, self._held = self._held, None
        return [] if held is None else [held]

    def _take(self, stamp_ns: int, item: Item) -> Placed[Item]:
        newest_ns, self._newest_ns = self._newest_ns, stamp_ns
        if newest_ns is None:
            return Placed(item, stamp_ns, Step.FIRST, 0, self._line)
        way_ns = stamp_ns - newest_ns
        if 0 < way_ns <= SILENCE_S * NS_PER_S:
            self._steps_ns.append(way_ns)
            return Placed(item, stamp_ns, Step.FORWARD, way_ns, self._line)
        self._line += 1
        self._steps_ns.clear()
        step = Step.BACK if way_ns < 0 else Step.JUMP
        return Placed(item, stamp_ns, step, way_ns, self._line)


def stamp_problem(placed: Placed[Item], restart: str = 'all faces start over') -> str:
    """
    Say what is odd about an image's stamp, if anything.

    :param placed: the image with that stamp.
    :param restart: what a new time line does.
    """
    way_s = abs(placed.way_ns) / NS_PER_S
    way = f'{way_s:.3f} s {"behind" if placed.way_ns < 0 else "ahead of"} the newest one'
    stamp = f'header.stamp {placed.stamp_ns} ns'
    if placed.step is Step.REPEATED:
        return f'{stamp} came twice; the second is left out.'
    if placed.step.left_out:
        return f'{stamp} {placed.step.value}, {way}; the image is left out.'
    if placed.step.restarts:
        return f'{stamp} {placed.step.value}, {way}: {restart}.'
    return ''


def usual_step_s(steps_ns: Collection[int]) -> float:
    """
    Tell how far stamps lie apart, whatever a pause or two do.

    :param steps_ns: from one stamp to the next, in nanoseconds.
    :returns: a time in seconds that a quarter of the steps, and three, reach: of series of
        images the time from one to the next; 0 where that cannot be known.
    """
    rank = min(3 * len(steps_ns) // 4, len(steps_ns) - _KNOWN_STEPS)
    return sorted(steps_ns)[rank] / NS_PER_S if rank >= 0 else 0.0


LONGEST_GAP_S = 0.5
"""A face unseen for longer is a new face, and in a longer pause of the camera nothing is known."""
_MOST_GAP_S = 5.0  # however slow the camera is


def longest_gap_s(stamps_ns: Iterable[int]) -> float:
    """
    Tell how far apart images that belong together may be: of a slow camera further.

    :param stamps_ns: of all images, ascending, in nanoseconds.
    :returns: half as much again as is usual, in seconds, from `LONGEST_GAP_S` to 5.
    """
    steps_ns = [after - before for before, after in pairwise(stamps_ns)]
    return min(max(1.5 * usual_step_s(steps_ns), LONGEST_GAP_S), _MOST_GAP_S)


_HANDOVER_S = 5.0
_MOST_OTHERS = 8
"""Of so many other senders it is remembered how long they have sent."""


Sender = TypeVar('Sender')


class FirstSender(Generic[Sender]):
    """
    Keeps to one of several senders of a topic, the one that came first.

    Another one takes its place when it has sent for five seconds, by its own stamps, without a
    word of the first in between. A step that begins a new time line, see `TimeLine`, does not
    count: of a camera that sends now and then, the stretches in which it sends add up.
    """

    def __init__(self) -> None:
        self.kept: Sender | None = None
        """The sender that is kept to; None before the first image."""
        # Of each other one, latest last: its newest stamp, and how long it has sent.
        self._others: dict[Sender, tuple[int, int]] = {}

    @staticmethod
    def frame_of(frame_id: str, kept: str | None) -> str:
        """
        Read a frame_id; an empty one tells nothing, so that it makes no other sender.

        :param frame_id: as the image has it.
        :param kept: that of the sender that is kept to; None before the first image.
        :returns: what tells the sender from others.
        """
        return kept if kept is not None and not (frame_id and kept) else frame_id

    def is_other(self, sender: Sender, stamp_ns: int, gone: bool = False) -> bool:
        """
        Tell whether the next image is none of the sender that is kept to.

        :param sender: what tells it from others.
        :param stamp_ns: the image's stamp in nanoseconds.
        :param gone: whether the sender that is kept to is known to be away.
        :returns: whether the image is to be left out.
        """
        if self.kept is not None and sender != self.kept and not gone:
            newest_ns, sent_ns = self._others.pop(sender, (stamp_ns, 0))
            way_ns = stamp_ns - newest_ns
            if -LATE_S * NS_PER_S <= way_ns <= SILENCE_S * NS_PER_S:
                newest_ns, sent_ns = max(newest_ns, stamp_ns), sent_ns + max(way_ns, 0)
            else:
                newest_ns = stamp_ns  # its clock was set, or it had paused
            if sent_ns <= _HANDOVER_S * NS_PER_S:
                if len(self._others) >= _MOST_OTHERS:
                    del self._others[next(iter(self._others))]
                self._others[sender] = newest_ns, sent_ns
                return True
        self.kept = sender
        self._others.clear()
        return False


def looked_at_step_s(step_s: float, max_rate_hz: float) -> float:
    """
    Tell how far apart images are that are looked at.

    :param step_s: from one image to the next, in seconds; 0: not known.
    :param max_rate_hz: most of them that are looked at a second; 0 is all.
    :returns: the time in seconds; 0: not known.
    """
    return step_s and max(step_s, 1 / max_rate_hz if max_rate_hz else 0.0)


class RateLimiter:
    """
    Lets images pass at most at a rate, by their stamps.

    :param rate_hz: images a second; 0 lets all pass.
    :param early: share of a period by which an image may come before it is due: cameras jitter.
    """

    def __init__(self, rate_hz: float, early: float = 0.02) -> None:
        self._period_ns = NS_PER_S / rate_hz if rate_hz else 0.0
        self._early_ns = min(early * self._period_ns, NS_PER_S)
        self._due_ns: float | None = None
        self._newest_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """
        Tell whether the next image is due; images go by a grid of the rate.

        :returns: whether it passes.
        """
        back = self._newest_ns is not None and stamp_ns < self._newest_ns
        self._newest_ns = stamp_ns
        late_ns = 0.0 if self._due_ns is None else stamp_ns - self._due_ns
        # The grid starts over behind a gap or a step back.
        if self._due_ns is None or back or late_ns > self._period_ns:
            self._due_ns = stamp_ns + self._period_ns
            return True
        if late_ns < -self._early_ns:
            return False
        self._due_ns += self._period_ns
        return True
