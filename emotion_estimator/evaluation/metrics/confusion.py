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

"""Which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confusion:
    """
    Counts of answers by truth.

    :param names: the classes, k of them.
    :param counts: photographs by truth (line) and answer (column), shape [k, k].
    :param unanswered: photographs without an answer by truth, shape [k].
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    unanswered: NDArray[np.int64]

    @property
    def support(self) -> NDArray[np.int64]:
        """Photographs by truth, those without an answer too, shape [k]."""
        return np.asarray(self.counts.sum(axis=1) + self.unanswered)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of an answer's photographs that are right, shape [k]; nan if never answered."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of a class's photographs that are answered right, shape [k]; nan if none."""
        return _ratio(np.diag(self.counts), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, shape [k]; nan if neither seen nor answered."""
        return _ratio(2 * np.diag(self.counts), self.support + self.counts.sum(axis=0))

    @property
    def means(self) -> tuple[float, float, float]:
        """Mean precision, recall and F1; nan counts as 0, as in `scores.macro_f1`."""
        precision, recall, f1 = (
            float(np.nan_to_num(each).mean()) for each in (self.precision, self.recall, self.f1)
        )
        return precision, recall, f1

    @property
    def accuracy(self) -> float:
        """Share of all photographs that are answered right; nan if there are none."""
        return float(_ratio(np.diag(self.counts).sum(), self.support.sum()))


def confusion(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], names: tuple[str, ...]
) -> Confusion:
    """
    Count which classes are taken for which.

    :param predicted: class indices, shape [N]; -1 for no answer, which counts as wrong.
    :param truth: class indices, shape [N]; rows without a label (-1) are left out.
    :param names: the classes.
    :returns: the counts.
    """
    classes = len(names)
    answered = (truth >= 0) & (predicted >= 0)
    pairs = truth[answered] * classes + predicted[answered]
    return Confusion(
        names=names,
        counts=np.bincount(pairs, minlength=classes**2).reshape(classes, classes),
        unanswered=np.bincount(truth[(truth >= 0) & (predicted < 0)], minlength=classes),
    )


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
