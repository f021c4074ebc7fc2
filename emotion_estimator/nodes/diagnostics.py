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

"""Publishes a node's state on /diagnostics once a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from emotion_estimator.nodes.events import NO_PUBLISHER_EVENTS
from emotion_estimator.nodes.stream_statistics import StreamReport

PERIOD_S = 1.0
LOSS_WARNING_SHARE = 0.8
"""Below this share of the sender's own rate, lost frames are worth a warning."""


class Diagnostics:
    """
    Asks for a status once a second, by the steady clock, and publishes it.

    :param node: the node.
    :param status: makes the status.
    """

    def __init__(self, node: Node, status: Callable[[], DiagnosticStatus]) -> None:
        self._node = node
        self._status = status
        self._publisher = node.create_publisher(
            DiagnosticArray, '/diagnostics', 10, event_callbacks=NO_PUBLISHER_EVENTS
        )
        # Simulated time may stand still; the watch over it must not.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self.publish, clock=steady)

    def publish(self) -> None:
        """Publish the status now."""
        message = DiagnosticArray(status=[self._status()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def stream_status(
    name: str, report: StreamReport, problems: list[str], facts: Mapping[str, object]
) -> DiagnosticStatus:
    """
    Make a node's diagnostic status.

    :param name: fully qualified name of the node.
    :param report: its counts.
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
    Tell what is wrong with a stream of messages.

    :param report: its counts.
    :returns: sentences, none when all is well.
    """
    problems = []
    if report.refused_lately:
        problems.append(f'{report.refused_lately} messages refused: {report.last_error}')
    if 0 < report.rate_in_hz < LOSS_WARNING_SHARE * report.stamp_rate_hz:
        problems.append(
            f'{report.rate_in_hz:.1f} Hz arrive of {report.stamp_rate_hz:.1f} Hz stamped: the '
            'sender is slow or skips some, or they are lost on the way; where they are images, '
            'start the camera driver with the Fast DDS profile '
            'config/fastdds_large_images.xml, or use compressed images.'
        )
    return problems


def _text(value: object) -> str:
    if isinstance(value, float):
        return 'nan' if math.isnan(value) else f'{value:.6g}'
    return str(value)
