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

"""The door of `emotion`: features by stamp in, a temporal buffer a face, the expression out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import range_of
from emotion_estimator.emotion.decision import TRUSTED_NAMES, ClassPrior, Decider, Trust
from emotion_estimator.emotion.model import EmotionModel, ModelMetadata
from emotion_estimator.stamps import NS_PER_S, SILENCE_S, Step, TimeLine

# One face's features over the last seconds, resampled to a fixed rate by stamp.


class TemporalBuffer:
    """
    Samples of one face by stamp, read as a window of fixed rate and length.

    The window ends at the newest sample. Between two samples at most `max_gap_s` apart a
    value is interpolated linearly; elsewhere the step counts as not observed. So the same
    movement gives the same window at any frame rate of at least `1 / max_gap_s`.

    :param feature_count: number of features in a sample.
    :param window_s: length of the window in seconds.
    :param rate_hz: steps per second of the window.
    :param max_gap_s: longest time between two samples that is interpolated, in seconds.
    :raises ValueError: when a length, rate or gap is not positive.
    """

    def __init__(
        self, feature_count: int, window_s: float, rate_hz: float, max_gap_s: float
    ) -> None:
        given = {'feature_count': feature_count, 'window_s': window_s, 'rate_hz': rate_hz}
        for name, value in (given | {'max_gap_s': max_gap_s}).items():
            if not value > 0:
                raise ValueError(f'{name} of a temporal buffer must be above 0, not {value}.')
        self.steps = max(1, round(window_s * rate_hz))
        self.max_gap_s = max_gap_s
        self._feature_count = feature_count
        grid = np.arange(1 - self.steps, 1, dtype=np.float64) * (NS_PER_S / rate_hz)
        self._grid_ns = np.rint(grid).astype(np.int64)
        # Samples lie in [_first, _end) of arrays that are compacted, or grown, when full.
        capacity = 4 * self.steps
        self._stamps_ns = np.empty(capacity, np.int64)
        self._values = np.empty((capacity, feature_count), np.float32)
        self._first = 0
        self._end = 0

    def __len__(self) -> int:
        """Return the number of samples held."""
        return self._end - self._first

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample in nanoseconds, or None when the buffer is empty."""
        return int(self._stamps_ns[self._end - 1]) if len(self) else None

    def clear(self) -> None:
        """Forget all samples."""
        self._first = self._end = 0

    def add(self, stamp_ns: int, features: NDArray[np.float32]) -> None:
        """
        Add a sample.

        :param stamp_ns: stamp of the image in nanoseconds, above the newest one.
        :param features: the sample's values, shape [feature_count].
        """
        if self._end == len(self._stamps_ns):
            self._make_room(stamp_ns)
        self._stamps_ns[self._end] = stamp_ns
        self._values[self._end] = features
        self._end += 1

    def window(self) -> NDArray[np.float32]:
        """
        Resample the last `window_s` seconds.

        :returns: shape [steps, feature_count + 1], oldest step first; the last column is 1
            where the step was observed, and 0, like the whole row, where it was not.
        """
        window = np.zeros((self.steps, self._feature_count + 1), np.float32)
        if not len(self):
            return window
        stamps_ns = self._stamps_ns[self._first : self._end]
        values = self._values[self._first : self._end]
        wanted_ns = self._grid_ns + stamps_ns[-1]
        after = np.searchsorted(stamps_ns, wanted_ns)
        before = np.maximum(after - 1, 0)
        gap_ns = stamps_ns[after] - stamps_ns[before]
        exact = stamps_ns[after] == wanted_ns
        observed = exact | ((after > 0) & (gap_ns <= self.max_gap_s * NS_PER_S))
        share = np.where(exact, 1.0, (wanted_ns - stamps_ns[before]) / np.maximum(gap_ns, 1))
        share = share[observed, None].astype(np.float32)
        later = values[after[observed]]
        earlier = values[before[observed]]
        window[observed, :-1] = earlier + share * (later - earlier)
        window[observed, -1] = 1.0
        return window

    def _make_room(self, stamp_ns: int) -> None:
        """Drop what no window can reach any more; grow when that frees less than half."""
        oldest_ns = stamp_ns + int(self._grid_ns[0]) - round(self.max_gap_s * NS_PER_S)
        held = slice(self._first, self._end)
        # One sample before the window's start stays: its first step may lie behind it.
        reached = int(np.searchsorted(self._stamps_ns[held], oldest_ns))
        keep = slice(self._first + max(reached - 1, 0), self._end)
        stamps_ns, values = self._stamps_ns[keep], self._values[keep]
        count = len(stamps_ns)
        if count > len(self._stamps_ns) // 2:
            self._stamps_ns = np.empty(2 * len(self._stamps_ns), np.int64)
            self._values = np.empty((len(self._stamps_ns), self._feature_count), np.float32)
        self._stamps_ns[:count] = stamps_ns
        self._values[:count] = values
        self._first, self._end = 0, count


class FeatureError(ValueError):
    """A sample that cannot be used; the message says which value is missing or wrong."""


@dataclass(frozen=True)
class EmotionEstimate:
    """
    The expression that one face shows at one image's stamp.

    :param stamp_ns: stamp of the image in nanoseconds.
    :param label: the expression decided on, or 'unknown'.
    :param confidence: score of that label, in [0, 1].
    :param scores: all labels and 'unknown' with their scores, highest first, summing to 1.
    :param valence: expectation over the class probabilities, in [-1, 1]; see `circumplex`. What
        is not trusted of them counts as neutral.
    :param arousal: expectation over the class probabilities, in [-1, 1].
    :param step: how the stamp followed the face's newest one.
    :param probabilities: of the model's labels in their order, with the class prior, before
        hysteresis and 'unknown'.
    """

    face_id: str
    stamp_ns: int
    label: str
    confidence: float
    scores: tuple[tuple[str, float], ...]
    valence: float
    arousal: float
    step: Step
    probabilities: tuple[float, ...] = ()


@dataclass
class _Face:
    buffer: TemporalBuffer
    decider: Decider
    trust: float = 1.0
    # A face that is away sends no stamps: only what lies far ahead is held.
    line: TimeLine[None] = field(default_factory=lambda: TimeLine(SILENCE_S))


class EmotionEstimation:
    """
    Keeps a temporal buffer and a decision per face and estimates the expression of each.

    :param model: the trained model.
    :param min_confidence: see `Decider`.
    :param hysteresis: see `Decider`.
    :param max_gap_s: see `TemporalBuffer`.
    :param trust: weighs each estimate; None leaves out no turned face, and no covered one.
    :param face_timeout_s: a face unseen for longer ends, by the stamps of all faces.
    :param prior: of the classes; None leaves it as trained.
    :raises ValueError: when a parameter is outside its range.
    """

    def __init__(
        self,
        model: EmotionModel,
        min_confidence: float = 0.0,
        hysteresis: float = 1.0,
        max_gap_s: float = 0.25,
        trust: Trust | None = None,
        face_timeout_s: float = math.inf,
        prior: ClassPrior | None = None,
    ) -> None:
        self._model = model
        self._features = model.metadata.features
        self._ranges = {name: range_of(name) for name in (*self._features, *TRUSTED_NAMES)}
        self._coordinates = model.metadata.coordinates
        self._max_gap_s = max_gap_s
        self._trust = trust
        self.face_timeout_s = face_timeout_s
        self.prior = prior or ClassPrior()
        self.step = Step.FIRST
        """How the stamp taken last followed that face's newest one."""
        self.most_faces = math.inf
        self.ended_ahead: list[str] = []
        """Ids of the faces that the stamp taken last ended, since it lay far behind theirs."""
        self._faces: dict[str, _Face] = {}
        self.set_thresholds(min_confidence, hysteresis)

    @property
    def face_ids(self) -> tuple[str, ...]:
        """Ids of the faces that have a buffer."""
        return tuple(self._faces)

    @property
    def step_s(self) -> float:
        """Time between samples of a face that is usual, in seconds; 0 while not known."""
        return max((face.line.step_s for face in self._faces.values()), default=0.0)

    def set_thresholds(self, min_confidence: float, hysteresis: float) -> None:
        """
        Change the decision's thresholds, see `Decider`, for all faces from the next frame on.

        :raises ValueError: when one is outside its range; nothing has changed then.
        """
        Decider(self._model.metadata.labels, min_confidence, hysteresis)
        self._min_confidence = min_confidence
        self._hysteresis = hysteresis
        for face in self._faces.values():
            face.decider.set_thresholds(min_confidence, hysteresis)

    def estimate(
        self, face_id: str, stamp_ns: int, features: Mapping[str, float]
    ) -> EmotionEstimate | None:
        """
        Take one face's features of one image and estimate the expression at its stamp.

        :param stamp_ns: stamp of the image in nanoseconds.
        :param features: value by name, such as blendshapes in [0, 1]; names that the model
            does not know are ignored.
        :returns: the estimate; None where `step.left_out`.
        :raises FeatureError: when a feature that the model needs is missing, or one is no number
            that can be, or there are `most_faces` others.
        """
        values = self._values(features)
        face = self._faces.get(face_id) or self._new_face()
        self.step = face.line.follow_at_once(stamp_ns).step
        if self.step.left_out:
            return None
        newest_ns = face.buffer.newest_ns
        if self.step.restarts or self._is_lost(newest_ns, stamp_ns):
            face.buffer.clear()
            face.decider.reset()
            newest_ns = None
        gap_s = math.inf if newest_ns is None else (stamp_ns - newest_ns) / NS_PER_S
        self.ended_ahead = self.end_lost_faces(stamp_ns)
        if face_id not in self._faces and len(self._faces) >= self.most_faces:
            raise FeatureError(f'{len(self._faces)} faces at once: {face_id} is left out.')
        face.buffer.add(stamp_ns, values)
        self._faces[face_id] = face
        probabilities = self._model.probabilities(face.buffer.window(), self.prior)
        if self._trust is not None:
            face.trust = self._trust.of(features, face.trust, gap_s)
        decision = face.decider.decide(probabilities, face.trust, gap_s)
        valence, arousal = face.trust * (probabilities @ self._coordinates)
        return EmotionEstimate(
            face_id=face_id,
            stamp_ns=stamp_ns,
            label=decision.label,
            confidence=decision.confidence,
            scores=decision.scores,
            valence=float(valence),
            arousal=float(arousal),
            step=self.step,
            probabilities=tuple(probabilities.tolist()),
        )

    def estimate_held(self, features: Mapping[str, float]) -> EmotionEstimate:
        """
        Estimate the expression of a face that is held for the model's window; ends all others.

        :param features: see `estimate`.
        :returns: the last estimate.
        :raises FeatureError: see `estimate`.
        """
        metadata, timeout_s = self._model.metadata, self.face_timeout_s
        step_ns = NS_PER_S / metadata.rate_hz
        self.forget_all()
        # Counted back from the end, as the buffer's grid is: a nanosecond beside it is a gap.
        end_ns = NS_PER_S + round(metadata.window_s * NS_PER_S)
        try:
            self.face_timeout_s = math.inf  # a step of a slow model may be longer
            for left in range(round(metadata.window_s * metadata.rate_hz), -1, -1):
                stamp_ns = end_ns - round(left * step_ns)
                estimate = self.estimate('held', stamp_ns, features)
        finally:
            self.face_timeout_s = timeout_s
        assert estimate is not None, 'the stamps go forward'
        return estimate

    def end_lost_faces(self, stamp_ns: int) -> list[str]:
        """
        End the faces that were not seen for `face_timeout_s`.

        :param stamp_ns: stamp of the newest image; a stamp far behind ends faces too, as when a
            bag begins again.
        :returns: the ids of those that it lies behind.
        """
        newest = {face_id: face.buffer.newest_ns for face_id, face in self._faces.items()}
        lost = [face_id for face_id in newest if self._is_lost(newest[face_id], stamp_ns)]
        for face_id in lost:
            del self._faces[face_id]
        return [face_id for face_id in lost if (newest[face_id] or stamp_ns) > stamp_ns]

    def _is_lost(self, newest_ns: int | None, stamp_ns: int) -> bool:
        away_ns = abs(stamp_ns - (stamp_ns if newest_ns is None else newest_ns))
        return away_ns > self.face_timeout_s * NS_PER_S

    def forget_all(self) -> None:
        """End all faces."""
        self._faces.clear()

    def _values(self, features: Mapping[str, float]) -> NDArray[np.float32]:
        try:
            values = np.array([features[name] for name in self._features], np.float32)
        except KeyError:
            missing = [name for name in self._features if name not in features]
            raise FeatureError(
                f'{len(missing)} of the {len(self._features)} features that model '
                f'{self._model.metadata.name} needs are missing: {_listed(missing)}; '
                'use a publisher that sends them (see `encoding` of blendshape_node), or a model '
                'that does without.'
            ) from None
        if not np.isfinite(values).all():
            wrong = [self._features[i] for i in np.flatnonzero(~np.isfinite(values))]
            raise FeatureError(f'{_listed(wrong)}: not a finite number.')
        wrong = [
            f'{name} is {features[name]:g}, but lies between {low:g} and {high:g}'
            for name, (low, high) in self._ranges.items()
            if not low <= features.get(name, low) <= high
        ]
        if wrong:
            raise FeatureError(f'{_listed(wrong)}.')
        return values

    def _new_face(self) -> _Face:
        metadata = self._model.metadata
        size, window_s, rate_hz = len(self._features), metadata.window_s, metadata.rate_hz
        buffer = TemporalBuffer(size, window_s, rate_hz, self._max_gap_s)
        return _Face(buffer, Decider(metadata.labels, self._min_confidence, self._hysteresis))


def _listed(names: list[str], most: int = 5) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


# An emotion estimation as the parameters of emotion_node describe it.


class EstimationParameters(Protocol):
    """Values by the names that emotion_node gives them: a node's parameters, or a dict."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a parameter's value."""


def build_estimation(
    parameters: EstimationParameters, folder: Path
) -> tuple[EmotionEstimation, ModelMetadata]:
    """
    Put an emotion estimation together.

    :param parameters: `class_prior`, `min_confidence`, `hysteresis`, `max_gap_s`, `max_yaw_deg`,
        `max_pitch_deg` and `face_timeout_s`, see config/emotion_estimator.yaml.
    :param folder: of the model.
    :returns: the estimation, and what its model states of itself.
    :raises ValueError: when the model or a parameter cannot be used.
    """
    model = EmotionModel(folder)
    estimation = EmotionEstimation(
        model,
        float(parameters['min_confidence']),
        float(parameters['hysteresis']),
        float(parameters['max_gap_s']),
        Trust(float(parameters['max_yaw_deg']), float(parameters['max_pitch_deg'])),
        float(parameters['face_timeout_s']),
        model.metadata.prior(parameters['class_prior']),
    )
    return estimation, model.metadata
