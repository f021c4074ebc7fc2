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

"""The live view: listens to what the nodes publish, and serves a page that shows it."""

from __future__ import annotations

import argparse
import math
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo

from emotion_estimator.drawing import jpeg_of
from emotion_estimator.faces.geometry import KnownCamera, turned
from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError, Rgb
from emotion_estimator.faces.pose import calibration_of
from emotion_estimator.messages import nanoseconds, rgb_of, ros_type, shortened
from emotion_estimator.nodes.spin import LatestOfEach
from emotion_estimator.stamps import NS_PER_S
from emotion_estimator.view.controls import Controls
from emotion_estimator.view.listener import LATEST, AnyImage, Listener
from emotion_estimator.view.main import NODE_NAME
from emotion_estimator.view.page import build_page
from emotion_estimator.view.person import Limits
from emotion_estimator.view.recorder import Recorder
from emotion_estimator.view.robot import Arrivals, Load, Robot
from emotion_estimator.view.server import Hub, PageServer, message
from emotion_estimator.view.state import ImageResult, Pace, People, colours_of

QUALITY = 75
"""Of the JPEG pictures, from 0 to 100."""
PULSE_S = 0.5
"""How often health is looked at while a page is open, in seconds."""
NO_WISH_S = 3.0
"""After so many seconds in which no page asked, images are no longer listened to."""
ASLEEP_S = 30.0
"""After so many, nothing is; a page that is loaded again finds its last minute."""
UNANSWERED_S = 1.0
"""Pictures are shown without results when none came for so long, in seconds."""
LOG_PERIOD_S = 5.0


class ViewNode(Node):  # type: ignore[misc]
    """
    Listens while a page is open; without one it has no subscription and no timer.

    :param options: of the command line, see `parse`.
    :param token: to be shown by whoever opens the page; empty for none.
    :param bound: the socket at which it is served.
    :param further: arguments of `rclpy.node.Node`.
    """

    def __init__(
        self, options: argparse.Namespace, token: str, bound: socket.socket, **further: Any
    ) -> None:
        super().__init__(NODE_NAME, **further)
        self.options = options
        self.people = People()
        self._pace = Pace(options.rate)
        self._load = Load()
        self._listener = Listener(self, self.remark, self._on_result, self._pace, self._on_answer)
        self.controls = Controls(self, self._listener.subscribe)
        self.robot = Robot(self, self._listener.subscribe, self.controls)
        self.recorder = Recorder(self, options.folder)
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wake = self.create_guard_condition(self._do_tasks)
        self._image: Subscription[Any] | None = None
        self._kind = ''
        self._rotate = 0
        self._calibration: Subscription[CameraInfo] | None = None
        self._pulse: Timer | None = None
        self._asked_s = self._answered_s = self._fitted_s = 0.0
        self._undecoded = ''  # why the latest image gave no picture
        self._field_of_view_deg = 60.0
        self._camera = KnownCamera(math.radians(self._field_of_view_deg), self.remark)
        self._decoder = ImageDecoder()
        self._to_paint: LatestOfEach[tuple[ImageResult, AnyImage | None]] = LatestOfEach()
        self._painter = threading.Thread(target=self._paint_all, daemon=True)
        self._painter.start()
        self.hub = Hub(self._greeting, self._on_wish)
        self._server = PageServer(build_page(self), token, bound)

    # What any thread may call.

    def do(self, task: Callable[[], None]) -> None:
        """
        Have something done by the thread that spins: subscriptions are its own.

        :param task: what is done.
        """
        self._tasks.put(task)
        self._wake.trigger()

    def remark(self, sentence: str) -> None:
        """
        Say now and then what cannot be used.

        :param sentence: about it.
        """
        self.get_logger().warning(shortened(sentence), throttle_duration_sec=LOG_PERIOD_S)

    def _on_wish(self) -> None:
        self._asked_s = time.monotonic()
        if self._image is None:
            self.do(self._listen)
        if ('mesh' in self.hub.wishes()) != self._listener.reads_landmarks:
            self.do(self._follow_wishes)

    def _greeting(self) -> dict[str, Any]:
        history = self.people.history()
        people = [person for past in history for person in past['people']]
        return {'kind': 'hello', 'history': history, 'colours': colours_of(people)}

    # What the thread that spins does.

    def _do_tasks(self) -> None:
        while not self._tasks.empty():
            self._attempt(self._tasks.get())

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do something; whatever is wrong costs a warning, not the node."""
        try:
            work()
        except Exception as error:
            if self.context.ok():
                self.remark(f'{type(error).__name__}: {error}')

    def _listen(self) -> None:
        """Begin to listen, or to listen to images again."""
        if not self._listener.listens:
            self._listener.start()
            self.robot.start()
            subscribe = self._listener.subscribe
            self._calibration = subscribe(CameraInfo, 'camera_info', self._on_camera_info, LATEST)
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            pulse = partial(self._attempt, self._on_pulse)
            self._pulse = self.create_timer(PULSE_S, pulse, clock=steady)
        if self._image is None:
            self._on_pulse()

    def _follow_wishes(self) -> None:
        """Listen to the landmarks while a page draws them: blendshape_node sends them for it."""
        self._listener.read_landmarks('mesh' in self.hub.wishes())

    def _on_pulse(self) -> None:
        if self.hub.wanted:
            self._asked_s = time.monotonic()
        self._listener.look()
        silent_s = time.monotonic() - self._asked_s
        self.robot.look()
        self._listen_to_images(*(self.robot.image_topic() if silent_s < NO_WISH_S else ('', '')))
        self._take_values()
        self._adapt_pace()
        self.robot.unshown = self._undecoded or self._unfitting()
        if silent_s < NO_WISH_S:
            self.hub.offer('health', message(self.robot.report(self._image)))
        if silent_s > ASLEEP_S:
            self._fall_asleep()

    def _listen_to_images(self, topic: str, kind: str) -> None:
        """Listen to this topic alone; to none where it is empty."""
        if self._image is not None and (self._image.topic_name, self._kind) != (topic, kind):
            self.destroy_subscription(self._image)
            self._image = None
            self._listener.forget_images()
        if self._image is None and topic:
            self._kind = kind
            self._image = self._listener.subscribe(ros_type(kind), topic, self._on_image, LATEST)
            self._decoder, self._undecoded = ImageDecoder(topic, self.remark), ''
            self.robot.images = Arrivals()

    def _unfitting(self) -> str:
        """Say that images come, and results, but of other images; '' where they do not."""
        images = self.robot.images
        silent_s = max(time.monotonic() - self._answered_s, images.silence_s)
        since_s = max(self._fitted_s, images.since_s)
        unfitting_s = self._answered_s - since_s
        if self._image is None or silent_s > images.patience_s or unfitting_s < images.patience_s:
            return ''
        return (
            f'no image on {self._image.topic_name} has the stamp of one that the nodes looked at; '
            'choose another image topic.'
        )

    def _take_values(self) -> None:
        """Take over the nodes' parameters on which depends what is shown."""
        values = self.controls.values
        yaw, pitch = (values.get(f'max_{axis}_deg') for axis in ('yaw', 'pitch'))
        if yaw and pitch:
            self.people.limits = Limits(float(yaw), float(pitch))
        self._rotate = int(values.get('rotate', 0))
        field_of_view_deg = float(values.get('field_of_view_deg', self._field_of_view_deg))
        if field_of_view_deg != self._field_of_view_deg:
            self._field_of_view_deg = field_of_view_deg
            self._camera = KnownCamera(math.radians(field_of_view_deg), self.remark)

    def _adapt_pace(self) -> None:
        """Show less while the machine is busy: the nodes come first."""
        most_hz, least_hz = self.options.rate, self.options.busy_rate
        self._pace.rate_hz = least_hz if self._load.is_high() else most_hz
        slower = self._pace.rate_hz < most_hz
        said = f'{least_hz:g} pictures/s, since the machine is busy'
        self.robot.remark = said if slower else ''

    def _fall_asleep(self) -> None:
        self._listener.stop()
        self.robot.stop()
        if self._calibration is not None:
            self.destroy_subscription(self._calibration)
            self._calibration = None
        if self._pulse is not None:
            self.destroy_timer(self._pulse)
            self._pulse = None

    def _on_camera_info(self, message: CameraInfo) -> None:
        images = '' if self._image is None else self._image.topic_name
        self._camera.calibrate(*calibration_of(message, images))

    def _on_image(self, image: AnyImage) -> None:
        stamp_ns = nanoseconds(image.header.stamp)
        self.robot.images.add()
        self._listener.take_image(stamp_ns, image)
        if time.monotonic() - self._answered_s > UNANSWERED_S:
            self._paint(ImageResult(stamp_ns), image)

    def _on_result(self, result: ImageResult, image: AnyImage | None) -> None:
        before_s, self._answered_s = self._answered_s, time.monotonic()
        # Results that begin again, as of a node that was started again, are judged anew.
        paused = self._answered_s - before_s > self.robot.images.patience_s
        if image is not None or paused:
            self._fitted_s = self._answered_s
        self._paint(result, image)

    def _on_answer(self, stamp_ns: int) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self.robot.answers.add((now_ns - stamp_ns) / NS_PER_S)

    def _paint(self, result: ImageResult, image: AnyImage | None) -> None:
        if not self._pace.chooses(result.stamp_ns):
            return
        # A page that is about to ask again gets it then: a slow camera sends no other one soon.
        if not self.hub.wanted and time.monotonic() - self._asked_s > NO_WISH_S:
            return
        self._to_paint.put('', (result, image))

    # What the painter's thread does.

    def _paint_all(self) -> None:
        while (taken := self._to_paint.take()) is not None:
            self._attempt(partial(self._paint_one, *taken[1]))

    def _paint_one(self, result: ImageResult, image: AnyImage | None) -> None:
        jpeg, camera = b'', None
        rgb = None if image is None else self._pixels(image)
        if rgb is not None:
            height, width = rgb.shape[:2]
            jpeg = jpeg_of(turned(rgb, self._rotate), QUALITY, self.options.width)
            camera = self._camera.camera(width, height)
        people = self.people.show(result, camera, self._rotate)
        facts = {
            'kind': 'moment',
            't': result.stamp_ns / NS_PER_S,
            'people': people,
            'colours': colours_of(people),
            # A picture that nobody looked at says of nobody that they are not there.
            'answered': bool(people) or result.listed,
        }
        self.hub.offer('moment', message(facts, jpeg))

    def _pixels(self, image: AnyImage) -> Rgb | None:
        """Decode an image; where it cannot be, what is said of it is shown without."""
        try:
            rgb = rgb_of(image, self._decoder)
        except ImageError as error:
            self._undecoded = shortened(str(error))
            self.remark(self._undecoded)
            return None
        self._undecoded = ''
        return rgb

    def close(self) -> None:
        """End the server and a recording, and release everything."""
        self._server.close()
        self.recorder.stop()
        self._to_paint.close()
        self._painter.join()
