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

"""Two runs over the same recordings, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emotion_estimator.evaluation.answers import Replay
from emotion_estimator.evaluation.labels.segment import Segment
from emotion_estimator.evaluation.labels.vocabulary import LABEL_MAPS
from emotion_estimator.evaluation.metrics.intervals import Interval
from emotion_estimator.evaluation.scoring.agreement import agreement
from emotion_estimator.evaluation.scoring.figures import differences
from emotion_estimator.evaluation.scoring.summary import Summary, summarise


@dataclass(frozen=True)
class Comparison:
    """
    A second run held against a first.

    :param first: one run, over the recordings that both have.
    :param second: the other.
    :param differences: second less first, by name of the measure, paired by unit.
    :param agreement: share of faces and images of which both say the same.
    :param problems: sentences: what could not be compared.
    """

    first: Summary
    second: Summary
    differences: Mapping[str, Interval]
    agreement: Interval
    problems: tuple[str, ...]


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
    of_second = {one.recording: one for one in second}
    pairs = [(one, of_second[one.recording]) for one in first if one.recording in of_second]
    if not pairs:
        raise ValueError(
            f'The runs have no recording in common: {_names(first)} against {_names(second)}.'
        )
    label_map = label_map or _common_map(pairs[0][0].labels, pairs[0][1].labels)
    one = summarise([each for each, _ in pairs], truth, label_map)
    other = summarise([each for _, each in pairs], truth, label_map)
    alone = sorted({each.recording for each in first} ^ {each.recording for each in second})
    told = [f'{name}: only one of the runs has it; it is left out.' for name in alone]
    return Comparison(
        first=one,
        second=other,
        differences=differences(one.counted, other.counted),
        agreement=agreement(pairs, one.vocabulary.of_model, other.vocabulary.of_model),
        problems=(*told, *dict.fromkeys((*one.problems, *other.problems))),
    )


def _common_map(first: Sequence[str], second: Sequence[str]) -> str | None:
    if set(first) == set(second):
        return None
    for each in LABEL_MAPS:
        if each.maps(first) and each.maps(second):
            return each.name
    raise ValueError(
        f'The models have no classes in common: {", ".join(first)} against {", ".join(second)}.'
    )


def _names(replays: Sequence[Replay]) -> str:
    return ', '.join(one.recording for one in replays) or 'none'
