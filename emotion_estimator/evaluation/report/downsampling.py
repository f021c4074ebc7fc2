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

"""Downsampling: bars for what stays the same, means over equal times for curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """
    A time in which something stayed the same.

    :param start_s: seconds since the recording's first image, as `end_s`.
    :param what: number of what it was.
    """

    start_s: float
    end_s: float
    what: int


def stretches(at_s: Floats, what: Integers, longest_gap_s: float, frame_s: float) -> list[Stretch]:
    """
    Join neighbouring frames that have the same number.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param what: number of each frame, shape [N]; negative ones are left out.
    :param longest_gap_s: between frames that belong together.
    :param frame_s: how long a frame lasts where the next comes late, or none.
    :returns: in the order of time.
    """
    near = np.diff(at_s) <= longest_gap_s
    ends_s = np.append(np.where(near, at_s[1:], at_s[:-1] + frame_s), at_s[-1] + frame_s)
    begins = np.flatnonzero(np.append(True, ~near | (np.diff(what) != 0)))
    lasts = np.append(begins[1:], len(at_s)) - 1
    return [
        Stretch(float(at_s[first]), float(ends_s[last]), int(what[first]))
        for first, last in zip(begins, lasts)
        if what[first] >= 0
    ]


def points(
    at_s: Floats,
    values: Floats,
    filler: float,
    width_s: float,
    longest_gap_s: float,
    frame_s: float,
) -> tuple[Floats, Floats]:
    """
    Average frames that fall into the same of equally long times, for curves.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param values: shape [N, K].
    :param filler: value of one more point on either side of a time without the face.
    :param width_s: of those times; 0 makes each frame a point.
    :param longest_gap_s: see `stretches`, as `frame_s`: so long the last values hold.
    :returns: times and values of the points, shapes [P] and [P, K].
    """
    if width_s:
        _, place = np.unique(np.floor(at_s / width_s), return_inverse=True)
        counts = np.bincount(place)
        values = np.stack([np.bincount(place, column) / counts for column in values.T], axis=1)
        at_s = np.bincount(place, at_s) / counts
    gaps = np.flatnonzero(np.diff(at_s) > longest_gap_s + width_s) + 1
    ends_s, nothing = at_s[gaps - 1] + frame_s, np.full_like(values[gaps], filler)
    edges_s = np.stack([ends_s, ends_s, at_s[gaps]], axis=1).ravel()
    held = np.stack([values[gaps - 1], nothing, nothing], axis=1).reshape(-1, values.shape[1])
    places = np.append(np.repeat(gaps, 3), len(at_s))
    times_s = np.insert(at_s, places, np.append(edges_s, at_s[-1] + frame_s))
    return times_s, np.insert(values, places, np.append(held, values[-1:], axis=0), axis=0)
