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

"""Scores of sums: confusions, losses and bins are added over units, then scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]


def ratio(part: Sums, whole: Sums) -> Sums:
    """
    Divide, where there is something to divide by.

    :param part: any shape.
    :param whole: same shape.
    :returns: same shape; nan where the whole is 0.
    """
    result = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def accuracy_from_counts(confusion: Sums) -> Sums:
    """
    Compute the share of right answers.

    :param confusion: weight by truth and answer, the last answer being none, shape
        [..., classes, classes + 1].
    :returns: in [0, 1], shape [...].
    """
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return ratio(right, confusion.sum(axis=(-2, -1)))


def accuracy_of_answers(confusion: Sums) -> Sums:
    """
    Compute the share of right ones among the answers that were given.

    :param confusion: see `accuracy`.
    :returns: in [0, 1], shape [...].
    """
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return ratio(right, confusion[..., :-1].sum(axis=(-2, -1)))


def macro_f1_from_counts(confusion: Sums) -> Sums:
    """
    Compute the mean of F1 over the classes that are true at some time.

    `scores.macro_f1` counts a class that never occurs as 0: right for a data set of all classes,
    but not for a recording in which people show three expressions of seven.

    :param confusion: see `accuracy`.
    :returns: in [0, 1], shape [...]; nan without any truth.
    """
    right = np.diagonal(confusion[..., :-1], axis1=-2, axis2=-1)
    true = confusion.sum(axis=-1)
    f1 = ratio(2 * right, true + confusion[..., :-1].sum(axis=-2))
    occurs = true > 0
    return ratio(np.where(occurs, f1, 0).sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))


def calibration_error_from_bins(bins: Sums) -> Sums:
    """
    Compute the expected calibration error of binned answers.

    M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015, equation 2; with bins of the highest probability.

    :param bins: count, sum of confidence and count of right ones in each bin, shape
        [..., bins, 3].
    :returns: in [0, 1], shape [...].
    """
    gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
    return ratio(gaps, bins[..., 0].sum(axis=-1))


def median_of_counts(counts: Sums, values: Sums) -> Sums:
    """
    Compute the median of values that occur so often.

    :param counts: how often each value occurs, shape [..., values].
    :param values: ascending, shape [values].
    :returns: the lower median, shape [...]; nan where none occurs.
    """
    if not len(values):
        return np.full(counts.shape[:-1], np.nan)
    reached = np.cumsum(counts, axis=-1)
    total = reached[..., -1:]
    # A hair below half: sums of floats must not push an exact half past it.
    middle = np.argmax(reached >= total / 2 - 1e-9, axis=-1)
    return np.where(total[..., 0] > 0, values[middle], np.nan)


def binned(confidence: Sums, right: NDArray[np.bool_], bins: int) -> Sums:
    """
    Sort answers into bins of equal width, for `calibration_error`.

    :param confidence: highest probability of each answer, in [0, 1], shape [N].
    :param right: whether its class is the right one, shape [N].
    :param bins: number of bins.
    :returns: shape [bins, 3].
    """
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    parts = (None, confidence, right.astype(np.float64))
    return np.stack(
        [np.bincount(place, part, minlength=bins).astype(np.float64) for part in parts], axis=-1
    )


# Measures of predictions against the truth.


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


# Which classes are taken for which.


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


# Whether probabilities mean what they say.


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


# What it costs to answer only when sure.


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
