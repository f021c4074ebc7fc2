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

"""From class probabilities to one label per frame: trust, hysteresis, the option 'unknown'."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 'unknown'
MAX_MIN_CONFIDENCE = 0.6
DEFAULT_MIN_CONFIDENCE = 0.5
DEFAULT_HYSTERESIS = 1.5


@dataclass(frozen=True)
class Decision:
    """
    One frame's answer.

    :param label: the expression decided on, or 'unknown'.
    :param scores: every label with its score, highest first, summing to 1; the first is
        `label`, and its score is the confidence.
    """

    label: str
    scores: tuple[tuple[str, float], ...]

    @property
    def confidence(self) -> float:
        """Score of the decided label, in [0, 1]."""
        return self.scores[0][1]


class Decider:
    """
    Decides frame by frame; remembers the label that one face showed last.

    Hysteresis is a prior that an expression persists: the odds of the label shown last are
    multiplied by `hysteresis` (Bayes' rule), so that the order of the scores and the decision
    never disagree.

    'unknown' is chosen when no label reaches `min_confidence`. Its score is then the
    probability that the best guess p would have been wrong, 1 - p, and the labels share the
    rest in their proportions. `min_confidence` is at most 0.6, since only below
    (sqrt(5) - 1) / 2 = 0.618 that score stays the highest: 1 - p > p * p.

    An estimate that is trusted in part keeps that part of its probabilities; the rest is
    'unknown'.

    :param labels: the model's labels in the order of its probabilities.
    :param min_confidence: probability below which the answer is 'unknown', in [0, 0.6].
    :param hysteresis: factor on the odds of the label shown last, at least 1 (none).
    :raises ValueError: when a parameter is outside its range.
    """

    def __init__(
        self, labels: tuple[str, ...], min_confidence: float = 0.0, hysteresis: float = 1.0
    ) -> None:
        self._labels = labels
        self._names = labels if UNKNOWN in labels else (*labels, UNKNOWN)
        self._unknown = self._names.index(UNKNOWN)
        self._shown: int | None = None
        self.set_thresholds(min_confidence, hysteresis)

    def set_thresholds(self, min_confidence: float, hysteresis: float) -> None:
        """
        Change the thresholds from the next frame on.

        :param min_confidence: see the class.
        :param hysteresis: see the class.
        :raises ValueError: when one is outside its range.
        """
        if not 0 <= min_confidence <= MAX_MIN_CONFIDENCE:
            raise ValueError(
                f'min_confidence must lie in [0, {MAX_MIN_CONFIDENCE}], not {min_confidence}.'
            )
        if not hysteresis >= 1:
            raise ValueError(f'hysteresis must be at least 1 (none), not {hysteresis}.')
        self._min_confidence = min_confidence
        self._hysteresis = hysteresis

    def reset(self) -> None:
        """Forget the label shown last."""
        self._shown = None

    def decide(self, probabilities: NDArray[np.float64], trust: float = 1.0) -> Decision:
        """
        Decide on one frame.

        :param probabilities: shape [labels], summing to 1.
        :param trust: how far they are to be trusted, in [0, 1]; see `Trust`.
        :returns: the decision.
        """
        # Plain floats: for a handful of classes arrays cost three times as much.
        scores = probabilities.tolist() + [0.0] * (len(self._names) - len(self._labels))
        if self._shown is not None and self._shown < len(self._labels):
            scores[self._shown] *= self._hysteresis
            total = sum(scores)
            scores = [score / total for score in scores]
        if trust < 1:
            scores = [score * trust for score in scores]
            scores[self._unknown] += 1 - trust
        best = max(range(len(scores)), key=scores.__getitem__)
        confidence = scores[best]
        if confidence < self._min_confidence and best != self._unknown:
            scores = [score * confidence for score in scores]
            scores[self._unknown] += 1.0 - confidence
            best = self._unknown
        self._shown = best
        ranked = sorted(zip(self._names, scores), key=itemgetter(1), reverse=True)
        return Decision(self._names[best], tuple(ranked))


# How far an estimate is to be trusted: less when the face is turned away or covered.


DEFAULT_MAX_YAW_DEG = 55.0
DEFAULT_MAX_PITCH_DEG = 35.0
VISIBLE_PARTS = ('visible.mouth', 'visible.eyes', 'visible.skin', 'visible.upright')
"""Features in [0, 1]: how much of a part of the face is seen, and how sure it is upright."""
TRUSTED_NAMES = ('head.yaw', 'head.pitch', *VISIBLE_PARTS)
"""Names of the features that `Trust` reads."""
TRUST_S = 0.25
"""Time constant with which trust follows what is seen, in seconds."""
_FULL = 2 / 3  # of an angle's limit, up to which it costs nothing


class Trust:
    """
    Weighs estimates by what is known of the face: trust 1 leaves one as it is, 0 voids it.

    Trust falls linearly from 1 at two thirds of an angle's limit to 0 at the limit. What is not
    known costs nothing: publishers need not send head pose or visibility. Over time trust follows
    with `TRUST_S`, so that a hand that passes a face does not interrupt what is reported of it.

    :param max_yaw_deg: limit of the head's yaw to either side in degrees, above 0.
    :param max_pitch_deg: limit of the head's pitch up or down in degrees, above 0.
    :raises ValueError: when a limit is not above 0.
    """

    def __init__(
        self,
        max_yaw_deg: float = DEFAULT_MAX_YAW_DEG,
        max_pitch_deg: float = DEFAULT_MAX_PITCH_DEG,
    ) -> None:
        for name, value in (('max_yaw_deg', max_yaw_deg), ('max_pitch_deg', max_pitch_deg)):
            if not value > 0:
                raise ValueError(f'{name} must be above 0, not {value}.')
        self._limits = {
            'head.yaw': math.radians(max_yaw_deg),
            'head.pitch': math.radians(max_pitch_deg),
        }

    def of(
        self, features: Mapping[str, float], before: float = 1.0, gap_s: float = math.inf
    ) -> float:
        """
        Weigh one face's features.

        :param features: value by name, angles in radians; other names are ignored.
        :param before: trust in the face an image ago.
        :param gap_s: seconds since that image; infinite where there was none.
        :returns: trust in [0, 1]; a value that is no finite number counts as 0.
        """
        trust = math.prod(self.parts(features).values())
        return trust + (before - trust) * math.exp(-gap_s / TRUST_S)

    def parts(self, features: Mapping[str, float]) -> dict[str, float]:
        """
        Weigh what is known of a face one by one.

        :param features: see `of`.
        :returns: trust in [0, 1] by each of `TRUSTED_NAMES`; their product is the trust in all.
        """
        shares = {
            name: abs(features.get(name, 0.0)) / limit for name, limit in self._limits.items()
        }
        angles = {name: (1 - share) / (1 - _FULL) for name, share in shares.items()}
        seen = {name: features.get(name, 1.0) for name in VISIBLE_PARTS}
        return {name: _within_0_and_1(value) for name, value in {**angles, **seen}.items()}


def _within_0_and_1(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


# Valence and arousal of the basic expressions.
#
# Coordinates are the mean pleasure and arousal ratings of the emotion terms happy, surprised,
# fearful, angry, sad and disgusted of J. A. Russell and A. Mehrabian, "Evidence for a three-
# factor theory of emotions", Journal of Research in Personality 11 (1977), 273-294, as they are
# reproduced in public software; neutral is the origin by convention.


VALENCE_AROUSAL: dict[str, tuple[float, float]] = {
    'neutral': (0.0, 0.0),
    'happy': (0.81, 0.51),
    'surprised': (0.40, 0.67),
    'scared': (-0.64, 0.60),
    'angry': (-0.51, 0.59),
    'sad': (-0.63, -0.27),
    'disgusted': (-0.60, 0.35),
}
"""Label to (valence, arousal), each in [-1, 1]; a label without an entry counts as neutral."""
