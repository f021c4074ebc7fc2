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

"""One temperature that makes the probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from emotion_estimator.emotion.emotion_model import softmax

BOUNDS = (0.2, 5.0)


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """
    Find the temperature with the least cross-entropy.

    :param logits: shape [N, classes].
    :param labels: the right classes, shape [N].
    :returns: the temperature, within `BOUNDS`, to three decimals.
    """

    def cross_entropy(log_temperature: float) -> float:
        chances = softmax(logits / np.exp(log_temperature))
        right = chances[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    found = minimize_scalar(cross_entropy, bounds=np.log(BOUNDS), method='bounded')
    return round(float(np.exp(found.x)), 3)
