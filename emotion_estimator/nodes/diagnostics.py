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

"""Counts a stream's messages and publishes a node's state on /diagnostics once a second."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from emotion_estimator.stamps import NS_PER_S

# Counts what goes into and out of a node.


WATCH_PERIOD_S = 0.1
_STALL_S = 0.8


@dataclass(frozen=True)
class StreamReport:
    """
    Counts since the start, and rates and latencies of the last period.

    :param received: messages that arrived.
    :param of_others: further ones, of senders that are not listened to.
    :param lost: messages that were sent and did not arrive, where the middleware tells.
    :param skipped: messages replaced by a newer one before their turn.
    :param passed_over: messages that were not looked at since `max_rate_hz` asks for fewer.
    :param refused: messages that could not be used.
    :param published: results sent.
    :param rate_in_hz: messages a second.
    :param rate_out_hz: results a second.
    :param stamp_rate_hz: rate of the sender by its own stamps; 0 when not known.
    :param latency_p50_s: median time from stamp to result in seconds; nan without results.
    :param latency_p95_s: 95th percentile in seconds.
    :param lost_share: share of the messages that did not arrive of late; 0 while not known.
    :param loses: whether that is worth a warning.
    :param received_lately: messages of the last period that arrived.
    :param skipped_lately: messages of the last period replaced by a newer one before their turn.
    :param skips_last: whether most were skipped in the last two periods: a burst is no burden.
    :param refused_lately: messages of the last period that could not be used.
    :param last_error: the last reason for which a message was refused.
    """

    received: int
    of_others: int
    lost: int
    skipped: int
    passed_over: int
    refused: int
    published: int
    rate_in_hz: float
    rate_out_hz: float
    stamp_rate_hz: float
    lost_share: float
    loses: bool
    latency_p50_s: float
    latency_p95_s: float
    received_lately: int
    skipped_lately: int
    skips_last: bool
    refused_lately: int
    last_error: str


class Silence:
    """
    Time since something was heard, but for times in which this process stood still.

    :param clock_s: a steady clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._heard_s = self._watched_s = clock_s()

    def hear(self) -> None:
        """Hear something now."""
        self._heard_s = self._clock_s()

    def watch(self) -> None:
        """Look at the clock, at least twice a second: a longer gap is this process's own."""
        now_s = self._clock_s()
        if now_s - self._watched_s > _STALL_S:
            self._heard_s = now_s
        self._watched_s = now_s

    @property
    def duration_s(self) -> float:
        """Seconds since something was heard last, or since the start."""
        self.watch()
        return self._clock_s() - self._heard_s


class StreamStatistics:
    """
    Counts messages; may be used from several threads.

    :param clock_s: a steady clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._received = self._of_others = self._lost = 0
        self._skipped = self._passed_over = self._refused = self._published = 0
        # Of the latest messages, whatever the period: steps of the stamps, and losses before each.
        self._steps: deque[tuple[int, int | None]] = deque(maxlen=2 * _HALF)
        self._skips = self._loses = False
        self._last_error = ''
        self._last_stamp_ns: int | None = None
        self.silence = Silence(clock_s)
        self._start_period()

    def _start_period(self) -> None:
        self._period_start_s = self._clock_s()
        self._counts_then = (self._received, self._published, self._refused, self._skipped)
        self._latencies_s: deque[float] = deque(maxlen=1000)

    @property
    def any_received(self) -> bool:
        """Whether a message has arrived since the start."""
        return self._received > 0

    def receive(self, stamp_ns: int, lost: int | None = None) -> None:
        """
        Count a message that arrived.

        :param lost: how many of its sender were lost before it; None where nobody knows.
        """
        with self._lock:
            self._received += 1
            self._lost += lost or 0
            self.silence.hear()
            if self._last_stamp_ns is not None and stamp_ns > self._last_stamp_ns:
                self._steps.append((stamp_ns - self._last_stamp_ns, lost))
            self._last_stamp_ns = stamp_ns

    def receive_other(self) -> None:
        """Count a message that arrived from a sender that is not listened to."""
        with self._lock:
            self._of_others += 1

    def skip(self, by_choice: bool = False) -> None:
        """Count a message that a newer one replaced, or one that is passed over by choice."""
        with self._lock:
            self._skipped += not by_choice
            self._passed_over += by_choice

    def refuse(self, reason: str) -> None:
        """Count a message that could not be used."""
        with self._lock:
            self._refused += 1
            self._last_error = reason

    def publish(self, latency_s: float | None) -> None:
        """
        Count a result that was sent.

        :param latency_s: time from the image's stamp to now, in seconds; None: not known.
        """
        with self._lock:
            self._published += 1
            if latency_s is not None:
                self._latencies_s.append(latency_s)

    def report(self) -> StreamReport:
        """
        Close the period.

        :returns: the counts; rates are over the time since the last report.
        """
        with self._lock:
            duration_s = max(self._clock_s() - self._period_start_s, 1e-9)
            received, published, refused, skipped = self._counts_then
            received_lately, skipped_lately = self._received - received, self._skipped - skipped
            skips_before, self._skips = (
                self._skips,
                skipped_lately > max(received_lately // 2, FEW_SKIPPED),
            )
            lost_share = self._lost_share()
            # Twice the share begins a warning that ends it: one about the limit does not flicker.
            self._loses = lost_share > LOST_WARNING_SHARE / (2 if self._loses else 1)
            latencies_s = np.array(self._latencies_s or [np.nan])
            report = StreamReport(
                received=self._received,
                of_others=self._of_others,
                lost=self._lost,
                skipped=self._skipped,
                passed_over=self._passed_over,
                refused=self._refused,
                published=self._published,
                rate_in_hz=(self._received - received) / duration_s,
                rate_out_hz=(self._published - published) / duration_s,
                stamp_rate_hz=self._stamp_rate_hz(),
                lost_share=lost_share,
                loses=self._loses,
                latency_p50_s=float(np.percentile(latencies_s, 50)),
                latency_p95_s=float(np.percentile(latencies_s, 95)),
                received_lately=received_lately,
                skipped_lately=skipped_lately,
                skips_last=skips_before and self._skips,
                refused_lately=self._refused - refused,
                last_error=self._last_error,
            )
            self._start_period()
            return report

    def _stamp_rate_hz(self) -> float:
        """Estimate the sender's rate from the shortest steps, which no lost message lengthens."""
        if len(self._steps) < _FEWEST_STEPS:
            return 0.0
        return NS_PER_S / float(np.percentile([step_ns for step_ns, _ in self._steps], 10))

    @property
    def loses_now(self) -> bool:
        """Whether many were lost of late, lasting or not: the rate is not the sender's then."""
        with self._lock:
            return _missing_share(list(self._steps)) > LOST_WARNING_SHARE

    def _lost_share(self) -> float:
        """Tell how many are missing all the time: a gap, or another rate, is no lasting loss."""
        steps = list(self._steps)
        half = len(steps) // 2
        # Of few that come in some seconds it is known where they are counted alone.
        counted = all(lost is not None for _, lost in steps)
        lasted_s = sum(step_ns for step_ns, _ in steps) / NS_PER_S
        known = half == _HALF or (counted and half >= _FEWEST_COUNTED and lasted_s > _LASTING_S)
        if not known or self.silence.duration_s > _OUTDATED_S:
            return 0.0
        return min(_missing_share(steps[:half]), _missing_share(steps[half:]))


def _missing_share(steps: list[tuple[int, int | None]]) -> float:
    if not steps:
        return 0.0
    losses = [lost for _, lost in steps if lost is not None]
    if len(losses) == len(steps):
        return sum(losses) / (sum(losses) + len(steps))
    # Nobody counts: where messages of an even stream are missing, steps are multiples of some.
    steps_ns = np.array([step_ns for step_ns, _ in steps])
    periods = steps_ns / np.percentile(steps_ns, 10)
    whole = np.rint(periods)
    even = (np.abs(periods - whole) < _JITTER) & (whole <= _MOST_MISSING)
    if even.mean() < _EVEN_SHARE or (whole == 1).mean() < 1 - _EVEN_SHARE:
        return 0.0
    return float(1 - even.sum() / whole[even].sum())


PERIOD_S = 1.0
LOST_WARNING_SHARE = 0.2
"""Above this share, lost messages are worth a warning."""
_HALF = 20  # messages; a loss is lasting when it shows in two such halves
_FEWEST_COUNTED = 5  # of a half
_LASTING_S = 4.0
_OUTDATED_S = 10.0  # of silence: what was lost before it says nothing of now
_FEWEST_STEPS = 2
_JITTER = 0.2  # of a period
_MOST_MISSING = 10  # periods; after more the camera paused
_EVEN_SHARE = 0.8

FEW_SKIPPED = 3
"""So many skipped messages a second are not worth a warning."""


class Diagnostics:
    """
    Asks for a status once a second, by the steady clock, and publishes it.

    :param status: makes the status.
    """

    def __init__(self, node: Node, status: Callable[[], DiagnosticStatus]) -> None:
        self._node = node
        self._status = status
        self._told: Collection[str] = ()
        self._now_ns, self._still = 0, 0
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Simulated time may stand still; the watch over it must not.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self.publish, clock=steady)

    def publish(self) -> None:
        """Publish the status now."""
        message = DiagnosticArray(status=[self._status()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def log_begun(self, alarms: Mapping[str, str]) -> None:
        """
        Log what has begun since the call before.

        :param alarms: what is wrong now, in sentences by kind.
        """
        for kind, sentence in alarms.items():
            if kind not in self._told:
                self._node.get_logger().warning(sentence)
        self._told = alarms.keys()

    def clock_problem(self) -> str:
        """Tell that the node's time stands still since nobody tells it; asked once a second."""
        before_ns, self._now_ns = self._now_ns, self._node.get_clock().now().nanoseconds
        self._still = self._still + 1 if self._now_ns == before_ns else 0
        clock = self._node.resolve_topic_name('/clock')
        if self._still * PERIOD_S < INPUT_TIMEOUT_S or self._node.count_publishers(clock):
            return ''
        return (
            f'use_sim_time is true, but nobody publishes {clock}: no latency is known. Play the '
            'bag with --clock, start the simulator, or set use_sim_time to false.'
        )


def stream_status(
    name: str, report: StreamReport, problems: list[str], facts: Mapping[str, object]
) -> DiagnosticStatus:
    """
    Make a node's diagnostic status.

    :param name: fully qualified name of the node.
    :param problems: sentences that are worth a warning.
    :param facts: further keys and values.
    :returns: OK, or WARN with all that is wrong.
    """
    problems = [*problems, *stream_problems(report)]
    summary = f'{report.rate_in_hz:.1f} Hz in, {report.rate_out_hz:.1f} Hz out'
    values = {**facts, **asdict(report)}
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
        name=name.lstrip('/'),
        message=' '.join(problems) or summary,
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
    )


def stream_problems(report: StreamReport) -> list[str]:
    """
    Tell what is wrong with the messages that arrive.

    :returns: sentences, none when all is well.
    """
    problems = []
    if report.refused_lately:
        problems.append(f'{report.refused_lately} messages refused: {report.last_error}')
    if report.skips_last:
        problems.append(
            f'{report.skipped_lately} of {report.received_lately} messages were skipped in the '
            'last second, since the work on one takes longer than the next takes to come: send '
            'smaller images or fewer, lower max_faces or detection_rate_hz, or free the machine.'
        )
    return problems


def loss_problem(report: StreamReport, topic: str) -> str:
    """
    Tell that many messages of a topic do not arrive.

    :returns: a sentence that says what to do; '' when all is well.
    """
    if not report.loses:
        return ''
    return (
        f'{report.lost_share:.0%} of the messages on {topic} do not arrive: they are lost on the '
        'way, or the sender leaves them out; where they are images, start the camera driver with '
        'the Fast DDS profile config/fastdds_large_images.xml, or use compressed images.'
    )


INPUT_TIMEOUT_S = 2.0
"""Silence of the input, in seconds, after which a warning says why it may be silent."""
PATIENCE = 3.0
"""Times the usual step between images for which a camera may be silent."""


def _text(value: object) -> str:
    if isinstance(value, float):
        return 'nan' if math.isnan(value) else f'{value:.6g}'
    return str(value)
