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

"""Reads the faces of some pictures in this process: the work that is spread over processes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Union

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_geometry import in_face_units
from emotion_estimator.faces.face_landmarker import FaceLandmarker, LandmarkedFace
from training.datasets.pictures import PictureError, Pictures
from training.extraction.face_table import FaceTable, empty_table
from training.extraction.views import View

Look = Callable[[NDArray[np.uint8]], Union[tuple[LandmarkedFace, NDArray[np.float32]], None]]
"""Finds the face in a prepared picture, with its landmarks as they lie there; None for no face."""


def read_faces(
    pictures: Pictures, rows: list[int], view: View
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture.

    :param pictures: the data set's pictures.
    :param rows: which of them.
    :param view: how they are looked at.
    :returns: a row for each, and a sentence for each picture that could not be read as one.
    """
    return read_each(pictures, rows, view, _look)


def read_each(
    pictures: Pictures, rows: list[int], view: View, look: Look
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Do the same in any way of looking.

    :param pictures: the data set's pictures.
    :param rows: which of them.
    :param view: how they are prepared.
    :param look: finds the face.
    :returns: see `read_faces`.
    """
    table = empty_table(len(rows))
    complaints = []
    for position, row in enumerate(rows):
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
    return FaceLandmarker(model, stills=True)
