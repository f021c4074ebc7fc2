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

"""Gives faces ids that stay the same from frame to frame; says which faces are there."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.geometry import MESH, align, in_face_units
from emotion_estimator.faces.landmarker import Box, LandmarkedFace
from emotion_estimator.stamps import NS_PER_S

_LOOK_NS = NS_PER_S  # most that the time between two images counts as an absence


class WatchedTime:
    """
    Time in which somebody looked: a camera that is silent sees nobody leave.

    Between two images at most a second counts, so that at any rate of images a face that is
    missed in one of them is not lost.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self._stamp_ns: int | None = None

    def look(self, stamp_ns: int) -> int:
        """
        Take the next image.

        :returns: the watched time at it, in nanoseconds; it never goes back.
        """
        if self._stamp_ns is not None:
            self.now_ns += min(max(stamp_ns - self._stamp_ns, 0), _LOOK_NS)
        self._stamp_ns = stamp_ns
        return self.now_ns


ID_LENGTH = 5
REMEMBERED_IDS = 100_000
"""Latest ids that are not given again. All that were ever given would fill the memory."""
SHAPE_WEIGHT = 20.0
"""
Face sizes of distance that weigh like one face unit of difference in shape.

In real clips a face's shape differs by .02 (median) to .045 (95th percentile) from that of the
second before, two people's by .03 to .07.
"""
_STRAY_PER_S = 2.0  # face sizes a second that an unseen face may leave its straight way
_UNSURE_PER_S = 4.0  # how much less a way counts for each second that a face was not seen for sure
_VELOCITY_S = 0.15  # time constant over which velocity is smoothed
_SHAPE_S = 1.0  # of the shape: longer than a crossing
_LONGEST_STEP_S = 0.1  # a face seen again after longer does not take over its shape faster
_SHAPE_STEP_S = 0.1  # how often the shape of a face that is alone is looked at
_MISTAKEN = 1.0  # face sizes within which a face may be an unseen one that is expected there


@dataclass(eq=False)
class _Track:
    face_id: str
    box: Box
    shape: NDArray[np.float32]
    seen_ns: int
    sure_box: Box  # where it was seen when no other could be taken for it
    sure_ns: int
    shape_ns: int  # when its shape was last looked at
    watched_ns: int  # when it was seen, by `WatchedTime`
    velocity: tuple[float, float] = (0.0, 0.0)
    doubles: list[_Track] = field(default_factory=list)  # the unseen that it may be instead

    def way_to(self, box: Box, stamp_ns: int) -> float:
        """Distance from where it should be by now over the larger size; 0 is the same place."""
        elapsed_s = (stamp_ns - self.seen_ns) / NS_PER_S
        size_x = max(self.box.x_max - self.box.x_min, box.x_max - box.x_min, 1e-6)
        size_y = max(self.box.y_max - self.box.y_min, box.y_max - box.y_min, 1e-6)
        way_x, way_y = _way(self.box, box)
        return math.hypot(
            (way_x - self.velocity[0] * elapsed_s) / size_x,
            (way_y - self.velocity[1] * elapsed_s) / size_y,
        )

    def unsure_s(self, stamp_ns: int) -> float:
        """Time since it was seen without a double, in seconds."""
        return (stamp_ns - self.sure_ns) / NS_PER_S

    def see(
        self, box: Box, shape: NDArray[np.float32] | None, stamp_ns: int, unseen: list[_Track]
    ) -> None:
        """
        Follow it to where it is now; without a shape it keeps that which it had.

        Where one face hides another, a landmarker slides from this one to that: until both are
        seen again, nothing is learnt of its way or its shape.
        """
        self.box, self.seen_ns = box, stamp_ns
        self.doubles = [
            other
            for other in unseen
            if other in self.doubles or other.way_to(box, stamp_ns) <= _MISTAKEN
        ]
        if not self.doubles:
            self._learn(box, shape, stamp_ns)

    def _learn(self, box: Box, shape: NDArray[np.float32] | None, stamp_ns: int) -> None:
        elapsed_s = self.unsure_s(stamp_ns)
        if elapsed_s > 0:
            share = 1 - math.exp(-elapsed_s / _VELOCITY_S)
            x, y = (way / elapsed_s for way in _way(self.sure_box, box))
            self.velocity = (
                self.velocity[0] + share * (x - self.velocity[0]),
                self.velocity[1] + share * (y - self.velocity[1]),
            )
        self.sure_box, self.sure_ns = box, stamp_ns
        if shape is not None:
            step_s = min((stamp_ns - self.shape_ns) / NS_PER_S, _LONGEST_STEP_S)
            self.shape += (1 - math.exp(-step_s / _SHAPE_S)) * (shape - self.shape)
            self.shape_ns = stamp_ns


class FaceTracker:
    """
    Assigns each face to a face of the frames before, by place and shape, or gives it a new id.

    A face is expected where a straight way at its latest velocity leads it, and with the shape
    of its skin's landmarks that it had over the last second. Among all assignments the one of
    least cost is taken (H. W. Kuhn, "The Hungarian method for the assignment problem", Naval
    Research Logistics Quarterly 2 (1955), 83). While one of two who meet is hidden, the other
    may be either: its way and shape rest until both are seen.

    Ids follow REP-155: they start with a letter, are unique and mean nothing beyond one
    encounter.

    :param max_distance: longest way of a face's centre from where it is expected, as a multiple
        of the face's size, that still counts as the same face; longer for one not seen of late,
        or while it may be another.
    :param max_absence_s: longest time in seconds that an unseen face keeps its id, see
        `WatchedTime`.
    :param seed: makes the ids repeatable; None draws them at random.
    """

    def __init__(
        self, max_distance: float = 1.0, max_absence_s: float = 1.0, seed: int | None = None
    ) -> None:
        self._max_distance = max_distance
        self._max_absence_ns = round(max_absence_s * NS_PER_S)
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()
        self._watched = WatchedTime()
        self._tracks: list[_Track] = []
        self._pose: NDArray[np.float32] | None = None
        self._used: dict[str, None] = {}  # the latest last

    def reset(self) -> None:
        """Forget all faces; the next ones get new ids."""
        self._tracks.clear()

    def track(
        self, faces: list[LandmarkedFace], width: int, height: int, stamp_ns: int
    ) -> list[str]:
        """
        Tell whose faces these are.

        :param faces: the faces of one image.
        :param width: of the image in pixels.
        :param height: its height in pixels.
        :param stamp_ns: its stamp in nanoseconds, above that of the image before.
        :returns: the id of each face.
        """
        watched_ns = self._watched.look(stamp_ns)
        ids = self._follow(faces, width, height, stamp_ns) if faces else []
        for track in self._tracks:
            if track.seen_ns == stamp_ns:
                track.watched_ns = watched_ns
        earliest_ns = watched_ns - self._max_absence_ns
        self._tracks = [track for track in self._tracks if track.watched_ns >= earliest_ns]
        return ids

    def _follow(
        self, faces: list[LandmarkedFace], width: int, height: int, stamp_ns: int
    ) -> list[str]:
        alone = len(faces) == len(self._tracks) == 1
        rests = alone and stamp_ns - self._tracks[0].shape_ns < _SHAPE_STEP_S * NS_PER_S
        shapes = None if rests else self._shapes(faces, width, height)
        known = self._known(faces, shapes, stamp_ns)
        if shapes is None and None in known:
            shapes = self._shapes(faces, width, height)
        unseen = [t for t in self._tracks if t not in known]
        ids = []
        for index, (track, face) in enumerate(zip(known, faces)):
            shape = None if shapes is None else shapes[index]
            if track is None:
                assert shape is not None  # made for new faces, above
                box, new_id = face.box, self._new_id()
                track = _Track(new_id, box, shape.copy(), stamp_ns, box, stamp_ns, stamp_ns, 0)
                self._tracks.append(track)
            else:
                track.see(face.box, shape, stamp_ns, unseen)
            ids.append(track.face_id)
        return ids

    def _shapes(self, faces: list[LandmarkedFace], width: int, height: int) -> NDArray[np.float32]:
        """Skins in face units, all turned as the first face ever seen; shape [N, MESH, 3]."""
        points = np.array([in_face_units(face.landmarks, width, height)[0] for face in faces])
        if self._pose is None:
            self._pose = points[0]
        return align(points, self._pose)[0][:, :MESH]

    def _known(
        self, faces: list[LandmarkedFace], shapes: NDArray[np.float32] | None, stamp_ns: int
    ) -> list[_Track | None]:
        known: list[_Track | None] = [None] * len(faces)
        if not self._tracks:
            return known
        if len(faces) == len(self._tracks) == 1:
            # Nobody else may be meant: its shape and the assignment decide nothing.
            (track,), (face,) = self._tracks, faces
            most = self._max_distance + _STRAY_PER_S * track.unsure_s(stamp_ns)
            return [track if track.way_to(face.box, stamp_ns) <= most else None]
        ways = np.array([[t.way_to(face.box, stamp_ns) for t in self._tracks] for face in faces])
        unsure_s = np.array([t.unsure_s(stamp_ns) for t in self._tracks])
        near = ways <= self._max_distance + _STRAY_PER_S * unsure_s
        if shapes is not None:
            differences = np.array(
                [[_difference(t.shape, s) for t in self._tracks] for s in shapes]
            )
            # Who turns back out of sight is far from where a straight way leads.
            ways = ways / (1 + _UNSURE_PER_S * unsure_s) + SHAPE_WEIGHT * differences
        # A pair that may not be joined costs more than all that may.
        costs = np.where(near, ways, 1 + 2 * ways[near].sum())
        for row, column in enumerate(assigned(costs.tolist())):
            if column is not None and near[row, column]:
                known[row] = self._tracks[column]
        return known

    def _new_id(self) -> str:
        while True:
            letters = (self._random.choice(string.ascii_lowercase) for _ in range(ID_LENGTH))
            face_id = ''.join(letters)
            if face_id not in self._used and all(t.face_id != face_id for t in self._tracks):
                self._used[face_id] = None
                if len(self._used) > REMEMBERED_IDS:
                    del self._used[next(iter(self._used))]
                return face_id


def assigned(costs: list[list[float]]) -> list[int | None]:
    """
    Give each row a column of its own, or each column a row, at the least sum of costs.

    By shortest augmenting paths (R. Jonker, A. Volgenant, "A shortest augmenting path algorithm
    for dense and sparse linear assignment problems", Computing 38 (1987), 325).

    :param costs: finite; all rows have the same length.
    :returns: the column of each row; None for rows that get none.
    """
    count, width = len(costs), len(costs[0])
    if count > width:
        rows = assigned([list(column) for column in zip(*costs)])
        return [rows.index(row) if row in rows else None for row in range(count)]
    # What a row and a column are worth: together never more than they cost.
    row_worth, column_worth = [0.0] * count, [0.0] * width
    owner = [-1] * width
    for new in range(count):
        # Dijkstra's search from a new row to the nearest column without an owner.
        way, before = [math.inf] * width, [-1] * width
        unreached, row, column, length = set(range(width)), new, -1, 0.0
        while row >= 0:
            for other in unreached:
                longer = length + costs[row][other] - row_worth[row] - column_worth[other]
                if longer < way[other]:
                    way[other], before[other] = longer, column
            column = min(unreached, key=way.__getitem__)
            unreached.remove(column)
            row, length = owner[column], way[column]
        row_worth[new] += length
        for other in set(range(width)) - unreached - {column}:
            row_worth[owner[other]] += length - way[other]
            column_worth[other] -= length - way[other]
        # Along the way each column passes to the row before it.
        while column >= 0:
            owner[column] = new if before[column] < 0 else owner[before[column]]
            column = before[column]
    return [owner.index(row) for row in range(count)]


def _way(box: Box, other: Box) -> tuple[float, float]:
    """Way from one box's centre to the other's."""
    return (
        (other.x_min + other.x_max - box.x_min - box.x_max) / 2,
        (other.y_min + other.y_max - box.y_min - box.y_max) / 2,
    )


def _difference(shape: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Median distance of the points: a mouth that moves is outvoted. In face units."""
    return float(np.sqrt(np.median(((shape - other) ** 2).sum(axis=1))))


LISTED_S = 0.3
"""A face unseen for no longer, in seconds, is still there: one missed image is no absence."""


@dataclass(frozen=True)
class Presence:
    """
    Who is there.

    :param listed: ids of the faces that are there, those of the image first.
    :param lost: ids of those that will not come back under these ids.
    """

    listed: list[str]
    lost: list[str]


class FacePresence:
    """
    Follows when each face was seen last.

    :param max_absence_s: see `FaceTracker`.
    """

    def __init__(self, max_absence_s: float) -> None:
        self._watched = WatchedTime()
        self._max_absence_ns = round(max_absence_s * NS_PER_S)
        self._listed_ns = min(round(LISTED_S * NS_PER_S), self._max_absence_ns)
        self._seen_ns: dict[str, int] = {}

    def see(self, face_ids: Iterable[str], stamp_ns: int, starts_over: bool = False) -> Presence:
        """
        Take the faces of the next image.

        :param face_ids: their ids.
        :param starts_over: whether the stamp starts a new time line; then all others are lost.
        :returns: who is there at this stamp. Who is lost is said once.
        """
        watched_ns = self._watched.look(stamp_ns)
        now = dict.fromkeys(face_ids, watched_ns)
        before = {name: seen_ns for name, seen_ns in self._seen_ns.items() if name not in now}
        absent_ns = {name: watched_ns - seen_ns for name, seen_ns in before.items()}
        lost = [
            name
            for name, way_ns in absent_ns.items()
            if starts_over or way_ns > self._max_absence_ns
        ]
        self._seen_ns = {**before, **now}
        for name in lost:
            del self._seen_ns[name], absent_ns[name]
        near = [name for name, way_ns in absent_ns.items() if way_ns <= self._listed_ns]
        return Presence([*now, *near], lost)
