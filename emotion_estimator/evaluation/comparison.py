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

"""Two runs over the same recordings: read back from their folders, compared unit by unit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from emotion_estimator.evaluation.classification_metrics import ratio
from emotion_estimator.evaluation.labels import LABEL_MAPS, Segment
from emotion_estimator.evaluation.measures import differences
from emotion_estimator.evaluation.segment_statistics import BLOCK_S, Interval, bootstrap_sums
from emotion_estimator.evaluation.summary import Summary, summarise
from emotion_estimator.replay.predictions import Prediction, Replay, ReplayFileError, read_replay
from emotion_estimator.stamps import NS_PER_S

# How often two runs say the same of the same face.


LEAST_OVERLAP = 0.5
"""Boxes of one face in one image share at least half of what they cover together."""


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


def _overlap(one: Prediction, other: Prediction) -> float:
    """Intersection over union of two boxes."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right, bottom = min(one.box[2], other.box[2]), min(one.box[3], other.box[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one.box, other.box)]
    return both / max(sum(areas) - both, 1e-12)


@dataclass(frozen=True)
class Comparison:
    """
    A second run held against a first.

    :param first: one run, over the recordings that both have.
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
    reported = [f'{name}: only one of the runs has it; it is left out.' for name in alone]
    return Comparison(
        first=one,
        second=other,
        differences=differences(one.counted, other.counted),
        agreement=agreement(pairs, one.vocabulary.of_model, other.vocabulary.of_model),
        problems=(*reported, *dict.fromkeys((*one.problems, *other.problems))),
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


# What a finished run left in its folder.


METRICS_FILE = 'metrics.json'
KEPT_FOLDER = 'kept'
SCHEMA = 1
"""Raised when a field goes or changes its meaning; new fields do not raise it."""


class RunError(ValueError):
    """A folder without a finished run; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class FinishedRun:
    """
    One run.

    :param replays: in the order of the recordings' names.
    :param truth: labels by recording.
    """

    replays: tuple[Replay, ...]
    truth: Mapping[str, tuple[Segment, ...]]


def read_run(folder: Path) -> FinishedRun:
    """
    Read a run's replays and labels.

    A folder may keep replays of several settings; those that its metrics.json is of count.

    :param folder: the output folder of `replay`.
    :raises RunError: naming the file, when the folder holds no finished run.
    """
    path = folder / METRICS_FILE
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
        if found['schema'] != SCHEMA:
            raise RunError(
                f'{path} has schema {found["schema"]}, but this package reads {SCHEMA}; replay '
                'the recordings again.'
            )
        model, settings = found['model'], found['settings']
        truth = {name: labels_of(one) for name, one in found['recordings'].items()}
    except RunError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f'{folder} holds no finished run ({path.name}: {error}); replay recordings into it '
            'first.'
        ) from error
    replays = {}
    for kept in sorted((folder / KEPT_FOLDER).glob('*.json')):
        try:
            replay = read_replay(kept)
        except ReplayFileError as error:
            raise RunError(str(error)) from error
        if (replay.model, dict(replay.settings)) == (model, settings):
            replays[replay.recording] = replay
    chosen = tuple(replays[name] for name in sorted(truth) if name in replays)
    if not chosen:
        raise RunError(
            f'{folder / KEPT_FOLDER} keeps no replay of the run that {path} is of; replay the '
            'recordings again.'
        )
    return FinishedRun(chosen, truth)


def labels_of(recording: dict[str, Any]) -> tuple[Segment, ...]:
    """
    Read the labels of one recording back.

    :param recording: of `metrics`' recordings.
    :returns: as they were given.
    """
    return tuple(
        Segment(int(one['start_ns']), int(one['end_ns']), str(one['face']), str(one['label']))
        for one in recording['labels']
    )
