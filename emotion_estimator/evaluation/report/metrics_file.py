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

"""metrics.json: all figures of a run for programs; equal runs give equal bytes."""

from __future__ import annotations

import json
from typing import Any

from emotion_estimator.evaluation.labels.segment import Segment
from emotion_estimator.evaluation.metrics.intervals import LEVEL, RESAMPLES
from emotion_estimator.evaluation.scoring.comparison import Comparison
from emotion_estimator.evaluation.scoring.figures import RECORDINGS_TO_DRAW, plain
from emotion_estimator.evaluation.scoring.measures import MEASURES
from emotion_estimator.evaluation.scoring.summary import RecordingSummary, Summary

SCHEMA = 1
"""Raised when a field goes or changes its meaning; new fields do not raise it."""


def metrics(summary: Summary) -> dict[str, Any]:
    """
    Gather what is written.

    :param summary: the run.
    :returns: what JSON takes; None for what cannot be told.
    """
    return {
        'schema': SCHEMA,
        'model': summary.model,
        'settings': dict(summary.settings),
        'classes': list(summary.vocabulary.names),
        'intervals': {
            'level': LEVEL,
            'resamples': RESAMPLES,
            'drawn': 'recordings'
            if summary.counted.recordings >= RECORDINGS_TO_DRAW
            else 'segments or stretches of five seconds',
        },
        'units': {measure.name: measure.unit for measure in MEASURES},
        'figures': plain(summary.figures),
        'confusion': _confusion(summary),
        'reliability': _reliability(summary),
        'recordings': {one.replay.recording: _recording(one) for one in summary.recordings},
        'problems': list(summary.problems),
    }


def comparison(found: Comparison) -> dict[str, Any]:
    """
    Gather what is written of two runs.

    :param found: the comparison.
    :returns: what JSON takes; differences are second less first.
    """
    runs = {
        name: {
            'model': one.model,
            'settings': dict(one.settings),
            'figures': plain(one.figures),
        }
        for name, one in (('first', found.first), ('second', found.second))
    }
    return {
        'schema': SCHEMA,
        **runs,
        'recordings': [one.replay.recording for one in found.first.recordings],
        'classes': list(found.first.vocabulary.names),
        'differences': plain(found.differences),
        'agreement': plain({'agreement': found.agreement})['agreement'],
        'problems': list(found.problems),
    }


def written(content: Any) -> bytes:
    """
    Write JSON that is the same whenever the content is.

    :param content: what JSON takes, without nan.
    :returns: UTF-8, sorted by name.
    """
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f'{text}\n'.encode('utf-8', 'replace')


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


def _confusion(summary: Summary) -> dict[str, Any] | None:
    if not summary.labelled:
        return None
    frames = summary.confusion.astype(int)
    return {'frames': frames[:, :-1].tolist(), 'no_answer': frames[:, -1].tolist()}


def _reliability(summary: Summary) -> list[dict[str, float | None]] | None:
    if not summary.labelled:
        return None
    return [
        {
            'frames': int(count),
            'confidence': round(confidence / count, 6) if count else None,
            'right': round(right / count, 6) if count else None,
        }
        for count, confidence, right in summary.bins.tolist()
    ]


def _recording(one: RecordingSummary) -> dict[str, Any]:
    return {
        'images': len(one.replay.stamps_ns),
        'duration_s': round(one.duration_s, 6),
        'answers': len(one.replay.answers),
        'figures': plain(one.figures),
        'faces': {
            face.face_id: {'answers': face.answers, 'figures': plain(face.figures)}
            for face in one.faces
        },
        'labels': [
            {
                'start_ns': segment.start_ns,
                'end_ns': segment.end_ns,
                'face': segment.face,
                'label': segment.label,
            }
            for segment in one.judged.segments
        ],
        'problems': list(one.problems),
    }
