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

"""Gives faces ids that stay the same from frame to frame."""

from __future__ import annotations

import math
import random
import string
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.stamps import NS_PER_S

ID_LENGTH = 5


@dataclass
class _Track:
    face_id: str
    box: Box
    seen_ns: int


class FaceTracker:
    """
    Assigns each face to the nearest face of the frames before, or gives it a new id.

    Ids follow REP-155: they start with a letter, are unique and mean nothing beyond one
    encounter.

    :param max_distance: longest way of a face's centre between two sightings, as a multiple
        of the face's size, that still counts as the same face.
    :param max_absence_s: longest time in seconds that an unseen face keeps its id.
    :param seed: makes the ids repeatable; None draws them at random.
    """

    def __init__(
        self, max_distance: float = 1.0, max_absence_s: float = 1.0, seed: int | None = None
    ) -> None:
        self._max_distance = max_distance
        self._max_absence_ns = round(max_absence_s * NS_PER_S)
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()
        self._tracks: list[_Track] = []
        self._used: set[str] = set()

    def reset(self) -> None:
        """Forget all faces; the next ones get new ids."""
        self._tracks.clear()

    def track(self, boxes: list[Box], stamp_ns: int) -> list[str]:
        """
        Tell whose boxes these are.

        :param boxes: the faces of one image.
        :param stamp_ns: its stamp in nanoseconds, above that of the image before.
        :returns: the id of each box.
        """
        self._tracks = [t for t in self._tracks if stamp_ns - t.seen_ns <= self._max_absence_ns]
        if not boxes:
            return []
        known: list[_Track | None] = [None] * len(boxes)
        if self._tracks:
            distances = np.array([[_distance(t.box, box) for t in self._tracks] for box in boxes])
            # A pair that may not be joined costs more than all that may.
            far = self._max_distance * (len(boxes) + len(self._tracks) + 1)
            costs = np.where(distances <= self._max_distance, distances, far)
            for row, column in zip(*linear_sum_assignment(costs)):
                if distances[row, column] <= self._max_distance:
                    known[row] = self._tracks[column]
        return [self._continued(track, box, stamp_ns).face_id for track, box in zip(known, boxes)]

    def _continued(self, track: _Track | None, box: Box, stamp_ns: int) -> _Track:
        if track is None:
            track = _Track(self._new_id(), box, stamp_ns)
            self._tracks.append(track)
        track.box, track.seen_ns = box, stamp_ns
        return track

    def _new_id(self) -> str:
        while True:
            letters = (self._random.choice(string.ascii_lowercase) for _ in range(ID_LENGTH))
            face_id = ''.join(letters)
            if face_id not in self._used:
                self._used.add(face_id)
                return face_id


def _distance(known: Box, box: Box) -> float:
    """Distance of the centres over the larger size; 0 is the same place."""
    size_x = max(known.x_max - known.x_min, box.x_max - box.x_min, 1e-6)
    size_y = max(known.y_max - known.y_min, box.y_max - box.y_min, 1e-6)
    way_x = (known.x_min + known.x_max - box.x_min - box.x_max) / 2
    way_y = (known.y_min + known.y_max - box.y_min - box.y_max) / 2
    return math.hypot(way_x / size_x, way_y / size_y)
