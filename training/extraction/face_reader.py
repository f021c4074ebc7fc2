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

"""Finds the faces of some pictures in this process, and tries again where it finds none."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.geometry import LANDMARKS, in_face_units
from emotion_estimator.faces.landmarker import FaceLandmarker, LandmarkedFace
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import write_whole
from emotion_estimator.parallel.engine import reporter
from training.datasets.pictures import PictureError, Pictures
from training.extraction.views import View

SCHEMA = 1


@dataclass(frozen=True)
class FaceTable:
    """
    The face of each of N pictures; zeros where none was found.

    :param readable: whether a face was found, shape [N].
    :param blendshapes: in [0, 1], shape [N, 52].
    :param points: the landmarks in face units, shape [N, 478, 3], half precision.
    :param places: where the face is in the prepared picture: x and y of its middle and the length
        of a face unit, in pixels, shape [N, 3].
    """

    readable: NDArray[np.bool_]
    blendshapes: NDArray[np.float32]
    points: NDArray[np.float16]
    places: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.readable)

    def outlines(self) -> NDArray[np.float32]:
        """
        Compute where the landmarks lie in the prepared pictures.

        :returns: x and y in pixels, shape [N, 478, 2].
        """
        x_y = self.points[:, :, :2].astype(np.float32)
        return x_y * self.places[:, None, 2:] + self.places[:, None, :2]

    def select(self, chosen: NDArray[Any]) -> FaceTable:
        """
        Keep some rows.

        :param chosen: mask of shape [N], or indices.
        """
        return FaceTable(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def replaced(self, rows: NDArray[np.int64], others: FaceTable) -> FaceTable:
        """
        Put other faces in the place of some.

        :param rows: which, shape [M].
        :param others: M faces.
        """
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, column in columns.items():
            column[rows] = getattr(others, name)
        return FaceTable(**columns)


def empty_table(count: int) -> FaceTable:
    """
    Make a table without a face.

    :returns: the table, to be filled in.
    """
    return FaceTable(
        readable=np.zeros(count, np.bool_),
        blendshapes=np.zeros((count, len(NAMES)), np.float32),
        points=np.zeros((count, LANDMARKS, 3), np.float16),
        places=np.zeros((count, 3), np.float32),
    )


def joined(tables: Sequence[FaceTable]) -> FaceTable:
    """Put tables one behind the other."""
    if not tables:
        return empty_table(0)
    return FaceTable(
        **{
            f.name: np.concatenate([getattr(table, f.name) for table in tables])
            for f in fields(FaceTable)
        }
    )


def write_table(path: Path, table: FaceTable) -> None:
    """
    Write a table whole.

    :param path: an .npz file.
    """
    content = io.BytesIO()
    np.savez(content, schema=SCHEMA, **{f.name: getattr(table, f.name) for f in fields(table)})
    write_whole(path, content.getvalue())


def read_table(path: Path) -> FaceTable | None:
    """
    Read a table that `write_table` wrote.

    :returns: the table; None where there is none, or one that is damaged or of another schema,
        so that it is made again.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if int(file['schema']) != SCHEMA:
                return None
            return FaceTable(**{f.name: file[f.name] for f in fields(FaceTable)})
    # Of a damaged file zipfile, zlib, tokenize and NumPy each complain in their own way.
    except Exception:
        return None


Look = Callable[[NDArray[np.uint8]], Union[tuple[LandmarkedFace, NDArray[np.float32]], None]]
"""Finds the face in a prepared picture, with its landmarks as they lie there; None for no face."""


def read_faces(
    pictures: Pictures, rows: list[int], view: View
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture.

    :param rows: which of them.
    :returns: a row for each, and a sentence for each picture that could not be read as one.
    """
    return read_each(pictures, rows, view, _look)


def read_each(
    pictures: Pictures, rows: list[int], view: View, look: Look
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Do the same in any way of looking.

    :param rows: which of them.
    :param look: finds the face.
    :returns: see `read_faces`.
    """
    table = empty_table(len(rows))
    complaints = []
    report = reporter()
    for position, row in enumerate(rows):
        report(position, len(rows))
        try:
            picture = view.picture(pictures.read(row))
        except PictureError as error:
            complaints.append(str(error))
            continue
        found = look(picture)
        if found is not None:
            face, landmarks = found
            height, width = picture.shape[:2]
            table.points[position], table.places[position] = in_face_units(
                landmarks, width, height
            )
            table.readable[position] = True
            table.blendshapes[position] = face.blendshapes
    return table, tuple(complaints)


def _look(picture: NDArray[np.uint8]) -> tuple[LandmarkedFace, NDArray[np.float32]] | None:
    faces = _landmarker(find_asset(FACE_LANDMARKER)).find(picture)
    return (faces[0], faces[0].landmarks) if faces else None


@functools.cache
def _landmarker(model: Path) -> FaceLandmarker:
    """Load MediaPipe once a process."""
    return FaceLandmarker(FaceNetworks(model), stills=True)


@dataclass(frozen=True)
class Attempt:
    """
    One way of looking again at a prepared picture.

    :param turn_deg: by how much it is turned, counter-clockwise.
    :param blur_px: deviation of the Gaussian that softens it; 0 leaves it.
    :param room: side of the square it is put into, as a multiple of its longer side, at least 1.
    :param least_confidence: asked of MediaPipe's detector and of its landmarks.
    """

    turn_deg: float = 0.0
    blur_px: float = 0.0
    room: float = 1.0
    least_confidence: float = 0.5


# The confident ones first: what is found there lies better.
ATTEMPTS: tuple[Attempt, ...] = (
    Attempt(turn_deg=20, room=1.33),
    Attempt(turn_deg=-20, room=1.33),
    Attempt(blur_px=3.2),
    Attempt(room=1.33),
    Attempt(least_confidence=0.1),
    Attempt(turn_deg=20, room=1.33, least_confidence=0.1),
    Attempt(turn_deg=-20, room=1.33, least_confidence=0.1),
)


def read_again(
    pictures: Pictures, rows: list[int], view: View
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture at the first attempt that finds one.

    :param rows: which of them.
    :param view: how they were looked at in vain.
    :returns: a row for each, in the pixels of the view's own picture, and a sentence for each
        picture that could not be read as one.
    """
    return read_each(pictures, rows, view, _look_again)


def _look_again(picture: NDArray[np.uint8]) -> tuple[LandmarkedFace, NDArray[np.float32]] | None:
    height, width = picture.shape[:2]
    for attempt in ATTEMPTS:
        shown, moved = show(picture, attempt)
        faces = _lenient_landmarker(find_asset(FACE_LANDMARKER), attempt.least_confidence).find(
            shown
        )
        if faces:
            side = shown.shape[1]
            return faces[0], move_back(faces[0].landmarks, moved, side, width, height)
    return None


def show(
    picture: NDArray[np.uint8], attempt: Attempt
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """
    Make the picture of an attempt; black where the prepared picture ends.

    :param picture: the prepared picture, RGB [height, width, 3].
    :returns: RGB, square; and the affine map from the prepared picture's pixels to its, [2, 3].
    """
    height, width = picture.shape[:2]
    side = round(max(height, width) * attempt.room)
    moved = np.asarray(
        cv2.getRotationMatrix2D((width / 2, height / 2), attempt.turn_deg, 1.0), np.float64
    )
    moved[:, 2] += (side - width) / 2, (side - height) / 2
    if attempt.blur_px:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), attempt.blur_px), np.uint8)
    return np.asarray(cv2.warpAffine(picture, moved, (side, side)), np.uint8), moved


def move_back(
    landmarks: NDArray[np.float32], moved: NDArray[np.float64], side: int, width: int, height: int
) -> NDArray[np.float32]:
    """
    Tell where landmarks of an attempt's picture lie in the prepared picture.

    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param moved: see `show`.
    :param side: of the attempt's picture in pixels.
    :param width: of the prepared picture in pixels.
    :param height: of the prepared picture in pixels.
    :returns: the same for the prepared picture; depth, which turning leaves, is scaled alone.
    """
    back = cv2.invertAffineTransform(moved)
    x_y = landmarks[:, :2] * side @ back[:, :2].T + back[:, 2]
    depth = landmarks[:, 2] * side
    scaled = np.column_stack([x_y[:, 0] / width, x_y[:, 1] / height, depth / width])
    return np.asarray(scaled, np.float32)


@functools.cache
def _lenient_landmarker(model: Path, least_confidence: float) -> FaceLandmarker:
    """Load MediaPipe once a process and threshold."""
    return FaceLandmarker(
        FaceNetworks(model),
        stills=True,
        min_detection_confidence=least_confidence,
        min_presence_confidence=least_confidence,
    )
