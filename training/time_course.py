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

"""When a composed face was seen, and how far its expression had come, as ages before now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S
from training.window_resampling import MAX_GAP_S, NEVER_NS, WINDOW_S

FRAME_RATES_HZ: tuple[float, ...] = (10.0, 15.0, 24.0, 30.0, 60.0)
STAMP_JITTER = 0.05
"""Standard deviation of a stamp, as a share of the frame's duration."""

SEEN_S = WINDOW_S + MAX_GAP_S
MAX_FRAMES = int(SEEN_S * max(FRAME_RATES_HZ)) + 1
TRANSITION_S = (0.15, 1.0)
"""Shortest and longest onset or offset."""

HOLD_S = (0.3, 2.0)
"""Shortest and longest apex between two transitions of one window."""

MAX_OUTAGE_S = 0.8


@dataclass(frozen=True)
class Visibility:
    """
    How a face comes and goes in the composed windows, as shares of the windows.

    :param appeared: windows in which the face appeared within the window.
    :param dropping: windows with single frames dropped.
    :param outage: windows with one hole of up to `MAX_OUTAGE_S`.
    """

    appeared: float = 0.25
    dropping: float = 0.5
    outage: float = 0.15


def sample_ages(count: int, visibility: Visibility, rng: np.random.Generator) -> NDArray[np.int64]:
    """
    Draw when each window's frames were taken.

    :param count: number of windows.
    :param visibility: how faces come and go.
    :param rng: source of chance.
    :returns: ages in nanoseconds, newest first, shape [count, MAX_FRAMES], as `resample`
        takes them.
    """
    period_s = 1 / rng.choice(FRAME_RATES_HZ, (count, 1))
    wobble = np.clip(rng.normal(0, STAMP_JITTER, (count, MAX_FRAMES)), -0.4, 0.4)
    wobble[:, 0] = 0
    ages_s = (np.arange(MAX_FRAMES) + wobble) * period_s
    seen = ages_s <= SEEN_S
    appeared = rng.random((count, 1)) < visibility.appeared
    seen &= ~appeared | (ages_s <= rng.uniform(0, WINDOW_S, (count, 1)))
    drop_share = rng.uniform(0, 0.4, (count, 1)) * (rng.random((count, 1)) < visibility.dropping)
    seen &= rng.random(ages_s.shape) >= drop_share
    outage = rng.random((count, 1)) < visibility.outage
    start_s = rng.uniform(0, WINDOW_S, (count, 1))
    length_s = rng.uniform(MAX_GAP_S, MAX_OUTAGE_S, (count, 1))
    seen &= ~outage | (ages_s < start_s) | (ages_s > start_s + length_s)
    seen[:, 0] = True
    ages_ns = np.where(seen, np.rint(ages_s * NS_PER_S).astype(np.int64), NEVER_NS)
    return np.sort(ages_ns, axis=1)


@dataclass(frozen=True)
class Transitions:
    """
    A first transition into an apex, and a second one out of it, per window.

    :param start_s: age at which each begins, shape [windows, 2]; below 0: not yet.
    :param duration_s: its length, same shape.
    """

    start_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]

    def weights(self, ages_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """
        Weigh the three states before, between and after the transitions.

        :param ages_s: ages before the window's end in seconds, shape [windows, samples].
        :returns: shape [windows, samples, 3], each summing to 1.
        """
        done = [
            ease((self.start_s[:, i, None] - ages_s) / self.duration_s[:, i, None])
            for i in range(2)
        ]
        first = (1 - done[0]) * (1 - done[1])
        return np.stack([first, done[0] * (1 - done[1]), done[1]], axis=2).astype(np.float32)


def ease(progress: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Start and end a movement gently (smoothstep).

    :param progress: share of the time, any value.
    :returns: share of the way, in [0, 1].
    """
    bounded = np.clip(progress, 0, 1)
    return bounded * bounded * (3 - 2 * bounded)


def draw_transitions(
    count: int, constant: float, returning: float, rng: np.random.Generator
) -> Transitions:
    """
    Draw the course of each window's expression.

    :param count: number of windows.
    :param constant: share of the windows without a transition: their state is the apex.
    :param returning: share of the others in which the apex ends within sight, too.
    :param rng: source of chance.
    :returns: the transitions.
    """
    duration_s = rng.uniform(*TRANSITION_S, (count, 2))
    one_s = rng.uniform(0, SEEN_S, count)
    two_s = rng.uniform(0, SEEN_S, count)
    hold_s = rng.uniform(*HOLD_S, count)
    is_constant = rng.random(count) < constant
    returns = ~is_constant & (rng.random(count) < returning)
    never_s, always_s = -1.0, SEEN_S + TRANSITION_S[1] + 1.0
    onset_s = np.where(returns, two_s + hold_s + duration_s[:, 0], one_s)
    start_s = np.stack(
        [np.where(is_constant, always_s, onset_s), np.where(returns, two_s, never_s)], axis=1
    )
    return Transitions(start_s, duration_s)
