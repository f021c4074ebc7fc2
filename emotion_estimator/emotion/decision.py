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

"""From class probabilities to one label per frame: prior, trust, hysteresis, 'unknown'."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 'unknown'
MAX_MIN_CONFIDENCE = 0.6
DEFAULT_MIN_CONFIDENCE = 0.3
DEFAULT_HYSTERESIS = 1.5
DEFAULT_CLASS_PRIOR = 'model'
HYSTERESIS_S = 1.5
"""Time constant with which hysteresis wears off while another label is ahead, in seconds."""


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
    never disagree. It is for flicker alone: while another label is ahead the factor's logarithm
    falls with `HYSTERESIS_S`, so that a small lead that lasts is decided on, whatever was shown
    when the face appeared.

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
        self._behind_s = 0.0  # how long another label has been ahead of the one shown
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

    def decide(
        self, probabilities: NDArray[np.float64], trust: float = 1.0, gap_s: float = 0.0
    ) -> Decision:
        """
        Decide on one frame.

        :param probabilities: shape [labels], summing to 1.
        :param trust: how far they are to be trusted, in [0, 1]; see `Trust`.
        :param gap_s: seconds since the frame before.
        """
        # Plain floats: for a handful of classes arrays cost three times as much.
        scores = probabilities.tolist() + [0.0] * (len(self._names) - len(self._labels))
        if self._shown is not None and self._shown < len(self._labels):
            is_ahead = scores[self._shown] >= max(scores)
            self._behind_s = 0.0 if is_ahead else self._behind_s + gap_s
            scores[self._shown] *= self._hysteresis ** math.exp(-self._behind_s / HYSTERESIS_S)
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
        if best != self._shown:
            self._shown, self._behind_s = best, 0.0
        ranked = sorted(zip(self._names, scores), key=itemgetter(1), reverse=True)
        return Decision(self._names[best], tuple(ranked))


# How often each expression is expected where the model is used.


class PriorError(ValueError):
    """A class prior that a model cannot take; the message says why and what to do."""


class ClassPrior:
    """
    Exchanges how often a model saw each class in training for how often it is to be expected.

    A prior is 'training' (as those who labelled the training's photographs have them, see
    `EmotionModel.probabilities`), 'uniform' (each class as often) or shares by name, such as
    'neutral=.5,happy=.3,sad=.2', which need not sum to 1. Of a model with coarser classes each of
    these has a share, whatever expressions it stands for.

    :param prior: as above.
    :param labels: the model's classes.
    :param training_shares: of each class in the training; empty where the model does not say.
    :param temperature: by which the model divides its logits. The training's shares belong to the
        logits as they were learned, so that the exchange is made there, before they are divided.
    :raises PriorError: when it does not fit the classes, or the training's shares are not known.
    """

    def __init__(
        self,
        prior: str = 'training',
        labels: tuple[str, ...] = (),
        training_shares: tuple[float, ...] = (),
        temperature: float = 1.0,
    ) -> None:
        self.as_trained = prior == 'training'
        """Whether nothing is exchanged."""
        self._shares: NDArray[np.float64] | None = None
        self._training_shares = _at_temperature(np.array(training_shares, np.float64), temperature)
        if self.as_trained:
            return
        shares = np.ones(len(labels)) if prior == 'uniform' else _shares_by_name(prior, labels)
        if not training_shares:
            raise PriorError(
                f'class_prior cannot be {prior!r}: the model does not state its class_shares, how '
                "often each class is in what it learned from; set it to 'training'."
            )
        self._shares = _at_temperature(shares, temperature)
        if not (self._training_shares > 0).all():
            raise PriorError(
                f'class_prior cannot be {prior!r}: with a temperature of {temperature:g} the '
                f"model's class_shares {training_shares} leave a class nothing."
            )

    def applied(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Move a model's probabilities to the prior.

        :param probabilities: of the classes, shape [..., labels], summing to 1.
        :returns: the same shape, summing to 1.
        """
        if self._shares is None:
            return probabilities
        return with_prior(probabilities, self._training_shares, self._shares)


def _at_temperature(shares: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Do to shares what a temperature does to probabilities."""
    if not shares.size:
        return shares
    raised = (shares / shares.max()) ** (1 / temperature)
    return np.asarray(raised / raised.sum())


def with_prior(
    probabilities: NDArray[np.float64],
    training_shares: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Move probabilities to class shares other than those of the training.

    M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a
    priori probabilities: a simple procedure", Neural Computation 14 (2002), 21-41: each class
    times the ratio of its shares, then to a sum of 1.

    :param probabilities: shape [..., classes], summing to 1.
    :param training_shares: of the classes among the targets of the training, shape [classes],
        all above 0.
    :param shares: of the classes where the classifier is used, shape [classes].
    :returns: the same shape, summing to 1; the shares themselves where no class is left.
    :raises ValueError: when the training lacked a class.
    """
    if not (training_shares > 0).all():
        raise ValueError(
            f'Each class needs a share above 0 in the training, but they are {training_shares}.'
        )
    moved = probabilities * (shares / training_shares)
    total = moved.sum(axis=-1, keepdims=True)
    return np.where(total > 0, moved / np.where(total > 0, total, 1), shares)


def _shares_by_name(prior: str, labels: tuple[str, ...]) -> NDArray[np.float64]:
    """Read shares such as 'neutral=.5,happy=.5'; shape [labels]."""
    wanted = f"'model', 'uniform', 'training' or shares such as '{labels[0]}=.5,...'"
    found: dict[str, float] = {}
    for part in prior.split(','):
        name, _, number = (piece.strip() for piece in part.partition('='))
        try:
            share = float(number)
        except ValueError:
            raise PriorError(f'class_prior must be {wanted}, not {prior[:100]!r}.') from None
        if name not in labels:
            raise PriorError(
                f'class_prior: {name[:100]!r} is none of the classes {", ".join(labels)}.'
            )
        if name in found:
            raise PriorError(f'class_prior names {name} twice.')
        if not (0 <= share < math.inf):
            raise PriorError(
                f'class_prior: the share of {name} must be 0 or more, not {number[:100]}.'
            )
        found[name] = share
    missing = [label for label in labels if label not in found]
    if missing:
        raise PriorError(f'class_prior lacks a share of {", ".join(missing)}; 0 rules one out.')
    if not 0 < sum(found.values()) < math.inf:
        raise PriorError('class_prior needs a share above 0.')
    return np.array([found[label] for label in labels])


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
