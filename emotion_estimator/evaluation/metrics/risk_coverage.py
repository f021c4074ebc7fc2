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

"""What it costs to answer only when sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RiskCoverage:
    """
    What follows from answering only from some confidence on, the highest confidence first.

    :param coverage: share of the photographs that get an answer, shape [thresholds].
    :param risk: share of those answers that are wrong, shape [thresholds].
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Mean risk over coverage, each stretch at the risk of its end (AURC); less is better."""
        return float((np.diff(self.coverage, prepend=0.0) * self.risk).sum())


def risk_coverage_curve(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> RiskCoverage:
    """
    Compute risk and coverage for every threshold that makes a difference.

    :param probabilities: shape [N, classes], N at least 1.
    :param truth: class indices, shape [N].
    :returns: one point for each confidence that occurs.
    """
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != truth
    order = np.argsort(-confidence, kind='stable')
    # Equally sure answers are given or kept back together.
    last = np.append(np.diff(confidence[order]) < 0, True)
    answered = np.arange(1, len(order) + 1)[last]
    return RiskCoverage(
        coverage=answered / len(order), risk=np.cumsum(wrong[order])[last] / answered
    )
