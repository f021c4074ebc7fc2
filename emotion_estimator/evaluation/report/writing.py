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

from collections.abc import Mapping, Sequence
from pathlib import Path

from emotion_estimator.evaluation.answers import Replay
from emotion_estimator.evaluation.emotions_csv import write_emotions
from emotion_estimator.evaluation.labels.segment import Segment
from emotion_estimator.evaluation.report.comparison_page import comparison_page
from emotion_estimator.evaluation.report.metrics_file import comparison, metrics, written
from emotion_estimator.evaluation.report.page import page
from emotion_estimator.evaluation.scoring.comparison import compare
from emotion_estimator.evaluation.scoring.summary import summarise
from emotion_estimator.files import write_whole

REPORT_FILE = 'report.html'
METRICS_FILE = 'metrics.json'
EMOTIONS_FILE = 'emotions.csv'
COMPARISON_FILE = 'comparison.html'
COMPARISON_METRICS_FILE = 'comparison.json'


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
    """
    summary = summarise(replays, truth, label_map, told)
    rights = {one.judged.recording: one.judged.truth_names() for one in summary.recordings}
    write_emotions(folder / EMOTIONS_FILE, replays, rights)
    write_whole(folder / METRICS_FILE, written(metrics(summary)))
    write_whole(folder / REPORT_FILE, page(summary))
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
    write_whole(folder / COMPARISON_FILE, comparison_page(found))
    return folder / COMPARISON_FILE
