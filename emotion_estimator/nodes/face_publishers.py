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

"""REP-155 topics of faces: made when a face appears, taken down once when it is lost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import cv2
import numpy as np
from hri_msgs.msg import (
    FacialActionUnits,
    FacialLandmarks,
    IdsList,
    NormalizedRegionOfInterest2D,
)
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.multi_face import face_picture
from emotion_estimator.faces.pose import HeadModel, frames_of
from emotion_estimator.faces.tracker import FacePresence
from emotion_estimator.messages.incoming import nanoseconds
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.lifecycle import LAST_WORD, ManagedNode
from emotion_estimator.nodes.sources import CameraImage, ObservedFaces

_TF_QOS = QoSProfile(depth=100)  # as tf2_ros broadcasts


class FaceTopics:
    """
    The topics below one face's namespace; each is published only while it is subscribed to.

    :param node: publishes.
    :param face_id: the face.
    :param owner: whether this node found the face; what another detector found has its region,
        landmarks and crop from there.
    """

    def __init__(self, node: ManagedNode, face_id: str, owner: bool) -> None:
        self._node = node
        self._namespace = f'/humans/faces/{face_id}'
        self._facs = self._publisher(FacialActionUnits, 'facs')
        self._of_view: tuple[Publisher[Any], ...] = ()
        if owner:
            self._of_view = (
                self._publisher(NormalizedRegionOfInterest2D, 'roi'),
                self._publisher(FacialLandmarks, 'landmarks'),
                self._publisher(Image, 'cropped'),
            )

    def _publisher(self, message_type: type, name: str) -> Publisher[Any]:
        return self._node.create_publisher(message_type, f'{self._namespace}/{name}', 10)

    def publish(self, face: Face, header: Header, view: CameraImage | None) -> None:
        """
        Publish what an image shows of the face.

        :param face: the face.
        :param header: the image's header.
        :param view: the image, see `ObservedFaces`.
        """
        if self._facs.get_subscription_count():
            self._facs.publish(
                ROS.action_units(face, ROS.header_of_face(face.face_id, header.stamp))
            )
        if view is None or not self._of_view:
            return
        roi, landmarks, cropped = self._of_view
        if roi.get_subscription_count():
            roi.publish(ROS.region(face, header))
        if landmarks.get_subscription_count():
            size = view.camera.width, view.camera.height
            landmarks.publish(ROS.landmarks(face, header, *size))
        if cropped.get_subscription_count():
            parameters = self._node.parameters
            size_px = parameters['cropped_width'], parameters['cropped_height']
            picture = face_picture(view.image, face.box, *size_px, face.rotate)
            if picture is not None:
                # As hri_face_detect sends it: readers such as libhri's take it for that, unasked.
                bgr = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
                cropped.publish(ROS.picture(bgr, header, 'bgr8'))

    def end(self) -> None:
        """Take the topics down."""
        for publisher in (self._facs, *self._of_view):
            self._node.destroy_publisher(publisher)


class FacePublishers:
    """
    All topics of the faces that this node found, and their frames.

    Of faces that another detector found, only what that does not tell.

    :param node: publishes; its parameters count.
    :param head_model: tells where heads are.
    :param owner: see `FaceTopics`.
    """

    def __init__(self, node: ManagedNode, head_model: HeadModel, owner: bool = True) -> None:
        self._node = node
        self._head_model = head_model
        self._presence = FacePresence(node.parameters['max_absence_s'])
        self._owner = owner
        self._topics: dict[str, FaceTopics] = {}
        self._last_listed: Header | None = None
        self._of_all: list[Publisher[Any]] = []
        if owner:
            self._of_all = [
                node.create_publisher(kind, topic, qos)
                for kind, topic, qos in (
                    (IdsList, '/humans/faces/tracked', 10),
                    (TFMessage, '/tf', _TF_QOS),
                )
            ]

    def publish(self, seen: ObservedFaces) -> None:
        """
        Publish what was seen in an image.

        :param seen: the faces.
        """
        for face in seen.faces:
            topics = self._topics.get(face.face_id)
            if topics is None:
                topics = FaceTopics(self._node, face.face_id, self._owner)
                self._topics[face.face_id] = topics
            topics.publish(face, seen.header, seen.view)
        if not self._of_all or seen.view is None:
            return
        tracked, frames = self._of_all
        ids = [face.face_id for face in seen.faces]
        presence = self._presence.see(ids, nanoseconds(seen.header.stamp), seen.begins_anew)
        tracked.publish(ROS.tracked(presence.listed, seen.header))
        self._last_listed = seen.header
        # A frame without a parent would be refused by every listener, with an error each time.
        if seen.faces and seen.header.frame_id and frames.get_subscription_count():
            camera = seen.view.camera
            poses = [self._head_model.pose(face.landmarks, camera) for face in seen.faces]
            of_all = chain.from_iterable(map(frames_of, seen.faces, poses))
            frames.publish(ROS.frames(of_all, seen.header))
        self.end(presence.lost)

    def end(self, face_ids: Iterable[str]) -> None:
        """
        Take the topics of lost faces down.

        :param face_ids: the faces; one without topics is no error.
        """
        for face_id in face_ids:
            topics = self._topics.pop(face_id, None)
            if topics is not None:
                topics.end()

    def end_all(self) -> None:
        """
        Take the topics of all faces down and list none; more may come.

        Listeners keep a person until a list comes that lacks it, so the empty one, with the
        stamp of the last, is waited for until they have it.
        """
        self.end(list(self._topics))
        self._presence = FacePresence(self._node.parameters['max_absence_s'])
        if self._last_listed is None or not self._node.context.ok():
            return
        tracked, _ = self._of_all
        tracked.publish(ROS.tracked((), self._last_listed))
        tracked.wait_for_all_acked(LAST_WORD)
        self._last_listed = None

    def close(self) -> None:
        """Take everything down."""
        self.end_all()
        for publisher in self._of_all:
            self._node.destroy_publisher(publisher)
        self._of_all = []
