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

"""Faces that this node itself finds in a camera's images."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emotion_estimator.faces.camera import KnownCamera, PinholeCamera
from emotion_estimator.faces.finder import build_finder, find_finder_files
from emotion_estimator.faces.image_decoding import ImageError
from emotion_estimator.messages.incoming import nanoseconds
from emotion_estimator.nodes.events import NO_SUBSCRIPTION_EVENTS
from emotion_estimator.nodes.image_conversion import rgb_of
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.nodes.mailbox import CameraImage, ObservedFaces
from emotion_estimator.stamps import Step

# Listens to what the camera says of itself.


TOPIC = 'camera_info'


class CameraCalibration:
    """
    Listens to `camera_info` until it has said something that can be used.

    :param node: subscribes.
    :param field_of_view_rad: see `KnownCamera`.
    :param refuse: called with why a calibration cannot be used.
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
        :param height: its height in pixels.
        :returns: the camera for an image of this size.
        """
        return self._known.camera(width, height)

    def close(self) -> None:
        """Listen no longer."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)


class CameraFaces:
    """
    Finds and follows faces on `image` or `image/compressed`.

    :param node: whose parameters count, and which subscribes.
    """

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self._calibration: CameraCalibration | None = None
        # Configuring never waits for a network: what is missing was fetched before (`running`).
        files = find_finder_files(node.parameters, warn=node.get_logger().warning)
        self._finder = build_finder(node.parameters, files)

    def start(self, receive: Callable[[str, Any], None]) -> Subscription[Any]:
        """
        Begin to take images.

        :param receive: takes the sender's name, always the same, and the message.
        :returns: the subscription.
        """
        field_of_view_rad = math.radians(self._node.parameters['field_of_view_deg'])
        self._calibration = CameraCalibration(self._node, field_of_view_rad, self._node.refuse)
        compressed = self._node.parameters['image_transport'] == 'compressed'
        return self._node.create_subscription(
            CompressedImage if compressed else Image,
            'image/compressed' if compressed else 'image',
            lambda message: receive('', message),
            # A copy: rclpy writes overrides into the profile that it is given.
            copy(qos_profile_sensor_data),
            event_callbacks=NO_SUBSCRIPTION_EVENTS,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def look(self, sender: str, message: Image | CompressedImage) -> ObservedFaces | None:
        """
        Find the faces of the next image.

        :param sender: see `start`.
        :param message: the image.
        :returns: the faces.
        :raises ImageError: when it cannot be decoded, or its stamp came before.
        """
        if self._calibration is None:
            return None
        stamp_ns = nanoseconds(message.header.stamp)
        image = rgb_of(message)
        sighting = self._finder.find(image, stamp_ns)
        if sighting.step is Step.REPEATED:
            raise ImageError(f'header.stamp {stamp_ns} ns came twice; the second is left out.')
        if sighting.step.restarts:
            self._node.refuse(
                f'header.stamp {sighting.step.value} to {stamp_ns} ns: all faces start over.'
            )
        height, width = image.shape[:2]
        view = CameraImage(image, self._calibration.camera(width, height))
        return ObservedFaces(message.header, sighting.faces, sighting.step.restarts, view)

    def stop(self) -> None:
        """Take no more."""
        if self._calibration is not None:
            self._calibration.close()
            self._calibration = None

    def close(self) -> None:
        """Close MediaPipe's graphs."""
        self._finder.close()
