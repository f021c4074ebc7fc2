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

"""Faces from a camera's images: whose images, in what order, and what is found in each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from emotion_estimator.cameras import advice_for_rate
from emotion_estimator.faces.finder import Face, build_finder, find_finder_files
from emotion_estimator.faces.geometry import KnownCamera, PinholeCamera
from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError, Rgb
from emotion_estimator.faces.pose import calibration_of
from emotion_estimator.messages import nanoseconds, rgb_of
from emotion_estimator.nodes.diagnostics import PATIENCE
from emotion_estimator.nodes.graph import node_of
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.stamps import (
    FirstSender,
    Placed,
    RateLimiter,
    Step,
    TimeLine,
    looked_at_step_s,
    stamp_problem,
)

NO_STAMP = "header.stamp is zero; let the driver fill in the image's time."
_HELD_S = 0.3
_LATELY_S = 3.0  # a sender that was silent for longer disturbs nobody any more
_MOST_SENDERS = 8
_LONGEST_FRAME = 80

# What was seen in one image, on its way from the thread that looks to the one that publishes.


@dataclass(frozen=True)
class CameraImage:
    """
    An image and what took it.

    :param camera: for an image of this size.
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


TRACKED = '/humans/faces/tracked'


def face_listers(node: Node) -> list[str]:
    """Name the nodes that publish which faces there are: of these one robot has one."""
    names = map(node_of, node.get_publishers_info_by_topic(TRACKED))
    return sorted(name for name in names if name)


# Listens to what the camera says of itself.


TOPIC = 'camera_info'


class CameraCalibration:
    """
    Listens to `camera_info`; the latest that can be used counts.

    :param node: subscribes.
    :param images: resolved name of the topic of the images.
    :param field_of_view_rad: see `KnownCamera`.
    :param refuse: called with why a calibration cannot be used.
    """

    def __init__(
        self, node: Node, images: str, field_of_view_rad: float, refuse: Callable[[str], None]
    ) -> None:
        self._node = node
        self._images = images
        self._known = KnownCamera(field_of_view_rad, refuse)
        self._subscription: Subscription[CameraInfo] | None = node.create_subscription(
            CameraInfo,
            TOPIC,
            self._on_camera_info,
            qos_profile_sensor_data,
        )

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._known.calibrate(*calibration_of(message, self._images))

    def camera(self, width: int, height: int) -> PinholeCamera:
        """Tell what the camera is for an image of this size, in pixels."""
        return self._known.camera(width, height)

    def close(self) -> None:
        """Listen no longer."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._node.destroy_subscription(subscription)


class CameraStream:
    """
    Follows all images that arrive, also those that will be skipped.

    Where a topic has several senders, it keeps to the one that came first, see `FirstSender`:
    they are distinguished by `header.frame_id`, and where the middleware tells it by publisher.

    :param node: whose statistics count them, and which refuses those that are left out.
    :param topic: resolved name of the topic.
    :param receive: called with each image that may be looked at, and with one that was held
        and the one behind it at once.
    """

    def __init__(
        self,
        node: ManagedNode,
        topic: str,
        receive: Callable[..., None],
    ) -> None:
        self._node = node
        self._topic = topic
        self._receive = receive
        self._sender: FirstSender[tuple[str, bytes]] = FirstSender()
        self._heard_s: dict[tuple[str, bytes], float] = {}  # by the steady clock
        self._numbered: tuple[bytes, int] | None = None
        self._line: TimeLine[Image | CompressedImage] = TimeLine()
        self.limit_rate()

    def limit_rate(self) -> None:
        """Take over the parameter `max_rate_hz`."""
        self._max_rate_hz: float = self._node.parameters['max_rate_hz']
        self._pace = RateLimiter(self._max_rate_hz)

    @property
    def frame_id(self) -> str | None:
        """Frame of the camera that is kept to; None before the first image."""
        return None if self._sender.kept is None else self._sender.kept[0]

    @property
    def step_s(self) -> float:
        """See `TimeLine.step_s`."""
        return self._line.step_s

    @property
    def looked_at_step_s(self) -> float:
        """Usual time between images that are looked at, in seconds; 0: not known."""
        return looked_at_step_s(self.step_s, self._max_rate_hz)

    def on_image(self, message: Image | CompressedImage, known: Mapping[str, Any]) -> None:
        """
        Take the next image.

        :param message: the image.
        :param known: what the middleware knows of it, by name; Jazzy's names no publisher.
        """
        stamp_ns = nanoseconds(message.header.stamp)
        gid = known.get('publisher_gid') or {}
        publisher = bytes(gid.get('data', b''))
        if self._is_others(message.header.frame_id, stamp_ns, publisher):
            self._node.statistics.receive_other()
            return
        self._node.statistics.receive(stamp_ns, self._lost(publisher, known))
        if stamp_ns == 0:
            self._node.refuse(NO_STAMP)
            return
        self._pass_on(self._line.follow(stamp_ns, message))

    def watch(self) -> None:
        """Let an image that is held count when none follows it, by the steady clock."""
        silence_s = self._node.statistics.silence.duration_s
        if self._line.waits and silence_s > max(_HELD_S, PATIENCE * self.step_s):
            self._pass_on(self._line.end())

    def _pass_on(self, images: list[Placed[Image | CompressedImage]]) -> None:
        due = []
        for placed in images:
            # Whether an image repeats another is found out when that could be decoded.
            repeats = placed.step is Step.REPEATED
            if not repeats and (problem := stamp_problem(placed)):
                self._node.refuse(problem)
            if placed.step in (Step.LATE, Step.STRAY):
                continue
            if self._pace.is_due(placed.stamp_ns):
                due.append(placed)
            else:
                self._node.statistics.skip(by_choice=True)
        if due:
            self._receive(*due)

    def _is_others(self, frame_id: str, stamp_ns: int, publisher: bytes) -> bool:
        kept = self._sender.kept
        sender = FirstSender.frame_of(frame_id[:_LONGEST_FRAME], self.frame_id), publisher
        # One that was started again is another publisher; its predecessor has left the graph.
        gone = False
        if kept is not None and sender != kept and sender not in self._heard_s:
            gone = b'' != kept[1] not in self._nodes()
            self._heard_s = {} if gone else self._heard_s
        if sender in self._heard_s or len(self._heard_s) < _MOST_SENDERS:
            self._heard_s[sender] = time.monotonic()
        return self._sender.is_other(sender, stamp_ns, gone)

    def _nodes(self) -> dict[bytes, str]:
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        return {bytes(p.endpoint_gid): p.node_name for p in publishers}

    def _lost(self, publisher: bytes, info: Mapping[str, Any]) -> int | None:
        """Count what the publisher sent between the image before and this one."""
        number = info.get('publication_sequence_number')
        if not isinstance(number, int):
            return None
        before, self._numbered = self._numbered, (publisher, number)
        if before is None or before[0] != publisher or number <= before[1]:
            return 0
        return number - before[1] - 1

    def problems(self) -> list[str]:
        """Tell of a rate for which the parameters are not made, where it is the camera's own."""
        absence = {'max_absence_s': self._node.parameters['max_absence_s']}
        advice = advice_for_rate(self.looked_at_step_s, absence)
        return [advice] if advice and not self._node.statistics.loses_now else []

    def several_senders(self) -> str:
        """Tell who has sent of late, beside the one that is kept to."""
        since_s, heard, kept = time.monotonic() - _LATELY_S, self._heard_s, self._sender.kept
        self._heard_s = {who: heard[who] for who in heard if heard[who] > since_s or who == kept}
        if len(self._heard_s) < 2 or not (nodes := self._nodes()):
            return ''
        heard_of = [publisher for _, publisher in self._heard_s]
        names, publishers = list(nodes.values()), len(nodes)
        if not nodes.keys().isdisjoint(heard_of):
            names = [nodes.get(publisher, 'one that has ended') for publisher in heard_of]
            publishers = len(set(heard_of))
        frames = ', '.join(frame_id or "''" for frame_id, _ in self._heard_s)
        several = (
            f'has {publishers} publishers ({", ".join(names)}; frames {frames})'
            if publishers > 1
            else f'carries images of several frames ({frames}), all from {names[0]}'
        )
        return (
            f'{self._topic} {several}: remap one. Only images of the one that came first, frame '
            f'{self.frame_id!r}, are looked at.'
        )


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

    def start(self, receive: Callable[..., None]) -> Subscription[Any]:
        """
        Begin to take images.

        :param receive: takes the sender's name, always the same, and the image, or two.
        :returns: the subscription.
        """
        self._starts += 1
        field_of_view_rad = math.radians(self._node.parameters['field_of_view_deg'])
        compressed = self._node.parameters['image_transport'] == 'compressed'
        topic = 'image/compressed' if compressed else 'image'
        resolved = self._node.resolve_topic_name(topic)
        known = self._node, resolved, field_of_view_rad, self._node.refuse
        self._calibration = CameraCalibration(*known)
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
            raise ImageError(stamp_problem(replace(placed, step=sighting.step)))
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

    def several_senders(self) -> str:
        """See `CameraStream.several_senders`."""
        return '' if self._stream is None else self._stream.several_senders()

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
