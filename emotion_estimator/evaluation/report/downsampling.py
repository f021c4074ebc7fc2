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

"""One face's answers thinned out for a picture: points for curves, stretches for bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.alignment import Judged
from emotion_estimator.evaluation.temporal_metrics import LONGEST_GAP_S
from emotion_estimator.stamps import NS_PER_S

MOST_POINTS = 480


@dataclass(frozen=True)
class Stretch:
    """
    A time in which something stayed the same.

    :param start_s: in seconds since the recording's first image.
    :param end_s: likewise.
    :param what: number of what it was.
    """

    start_s: float
    end_s: float
    what: int


def times_s(judged: Judged, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Give times since the recording's first image.

    :param judged: the recording.
    :param rows: positions of answers.
    :returns: in seconds, shape [rows].
    """
    return np.asarray((judged.stamps_ns[rows] - judged.image_ns[0]) / NS_PER_S)


def stretches(at_s: NDArray[np.float64], what: NDArray[np.int64]) -> list[Stretch]:
    """
    Join neighbouring frames of which the same is told.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param what: what is told of it, shape [N]; negative numbers are left out.
    :returns: in the order of time; each frame lasts until the next, or as long as is usual where
        the next comes late.
    """
    steps_s = np.diff(at_s)
    near = steps_s <= LONGEST_GAP_S
    usual_s = float(np.median(steps_s[near])) if near.any() else 0.0
    ends_s = np.append(np.where(near, at_s[1:], at_s[:-1] + usual_s), at_s[-1] + usual_s)
    begins = np.flatnonzero(np.append(True, ~near | (np.diff(what) != 0)))
    lasts = np.append(begins[1:], len(at_s)) - 1
    return [
        Stretch(float(at_s[first]), float(ends_s[last]), int(what[first]))
        for first, last in zip(begins, lasts)
        if what[first] >= 0
    ]


@dataclass(frozen=True)
class Points:
    """
    Means over short times, for curves.

    :param at_s: time of each point in seconds, shape [P].
    :param values: shape [P, ...].
    :param starts: whether a new curve begins at a point, the face having been away, shape [P].
    """

    at_s: NDArray[np.float64]
    values: NDArray[np.float64]
    starts: NDArray[np.bool_]

    def pieces(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Give times and values of each curve."""
        cuts = np.flatnonzero(self.starts)[1:]
        return list(zip(np.split(self.at_s, cuts), np.split(self.values, cuts)))


def points(
    at_s: NDArray[np.float64],
    values: NDArray[np.float64],
    length_s: float,
    most: int = MOST_POINTS,
) -> Points:
    """
    Average frames that fall into the same of equally long times.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param values: shape [N, ...].
    :param length_s: length of the whole picture in seconds.
    :param most: most points.
    :returns: one point for each time that has frames.
    """
    width_s = max(length_s, 1e-9) / most
    _, place = np.unique(np.floor(at_s / width_s), return_inverse=True)
    counts = np.bincount(place)
    flat = values.reshape(len(values), -1)
    means = np.stack([np.bincount(place, column) / counts for column in flat.T], axis=1)
    middle_s = np.bincount(place, at_s) / counts
    late = np.diff(middle_s) > LONGEST_GAP_S + width_s
    return Points(middle_s, means.reshape(-1, *values.shape[1:]), np.append(True, late))
