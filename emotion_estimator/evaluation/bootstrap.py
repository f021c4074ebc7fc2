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

"""How far a score would move with another draw of what it was taken on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """
    A score and where 95 % of its resamples lie.

    :param value: on the rows as they are.
    :param low: 2.5th percentile over the resamples.
    :param high: 97.5th percentile over the resamples.
    """

    value: float
    low: float
    high: float

    def rounded(self, digits: int = 4) -> dict[str, float]:
        """
        Write it the way a model folder's metrics do.

        :param digits: decimals that are kept.
        :returns: the three fields by name.
        """
        return {
            'value': round(self.value, digits),
            'low': round(self.low, digits),
            'high': round(self.high, digits),
        }


def bootstrap(
    score: Callable[..., float],
    arrays: Sequence[NDArray[Any]],
    resamples: int = RESAMPLES,
    seed: int = 0,
    groups: NDArray[Any] | None = None,
) -> Interval:
    """
    Find a score's percentile interval by drawing the rows again, with replacement.

    Percentile bootstrap: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993),
    chapter 13. It tells of the choice of rows only, not of training. What a resample makes worse
    by itself, such as a calibration error, which grows when rows repeat, gets an interval that
    lies too high.

    Equal seeds and numbers of rows draw equal rows, so scores of two methods can be compared row
    for row, by a score of their difference. Arrays of what the score needs of a row (right or
    not, its loss, a track's sums) keep it fast; the score is called once a resample.

    :param score: takes as many arrays as are given, with the drawn rows, and returns a number.
        Resamples in which it is not finite (a class may be absent) are left out.
    :param arrays: row-aligned, each of shape [N, ...], N at least 1.
    :param resamples: how often is drawn, at least 1.
    :param seed: of the draws.
    :param groups: the group of each row, shape [N]: whole groups are drawn, as many as there are.
        For rows that are not independent, such as the frames of one track.
    :returns: the score with its interval; nan where no resample has a finite one.
    :raises ValueError: when the arrays have no rows or different numbers of them.
    """
    lengths = {len(array) for array in arrays}
    if groups is not None:
        lengths.add(len(groups))
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            'A bootstrap needs arrays (and groups) with one equal number of rows above 0, but '
            f'they have {", ".join(map(str, sorted(lengths))) or "none"}.'
        )
    if resamples < 1:
        raise ValueError(f'A bootstrap needs at least 1 resample, not {resamples}.')
    rng = np.random.default_rng(seed)
    (rows,) = lengths
    draw = _single_rows(rows) if groups is None else _whole_groups(groups)
    found = np.empty(resamples)
    for index in range(resamples):
        chosen = draw(rng)
        found[index] = score(*(array[chosen] for array in arrays))
    return Interval(float(score(*arrays)), *_percentiles(found))


_Draw = Callable[[np.random.Generator], NDArray[np.int64]]


def _single_rows(rows: int) -> _Draw:
    return lambda rng: rng.integers(rows, size=rows)


def _whole_groups(groups: NDArray[Any]) -> _Draw:
    """Draw groups, and list the rows of each; the drawing is the same as of that many rows."""
    _, members = np.unique(groups, return_inverse=True)
    by_group = np.argsort(members, kind='stable')
    sizes = np.bincount(members)
    starts = np.cumsum(sizes) - sizes

    def draw(rng: np.random.Generator) -> NDArray[np.int64]:
        drawn = rng.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        ends = np.cumsum(lengths)
        # Position within the resample, moved to where its group starts among the sorted rows.
        shift = np.repeat(starts[drawn] - (ends - lengths), lengths)
        return np.asarray(by_group[shift + np.arange(ends[-1])])

    return draw


Score = Callable[..., NDArray[np.float64]]
"""Takes sums, each of shape [R, ...], and gives R scores."""


def bootstrap_sums(
    score: Score,
    tallies: Sequence[NDArray[np.float64]],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """
    Find the percentile interval of a score of sums by drawing units again, as `bootstrap` does.

    All resamples are scored at once: how often each unit is drawn, times what it adds. Equal
    numbers of units are drawn equally, so that a score of two methods' tallies of the same units
    gives the paired interval of their difference.

    :param score: takes the sums over the drawn units, one array for each of `tallies`.
    :param tallies: what each unit adds, each of shape [units, ...].
    :param resamples: how often is drawn, at least 1.
    :param seed: of the draws.
    :returns: the score of all units and its interval; nan at both ends where fewer than two units
        leave nothing to draw.
    """
    units = len(tallies[0])
    value = float(score(*(tally.sum(axis=0)[np.newaxis] for tally in tallies))[0])
    if units < 2:
        return Interval(value, float('nan'), float('nan'))
    drawn = _draws(units, resamples, seed)
    found = score(*(np.tensordot(drawn, tally, axes=(1, 0)) for tally in tallies))
    return Interval(value, *_percentiles(found))


@lru_cache(maxsize=4)
def _draws(units: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Tell how often each resample draws each unit; many scores ask for the same."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.float64)
    drawn.setflags(write=False)
    return drawn


def _percentiles(found: NDArray[np.float64]) -> tuple[float, float]:
    finite = found[np.isfinite(found)]
    if not len(finite):
        return float('nan'), float('nan')
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
