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

"""
What is published of faces beside their blendshapes: REP-155 topics, frames, the annotated image.

The topics of a face are made when it appears and taken down once when it is lost.
"""

from __future__ import annotations

from collections import deque
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
from rclpy.clock import Clock, ClockType
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification

from emotion_estimator.drawing import Person, annotate, jpeg_of
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.multi_face import face_picture, level_face_picture
from emotion_estimator.faces.pose import FACE_FRAME_PREFIX, HeadModel, frames_of, gaze_rotation
from emotion_estimator.faces.tracker import FacePresence
from emotion_estimator.messages import MOST_FACES, ROS, is_face_id, nanoseconds, shortened
from emotion_estimator.nodes.lifecycle import LAST_WORD, ManagedNode
from emotion_estimator.nodes.sources import TRACKED, CameraImage, ObservedFaces, face_listers
from emotion_estimator.nodes.spin import LatestOfEach
from emotion_estimator.stamps import NS_PER_S

_TF_QOS = QoSProfile(depth=100)  # as tf2_ros broadcasts


class FaceTopics:
    """
    The topics below one face's namespace; each is published only while it is subscribed to.

    :param node: publishes.
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
                self._publisher(Image, 'aligned'),
            )

    def _publisher(self, message_type: type, name: str) -> Publisher[Any]:
        return self._node.create_publisher(message_type, f'{self._namespace}/{name}', 10)

    def publish(self, face: Face, header: Header, view: CameraImage | None) -> None:
        """
        Publish what an image shows of the face.

        :param header: the image's header.
        :param view: the image, see `ObservedFaces`.
        """
        if self._facs.get_subscription_count():
            self._facs.publish(
                ROS.action_units(face, ROS.header_of_face(face.face_id, header.stamp))
            )
        if view is None or not self._of_view:
            return
        roi, landmarks, cropped, aligned = self._of_view
        if roi.get_subscription_count():
            roi.publish(ROS.region(face, header))
        if landmarks.get_subscription_count():
            size = view.camera.width, view.camera.height
            landmarks.publish(ROS.landmarks(face, header, *size))
        parameters = self._node.parameters
        size_px = parameters['cropped_width'], parameters['cropped_height']
        if cropped.get_subscription_count():
            picture = face_picture(view.image, face.box, *size_px, face.rotate)
            self._publish_picture(cropped, picture, header)
        if aligned.get_subscription_count():
            picture = level_face_picture(view.image, face.box, face.landmarks, *size_px)
            self._publish_picture(aligned, picture, header)

    @staticmethod
    def _publish_picture(publisher: Publisher[Any], picture: Rgb | None, header: Header) -> None:
        if picture is not None:
            # As hri_face_detect sends it: readers such as libhri's take it for that, unasked.
            bgr = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
            publisher.publish(ROS.picture(bgr, header, 'bgr8'))

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
                    (IdsList, TRACKED, 10),
                    (TFMessage, '/tf', _TF_QOS),
                )
            ]

    def publish(self, seen: ObservedFaces) -> None:
        """Publish what was seen in an image."""
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
        presence = self._presence.see(ids, nanoseconds(seen.header.stamp), seen.starts_over)
        if tracked.get_subscription_count():
            tracked.publish(ROS.tracked(presence.listed, seen.header))
        self._last_listed = seen.header
        # A frame without a parent would be refused by every listener, with an error each time.
        if seen.faces and seen.header.frame_id and frames.get_subscription_count():
            camera = seen.view.camera
            poses = [self._head_model.pose(face.landmarks, camera) for face in seen.faces]
            of_all = chain.from_iterable(map(frames_of, seen.faces, poses))
            frames.publish(ROS.frames(of_all, seen.header))
        self.end(presence.lost)

    def rivals(self) -> str:
        """Tell who else lists faces: readers take those of one for lost when the other speaks."""
        names = face_listers(self._node)
        own = self._node.get_fully_qualified_name()
        if not self._of_all or own not in names:
            return ''
        names.remove(own)  # once: another may have the same name
        if not names:
            return ''
        topic = self._of_all[0].topic_name
        return (
            f'{topic} is published by {", ".join(names)} too, and each list takes the faces of '
            'the other away: set ros4hri to false there, or ros4hri_input to true here to read '
            'its faces.'
        )

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


# The camera's image with what was found drawn onto it, while someone watches.


WATCH_PERIOD_S = 0.2
"""How often it is looked whether someone watches, in seconds."""
KEPT_S = 1.0
"""Older expressions, in seconds, are not drawn; of slow cameras those of two images before."""
_RATE_WINDOW = 30
_MOST_LETTERS = 40  # of a label that is drawn
_JPEG_QUALITY = 80  # of 100


class AnnotatedImage:
    """
    Draws on a thread of its own, the latest image only; unwatched it only notes stamps.

    The picture is drawn once, and sent raw, as a JPEG or both, as each is subscribed to.

    The expression drawn is the last that `emotion` gave of a face: that of this image or, since
    the picture does not wait, of one just before.

    :param node: publishes `annotated_image` and `annotated_image/compressed`, and listens to
        `emotion`.
    :param head_model: tells where heads are.
    """

    def __init__(self, node: ManagedNode, head_model: HeadModel) -> None:
        self._node = node
        self._head_model = head_model
        self._raw = node.create_publisher(Image, 'annotated_image', 10)
        self._compressed = node.create_publisher(CompressedImage, 'annotated_image/compressed', 10)
        self._emotions: dict[str, tuple[int, float, tuple[str, ...]]] = {}
        self._subscription: Subscription[Classification] | None = None
        self._stamps_ns: deque[int] = deque(maxlen=_RATE_WINDOW)
        self._latest: LatestOfEach[tuple[ObservedFaces, CameraImage]] = LatestOfEach()
        # Here, as subscriptions are made and destroyed by the thread that spins; simulated time
        # may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(WATCH_PERIOD_S, self._look_for_watchers, clock=steady)
        self._thread = node.start_thread(self._draw_all)

    def offer(self, seen: ObservedFaces) -> None:
        """
        Hand over what was seen in an image; it is drawn if someone watches.

        :param seen: the faces and the image.
        """
        if seen.view is None:
            return
        # Stamps are noted unwatched too: who begins to watch is shown the rate of now.
        if seen.starts_over:
            self._stamps_ns.clear()
        self._stamps_ns.append(nanoseconds(seen.header.stamp))
        if self._is_watched():
            self._latest.put('', (seen, seen.view))

    def close(self) -> None:
        """Stop drawing and take everything down."""
        self._latest.close()
        self._thread.join()
        self._node.destroy_timer(self._timer)
        self._listen(False)
        self._node.destroy_publisher(self._raw)
        self._node.destroy_publisher(self._compressed)

    def _is_watched(self) -> bool:
        return any(p.get_subscription_count() for p in (self._raw, self._compressed))

    def _look_for_watchers(self) -> None:
        self._listen(self._is_watched())

    def _listen(self, wanted: bool) -> None:
        if wanted and self._subscription is None:
            self._subscription = self._node.create_subscription(
                Classification,
                'emotion',
                self._on_emotion,
                10,
            )
        elif not wanted and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._emotions.clear()

    def _on_emotion(self, message: Classification) -> None:
        frame_id = message.header.frame_id
        face_id = frame_id.removeprefix(FACE_FRAME_PREFIX)
        if not message.results or face_id == frame_id or not is_face_id(face_id):
            return
        first, stamp_ns = message.results[0], nanoseconds(message.header.stamp)
        if 0 <= first.score <= 1 and len(self._emotions) < MOST_FACES:
            labels = tuple(shortened(one.class_id, _MOST_LETTERS) for one in message.results)
            self._emotions[face_id] = (stamp_ns, first.score, labels)

    def _draw_all(self) -> None:
        while (taken := self._latest.take()) is not None:
            self._node.attempt(self._draw, taken[1])

    def _draw(self, taken: tuple[ObservedFaces, CameraImage]) -> None:
        seen, view = taken
        rate_hz = self._rate_hz()
        self._forget(nanoseconds(seen.header.stamp), rate_hz)
        people = [self._person(face, view) for face in seen.faces]
        picture = annotate(view.image, view.camera, people, rate_hz)
        if self._raw.get_subscription_count():
            self._send(self._raw, ROS.picture(picture, seen.header))
        if self._compressed.get_subscription_count():
            jpeg = jpeg_of(picture, _JPEG_QUALITY)
            self._send(self._compressed, ROS.compressed_picture(jpeg, seen.header))

    def _send(self, publisher: Publisher[Any], message: Any) -> None:
        if self._node.context.ok():
            publisher.publish(message)

    def _person(self, face: Face, view: CameraImage) -> Person:
        pose = self._head_model.pose(face.landmarks, view.camera)
        gaze = gaze_rotation(pose.rotation, face.blendshapes)[:, 2]
        # The label that is shown comes first.
        _, confidence, labels = self._emotions.get(face.face_id, (0, 0.0, ('',)))
        return Person(
            face.face_id, face.box, face.landmarks, pose, gaze, labels[0], confidence, labels
        )

    def _forget(self, stamp_ns: int, rate_hz: float) -> None:
        kept_s = max(KEPT_S, 2 / rate_hz) if rate_hz else KEPT_S
        for face_id, (reported_ns, *_) in list(self._emotions.items()):
            if abs(stamp_ns - reported_ns) > kept_s * NS_PER_S:
                self._emotions.pop(face_id, None)

    def _rate_hz(self) -> float:
        stamps_ns = list(self._stamps_ns)
        if len(stamps_ns) < 2:  # none while another thread starts over
            return 0.0
        way_ns = stamps_ns[-1] - stamps_ns[0]
        return (len(stamps_ns) - 1) * NS_PER_S / way_ns if way_ns > 0 else 0.0
