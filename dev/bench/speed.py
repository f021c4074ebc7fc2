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

"""Frames a second from image message to emotion message, against bare MediaPipe."""

from __future__ import annotations

import statistics
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from dev.bench.pictures import BareMediaPipe, has_detector, new_finder
from emotion_estimator.extras.node_processes import NodeProcess
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.nodes.lifecycle import NO_PUBLISHER_EVENTS, NO_SUBSCRIPTION_EVENTS
from emotion_estimator.stamps import NS_PER_S

# A camera and a listener in the benchmark's own process.


# A serialised message begins with four bytes of encapsulation; header.stamp comes first in it.
_STAMP_OFFSET = 4
_STAMP = struct.Struct('<iI')


class Feeder:
    """
    Sends frames on `image` and hears what comes out on `emotion`.

    :param frames: the frames to send, over and over.
    """

    def __init__(self, frames: list[Rgb]) -> None:
        # Serialised once: what is measured is the nodes, not their camera.
        self._frames = [bytearray(serialize_message(_image(frame))) for frame in frames]
        self.node = rclpy.create_node('bench')
        self.executor = SingleThreadedExecutor()
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


def _image(frame: Rgb) -> Image:
    height, width, channels = frame.shape
    return Image(
        header=Header(frame_id='camera'),
        height=height,
        width=width,
        encoding='rgb8',
        step=width * channels,
        data=frame.tobytes(),
    )


# Time of the emotion node's part of one face and frame: message in, messages out.


REPEATS = 3000
WARM_UP = 100
FRAME_NS = 33_333_333


def measure_emotion_half(frames: list[Rgb], repeats: int = REPEATS) -> dict[str, float]:
    """
    Hand real blendshapes messages to a real, active emotion node.

    :param frames: frames with a face.
    :param repeats: how many messages count.
    :returns: median and 99th percentile in milliseconds.
    """
    finder = new_finder(max_faces=1, detection_rate_hz=0.0)
    sightings = [finder.find(frame, (i + 1) * FRAME_NS) for i, frame in enumerate(frames)]
    finder.close()
    faces = [face for sighting in sightings for face in sighting.faces]
    node = EmotionNode(parameter_overrides=[Parameter('autostart', value=False)])
    node.trigger_configure()
    node.trigger_activate()
    times_s = []
    for i in range(repeats + WARM_UP):
        face, stamp = faces[i % len(faces)], ROS.time(time.time_ns() + i * FRAME_NS)
        message = ROS.blendshapes(face, ROS.header_of_face(face.face_id, stamp))
        start_s = time.perf_counter()
        node._on_blendshapes(message)
        times_s.append(time.perf_counter() - start_s)
    published = node.statistics.report().published
    node.close()
    node.destroy_node()
    if published != repeats + WARM_UP:
        raise RuntimeError(f'Only {published} of {repeats + WARM_UP} messages gave an emotion.')
    times_ms = np.array(times_s[WARM_UP:]) * 1000
    return {
        'emotion_half_ms_p50': float(np.percentile(times_ms, 50)),
        'emotion_half_ms_p99': float(np.percentile(times_ms, 99)),
    }


# Node processes of the benchmark, whose logs go to a file.


LOG = Path('out/bench.log')
"""What nodes, workers and native libraries say meanwhile."""


def new_node(module: str, *arguments: str) -> NodeProcess:
    """
    Start a node.

    :param module: module below emotion_estimator.nodes, such as 'emotion_node'.
    :param arguments: ROS arguments of the node.
    """
    if not has_detector():
        # Nor shall the node seek the detector, which would count as time of its start.
        arguments = (*arguments, '-p', 'detection_rate_hz:=0.0')
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open('ab') as log:
        return NodeProcess(f'nodes.{module}', *arguments, stderr=log)


ROUNDS = 9
FRAMES_A_ROUND = 144
IN_FLIGHT = 2
"""One frame being looked at and one waiting: more would be skipped, as they should be."""
LOST_S = 0.9
PATIENCE_S = 60.0


def measure_throughput(frames: list[Rgb], rounds: int = ROUNDS) -> dict[str, float]:
    """
    Measure both by turns, so that a busy machine disturbs both.

    :param rounds: how many turns each has.
    :returns: median frames a second of each and the median of the rounds' ratios.
    """
    bare = BareMediaPipe()
    feeder = Feeder(frames)
    reliable = 'qos_overrides./image.subscription.reliability:=reliable'
    with new_node('both_nodes', '-p', reliable):
        _pipeline_fps(feeder, 30)
        for frame in frames[:30]:
            bare.look_at(frame)
        fps = [(_bare_fps(bare, frames), _pipeline_fps(feeder)) for _ in range(rounds)]
    feeder.close()
    bare.close()
    return {
        'bare_fps': statistics.median(of_bare for of_bare, _ in fps),
        'pipeline_fps': statistics.median(of_pipeline for _, of_pipeline in fps),
        'pipeline_fps_ratio': statistics.median(p / b for b, p in fps),
    }


def _bare_fps(bare: BareMediaPipe, frames: list[Rgb]) -> float:
    start_s = time.perf_counter()
    for i in range(FRAMES_A_ROUND):
        bare.look_at(frames[i % len(frames)])
    return FRAMES_A_ROUND / (time.perf_counter() - start_s)


def _pipeline_fps(feeder: Feeder, count: int = FRAMES_A_ROUND) -> float:
    """Send a frame whenever the one before the last has come out, and count the answers."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not feeder.connected():
        feeder.spin(0.1)
        _check(deadline_s)
    feeder.forget()
    start_s = last_s = time.perf_counter()
    while len(feeder.heard) < count:
        if feeder.in_flight() < IN_FLIGHT:
            feeder.send()
        else:
            heard = len(feeder.heard)
            feeder.spin(1.0)
            if len(feeder.heard) == heard and time.perf_counter() - last_s > LOST_S:
                # Both were skipped or lost on the way.
                feeder.send()
            last_s = time.perf_counter()
        _check(deadline_s)
    return count / (time.perf_counter() - start_s)


def _check(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise TimeoutError(f'The nodes gave no answer within {PATIENCE_S:g} s; see {LOG}.')


# Latency, loss, memory and start of the two nodes as two processes at 30 frames a second.


RATE_HZ = 30.0
WARM_UP_S = 3.0
BARE_S = 10.0


def measure_latency(
    frames: list[Rgb], duration_s: float, bare_s: float = BARE_S
) -> dict[str, float]:
    """
    Send frames at 30 Hz, best effort, and time the emotion messages by the images' stamps.

    :param duration_s: how long, in seconds.
    :param bare_s: how long MediaPipe is timed alone, before and after.
    :returns: latencies in ms against MediaPipe's own at the same pace, losses, memory, start.
    """
    before_ms = _bare_ms(frames, bare_s)
    feeder = Feeder(frames)
    start_s = time.monotonic()
    with (
        new_node('blendshape_node') as blendshape_node,
        new_node('emotion_node') as emotion_node,
    ):
        while not feeder.heard:
            _send_for(feeder, 0.1)
            if time.monotonic() - start_s > PATIENCE_S:
                raise TimeoutError(f'No emotion within {PATIENCE_S:g} s; see {LOG}.')
        first_emotion_s = time.monotonic() - start_s
        # What went missing while the nodes were still finding each other is none of the frames
        # that count; nor is the one whose stamp tells of the pause.
        _drain(feeder)
        between_before = _counts(feeder)['between']
        _send_for(feeder, WARM_UP_S)
        unused_before = _counts(feeder)['unused']
        feeder.forget()
        for _ in range(round(duration_s)):
            _send_for(feeder, 1.0)
        rss_mb = _rss_mb(blendshape_node) + _rss_mb(emotion_node)
        _drain(feeder)
        counts = _counts(feeder)
        lost = counts['unused'] - unused_before + counts['between'] - between_before
    latencies_ms = np.array(feeder.latencies_s) * 1000
    after_ms = _bare_ms(frames, bare_s)
    mediapipe_ms = float(np.median(before_ms + after_ms))
    found = {
        'frames_sent': len(feeder.sent_ns),
        'frames_lost': lost,
        'frames_lost_in_transport': len(feeder.sent_ns) - len(feeder.heard) - lost,
        'latency_ms_p50': float(np.percentile(latencies_ms, 50)),
        'latency_ms_p99': float(np.percentile(latencies_ms, 99)),
        'mediapipe_ms_p50': mediapipe_ms,
        'latency_over_mediapipe_ms_p50': float(np.percentile(latencies_ms, 50)) - mediapipe_ms,
        'rss_mb': rss_mb,
        'first_emotion_s': first_emotion_s,
    }
    feeder.close()
    return found


def _send_for(feeder: Feeder, duration_s: float) -> None:
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


def _rss_mb(process: NodeProcess) -> float:
    status = Path(f'/proc/{process.process.pid}/status').read_text(encoding='utf-8')
    line = next(line for line in status.splitlines() if line.startswith('VmRSS:'))
    return int(line.split()[1]) / 1024
