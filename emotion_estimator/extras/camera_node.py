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

"""A camera for demonstrations: plays a video file, or shows a webcam, as an image topic."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('camera_node'))

import sys
from typing import Any

import cv2
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emotion_estimator.faces.image_decoding import open_video
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.declared_parameters import Parameters
from emotion_estimator.nodes.spin import NodeEndedError, run
from emotion_estimator.parameters import Spec
from emotion_estimator.stamps import NS_PER_S

SPECS = (
    Spec('video', '0', "Path of a video file, or a webcam's number."),
    Spec('rate_hz', 0.0, "Frames per second; 0 takes the video's own.", 0.0, 1000.0),
    Spec('loop', False, 'Begin again at the end of the file; the stamps go on.'),
    Spec('frame_id', 'camera', 'Frame of the images (REP-103 optical frame).'),
    Spec('wait_for_subscribers', 0, 'Subscriptions to wait for before the first frame.', 0, 100),
)
FALLBACK_RATE_HZ = 30.0


class VideoEndedError(NodeEndedError):
    """The last frame has been sent."""


class CameraNode(Node):  # type: ignore[misc]
    """
    Publishes frames as bgr8 on `image`; stamps are the start's time plus the frame's own.

    :param options: further arguments of `rclpy.node.Node`.
    :raises ValueError: when the video cannot be opened.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('camera_node', **options)
        self.parameters = Parameters(self, SPECS, lambda: True, lambda changed: None)
        video = self.parameters['video']
        self._live = video.isdigit()
        self._capture = open_video(int(video) if self._live else video)
        if not self._capture.isOpened():
            raise ValueError(
                f'The video {video!r} cannot be opened; give a video file or the number of a '
                'webcam that is plugged in.'
            )
        own_rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate_hz = self.parameters['rate_hz'] or own_rate_hz or FALLBACK_RATE_HZ
        self._publisher = self.create_publisher(Image, 'image', 10)
        self._count = 0
        self._start_ns = 0
        # A reader that is late finds the frames as dense as they are due, not as they fit.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1 / self.rate_hz, self._on_timer, clock=self._steady)

    def _on_timer(self) -> None:
        if not self._count:
            if self._publisher.get_subscription_count() < self.parameters['wait_for_subscribers']:
                return
            self._start_ns = self.get_clock().now().nanoseconds
        read, frame = self._capture.read()
        if not read and self.parameters['loop'] and not self._live:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            read, frame = self._capture.read()
        if not read:
            raise VideoEndedError
        stamp_ns = self._start_ns + round(self._count * NS_PER_S / self.rate_hz)
        if self._live:
            stamp_ns = self.get_clock().now().nanoseconds
        self._count += 1
        height, width, channels = frame.shape
        self._publisher.publish(
            Image(
                header=Header(stamp=ROS.time(stamp_ns), frame_id=self.parameters['frame_id']),
                height=height,
                width=width,
                encoding='bgr8',
                step=width * channels,
                data=frame.tobytes(),
            )
        )

    def close(self) -> None:
        """Release the video."""
        self._capture.release()


def main() -> int:
    """Run the camera until the video ends."""
    try:
        return run([CameraNode])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
