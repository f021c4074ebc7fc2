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

"""How an answer changes over time: switches, and when it becomes right for good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S

LONGEST_GAP_S = 0.5
"""A face unseen for longer is a new face: what differs then is no switch."""


def switches(
    stamps_ns: NDArray[np.int64],
    labels: NDArray[np.int64],
    longest_gap_s: float = LONGEST_GAP_S,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Find where one face's label changes, and how long it was followed.

    :param stamps_ns: ascending, shape [N].
    :param labels: shape [N].
    :param longest_gap_s: the longest step between two frames that belong together.
    :returns: positions of the frames with another label than the frame before, and the seconds
        from the frame before to each frame, shape [N], 0 for the first and after a gap.
    """
    steps_s = np.diff(stamps_ns, prepend=stamps_ns[:1]) / NS_PER_S
    followed = steps_s <= longest_gap_s
    changed = np.diff(labels, prepend=labels[:1]) != 0
    return np.flatnonzero(changed & followed), np.where(followed, steps_s, 0.0)


def stable_from(right: NDArray[np.bool_]) -> int | None:
    """
    Find the frame from which on the answers are right to the end.

    :param right: whether each frame's answer is right, shape [N], N at least 1.
    :returns: its position; None where the last frame is wrong.
    """
    if not right[-1]:
        return None
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 1 if len(wrong) else 0


# How long something was so, counted by images.


LONGEST_IMAGE_S = 0.5
"""An image stands for no longer than this: in a pause of the camera nothing is known."""


def image_durations_s(stamps_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Tell how long each image stands for: to the next, the last one as long as is usual.

    :param stamps_ns: ascending, shape [N].
    :returns: in seconds, shape [N]; a single image stands for nothing.
    """
    if len(stamps_ns) < 2:
        return np.zeros(len(stamps_ns))
    steps_s = np.diff(stamps_ns) / NS_PER_S
    return np.minimum(np.append(steps_s, np.median(steps_s)), LONGEST_IMAGE_S)
