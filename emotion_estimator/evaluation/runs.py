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

"""A run over recordings: all that is known of it, read back from its folder, two compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation import measures
from emotion_estimator.evaluation.alignment import (
    AlignedPredictions,
    Vocabulary,
    common_map,
    common_vocabulary,
    judge,
    matched,
    paired,
    problems_of_truth,
)
from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.segment_statistics import BLOCK_S, Interval, bootstrap_sums
from emotion_estimator.files import sha256_of
from emotion_estimator.replay.predictions import Replay, ReplayFileError, read_replay
from emotion_estimator.stamps import NS_PER_S

Figures = Mapping[str, Interval]


@dataclass(frozen=True)
class FaceSummary:
    """
    One face of one recording.

    :param index: its position in `AlignedPredictions.face_ids`.
    :param answers: number of its answers.
    :param figures: of this face alone.
    """

    face_id: str
    index: int
    answers: int
    figures: Figures


@dataclass(frozen=True)
class RecordingSummary:
    """
    One recording.

    :param replay: as the package saw it.
    :param judged: beside the labels.
    :param figures: of this recording alone.
    :param faces: the most seen first.
    :param problems: sentences: what could not be read or judged.
    """

    replay: Replay
    judged: AlignedPredictions
    figures: Figures
    faces: tuple[FaceSummary, ...]
    problems: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Time from the first image to the last in seconds."""
        stamps_ns = self.replay.stamps_ns
        return (stamps_ns[-1] - stamps_ns[0]) / 1e9 if stamps_ns else 0.0


@dataclass(frozen=True)
class Summary:
    """
    One run.

    :param model: name and version.
    :param settings: what decided.
    :param vocabulary: the classes in which is judged.
    :param recordings: in the order given.
    :param counted: the tallies of all recordings.
    :param figures: of all recordings together.
    :param reported: sentences that were known before, such as of labels that do not fit.
    :param given: how many labels there were, with those that cannot be used.
    """

    model: str
    settings: Mapping[str, float | str]
    vocabulary: Vocabulary
    recordings: tuple[RecordingSummary, ...]
    counted: measures.Counted
    figures: Figures
    reported: tuple[str, ...] = ()
    given: int = 0

    @property
    def labelled(self) -> bool:
        """Whether any answer is judged."""
        return bool(self.counted.segments.units)

    @property
    def judged_by(self) -> str:
        """What labels judge as one, in the singular."""
        stills = all(one.judged.stills for one in self.recordings)
        return 'picture' if stills else 'segment'

    @property
    def confusion(self) -> metrics.Sums:
        """Frames by truth and answer, the last answer being none, [classes, classes + 1]."""
        return np.asarray(self.counted.segments.sums['confusion'].sum(axis=0))

    @property
    def bins(self) -> metrics.Sums:
        """Frames, their sum of confidence and the right ones by confidence, [15, 3]."""
        return np.asarray(self.counted.segments.sums['bins'].sum(axis=0))

    def risk_coverage(self) -> metrics.RiskCoverage:
        """
        Compute risk and coverage over the labelled frames; there must be some.

        :returns: the curve of the probabilities before the decision.
        """
        judged = [one.judged for one in self.recordings]
        rows = [one.truth >= 0 for one in judged]
        return metrics.risk_coverage_curve(
            np.concatenate([one.probabilities[row] for one, row in zip(judged, rows)]),
            np.concatenate([one.truth[row] for one, row in zip(judged, rows)]),
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """All sentences: those of the recordings last."""
        of_recordings = (problem for one in self.recordings for problem in one.problems)
        return (*self.reported, *of_recordings)


def summarise(
    replays: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
    label_map: str | None = None,
    reported: Sequence[str] = (),
    given: int = 0,
) -> Summary:
    """
    Judge and score one run.

    :param replays: at least one, all of one model.
    :param truth: labels by recording; recordings may lack them.
    :param label_map: name of the label map in whose classes is judged; None chooses by itself.
    :param reported: sentences that are already known, such as of labels that do not fit.
    :param given: how many labels there were, with those that cannot be used.
    :raises ValueError: when there is no replay, or replays are of different models.
    :raises LabelError: when the label map cannot be used.
    """
    models = sorted({f'{one.model} ({", ".join(one.labels)})' for one in replays})
    if len(models) != 1:
        raise ValueError(
            'A report is of one model over at least one recording, but it was given '
            f'{" and ".join(models) or "none"}; compare two runs with --compare.'
        )
    first = replays[0]
    names = {segment.label for segments in truth.values() for segment in segments}
    vocabulary = common_vocabulary(first.labels, names, label_map)
    recordings = tuple(
        _recording(one, truth.get(one.recording, ()), vocabulary) for one in replays
    )
    counted = measures.count([one.judged for one in recordings])
    found = measures.figures(counted)
    return Summary(
        first.model, first.settings, vocabulary, recordings, counted, found, tuple(reported), given
    )


def _recording(
    replay: Replay, segments: Sequence[Segment], vocabulary: Vocabulary
) -> RecordingSummary:
    judged = judge(replay, segments, vocabulary)
    of_face = np.bincount(judged.face, minlength=len(judged.face_ids))
    order = sorted(range(len(of_face)), key=lambda index: (-of_face[index], index))
    return RecordingSummary(
        replay=replay,
        judged=judged,
        figures=measures.figures(measures.count([judged])),
        faces=tuple(
            FaceSummary(
                judged.face_ids[index],
                index,
                int(of_face[index]),
                measures.figures(measures.count([judged.only(index)])),
            )
            for index in order
        ),
        problems=(*replay.problems, *replay.hints, *problems_of_truth(judged, vocabulary)),
    )


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

    A folder may keep replays of several settings, and of several recordings of one name; those
    that its metrics.json is of count.

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
        # Older runs did not say which file it is.
        checksums = {name: one.get('kept_sha256') for name, one in found['recordings'].items()}
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
        alike = (replay.model, dict(replay.settings)) == (model, settings)
        if alike and checksums.get(replay.recording) in (None, sha256_of(kept)):
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


# Two runs over the same recordings, compared unit by unit.


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
    return bootstrap_sums(metrics.ratio, [table[:, 0], table[:, 1]])
