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

"""A run's files for programs: metrics.json and emotions.csv; equal runs give equal bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_estimator.evaluation.bootstrap import LEVEL, RESAMPLES
from emotion_estimator.evaluation.comparison import Comparison
from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.measures import MEASURES, RECORDINGS_TO_DRAW, plain
from emotion_estimator.evaluation.summary import RecordingSummary, Summary
from emotion_estimator.files import write_whole
from emotion_estimator.replay.predictions import Prediction, Replay, ReplayFileError, read_replay
from emotion_estimator.stamps import NS_PER_S

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
        'answers': len(one.replay.predictions),
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


# All answers as one table, emotions.csv.


FIXED = (
    'recording',
    'stamp_ns',
    'time_s',
    'face',
    'emotion',
    'truth',
    'confidence',
    'valence',
    'arousal',
    'head_roll',
    'head_pitch',
    'head_yaw',
    'x_min',
    'y_min',
    'x_max',
    'y_max',
)
"""
Columns before the probabilities.

`truth` is empty where no label holds, and may be of a label map's classes; angles are in radians,
edges are shares of the image.
"""


def write_emotions(
    path: Path, replays: Sequence[Replay], truth: Mapping[str, Sequence[str]] | None = None
) -> None:
    """
    Write a line for each face in each image: recording by recording, by stamp, by face.

    An image without a face has one line too, without an answer. Where images are files, a column
    `file` behind the fixed ones names them.

    :param path: the CSV file, written whole or not at all.
    :param replays: the replays; a class that a model lacks stays empty.
    :param truth: by recording, what each answer should have been; '' where no label holds.
    """
    classes = list(dict.fromkeys(label for replay in replays for label in replay.labels))
    named = any(replay.files for replay in replays)
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    names = [*FIXED, *(['file'] * named), *(f'probability_{label}' for label in classes)]
    table.writerow(names)
    for replay in replays:
        right = (truth or {}).get(replay.recording, [''] * len(replay.predictions))
        of_image: dict[int, list[dict[str, object]]] = {one: [] for one in replay.stamps_ns}
        for answer, label in zip(replay.predictions, right):
            row = {**_row(answer), 'truth': label}
            row.update(
                (f'probability_{name}', f'{value:.4f}')
                for name, value in zip(replay.labels, answer.probabilities)
            )
            of_image.setdefault(answer.stamp_ns, []).append(row)
        for stamp_ns, rows in of_image.items():
            image = {
                'recording': replay.recording,
                'stamp_ns': stamp_ns,
                'time_s': f'{(stamp_ns - replay.stamps_ns[0]) / NS_PER_S:.3f}',
                'file': replay.files.get(stamp_ns, ''),
            }
            for row in rows or [{}]:
                table.writerow([{**image, **row}.get(name, '') for name in names])
    # A name that is no Unicode has half a pair of surrogates, which UTF-8 cannot write.
    write_whole(path, text.getvalue().encode('utf-8', 'replace'))


def _row(answer: Prediction) -> dict[str, object]:
    named = {
        'confidence': answer.confidence,
        'valence': answer.valence,
        'arousal': answer.arousal,
        **dict(zip(('head_roll', 'head_pitch', 'head_yaw'), answer.head or ())),
        **dict(zip(('x_min', 'y_min', 'x_max', 'y_max'), answer.box)),
    }
    numbers = {name: f'{value:.4f}' for name, value in named.items()}
    return {'face': answer.face_id, 'emotion': answer.label, **numbers}


# Reads back what a finished run left in its folder.


METRICS_FILE = 'metrics.json'
KEPT_FOLDER = 'kept'


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
    :returns: the run.
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
