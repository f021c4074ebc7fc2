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

"""Faces that another REP-155 detector found, from the pictures that it cuts out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from hri_msgs.msg import IdsList
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from emotion_estimator.faces.encoding import FaceEncoding, FaceFeatures
from emotion_estimator.faces.finder import Face, build_close_up, find_landmarker
from emotion_estimator.faces.geometry import turned
from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.messages import listed_faces, nanoseconds, rgb_of
from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S, PATIENCE, Silence
from emotion_estimator.nodes.graph import silence_problems
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.nodes.sources import NO_STAMP, TRACKED, ObservedFaces, face_listers
from emotion_estimator.stamps import (
    SILENCE_S,
    RateLimiter,
    TimeLine,
    looked_at_step_s,
    stamp_problem,
)

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
        self._lines: dict[str, TimeLine[None]] = {}
        self._silences: dict[str, Silence] = {}
        self._seen: set[str] = set()

    def start(self, receive: Callable[[str, Any], None]) -> Subscription[Any]:
        """
        Begin to follow faces.

        :param receive: takes a face's id and its picture's message.
        :returns: the subscription to the list of faces.
        """
        self._receive = receive
        return self._node.create_subscription(
            IdsList,
            TRACKED,
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
            self._silences[face_id] = Silence()
            self._paces[face_id] = RateLimiter(self._node.parameters['max_rate_hz'])
            self._lines[face_id] = TimeLine(SILENCE_S)  # a face may be unseen for a while
        self._end(set(self._crops) - tracked)

    def several_senders(self) -> str:
        """Tell who lists faces, where that is more than one: each takes the others' away."""
        names = face_listers(self._node)
        if len(names) < 2:
            return ''
        topic = self._node.resolve_topic_name(TRACKED)
        return f'{topic} has {len(names)} publishers ({", ".join(names)}): leave one of them.'

    def problems(self) -> list[str]:
        """
        Tell which faces are listed though no picture of them comes.

        :returns: a sentence each that says what to do.
        """
        patience_s = {
            face_id: max(INPUT_TIMEOUT_S, PATIENCE * line.step_s)
            for face_id, line in self._lines.items()
        }
        silences = self._silences.items()
        silent = [name for name, silence in silences if silence.duration_s > patience_s[name]]
        problems = [
            problem
            for name in silent[:_MOST_NAMED]
            for problem in silence_problems(self._node, self._crops[name], False, patience_s[name])
        ]
        more = len(silent) - _MOST_NAMED
        return [*problems, f'So it is with {more} more faces.'] if more > 0 else problems

    def watch(self) -> None:
        """Look at the clock: the node tells its own standing still from a face's silence."""
        for silence in self._silences.values():
            silence.watch()

    @property
    def looked_at_step_s(self) -> float:
        """Usual time between pictures of a face that are looked at, in seconds; 0: not known."""
        step_s = max((line.step_s for line in self._lines.values()), default=0.0)
        return looked_at_step_s(step_s, self._node.parameters['max_rate_hz'])

    def limit_rate(self) -> None:
        """Take over the parameter `max_rate_hz`; it counts for each face."""
        max_rate_hz = self._node.parameters['max_rate_hz']
        self._paces = {face_id: RateLimiter(max_rate_hz) for face_id in self._crops}

    def _on_cropped(self, face_id: str, message: Image) -> None:
        if face_id in self._silences:
            self._silences[face_id].hear()
        stamp_ns = nanoseconds(message.header.stamp)
        self._node.statistics.receive(stamp_ns, lost=0)
        if stamp_ns == 0:
            self._node.refuse(f'face {face_id}: {NO_STAMP}')
            return
        if self._receive is None or face_id not in self._paces:
            return
        placed = self._lines[face_id].follow_at_once(stamp_ns)
        if problem := stamp_problem(placed, 'its buffer starts over'):
            self._node.refuse(f'face {face_id}: {problem}')
        if placed.step.left_out:
            return
        if self._paces[face_id].is_due(stamp_ns):
            self._receive(face_id, message)
        else:
            self._node.statistics.skip(by_choice=True)

    def look(self, face_id: str, message: Image) -> ObservedFaces | None:
        """
        Look at a face's picture.

        :returns: the face; no face where the picture shows none, None where the face is no longer
            tracked.
        :raises ImageError: when it cannot be decoded.
        """
        crop = turned(rgb_of(message, self._decoder), self._node.parameters['rotate'])
        found = self._close_up.find(crop, _WHOLE)
        if face_id not in self._crops:
            return None
        if found is None:
            self._seen.discard(face_id)
            return ObservedFaces(message.header, ())
        self._seen.add(face_id)
        names, encode = self._features.names, partial(self._features.of, crop, found.landmarks)
        face = Face(face_id, found.box, found.compute_blendshapes, found.landmarks, names, encode)
        return ObservedFaces(message.header, (face,))

    def follows(self, faces: Iterable[Face]) -> bool:
        """Tell whether these faces are still tracked: one may end while it is looked at."""
        return all(face.face_id in self._crops for face in faces)

    def count(self) -> int:
        """Count the faces that are tracked and whose latest picture shows one."""
        return sum(face_id in self._seen for face_id in list(self._crops))

    def lose_sight(self) -> None:
        """Count no face until pictures come again."""
        self._seen.clear()

    def _end(self, face_ids: Iterable[str]) -> None:
        face_ids = list(face_ids)
        for face_id in face_ids:
            self._node.destroy_subscription(self._crops.pop(face_id))
            self._silences.pop(face_id, None)
            self._paces.pop(face_id, None)
            self._lines.pop(face_id, None)
            self._seen.discard(face_id)
        if face_ids:
            self._lost(face_ids)

    def stop(self) -> None:
        """Follow no more."""
        self._receive = None
        self._end(self._crops)

    def close(self) -> None:
        """Close MediaPipe's graph."""
        self._close_up.close()
