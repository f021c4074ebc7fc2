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

"""The labels of replayed recordings, from wherever the user keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotion_estimator.evaluation.answers import Replay
from emotion_estimator.evaluation.label_topic import told_on_topic
from emotion_estimator.evaluation.labels.finding import Recorded, find_labels
from emotion_estimator.evaluation.labels.messages import labels_of_messages
from emotion_estimator.evaluation.labels.segment import LabelError, Labels
from emotion_estimator.evaluation.labels.table import Time
from emotion_estimator.evaluation.recordings.recording import RecordingError


@dataclass(frozen=True)
class LabelSource:
    """
    Where labels come from; at most one of the three, none takes the table beside each recording.

    :param table: one table for all recordings.
    :param topic: a topic of the bags, see `told_on_topic`.
    :param folders: whether folders named after expressions label what they hold.
    :param time: what a table's seconds count from.
    :raises LabelError: when more than one is asked for.
    """

    table: Path | None = None
    topic: str = ''
    folders: bool = False
    time: Time = Time.AUTOMATIC

    def __post_init__(self) -> None:
        """Check that one place is named."""
        if sum((self.table is not None, bool(self.topic), self.folders)) > 1:
            raise LabelError(
                'Labels come from one place: --labels, --label-topic or --labels-from-folders.'
            )


def labels_of(
    source: LabelSource, paths: Mapping[str, Path], replays: Sequence[Replay]
) -> dict[str, Labels]:
    """
    Find the labels of recordings that were replayed.

    :param source: where to look.
    :param paths: of the recordings, by name.
    :param replays: of them; those without images have no labels.
    :returns: labels by recording.
    :raises LabelError: when the table that is named cannot be read.
    """
    seen = [replay for replay in replays if replay.stamps_ns]
    own_names = tuple(dict.fromkeys(name for replay in seen for name in replay.labels))
    if source.topic:
        return {replay.recording: _on_topic(source.topic, paths, replay) for replay in seen}
    recorded = {
        replay.recording: Recorded(
            paths[replay.recording], replay.stamps_ns[0], replay.stamps_ns[-1]
        )
        for replay in seen
    }
    return find_labels(recorded, source.table, source.folders, source.time, own_names)


def _on_topic(topic: str, paths: Mapping[str, Path], replay: Replay) -> Labels:
    first_ns, last_ns = replay.stamps_ns[0], replay.stamps_ns[-1]
    try:
        told = told_on_topic(paths[replay.recording], topic)
    except (LabelError, RecordingError) as error:
        return Labels((), (str(error),))
    return labels_of_messages(told, topic, first_ns, last_ns, replay.labels)
