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


"""What the package told of the faces in one recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """
    What the package told of one face in one image.

    :param stamp_ns: the image's stamp in nanoseconds.
    :param face_id: the face.
    :param label: the expression decided on, or 'unknown'.
    :param confidence: score of that label, in [0, 1].
    :param probabilities: of `Replay.labels`, before hysteresis and 'unknown', summing to 1.
    :param valence: in [-1, 1].
    :param arousal: in [-1, 1].
    :param head: roll, pitch and yaw in radians (REP-103); None where they are not measured.
    :param box: left, upper, right and lower edge of the face as shares of the image's width and
        height; may reach outside [0, 1].
    """

    stamp_ns: int
    face_id: str
    label: str
    confidence: float
    probabilities: tuple[float, ...]
    valence: float
    arousal: float
    head: tuple[float, float, float] | None
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Replay:
    """
    One recording as the package saw it.

    :param recording: name of the bag, clip or folder.
    :param model: name and version of the model, such as 'basic7 2.0.0'.
    :param labels: the model's classes in the order of `Answer.probabilities`.
    :param settings: what decided: model, min_confidence, hysteresis and the like.
    :param stamps_ns: of every image looked at, in nanoseconds, ascending.
    :param answers: ascending by stamp, then by face id.
    :param thumbnails: JPEG of the face, 96 pixels wide and high, by stamp and face id; only where
        the label changes.
    :param problems: sentences: what could not be read.
    """

    recording: str
    model: str
    labels: tuple[str, ...]
    settings: Mapping[str, float | str]
    stamps_ns: tuple[int, ...]
    answers: tuple[Answer, ...]
    thumbnails: Mapping[tuple[int, str], bytes]
    problems: tuple[str, ...]
