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

"""Publishes the camera's image with what was found drawn onto it, while someone watches."""

from __future__ import annotations

from collections import deque

from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification

from emotion_estimator.drawing import Person, annotate
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.pose import HeadModel, gaze_rotation
from emotion_estimator.faces.rep155 import FACE_FRAME_PREFIX
from emotion_estimator.messages.incoming import MOST_FACES, is_face_id, nanoseconds, shortened
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.camera_stream import LatestOfEach
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.nodes.sources import CameraImage, ObservedFaces
from emotion_estimator.stamps import NS_PER_S

WATCH_PERIOD_S = 0.2
"""How often it is looked whether someone watches, in seconds."""
KEPT_S = 1.0
"""An expression of a face older than that, in seconds, is not drawn."""
_RATE_WINDOW = 30
_MOST_LETTERS = 40  # of a label that is drawn


class AnnotatedImage:
    """
    Draws on a thread of its own, the latest image only; unwatched it costs nothing.

    The expression drawn is the last that `emotion` gave of a face: that of this image or, since
    the picture does not wait, of one just before.

    :param node: publishes `annotated_image` and listens to `emotion`.
    :param head_model: tells where heads are.
    """

    def __init__(self, node: ManagedNode, head_model: HeadModel) -> None:
        self._node = node
        self._head_model = head_model
        self._publisher = node.create_publisher(Image, 'annotated_image', 10)
        self._emotions: dict[str, tuple[int, str, float]] = {}
        self._subscription: Subscription[Classification] | None = None
        self._stamps_ns: deque[int] = deque(maxlen=_RATE_WINDOW)
        self._latest: LatestOfEach[tuple[ObservedFaces, CameraImage]] = LatestOfEach()
        # Here, as subscriptions are made and destroyed by the thread that spins.
        self._timer = node.create_timer(WATCH_PERIOD_S, self._look_for_watchers)
        self._thread = node.start_thread(self._draw_all)

    def offer(self, seen: ObservedFaces) -> None:
        """
        Hand over what was seen in an image; it is drawn if someone watches.

        :param seen: the faces and the image.
        """
        if seen.view is None or not self._publisher.get_subscription_count():
            return
        stamp_ns = nanoseconds(seen.header.stamp)
        if seen.begins_anew:
            self._stamps_ns.clear()
        self._stamps_ns.append(stamp_ns)
        self._latest.put('', (seen, seen.view))

    def close(self) -> None:
        """Stop drawing and take everything down."""
        self._latest.close()
        self._thread.join()
        self._node.destroy_timer(self._timer)
        self._listen(False)
        self._node.destroy_publisher(self._publisher)

    def _look_for_watchers(self) -> None:
        self._listen(self._publisher.get_subscription_count() > 0)

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
            label = shortened(first.class_id, _MOST_LETTERS)
            self._emotions[face_id] = (stamp_ns, label, first.score)

    def _draw_all(self) -> None:
        while (taken := self._latest.take()) is not None:
            self._node.attempt(self._draw, taken[1])

    def _draw(self, taken: tuple[ObservedFaces, CameraImage]) -> None:
        seen, view = taken
        self._forget(nanoseconds(seen.header.stamp))
        people = [self._person(face, view) for face in seen.faces]
        picture = annotate(view.image, view.camera, people, self._rate_hz())
        message = ROS.picture(picture, seen.header)
        if self._node.context.ok():
            self._publisher.publish(message)

    def _person(self, face: Face, view: CameraImage) -> Person:
        pose = self._head_model.pose(face.landmarks, view.camera)
        gaze = gaze_rotation(pose.rotation, face.blendshapes)[:, 2]
        _, label, confidence = self._emotions.get(face.face_id, (0, '', 0.0))
        return Person(face.face_id, face.box, face.landmarks, pose, gaze, label, confidence)

    def _forget(self, stamp_ns: int) -> None:
        for face_id, (told_ns, *_) in list(self._emotions.items()):
            if abs(stamp_ns - told_ns) > KEPT_S * NS_PER_S:
                self._emotions.pop(face_id, None)

    def _rate_hz(self) -> float:
        stamps_ns = list(self._stamps_ns)
        way_ns = stamps_ns[-1] - stamps_ns[0]
        return (len(stamps_ns) - 1) * NS_PER_S / way_ns if way_ns > 0 else 0.0
