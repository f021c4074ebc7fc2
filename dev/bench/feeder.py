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

"""A camera and a listener in the benchmark's own process."""

from __future__ import annotations

import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from dev.bench.clip import Rgb
from emotion_estimator.messages import nanoseconds, time_message


class Feeder:
    """
    Sends frames on `image` and hears what comes out on `emotion`.

    :param frames: the frames to send, over and over.
    """

    def __init__(self, frames: list[Rgb]) -> None:
        self._pixels = [frame.tobytes() for frame in frames]
        self._height, self._width = frames[0].shape[:2]
        self.node = rclpy.create_node('bench')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self._publisher = self.node.create_publisher(Image, 'image', 10)
        self.node.create_subscription(Classification, 'emotion', self._on_emotion, 100)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 100)
        self.sent_ns: list[int] = []
        self.heard: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.diagnostics: dict[str, dict[str, str]] = {}

    def send(self) -> None:
        """Send the next frame, stamped with the time of day."""
        now_ns = time.time_ns()
        message = Image(
            header=Header(stamp=time_message(now_ns), frame_id='camera'),
            height=self._height,
            width=self._width,
            encoding='rgb8',
            step=3 * self._width,
            data=self._pixels[len(self.sent_ns) % len(self._pixels)],
        )
        self.sent_ns.append(now_ns)
        self._publisher.publish(message)

    def in_flight(self) -> int:
        """Tell how many frames went out after the newest one that has come back."""
        newest_ns = max(self.heard, default=0)
        return sum(stamp_ns > newest_ns for stamp_ns in self.sent_ns[-10:])

    def spin(self, timeout_s: float) -> None:
        """Hear one message, or wait in vain."""
        self.executor.spin_once(timeout_sec=max(timeout_s, 0.0))

    def connected(self) -> bool:
        """Tell whether an image subscription is there."""
        return self._publisher.get_subscription_count() > 0

    def forget(self) -> None:
        """Forget what was sent and heard."""
        self.sent_ns.clear()
        self.heard.clear()
        self.latencies_s.clear()

    def close(self) -> None:
        """Take the node down."""
        self.node.destroy_node()

    def _on_emotion(self, message: Classification) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        self.heard[stamp_ns] = time.perf_counter()
        self.latencies_s.append((time.time_ns() - stamp_ns) * 1e-9)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {item.key: item.value for item in status.values}
