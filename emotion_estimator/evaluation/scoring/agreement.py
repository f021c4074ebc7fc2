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

"""How often two runs say the same of the same face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from emotion_estimator.evaluation.answers import Answer, Replay
from emotion_estimator.evaluation.metrics.intervals import Interval, bootstrap_sums
from emotion_estimator.evaluation.metrics.sums import ratio
from emotion_estimator.evaluation.scoring.tallies import BLOCK_S
from emotion_estimator.stamps import NS_PER_S

LEAST_OVERLAP = 0.5
"""Boxes of one face in one image share at least half of what they cover together."""


def matched(first: Replay, second: Replay) -> Iterator[tuple[Answer, Answer]]:
    """
    Pair what two runs told of the same face in the same image.

    Faces with one id are one; others are paired by their boxes, the largest overlap first.

    :param first: one run.
    :param second: another over the same recording.
    :returns: pairs, ascending by stamp.
    """
    of_stamp = {
        stamp_ns: list(answers)
        for stamp_ns, answers in groupby(second.answers, key=lambda answer: answer.stamp_ns)
    }
    for stamp_ns, answers in groupby(first.answers, key=lambda answer: answer.stamp_ns):
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


def agreement(
    pairs: Sequence[tuple[Replay, Replay]],
    of_first: Mapping[str, str],
    of_second: Mapping[str, str],
) -> Interval:
    """
    Compute the share of faces and images of which both runs say the same.

    :param pairs: of the same recordings.
    :param of_first: class by the first model's label; labels that are not there stay themselves.
    :param of_second: likewise for the second.
    :returns: with an interval that draws stretches of `BLOCK_S` seconds; nan without any pair.
    """
    counts: dict[tuple[int, int], list[int]] = {}
    for number, (first, second) in enumerate(pairs):
        for one, other in matched(first, second):
            cell = counts.setdefault((number, one.stamp_ns // (BLOCK_S * NS_PER_S)), [0, 0])
            said = of_first.get(one.label, one.label), of_second.get(other.label, other.label)
            cell[0] += said[0] == said[1]
            cell[1] += 1
    if not counts:
        return Interval(*[float('nan')] * 3)
    table = np.array([counts[key] for key in sorted(counts)], np.float64)
    return bootstrap_sums(ratio, [table[:, 0], table[:, 1]])


def _overlap(one: Answer, other: Answer) -> float:
    """Intersection over union of two boxes."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right, bottom = min(one.box[2], other.box[2]), min(one.box[3], other.box[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one.box, other.box)]
    return both / max(sum(areas) - both, 1e-12)
