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

"""Frames a second, latency, memory and start of both nodes, against bare MediaPipe."""

from __future__ import annotations

import statistics
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from dev.bench.pictures import BareMediaPipe
from emotion_estimator.extras.node_processes import NodeProcess
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.messages import ROS
from emotion_estimator.nodes.lifecycle import NO_PUBLISHER_EVENTS, NO_SUBSCRIPTION_EVENTS
from emotion_estimator.nodes.spin import new_executor
from emotion_estimator.stamps import NS_PER_S

# Figures that are medians of rounds in which what is compared takes turns.


LEAST, MOST = '_least', '_most'


def of_rounds(name: str, values: Iterable[float]) -> dict[str, float]:
    """
    Sum rounds up.

    :param name: the metric's.
    :param values: one of each round.
    :returns: their median by the name, the least and the most by the name with `LEAST`, `MOST`.
    """
    rounds = list(values)
    return {
        name: statistics.median(rounds),
        f'{name}{LEAST}': min(rounds),
        f'{name}{MOST}': max(rounds),
    }


# A camera and a listener in the benchmark's own process.


DOMAINS = range(215, 230)
"""ROS domains of benchmark and soak: neither a user's 0 nor those of tests."""
# A serialised message begins with four bytes of encapsulation; header.stamp comes first in it.
_STAMP_OFFSET = 4
_STAMP = struct.Struct('<iI')


class Feeder:
    """
    Sends frames on `image` and hears what comes out on `emotion`.

    :param frames: the frames to send, over and over.
    :param namespace: of the nodes that it feeds.
    """

    def __init__(self, frames: list[Rgb], namespace: str = '') -> None:
        images = [ROS.picture(frame, Header(frame_id='camera')) for frame in frames]
        # Serialised once: what is measured is the nodes, not their camera.
        self._frames = [bytearray(serialize_message(image)) for image in images]
        # As little beside as can be: it takes of the cores that the nodes are measured on.
        self.node = rclpy.create_node(
            'bench', namespace=namespace, enable_rosout=False, start_parameter_services=False
        )
        self.executor = new_executor()
        self.executor.add_node(self.node)
        self._publisher = self.node.create_publisher(
            Image, 'image', 10, event_callbacks=NO_PUBLISHER_EVENTS
        )
        self._listen(Classification, 'emotion', self._on_emotion, raw=True)
        self._listen(DiagnosticArray, '/diagnostics', self._on_diagnostics, raw=False)
        self.sent_ns: list[int] = []
        self.heard: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.diagnostics: dict[str, dict[str, str]] = {}

    def send(self) -> None:
        """Send the next frame, stamped with the time of day."""
        now_ns = time.time_ns()
        frame = self._frames[len(self.sent_ns) % len(self._frames)]
        _STAMP.pack_into(frame, _STAMP_OFFSET, *divmod(now_ns, NS_PER_S))
        self.sent_ns.append(now_ns)
        self._publisher.publish(bytes(frame))

    def in_flight(self) -> int:
        """Tell how many frames went out after the newest one that has come back."""
        newest_ns = max(self.heard, default=0)
        return sum(stamp_ns > newest_ns for stamp_ns in self.sent_ns[-10:])

    def spin(self, timeout_s: float) -> None:
        """Hear one message, or wait in vain."""
        self.executor.spin_once(timeout_sec=max(timeout_s, 0.0))

    def connected(self) -> bool:
        """Tell whether an image subscription is there."""
        return bool(self._publisher.get_subscription_count())

    def forget(self) -> None:
        """Forget what was sent and heard."""
        self.sent_ns.clear()
        self.heard.clear()
        self.latencies_s.clear()

    def close(self) -> None:
        """Take the node down."""
        self.node.destroy_node()

    def _listen(self, kind: type, topic: str, hear: Callable[..., None], raw: bool) -> None:
        self.node.create_subscription(
            kind, topic, hear, 100, event_callbacks=NO_SUBSCRIPTION_EVENTS, raw=raw
        )

    def _on_emotion(self, message: bytes) -> None:
        now_ns = time.time_ns()
        seconds, nanoseconds = _STAMP.unpack_from(message, _STAMP_OFFSET)
        stamp_ns = seconds * NS_PER_S + nanoseconds
        self.heard[stamp_ns] = time.perf_counter()
        self.latencies_s.append((now_ns - stamp_ns) / NS_PER_S)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {item.key: item.value for item in status.values}


# Node processes of the benchmark, whose logs go to a file.


LOG = Path('out/bench.log')
"""What nodes, workers and native libraries say meanwhile."""


def open_log() -> BinaryIO:
    """Open `LOG` at its end."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    return LOG.open('ab')


def new_node(module: str, *arguments: str) -> NodeProcess:
    """
    Start a node.

    :param module: module below emotion_estimator.nodes, such as 'emotion_node'.
    :param arguments: ROS arguments of the node.
    """
    with open_log() as log:
        return NodeProcess(f'nodes.{module}', *arguments, stderr=log)


ROUNDS, FRAMES_A_ROUND = 5, 288
IN_FLIGHT = 2
"""One frame being looked at and one waiting: more would be skipped, as they should be."""
APART_S = 0.003
"""Of two frames sent in one moment, as by no camera, the second replaces the first unseen."""
LOST_S = 0.9
PATIENCE_S = 60.0
THREADS = (1, 2)


def measure_throughput(frames: list[Rgb], count: int = FRAMES_A_ROUND) -> dict[str, float]:
    """
    Let MediaPipe and both nodes in one process take turns, so that a busy machine disturbs all.

    :param count: how many frames each gets in a round.
    :returns: median frames a second of each, and of the rounds' ratios, with one thread and, by
        names that end in `_2_threads`, with two.
    """
    bare = BareMediaPipe()
    reliable = 'qos_overrides./{0}/image.subscription.reliability:=reliable'
    with ExitStack() as stack:
        stack.callback(bare.close)
        feeders = {}
        for threads in THREADS:
            name = f'threads_{threads}'
            options = ('-p', f'threads:={threads}', '-p', reliable.format(name))
            stack.enter_context(new_node('both_nodes', '-r', f'__ns:=/{name}', *options))
            feeders[threads] = Feeder(frames, name)
            stack.callback(feeders[threads].close)
            pipeline_fps(feeders[threads], 30)
        for frame in frames[:30]:
            bare.look_at(frame)
        fps = [
            (_bare_fps(bare, frames, count), *(pipeline_fps(f, count) for f in feeders.values()))
            for _ in range(ROUNDS)
        ]
    found = {'bare_fps': statistics.median(of_bare for of_bare, *_ in fps)}
    for place, threads in enumerate(THREADS, start=1):
        name = 'pipeline_fps' if threads == 1 else f'pipeline_fps_{threads}_threads'
        found[name] = statistics.median(row[place] for row in fps)
        ratio = name.replace('fps', 'fps_ratio')
        found |= of_rounds(ratio, (row[place] / row[0] for row in fps))
    return found


def _bare_fps(bare: BareMediaPipe, frames: list[Rgb], count: int) -> float:
    start_s = time.perf_counter()
    for i in range(count):
        bare.look_at(frames[i % len(frames)])
    return count / (time.perf_counter() - start_s)


def pipeline_fps(feeder: Feeder, count: int) -> float:
    """Send a frame whenever the last but one has come out; returns answers a second."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not feeder.connected():
        feeder.spin(0.1)
        _check(deadline_s)
    feeder.forget()
    start_s = sent_s = time.perf_counter()
    while len(feeder.heard) < count:
        silent_s = time.perf_counter() - sent_s
        # After so long both were skipped or lost on the way.
        is_due = feeder.in_flight() < IN_FLIGHT or silent_s > LOST_S
        if is_due and silent_s >= APART_S:
            feeder.send()
            sent_s += silent_s
        else:
            feeder.spin(APART_S - silent_s if is_due else LOST_S)
        _check(deadline_s)
    return count / (time.perf_counter() - start_s)


def _check(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise TimeoutError(f'The nodes gave no answer within {PATIENCE_S:g} s; see {LOG}.')


# Latency, loss, memory and start of the two nodes as two processes at 30 frames a second.


RATE_HZ = 30.0
WARM_UP_S, BARE_S = 3.0, 10.0


def measure_latency(
    frames: list[Rgb], duration_s: float, bare_s: float = BARE_S, starts: int = ROUNDS
) -> dict[str, float]:
    """
    Send frames at 30 Hz, best effort, and time the emotion messages by the images' stamps.

    :param duration_s: how long, in seconds.
    :param bare_s: how long MediaPipe is timed alone, before and after.
    :param starts: how often the nodes are started.
    :returns: latencies in ms against MediaPipe's own at the same pace, losses, start, and the
        proportional set size of both processes, to which what other processes share with them
        counts by their share.
    """
    camera = rclpy.create_node('camera')  # as on a robot, it runs long before the nodes start
    before_ms = _bare_ms(frames, bare_s)
    first_s = []
    for _ in range(starts - 1):
        with ExitStack() as stack:
            first_s.append(start_nodes(stack, Feeder(frames))[-1])
    feeder = Feeder(frames)
    with ExitStack() as stack:
        processes, after_s = start_nodes(stack, feeder)
        first_s.append(after_s)
        # What went missing while the nodes were still finding each other is none of the frames
        # that count; nor is the one whose stamp tells of the pause.
        _drain(feeder)
        between_before = _counts(feeder)['between']
        send_for(feeder, WARM_UP_S)
        unused_before = _counts(feeder)['unused']
        feeder.forget()
        for _ in range(round(duration_s)):
            send_for(feeder, 1.0)
        pss_mb = sum(map(_pss_mb, processes))
        sent = len(feeder.sent_ns)
        _drain(feeder)
        heard, latencies_ms = len(feeder.heard), np.array(feeder.latencies_s) * 1000
        counts = _counts(feeder)
        lost = counts['unused'] - unused_before + counts['between'] - between_before
    after_ms = _bare_ms(frames, bare_s)
    camera.destroy_node()
    mediapipe_ms = float(np.median(before_ms + after_ms))
    return {
        'frames_sent': sent,
        'frames_lost': lost,
        'frames_lost_in_transport': sent - heard - lost,
        'latency_ms_p50': float(np.percentile(latencies_ms, 50)),
        'latency_ms_p99': float(np.percentile(latencies_ms, 99)),
        'mediapipe_ms_p50': mediapipe_ms,
        **of_rounds(
            'latency_over_mediapipe_ms_p50',
            (
                float(np.median(part)) - mediapipe_ms
                for part in np.array_split(latencies_ms, ROUNDS)
            ),
        ),
        'rss_mb': pss_mb,
        **of_rounds('first_emotion_s', first_s),
    }


def start_nodes(
    stack: ExitStack, feeder: Feeder, *options: str
) -> tuple[tuple[NodeProcess, NodeProcess], float]:
    """
    Start both nodes in two processes and feed them until an emotion comes.

    :param stack: ends them, and closes the feeder.
    :param options: ROS arguments of blendshape_node.
    :returns: the processes, and the seconds that it took.
    """
    stack.callback(feeder.close)
    where = ('-r', f'__ns:={feeder.node.get_namespace()}')
    start_s = time.monotonic()
    processes = (
        stack.enter_context(new_node('blendshape_node', *where, *options)),
        stack.enter_context(new_node('emotion_node', *where)),
    )
    while not feeder.heard:
        send_for(feeder, 0.1)
        if time.monotonic() - start_s > PATIENCE_S:
            raise TimeoutError(f'No emotion within {PATIENCE_S:g} s; see {LOG}.')
    return processes, time.monotonic() - start_s


def send_for(feeder: Feeder, duration_s: float) -> None:
    """
    Send at `RATE_HZ`.

    :param duration_s: how long, in seconds; at least one frame is sent.
    """
    start_s = time.monotonic()
    for i in range(max(1, round(duration_s * RATE_HZ))):
        feeder.send()
        while (left_s := start_s + (i + 1) / RATE_HZ - time.monotonic()) > 0:
            feeder.spin(left_s)


def _drain(feeder: Feeder) -> None:
    """Stop sending until both nodes have published their counts of all that was sent."""
    feeder.diagnostics.clear()
    quiet_until_s = time.monotonic() + 2.5
    while time.monotonic() < quiet_until_s or len(feeder.diagnostics) < 2:
        feeder.spin(0.1)


def _counts(feeder: Feeder) -> dict[str, int]:
    """Tell how many frames the nodes left unused, and how many went missing between them."""
    faces, emotions = (feeder.diagnostics[name] for name in ('blendshape_node', 'emotion_node'))
    unused = (int(node[key]) for node in (faces, emotions) for key in ('skipped', 'refused'))
    return {
        'unused': sum(unused),
        'between': int(faces['published']) - int(emotions['published']),
    }


def _bare_ms(frames: list[Rgb], duration_s: float) -> list[float]:
    """Time bare MediaPipe at the same pace: a processor that rests between frames is slower."""
    bare = BareMediaPipe()
    times_ms = []
    start_s = time.monotonic()
    for i in range(round(duration_s * RATE_HZ)):
        times_ms.append(1000 * bare.look_at(frames[i % len(frames)]))
        time.sleep(max(0.0, start_s + (i + 1) / RATE_HZ - time.monotonic()))
    bare.close()
    return times_ms[30:]


def _pss_mb(process: NodeProcess) -> float:
    path = Path(f'/proc/{process.process.pid}/smaps_rollup')
    lines = path.read_text(encoding='utf-8').splitlines()
    return int(next(line for line in lines if line.startswith('Pss:')).split()[1]) / 1024
