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

"""Writes a report's files into a folder."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from emotion_estimator.evaluation.alignment import strange_faces
from emotion_estimator.evaluation.comparison import compare
from emotion_estimator.evaluation.label_files import LabelSource, find_labels
from emotion_estimator.evaluation.labels import Recorded, Segment
from emotion_estimator.evaluation.report.run_files import (
    METRICS_FILE,
    comparison,
    metrics,
    read_run,
    write_emotions,
    written,
)
from emotion_estimator.evaluation.summary import Summary, summarise
from emotion_estimator.files import write_whole
from emotion_estimator.replay.predictions import Replay

REPORT_FILE = 'report.html'
EMOTIONS_FILE = 'emotions.csv'
COMPARISON_FILE = 'comparison.html'
COMPARISON_METRICS_FILE = 'comparison.json'


class MissingLibraryError(RuntimeError):
    """A library that draws pages is not installed; the message says which and what to do."""


def _pages() -> ModuleType:
    """Import what draws pages only now: a replay's workers, and robots, need none of it."""
    try:
        return importlib.import_module('emotion_estimator.evaluation.report.pages')
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f'The page needs {error.name}, which is not installed: pip install plotly jinja2. '
            'The files for programs are written, and finished replays are kept.'
        ) from error


def write_report(
    folder: Path,
    replays: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
    label_map: str | None = None,
    told: Sequence[str] = (),
) -> Path:
    """
    Write report.html, metrics.json and emotions.csv, each whole or not at all.

    The same replays and labels give the same bytes.

    :param folder: where to; it is made.
    :param replays: of one model, at least one, each recording once.
    :param truth: labels by recording; recordings may lack them.
    :param label_map: name of the label map in whose classes is judged, such as
        'happy_unknown_sad'; None takes the model's own where the labels are among them.
    :param told: sentences to show beside the replays' own problems, such as `Labels.problems`.
    :returns: path of report.html.
    :raises ValueError: when there is no replay, or replays are of different models.
    :raises LabelError: when the label map cannot be used.
    :raises MissingLibraryError: when Plotly or Jinja2 is not installed.
    """
    return _write(folder, summarise(replays, truth, label_map, told))


def _write(folder: Path, summary: Summary) -> Path:
    replays = [one.replay for one in summary.recordings]
    rights = {one.judged.recording: one.judged.truth_names() for one in summary.recordings}
    write_emotions(folder / EMOTIONS_FILE, replays, rights)
    write_whole(folder / METRICS_FILE, written(metrics(summary)))
    write_whole(folder / REPORT_FILE, _pages().report_page(summary))
    return folder / REPORT_FILE


def write_comparison(
    folder: Path,
    first: Sequence[Replay],
    second: Sequence[Replay],
    truth: Mapping[str, Sequence[Segment]],
    label_map: str | None = None,
) -> Path:
    """
    Write comparison.html and comparison.json of two runs, each whole or not at all.

    :param folder: where to; it is made.
    :param first: replays of one run.
    :param second: of another over the same recordings.
    :param truth: labels by recording.
    :param label_map: see `write_report`.
    :returns: path of comparison.html.
    :raises ValueError: when they have no recording, or their models no classes, in common.
    :raises LabelError: when the label map cannot be used.
    """
    found = compare(first, second, truth, label_map)
    write_whole(folder / COMPARISON_METRICS_FILE, written(comparison(found)))
    write_whole(folder / COMPARISON_FILE, _pages().comparison_page(found))
    return folder / COMPARISON_FILE


# Finds the labels of replayed recordings and writes the report.


@dataclass(frozen=True)
class Written:
    """
    A report.

    :param page: path of report.html.
    :param losses: sentences: labels that were given and could not be used.
    :param hints: sentences: labels that could, but had no answer to be held against.
    """

    page: Path
    losses: tuple[str, ...]
    hints: tuple[str, ...]


def write_labelled_report(
    folder: Path, paths: Mapping[str, Path], replays: Sequence[Replay], source: LabelSource
) -> Written:
    """
    Write the report of replays with all labels that can be had.

    :param folder: where to.
    :param paths: of the recordings, by name.
    :param replays: see `write_report`.
    :param source: where labels come from.
    :returns: the report.
    :raises LabelError: when a table, map or combination that was asked for cannot be used.
    """
    recordings = {
        one.recording: _recorded(paths[one.recording], one) for one in replays if one.stamps_ns
    }
    own_names = {label for one in replays for label in one.labels}
    unread = [name for name in paths if name not in recordings]
    found = find_labels(source, recordings, own_names, unread)
    losses = [loss for labels in found.values() for loss in labels.losses]
    problems = [problem for labels in found.values() for problem in labels.problems]
    summary = summarise(
        replays,
        {name: labels.segments for name, labels in found.items()},
        source.label_map,
        tuple(dict.fromkeys([*losses, *problems])),
        sum(labels.given for labels in found.values()),
    )
    losses += filter(None, (strange_faces(one.judged) for one in summary.recordings))
    placed = sum(len(labels.segments) for labels in found.values())
    none = f'None of {placed} labels is judged; the warnings in the report say why.'
    hints = (none,) if placed and not summary.labelled else ()
    return Written(_write(folder, summary), tuple(losses), hints)


def _recorded(path: Path, one: Replay) -> Recorded:
    part = float(one.settings.get('from_s', 0)) > 0 or one.settings.get('to_s', 'end') != 'end'
    zero_ns = one.stamps_ns[0] if one.first_ns is None else one.first_ns
    return Recorded(path, one.stamps_ns[0], one.stamps_ns[-1], zero_ns, part)


# Holds two finished runs of `replay` against each other: another model, other settings.


def compare_runs(first: Path, second: Path, output: Path, label_map: str | None = None) -> Path:
    """
    Compare two runs by the labels that were given to them; the first's where both have some.

    :param first: output folder of one run.
    :param second: of another.
    :param output: folder for what comes out.
    :param label_map: see `write_report`.
    :returns: path of the page.
    :raises ValueError: when a folder holds no run, or the runs have nothing in common.
    """
    one, other = read_run(first), read_run(second)
    truth = {
        name: one.truth.get(name) or other.truth.get(name, ())
        for name in {*one.truth, *other.truth}
    }
    return write_comparison(output, one.replays, other.replays, truth, label_map)
