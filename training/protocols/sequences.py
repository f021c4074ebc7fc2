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

"""
Protocols S and C: answers over time.

S composes sequences from a test split's photographs and scores them frame by frame. C follows
faces of real clips, which have no labels: how steady the answers are, not how right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.decision import Trust
from emotion_estimator.emotion.estimation import EmotionEstimation, TemporalBuffer
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation.classification_metrics import ratio
from emotion_estimator.evaluation.segment_statistics import bootstrap, stable_from, switches
from emotion_estimator.stamps import NS_PER_S
from training import clips
from training.clips import Dynamics
from training.datasets.pictures import NEUTRAL, DataError
from training.network import additive, from_additive
from training.protocols.stills import Metrics
from training.stills import IndexMap, Stills
from training.windows import MAX_GAP_S, RATE_HZ, WINDOW_S, ease

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
    :param values: features, shape [frames, F].
    :param truth: label of the nearer state, shape [frames].
    :param onsets: first frame of each transition.
    :param segments: first frame, and first frame no more, of each constant segment.
    """

    stamps_ns: NDArray[np.int64]
    values: NDArray[np.float32]
    truth: NDArray[np.int64]
    onsets: tuple[int, int]
    segments: tuple[tuple[int, int], ...]


def compose_tracks(stills: Stills, dynamics: Dynamics, count: int, seed: int) -> list[Track]:
    """
    Compose sequences: any state, another class, any class other than that.

    The classes of the states are those of the split, but every second sequence starts neutral.
    What a state shows is what most of FER+'s ten voters said: the vocabulary of `basic7`.

    :param stills: photographs; only readable ones with a majority are used.
    :raises DataError: when these are not neutral and of another class.
    """
    rng = np.random.default_rng(seed)
    clear = stills.select(stills.readable[:, 0] & (stills.majority() >= 0))
    clear = replace(clear, labels=clear.majority())
    if len(shown := set(clear.labels.tolist())) < 2 or NEUTRAL not in shown:
        raise DataError(
            f'Of the {len(stills)} photographs {len(clear)} show a face on which most voters '
            'agree; protocol S needs neutral ones and ones of another expression. FERPLUS= of '
            '`make` names the votes where the photographs come without.'
        )
    return [_compose(clear, dynamics, rng, neutral=i % 2 == 0) for i in range(count)]


def in_classes(tracks: list[Track], label_map: IndexMap) -> list[Track]:
    """
    Label sequences with coarser classes.

    :returns: those whose transitions both lead from one of the classes to another.
    """
    coarser = [replace(track, truth=label_map.labels(track.truth)) for track in tracks]
    return [track for track in coarser if all(_changes(track, onset) for onset in track.onsets)]


def _changes(track: Track, onset: int) -> bool:
    following = next((start for start, _ in track.segments if start > onset), -1)
    return bool(track.truth[onset - 1] != track.truth[following])


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
    still = weights.astype(np.float32) @ stills.values[states]
    onsets = np.searchsorted(times_s, starts_s)
    ends = np.searchsorted(times_s, starts_s + length_s + SETTLED_S)
    return Track(
        stamps_ns=np.rint(times_s * NS_PER_S).astype(np.int64),
        values=from_additive(additive(still) + _movement(dynamics, times_s, rng)),
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
    """Offsets: jitter all the time, speech in a quarter of the sequences, blinks."""
    ticks = np.rint(times_s * clips.RATE_HZ).astype(np.int64)
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

    :returns: the window at each frame, shape [frames, STEPS, F + 1].
    """
    buffer = TemporalBuffer(track.values.shape[1], WINDOW_S, RATE_HZ, MAX_GAP_S)
    windows = []
    for stamp_ns, values in zip(track.stamps_ns, track.values):
        buffer.add(int(stamp_ns), values)
        windows.append(buffer.window())
    return np.array(windows)


def track_scores(tracks: list[Track], answers: list[NDArray[np.int64]]) -> Metrics:
    """
    Score answers frame by frame.

    :param answers: the label at each frame of each sequence.
    :returns: accuracy over all frames; accuracy in the first, second and third second after an
        onset; share of the onsets after which the label was right to the segment's end, and
        their median time from onset to that in milliseconds; switches per second on constant
        segments, where every switch is a false one. Intervals resample whole sequences.
    """
    second = round(FRAME_RATE_HZ)
    right, frames = np.zeros(len(tracks)), np.zeros(len(tracks))
    false_switches, constant_s = np.zeros(len(tracks)), np.zeros(len(tracks))
    after: NDArray[np.float64] = np.zeros((len(tracks), 3, 2))
    delays_ms: list[float] = []
    settled = np.zeros(len(tracks))
    delayed: list[int] = []
    for number, (track, labels) in enumerate(zip(tracks, answers)):
        correct = labels == track.truth
        right[number], frames[number] = correct.sum(), len(correct)
        for onset, end in zip(track.onsets, (track.onsets[1], len(correct))):
            for index in range(3):
                piece = correct[onset + index * second : min(end, onset + (index + 1) * second)]
                after[number, index] += piece.sum(), len(piece)
            target = labels[onset:end] == track.truth[end - 1]
            stable = stable_from(target)
            if stable is not None:
                delays_ms.append(1000 * stable / FRAME_RATE_HZ)
                delayed.append(number)
                settled[number] += 0.5
        for start, end in track.segments:
            changes, followed_s = switches(track.stamps_ns[start:end], labels[start:end])
            false_switches[number] += len(changes)
            constant_s[number] += followed_s.sum()
    found = {
        's_accuracy': bootstrap(_share, [right, frames]),
        **{
            f's_accuracy_second_{i + 1}': bootstrap(_share, [after[:, i, 0], after[:, i, 1]])
            for i in range(3)
        },
        's_onsets_settled': bootstrap(np.mean, [settled]),
        's_false_switches_per_s': bootstrap(_share, [false_switches, constant_s]),
    }
    if delays_ms:
        found['s_onset_to_stable_ms'] = bootstrap(
            np.median, [np.array(delays_ms)], groups=np.array(delayed)
        )
    return {name: interval.rounded() for name, interval in found.items()}


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    return float(ratio(part.sum(), whole.sum()))


LOWER_RATES_HZ = (15.0, 10.0)
Series = tuple[NDArray[np.float32], float]
"""Features of consecutive frames, shape [frames, F], and frames per second."""


def clip_scores(
    model: EmotionModel,
    faces: list[Series],
    names: tuple[str, ...],
    min_confidence: float,
    hysteresis: float,
    prior: str = 'training',
) -> Metrics:
    """
    Let the runtime's own estimation follow real faces at their frame rate and at lower ones.

    :param faces: one series a face.
    :param names: of the features.
    :param min_confidence: of the decision, see `Decider`.
    :param hysteresis: of the decision, see `Decider`.
    :param prior: see `ClassPrior`.
    :returns: changes of the answer a second, 'unknown' being one; and the share of the frames at
        which a camera of 15 or 10 frames a second gets the same answer. Intervals resample faces.
    """
    expected = model.metadata.prior(prior)
    changes, seconds = [], []
    same: dict[float, list[tuple[int, int]]] = {rate: [] for rate in LOWER_RATES_HZ}
    for values, rate_hz in faces:

        def answers(
            frames: NDArray[np.int64],
            values: NDArray[np.float32] = values,
            rate_hz: float = rate_hz,
        ) -> list[str]:
            estimation = EmotionEstimation(
                model, min_confidence, hysteresis, trust=Trust(), prior=expected
            )
            found = []
            for frame in frames.tolist():
                stamp_ns = round((frame + 1) * NS_PER_S / rate_hz)
                features = dict(zip(names, values[frame].tolist()))
                estimate = estimation.estimate('f', stamp_ns, features)
                found.append(estimate.label if estimate else '')
            return found

        every = answers(np.arange(len(values)))
        stamps_ns = np.rint(np.arange(len(values)) * NS_PER_S / rate_hz).astype(np.int64)
        changed, _ = switches(stamps_ns, np.unique(every, return_inverse=True)[1])
        changes.append(len(changed))
        seconds.append(len(values) / rate_hz)
        for rate in LOWER_RATES_HZ:
            frames = np.unique(np.rint(np.arange(0, len(values), rate_hz / rate)).astype(int))
            frames = frames[frames < len(values)]
            alike = sum(every[f] == a for f, a in zip(frames.tolist(), answers(frames)))
            same[rate].append((alike, len(frames)))
    found = {'c_switches_per_s': bootstrap(_share, [np.array(changes), np.array(seconds)])}
    for rate, counts in same.items():
        alike, all_frames = np.array(counts).T
        found[f'c_agreement_{rate:g}_fps'] = bootstrap(_share, [alike, all_frames])
    return {name: interval.rounded() for name, interval in found.items()}
