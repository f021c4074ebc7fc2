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

"""The robot behind the faces: which of its nodes are there, how they fare, its image topics."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.subscription import Subscription

from emotion_estimator.nodes.diagnostics import PATIENCE
from emotion_estimator.nodes.graph import node_of, silence_problems
from emotion_estimator.view.controls import TOPIC_OF, Controls

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
SILENT_S = 1.5
"""Silence of the images after which the page says so, in seconds; of a slow camera later."""
RATE_WINDOW_S = 2.0
_UNKNOWN_RATE_S = 5.0  # so long images may be silent of which few have come
_STATUS_S = 5.0  # a node that says nothing of itself for so long hangs, or has ended
_STEPS = 5  # of the latest tell the usual one
_LOAD_WINDOW_S = 4.0  # of all processors together
_BARELY_IDLE, _IDLE_AGAIN = 0.05, 0.2  # shares of the processors' time
_PLAUSIBLE_S = 10.0  # a longer way from stamp to answer is another clock's
_MOST_TOPICS = 100
_LOOK_EVERY = 4  # pulses: the graph is not asked for its topics more often
_START = (
    'Start the nodes with `ros2 launch emotion_estimator emotion_estimator.launch.py`, or give '
    'this page the namespace and the remappings that they have.'
)


class Arrivals:
    """Counts messages of the last seconds, by the steady clock."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=500)
        self.since_s = self.last_s = time.monotonic()

    def add(self, latency_s: float = 0.0) -> None:
        """
        Count one.

        :param latency_s: since its stamp, in seconds.
        """
        self.last_s = time.monotonic()
        self._arrivals.append((self.last_s, latency_s))

    @property
    def silence_s(self) -> float:
        """Seconds since the last one, or since it was begun to listen."""
        return time.monotonic() - self.last_s

    @property
    def patience_s(self) -> float:
        """Silence after which something is wrong, in seconds: a slow camera may take longer."""
        if not self._arrivals:
            return SILENT_S
        return max(SILENT_S, PATIENCE * self._step_s() or _UNKNOWN_RATE_S)

    def _step_s(self) -> float:
        """Tell the usual time between two; 0 while not known."""
        latest_s = [at_s for at_s, _ in self._arrivals][-_STEPS - 1 :]
        return float(np.median(np.diff(latest_s))) if len(latest_s) > 2 else 0.0

    def _window_s(self) -> float:
        return max(RATE_WINDOW_S, PATIENCE * self._step_s())

    def rate_hz(self) -> float:
        """Tell how many came a second."""
        window_s = min(self._window_s(), max(time.monotonic() - self.since_s, 0.1))
        begin_s = time.monotonic() - window_s
        return sum(at_s > begin_s for at_s, _ in self._arrivals) / window_s

    def latency_s(self) -> float | None:
        """Tell the median latency; None where nothing came, or stamps are of another clock."""
        begin_s = time.monotonic() - self._window_s()
        latencies_s = [latency_s for at_s, latency_s in self._arrivals if at_s > begin_s]
        median_s = float(np.median(latencies_s)) if latencies_s else -1.0
        return median_s if 0 <= median_s < _PLAUSIBLE_S else None


class Load:
    """
    Tells whether the processors are all busy, by what they did in the last seconds.

    :param times_s: gives the seconds in which they were idle and those that passed, of all
        together; None where the system does not tell.
    """

    def __init__(self, times_s: Callable[[], tuple[float, float] | None] | None = None) -> None:
        self._times_s = times_s or _processor_times_s
        self._before = self._times_s()
        self._high = False

    def is_high(self) -> bool:
        """Tell whether they are; it takes some idle time until they are no more."""
        now = self._times_s()
        if now is not None and self._before is not None:
            idle_s, passed_s = (a - b for a, b in zip(now, self._before))
            if passed_s > _LOAD_WINDOW_S:
                self._high = idle_s / passed_s < (_IDLE_AGAIN if self._high else _BARELY_IDLE)
                self._before = now
        return self._high


def _processor_times_s() -> tuple[float, float] | None:
    try:
        line = Path('/proc/stat').read_text(encoding='ascii').partition('\n')[0]
        tick_s, times = 1 / os.sysconf('SC_CLK_TCK'), [int(x) for x in line.split()[1:9]]
        return tick_s * sum(times[3:5]), tick_s * sum(times)
    except (OSError, ValueError):
        return None  # no Linux


class Robot:
    """
    Looks at the robot while a page is open; used by the thread that spins alone, but for `facts`.

    :param node: asks the graph.
    :param subscribe: makes guarded subscriptions, see `Listener.subscribe`.
    :param controls: of its parameters; it is given the names of the nodes.
    """

    def __init__(
        self,
        node: Node,
        subscribe: Callable[..., Subscription[Any]],
        controls: Controls,
    ) -> None:
        self._node = node
        self._subscribe = subscribe
        self._controls = controls
        self._diagnostics: Subscription[Any] | None = None
        self._names: dict[str, str] = {}
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._heard_s: dict[str, float] = {}  # when each of them came
        self._pulses = 0
        self._topics: list[tuple[str, str]] = []
        self._chosen = ''
        self.images = Arrivals()
        self.answers = Arrivals()
        self.remark = ''
        """What else the page says in a few words, beside the rates."""
        self.unshown = ''
        """Why the images are not shown, to the end of a sentence; empty where they are."""
        self.facts: dict[str, Any] = {'kind': 'health', 'level': 'ok', 'problems': []}
        """What the page shows of it; replaced as a whole, so that any thread may read it."""

    def start(self) -> None:
        """Listen to what the nodes say of themselves."""
        self._diagnostics = self._subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics)
        self._controls.start()
        self.images, self.answers = Arrivals(), Arrivals()
        self._pulses = 0

    def stop(self) -> None:
        """Listen to nothing."""
        if self._diagnostics is not None:
            self._node.destroy_subscription(self._diagnostics)
            self._diagnostics = None
        self._controls.stop()
        self._names.clear()
        self._statuses.clear()

    # Nodes and topics.

    def look(self) -> None:
        """Look at which nodes and image topics there are."""
        for name, topic in TOPIC_OF.items():
            self._names[name] = self._publisher_of(self._node.resolve_topic_name(topic))
            self._controls.follow(name, self._names[name])
        if self._pulses % _LOOK_EVERY == 0:
            self._topics = sorted(
                (topic, kind)
                for topic, kinds in self._node.get_topic_names_and_types()
                for kind in IMAGE_TYPES
                if kind in kinds
            )[:_MOST_TOPICS]
        self._pulses += 1

    def _publisher_of(self, topic: str) -> str:
        """Name the node that publishes a topic, in full; empty where there is none."""
        names = map(node_of, self._node.get_publishers_info_by_topic(topic))
        return next(filter(None, names), '')

    def image_topic(self) -> tuple[str, str]:
        """
        Tell which images are shown: those that were chosen, or those that blendshape_node takes.

        :returns: topic and type of its messages.
        """
        kinds = dict(self._topics)
        if self._chosen in kinds:
            return self._chosen, kinds[self._chosen]
        name = self._names.get('blendshape_node', '')
        if name:
            space, _, base = name.rpartition('/')
            taken = self._node.get_subscriber_names_and_types_by_node(base, space or '/')
            for topic, types in taken:
                # Of another detector's crops none is what boxes and frames are told of.
                if types and types[0] in IMAGE_TYPES and not topic.startswith('/humans/faces/'):
                    return topic, types[0]
        return self._node.resolve_topic_name('image'), IMAGE_TYPES[0]

    def choose(self, topic: str) -> None:
        """
        Choose which images are shown.

        :param topic: one of those listed; empty takes those that blendshape_node takes.
        """
        self._chosen = topic if topic in dict(self._topics) else ''

    # How they fare.

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        names = {name.lstrip('/') for name in self._names.values() if name}
        for status in message.status:
            if status.name in names:
                self._statuses[status.name] = status
                self._heard_s[status.name] = time.monotonic()

    def report(self, image: Subscription[Any] | None) -> dict[str, Any]:
        """
        Say how the robot fares.

        :param image: subscription to the images; None while they are not listened to.
        :returns: what the page shows, ready for JSON.
        """
        topic = '' if image is None else image.topic_name
        problems = list(self._problems(image))
        latency_s = self.answers.latency_s()
        camera = {
            'topic': topic,
            'publisher': self._publisher_of(topic) if topic else '',
            'rate': round(self.images.rate_hz(), 1),
        }
        nodes = [self._row(name) for name in TOPIC_OF]
        images = f'{_few(self.images.rate_hz())} images/s'
        answers = f'{_few(self.answers.rate_hz())} answers/s'
        way = '' if latency_s is None else f' · {1000 * latency_s:.0f} ms'
        further = f' · {self.remark}' if self.remark else ''
        self.facts = {
            'kind': 'health',
            'level': 'warn' if problems else 'ok',
            'summary': f'{images} · {answers}{way}{further}',
            'problems': problems,
            'camera': camera,
            'nodes': nodes,
            'topics': [name for name, _ in self._topics],
            'chosen': self._chosen,
            'values': self._controls.values,
        }
        return self.facts

    def _problems(self, image: Subscription[Any] | None) -> Iterator[str]:
        silent = image is not None and self.images.silence_s > self.images.patience_s
        if silent and image is not None:
            yield from silence_problems(self._node, image, False, self.images.silence_s)
        if image is not None and self.unshown:
            yield f'No picture is shown: {self.unshown}'
        for name, topic in TOPIC_OF.items():
            if not self._names.get(name):
                resolved = self._node.resolve_topic_name(topic)
                yield f'No {name} is there: nobody publishes {resolved}. {_START}'
        for name in self._names.values():
            status = self._statuses.get(name.lstrip('/'))
            if status is None:
                continue
            # The graph tells of a process that was killed after some twenty seconds only.
            if time.monotonic() - self._heard_s[status.name] > _STATUS_S:
                yield (
                    f'{status.name}: it has said nothing on /diagnostics for more than '
                    f'{_STATUS_S:g} s. Look whether its process runs.'
                )
                continue
            if status.level == DiagnosticStatus.OK:
                continue
            # The page noticed that itself, and sooner.
            if not (
                silent
                and image
                and status.message.startswith(f'Nothing arrived on {image.topic_name}')
            ):
                yield f'{name.lstrip("/")}: {status.message}'

    def _row(self, name: str) -> dict[str, Any]:
        full = self._names.get(name, '')
        status = self._statuses.get(full.lstrip('/'))
        values = {} if status is None else {item.key: item.value for item in status.values}
        return {
            'name': full or name,
            'there': bool(full),
            'in': _number(values.get('rate_in_hz')),
            'out': _number(values.get('rate_out_hz')),
            'skipped': _number(values.get('skipped')),
            'lost': _number(values.get('lost')),
            'latency': _number(values.get('latency_p50_s')),
            'model': values.get('model', ''),
        }


def _few(rate_hz: float) -> str:
    """Write a rate without digits that say nothing."""
    return f'{round(rate_hz, 1 if rate_hz < 1 else 0):g}'


def _number(text: str | None) -> float | None:
    try:
        value = float(text or 'nan')
    except ValueError:
        return None
    return value if np.isfinite(value) else None
