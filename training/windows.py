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

"""Windows as the runtime would see them, of stills held, and of stills and clips' movements."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S
from training import clips
from training.clips import Dynamics
from training.datasets.pictures import LABELS, NEUTRAL
from training.network import additive, from_additive
from training.stills import Stills

# The runtime's TemporalBuffer for many windows at once: the same stamps give the same windows.


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
    """Hold stills [N, F] over the whole window, every step observed: [N, STEPS, F + 1]."""
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


# Windows composed of stills, transitions and movements.


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
    """Draw the ages of windows' frames, shape [count, MAX_FRAMES], as `resample` takes them."""
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
    """Start and end a movement gently (smoothstep): share of the time to share of the way."""
    bounded = np.clip(progress, 0, 1)
    return bounded * bounded * (3 - 2 * bounded)


def draw_transitions(
    count: int, constant: float, returning: float, rng: np.random.Generator
) -> Transitions:
    """
    Draw the course of each window's expression.

    :param constant: share of the windows without a transition: their state is the apex.
    :param returning: share of the others in which the apex ends within sight, too.
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


@dataclass(frozen=True)
class Composition:
    """
    How windows are composed; shares are of the windows.

    :param constant: share without a transition.
    :param returning: share of the others in which the apex begins and ends within sight.
    :param from_neutral: share of the first transitions that are made to start from neutral.
    :param mixing: share of the states mixed of two stills.
    :param mixing_same_class: whether only stills of one class are mixed.
    :param mixing_strength: both parameters of the mixing weight's beta distribution.
    :param other_views: share of the stills taken from each view but the first.
    :param jitter: largest factor on the clips' jitter.
    :param speech: share with movements of the mouth.
    :param blinks_per_s: rate of blinks.
    :param noise: standard deviation of each window's constant offset of every feature, on the
        scale of `network.additive`.
    :param class_balance: 0 draws stills as they are, 1 every class equally often.
    :param lead_s: how long after the window's end the face shows what is asked, were its movement
        to go on: the network, which waits until it is sure, then answers no later than a glance
        at the last frame alone would.
    """

    constant: float = 0.35
    returning: float = 0.35
    from_neutral: float = 0.6
    mixing: float = 0.5
    mixing_same_class: bool = False
    mixing_strength: float = 0.4
    other_views: float = 0.3
    jitter: float = 1.5
    speech: float = 0.25
    blinks_per_s: float = 0.3
    noise: float = 0.2
    class_balance: float = 0.0
    lead_s: float = 0.2
    visibility: Visibility = field(default_factory=Visibility)


class SequenceComposer:
    """
    Composes windows with the target at their end, or a little after.

    :param stills: what the states are drawn from.
    :param targets: what each still shows, as shares of K classes, shape [N, K].
    """

    def __init__(
        self,
        stills: Stills,
        targets: NDArray[np.float32],
        dynamics: Dynamics,
        composition: Composition,
    ) -> None:
        self._views = stills.views
        self._readable = stills.readable
        self._targets = targets
        self._classes = [np.flatnonzero(stills.labels == c) for c in range(len(LABELS))]
        share = np.bincount(stills.labels, minlength=len(LABELS)) / len(stills)
        wanted = np.where(share > 0, np.maximum(share, 1e-9) ** -composition.class_balance, 0)
        chance = wanted[stills.labels]
        self._cumulated = np.cumsum(chance / chance.sum())
        self._dynamics = dynamics
        self._composition = composition

    def windows(
        self, count: int, rng: np.random.Generator, steps: int = STEPS
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Compose windows.

        :param rng: source of chance; the same state gives the same windows.
        :param steps: how many of the windows' last steps are wanted, in [1, STEPS].
        :returns: windows as `TemporalBuffer.window` returns them, shape [count, steps, F +
            1], and the classes' shares `lead_s` after each window's end, shape [count, K].
        """
        how = self._composition
        states, targets = self._states(count, rng)
        ages_ns = sample_ages(count, how.visibility, rng)
        course = draw_transitions(count, how.constant, how.returning, rng)
        grid = resample(ages_ns, steps)
        offset = self._offsets(count, rng)
        samples = []
        for index in (grid.earlier, grid.later):
            ages = np.take_along_axis(ages_ns, index, axis=1)
            ages_s = np.where(ages < NEVER_NS, ages, 0) / NS_PER_S
            still = np.matmul(course.weights(ages_s), states)
            samples.append(from_additive(additive(still) + offset(ages_s)))
        earlier, later = samples
        windows = np.empty((*grid.share.shape, states.shape[2] + 1), np.float32)
        windows[..., :-1] = earlier + grid.share[..., None] * (later - earlier)
        windows[..., -1] = 1
        windows *= grid.observed[..., None]
        asked = course.weights(np.full((count, 1), -how.lead_s))
        return windows, np.matmul(asked, targets)[:, 0]

    def _states(
        self, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw before, apex and after: features [count, 3, F] and targets [count, 3, K]."""
        how = self._composition
        chosen = self._draw((count, 3), rng)
        # Only the state before: the classes at the window's end keep their shares.
        neutral = np.flatnonzero(rng.random(count) < how.from_neutral)
        if len(self._classes[NEUTRAL]):
            chosen[neutral, 0] = rng.choice(self._classes[NEUTRAL], len(neutral))
        partner = self._draw(chosen.shape, rng)
        if how.mixing_same_class:
            for members in self._classes:
                same = np.isin(chosen, members)
                partner[same] = rng.choice(members, int(same.sum())) if same.any() else 0
        share = rng.beta(how.mixing_strength, how.mixing_strength, (*chosen.shape, 1))
        share[rng.random(share.shape) >= how.mixing] = 1
        weight = share.astype(np.float32)
        mixed = weight * self._seen(chosen, rng) + (1 - weight) * self._seen(partner, rng)
        return mixed, weight * self._targets[chosen] + (1 - weight) * self._targets[partner]

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
        found = np.searchsorted(self._cumulated, rng.random(shape))
        return np.minimum(found, len(self._cumulated) - 1)

    def _seen(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        share = self._composition.other_views
        view = np.floor(rng.random(chosen.shape) / share).astype(np.int64) + 1 if share else 0
        view = np.where(view < self._views.shape[1], view, 0)
        return self._views[chosen, np.where(self._readable[chosen, view], view, 0)]

    def _offsets(self, count: int, rng: np.random.Generator) -> _Offsets:
        how = self._composition
        shapes = self._views.shape[2]
        speaking = rng.random((count, 1, 1)) < how.speech
        return _Offsets(
            self._dynamics,
            noise=rng.normal(0, how.noise, (count, 1, shapes)).astype(np.float32),
            jitter_start=rng.integers(0, len(self._dynamics.jitter), (count, 1)),
            jitter=rng.uniform(0, how.jitter, (count, 1, 1)).astype(np.float32),
            speech_start=rng.integers(0, len(self._dynamics.speech), (count, 1)),
            speech=(rng.uniform(0.5, 2.5, (count, 1, 1)) * speaking).astype(np.float32),
            blink=rng.integers(0, max(1, len(self._dynamics.blinks)), (count, 1)),
            blink_age_s=rng.uniform(0, 1, (count, 1)) / max(how.blinks_per_s, 1e-9),
        )


@dataclass(frozen=True)
class _Offsets:
    """Offsets by age, for each window."""

    dynamics: Dynamics
    noise: NDArray[np.float32]
    jitter_start: NDArray[np.int64]
    jitter: NDArray[np.float32]
    speech_start: NDArray[np.int64]
    speech: NDArray[np.float32]
    blink: NDArray[np.int64]
    blink_age_s: NDArray[np.float64]

    def __call__(self, ages_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the offsets at some ages, shape [windows, samples, F]."""
        ago = np.rint(ages_s * clips.RATE_HZ).astype(np.int64)
        jitter, speech = self.dynamics.jitter, self.dynamics.speech
        offsets = self.noise + self.jitter * jitter[(self.jitter_start - ago) % len(jitter)]
        offsets += self.speech * speech[(self.speech_start - ago) % len(speech)]
        blinks = self.dynamics.blinks
        if len(blinks):
            # The blink begins at blink_age_s; most of them lie outside the window.
            since = np.rint(self.blink_age_s * clips.RATE_HZ).astype(np.int64) - ago
            within = (since >= 0) & (since < blinks.shape[1])
            offsets += blinks[self.blink, np.where(within, since, 0)] * within[..., None]
        return np.asarray(offsets)
