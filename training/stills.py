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

"""Photographs as the features that a robot would have of them, with labels, votes and splits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.model import VOTES
from emotion_estimator.evaluation import labels as label_classes
from emotion_estimator.evaluation.labels import LabelMap
from training import facial_actions
from training.datasets.pictures import LABELS, NO_LABEL, DataError, one_hot
from training.facial_actions import Float


@dataclass(frozen=True)
class Stills:
    """
    N photographs in V views.

    :param features: names of the F features, the 52 blendshapes first.
    :param views: their values, shape [N, V, F]; 0 where not readable. View 0 is the photograph as
        it is, which every score uses.
    :param readable: whether a face was found, shape [N, V].
    :param labels: FER2013's label as an index into `LABELS`, shape [N].
    :param votes: FER+ votes for each of `LABELS`, shape [N, 7].
    :param other_votes: FER+ votes for contempt, unknown and 'not a face', shape [N, 3].
    :param rows: row in fer2013.csv, shape [N]; of photographs to learn from a mere number.
    """

    features: tuple[str, ...]
    views: NDArray[np.float32]
    readable: NDArray[np.bool_]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32]
    other_votes: NDArray[np.float32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.labels)

    @property
    def values(self) -> NDArray[np.float32]:
        """Features of view 0, shape [N, F]."""
        return self.views[:, 0]

    def select(self, chosen: NDArray[Any]) -> Stills:
        """
        Keep some photographs.

        :param chosen: mask of shape [N], or indices.
        """
        return replace(self, **{name: getattr(self, name)[chosen] for name in _BY_ROW})

    def only(self, features: tuple[str, ...]) -> Stills:
        """
        Keep some features.

        :param features: their names.
        :returns: all photographs with these features alone.
        """
        columns = [self.features.index(name) for name in features]
        return replace(self, features=features, views=self.views[:, :, columns])

    def vote_shares(self) -> NDArray[np.float32]:
        """
        Share out the votes that went to the seven classes.

        Votes for contempt, unknown and 'not a face' leave the sum: the seven classes have no
        place for them. A photograph without any vote for the seven gets its FER2013 label.

        :returns: shape [N, 7], each row summing to 1.
        """
        total = self.votes.sum(axis=1, keepdims=True)
        shares = self.votes / np.maximum(total, 1)
        return np.where(total > 0, shares, one_hot(self.labels)).astype(np.float32)

    def corrected_shares(
        self, strength: float = 1.0, rules: tuple[facial_actions.Rule, ...] = facial_actions.RULES
    ) -> NDArray[np.float32]:
        """
        Share out the votes and correct them by the facial actions shown.

        Corrected are votes of several people about faces that are readable; see
        `facial_actions.corrected`. Where only one person told what is shown, that stays.

        :param strength: of the correction.
        :param rules: what moves.
        :returns: shape [N, 7], each row summing to 1.
        """
        shares = self.vote_shares()
        voted = self.votes.sum(axis=1) + self.other_votes.sum(axis=1) > 1
        rows = np.flatnonzero(voted & self.readable[:, 0])
        seen = self.values[rows]
        shares[rows] = facial_actions.corrected(shares[rows], seen, strength, rules)
        return shares

    def majority(self) -> NDArray[np.int64]:
        """
        Find what most of the ten people said (protocol P7).

        FER+'s own rule (https://github.com/microsoft/FERPlus, src/ferplus.py, mode 'majority'):
        a single vote for a class does not count, and a class must have more than half of the
        votes that are left.

        :returns: index into `LABELS`, shape [N]; -1 where no class has that, or contempt, unknown
            or 'not a face' has.
        """
        votes, others = (np.where(v > 1, v, 0) for v in (self.votes, self.other_votes))
        total = votes.sum(axis=1) + others.sum(axis=1)
        return np.where(votes.max(axis=1) > total / 2, votes.argmax(axis=1), -1)

    def for_training(self, pixels: list[bytes], tested: set[bytes]) -> Stills:
        """
        Keep what a network may learn from.

        Left out: unreadable photographs, those whose pixels stand in a test split too or bear
        another label elsewhere in this split, and those in which as many people as for all seven
        classes saw contempt, something unknown or no face.

        :param pixels: of each photograph.
        :param tested: pixels of the test splits' photographs.
        """
        labels: dict[bytes, set[int]] = {}
        for content, label in zip(pixels, self.labels.tolist()):
            labels.setdefault(content, set()).add(label)
        clean = np.array([c not in tested and len(labels[c]) == 1 for c in pixels], np.bool_)
        others = self.other_votes.sum(axis=1)
        doubted = (others > 0) & (self.votes.sum(axis=1) <= others)
        return self.select(self.readable[:, 0] & clean & ~doubted)


_BY_ROW = ('views', 'readable', 'labels', 'votes', 'other_votes', 'rows')


# What a network is asked about each photograph, in the seven classes or in coarser ones.


FER2013 = 'fer2013'
"""Vocabulary of the auxiliary head, see `Targets`."""


@dataclass(frozen=True)
class IndexMap:
    """
    A label map for arrays: a class of `names` for each of `LABELS`, by index.

    :param names: the coarser classes.
    :param of: for each of `LABELS`, in their order, an index into `names`.
    :raises ValueError: when a class of `LABELS` has no place, or a name none of them.
    """

    names: tuple[str, ...]
    of: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a map that is not one onto all names."""
        if len(self.of) != len(LABELS) or set(self.of) != set(range(len(self.names))):
            raise ValueError(
                f'A map onto {", ".join(self.names)} needs one of the numbers 0 to '
                f'{len(self.names) - 1} for each of the {len(LABELS)} classes, and each number '
                f'at least once: {self.of} is none.'
            )

    def labels(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Map labels.

        :param labels: indices into `LABELS` or `NO_LABEL`, any shape.
        :returns: indices into `names`, same shape; `NO_LABEL` stays.
        """
        return np.where(labels == NO_LABEL, NO_LABEL, np.array(self.of)[labels])

    def probabilities(self, probabilities: NDArray[Float]) -> NDArray[Float]:
        """
        Sum each coarser class's probabilities.

        :param probabilities: of `LABELS`, shape [N, 7].
        :returns: of `names`, shape [N, len(names)]; rows keep their sum.
        """
        return probabilities @ np.eye(len(self.names), dtype=probabilities.dtype)[list(self.of)]


def _by_index(label_map: LabelMap) -> IndexMap:
    names = label_map.names
    return IndexMap(names, tuple(names.index(label_map.of[label]) for label in LABELS))


HAPPY_UNKNOWN_SAD = _by_index(label_classes.HAPPY_UNKNOWN_SAD)
"""The seed report's classes in its numbering: 0 happy, 1 unknown, 2 sad (section 4.1)."""

POSITIVE_NEGATIVE = _by_index(label_classes.POSITIVE_NEGATIVE)
"""Two classes, as the seed report's discussion (section 7) groups them."""


SEVEN = IndexMap(LABELS, tuple(range(len(LABELS))))
MAPS: dict[str, IndexMap] = {'seven': SEVEN, 'happy_unknown_sad': HAPPY_UNKNOWN_SAD}


@dataclass(frozen=True)
class Targets:
    """
    Whom to believe, and in which classes.

    :param classes: a name of `MAPS`.
    :param label_weight: weight of FER2013's one label; the rest is the shares of FER+'s votes.
    :param correction: how strongly the votes are corrected by the facial actions shown, see
        `facial_actions.corrected`; 0 leaves them.
    :param votes_weight: weight of a second answer beside the first: the votes as they are; 0 does
        not ask it.
    :param second_weight: weight of an auxiliary head beside them: FER2013's label of the seven
        classes; 0 does not ask it.
    """

    classes: str = 'seven'
    label_weight: float = 0.0
    correction: float = 0.0
    votes_weight: float = 0.0
    second_weight: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return MAPS[self.classes].names

    @property
    def further_names(self) -> tuple[str, ...]:
        """Classes of the answers behind the first, named after whose vocabulary they are in."""
        asked = [(VOTES, self.votes_weight), (FER2013, self.second_weight)]
        return tuple(f'{who}.{name}' for who, weight in asked if weight for name in LABELS)

    @property
    def weights(self) -> tuple[float, ...]:
        """Weight of each answer that is asked, the first has 1."""
        return (1.0, *(weight for weight in (self.votes_weight, self.second_weight) if weight))

    def taught(self, stills: Stills) -> NDArray[np.float32]:
        """
        Compute the targets of all outputs.

        :param stills: N photographs.
        :returns: `shares`, then where they are asked the votes as they are and FER2013's label;
            each sums to 1.
        """
        answers = [self.shares(stills)]
        if self.votes_weight:
            answers.append(stills.vote_shares())
        if self.second_weight:
            answers.append(one_hot(stills.labels))
        return np.concatenate(answers, axis=1)

    def shares(self, stills: Stills) -> NDArray[np.float32]:
        """
        Compute the targets of the first question.

        :param stills: N photographs.
        :returns: shape [N, classes], each row summing to 1.
        """
        weight = np.float32(self.label_weight)
        votes = stills.corrected_shares(self.correction)
        seven = weight * one_hot(stills.labels) + (1 - weight) * votes
        return MAPS[self.classes].probabilities(seven)

    def validation_labels(self, stills: Stills) -> NDArray[np.int64]:
        """
        Compute the labels that answers are compared with to choose the epoch.

        :param stills: N photographs.
        :returns: FER+'s majority where votes teach, FER2013's label where labels do, or where
            none of them has a majority; shape [N], -1 where there is none.
        """
        labels = stills.labels if self.label_weight > 0.5 else stills.majority()
        if not (labels >= 0).any():  # nobody voted: the labels are all that is known
            labels = stills.labels
        return MAPS[self.classes].labels(labels)


def truth_for(names: tuple[str, ...], stills: Stills) -> NDArray[np.int64]:
    """
    Choose the truth that a model's answers are compared with.

    :param names: the model's classes.
    :param stills: N photographs.
    :returns: index into the classes, shape [N]: FER+'s majority for the seven classes, -1 where
        there is none; FER2013's label for the seed report's three.
    :raises DataError: when the classes are neither, or no photograph with a face has a majority.
    """
    if names == LABELS:
        majority = stills.majority()
        if not (stills.readable[:, 0] & (majority >= 0)).any():
            raise DataError(
                f'None of the {len(stills)} photographs shows a face on which most voters agree, '
                'which is the truth for the seven classes. FERPLUS= of `make` names the votes '
                'where the photographs come without.'
            )
        return majority
    if names == HAPPY_UNKNOWN_SAD.names:
        return HAPPY_UNKNOWN_SAD.labels(stills.labels)
    raise DataError(
        f'The model answers {", ".join(names)}, and no truth of FER2013 has these classes: '
        f'choose a model of {", ".join(LABELS)} or of {", ".join(HAPPY_UNKNOWN_SAD.names)}.'
    )
