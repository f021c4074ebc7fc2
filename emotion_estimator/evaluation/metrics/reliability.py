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

"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True)
class Bins:
    """
    Answers by confidence, the highest probability, in bins of equal width over [0, 1].

    :param counts: answers, shape [bins].
    :param confidence: their mean confidence, shape [bins]; nan in an empty bin.
    :param accuracy: their share of right answers, shape [bins]; nan in an empty bin.
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def reliability_bins(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = BINS
) -> Bins:
    """
    Sort answers into the bins of `scores.calibration_error`.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param bins: number of bins.
    :returns: the bins.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    found = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(found, minlength=bins)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(found, values, minlength=bins)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    return Bins(counts, means(confidence), means(right.astype(np.float64)))
