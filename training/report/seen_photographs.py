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

"""Photographs of all splits with what MediaPipe finds in them, one view at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from training.datasets.labels import Split
from training.datasets.pictures import LabelledPictures
from training.extraction.views import View
from training.still_features import read_faces, read_faces_twice


@dataclass(frozen=True)
class SeenPhotographs:
    """
    N photographs as one view shows them to MediaPipe.

    :param view: how they were looked at.
    :param twice: whether those without a face got a second look.
    :param rows: positions among all photographs of the data set, shape [N].
    :param labels: indices into `LABELS` or `NO_LABEL`, shape [N].
    :param splits: a `Split` each, shape [N].
    :param readable: whether a face was found, shape [N].
    :param blendshapes: in [0, 1], shape [N, 52]; 0 where none was found.
    """

    view: View
    twice: bool
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    readable: NDArray[np.bool_]
    blendshapes: NDArray[np.float32]

    @property
    def name(self) -> str:
        """Names the view, and whether there was a second look."""
        return f'{self.view.name}_twice' if self.twice else self.view.name

    @property
    def training(self) -> NDArray[np.bool_]:
        """Which of them are of the training split, shape [N]."""
        return np.asarray(self.splits == Split.TRAINING)


def look(
    photographs: LabelledPictures, rows: NDArray[np.int64], view: View, twice: bool = False
) -> SeenPhotographs:
    """
    Find the faces, or take what is kept of them.

    :param photographs: all photographs of the data set.
    :param rows: which of them, ascending.
    :param view: how they are looked at.
    :param twice: whether those without a face get a second look.
    :returns: those, in the order of the rows.
    """
    splits = photographs.splits[rows]
    readable = np.zeros(len(rows), np.bool_)
    blendshapes = np.zeros((len(rows), len(NAMES)), np.float32)
    # Whole splits one by one, as the training takes them: what that found is kept in blocks.
    whole = len(rows) == len(photographs)
    parts = [np.flatnonzero(splits == split) for split in Split] if whole else [slice(None)]
    for part in parts:
        faces = (read_faces_twice if twice else read_faces)(photographs.select(rows[part]), view)
        readable[part], blendshapes[part] = faces.readable, faces.blendshapes
    return SeenPhotographs(
        view, twice, rows, photographs.labels[rows], splits, readable, blendshapes
    )
