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

"""Which metrics a report states, what they mean and from which counts they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.alignment import AlignedPredictions
from emotion_estimator.evaluation.classification_metrics import Sums, ratio
from emotion_estimator.evaluation.segment_statistics import (
    Interval,
    Score,
    SegmentStatistics,
    Unit,
    bootstrap_sums,
    joined,
    tally_segments,
    tally_time,
)


@dataclass(frozen=True)
class Measure:
    """
    One figure.

    :param name: in metrics.json.
    :param title: in the report.
    :param meaning: in a sentence without a full stop.
    :param unit: 'share', 's', '1/s' or 'nat'.
    :param better: 1 where more is better, -1 where less is, 0 where neither.
    :param tallies: names of the sums that it is computed from.
    :param score: computes it.
    """

    name: str
    title: str
    meaning: str
    unit: str
    better: int
    tallies: tuple[str, ...]
    score: Score


DELAYS = 'delays'
LABELLED = (
    Measure(
        'accuracy',
        'Frame accuracy',
        'share of the labelled frames with a face whose answer is right; unknown counts as wrong '
        'unless it is the label',
        'share',
        1,
        ('confusion',),
        metrics.accuracy_from_counts,
    ),
    Measure(
        'accuracy_of_answers',
        'Selective accuracy',
        'the same among the frames where an expression was named, not unknown',
        'share',
        1,
        ('right_named', 'named'),
        ratio,
    ),
    Measure(
        'segment_accuracy',
        'Segment accuracy',
        'share of the labelled segments in which the right answer was shown most of the time',
        'share',
        1,
        ('right_pieces', 'pieces'),
        ratio,
    ),
    Measure(
        'macro_f1',
        'Macro-F1',
        'mean over the labelled expressions of F1, so that rare ones count as much as common ones',
        'share',
        1,
        ('confusion',),
        metrics.macro_f1_from_counts,
    ),
    Measure(
        'cross_entropy',
        'Cross-entropy',
        'mean surprise at the label, given the probabilities before decision',
        'nat',
        -1,
        ('losses', 'frames'),
        ratio,
    ),
    Measure(
        'calibration_error',
        'Calibration error',
        'mean distance between confidence and share of right answers, 15 bins (ECE)',
        'share',
        -1,
        ('bins',),
        metrics.calibration_error_from_bins,
    ),
    Measure(
        'onset_to_stable_s',
        'Onset to stable right answer',
        'median time from the first frame of a face in a labelled segment until the answer is '
        'right to its end',
        's',
        -1,
        (DELAYS,),
        metrics.median_of_counts,
    ),
    Measure(
        'settled_share',
        'Onsets that settle',
        'share of the labelled segments at whose end the answer is right',
        'share',
        1,
        ('settled', 'pieces'),
        ratio,
    ),
    Measure(
        'false_switches_per_s',
        'False switches',
        'changes of the answer from one second after the start of a labelled segment on',
        '1/s',
        -1,
        ('switches', 'constant_s'),
        ratio,
    ),
)
UNLABELLED = (
    Measure(
        'face_share',
        'Time with a face',
        'share of the time in which at least one face was found',
        'share',
        0,
        ('face_s', 'image_s'),
        ratio,
    ),
    Measure(
        'answer_share',
        'Time with an answer',
        'share of the time in which an expression was named, not unknown, for at least one face',
        'share',
        0,
        ('named_s', 'image_s'),
        ratio,
    ),
    Measure(
        'answer_share_of_face_time',
        'Answered when there is a face',
        'the same as a share of the time with a face',
        'share',
        0,
        ('named_s', 'face_s'),
        ratio,
    ),
    Measure(
        'switches_per_s',
        'Switches',
        'changes of the answer per second of a face in view, unknown being an answer',
        '1/s',
        0,
        ('all_switches', 'followed_s'),
        ratio,
    ),
)
MEASURES = (*LABELLED, *UNLABELLED)


# The figures that a report states, each with its interval.


RECORDINGS_TO_DRAW = 8
"""From so many recordings on they are what is drawn: people and rooms differ between them."""


@dataclass(frozen=True)
class Counted:
    """
    What was counted in recordings, by unit.

    :param segments: what labels judge.
    :param time: what needs none.
    :param stills: recordings of which labels judge each photograph.
    :param alike: False where a run to compare with has others, so that recordings are drawn.
    """

    segments: SegmentStatistics
    time: SegmentStatistics
    stills: frozenset[str] = frozenset()
    alike: bool = True

    @property
    def draws_recordings(self) -> tuple[bool, bool]:
        """Whether intervals draw recordings: of what labels judge, and of what needs none."""
        labelled, others = (_are_many(one.units) for one in (self.segments, self.time))
        return not self.alike or labelled, not self.alike or others

    def units_drawn(self, judged_by: str) -> str:
        """
        Name what intervals draw.

        :param judged_by: what one label judges: 'segment', or 'picture' of photographs alone.
        :returns: such as 'recordings'; where they differ 'segments or recordings', the first of
            what labels judge.
        """
        labelled, others = self.draws_recordings
        alone = 'pictures' if judged_by == 'picture' else 'stretches of five seconds'
        names = ['recordings' if labelled else f'{judged_by}s', 'recordings' if others else alone]
        return ' or '.join(dict.fromkeys(names))

    def drawn(self) -> Counted:
        """Make the units those that intervals draw."""
        segments, time = self.draws_recordings
        return Counted(
            self.segments.by_recording() if segments else self.segments,
            self.time.by_recording() if time else self.time,
        )


def _are_many(units: Iterable[Unit]) -> bool:
    """Tell whether units come from so many recordings that these are drawn."""
    return len({recording for recording, _ in units}) >= RECORDINGS_TO_DRAW


def count(judged: Sequence[AlignedPredictions]) -> Counted:
    """
    Count all that the figures need.

    :param judged: at least one recording.
    """
    return Counted(
        joined([tally_segments(one) for one in judged]),
        joined([tally_time(one) for one in judged]),
        frozenset(one.recording for one in judged if one.stills),
    )


def figures(counted: Counted) -> dict[str, Interval]:
    """
    Compute every figure with its 95 % interval.

    Intervals draw recordings, where there are `RECORDINGS_TO_DRAW` of them, with labels for what
    these judge; otherwise labelled segments, or stretches of five seconds for what needs no
    labels, or photographs for both; never frames of a film, which repeat each other.

    :returns: by name of the measure; without labels only those that need none.
    """
    drawn = counted.drawn()
    found = {}
    if drawn.segments.units:
        delays = _delay_grid(drawn.segments)
        for measure in LABELLED:
            score, arrays = _of(measure, drawn.segments, delays)
            found[measure.name] = bootstrap_sums(score, arrays)
    for measure in UNLABELLED:
        if drawn.time.units:
            arrays = [drawn.time.sums[name] for name in measure.tallies]
            found[measure.name] = bootstrap_sums(measure.score, arrays)
    return found


def in_common(first: Counted, second: Counted) -> tuple[Counted, Counted]:
    """
    Keep the units that both of two runs have.

    Where one has photographs and the other a film of them, these are recordings.

    :param first: tallies of one run.
    :param second: of another over the same recordings.
    :returns: what is kept of the first and of the second, with the same units.
    """
    alike = first.stills == second.stills
    times = first.time, second.time
    if not alike:  # a photograph is no stretch of a film
        times = first.time.by_recording(), second.time.by_recording()
    (one, other), (time, other_time) = _common(*_judged_alike(first, second)), _common(*times)
    return (
        Counted(one, time, first.stills, alike),
        Counted(other, other_time, second.stills, alike),
    )


def _judged_alike(first: Counted, second: Counted) -> tuple[SegmentStatistics, SegmentStatistics]:
    one, other = first.segments, second.segments
    if first.stills == second.stills:
        return one, other
    return one.by_recording(), other.by_recording()


def _common(
    one: SegmentStatistics, other: SegmentStatistics
) -> tuple[SegmentStatistics, SegmentStatistics]:
    of_other = set(other.units)
    units = [unit for unit in one.units if unit in of_other]
    return one.only(units), other.only(units)


def differences(first: Counted, second: Counted) -> dict[str, Interval]:
    """
    Compute by how much each figure of a second run differs from the first's, paired by unit.

    :param first: what `in_common` keeps of the first run.
    :param second: what it keeps of the second.
    :returns: second less first, by name of the measure.
    """
    both = [first.drawn(), second.drawn()]
    found = {}
    for measures, (one, other) in (
        (LABELLED, [each.segments for each in both]),
        (UNLABELLED, [each.time for each in both]),
    ):
        delays = _delay_grid(one, other)
        for measure in measures if one.units else ():
            score, arrays = _of(measure, one, delays)
            _, others = _of(measure, other, delays)
            found[measure.name] = bootstrap_sums(_difference(score), [*arrays, *others])
    return found


def unpaired(first: Counted, second: Counted, judged_by: str) -> list[str]:
    """
    Tell of what labels judge in one run alone, so that `differences` leave it out.

    :param first: see `in_common`.
    :param second: see `in_common`.
    :param judged_by: see `Counted.units_drawn`.
    :returns: a sentence, or none.
    """
    one, other = _judged_alike(first, second)
    if first.stills != second.stills:
        judged_by = 'recording'
    alone = len({*one.units} ^ {*other.units})
    what = f'Labelled {judged_by}s in which one run alone saw a face: {alone}'
    return [f'{what}; the differences leave them out.'] if alone else []


def _difference(score: Score) -> Score:
    def difference(*arrays: Sums) -> Sums:
        half = len(arrays) // 2
        return score(*arrays[half:]) - score(*arrays[:half])

    return difference


def _delay_grid(*tallies: SegmentStatistics) -> Sums:
    return np.unique([delay_s for each in tallies for _, delay_s in each.delays_s])


def _of(measure: Measure, tallies: SegmentStatistics, delays: Sums) -> tuple[Score, list[Sums]]:
    if measure.tallies != (DELAYS,):
        return measure.score, [tallies.sums[name] for name in measure.tallies]
    counts = np.zeros((len(tallies.units), len(delays)))
    for unit, delay_s in tallies.delays_s:
        counts[unit, np.searchsorted(delays, delay_s)] += 1
    return lambda drawn: measure.score(drawn, delays), [counts]


def plain(found: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """
    Write figures the way JSON takes them.

    :param found: by name.
    :returns: value, low and high by name, to six decimals; None for what is not known.
    """
    return {
        name: {
            key: round(number, 6) + 0.0 if np.isfinite(number) else None
            for key, number in interval.rounded(6).items()
        }
        for name, interval in found.items()
    }
