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

"""From class probabilities to one label per frame: hysteresis, then the option 'unknown'."""

from __future__ import annotations

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
