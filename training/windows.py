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

"""The runtime's TemporalBuffer for many windows at once: the same stamps give the same windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S

WINDOW_S = 2.0
RATE_HZ = 15.0
MAX_GAP_S = 0.25
"""Default of `EmotionEstimation`."""

STEPS = max(1, round(WINDOW_S * RATE_HZ))
NEVER_NS = np.iinfo(np.int64).max // 4
"""Age of a sample that does not exist."""

_GRID_NS = -np.rint(np.arange(1 - STEPS, 1, dtype=np.float64) * (NS_PER_S / RATE_HZ)).astype(
    np.int64
)


@dataclass(frozen=True)
class Resampling:
    """
    Where each step of each window lies between two samples.

    :param later: index of the sample at or after the step, shape [windows, steps].
    :param earlier: index of the sample before it, same shape.
    :param share: weight of the later sample, in [0, 1], same shape.
    :param observed: whether the step counts as observed, same shape.
    """

    later: NDArray[np.int64]
    earlier: NDArray[np.int64]
    share: NDArray[np.float32]
    observed: NDArray[np.bool_]


def resample(ages_ns: NDArray[np.int64], steps: int = STEPS) -> Resampling:
    """
    Resample many faces' samples as `TemporalBuffer.window` does.

    No two neighbouring samples may lie further apart than the window is long, since the buffer
    restarts there.

    :param ages_ns: age of each sample before its window's end, newest first, shape
        [windows, samples]; the first is 0; `NEVER_NS` where there is no sample any more.
    :param steps: how many of a window's last steps are wanted, in [1, STEPS].
    """
    grid_ns = _GRID_NS[-steps:]
    later = (ages_ns[:, None, :] <= grid_ns[None, :, None]).sum(axis=2) - 1
    earlier = np.minimum(later + 1, ages_ns.shape[1] - 1)
    later_ns = np.take_along_axis(ages_ns, later, axis=1)
    earlier_ns = np.take_along_axis(ages_ns, earlier, axis=1)
    gap_ns = earlier_ns - later_ns
    exact = later_ns == grid_ns
    between = (earlier > later) & (earlier_ns < NEVER_NS) & (gap_ns <= MAX_GAP_S * NS_PER_S)
    share = np.where(exact, 1.0, (earlier_ns - grid_ns) / np.maximum(gap_ns, 1))
    return Resampling(later, earlier, share.astype(np.float32), exact | between)


def constant_windows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Hold stills over the whole window.

    :param values: shape [N, F].
    :returns: shape [N, STEPS, F + 1], every step observed.
    """
    windows = np.ones((len(values), STEPS, values.shape[1] + 1), np.float32)
    windows[:, :, :-1] = values[:, None, :]
    return windows


TIMES = ('kept', 'shuffled', 'pooled')


def retimed(
    windows: NDArray[np.float32], time_kind: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Take the order, or all movement, out of windows (for the baselines).

    :param windows: shape [N, steps, features + 1].
    :param time_kind: 'kept'; 'shuffled': each window's steps in random order; 'pooled': each
        observed step replaced by the mean of the window's observed steps.
    :param rng: source of chance for 'shuffled'.
    :returns: the same shape.
    :raises ValueError: when the kind is another.
    """
    if time_kind == 'kept':
        return windows
    if time_kind == 'shuffled':
        order = rng.permuted(np.tile(np.arange(windows.shape[1]), (len(windows), 1)), axis=1)
        return np.asarray(np.take_along_axis(windows, order[..., None], axis=1))
    if time_kind == 'pooled':
        observed = windows[..., -1:]
        mean = windows.sum(axis=1, keepdims=True) / observed.sum(axis=1, keepdims=True)
        return np.asarray(mean * observed, np.float32)
    raise ValueError(f'time must be one of {", ".join(TIMES)}, not {time_kind!r}.')
