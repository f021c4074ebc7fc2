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

"""Listens to what the nodes publish, and to images, and hands on what belongs together."""

from __future__ import annotations

import math
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from hri_msgs.msg import Expression, FacialLandmarks, IdsList, NormalizedRegionOfInterest2D
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification

from emotion_estimator.faces.pose import FACE_FRAME_PREFIX, GAZE_FRAME_PREFIX
from emotion_estimator.messages import (
    face_features,
    listed_faces,
    nanoseconds,
    shortened,
)
from emotion_estimator.nodes.spin import subscribe_to_all
from emotion_estimator.stamps import NS_PER_S
from emotion_estimator.view.person import FaceOfImage, Pose
from emotion_estimator.view.state import (
    MOST_PEOPLE,
    PATIENCE_S,
    RESTART_S,
    ImageResult,
    Pace,
    Results,
)

# Best effort: no publisher waits until this node has what it sent.
LISTENING = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
LATEST = QoSProfile(depth=3, reliability=ReliabilityPolicy.BEST_EFFORT)
_IMAGES_KEPT = 12
_MOST_LABELS = 50
_MOST_LETTERS = 40  # of a label
# A serialised message begins with four bytes of encapsulation, the second of which tells the order
# of bytes; then comes the header, and in it the stamp; in TFMessage the count of frames is before.
_STAMP = struct.Struct('<iI')
_STAMP_AT, _STAMP_OF_FRAME_AT = 4, 8

AnyImage: TypeAlias = Image | CompressedImage


class Listener:
    """
    Subscribes while it is to listen; used by the thread that spins alone.

    :param node: subscribes.
    :param remark: called with a sentence on what cannot be used.
    :param ready: called with what is known of an image, and the image where it has come.
    :param pace: chooses the images of which results are read; None chooses all.
    :param answered: called with the stamp of each image, chosen or not, whose emotion has come.
    """

    def __init__(
        self,
        node: Node,
        remark: Callable[[str], None],
        ready: Callable[[ImageResult, AnyImage | None], None],
        pace: Pace | None = None,
        answered: Callable[[int], None] = lambda stamp_ns: None,
    ) -> None:
        self._node = node
        self._remark = remark
        self._ready = ready
        self._pace = pace or Pace(math.inf)
        self._answered, self._answered_ns = answered, -1
        self._results = Results()
        self._heard_s, self._was_silent = time.monotonic(), False
        self._subscriptions: list[Subscription[Any]] = []
        self._followed: tuple[str, ...] = ()
        self._frames: tuple[bytes, ...] = ()  # their names, as they stand in a message
        self._of_faces: dict[tuple[str, str], Subscription[Any]] = {}
        self.reads_landmarks = False
        """Whether it listens to the landmarks of faces."""
        self._images: deque[tuple[int, AnyImage]] = deque(maxlen=_IMAGES_KEPT)
        self._imageless: ImageResult | None = None  # the last one handed on, if its image lacked
        self._newest_ns: dict[str, int] = {}  # by topic

    def subscribe(
        self,
        kind: type,
        topic: str,
        work: Callable[[Any], None],
        qos: QoSProfile = LISTENING,
        raw: bool = False,
    ) -> Subscription[Any]:
        """
        Subscribe; whatever is wrong with a message costs a warning, not the node.

        :param kind: type of the messages.
        :param topic: their topic.
        :param work: takes each.
        :param qos: of the subscription.
        :param raw: whether they are taken as they were sent, in bytes.
        :returns: the subscription.
        """

        def guarded(message: Any) -> None:
            try:
                work(message)
            except Exception as error:
                if self._node.context.ok():
                    self._remark(f'{topic}: {type(error).__name__}: {error}')

        return subscribe_to_all(self._node, kind, topic, guarded, qos, raw)

    def _subscribe_chosen(
        self, kind: type, topic: str, work: Callable[[Any], None]
    ) -> Subscription[Any]:
        """Subscribe to results; of images that were not chosen they are not even unpacked."""
        place = _STAMP_OF_FRAME_AT if kind is TFMessage else _STAMP_AT

        def unpack(raw: bytes) -> None:
            # A robot's other frames come at their own times, ahead of the images and often.
            if kind is TFMessage and not any(frame in raw for frame in self._frames):
                return
            self._heard_s = time.monotonic()
            # What cannot be told by its first bytes is unpacked, which says what is wrong with it.
            if len(raw) >= place + _STAMP.size and raw[1] & 1:
                seconds, rest_ns = _STAMP.unpack_from(raw, place)
                stamp_ns = seconds * NS_PER_S + rest_ns
                if topic == 'emotion' and stamp_ns != self._answered_ns:
                    self._answered_ns = stamp_ns
                    self._answered(stamp_ns)
                self._follow_time(topic, stamp_ns)
                if not self._pace.chooses(stamp_ns):
                    return
            work(deserialize_message(raw, kind))

        return self.subscribe(kind, topic, unpack, raw=True)

    @property
    def listens(self) -> bool:
        """Whether it listens."""
        return bool(self._subscriptions)

    def start(self) -> None:
        """Listen to what the nodes publish."""
        self._subscriptions = [
            self._subscribe_chosen(kind, topic, work)
            for kind, topic, work in (
                (Classification, 'blendshapes', self._on_blendshapes),
                (Classification, 'emotion', self._on_emotion),
                (IdsList, '/humans/faces/tracked', self._on_tracked),
                (TFMessage, '/tf', self._on_frames),
            )
        ]

    def stop(self) -> None:
        """Listen to nothing."""
        self._follow(())
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self.forget_images()

    def take_image(self, stamp_ns: int, image: AnyImage) -> None:
        """
        Take an image, which waits for what is said of it.

        :param stamp_ns: its stamp in nanoseconds.
        :param image: the image.
        """
        self._follow_time('image', stamp_ns)
        self._images.append((stamp_ns, image))
        # What is said of it may have been taken first, where both came between two looks.
        said, self._imageless = self._imageless, None
        if said is not None and said.stamp_ns == stamp_ns:
            self._ready(said, image)

    def forget_images(self) -> None:
        """Forget the images that wait, as when another topic is chosen."""
        self._images.clear()
        self._newest_ns.pop('image', None)

    def _follow_time(self, topic: str, stamp_ns: int) -> None:
        """
        Begin again where a topic's stamps step back, as where a bag loops.

        Each topic is compared with itself alone: all that has come of one is taken before the next
        one's, so that these lie behind each other by as much as waited.
        """
        newest_ns = self._newest_ns.get(topic, stamp_ns)
        if newest_ns - stamp_ns > RESTART_S * NS_PER_S:
            self._results.begin_again()
            self._pace.begin_again()
            newest_ns = stamp_ns
        self._newest_ns[topic] = max(newest_ns, stamp_ns)

    def _follow(self, face_ids: Sequence[str]) -> None:
        """Listen to the topics of these faces alone."""
        self._followed = tuple(face_ids)
        self._frames = tuple(
            f'{prefix}{face_id}\0'.encode()
            for face_id in face_ids
            for prefix in (FACE_FRAME_PREFIX, GAZE_FRAME_PREFIX)
        )
        wanted = {
            (face_id, name): (kind, read)
            for face_id in face_ids
            for name, (kind, read) in _OF_FACE.items()
            if name != 'landmarks' or self.reads_landmarks
        }
        for key in set(self._of_faces).difference(wanted):
            subscription = self._of_faces.pop(key)
            self._newest_ns.pop(subscription.topic_name, None)
            self._node.destroy_subscription(subscription)
        for key in wanted.keys() - self._of_faces.keys():
            (face_id, name), (kind, read) = key, wanted[key]
            self._of_faces[key] = self._subscribe_chosen(
                kind, f'/humans/faces/{face_id}/{name}', partial(self._on_part, face_id, read)
            )

    def read_landmarks(self, on: bool) -> None:
        """
        Listen to the landmarks of faces, or no more.

        :param on: whether to.
        """
        self.reads_landmarks = on
        self._follow(self._followed)
        self._results.expect('points', on)

    def _on_blendshapes(self, message: Classification) -> None:
        read = face_features(message)
        face = self._results.image(read.stamp_ns).face(read.face_id)
        if face is not None:
            face.features = read.values
        self._hand_on()

    def _on_emotion(self, message: Classification) -> None:
        read = face_features(message)
        face = self._results.image(read.stamp_ns).face(read.face_id)
        if face is not None:
            face.scores = tuple(
                (shortened(result.class_id, _MOST_LETTERS), min(max(result.score, 0.0), 1.0))
                for result in message.results[:_MOST_LABELS]
                if math.isfinite(result.score)
            )
        self._hand_on()

    def _on_tracked(self, message: IdsList) -> None:
        faces, complaints = listed_faces(message.ids)
        for complaint in complaints:
            self._remark(complaint)
        self._follow(faces[:MOST_PEOPLE])
        image = self._results.image(nanoseconds(message.header.stamp))
        image.listed, image.expected = True, frozenset(self._followed)
        self._hand_on()

    def _on_frames(self, message: TFMessage) -> None:
        for transform in message.transforms:
            name = transform.child_frame_id
            for prefix, part in ((FACE_FRAME_PREFIX, 'head'), (GAZE_FRAME_PREFIX, 'gaze')):
                face_id = name.removeprefix(prefix)
                if face_id == name or face_id not in self._followed:
                    continue
                face = self._results.image(nanoseconds(transform.header.stamp)).face(face_id)
                if face is None:
                    continue
                pose = pose_of(transform.transform)
                if transform.header.frame_id != FACE_FRAME_PREFIX + face_id:
                    setattr(face, part, pose)
                elif face.head is not None:  # the gaze, which hangs on the head
                    setattr(face, part, on_parent(pose, face.head))
        self._hand_on()

    def _on_part(
        self, face_id: str, read: Callable[[FaceOfImage, Any], None], message: Any
    ) -> None:
        face = self._results.image(nanoseconds(message.header.stamp)).face(face_id)
        if face is not None:
            read(face, message)
        self._hand_on()

    def look(self) -> None:
        """
        Hand on what waits for more, where nothing more has come for long; called now and then.

        The second silent call does: before the first one what has come may not have been taken,
        on a machine that lets this process wait.
        """
        silent = time.monotonic() - self._heard_s > PATIENCE_S
        if silent and self._was_silent:
            self._hand_on(patient=False)
        self._was_silent = silent

    def _hand_on(self, patient: bool = True) -> None:
        ready = self._results.take_ready(patient)
        if ready is not None:
            fitting = [image for stamp_ns, image in self._images if stamp_ns == ready.stamp_ns]
            self._imageless = None if fitting else ready
            # What is older is shown no more, and one image may take many MB.
            newer = [each for each in self._images if each[0] > ready.stamp_ns]
            self._images = deque(newer, maxlen=_IMAGES_KEPT)
            self._ready(ready, fitting[-1] if fitting else None)


def _read_region(face: FaceOfImage, message: NormalizedRegionOfInterest2D) -> None:
    face.box = (message.xmin, message.ymin, message.xmax, message.ymax)


def _read_landmarks(face: FaceOfImage, message: FacialLandmarks) -> None:
    face.points = [(point.x, point.y) for point in message.landmarks]


def _read_expression(face: FaceOfImage, message: Expression) -> None:
    face.affect = (message.valence, message.arousal)


_OF_FACE: dict[str, tuple[type, Callable[[FaceOfImage, Any], None]]] = {
    'roi': (NormalizedRegionOfInterest2D, _read_region),
    'landmarks': (FacialLandmarks, _read_landmarks),
    'expression': (Expression, _read_expression),
}
"""Topics of a face that are listened to, their types, and what reads their messages."""


def on_parent(pose: Pose, parent: Pose) -> Pose:
    """
    Place a frame that hangs on another one.

    :param pose: in the other one.
    :param parent: the other one, in the camera's frame.
    :returns: the frame in the camera's.
    """
    axes = np.array(pose.axes) @ np.array(parent.axes)
    x, y, z = np.array(parent.position_m) + np.array(pose.position_m) @ np.array(parent.axes)
    first, second, third = (tuple(axis) for axis in axes.tolist())
    return Pose((float(x), float(y), float(z)), (first, second, third))


def pose_of(transform: Any) -> Pose:
    """
    Read a frame.

    :param transform: geometry_msgs/Transform, its quaternion of length 1.
    :returns: the frame.
    """
    x, y, z, w = (getattr(transform.rotation, name) for name in 'xyzw')
    position = transform.translation
    return Pose(
        (position.x, position.y, position.z),
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)),
            (2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)),
            (2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)),
        ),
    )
