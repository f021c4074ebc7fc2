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

"""Protocol S: composed sequences from a test split's photographs, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.temporal_buffer import TemporalBuffer
from emotion_estimator.stamps import NS_PER_S
from training import clip_dynamics
from training.clip_dynamics import Dynamics, logit, sigmoid
from training.fer_data import NEUTRAL, Stills
from training.time_course import ease
from training.window_resampling import MAX_GAP_S, RATE_HZ, WINDOW_S

FRAME_RATE_HZ = 30.0
HOLD_S = (2.5, 4.0)
TRANSITION_S = (0.3, 0.8)
BLINKS_PER_S = 0.3
"""About 17 blinks a minute at rest: Bentivoglio et al., Movement Disorders 12 (1997), 1028."""

SETTLED_S = 1.0
"""A constant segment counts from this long after its transition's end on."""


@dataclass(frozen=True)
class Track:
    """
    One face over three states and two transitions.

    :param stamps_ns: of each frame, shape [frames].
    :param blends: blendshapes, shape [frames, 52].
    :param truth: label of the nearer state, shape [frames].
    :param onsets: first frame of each transition.
    :param segments: first frame, and first frame no more, of each constant segment.
    """

    stamps_ns: NDArray[np.int64]
    blends: NDArray[np.float32]
    truth: NDArray[np.int64]
    onsets: tuple[int, int]
    segments: tuple[tuple[int, int], ...]


def compose_tracks(stills: Stills, dynamics: Dynamics, count: int, seed: int) -> list[Track]:
    """
    Compose sequences: any state, another class, any class other than that.

    The classes of the states are those of the split, but every second sequence starts neutral.

    :param stills: photographs; only readable ones are used.
    :param dynamics: movements of real clips.
    :param count: number of sequences.
    :param seed: of everything random.
    :returns: the sequences.
    """
    rng = np.random.default_rng(seed)
    readable = stills.select(stills.readable[:, 0])
    return [_compose(readable, dynamics, rng, neutral=i % 2 == 0) for i in range(count)]


def _compose(stills: Stills, dynamics: Dynamics, rng: np.random.Generator, neutral: bool) -> Track:
    labels = stills.labels
    first = rng.choice(np.flatnonzero(labels == NEUTRAL) if neutral else len(stills))
    second = rng.choice(np.flatnonzero(labels != labels[first]))
    third = rng.choice(np.flatnonzero(labels != labels[second]))
    states = np.array([first, second, third])
    hold_s, length_s = rng.uniform(*HOLD_S, 3), rng.uniform(*TRANSITION_S, 2)
    starts_s = np.array([hold_s[0], hold_s[0] + length_s[0] + hold_s[1]])
    end_s = starts_s[1] + length_s[1] + hold_s[2]
    times_s = np.arange(0, end_s, 1 / FRAME_RATE_HZ)
    done = [ease((times_s - start) / length) for start, length in zip(starts_s, length_s)]
    weights = np.stack([1 - done[0], done[0] * (1 - done[1]), done[1]], axis=1)
    still = weights.astype(np.float32) @ stills.blends[states]
    onsets = np.searchsorted(times_s, starts_s)
    ends = np.searchsorted(times_s, starts_s + length_s + SETTLED_S)
    return Track(
        stamps_ns=np.rint(times_s * NS_PER_S).astype(np.int64),
        blends=sigmoid(logit(still) + _movement(dynamics, times_s, rng)),
        truth=labels[states[weights.argmax(axis=1)]],
        onsets=(int(onsets[0]), int(onsets[1])),
        segments=(
            (round(SETTLED_S * FRAME_RATE_HZ), int(onsets[0])),
            (int(ends[0]), int(onsets[1])),
            (int(ends[1]), len(times_s)),
        ),
    )


def _movement(
    dynamics: Dynamics, times_s: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Offsets of the logits: jitter all the time, speech in a quarter of the sequences, blinks."""
    ticks = np.rint(times_s * clip_dynamics.RATE_HZ).astype(np.int64)
    jitter, speech, blinks = dynamics.jitter, dynamics.speech, dynamics.blinks
    offsets = jitter[(rng.integers(len(jitter)) + ticks) % len(jitter)].copy()
    if rng.random() < 0.25:
        offsets += speech[(rng.integers(len(speech)) + ticks) % len(speech)]
    for _ in range(rng.poisson(BLINKS_PER_S * times_s[-1]) if len(blinks) else 0):
        since = ticks - rng.integers(ticks[-1] + 1)
        during = (since >= 0) & (since < blinks.shape[1])
        offsets[during] += blinks[rng.integers(len(blinks)), since[during]]
    return np.asarray(offsets)


def buffer_windows(track: Track) -> NDArray[np.float32]:
    """
    Run the runtime's own buffer over a sequence.

    :param track: the sequence.
    :returns: the window at each frame, shape [frames, STEPS, 53].
    """
    buffer = TemporalBuffer(track.blends.shape[1], WINDOW_S, RATE_HZ, MAX_GAP_S)
    windows = []
    for stamp_ns, blends in zip(track.stamps_ns, track.blends):
        buffer.add(int(stamp_ns), blends)
        windows.append(buffer.window())
    return np.array(windows)


def track_scores(tracks: list[Track], answers: list[NDArray[np.int64]]) -> dict[str, float]:
    """
    Score answers frame by frame.

    :param tracks: the sequences.
    :param answers: the label at each frame of each sequence.
    :returns: accuracy over all frames; accuracy in the first, second and third second after an
        onset; share of the onsets after which the label was right to the segment's end, and
        their median time from onset to that in milliseconds; switches per second on constant
        segments, where every switch is a false one.
    """
    right: list[NDArray[np.bool_]] = []
    after_onset: list[list[bool]] = [[], [], []]
    delays_s: list[float] = []
    switches = frames = 0
    second = round(FRAME_RATE_HZ)
    for track, labels in zip(tracks, answers):
        correct = labels == track.truth
        right.append(correct)
        for onset, end in zip(track.onsets, (track.onsets[1], len(correct))):
            for index, collected in enumerate(after_onset):
                piece = correct[onset + index * second : min(end, onset + (index + 1) * second)]
                collected.extend(piece)
            target = labels[onset:end] == track.truth[end - 1]
            if target[-1]:
                wrong = np.flatnonzero(~target)
                delays_s.append((wrong[-1] + 1 if len(wrong) else 0) / FRAME_RATE_HZ)
        for start, end in track.segments:
            switches += int((np.diff(labels[start:end]) != 0).sum())
            frames += max(0, end - start - 1)
    found = {
        's_accuracy': float(np.concatenate(right).mean()),
        **{
            f's_accuracy_second_{index}': float(np.mean(collected)) if collected else float('nan')
            for index, collected in enumerate(after_onset, start=1)
        },
        's_onsets_settled': len(delays_s) / (2 * len(tracks)),
        's_onset_to_stable_ms': 1000 * float(np.median(delays_s)) if delays_s else float('nan'),
        's_false_switches_per_s': switches * FRAME_RATE_HZ / max(1, frames),
    }
    return {name: round(value, 4) for name, value in found.items()}
