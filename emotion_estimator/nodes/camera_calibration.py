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

"""What the camera is, as far as it says so itself."""

from __future__ import annotations

import math
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from emotion_estimator.faces.pinhole_camera import IntrinsicsError, PinholeCamera
from emotion_estimator.messages import MessageError, camera_of
from emotion_estimator.nodes.events import NO_SUBSCRIPTION_EVENTS

TOPIC = 'camera_info'


class CameraCalibration:
    """
    Listens to `camera_info` until it has said something that can be used.

    :param node: subscribes.
    :param field_of_view_rad: horizontal angle of view where nothing better is known.
    :param refuse: counts a calibration that cannot be used; called once for each kind of fault.
    """

    def __init__(
        self, node: Node, field_of_view_rad: float, refuse: Callable[[str], None]
    ) -> None:
        self._node = node
        self._field_of_view_rad = field_of_view_rad
        self._refuse = refuse
        self._told: set[str] = set()
        self._calibrated: PinholeCamera | None = None
        # What was last told, and the calibration that it was made from.
        self._camera: tuple[PinholeCamera | None, PinholeCamera] | None = None
        self._subscription: Subscription[CameraInfo] | None = node.create_subscription(
            CameraInfo,
            TOPIC,
            self._on_camera_info,
            qos_profile_sensor_data,
            event_callbacks=NO_SUBSCRIPTION_EVENTS,
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._calibrated = camera_of(message)
        except MessageError as error:
            self._tell(str(error))
            return
        # It is the same thirty times a second: once is enough.
        self.close()

    def _tell(self, fault: str) -> None:
        if fault not in self._told:
            self._told.add(fault)
            degrees = math.degrees(self._field_of_view_rad)
            self._refuse(f'{TOPIC}: {fault} A field of view of {degrees:g} degrees is assumed.')

    def camera(self, width: int, height: int) -> PinholeCamera:
        """
        Tell what the camera is.

        :param width: of its image in pixels.
        :param height: likewise.
        :returns: the camera for an image of this size.
        """
        calibrated = self._calibrated
        if self._camera is not None and self._camera[0] is calibrated:
            camera = self._camera[1]
            if (camera.width, camera.height) == (width, height):
                return camera
        camera = PinholeCamera.of_view(width, height, self._field_of_view_rad)
        if calibrated is not None:
            try:
                camera = calibrated.resized(width, height)
            except IntrinsicsError as error:
                self._tell(str(error))
        self._camera = (calibrated, camera)
        return camera

    def close(self) -> None:
        """Listen no longer."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)
