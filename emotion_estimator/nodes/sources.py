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

"""Where faces come from: a camera's images, or the crops of another detector."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from hri_msgs.msg import IdsList
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from emotion_estimator.faces.encoding import FaceEncoding
from emotion_estimator.faces.finder import (
    Face,
    FaceFeatures,
    build_close_up,
    build_finder,
    find_finder_files,
    find_landmarker,
)
from emotion_estimator.faces.geometry import KnownCamera, PinholeCamera, turned
from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError, Rgb
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.messages import listed_faces, nanoseconds, rgb_of
from emotion_estimator.nodes.camera_stream import NO_STAMP, CameraStream
from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S, silence_problems
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.stamps import Placed, RateLimiter, Step

# What was seen in one image, on its way from the thread that looks to the one that publishes.


@dataclass(frozen=True)
class CameraImage:
    """
    An image and what took it.

    :param image: the pixels.
    :param camera: the camera, for an image of this size.
    """

    image: Rgb
    camera: PinholeCamera


@dataclass(frozen=True)
class ObservedFaces:
    """
    One image's faces.

    :param header: the image's.
    :param faces: the faces in it.
    :param starts_over: whether the stamp starts a new time line: faces of before are lost.
    :param view: the image, where it is a camera's; None where another detector cut it out.
    """

    header: Header
    faces: tuple[Face, ...]
    starts_over: bool = False
    view: CameraImage | None = None


# Listens to what the camera says of itself.


TOPIC = 'camera_info'


class CameraCalibration:
    """
    Listens to `camera_info`; the latest that can be used counts.

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
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._known.calibrate(message.k, message.width, message.height)

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


NAMES_SENDER = hasattr(Subscription, 'CallbackType')
"""Whether rclpy tells of whom a message is; Humble's hands over the message alone."""
FACELESS_IMAGES = 10
"""After so many images without a face in a row, what may be the reason is reported."""


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
        self._stream: CameraStream | None = None
        self._starts = 0
        self._decoder = ImageDecoder()
        self._faceless = 0

    def start(self, receive: Callable[[str, Any], None]) -> Subscription[Any]:
        """
        Begin to take images.

        :param receive: takes the sender's name, always the same, and the image.
        :returns: the subscription.
        """
        self._starts += 1
        field_of_view_rad = math.radians(self._node.parameters['field_of_view_deg'])
        self._calibration = CameraCalibration(self._node, field_of_view_rad, self._node.refuse)
        compressed = self._node.parameters['image_transport'] == 'compressed'
        topic = 'image/compressed' if compressed else 'image'
        resolved = self._node.resolve_topic_name(topic)
        self._stream = CameraStream(self._node, resolved, partial(receive, ''))
        subscription = self._node.create_subscription(
            CompressedImage if compressed else Image,
            topic,
            self._stream.on_image if NAMES_SENDER else partial(self._stream.on_image, known={}),
            # A copy: rclpy writes overrides into the profile that it is given.
            copy(qos_profile_sensor_data),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._decoder = ImageDecoder(subscription.topic_name, self._node.get_logger().warning)
        return subscription

    def look(self, sender: str, placed: Placed[Image | CompressedImage]) -> ObservedFaces | None:
        """
        Find the faces of the next image.

        :param sender: see `start`.
        :param placed: the image.
        :returns: the faces.
        :raises ImageError: when it cannot be decoded, or its stamp came before.
        """
        if self._calibration is None or self._stream is None:
            return None
        message, stamp_ns = placed.item, placed.stamp_ns
        image = rgb_of(message, self._decoder)
        line = self._starts, self._stream.frame_id, placed.line
        sighting = self._finder.find(image, stamp_ns, line)
        if sighting.step is Step.REPEATED:
            raise ImageError(f'header.stamp {stamp_ns} ns came twice; the second is left out.')
        self._faceless = 0 if sighting.faces else self._faceless + 1
        height, width = image.shape[:2]
        view = CameraImage(image, self._calibration.camera(width, height))
        return ObservedFaces(message.header, sighting.faces, sighting.step.restarts, view)

    def limit_rate(self) -> None:
        """Take over the parameter `max_rate_hz`."""
        if self._stream is not None:
            self._stream.limit_rate()

    def watch(self) -> None:
        """See `CameraStream.watch`."""
        if self._stream is not None:
            self._stream.watch()

    @property
    def step_s(self) -> float:
        """Time between images that is usual, in seconds; 0 while not known."""
        return 0.0 if self._stream is None else self._stream.step_s

    @property
    def looked_at_step_s(self) -> float:
        """See `CameraStream.looked_at_step_s`."""
        return 0.0 if self._stream is None else self._stream.looked_at_step_s

    def problems(self) -> list[str]:
        """Tell what is odd about the images, and what may keep faces from being found."""
        problems = [] if self._stream is None else self._stream.problems()
        suspicion = self._decoder.suspicion
        if suspicion and self._faceless >= FACELESS_IMAGES:
            problems.append(suspicion)
        return problems

    def stop(self) -> None:
        """Take no more."""
        self._stream = None
        if self._calibration is not None:
            self._calibration.close()
            self._calibration = None

    def close(self) -> None:
        """Close MediaPipe's graphs."""
        self._finder.close()


# Faces that another REP-155 detector found, from the pictures that it cuts out of them.


_MOST_NAMED = 3
_WHOLE = Box(0.0, 0.0, 1.0, 1.0)


class CroppedFaces:
    """
    Follows `/humans/faces/tracked` and looks at `/humans/faces/<id>/cropped` of each face.

    :param node: whose parameters count, and which subscribes.
    :param encoding: gives the further features; None leaves it at the blendshapes.
    :param lost: called with the ids that are no longer tracked.
    """

    def __init__(
        self,
        node: ManagedNode,
        encoding: FaceEncoding | None,
        lost: Callable[[Iterable[str]], None],
    ) -> None:
        self._node = node
        self._features = FaceFeatures(encoding)
        self._lost = lost
        self._close_up = build_close_up(node.parameters, find_landmarker(node.parameters))
        self._decoder = ImageDecoder(tell=node.get_logger().warning)
        self._receive: Callable[[str, Any], None] | None = None
        self._crops: dict[str, Subscription[Image]] = {}
        self._paces: dict[str, RateLimiter] = {}
        self._awaited_s: dict[str, float] = {}  # since when, by the steady clock

    def start(self, receive: Callable[[str, Any], None]) -> Subscription[Any]:
        """
        Begin to follow faces.

        :param receive: takes a face's id and its picture's message.
        :returns: the subscription to the list of faces.
        """
        self._receive = receive
        return self._node.create_subscription(
            IdsList,
            '/humans/faces/tracked',
            self._on_tracked,
            10,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _on_tracked(self, message: IdsList) -> None:
        faces, complaints = listed_faces(message.ids)
        for complaint in complaints:
            self._node.refuse(complaint)
        tracked = set(faces)
        for face_id in tracked.difference(self._crops):
            self._crops[face_id] = self._node.create_subscription(
                Image,
                f'/humans/faces/{face_id}/cropped',
                partial(self._on_cropped, face_id),
                qos_profile_sensor_data,
            )
            self._awaited_s[face_id] = time.monotonic()
            self._paces[face_id] = RateLimiter(self._node.parameters['max_rate_hz'])
        self._end(set(self._crops) - tracked)

    def problems(self) -> list[str]:
        """
        Tell which faces are listed though no picture of them has come.

        :returns: a sentence each that says what to do.
        """
        longest_s = time.monotonic() - INPUT_TIMEOUT_S
        silent = [name for name, since_s in self._awaited_s.items() if since_s < longest_s]
        problems = [
            problem
            for face_id in silent[:_MOST_NAMED]
            for problem in silence_problems(self._node, self._crops[face_id], may_pause=False)
        ]
        more = len(silent) - _MOST_NAMED
        return [*problems, f'So it is with {more} more faces.'] if more > 0 else problems

    def limit_rate(self) -> None:
        """Take over the parameter `max_rate_hz`; it counts for each face."""
        max_rate_hz = self._node.parameters['max_rate_hz']
        self._paces = {face_id: RateLimiter(max_rate_hz) for face_id in self._crops}

    def _on_cropped(self, face_id: str, message: Image) -> None:
        self._awaited_s.pop(face_id, None)
        stamp_ns = nanoseconds(message.header.stamp)
        self._node.statistics.receive(stamp_ns, lost=0)
        if stamp_ns == 0:
            self._node.refuse(f'face {face_id}: {NO_STAMP}')
        elif self._receive is not None and face_id in self._paces:
            if self._paces[face_id].is_due(stamp_ns):
                self._receive(face_id, message)
            else:
                self._node.statistics.skip(by_choice=True)

    def look(self, face_id: str, message: Image) -> ObservedFaces | None:
        """
        Look at a face's picture.

        :param face_id: the face.
        :param message: the picture.
        :returns: the face; no face where the picture shows none, None where the face is no longer
            tracked.
        :raises ImageError: when it cannot be decoded.
        """
        crop = turned(rgb_of(message, self._decoder), self._node.parameters['rotate'])
        found = self._close_up.find(crop, _WHOLE)
        if face_id not in self._crops:
            return None
        if found is None:
            return ObservedFaces(message.header, ())
        names, encode = self._features.names, partial(self._features.of, crop, found.landmarks)
        face = Face(face_id, found.box, found.compute_blendshapes, found.landmarks, names, encode)
        return ObservedFaces(message.header, (face,))

    def _end(self, face_ids: Iterable[str]) -> None:
        face_ids = list(face_ids)
        for face_id in face_ids:
            self._node.destroy_subscription(self._crops.pop(face_id))
            self._awaited_s.pop(face_id, None)
            self._paces.pop(face_id, None)
        if face_ids:
            self._lost(face_ids)

    def stop(self) -> None:
        """Follow no more."""
        self._receive = None
        self._end(self._crops)

    def close(self) -> None:
        """Close MediaPipe's graph."""
        self._close_up.close()
