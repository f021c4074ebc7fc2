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

"""All that is known of one run over recordings: answers, truth, figures of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emotion_estimator.evaluation.alignment import (
    AlignedPredictions,
    judge,
    problems_of_truth,
)
from emotion_estimator.evaluation.classification_metrics import (
    RiskCoverage,
    Sums,
    risk_coverage_curve,
)
from emotion_estimator.evaluation.labels import Segment, Vocabulary, common_vocabulary
from emotion_estimator.evaluation.measures import Counted, count, figures
from emotion_estimator.evaluation.segment_statistics import Interval
from emotion_estimator.replay.predictions import Replay

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
    counted: Counted
    figures: Figures
    reported: tuple[str, ...] = ()
    given: int = 0

    @property
    def labelled(self) -> bool:
        """Whether any answer is judged."""
        return bool(self.counted.segments.units)

    @property
    def confusion(self) -> Sums:
        """Frames by truth and answer, the last answer being none, [classes, classes + 1]."""
        return np.asarray(self.counted.segments.sums['confusion'].sum(axis=0))

    @property
    def bins(self) -> Sums:
        """Frames, their sum of confidence and the right ones by confidence, [15, 3]."""
        return np.asarray(self.counted.segments.sums['bins'].sum(axis=0))

    def risk_coverage(self) -> RiskCoverage:
        """
        Compute risk and coverage over the labelled frames; there must be some.

        :returns: the curve of the probabilities before the decision.
        """
        judged = [one.judged for one in self.recordings]
        rows = [one.truth >= 0 for one in judged]
        return risk_coverage_curve(
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
    counted = count([one.judged for one in recordings])
    return Summary(
        first.model,
        first.settings,
        vocabulary,
        recordings,
        counted,
        figures(counted),
        tuple(reported),
        given,
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
        figures=figures(count([judged])),
        faces=tuple(
            FaceSummary(
                judged.face_ids[index],
                index,
                int(of_face[index]),
                figures(count([judged.only(index)])),
            )
            for index in order
        ),
        problems=(*replay.problems, *replay.hints, *problems_of_truth(judged, vocabulary)),
    )
