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
Votes put right by what a face measurably does.

FER+'s voters call a closed-lip smile, a frown and a stretched mouth neutral when they are mild.
Where MediaPipe measures the action, part of these votes goes to the expression that FACS finds it
in: P. Ekman and W. Friesen, EMFACS (emotional FACS, 1983), of which P. Lucey et al., "The extended
Cohn-Kanade dataset (CK+)", CVPR workshops 2010, print emotions by their action units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import INDEX
from training.datasets.pictures import LABELS

Float = TypeVar('Float', np.float32, np.float64)


@dataclass(frozen=True)
class Action:
    """
    A facial action, by the blendshapes that measure it.

    :param shapes: their names; the mean counts.
    :param least: up to this value it is not shown.
    :param full: from this value on it is shown.
    """

    shapes: tuple[str, ...]
    least: float
    full: float

    def shown(self, blendshapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Tell how much of it is shown.

        :param blendshapes: shape [N, 52], in [0, 1].
        :returns: in [0, 1], shape [N].
        """
        value = blendshapes[:, [INDEX[name] for name in self.shapes]].mean(axis=1)
        return np.clip((value - self.least) / (self.full - self.least), 0, 1)  # type: ignore[no-any-return]


def _both(name: str, least: float, full: float) -> Action:
    return Action((f'{name}Left', f'{name}Right'), least, full)


@dataclass(frozen=True)
class Rule:
    """
    Whose votes an expression gets where its actions are shown.

    :param expression: one of `LABELS`.
    :param actions: all of them must be shown.
    :param against: none of them may be shown.
    :param weight: share of the votes that go over where the actions are shown in full.
    :param takes_from: whose votes, names of `LABELS`.
    """

    expression: str
    actions: tuple[Action, ...]
    against: tuple[Action, ...] = ()
    weight: float = 1.0
    takes_from: tuple[str, ...] = ('neutral',)

    def share(self, blendshapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Tell which share of the votes goes over.

        :param blendshapes: shape [N, 52], in [0, 1].
        :returns: in [0, 1], shape [N].
        """
        share = np.full(len(blendshapes), self.weight, np.float32)
        for action in self.actions:
            share *= action.shown(blendshapes)
        for action in self.against:
            share *= 1 - action.shown(blendshapes)
        return share


_SMILE = _both('mouthSmile', 0.03, 0.12)
_STRETCH = _both('mouthStretch', 0.1, 0.3)
_CLOSED = _both('eyeBlink', 0.35, 0.6)

RULES = (
    # AU 12, the corners of the lips pulled up. Not with AU 43, the eyes closed: MediaPipe measures
    # a smile where somebody weeps, too. Of faces with a smile above .3, FER+'s voters call .81
    # happy and .02 sad while the eyes are open (eyeBlink below .2), .38 and .36 from .6 to .7.
    Rule('happy', (_both('mouthSmile', 0.15, 0.4),), against=(_CLOSED,)),
    # AU 20, the mouth stretched sideways, with AU 1, the inner brows raised.
    Rule(
        'scared',
        (_STRETCH, Action(('browInnerUp',), 0.0, 0.08)),
        against=(_SMILE,),
        takes_from=('neutral', 'sad'),
    ),
    # AU 4, the brows lowered.
    Rule('angry', (_both('browDown', 0.3, 0.5),), against=(_SMILE, _STRETCH), weight=0.2),
)
"""
Applied one after the other.

Values and weights were chosen on the halves of other people's pictures that are not kept back
(protocol X), see training/README.md.
"""

IN_FULL = replace(RULES[0], actions=(_both('mouthSmile', 0.4, 0.6),))
"""
A smile that is measured in full, from where `RULES` take it as shown. The models that ship do to
their own answers what this says: the appearance of some faces, two black men's among them, and of
drawn beards led them away from such a smile.
"""

ALSO_WITH_CLOSED_EYES = (replace(RULES[0], against=()), *RULES[1:])
"""The same rules, but with the eyes closed a smile counts too: see training/README.md on why."""


def corrected(
    shares: NDArray[Float],
    blendshapes: NDArray[np.float32],
    strength: float = 1.0,
    rules: tuple[Rule, ...] = RULES,
) -> NDArray[Float]:
    """
    Move shares of votes to the expressions whose actions are shown.

    :param shares: of the votes, shape [N, 7], each row summing to 1.
    :param blendshapes: of the same faces, shape [N, 52].
    :param strength: 0 moves nothing, 1 what `rules` say, 2 as though that were done twice: of
        what stays, its share moves again.
    :param rules: what moves.
    :returns: the same shape; rows keep their sum.
    """
    moved = shares.copy()
    for rule in rules:
        gains = LABELS.index(rule.expression)
        share = 1 - (1 - rule.share(blendshapes)) ** np.float32(strength)
        for name in rule.takes_from:
            part = share * moved[:, LABELS.index(name)]
            moved[:, LABELS.index(name)] -= part
            moved[:, gains] += part
    return moved
