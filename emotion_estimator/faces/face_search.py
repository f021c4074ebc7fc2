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

"""Which faces of a frame are looked at: the near one, those followed, those newly detected."""

from __future__ import annotations

from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_landmarker import Box, FaceLandmarker, LandmarkedFace
from emotion_estimator.faces.image_decoding import Rgb

FORGET_MS = 1000
"""After a longer time without a frame, faces are sought anew rather than where they were."""


class FaceSearch:
    """
    Finds several faces, near and far, frame by frame, at a bounded cost.

    MediaPipe follows one near face by itself. While that leaves room, others are followed by
    close-ups of where they were a frame before, and at its own lower rate a detector looks for
    new ones. A frame costs at most one detection and `max_faces` close-ups; as long as the near
    faces are as many as `max_faces`, it costs neither.

    :param landmarker: follows near faces from frame to frame; closed with this object.
    :param detector: finds small faces and many.
    :param close_up: finds landmarks where a face is; closed with this object.
    :param max_faces: most faces to find, at least 1.
    :param detection_rate_hz: most detections a second, above 0, by the frames' time.
    """

    def __init__(
        self,
        landmarker: FaceLandmarker,
        detector: FaceDetector,
        close_up: CloseUp,
        max_faces: int,
        detection_rate_hz: float,
    ) -> None:
        self._landmarker = landmarker
        self._detector = detector
        self._close_up = close_up
        self._max_faces = max_faces
        self._detection_period_ms = 1000 / detection_rate_hz
        self._followed: list[Box] = []
        self._time_ms: int | None = None
        self._detected_ms: float | None = None

    def find(self, image: Rgb, time_ms: int) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param image: the frame.
        :param time_ms: its time in milliseconds, above that of the frame before.
        :returns: the faces, at most `max_faces`.
        """
        if self._time_ms is not None and time_ms - self._time_ms > FORGET_MS:
            self._followed, self._detected_ms = [], None
        self._time_ms = time_ms
        found = self._landmarker.find(image, time_ms)[: self._max_faces]
        room = self._max_faces - len(found)
        if not room:
            self._followed = []
            return found
        near = [face.box for face in found]
        places = _apart(self._followed, near)
        if len(places) < room and self._is_due(time_ms):
            self._detected_ms = time_ms
            places += _apart(self._detector.find(image), near + places)
        self._followed = []
        for place in places[:room]:
            face = self._close_up.find(image, place)
            if face is not None and _apart([face.box], near + self._followed):
                found.append(face)
                self._followed.append(face.box)
        return found

    def close(self) -> None:
        """Release MediaPipe's graphs."""
        self._landmarker.close()
        self._close_up.close()

    def _is_due(self, time_ms: int) -> bool:
        last = self._detected_ms
        return last is None or time_ms - last >= self._detection_period_ms


def _apart(boxes: list[Box], others: list[Box]) -> list[Box]:
    """Keep the boxes that are not the same face as one of the others."""
    return [box for box in boxes if not any(_is_same(box, other) for other in others)]


def _is_same(box: Box, other: Box) -> bool:
    """Tell whether either centre lies in the other box: detectors frame a face differently."""
    return _holds_centre(box, other) or _holds_centre(other, box)


def _holds_centre(box: Box, other: Box) -> bool:
    x, y = (other.x_min + other.x_max) / 2, (other.y_min + other.y_max) / 2
    return box.x_min <= x <= box.x_max and box.y_min <= y <= box.y_max
