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

import itertools
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emotion_estimator.faces.image_decoding import open_video
from emotion_estimator.messages import ROS
from emotion_estimator.nodes.declared_parameters import Parameters
from emotion_estimator.nodes.lifecycle import LAST_WORD
from emotion_estimator.nodes.spin import NodeEndedError, run
from emotion_estimator.parameters import Spec
from emotion_estimator.replay.files import open_film
from emotion_estimator.replay.videos import FALLBACK_RATE_HZ
from emotion_estimator.stamps import NS_PER_S

SPECS = (
    Spec(
        'video',
        '0',
        "Path of a video, of a photograph or of a folder of pictures, or a webcam's number.",
    ),
    Spec('rate_hz', 0.0, "Frames per second; 0 takes the video's own times.", 0.0, 1000.0),
    Spec('loop', False, 'Begin again at the end of the file; the stamps go on.'),
    Spec('frame_id', 'camera', 'Frame of the images (REP-103 optical frame).'),
    Spec('wait_for', '', 'Names of nodes, with commas, that subscribe before the first frame.'),
)
_LOOK_S = 0.02
"""How often it looks for subscribers before the first frame."""
_Picture = tuple[int, NDArray[np.uint8]]
"""Nanoseconds since the first one, and BGR."""


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
        self.parameters = Parameters(
            self, SPECS, lambda: True, lambda changed: None, lambda *_: ''
        )
        self.problems: set[str] = set()
        """Sentences: what of the video could not be shown."""
        video = self.parameters['video']
        self._live = video.isdigit()
        self._source = self._webcam(int(video)) if self._live else self._video(Path(video))
        self._next = next(self._source, None)
        self._publisher = self.create_publisher(Image, 'image', 10)
        self._start_ns = 0
        # A reader that is late finds the frames as dense as they are due, not as they fit.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._steady_start_ns: int | None = None
        self._timer = self.create_timer(_LOOK_S, self._on_timer, clock=self._steady)

    def _on_timer(self) -> None:
        if self._steady_start_ns is None:
            if not self._is_heard():
                return
            self._start_ns = self.get_clock().now().nanoseconds
            self._steady_start_ns = self._steady.now().nanoseconds
        if self._live:
            # Not before: its stamp is the time at which it is read.
            self._next = next(self._source)
        if self._next is None:
            self._publisher.wait_for_all_acked(LAST_WORD)
            raise VideoEndedError
        time_ns, frame = self._next
        stamp_ns = self.get_clock().now().nanoseconds if self._live else self._start_ns + time_ns
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
        due_ns = time_ns + self._step_ns
        if not self._live:
            self._next = next(self._source, None)
            due_ns = due_ns if self._next is None else self._next[0]
        wait_ns = self._steady_start_ns + due_ns - self._steady.now().nanoseconds
        self._timer.timer_period_ns = max(wait_ns, 1)
        self._timer.reset()

    def _is_heard(self) -> bool:
        """Tell whether those that are waited for have subscribed."""
        names = {name.strip() for name in self.parameters['wait_for'].split(',')} - {''}
        # Who has subscribed by the graph may not yet have been met by the publisher.
        if self._publisher.get_subscription_count() < len(names):
            return False
        there = self.get_subscriptions_info_by_topic(self._publisher.topic_name) if names else ()
        return names <= {each.node_name for each in there}

    def _video(self, path: Path) -> Generator[_Picture, None, None]:
        """Read a file's frames with the time at which each is shown; again and again to loop."""
        begin_ns = time_ns = 0
        shown = False
        told: set[str] = set()
        while True:
            video = open_film(path)
            given_hz = self.parameters['rate_hz']
            self._step_ns = round(NS_PER_S / (given_hz or video.rate_hz))
            for number, (own_ns, frame) in enumerate(video.pictures()):
                time_ns = begin_ns + (number * self._step_ns if given_hz else own_ns)
                yield time_ns, frame
                shown = True
            video.close()
            self.problems.update(video.problems)
            for sentence in (*video.problems, *video.hints):
                if sentence not in told:  # each round finds them
                    self.get_logger().warning(sentence)
                    told.add(sentence)
            if not shown:
                raise ValueError(f'{path} holds no picture that can be decoded.')
            if not self.parameters['loop']:
                return
            shown = False
            begin_ns = time_ns + self._step_ns

    def _webcam(self, number: int) -> Generator[_Picture, None, None]:
        capture = open_video(number)
        if not capture.isOpened():
            raise ValueError(f'The webcam {number} cannot be opened; is it plugged in?')
        rate_hz = self.parameters['rate_hz'] or capture.get(cv2.CAP_PROP_FPS) or FALLBACK_RATE_HZ
        self._step_ns = round(NS_PER_S / rate_hz)
        try:
            # The first only shows that there are any.
            for count in itertools.count(-1):
                read, frame = capture.read()
                if not read:
                    raise ValueError(f'The webcam {number} gives no picture; is it plugged in?')
                yield count * self._step_ns, np.asarray(frame, np.uint8)
        finally:
            capture.release()

    def close(self) -> None:
        """Release the video."""
        self._source.close()


def main() -> int:
    """
    Run the camera until the video ends.

    :returns: exit status: that of `run`, or 1 with a sentence where not all of it can be shown.
    """
    cameras: list[CameraNode] = []

    def begin() -> CameraNode:
        cameras.append(CameraNode())
        return cameras[-1]

    try:
        return run([begin]) or int(any(camera.problems for camera in cameras))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
