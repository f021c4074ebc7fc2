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


"""All answers as one table, emotions.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emotion_estimator.evaluation.answers import Answer, Replay
from emotion_estimator.files import write_whole
from emotion_estimator.stamps import NS_PER_S

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
    Write one line an answer: recording by recording, by stamp, by face.

    :param path: the CSV file, written whole or not at all.
    :param replays: the replays; a class that a model lacks stays empty.
    :param truth: by recording, what each answer should have been; '' where no label holds.
    """
    classes = list(dict.fromkeys(label for replay in replays for label in replay.labels))
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow([*FIXED, *(f'probability_{label}' for label in classes)])
    for replay in replays:
        right = (truth or {}).get(replay.recording, [''] * len(replay.answers))
        for answer, label in zip(replay.answers, right):
            table.writerow(_row(replay, answer, label, classes))
    write_whole(path, text.getvalue().encode())


def _row(replay: Replay, answer: Answer, right: str, classes: Sequence[str]) -> Iterator[object]:
    yield replay.recording
    yield answer.stamp_ns
    yield f'{(answer.stamp_ns - replay.stamps_ns[0]) / NS_PER_S:.3f}'
    yield answer.face_id
    yield answer.label
    yield right
    for value in (answer.confidence, answer.valence, answer.arousal):
        yield f'{value:.4f}'
    for angle in answer.head or ('', '', ''):
        yield angle if angle == '' else f'{angle:.4f}'
    for edge in answer.box:
        yield f'{edge:.4f}'
    known = dict(zip(replay.labels, answer.probabilities))
    for label in classes:
        yield f'{known[label]:.4f}' if label in known else ''
