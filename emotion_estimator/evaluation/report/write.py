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

"""Writes a run's files into a folder: the report, metrics.json and emotions.csv."""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from emotion_estimator.evaluation.alignment import unusable_labels
from emotion_estimator.evaluation.comparison import Comparison, compare
from emotion_estimator.evaluation.label_files import LabelSource, find_labels
from emotion_estimator.evaluation.labels import Recorded, Segment
from emotion_estimator.evaluation.measures import MEASURES, plain
from emotion_estimator.evaluation.runs import (
    METRICS_FILE,
    SCHEMA,
    RecordingSummary,
    Summary,
    summarise,
)
from emotion_estimator.evaluation.segment_statistics import LEVEL, RESAMPLES
from emotion_estimator.files import write_whole
from emotion_estimator.replay.predictions import Prediction, Replay, checksum
from emotion_estimator.stamps import NS_PER_S

REPORT_FILE = 'report.html'
EMOTIONS_FILE = 'emotions.csv'
REPORT_FILES = (REPORT_FILE, METRICS_FILE, EMOTIONS_FILE)
COMPARISON_FILE = 'comparison.html'
COMPARISON_METRICS_FILE = 'comparison.json'
COMPARISON_FILES = (COMPARISON_FILE, COMPARISON_METRICS_FILE)


class MissingLibraryError(RuntimeError):
    """A library that draws pages is not there, or too old; the message says what to do."""


@dataclass(frozen=True)
class Written:
    """
    What was written.

    :param page: path of report.html or comparison.html.
    :param losses: sentences: labels that were given and could not be used, or recordings that
        could not be compared.
    :param hints: sentences: of labels that could, or had no answer to be held against.
    """

    page: Path
    losses: tuple[str, ...]
    hints: tuple[str, ...] = ()


def _pages() -> ModuleType:
    """Import what draws pages only now: a replay's workers, and robots, need none of it."""
    try:
        pages = importlib.import_module('emotion_estimator.evaluation.report.pages')
        found = importlib.import_module('plotly').__version__
        old = tuple(map(int, found.split('.')[:2])) < (5, 23)
        lacks = f'plotly 5.23, and {found} is installed' if old else ''
    except ModuleNotFoundError as error:
        lacks = f'{error.name}, which is not installed'
    if lacks:
        raise MissingLibraryError(
            f"The page needs {lacks}: pip install 'plotly>=5.23' jinja2. The files for programs "
            'are written, and finished replays are kept.'
        )
    return pages


def write_report(
    folder: Path,
    replays: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
) -> Path:
    """
    Write report.html, metrics.json and emotions.csv, each whole or not at all.

    The same replays and labels give the same bytes.

    :param folder: where to; it is made.
    :param replays: of one model, at least one, each recording once.
    :param truth: labels by recording; recordings may lack them.
    :returns: path of report.html.
    :raises ValueError: when there is no replay, or replays are of different models.
    :raises MissingLibraryError: when Plotly or Jinja2 is not installed, or Plotly too old.
    """
    return _write(folder, summarise(replays, truth))


def _write(folder: Path, summary: Summary) -> Path:
    replays = [one.replay for one in summary.recordings]
    rights = {one.judged.recording: one.judged.truth_names() for one in summary.recordings}
    of_programs = {
        EMOTIONS_FILE: emotions(replays, rights),
        METRICS_FILE: written(metrics(summary)),
    }
    return _write_all(folder, REPORT_FILE, of_programs, lambda: _pages().report_page(summary))


def _write_all(
    folder: Path, page: str, of_programs: Mapping[str, bytes], draw: Callable[[], bytes]
) -> Path:
    """Write the page first, which is large: where there is no room, the files before stay."""
    missing: MissingLibraryError | None = None
    try:
        write_whole(folder / page, draw())
    except MissingLibraryError as error:
        missing = error
        (folder / page).unlink(missing_ok=True)  # one that is there is of an earlier call
    for name, content in of_programs.items():
        write_whole(folder / name, content)
    if missing is not None:
        raise missing
    return folder / page


def write_comparison(
    folder: Path,
    first: Sequence[Replay],
    second: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
    label_map: str | None = None,
) -> Written:
    """
    Write comparison.html and comparison.json of two runs, each whole or not at all.

    :param folder: where to; it is made.
    :param first: replays of one run.
    :param second: of another over the same recordings.
    :param truth: labels by recording.
    :param label_map: see `write_report`.
    :returns: the page, and the recordings that are left out.
    :raises ValueError: when they have no recording, or their models no classes, in common.
    :raises LabelError: when the label map cannot be used.
    """
    found = compare(first, second, truth, label_map)
    of_programs = {COMPARISON_METRICS_FILE: written(comparison(found))}
    page = _write_all(
        folder, COMPARISON_FILE, of_programs, lambda: _pages().comparison_page(found)
    )
    return Written(page, found.left_out)


# Finds the labels of replayed recordings and writes the report.


def write_labelled_report(
    folder: Path, paths: Mapping[str, Path], replays: Sequence[Replay], source: LabelSource
) -> Written:
    """
    Write the report of replays with all labels that can be had.

    :param folder: where to.
    :param paths: of the recordings, by name.
    :param replays: see `write_report`.
    :param source: where labels come from.
    :raises LabelError: when a table, map or combination that was asked for cannot be used.
    """
    recordings = {
        one.recording: _recorded(paths[one.recording], one) for one in replays if one.stamps_ns
    }
    own_names = {label for one in replays for label in one.labels}
    unread = [name for name in paths if name not in recordings]
    found = find_labels(source, recordings, own_names, unread)
    losses = [loss for labels in found.values() for loss in labels.losses]
    hints = [hint for labels in found.values() for hint in labels.hints]
    problems = [problem for labels in found.values() for problem in labels.problems]
    summary = summarise(
        replays,
        {name: labels.segments for name, labels in found.items()},
        source.label_map,
        tuple(dict.fromkeys([*losses, *hints, *problems])),
        sum(labels.given for labels in found.values()),
    )
    for one in summary.recordings:
        losses += unusable_labels(one.judged, summary.vocabulary)
    placed = sum(len(labels.segments) for labels in found.values())
    none = f'None of {placed} labels is judged; the warnings in the report say why.'
    hints += [none] if placed and not summary.labelled else []
    return Written(_write(folder, summary), tuple(losses), tuple(hints))


def _recorded(path: Path, one: Replay) -> Recorded:
    part = float(one.settings.get('from_s', 0)) > 0 or one.settings.get('to_s', 'end') != 'end'
    span_ns = one.stamps_ns[0], one.stamps_ns[-1]
    return Recorded(path, *span_ns, one.zero_ns, part, len(one.stamps_ns))


# Metrics for programs; equal runs give equal bytes.


def metrics(summary: Summary) -> dict[str, Any]:
    """
    Gather what is written.

    :returns: what JSON takes; None for what is not known.
    """
    return {
        'schema': SCHEMA,
        'model': summary.model,
        'settings': dict(summary.settings),
        'classes': list(summary.vocabulary.names),
        'intervals': {
            'level': LEVEL,
            'resamples': RESAMPLES,
            'drawn': summary.counted.units_drawn(summary.judged_by),
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

    :returns: what JSON takes; differences are second less first, of what they have in common.
    """
    runs = {
        name: {
            'model': one.model,
            'settings': dict(one.settings),
            'figures': plain(one.figures),
            'in_common': plain(common),
        }
        for name, one, common in zip(
            ('first', 'second'), (found.first, found.second), found.figures
        )
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
    # A name that is no Unicode has half a pair of surrogates: JSON reads its escape back.
    return f'{text}\n'.encode('utf-8', 'backslashreplace')


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
        'kept_sha256': checksum(one.replay),
        'images': one.replay.image_count,
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

`time_s` counts from the recording's first image, as the times of labels do. `truth` is empty where
no label holds, and may be of a label map's classes; angles are in radians, edges are shares of the
image.
"""


def emotions(replays: Sequence[Replay], truth: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """
    Make a line for each face in each image: recording by recording, by stamp, by face.

    An image without a face has one line too, without an answer. Where images are files, a column
    `file` behind the fixed ones names them.

    :param replays: the replays; a class that a model lacks stays empty.
    :param truth: by recording, what each answer should have been; '' where no label holds.
    :returns: a CSV file.
    """
    classes = list(dict.fromkeys(label for replay in replays for label in replay.labels))
    named = any(replay.files for replay in replays)
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow([*FIXED, *(['file'] * named), *(f'probability_{label}' for label in classes)])
    for replay in replays:
        right = (truth or {}).get(replay.recording, [''] * len(replay.predictions))
        # Where a model lacks a class the column is empty.
        place = [replay.labels.index(one) if one in replay.labels else None for one in classes]
        of_image: dict[int, list[tuple[Prediction, str]]] = {one: [] for one in replay.stamps_ns}
        for answer, label in zip(replay.predictions, right):
            of_image.setdefault(answer.stamp_ns, []).append((answer, label))
        for stamp_ns, answers in of_image.items():
            time_s = f'{(stamp_ns - replay.zero_ns) / NS_PER_S:.3f}'
            image = [replay.recording, stamp_ns, time_s]
            file = [replay.files.get(stamp_ns, '')] * named
            rows = [_row(answer, label, file, place) for answer, label in answers]
            nothing = iter([*[''] * (len(FIXED) - len(image)), *file, *[''] * len(classes)])
            table.writerows([*image, *row] for row in rows or [nothing])
    # A name that is no Unicode has half a pair of surrogates, which UTF-8 cannot write.
    return text.getvalue().encode('utf-8', 'replace')


def _row(
    answer: Prediction, right: str, file: Sequence[str], place: Sequence[int | None]
) -> Iterator[str]:
    """Give the fields behind those of the image."""
    yield from (answer.face_id, answer.label, right)
    yield from (f'{value:.4f}' for value in (answer.confidence, answer.valence, answer.arousal))
    yield from [f'{angle:.4f}' for angle in answer.head] if answer.head else [''] * 3
    yield from (f'{edge:.4f}' for edge in answer.box)
    yield from file
    for index in place:
        yield '' if index is None else f'{answer.probabilities[index]:.4f}'
