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

import struct
import time
from collections.abc import Callable

import cv2
import mediapipe as mp
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from mediapipe.tasks.python import BaseOptions, vision
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from dev.bench.pictures import SIZE, read_frames
from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.nodes.lifecycle import NO_PUBLISHER_EVENTS, NO_SUBSCRIPTION_EVENTS
from emotion_estimator.stamps import NS_PER_S

# The frames that every measurement uses, and the bare MediaPipe loop over them.


CLIP = 'single_face.mp4'  # shows a face in every frame


def rgb_frames() -> list[Rgb]:
    """
    Read the clip, resized to 640 x 480.

    :returns: its frames in RGB, forward and then backward, so that they repeat without a jump.
    :raises AssetError: when the clip cannot be had.
    """
    frames = [
        np.asarray(cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        for frame in read_frames(CLIP)
    ]
    return frames + frames[::-1]


class BareMediaPipe:
    """MediaPipe Face Landmarker in VIDEO mode and nothing else: what the nodes are held to."""

    def __init__(self) -> None:
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(find_asset(FACE_LANDMARKER))),
                running_mode=vision.RunningMode.VIDEO,
                output_face_blendshapes=True,
            )
        )
        self._time_ms = 0

    def look_at(self, frame: Rgb) -> float:
        """
        Look at one frame.

        :param frame: RGB pixels.
        :returns: the time that it took, in seconds.
        """
        self._time_ms += 33
        start_s = time.perf_counter()
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame)
        self._landmarker.detect_for_video(image, self._time_ms)
        return time.perf_counter() - start_s

    def close(self) -> None:
        """Release it."""
        self._landmarker.close()


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
