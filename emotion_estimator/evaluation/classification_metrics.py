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
Metrics of answers against the truth: accuracy, F1, calibration error, log loss, risk and coverage.

What is counted once, a confusion or bins of confidence, can be added over recordings or resamples;
functions named `..._from_counts` and `..._from_bins` take such sums of any leading shape [...].
Those that take rows of answers count them and call these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
Counts = NDArray[np.float64] | NDArray[np.int64]

BINS = 15
"""Bins of confidence, over which calibration errors are taken."""

LEAST_PROBABILITY = 1e-7
"""What a probability of 0 counts as in a logarithm."""


def ratio(part: Counts, whole: Counts) -> Sums:
    """
    Divide, where there is something to divide by.

    :param part: any shape.
    :param whole: same shape.
    :returns: same shape; nan where the whole is 0.
    """
    result = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def count_answers(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """
    Count answers by truth, for the functions `..._from_counts`.

    :param predicted: class indices, shape [N]; -1 for no answer.
    :param truth: class indices, shape [N]; rows without a label (-1) are left out.
    :param classes: number of classes.
    :returns: by truth and answer, the last answer being none, shape [classes, classes + 1].
    """
    labelled = truth >= 0
    # Of classes + 1 columns, the index -1 means the last.
    pairs = truth[labelled] * (classes + 1) + predicted[labelled] % (classes + 1)
    return np.bincount(pairs, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def accuracy_from_counts(confusion: Counts) -> Sums:
    """
    Compute the share of right answers.

    :param confusion: weight by truth and answer, see `count_answers`, shape
        [..., classes, classes + 1].
    :returns: in [0, 1], shape [...].
    """
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return ratio(right, confusion.sum(axis=(-2, -1)))


def recalls_from_counts(confusion: Counts) -> Sums:
    """
    Compute each class's recall.

    :param confusion: see `accuracy_from_counts`.
    :returns: shape [..., classes]; nan for a class that does not occur.
    """
    return ratio(_right(confusion), confusion.sum(axis=-1))


def precisions_from_counts(confusion: Counts) -> Sums:
    """
    Compute each class's precision.

    :param confusion: see `accuracy_from_counts`.
    :returns: shape [..., classes]; nan for a class that is never answered.
    """
    return ratio(_right(confusion), confusion[..., :-1].sum(axis=-2))


def f1_from_counts(confusion: Counts) -> Sums:
    """
    Compute each class's F1, the harmonic mean of precision and recall.

    :param confusion: see `accuracy_from_counts`.
    :returns: shape [..., classes]; nan for a class that neither occurs nor is answered.
    """
    answered = confusion[..., :-1].sum(axis=-2)
    return ratio(2 * _right(confusion), confusion.sum(axis=-1) + answered)


def macro_f1_from_counts(confusion: Counts) -> Sums:
    """
    Compute the mean of F1 over the classes that are true at some time.

    `macro_f1` counts a class that never occurs as 0: right for a data set of all classes, but not
    for a recording in which people show three expressions of seven.

    :param confusion: see `accuracy_from_counts`.
    :returns: in [0, 1], shape [...]; nan without any truth.
    """
    occurs = confusion.sum(axis=-1) > 0
    f1 = np.where(occurs, f1_from_counts(confusion), 0)
    return ratio(f1.sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))


def _right(confusion: Counts) -> Sums:
    return np.diagonal(confusion[..., :-1], axis1=-2, axis2=-1).astype(np.float64)


def recalls(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Compute `recalls_from_counts` of rows, see `count_answers`; shape [classes]."""
    return recalls_from_counts(count_answers(predicted, truth, classes))


def macro_f1(predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> float:
    """
    Compute the mean of F1 over all classes.

    :param predicted: class indices, shape [N]; -1 for no answer.
    :param truth: class indices, shape [N].
    :param classes: number of classes; one that neither occurs nor is predicted counts as 0.
    :returns: in [0, 1].
    """
    return float(np.nan_to_num(f1_from_counts(count_answers(predicted, truth, classes))).mean())


@dataclass(frozen=True)
class Confusion:
    """
    Counts of answers by truth, with the classes' names.

    :param names: the classes, k of them.
    :param counts: photographs by truth (line) and answer (column), shape [k, k].
    :param unanswered: photographs without an answer by truth, shape [k].
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    unanswered: NDArray[np.int64]

    @property
    def all_counts(self) -> NDArray[np.int64]:
        """Counts with those without an answer in the last column, shape [k, k + 1]."""
        return np.column_stack([self.counts, self.unanswered])

    @property
    def support(self) -> NDArray[np.int64]:
        """Photographs by truth, those without an answer too, shape [k]."""
        return np.asarray(self.all_counts.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """See `precisions_from_counts`, shape [k]."""
        return precisions_from_counts(self.all_counts)

    @property
    def recall(self) -> NDArray[np.float64]:
        """See `recalls_from_counts`, shape [k]."""
        return recalls_from_counts(self.all_counts)

    @property
    def f1(self) -> NDArray[np.float64]:
        """See `f1_from_counts`, shape [k]."""
        return f1_from_counts(self.all_counts)

    @property
    def means(self) -> tuple[float, float, float]:
        """Mean precision, recall and F1 over all classes; nan counts as 0, as in `macro_f1`."""
        precision, recall, f1 = (
            float(np.nan_to_num(each).mean()) for each in (self.precision, self.recall, self.f1)
        )
        return precision, recall, f1

    @property
    def accuracy(self) -> float:
        """Share of all photographs that are answered right; nan if there are none."""
        return float(accuracy_from_counts(self.all_counts))


def confusion(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], names: tuple[str, ...]
) -> Confusion:
    """
    Count which classes are taken for which.

    :param predicted: class indices, shape [N]; -1 for no answer, which counts as wrong.
    :param truth: class indices, shape [N]; rows without a label (-1) are left out.
    """
    counts = count_answers(predicted, truth, len(names))
    return Confusion(names, counts[:, :-1], counts[:, -1])


def binned(confidence: Sums, right: NDArray[np.bool_], bins: int = BINS) -> Sums:
    """
    Sort answers into bins of equal width, for `calibration_error_from_bins`.

    :param confidence: highest probability of each answer, in [0, 1], shape [N].
    :param right: whether its class is the right one, shape [N].
    :param bins: number of bins.
    :returns: count, sum of confidence and count of right ones in each bin, shape [bins, 3].
    """
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    parts = (None, confidence, right.astype(np.float64))
    return np.stack(
        [np.bincount(place, part, minlength=bins).astype(np.float64) for part in parts], axis=-1
    )


def calibration_error_from_bins(bins: Sums) -> Sums:
    """
    Compute the expected calibration error (ECE).

    M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015, equation 2; with bins of the highest probability.

    :param bins: of `binned`, shape [..., bins, 3].
    :returns: mean distance of confidence and accuracy, in [0, 1], shape [...].
    """
    gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
    return ratio(gaps, bins[..., 0].sum(axis=-1))


def calibration_error(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = BINS
) -> float:
    """
    Compute `calibration_error_from_bins` of rows.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param bins: number of bins.
    :returns: in [0, 1].
    """
    return float(calibration_error_from_bins(_binned_rows(probabilities, truth, bins)))


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
    Compute what a reliability diagram shows: the bins of `calibration_error`.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param bins: number of bins.
    """
    counts, confidence, right = _binned_rows(probabilities, truth, bins).T
    return Bins(counts.astype(np.int64), ratio(confidence, counts), ratio(right, counts))


def _binned_rows(probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int) -> Sums:
    return binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, bins)


def log_losses(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64] | NDArray[np.float32]
) -> NDArray[np.float64]:
    """
    Compute the log loss of each row; its mean is the cross-entropy.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N], or shares of the classes, each row summing to 1, shape
        [N, classes].
    :returns: in nats, shape [N].
    """
    logs = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    if truth.ndim == 1:
        return np.asarray(-logs[np.arange(len(truth)), truth])
    return np.asarray(-(truth * logs).sum(axis=1))


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
