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

from emotion_estimator.evaluation.comparison import compare
from emotion_estimator.evaluation.label_files import Recorded, find_labels
from emotion_estimator.evaluation.label_readers import Time, label_messages, labels_of_messages
from emotion_estimator.evaluation.labels import LabelError, Labels, Segment
from emotion_estimator.evaluation.report.run_files import (
    METRICS_FILE,
    comparison,
    metrics,
    read_run,
    write_emotions,
    written,
)
from emotion_estimator.evaluation.summary import summarise
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
    summary = summarise(replays, truth, label_map, told)
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
class LabelSource:
    """
    Where labels come from; by default from the table beside each recording, if there is one.

    :param table: one table for all recordings.
    :param topic: topic of the bags, see `label_messages`; empty takes none.
    :param from_folders: whether folders named after expressions label what they hold.
    :param time: what the seconds of tables count from.
    :param label_map: name of the label map in whose classes is judged; None chooses by itself.
    """

    table: Path | None = None
    topic: str = ''
    from_folders: bool = False
    time: Time = Time.AUTOMATIC
    label_map: str | None = None


def write_labelled_report(
    folder: Path, paths: Mapping[str, Path], replays: Sequence[Replay], source: LabelSource
) -> Path:
    """
    Write the report of replays with all labels that can be had.

    :param folder: where to.
    :param paths: of the recordings, by name.
    :param replays: see `write_report`.
    :param source: where labels come from.
    :returns: path of report.html.
    :raises LabelError: when a table, map or combination that was asked for cannot be used.
    """
    if source.topic and (source.table is not None or source.from_folders):
        raise LabelError('Labels come from a topic, a table or folder names, not from several.')
    recordings = {
        one.recording: Recorded(paths[one.recording], one.stamps_ns[0], one.stamps_ns[-1])
        for one in replays
        if one.stamps_ns
    }
    own_names = {label for one in replays for label in one.labels}
    if source.topic:
        found = {name: _of_topic(one, source.topic, own_names) for name, one in recordings.items()}
    else:
        found = find_labels(recordings, source.table, source.from_folders, source.time, own_names)
    return write_report(
        folder,
        replays,
        {name: labels.segments for name, labels in found.items()},
        source.label_map,
        [problem for labels in found.values() for problem in labels.problems],
    )


def _of_topic(one: Recorded, topic: str, own_names: set[str]) -> Labels:
    """Read one bag's labels; what is wrong with it is said and costs the others nothing."""
    try:
        messages = label_messages(one.path, topic)
    except LabelError as error:
        return Labels((), (str(error),))
    return labels_of_messages(messages, topic, one.first_ns, one.last_ns, own_names)


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
