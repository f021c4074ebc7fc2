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

"""Fits the face encoding to the training photographs; kept by content."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import write_whole
from emotion_estimator.blendshapes import MIRROR
from emotion_estimator.faces import face_appearance, face_crop, face_geometry, face_patches
from emotion_estimator.faces.face_encoding import SCHEMA, Projection
from emotion_estimator.faces.face_geometry import align
from emotion_estimator.faces.face_patches import PatchBank
from training import sources
from training.code_digest import code_of
from training.datasets.labels import one_hot
from training.datasets.pictures import LabelledPictures
from training.encoding import crops, directions, patches, template
from training.encoding.crops import face_crops
from training.encoding.directions import Bottleneck, SeenFaces, learn_directions
from training.encoding.patches import all_appearance, learn_patches
from training.encoding.template import mean_face, mirror_order, mirrored
from training.extraction.face_table import FaceTable
from training.extraction.views import View
from training.stills import Stills

_SOURCES = (
    face_appearance,
    face_crop,
    face_geometry,
    face_patches,
    crops,
    directions,
    patches,
    template,
)


def fit_encoding(
    photographs: LabelledPictures,
    tables: list[tuple[View, FaceTable]],
    learned_from: Stills,
    how: Bottleneck | None = None,
) -> Path:
    """
    Fit template, patches and directions, or take what an earlier run of the same content left.

    :param photographs: all photographs of the training split.
    :param tables: their faces by view, the photograph as it is first.
    :param learned_from: which photographs are learned from, with their targets; `rows` are
        positions in `photographs`.
    :param how: sizes; None takes the defaults.
    :returns: the encoding's file, see `read_encoding`.
    """
    how = how or Bottleneck()
    key = hashlib.sha256(json.dumps(dataclasses.asdict(how)).encode())
    for module in _SOURCES:
        key.update(code_of(module))
    for _, table in tables:
        key.update(table.points.tobytes() + table.blendshapes.tobytes())
    targets = [one_hot(learned_from.labels), learned_from.vote_shares()]
    for part in (learned_from.rows, *targets):
        key.update(part.tobytes())
    kept = sources.OUT / 'encoding' / f'{key.hexdigest()[:16]}.npz'
    if kept.is_file():
        return kept
    rows = learned_from.rows
    face = mean_face(tables[0][1].points[rows].astype(np.float32))
    # Of all photographs, so that what is cut here is kept for the features too.
    cut = [face_crops(photographs.pictures, table, view, face)[rows] for view, table in tables]
    bank = learn_patches(cut[0])
    views = [
        seen
        for (view, table), part in zip(tables, cut)
        for seen in _seen(table.select(rows), view, part, face, bank)
    ]
    geometry, appearance = learn_directions(views, targets, how)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        schema=SCHEMA,
        template=face,
        **_halved('geometry', geometry),
        **_halved('appearance', appearance),
        patches_centres=bank.centres.astype(np.float16),
        patches_mean=bank.mean,
        patches_whitening=bank.whitening,
    )
    write_whole(kept, content.getvalue())
    return kept


def _halved(group: str, projection: Projection) -> dict[str, NDArray[np.float16]]:
    """Name a projection's parts; half precision halves the file and changes no answer."""
    return {f'{group}_{k}': v.astype(np.float16) for k, v in vars(projection).items()}


def _seen(
    table: FaceTable,
    view: View,
    cut: NDArray[np.uint8],
    face: NDArray[np.float32],
    bank: PatchBank,
) -> list[SeenFaces]:
    """Describe a view's faces, and their mirror images where nothing was changed by chance."""
    points = table.points.astype(np.float32)
    found = [
        SeenFaces(
            table.readable,
            table.blendshapes,
            _laid(points, face),
            all_appearance(cut, bank, view.name),
        )
    ]
    if view.augmentation is None:
        turned = mirrored(points, mirror_order(face))
        found.append(
            SeenFaces(
                table.readable,
                table.blendshapes[:, list(MIRROR)],
                _laid(turned, face),
                all_appearance(cut[:, :, ::-1], bank, f'{view.name} mirrored'),
            )
        )
    return found


def _laid(points: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[np.float16]:
    """Lay faces on the template, flattened; a face that was not found stays 0."""
    laid = np.zeros((len(points), points[0].size), np.float16)
    for chosen in np.array_split(np.flatnonzero(points.any(axis=(1, 2))), len(points) // 512 + 1):
        laid[chosen] = align(points[chosen], face)[0].reshape(len(chosen), -1)
    return laid
