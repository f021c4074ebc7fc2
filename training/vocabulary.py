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
Answers in the vocabulary of FER+'s voters, read in that of FER2013's labels.

The two disagree on a third of the photographs: where most voters see a neutral face FER2013 often
says sad or angry. An affine map of the logits, 56 numbers, translates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from emotion_estimator.emotion.emotion_model import softmax


@dataclass(frozen=True)
class Readout:
    """
    An affine map of logits.

    :param weights: shape [classes, classes]; one row for each class that is read.
    :param bias: shape [classes].
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, probabilities: NDArray[np.float64], temperature: float) -> NDArray[Any]:
        """
        Translate.

        :param probabilities: in the voters' vocabulary, shape [N, classes].
        :param temperature: that the logits were divided by.
        :returns: in the labels' vocabulary, same shape.
        """
        logits = np.log(np.maximum(probabilities, 1e-12)) * temperature
        return softmax(_centred(logits) @ self.weights.T + self.bias)

    def as_dict(self) -> dict[str, list[Any]]:
        """
        Give the numbers as JSON takes them.

        :returns: by field.
        """
        return {'weights': self.weights.round(4).tolist(), 'bias': self.bias.round(4).tolist()}


def fit_readout(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> Readout:
    """
    Fit the map.

    :param logits: of the network, shape [N, classes].
    :param labels: FER2013's, shape [N]; every class must occur.
    :returns: the map.
    """
    model = LogisticRegression(C=1.0, max_iter=2000).fit(
        _centred(logits.astype(np.float64)), labels
    )
    return Readout(model.coef_, model.intercept_)


def _centred(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take out what the softmax does not see."""
    return logits - logits.mean(axis=1, keepdims=True)
