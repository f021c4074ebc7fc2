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

"""The aligned face's crops of photographs whose landmarks are known; kept by content."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from emotion_estimator.faces import face_crop
from emotion_estimator.faces.face_crop import CROP_PX, crop_face
from emotion_estimator.files import write_whole
from training import sources
from training.code_digest import code_of
from training.datasets.pictures import Pictures
from training.extraction import augmentation, preparation, views
from training.extraction.face_table import FaceTable
from training.extraction.views import View

_SOURCES = (face_crop, augmentation, preparation, views)


def face_crops(
    pictures: Pictures, table: FaceTable, view: View, template: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """
    Cut out each photograph's face, or take what an earlier run of the same content left.

    :param pictures: the photographs.
    :param table: their faces.
    :param view: how they were looked at.
    :param template: see `mean_face`.
    :returns: grey, shape [N, CROP_PX, CROP_PX]; 0 where no face was found.
    """
    key = hashlib.sha256(repr(view).encode() + template.tobytes())
    for part in (table.readable, table.points, table.places):
        key.update(part.tobytes())
    for content in pictures.content():
        key.update(content)
    for module in _SOURCES:
        key.update(code_of(module))
    kept = sources.OUT / 'crops' / f'{key.hexdigest()[:16]}.npz'
    if not kept.is_file():
        made = io.BytesIO()
        np.savez(made, crops=_cut(pictures, table, view, template))
        write_whole(kept, made.getvalue())
    with np.load(kept, allow_pickle=False) as file:
        crops: NDArray[np.uint8] = file['crops']
        return crops


def _cut(
    pictures: Pictures, table: FaceTable, view: View, template: NDArray[np.float32]
) -> NDArray[np.uint8]:
    outlines = table.outlines()

    def crop(row: int) -> NDArray[np.uint8]:
        return crop_face(view.picture(pictures.read(row)), outlines[row], template)

    crops = np.zeros((len(table), CROP_PX, CROP_PX), np.uint8)
    rows = np.flatnonzero(table.readable).tolist()
    # OpenCV lets other threads run while it works.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        found = track(
            threads.map(crop, rows), f'crops, {view.name}', total=len(rows), transient=True
        )
        for row, cut in zip(rows, found):
            crops[row] = cut
    return crops
