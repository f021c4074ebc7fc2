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

from training.datasets.labels import one_hot


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
    :param rows: row in fer2013.csv, shape [N].
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
        :returns: the stills kept.
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
        :returns: what is left.
        """
        labels: dict[bytes, set[int]] = {}
        for content, label in zip(pixels, self.labels.tolist()):
            labels.setdefault(content, set()).add(label)
        clean = np.array([c not in tested and len(labels[c]) == 1 for c in pixels], np.bool_)
        others = self.other_votes.sum(axis=1)
        doubted = (others > 0) & (self.votes.sum(axis=1) <= others)
        return self.select(self.readable[:, 0] & clean & ~doubted)


_BY_ROW = ('views', 'readable', 'labels', 'votes', 'other_votes', 'rows')
