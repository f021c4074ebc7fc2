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
    common_vocabulary,
    judge,
    problems_of_truth,
)
from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.segment_statistics import Interval
from emotion_estimator.files import sha256_of
from emotion_estimator.replay.predictions import Replay, ReplayFileError, read_replay

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
        seen = [name for name, one in found['recordings'].items() if one['images']]
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
    missing = [name for name in sorted(seen) if name not in replays]
    if missing or not replays:
        of = ', '.join(missing) or 'a recording'
        raise RunError(
            f'{folder / KEPT_FOLDER} keeps no replay of {of} with the settings of {path}; replay '
            'the recordings again.'
        )
    return FinishedRun(tuple(replays[name] for name in sorted(truth) if name in replays), truth)


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
