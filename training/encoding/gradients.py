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

"""The aligned face's gradients of photographs whose landmarks are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from emotion_estimator.faces.face_appearance import GRADIENTS, oriented_gradients
from emotion_estimator.faces.face_crop import crop_face
from training.datasets.pictures import Pictures
from training.extraction.augmentation import flipped
from training.extraction.face_table import FaceTable
from training.extraction.views import View


def face_gradients(
    pictures: Pictures, table: FaceTable, view: View, template: NDArray[np.float32]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """
    Compute each photograph's gradients, and those of its mirror image.

    :param pictures: the photographs.
    :param table: their faces.
    :param view: how they were looked at.
    :param template: see `mean_face`.
    :returns: twice shape [N, GRADIENTS]; 0 where no face was found.
    """
    straight, mirrored = (np.zeros((len(table), GRADIENTS), np.float16) for _ in range(2))
    outlines = table.outlines()
    for row in track(np.flatnonzero(table.readable), f'gradients, {view.name}', transient=True):
        picture = view.picture(pictures.read(int(row)))
        crop = crop_face(picture, outlines[row], template)
        straight[row] = oriented_gradients(crop)
        mirrored[row] = oriented_gradients(flipped(crop))
    return straight, mirrored
