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


def accuracy(confusion: Sums) -> Sums:
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


def macro_f1(confusion: Sums) -> Sums:
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


def calibration_error(bins: Sums) -> Sums:
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
