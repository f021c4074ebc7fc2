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

"""Two runs over the same recordings, held against each other unit by unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation import measures
from emotion_estimator.evaluation.alignment import common_map
from emotion_estimator.evaluation.labels import Segment, cut, reaches
from emotion_estimator.evaluation.runs import Figures, Summary, summarise
from emotion_estimator.evaluation.segment_statistics import BLOCK_S, Interval, bootstrap_sums
from emotion_estimator.replay.predictions import Prediction, Replay
from emotion_estimator.stamps import NS_PER_S


@dataclass(frozen=True)
class Comparison:
    """
    A second run held against a first.

    :param first: one run, over the recordings that both have.
    :param common: what both runs have, of the first and of the second, see `in_common`.
    :param figures: of that, of the first and of the second.
    :param differences: second less first, by name of the measure, paired by unit.
    :param agreement: share of faces and images of which both say the same.
    :param problems: sentences: what could not be compared.
    :param left_out: those of `problems` that tell which recordings are left out.
    """

    first: Summary
    second: Summary
    common: tuple[measures.Counted, measures.Counted]
    figures: tuple[Figures, Figures]
    differences: Figures
    agreement: Interval
    problems: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def compare(
    first: Sequence[Replay],
    second: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
    label_map: str | None = None,
) -> Comparison:
    """
    Hold two runs against each other.

    Models with other classes are judged in the first label map that takes both.

    :param first: replays of one run.
    :param second: of another, in any order.
    :param truth: labels by recording.
    :param label_map: name of the label map in whose classes is judged; None chooses by itself.
    :returns: the comparison over the recordings that both runs have.
    :raises ValueError: when they have no recording, or their models no classes, in common.
    :raises LabelError: when the label map cannot be used.
    """
    pairs, left_out = paired(first, second)
    if not pairs:
        raise ValueError(
            f'The runs have no recording in common: {_names(first)} against {_names(second)}. '
            f'{" ".join(left_out)}'.rstrip()
        )
    truth = {one.recording: _in_its_time(one, truth.get(one.recording, ())) for one, _ in pairs}
    label_map = label_map or common_map(pairs[0][0].labels, pairs[0][1].labels)
    one = summarise([each for each, _ in pairs], truth, label_map)
    other = summarise([each for _, each in pairs], truth, label_map)
    common = measures.in_common(one.counted, other.counted)
    alone = measures.unpaired(one.counted, other.counted, one.judged_by)
    return Comparison(
        first=one,
        second=other,
        common=common,
        figures=(measures.figures(common[0]), measures.figures(common[1])),
        differences=measures.differences(*common),
        agreement=agreement(pairs, one.vocabulary.of_model, other.vocabulary.of_model),
        problems=(*left_out, *dict.fromkeys((*alone, *one.problems, *other.problems))),
        left_out=tuple(left_out),
    )


def _in_its_time(replay: Replay, truth: Iterable[Segment]) -> list[Segment]:
    if not replay.stamps_ns:
        return []
    span_ns = replay.stamps_ns[0], replay.stamps_ns[-1]
    return [cut(one, *span_ns) for one in truth if reaches(one, *span_ns)]


def _names(replays: Sequence[Replay]) -> str:
    return ', '.join(one.recording for one in replays) or 'none'


def agreement(
    pairs: Sequence[tuple[Replay, Replay]],
    of_first: Mapping[str, str],
    of_second: Mapping[str, str],
) -> Interval:
    """
    Compute the share of faces and images of which both runs say the same.

    :param pairs: of the same recordings.
    :param of_first: class by the first model's label; labels that are not there stay themselves.
    :param of_second: the same for the second run.
    :returns: with an interval that draws stretches of `BLOCK_S` seconds, or photographs, or
        recordings where one run has photographs and the other a film; nan without any pair.
    """
    counts: dict[tuple[int, int], list[int]] = {}
    for number, (first, second) in enumerate(pairs):
        stills = ['stills' in each.settings for each in (first, second)]
        unit_ns = 1 if all(stills) else BLOCK_S * NS_PER_S
        for one, other in matched(first, second):
            unit = one.stamp_ns // unit_ns if stills[0] == stills[1] else 0
            cell = counts.setdefault((number, unit), [0, 0])
            said = of_first.get(one.label, one.label), of_second.get(other.label, other.label)
            cell[0] += said[0] == said[1]
            cell[1] += 1
    if not counts:
        return Interval(*[float('nan')] * 3)
    table = np.array([counts[key] for key in sorted(counts)], np.float64)
    return bootstrap_sums(metrics.ratio, [table[:, 0], table[:, 1]])


# Which replays, and which answers, are of the same.


_CHOICE = ('rate_hz', 'max_rate_hz', 'from_s', 'to_s', 'stills')
"""Settings that choose which images of a recording are looked at."""


def _of_one_recording(first: Replay, second: Replay) -> bool:
    """Tell whether the images are the same, or, where others were chosen, some of them."""
    if None not in (first.first_ns, second.first_ns) and first.first_ns != second.first_ns:
        return False
    chosen = [[one.settings.get(name) for name in _CHOICE] for one in (first, second)]
    if chosen[0] == chosen[1]:
        return first.stamps_ns == second.stamps_ns
    return not set(first.stamps_ns).isdisjoint(second.stamps_ns)


LEAST_OVERLAP = 0.5
"""Boxes of one face in one image share at least half of what they cover together."""


def paired(
    first: Sequence[Replay], second: Sequence[Replay]
) -> tuple[list[tuple[Replay, Replay]], list[str]]:
    """
    Pair the replays of one recording.

    :param first: of one run.
    :param second: of another.
    :returns: the pairs, see `Replay.within`, and a sentence for each recording that is left out.
    """
    of_second = {one.recording: one for one in second}
    alone = sorted({each.recording for each in first} ^ of_second.keys())
    left_out = [f'{name}: only one of the runs has it; it is left out.' for name in alone]
    pairs = []
    for one in first:
        other = of_second.get(one.recording)
        if other is not None and _of_one_recording(one, other):
            pairs.append((one.within(other), other.within(one)))
        elif other is not None:
            left_out.append(
                f'{one.recording}: the runs did not look at the same images ({len(one.stamps_ns)} '
                f'and {len(other.stamps_ns)} of them); perhaps it is the name of two recordings. '
                'It is left out.'
            )
    return pairs, left_out


def matched(first: Replay, second: Replay) -> Iterator[tuple[Prediction, Prediction]]:
    """
    Pair what two runs said of the same face in the same image.

    Faces with one id are one; others are paired by their boxes, the largest overlap first.

    :param second: another over the same recording.
    :returns: pairs, ascending by stamp.
    """
    of_stamp = {
        stamp_ns: list(answers)
        for stamp_ns, answers in groupby(second.predictions, key=lambda answer: answer.stamp_ns)
    }
    for stamp_ns, answers in groupby(first.predictions, key=lambda answer: answer.stamp_ns):
        ours, theirs = list(answers), of_stamp.get(stamp_ns, [])
        closeness = sorted(
            (
                (one.face_id != other.face_id, -_overlap(one, other), i, k)
                for i, one in enumerate(ours)
                for k, other in enumerate(theirs)
            ),
        )
        taken: set[tuple[str, int]] = set()
        for other_id, overlap, i, k in closeness:
            if other_id and -overlap < LEAST_OVERLAP:
                continue
            if not {('ours', i), ('theirs', k)} & taken:
                taken |= {('ours', i), ('theirs', k)}
                yield ours[i], theirs[k]


def _overlap(one: Prediction, other: Prediction) -> float:
    """Intersection over union of two boxes."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right, bottom = min(one.box[2], other.box[2]), min(one.box[3], other.box[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one.box, other.box)]
    return both / max(sum(areas) - both, 1e-12)
