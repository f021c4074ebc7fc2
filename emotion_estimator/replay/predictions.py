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

"""What the package said of the faces in one recording, and the table of what it measured."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

from emotion_estimator.blendshapes import HEAD_UNITS, NAMES, UNITS
from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import FrameResult
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.geometry import LANDMARKS, POSE_NAMES
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import eye_angles, facial_action_units
from emotion_estimator.files import WholeFile, write_whole, writing
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.recordings import Frame, Selection


@dataclass(frozen=True)
class Prediction:
    """
    What the package said of one face in one image.

    :param stamp_ns: the image's stamp in nanoseconds.
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
    :param labels: the model's classes in the order of `Prediction.probabilities`.
    :param settings: what decided: model, min_confidence, hysteresis and the like.
    :param stamps_ns: of every image looked at, in nanoseconds, ascending; each once.
    :param predictions: ascending by stamp, then by face id.
    :param thumbnails: JPEG of the face, 96 pixels wide and high, by stamp and face id; only where
        the label changes.
    :param problems: sentences: what could not be read.
    :param hints: sentences: what was read, and yet is worth knowing.
    :param first_ns: stamp of the recording's first image, looked at or not; None where no file
        tells it.
    :param files: name of the image's own file by stamp; empty where images have none.
    :param again: how many more images were looked at, whose stamps came again after a step back.
    """

    recording: str
    model: str
    labels: tuple[str, ...]
    settings: Mapping[str, float | str]
    stamps_ns: tuple[int, ...]
    predictions: tuple[Prediction, ...]
    thumbnails: Mapping[tuple[int, str], bytes]
    problems: tuple[str, ...]
    hints: tuple[str, ...] = ()
    first_ns: int | None = None
    files: Mapping[int, str] = field(default_factory=dict)
    again: int = 0

    @property
    def image_count(self) -> int:
        """How many images were looked at."""
        return len(self.stamps_ns) + self.again

    @property
    def zero_ns(self) -> int:
        """Stamp from which its seconds count: of its first image; there must be an image."""
        return self.stamps_ns[0] if self.first_ns is None else self.first_ns

    def within(self, other: Replay) -> Replay:
        """
        Drop the images before the first and behind the last of another replay's.

        :param other: of the same recording.
        :returns: the rest, with what was said of it.
        """
        if not self.stamps_ns or not other.stamps_ns:
            return self
        begin_ns, end_ns = other.stamps_ns[0], other.stamps_ns[-1]
        inside = [begin_ns <= stamp_ns <= end_ns for stamp_ns in self.stamps_ns]
        if all(inside):
            return self
        return replace(
            self,
            stamps_ns=tuple(compress(self.stamps_ns, inside)),
            predictions=tuple(
                one for one in self.predictions if begin_ns <= one.stamp_ns <= end_ns
            ),
        )


def settings_of(parameters: NodeParameters, selection: Selection) -> Mapping[str, float | str]:
    """
    List what decides on the answers.

    :param parameters: of both nodes.
    :param selection: which images.
    :returns: value by name; numbers as float.
    """
    without = {'autostart', 'ros4hri', 'on_one_core', 'threads', 'image_transport'}
    named = {**parameters.blendshape_node, **parameters.emotion_node}
    settings: dict[str, float | str] = {
        name: value if isinstance(value, str) else float(value)
        for name, value in sorted(named.items())
        if name not in without
    }
    if selection.stills:
        settings['stills'] = 1.0
    settings['rate_hz'] = selection.rate_hz
    settings['from_s'] = selection.from_s
    settings['to_s'] = 'end' if selection.to_s is None else selection.to_s
    return settings


# Replays as files: JSON, so that a second call need not look at a recording again.


SCHEMA = 2
READ_SCHEMAS = (1, SCHEMA)
"""Older files lack what has been added since."""


class ReplayFileError(ValueError):
    """A file that holds no replay; the message says which and why."""


def write_replay(path: Path, replay: Replay) -> None:
    """
    Keep a replay, whole or not at all; the same replay gives the same bytes.

    :param path: the JSON file.
    """
    write_whole(path, _written(replay))


def checksum(replay: Replay) -> str:
    """Give the SHA-256 of the file that `write_replay` makes."""
    return hashlib.sha256(_written(replay)).hexdigest()


def _written(replay: Replay) -> bytes:
    document = {
        'schema': SCHEMA,
        'recording': replay.recording,
        'model': replay.model,
        'labels': replay.labels,
        'settings': dict(replay.settings),
        'problems': replay.problems,
        'hints': replay.hints,
        'first_ns': replay.first_ns,
        'files': list(replay.files.items()),
        'again': replay.again,
        'stamps_ns': replay.stamps_ns,
        'answers': [list(asdict(prediction).values()) for prediction in replay.predictions],
        'thumbnails': [
            [stamp_ns, face_id, base64.b64encode(jpeg).decode()]
            for (stamp_ns, face_id), jpeg in sorted(replay.thumbnails.items())
        ],
    }
    return json.dumps(document, separators=(',', ':')).encode()


def read_replay(path: Path) -> Replay:
    """
    Read a replay back.

    :param path: as `write_replay` wrote it.
    :returns: a replay equal to the one written.
    :raises ReplayFileError: when it is missing, damaged or of another schema.
    """
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
        if document['schema'] not in READ_SCHEMAS:
            raise ReplayFileError(
                f'{path} has schema {document["schema"]}, but this package reads {SCHEMA}; '
                'replay the recording again.'
            )
        return _replay(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ReplayFileError):
            raise
        raise ReplayFileError(
            f'{path} holds no replay ({error}); replay the recording again.'
        ) from error


def kept_replay(path: Path) -> Replay | None:
    """
    Read a replay that another call has kept.

    :param path: see `read_replay`.
    :returns: the replay; None where the file holds none, which is removed: it is made anew.
    """
    try:
        return read_replay(path)
    except ReplayFileError:
        path.unlink(missing_ok=True)
        return None


def _replay(document: Mapping[str, Any]) -> Replay:
    return Replay(
        recording=document['recording'],
        model=document['model'],
        labels=tuple(document['labels']),
        settings=document['settings'],
        stamps_ns=tuple(document['stamps_ns']),
        predictions=tuple(_prediction(*values) for values in document['answers']),
        thumbnails={
            (stamp_ns, face_id): base64.b64decode(jpeg)
            for stamp_ns, face_id, jpeg in document['thumbnails']
        },
        problems=tuple(document['problems']),
        hints=tuple(document.get('hints', ())),
        first_ns=document.get('first_ns'),
        files=dict(document.get('files', ())),
        again=document.get('again', 0),
    )


def _prediction(*values: Any) -> Prediction:
    """Make an answer of its fields in their order; JSON knows no tuples."""
    fields: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    return Prediction(*fields)


# The table of what was measured of each face in each image, for those who analyse recordings.


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
        # A name that is no Unicode has half a pair of surrogates, which UTF-8 cannot write.
        image = (frame.stamp_ns, (frame.file or '').encode('utf-8', 'replace').decode())
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
