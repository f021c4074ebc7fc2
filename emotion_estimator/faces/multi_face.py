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

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.detection import Detector
from emotion_estimator.faces.geometry import turned
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import Box, LandmarkedFace, Landmarker, box_of, turned_box
from emotion_estimator.faces.pose import LEFT_PUPIL, RIGHT_PUPIL
from emotion_estimator.stamps import SILENCE_S

SIDE_PX = 256
"""Length of a crop's side: MediaPipe's landmark network itself sees 256 x 256 pixels."""
CLOSE_UP_MARGIN = 2.0
"""Side of the crop as a multiple of the longer side of the face's box."""


class CloseUp:
    """
    Looks at one face, however small it is in the image.

    With a landmarker for frames it follows this face: as the crop moves with the box, the face
    stays in its middle, where it was before. That saves detection, a fifth of a still's time.

    :param landmarker: for close-ups of one face, frames or stills; closed with this object.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker
        self.follows = False  # whether the next look begins with the face that the last found

    def find(self, image: Rgb, box: Box, time_ms: int | None = None) -> LandmarkedFace | None:
        """
        Look closely.

        :param box: where a face is, or was a frame before.
        :param time_ms: see `Landmarker.find`.
        :returns: the face in the whole image's coordinates; None where there is none any more.
        """
        height, width = image.shape[:2]
        side = CLOSE_UP_MARGIN * max(
            (box.x_max - box.x_min) * width, (box.y_max - box.y_min) * height
        )
        side_px = max(round(side), 1)
        left = round((box.x_min + box.x_max) / 2 * width - side_px / 2)
        top = round((box.y_min + box.y_max) / 2 * height - side_px / 2)
        crop = enlarged_crop(image, left, top, side_px)
        if crop is None:
            return None
        found = self._landmarker.find(crop, time_ms)
        self.follows = bool(found)
        if not found:
            return None
        scale = np.array([side_px / width, side_px / height, side_px / width], np.float32)
        corner = np.array([left / width, top / height, 0], np.float32)
        landmarks = found[0].landmarks * scale + corner
        return LandmarkedFace(box_of(landmarks), found[0].compute_blendshapes, landmarks)

    def close(self) -> None:
        """Release the landmarker."""
        self._landmarker.close()


def enlarged_crop(
    image: Rgb, left: int, top: int, side: int, side_px: int = SIDE_PX
) -> NDArray[np.uint8] | None:
    """
    Cut out a square and scale it; black where it reaches outside the image.

    :param left, top: its first column and row, may be negative.
    :param side: its length in pixels, above 0.
    :param side_px: length to which it is scaled, in pixels.
    :returns: shape [side_px, side_px, 3]; None where it lies outside the image.
    """
    height, width = image.shape[:2]
    x_min, x_max = max(left, 0), min(left + side, width)
    y_min, y_max = max(top, 0), min(top + side, height)
    if x_min >= x_max or y_min >= y_max:
        return None
    scale = side_px / side
    columns = [round((x - left) * scale) for x in (x_min, x_max)]
    rows = [round((y - top) * scale) for y in (y_min, y_max)]
    if columns[0] == columns[1] or rows[0] == rows[1]:
        return None
    crop = np.zeros((side_px, side_px, 3), np.uint8)
    cv2.resize(
        image[y_min:y_max, x_min:x_max],
        (columns[1] - columns[0], rows[1] - rows[0]),
        dst=crop[rows[0] : rows[1], columns[0] : columns[1]],
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    return crop


FORGET_MS = 1000
"""After a longer time without a frame, faces are searched for in the whole image."""
RETRIES = 5
"""For a second after a face was lost, detections are so many times as frequent."""
_RETRIED_MS = 1000
_MOST_VAIN = 100
_Found = TypeVar('_Found')
SIDE_BY_SIDE = 2
"""Most faces that are looked at at a time: each takes a core, and a robot needs the others."""


@dataclass
class _Followed:
    box: Box
    close_up: CloseUp


class FaceSearch:
    """
    Finds several faces, near and far, frame by frame, at a bounded cost.

    One near face is followed in the whole image. While that leaves room, others are followed by
    close-ups of where they were a frame before, and at its own lower rate a detector looks for
    new ones. A frame costs at most one detection and `max_faces` landmark runs, one more where a
    near face has just appeared; with `max_faces` near faces it costs no more than MediaPipe alone.
    On several cores `SIDE_BY_SIDE` faces are looked at together, and the same ones are found.

    :param landmarker: follows near faces from frame to frame; closed with this object.
    :param detector: finds small faces and many.
    :param new_close_up: makes what follows one further face, when it is first needed; closed
        with this object.
    :param max_faces: most faces to find, at least 1.
    :param detection_rate_hz: most detections a second, above 0, by the frames' time, fewer where
        they cost more than of 640 x 480 pixels, so that an empty room costs no more than a face;
        for a second after a face was lost `RETRIES` times as many.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        detector: Detector,
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
        self._vain: list[Box] = []
        self._found = 0
        self._workers: ThreadPoolExecutor | None = None
        self._workers_process = 0
        self._time_ms = self._detected_ms = self._lost_ms = -math.inf

    def find(self, image: Rgb, time_ms: int) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param time_ms: its time in milliseconds, above that of the frame before.
        :returns: the faces, at most `max_faces`.
        """
        pause_ms, self._time_ms = time_ms - self._time_ms, time_ms
        if pause_ms > FORGET_MS:
            self._rest(*(followed.close_up for followed in self._followed))
            self._followed, self._detected_ms, self._lost_ms = [], -math.inf, -math.inf
        if pause_ms > SILENCE_S * 1000:  # another time line
            self._vain = []
        before, self._followed = self._followed, []
        # What has looked in vain rests until the next frame: MediaPipe's clock must go forward.
        rested, self._idle = self._idle, []
        found, seen = self._look_again(image, time_ms, before)
        # Whoever is not found again leaves room for a new face in the next frame.
        runs = max(self._max_faces - len(found) - len(before), 0)
        for followed, face in zip(before, seen):
            apart = len(found) < self._max_faces and _is_apart(followed.box, _boxes(found))
            self._take(face if apart else None, followed.close_up, found)
        if len(found) < self._found:
            self._lost_ms = time_ms
        if runs and self._is_due(time_ms):
            self._detected_ms = time_ms
            boxes = [box for box in self._detector.find(image) if _is_apart(box, _boxes(found))]
            for box in self._by_turns(boxes)[:runs]:
                close_up = rested.pop() if rested else self._new_close_up()
                if not self._take(close_up.find(image, box, time_ms), close_up, found):
                    self._vain.append(box)
        self._idle += rested
        self._found = len(found)
        return found

    def close(self) -> None:
        """Release MediaPipe's graphs."""
        if self._workers is not None:
            self._workers.shutdown()
        self._landmarker.close()
        for close_up in [*self._idle, *(followed.close_up for followed in self._followed)]:
            close_up.close()

    def _look_again(
        self, image: Rgb, time_ms: int, before: list[_Followed]
    ) -> tuple[list[LandmarkedFace], list[LandmarkedFace | None]]:
        """
        Look for the near faces and for those followed; at a time where there are cores for it.

        :returns: the near faces; for each of those followed its face, None where there is none.
        """
        near = partial(self._landmarker.find, image, time_ms)
        looks = [partial(one.close_up.find, image, one.box, time_ms) for one in before]
        # Other systems than Linux do not tell.
        one_core = hasattr(os, 'sched_getaffinity') and len(os.sched_getaffinity(0)) == 1
        if not looks or one_core:
            return near()[: self._max_faces], [look() for look in looks]
        if self._workers_process != os.getpid():  # a forked process has none of the threads
            self._workers_process = os.getpid()
            self._workers = ThreadPoolExecutor(SIDE_BY_SIDE, 'faces')
        assert self._workers is not None
        nearest = _started(self._workers, near)
        others = [_started(self._workers, look) for look in looks]
        # Also where one fails: none may still look at this frame in the next.
        wait(others)
        return nearest.result()[: self._max_faces], [other.result() for other in others]

    def _take(
        self, face: LandmarkedFace | None, close_up: CloseUp, found: list[LandmarkedFace]
    ) -> bool:
        """Follow what a close-up found, unless it was found already; tell whether it does."""
        if face is None or not _is_apart(face.box, _boxes(found)):
            self._rest(close_up)
            return False
        found.append(face)
        self._followed.append(_Followed(face.box, close_up))
        return True

    def _rest(self, *close_ups: CloseUp) -> None:
        """Keep close-ups for other faces, which must get nothing of those seen before."""
        for close_up in close_ups:
            if close_up.follows:
                close_up.close()
            else:
                self._idle.append(close_up)

    def _by_turns(self, boxes: list[Box]) -> list[Box]:
        """Put what was looked at in vain last: a face that is covered shall hide no other."""
        vain = self._vain = [v for v in self._vain if not _is_apart(v, boxes)][-_MOST_VAIN:]
        turns = {box: [n for n, v in enumerate(vain) if box.is_of_same_face(v)] for box in boxes}
        return sorted(boxes, key=lambda box: max(turns[box], default=-1))

    def _is_due(self, time_ms: int) -> bool:
        period_ms = self._detection_period_ms * self._detector.cost
        if time_ms - self._lost_ms <= _RETRIED_MS:
            period_ms /= RETRIES
        return time_ms - self._detected_ms >= period_ms


def _started(workers: ThreadPoolExecutor, look: Callable[[], _Found]) -> Future[_Found]:
    """Begin a look; once the program's main thread has ended, when no thread starts, do it."""
    try:
        return workers.submit(look)
    except RuntimeError:
        done: Future[_Found] = Future()
        done.set_result(look())
        return done


class FaceCounter:
    """
    Counts the faces of an image that nobody follows.

    :param landmarker: for stills: close-ups, or whole images without a detector; closed with this.
    :param detector: finds faces, also small ones and many; None leaves it at the landmarker.
    :param rotate: see `FaceFinder`.
    """

    def __init__(self, landmarker: Landmarker, detector: Detector | None, rotate: int = 0) -> None:
        self._rotate = rotate
        self._landmarker = landmarker
        self._close_up = CloseUp(landmarker)
        self._detector = detector

    def beside(self, image: Rgb, followed: Sequence[Box]) -> int:
        """
        Count the faces beside those that are followed.

        :param followed: where the others are.
        :returns: how many; a place without landmarks of a face is none.
        """
        known = [turned_box(box, self._rotate) for box in followed]
        image = turned(image, self._rotate)
        if self._detector is None:
            faces = iter(self._landmarker.find(image))
        else:
            # Of those that are known, nobody asks for landmarks.
            boxes = (box for box in self._detector.find(image) if _is_apart(box, known))
            faces = filter(None, (self._close_up.find(image, box) for box in boxes))
        for face in faces:
            if _is_apart(face.box, known):
                known.append(face.box)
        return len(known) - len(followed)

    def close(self) -> None:
        """Release MediaPipe's graph."""
        self._close_up.close()


def _is_apart(box: Box, found: Iterable[Box]) -> bool:
    """Tell whether a box is none of the faces found already."""
    return not any(box.is_of_same_face(other) for other in found)


def _boxes(found: Iterable[LandmarkedFace]) -> Iterable[Box]:
    return (face.box for face in found)


PICTURE_MARGIN = 1.5
"""Side of the picture as a multiple of the longer side of the face's box."""


def face_picture(
    image: Rgb, box: Box, width_px: int = SIDE_PX, height_px: int = SIDE_PX, rotate: int = 0
) -> Rgb | None:
    """
    Cut a face out at a size that does not change.

    :param image: that the face was found in.
    :param box: where it is.
    :param width_px, height_px: of the picture in pixels.
    :param rotate: degrees clockwise that turn the face upright.
    :returns: the face in the middle, black beside its square and where that reaches outside the
        image; None where all of it does.
    """
    square = _square_of(image, box, min(width_px, height_px))
    return None if square is None else _with_bars(turned(square, rotate), width_px, height_px)


def level_face_picture(
    image: Rgb,
    box: Box,
    landmarks: NDArray[np.float32],
    width_px: int = SIDE_PX,
    height_px: int = SIDE_PX,
) -> Rgb | None:
    """
    Cut a face out as `face_picture` does, turned so that its eyes are level and it is upright.

    :param landmarks: of the face in that image, shape [478, 3].
    :returns: the face in the middle; None where its square lies outside the image.
    """
    side_px = min(width_px, height_px)
    # So much more that turning brings in no corner.
    wide_px = side_px + 2 * math.ceil(side_px * (math.sqrt(2) - 1) / 2)
    square = _square_of(image, box, wide_px, wide_px / side_px)
    if square is None:
        return None
    across, down = (landmarks[LEFT_PUPIL] - landmarks[RIGHT_PUPIL])[:2] * image.shape[1::-1]
    middle = (wide_px - 1) / 2, (wide_px - 1) / 2
    turn = cv2.getRotationMatrix2D(middle, math.degrees(math.atan2(down, across)), 1.0)
    turn[:, 2] -= (wide_px - side_px) // 2
    level = np.asarray(cv2.warpAffine(square, turn, (side_px, side_px)), np.uint8)
    return _with_bars(level, width_px, height_px)


def _square_of(image: Rgb, box: Box, side_px: int, enlarged: float = 1.0) -> Rgb | None:
    """Cut out the square round a face, so many times enlarged; see `enlarged_crop`."""
    height, width = image.shape[:2]
    side = max((box.x_max - box.x_min) * width, (box.y_max - box.y_min) * height)
    cut_px = max(round(enlarged * PICTURE_MARGIN * side), 1)
    left = round((box.x_min + box.x_max) / 2 * width - cut_px / 2)
    top = round((box.y_min + box.y_max) / 2 * height - cut_px / 2)
    return enlarged_crop(image, left, top, cut_px, side_px)


def _with_bars(square: Rgb, width_px: int, height_px: int) -> Rgb:
    """Put black bars beside a square."""
    rows, columns = height_px - square.shape[0], width_px - square.shape[1]
    bars = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return np.pad(square, bars)
