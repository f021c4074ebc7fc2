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

"""Fits the face encoding to the training photographs; it and their crops are kept by content."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from emotion_estimator.blendshapes import MIRROR
from emotion_estimator.faces.appearance import CROP_PX, crop_face
from emotion_estimator.faces.encoding import NETWORK, SCHEMA
from emotion_estimator.faces.geometry import align
from emotion_estimator.files import write_whole
from training import sources
from training.datasets.labels import one_hot
from training.datasets.pictures import LabelledPictures, Pictures
from training.encoding.appearance import AppearanceSettings, SeenCrops, learn_appearance, litert_of
from training.encoding.geometry import (
    Bottleneck,
    SeenFaces,
    learn_directions,
    mean_face,
    mirror_order,
    mirrored,
)
from training.extraction.face_reader import FaceTable
from training.extraction.views import View
from training.sources import content_key, kept_arrays
from training.stills import Stills


def face_crops(
    pictures: Pictures, table: FaceTable, view: View, template: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """
    Cut out each photograph's face, or take what an earlier run of the same content left.

    :param table: their faces.
    :param template: see `mean_face`.
    :returns: grey, shape [N, CROP_PX, CROP_PX]; 0 where no face was found.
    """
    found = (table.readable, table.points, table.places)
    key = content_key('crops', view, template, *found, *pictures.content())
    kept = sources.OUT / 'crops' / f'{key}.npz'
    kept_arrays(kept, lambda: {'crops': _cut(pictures, table, view, template)})
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


def fit_encoding(
    photographs: LabelledPictures,
    tables: list[tuple[View, FaceTable]],
    learned_from: Stills,
    geometry: Bottleneck | None = None,
    skin: AppearanceSettings | None = None,
) -> Path:
    """
    Fit template, directions and network, or take what an earlier run of the same content left.

    :param photographs: all photographs of the training split.
    :param tables: their faces by view, the photograph as it is first.
    :param learned_from: which photographs are learned from, with their targets; `rows` are
        positions in `photographs`.
    :param geometry: how the landmarks' directions are learned; None takes the defaults.
    :param skin: how the appearance's network is learned; None takes the defaults.
    :returns: the encoding's file, see `read_encoding`.
    """
    geometry, skin = geometry or Bottleneck(), skin or AppearanceSettings()
    targets = [one_hot(learned_from.labels), learned_from.vote_shares()]
    seen = [part for _, table in tables for part in (table.points, table.blendshapes)]
    key = content_key('encoding', geometry, skin, *seen, learned_from.rows, *targets)
    folder = sources.OUT / 'encoding' / key
    kept = folder / 'encoding.npz'
    if kept.is_file():
        return kept
    rows = learned_from.rows
    face = mean_face(tables[0][1].points[rows].astype(np.float32))
    chosen = [(view, table.select(rows)) for view, table in tables]
    laid = [seen for view, table in chosen for seen in _seen(table, view, face)]
    # Of all photographs, so that what is cut here is kept for the features too.
    cut = [face_crops(photographs.pictures, table, view, face)[rows] for view, table in tables]
    views = [SeenCrops(table.readable, crops) for (_, table), crops in zip(chosen, cut)]
    network = litert_of(learn_appearance(views, targets, skin, folder))
    content = io.BytesIO()
    arrays: dict[str, Any] = {NETWORK: np.frombuffer(network, np.uint8)}
    np.savez_compressed(
        content,
        schema=SCHEMA,
        template=face,
        # Half precision halves what is kept and changes no answer.
        **{
            f'geometry_{name}': part.astype(np.float16)
            for name, part in vars(learn_directions(laid, targets, geometry)).items()
        },
        **arrays,
    )
    write_whole(kept, content.getvalue())
    return kept


def _seen(table: FaceTable, view: View, face: NDArray[np.float32]) -> list[SeenFaces]:
    """Lay a view's faces on the template, and their mirror images where nothing was changed."""
    points = table.points.astype(np.float32)
    found = [SeenFaces(table.readable, table.blendshapes, _laid(points, face))]
    if view.augmentation is None:
        shapes = table.blendshapes[:, list(MIRROR)]
        turned = mirrored(points, mirror_order(face))
        found.append(SeenFaces(table.readable, shapes, _laid(turned, face)))
    return found


def _laid(points: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[np.float16]:
    """Lay faces on the template, flattened; a face that was not found stays 0."""
    laid = np.zeros((len(points), points[0].size), np.float16)
    for chosen in np.array_split(np.flatnonzero(points.any(axis=(1, 2))), len(points) // 512 + 1):
        laid[chosen] = align(points[chosen], face)[0].reshape(len(chosen), -1)
    return laid
