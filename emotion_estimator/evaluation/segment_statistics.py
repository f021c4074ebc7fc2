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

"""Counts of each labelled segment, or of a few seconds, and the interval of a score of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.alignment import AlignedPredictions
from emotion_estimator.evaluation.classification_metrics import BINS, LEAST_PROBABILITY, binned
from emotion_estimator.stamps import LONGEST_GAP_S, NS_PER_S

# How an answer changes over time: switches, and when it becomes right for good.


def switches(
    stamps_ns: NDArray[np.int64],
    labels: NDArray[np.int64],
    longest_s: float = LONGEST_GAP_S,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Find where one face's label changes, and how long it was followed.

    :param stamps_ns: ascending, shape [N].
    :param labels: shape [N].
    :param longest_s: the longest step between two frames that belong together.
    :returns: positions of the frames with another label than the frame before, and the seconds
        from the frame before to each frame, shape [N], 0 for the first and after a gap.
    """
    steps_s = np.diff(stamps_ns, prepend=stamps_ns[:1]) / NS_PER_S
    followed = steps_s <= longest_s
    changed = np.diff(labels, prepend=labels[:1]) != 0
    return np.flatnonzero(changed & followed), np.where(followed, steps_s, 0.0)


def stable_from(right: NDArray[np.bool_]) -> int | None:
    """
    Find the frame from which on the answers are right to the end.

    :param right: whether each frame's answer is right, shape [N], N at least 1.
    :returns: its position; None where the last frame is wrong.
    """
    if not right[-1]:
        return None
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 1 if len(wrong) else 0


# How long something was so, counted by images.


def image_durations_s(stamps_ns: NDArray[np.int64], longest_s: float) -> NDArray[np.float64]:
    """
    Tell how long each image stands for: to the next, the last one as long as is usual.

    :param stamps_ns: ascending, shape [N].
    :param longest_s: the longest step between two images that belong together.
    :returns: in seconds, shape [N]; a single image stands for nothing.
    """
    if len(stamps_ns) < 2:
        return np.zeros(len(stamps_ns))
    steps_s = np.diff(stamps_ns) / NS_PER_S
    return np.minimum(np.append(steps_s, np.median(steps_s)), longest_s)


SETTLED_S = 1.0
"""A change of the label in the first second of a labelled segment may follow the face's own."""

BLOCK_S = 5
"""Units of time without labels: H. Kuensch, "The jackknife and the bootstrap for general
stationary observations", Annals of Statistics 17 (1989), draws blocks of neighbouring frames."""

Unit = tuple[str, int]
"""A recording and a number within it."""


@dataclass(frozen=True)
class SegmentStatistics:
    """
    Sums by unit.

    :param units: U of them.
    :param sums: by name, each of shape [U, ...].
    :param delays_s: delay by position of the unit, for each onset that settled.
    """

    units: tuple[Unit, ...]
    sums: Mapping[str, NDArray[np.float64]]
    delays_s: tuple[tuple[int, float], ...] = ()

    def by_recording(self) -> SegmentStatistics:
        """Add up the units of each recording."""
        names = list(dict.fromkeys(recording for recording, _ in self.units))
        of_unit = [names.index(recording) for recording, _ in self.units]
        sums = {}
        for name, array in self.sums.items():
            sums[name] = np.zeros((len(names), *array.shape[1:]))
            np.add.at(sums[name], of_unit, array)
        delays_s = tuple((of_unit[unit], delay_s) for unit, delay_s in self.delays_s)
        return SegmentStatistics(tuple((name, 0) for name in names), sums, delays_s)

    def only(self, units: Sequence[Unit]) -> SegmentStatistics:
        """Leave some units, in the order given."""
        at = {unit: index for index, unit in enumerate(self.units)}
        kept = [at[unit] for unit in units]
        new = {old: index for index, old in enumerate(kept)}
        return SegmentStatistics(
            tuple(units),
            {name: array[kept] for name, array in self.sums.items()},
            tuple((new[unit], delay_s) for unit, delay_s in self.delays_s if unit in new),
        )


def joined(parts: Sequence[SegmentStatistics]) -> SegmentStatistics:
    """
    Put tallies of several recordings behind each other.

    :param parts: at least one, with the same sums.
    :returns: all units.
    """
    starts = np.cumsum([0, *(len(part.units) for part in parts)])
    return SegmentStatistics(
        tuple(unit for part in parts for unit in part.units),
        {name: np.concatenate([part.sums[name] for part in parts]) for name in parts[0].sums},
        tuple(
            (int(start) + unit, delay_s)
            for start, part in zip(starts, parts)
            for unit, delay_s in part.delays_s
        ),
    )


def tally_segments(judged: AlignedPredictions) -> SegmentStatistics:
    """
    Count what is judged by labels, one unit for each label with a face in view.

    The label shown is judged in the confusion, 'unknown' being wrong; the probabilities are
    judged by their losses and in the bins. An onset is a face's first frame in a segment,
    unless it goes on with the class of the one before. Each labelled photograph is a unit, and
    nothing begins or changes in it.

    :returns: the sums by segment.
    """
    number = judged.stamps_ns if judged.stills else judged.segment
    of_unit = np.where(judged.segment < 0, -1, number)
    numbers = np.unique(of_unit[of_unit >= 0]).tolist()
    classes, units = len(judged.classes), len(numbers)
    confusion, bins = np.zeros((units, classes, classes + 1)), np.zeros((units, BINS, 3))
    per_unit = ('losses', 'frames', 'named', 'right_named', 'pieces', 'right_pieces', 'settled')
    sums = {name: np.zeros(units) for name in (*per_unit, 'switches', 'constant_s')}
    delays_s: list[tuple[int, float]] = []
    ends = {(one.end_ns, held, one.face) for one, held in zip(judged.segments, judged.held)}
    for unit, number in enumerate(numbers):
        rows = np.flatnonzero(of_unit == number)
        right, chances = judged.truth[rows], judged.probabilities[rows]
        np.add.at(confusion[unit], (right, judged.decided[rows]), 1)
        bins[unit] = binned(chances.max(axis=1), chances.argmax(axis=1) == right, BINS)
        losses = -np.log(np.maximum(chances[np.arange(len(rows)), right], LEAST_PROBABILITY))
        sums['losses'][unit], sums['frames'][unit] = losses.sum(), len(rows)
        named = rows[judged.answered[rows]]
        sums['named'][unit] = len(named)
        sums['right_named'][unit] = (judged.decided[named] == judged.truth[named]).sum()
        for own, begin_ns in judged.pieces(rows):
            truth, label = judged.truth[own[0]], judged.segments[judged.segment[own[0]]]
            stamps_ns, decided = judged.stamps_ns[own], judged.decided[own]
            counts = np.bincount(decided + 1, minlength=classes + 1)
            sums['pieces'][unit] += 1
            sums['right_pieces'][unit] += counts[truth + 1] > np.delete(counts, truth + 1).max()
            stable = stable_from(decided == truth)
            sums['settled'][unit] += stable is not None
            answers = judged.of_face(int(judged.face[own[0]]))
            before = answers[answers < own[0]][-1:]  # another label of the class may hold there
            gap_s = (stamps_ns[0] - judged.stamps_ns[before]) / NS_PER_S
            goes_on = ((judged.truth[before] == truth) & (gap_s <= judged.longest_gap_s)).any()
            begins = not (goes_on or judged.stills or (begin_ns, truth, label.face) in ends)
            if stable is not None and begins:
                delays_s.append((unit, float(stamps_ns[stable] - stamps_ns[0]) / NS_PER_S))
            late = stamps_ns >= begin_ns + SETTLED_S * NS_PER_S
            changes, followed_s = switches(stamps_ns[late], decided[late], judged.longest_gap_s)
            sums['switches'][unit] += len(changes)
            sums['constant_s'][unit] += followed_s.sum()
    keys = tuple((judged.recording, number) for number in numbers)
    return SegmentStatistics(keys, {'confusion': confusion, 'bins': bins, **sums}, tuple(delays_s))


def tally_time(judged: AlignedPredictions) -> SegmentStatistics:
    """
    Count what needs no labels, one unit for each stretch of `BLOCK_S` seconds.

    Of photographs each is a unit, and of several each counts as a second, however far apart they
    were taken.

    :returns: by unit, in seconds: all images, those with a face, those with a face whose
        expression was named; and switches of all faces with the time they were followed.
    """
    blocks = judged.image_ns if judged.stills else judged.image_ns // (BLOCK_S * NS_PER_S)
    numbers, block = np.unique(blocks, return_inverse=True)
    gap_s = judged.longest_gap_s
    durations_s = image_durations_s(judged.image_ns, gap_s)
    if judged.stills and len(durations_s) > 1:
        durations_s[:] = 1
    # Each answer's image; answers carry the stamps of their images.
    image = np.searchsorted(judged.image_ns, judged.stamps_ns)
    seen, named = np.zeros((2, len(judged.image_ns)), np.bool_)
    seen[image], named[image[judged.answered]] = True, True
    count, followed_s = np.zeros((2, len(numbers)))
    for face in np.unique(judged.face).tolist():
        rows = judged.of_face(face)
        changes, steps_s = switches(judged.stamps_ns[rows], judged.decided[rows], gap_s)
        np.add.at(count, block[image[rows[changes]]], 1)
        np.add.at(followed_s, block[image[rows]], steps_s)

    def seconds(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(block, durations_s * which, minlength=len(numbers)).astype(np.float64)

    sums = {
        'image_s': seconds(np.ones_like(seen)),
        'face_s': seconds(seen),
        'named_s': seconds(named),
        'all_switches': count,
        'followed_s': followed_s,
    }
    return SegmentStatistics(tuple((judged.recording, int(number)) for number in numbers), sums)


# How far a score would move with another draw of what it was taken on.


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
        """Write it as a model folder's metrics do: the fields by name, with so many digits."""
        return {name: round(each, digits) for name, each in vars(self).items()}


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
    found = score(*(_sums(drawn, tally) for tally in tallies))
    return Interval(value, *_percentiles(found))


def _sums(drawn: NDArray[np.float64], tally: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up what is drawn, without what adds nothing: one face is in few of many photographs."""
    if (tally == tally[0]).all():
        return np.repeat(len(tally) * tally[:1], len(drawn), axis=0)
    adding = np.flatnonzero(tally.reshape(len(tally), -1).any(axis=1))
    return np.tensordot(drawn[:, adding], tally[adding], axes=(1, 0))


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
