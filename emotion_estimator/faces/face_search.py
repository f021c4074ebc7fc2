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

from collections.abc import Callable
from dataclasses import dataclass

from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_landmarker import Box, FaceLandmarker, LandmarkedFace
from emotion_estimator.faces.image_decoding import Rgb

FORGET_MS = 1000
"""After a longer time without a frame, faces are sought anew rather than where they were."""
RETRIES = 5
"""For a second after a face was lost, detections are so many times as frequent."""
_RETRIED_MS = 1000


@dataclass
class _Followed:
    box: Box
    close_up: CloseUp


class FaceSearch:
    """
    Finds several faces, near and far, frame by frame, at a bounded cost.

    MediaPipe follows one near face by itself. While that leaves room, others are followed by
    close-ups of where they were a frame before, and at its own lower rate a detector looks for
    new ones. A frame costs at most one detection and `max_faces` landmark runs; as long as the
    near faces are as many as `max_faces`, it costs no more than MediaPipe alone.

    :param landmarker: follows near faces from frame to frame; closed with this object.
    :param detector: finds small faces and many.
    :param new_close_up: makes what follows one further face, when it is first needed; closed
        with this object.
    :param max_faces: most faces to find, at least 1.
    :param detection_rate_hz: most detections a second, above 0, by the frames' time; for a second
        after a face was lost `RETRIES` times as many.
    """

    def __init__(
        self,
        landmarker: FaceLandmarker,
        detector: FaceDetector,
        new_close_up: Callable[[], CloseUp],
        max_faces: int,
        detection_rate_hz: float,
    ) -> None:
        self._landmarker = landmarker
        self._detector = detector
        self._new_close_up = new_close_up
        self._max_faces = max_faces
        self._detection_period_ms = 1000 / detection_rate_hz
        self._idle: list[CloseUp] = []
        self._followed: list[_Followed] = []
        self._found = 0
        self._time_ms: int | None = None
        self._detected_ms: float | None = None
        self._lost_ms: float | None = None

    def find(self, image: Rgb, time_ms: int) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param image: the frame.
        :param time_ms: its time in milliseconds, above that of the frame before.
        :returns: the faces, at most `max_faces`.
        """
        if self._time_ms is not None and time_ms - self._time_ms > FORGET_MS:
            self._idle += [followed.close_up for followed in self._followed]
            self._followed, self._detected_ms, self._lost_ms = [], None, None
        self._time_ms = time_ms
        found = self._landmarker.find(image, time_ms)[: self._max_faces]
        runs = self._max_faces - len(found)
        before, self._followed = self._followed, []
        # What has looked in vain rests until the next frame: MediaPipe's clock must go forward.
        rested, self._idle = self._idle, []
        for followed in before:
            if runs and _is_apart(followed.box, found):
                runs -= 1
                self._look(image, followed.box, followed.close_up, found)
            else:
                rested.append(followed.close_up)
        if len(found) < self._found:
            self._lost_ms = time_ms
        if runs and self._is_due(time_ms):
            self._detected_ms = time_ms
            boxes = [box for box in self._detector.find(image) if _is_apart(box, found)]
            for box in boxes[:runs]:
                close_up = rested.pop() if rested else self._new_close_up()
                self._look(image, box, close_up, found)
        self._idle += rested
        self._found = len(found)
        return found

    def close(self) -> None:
        """Release MediaPipe's graphs."""
        self._landmarker.close()
        for close_up in [*self._idle, *(followed.close_up for followed in self._followed)]:
            close_up.close()

    def _look(self, image: Rgb, box: Box, close_up: CloseUp, found: list[LandmarkedFace]) -> None:
        """Look for a face at a place; one that was not found already is followed."""
        face = close_up.find(image, box, self._time_ms)
        if face is None or not _is_apart(face.box, found):
            self._idle.append(close_up)
            return
        found.append(face)
        self._followed.append(_Followed(face.box, close_up))

    def _is_due(self, time_ms: int) -> bool:
        period_ms = self._detection_period_ms
        if self._lost_ms is not None and time_ms - self._lost_ms <= _RETRIED_MS:
            period_ms /= RETRIES
        return self._detected_ms is None or time_ms - self._detected_ms >= period_ms


def _is_apart(box: Box, found: list[LandmarkedFace]) -> bool:
    """Tell whether a box is none of the faces found already."""
    return not any(_is_same(box, face.box) for face in found)


def _is_same(box: Box, other: Box) -> bool:
    """Tell whether either centre lies in the other box: detectors frame a face differently."""
    return _holds_centre(box, other) or _holds_centre(other, box)


def _holds_centre(box: Box, other: Box) -> bool:
    x, y = (other.x_min + other.x_max) / 2, (other.y_min + other.y_max) / 2
    return box.x_min <= x <= box.x_max and box.y_min <= y <= box.y_max
