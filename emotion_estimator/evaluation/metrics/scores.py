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

"""Measures of predictions against the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_PROBABILITY = 1e-7


def recalls(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """
    Compute each class's recall.

    :param predicted: class indices, shape [N]; -1 for no answer.
    :param truth: class indices, shape [N].
    :param classes: number of classes.
    :returns: shape [classes]; nan for a class that does not occur.
    """
    counts = np.bincount(truth, minlength=classes)
    right = np.bincount(truth[predicted == truth], minlength=classes)
    return np.where(counts > 0, right / np.maximum(counts, 1), np.nan)


def macro_f1(predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> float:
    """
    Compute the mean over the classes of F1.

    :param predicted: class indices, shape [N]; -1 for no answer.
    :param truth: class indices, shape [N].
    :param classes: number of classes; one that neither occurs nor is predicted counts as 0.
    :returns: in [0, 1].
    """
    right = np.bincount(truth[predicted == truth], minlength=classes)
    occurring = np.bincount(truth, minlength=classes)
    answered = np.bincount(predicted[predicted >= 0], minlength=classes)
    return float((2 * right / np.maximum(occurring + answered, 1)).mean())


def cross_entropy(probabilities: NDArray[np.float64], shares: NDArray[np.float32]) -> float:
    """
    Compute the mean cross-entropy.

    :param probabilities: shape [N, classes].
    :param shares: the truth's shares, each row summing to 1, same shape.
    :returns: in nats.
    """
    logs = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    return float(-(shares * logs).sum(axis=1).mean())


def calibration_error(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = 15
) -> float:
    """
    Compute the expected calibration error over bins of equal width.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param bins: number of bins of the highest probability.
    :returns: mean distance of confidence and accuracy, in [0, 1].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    found = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(found, confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def risk_coverage(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], threshold: float
) -> tuple[float, float]:
    """
    Score only the answers that reach a probability.

    :param probabilities: shape [N, classes].
    :param labels: index of the right class, shape [N].
    :param threshold: least probability of an answer, in [0, 1].
    :returns: share of the faces that get an answer, and share of the answers that are right
        (nan without answers).
    """
    answered = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == labels
    accuracy = float(right[answered].mean()) if answered.any() else float('nan')
    return float(answered.mean()), accuracy
