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

"""Listens to what the camera says of itself."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from emotion_estimator.faces.known_camera import KnownCamera
from emotion_estimator.faces.pinhole_camera import PinholeCamera
from emotion_estimator.nodes.events import NO_SUBSCRIPTION_EVENTS

TOPIC = 'camera_info'


class CameraCalibration:
    """
    Listens to `camera_info` until it has said something that can be used.

    :param node: subscribes.
    :param field_of_view_rad: see `KnownCamera`.
    :param refuse: likewise.
    """

    def __init__(
        self, node: Node, field_of_view_rad: float, refuse: Callable[[str], None]
    ) -> None:
        self._node = node
        self._known = KnownCamera(field_of_view_rad, refuse)
        self._subscription: Subscription[CameraInfo] | None = node.create_subscription(
            CameraInfo,
            TOPIC,
            self._on_camera_info,
            qos_profile_sensor_data,
            event_callbacks=NO_SUBSCRIPTION_EVENTS,
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        if self._known.calibrate(message.k, message.width, message.height):
            # It is the same thirty times a second: once is enough.
            self.close()

    def camera(self, width: int, height: int) -> PinholeCamera:
        """
        Tell what the camera is.

        :param width: of its image in pixels.
        :param height: likewise.
        :returns: the camera for an image of this size.
        """
        return self._known.camera(width, height)

    def close(self) -> None:
        """Listen no longer."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)
