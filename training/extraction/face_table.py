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

"""Faces found in pictures, as rows of arrays in one file: the form in which extraction is kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.face_geometry import LANDMARKS
from emotion_estimator.files import write_whole

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
        :returns: the rows kept.
        """
        return FaceTable(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def replaced(self, rows: NDArray[np.int64], others: FaceTable) -> FaceTable:
        """
        Put other faces in the place of some.

        :param rows: which, shape [M].
        :param others: M faces.
        :returns: a new table.
        """
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, column in columns.items():
            column[rows] = getattr(others, name)
        return FaceTable(**columns)


def empty_table(count: int) -> FaceTable:
    """
    Make a table without a face.

    :param count: number of pictures.
    :returns: the table, to be filled in.
    """
    return FaceTable(
        readable=np.zeros(count, np.bool_),
        blendshapes=np.zeros((count, len(NAMES)), np.float32),
        points=np.zeros((count, LANDMARKS, 3), np.float16),
        places=np.zeros((count, 3), np.float32),
    )


def joined(tables: Sequence[FaceTable]) -> FaceTable:
    """
    Put tables one behind the other.

    :param tables: the tables.
    :returns: one table.
    """
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
    :param table: the table.
    """
    content = io.BytesIO()
    np.savez(content, schema=SCHEMA, **{f.name: getattr(table, f.name) for f in fields(table)})
    write_whole(path, content.getvalue())


def read_table(path: Path) -> FaceTable | None:
    """
    Read a table that `write_table` wrote.

    :param path: the file.
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
