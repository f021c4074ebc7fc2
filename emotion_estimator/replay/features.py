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

"""A table of what was measured of each face in each image, for those who analyse recordings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from emotion_estimator.blendshapes import HEAD_UNITS, NAMES, UNITS
from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import FrameResult
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.geometry import LANDMARKS, POSE_NAMES
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import eye_angles, facial_action_units
from emotion_estimator.files import WholeFile, writing
from emotion_estimator.replay.recordings import Frame

IMAGE_COLUMNS = ('stamp_ns', 'file')
FACE_COLUMNS = (
    *('face_id', 'expression', 'confidence', 'valence', 'arousal'),
    *('box.x_min', 'box.y_min', 'box.x_max', 'box.y_max'),
    *POSE_NAMES,
    *('gaze.pitch', 'gaze.yaw'),
    *NAMES,
)
"""Box as shares of the image; angles in radians (REP-103), those of the gaze within the head."""
ACTION_UNIT_CODES = (
    *(unit.code for unit in UNITS if unit.measured),
    *(code for code, *_ in HEAD_UNITS),
)
"""FACS codes of the units that can be measured."""
_DECIMALS = 6


def table_columns(landmarks: bool) -> list[str]:
    """
    Name the columns.

    :param landmarks: whether the 478 landmarks stand in it too.
    :returns: names, in order.
    """
    points = [f'landmark.{n}.{axis}' for n in range(LANDMARKS) for axis in 'xyz']
    units = [f'AU{code:02}' for code in ACTION_UNIT_CODES]
    return [*IMAGE_COLUMNS, *FACE_COLUMNS, *units, *(points if landmarks else ())]


class FeatureTable:
    """
    Writes a row for each face of each image, and one without a face where there is none.

    Call it with each image; `finish` puts the table in its place, `close` drops one that is
    unfinished.

    :param path: the CSV file (RFC 4180, UTF-8); its folder is made.
    :param landmarks: whether to write the 478 landmarks, see `LandmarkedFace`.
    :raises OutputError: here and in every call, when it cannot be written.
    """

    def __init__(self, path: Path, landmarks: bool) -> None:
        self._path, self._landmarks = path, landmarks
        self._whole = WholeFile(path, text=True)
        self._rows = csv.writer(self._whole.file)
        with writing(path):
            self._rows.writerow(table_columns(landmarks))

    def __call__(self, frame: Frame, _: Rgb, result: FrameResult) -> None:
        """Write the rows of an image."""
        image = (frame.stamp_ns, frame.file or '')
        found = [self._row(*pair) for pair in zip(result.faces, result.estimates)]
        blank: list[object] = [''] * (len(table_columns(self._landmarks)) - len(image))
        with writing(self._path):
            self._rows.writerows([*image, *row] for row in found or [blank])

    def finish(self) -> None:
        """Put the table in its place."""
        self._whole.finish()

    def close(self) -> None:
        """Drop what is unfinished."""
        self._whole.close()

    def _row(self, face: Face, estimate: EmotionEstimate) -> list[object]:
        box, values = face.box, face.named_values()
        numbers: list[float | None] = [
            *(estimate.confidence, estimate.valence, estimate.arousal),
            *(box.x_min, box.y_min, box.x_max, box.y_max),
            *(values.get(name) for name in POSE_NAMES),
            *eye_angles(face.blendshapes),
            *face.blendshapes.tolist(),
            *_action_units(face),
        ]
        if self._landmarks:
            numbers += face.landmarks.ravel().tolist()
        return [face.face_id, estimate.label, *map(_rounded, numbers)]


def _action_units(face: Face) -> Iterator[float | None]:
    intensity, confidence = facial_action_units(face)
    for code in ACTION_UNIT_CODES:
        yield float(intensity[code]) if confidence[code] else None


def _rounded(value: float | None) -> float | str:
    return '' if value is None else round(value, _DECIMALS)
