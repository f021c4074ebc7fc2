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

"""The way into this wing: blendshapes of faces by stamp in, the expression shown out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.buffer import TemporalBuffer
from emotion_estimator.emotion.decision import VALENCE_AROUSAL, Decider, Trust
from emotion_estimator.emotion.model import EmotionModel, ModelMetadata
from emotion_estimator.stamps import NS_PER_S, Step, step_between


class FeatureError(ValueError):
    """A sample that cannot be used; the message says which value is missing or wrong."""


@dataclass(frozen=True)
class EmotionEstimate:
    """
    The expression that one face shows at one image's stamp.

    :param face_id: the face.
    :param stamp_ns: stamp of the image in nanoseconds.
    :param label: the expression decided on, or 'unknown'.
    :param confidence: score of that label, in [0, 1].
    :param scores: all labels and 'unknown' with their scores, highest first, summing to 1.
    :param valence: expectation over the class probabilities, in [-1, 1]; see `circumplex`. What
        is not trusted of them counts as neutral.
    :param arousal: expectation over the class probabilities, in [-1, 1].
    :param step: how the stamp followed the face's newest one.
    :param probabilities: of the model's labels in their order, before hysteresis and 'unknown'.
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


class EmotionEstimation:
    """
    Keeps a temporal buffer and a decision per face and estimates the expression of each.

    :param model: the trained model.
    :param min_confidence: see `Decider`.
    :param hysteresis: see `Decider`.
    :param max_gap_s: see `TemporalBuffer`.
    :param trust: weighs each estimate; None leaves out no turned face, and no covered one.
    :param face_timeout_s: a face unseen for longer ends, by the stamps of all faces.
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
    ) -> None:
        self._model = model
        self._features = model.metadata.features
        self._coordinates = np.array(
            [VALENCE_AROUSAL.get(label, (0.0, 0.0)) for label in model.metadata.labels]
        )
        self._max_gap_s = max_gap_s
        self._trust = trust
        self.face_timeout_s = face_timeout_s
        self._faces: dict[str, _Face] = {}
        self.set_thresholds(min_confidence, hysteresis)

    @property
    def face_ids(self) -> tuple[str, ...]:
        """Ids of the faces that have a buffer."""
        return tuple(self._faces)

    def set_thresholds(self, min_confidence: float, hysteresis: float) -> None:
        """
        Change the decision's thresholds for all faces from the next frame on.

        :param min_confidence: see `Decider`.
        :param hysteresis: see `Decider`.
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

        :param face_id: the face.
        :param stamp_ns: stamp of the image in nanoseconds.
        :param features: value by name, such as blendshapes in [0, 1]; names that the model
            does not know are ignored.
        :returns: the estimate, or None when the stamp repeats the face's newest one.
        :raises FeatureError: when a feature that the model needs is missing or not finite.
        """
        values = self._values(features)
        before = self._faces.get(face_id)
        self.end_lost_faces(stamp_ns)
        face = self._faces.get(face_id) or self._new_face(face_id)
        step = face.buffer.add(stamp_ns, values)
        if before is not None and before is not face:
            # What ended was this face: whoever sends it hears of a clock that was set.
            step = step_between(before.buffer.newest_ns, stamp_ns, self._model.metadata.window_s)
        if step is Step.REPEATED:
            return None
        if step.restarts:
            face.decider.reset()
        probabilities = self._model.probabilities(face.buffer.window())
        trust = 1.0 if self._trust is None else self._trust.of(features)
        decision = face.decider.decide(probabilities, trust)
        valence, arousal = trust * (probabilities @ self._coordinates)
        return EmotionEstimate(
            face_id=face_id,
            stamp_ns=stamp_ns,
            label=decision.label,
            confidence=decision.confidence,
            scores=decision.scores,
            valence=float(valence),
            arousal=float(arousal),
            step=step,
            probabilities=tuple(probabilities.tolist()),
        )

    def end_lost_faces(self, stamp_ns: int) -> None:
        """
        End the faces that were not seen for `face_timeout_s`.

        :param stamp_ns: stamp of the newest image; a stamp far behind ends faces too, as when a
            bag begins again.
        """
        timeout_ns = self.face_timeout_s * NS_PER_S
        lost = [
            face_id
            for face_id, face in self._faces.items()
            if abs(stamp_ns - (face.buffer.newest_ns or stamp_ns)) > timeout_ns
        ]
        for face_id in lost:
            del self._faces[face_id]

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
        return values

    def _new_face(self, face_id: str) -> _Face:
        metadata = self._model.metadata
        face = _Face(
            TemporalBuffer(
                len(self._features), metadata.window_s, metadata.rate_hz, self._max_gap_s
            ),
            Decider(metadata.labels, self._min_confidence, self._hysteresis),
        )
        self._faces[face_id] = face
        return face


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

    :param parameters: `min_confidence`, `hysteresis`, `max_gap_s`, `max_yaw_deg`,
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
    )
    return estimation, model.metadata
