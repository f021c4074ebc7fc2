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

"""What a frame costs when it shows several people, against one; and what one person costs."""

from __future__ import annotations

import statistics
import time

from dev.bench.pictures import SIZE, cut_out, landscape, new_finder, photographs, put
from emotion_estimator.emotion.estimation import EmotionEstimation
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.finder import FaceFinder
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import find_model
from emotion_estimator.stamps import NS_PER_S

COUNTS = (1, 2, 4, 8)
WIDTH_PX = 60
RATE_HZ = 30
ROUNDS = 7
FRAMES_A_ROUND = 15  # half a second: one detection where a face could be missing
_COLUMNS = 4
_WARM_UP = 30


def measure_many_faces() -> dict[str, float]:
    """
    Let finders of one, two, four and eight people take turns, so that all are disturbed alike.

    :returns: for each count n the cost of a frame over n times that of one face,
        `cost_per_face_<n>`, and frames a second over those with one face, `fps_ratio_<n>_faces`.
    :raises RuntimeError: when not all people are found.
    """
    many = [_Watch(new_finder(max(COUNTS)), [_crowd(count)], count) for count in COUNTS]
    rounds = _timed(many)
    costs = {
        count: statistics.median(row[i] / row[0] for row in rounds)
        for i, count in enumerate(COUNTS)
    }
    return {
        **{f'cost_per_face_{count}': costs[count] / count for count in COUNTS[1:]},
        **{f'fps_ratio_{count}_faces': 1 / costs[count] for count in COUNTS[1:]},
    }


def measure_near_face(frames: list[Rgb]) -> dict[str, float]:
    """
    Let finders with and without a detector take turns.

    :param frames: frames with one near face.
    :returns: frames a second over those without a detector, `near_face_fps_ratio`.
    :raises RuntimeError: when the face is not found.
    """
    near = [_Watch(new_finder(1, rate_hz), frames, 1) for rate_hz in (2.0, 0.0)]
    return {'near_face_fps_ratio': statistics.median(b / a for a, b in _timed(near))}


class _Watch:
    """Both wings over the same frames again and again."""

    def __init__(self, finder: FaceFinder, frames: list[Rgb], count: int) -> None:
        self.finder = finder
        self._frames = frames
        self._count = count
        self._estimation = EmotionEstimation(EmotionModel(find_model('basic7')))
        self._number = 0

    def look(self, count: int) -> float:
        """Look at some frames; the time that it took, in seconds."""
        start_s = time.perf_counter()
        for _ in range(count):
            self._number += 1
            stamp_ns = self._number * NS_PER_S // RATE_HZ
            frame = self._frames[self._number % len(self._frames)]
            faces = self.finder.find(frame, stamp_ns).faces
            for face in faces:
                self._estimation.estimate(face.face_id, stamp_ns, face.named_values())
        if len(faces) != self._count:
            raise RuntimeError(f'Of {self._count} people {len(faces)} are found.')
        return time.perf_counter() - start_s


def _timed(watches: list[_Watch]) -> list[list[float]]:
    for watch in watches:
        watch.look(_WARM_UP)
    rounds = [[watch.look(FRAMES_A_ROUND) for watch in watches] for _ in range(ROUNDS)]
    for watch in watches:
        watch.finder.close()
    return rounds


def _crowd(count: int) -> Rgb:
    """Draw people side by side."""
    scene = landscape()
    people = [*photographs('neutral'), *photographs('smiling')]
    for number in range(count):
        row, column = divmod(number, _COLUMNS)
        x, y = (column + 0.5) * SIZE[0] / _COLUMNS, (row + 0.5) * SIZE[1] / 2
        put(scene, cut_out(people[number], WIDTH_PX), x, y)
    return scene
