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

"""Finds the labels of replayed recordings and writes the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotion_estimator.evaluation.answers import Replay
from emotion_estimator.evaluation.bag_labels import label_messages
from emotion_estimator.evaluation.labels import (
    LabelError,
    Labels,
    Recorded,
    Time,
    find_labels,
    labels_of_messages,
)
from emotion_estimator.evaluation.report import write_report


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
    """Read one bag's labels; what is wrong with it is told and costs the others nothing."""
    try:
        messages = label_messages(one.path, topic)
    except LabelError as error:
        return Labels((), (str(error),))
    return labels_of_messages(messages, topic, one.first_ns, one.last_ns, own_names)
