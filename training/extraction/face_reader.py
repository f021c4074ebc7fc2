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
from pathlib import Path

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_geometry import in_face_units
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from training.datasets.pictures import PictureError, Pictures
from training.extraction.face_table import FaceTable, empty_table
from training.extraction.views import View


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
    landmarker = _landmarker(find_asset(FACE_LANDMARKER))
    table = empty_table(len(rows))
    complaints = []
    for position, row in enumerate(rows):
        try:
            picture = view.picture(pictures.read(row))
        except PictureError as error:
            complaints.append(str(error))
            continue
        faces = landmarker.find(picture)
        if faces:
            height, width = picture.shape[:2]
            points, place = in_face_units(faces[0].landmarks, width, height)
            table.readable[position] = True
            table.blendshapes[position] = faces[0].blendshapes
            table.points[position] = points
            table.places[position] = place
    return table, tuple(complaints)


@functools.cache
def _landmarker(model: Path) -> FaceLandmarker:
    """Load MediaPipe once a process."""
    return FaceLandmarker(model, stills=True)
