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

"""
Fits the face encoding to the training photographs; it and their crops are kept by content.

Few numbers are learned that tell expressions apart from landmarks, and the face they are laid on.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from emotion_estimator.blendshapes import MIRROR
from emotion_estimator.faces.appearance import CROP_PX, crop_face
from emotion_estimator.faces.encoding import NETWORK, SCHEMA, Projection
from emotion_estimator.faces.geometry import MESH, align
from emotion_estimator.files import write_whole
from training import sources
from training.datasets.pictures import LabelledPictures, Pictures, one_hot
from training.encoding.appearance import (
    NETWORKS,
    AppearanceSettings,
    SeenCrops,
    learn_appearance,
    litert_of,
    side_by_side,
)
from training.extraction.face_reader import FaceTable
from training.extraction.views import View
from training.network import logit
from training.sources import content_key, kept_arrays
from training.stills import Stills


@dataclass(frozen=True)
class Bottleneck:
    """
    How the directions are learned.

    :param numbers: how many are made of the landmarks.
    :param hidden: width of the layer before them.
    :param units: widths of the layers behind the bottleneck.
    :param dropout: share of their outputs dropped in training.
    :param epochs: passes over the photographs.
    :param batch: photographs in a batch.
    :param learning_rate: AdamW's, at the start of its cosine decay to 0.
    :param weight_decay: AdamW's.
    """

    numbers: int = 12
    hidden: int = 96
    units: tuple[int, ...] = (256, 128)
    dropout: float = 0.4
    epochs: int = 20
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    seed: int = 1


@dataclass(frozen=True)
class SeenFaces:
    """
    One view of N photographs.

    :param readable: whether there is a face, shape [N].
    :param shapes: blendshapes, shape [N, 52].
    :param points: landmarks laid on the template, flattened, shape [N, 478 * 3].
    """

    readable: NDArray[np.bool_]
    shapes: NDArray[np.float32]
    points: NDArray[np.float16]


_BOUND = 5.0
_LEAST_DEVIATION = 1e-3
_LEAST_LOGIT_DEVIATION = 0.5


def learn_directions(
    views: Sequence[SeenFaces], targets: Sequence[NDArray[np.float32]], how: Bottleneck
) -> Projection:
    """
    Train a network in which landmarks pass through few units; take what leads there.

    Blendshapes go in beside them, so that they tell what the blendshapes do not.

    :param views: the same photographs looked at in several ways; every epoch draws one each.
    :param targets: shares of classes in one or more vocabularies, each shape [N, classes].
    :returns: the directions, of mean 0 and deviation 1 over the first view.
    """
    keras.utils.set_random_seed(how.seed)
    rng = np.random.default_rng(how.seed)
    first = np.flatnonzero(views[0].readable)
    scales = [
        _Scale.of(views[0].points, first),
        _Scale.of(logit(views[0].shapes), first, least=_LEAST_LOGIT_DEVIATION),
    ]
    model = _network(how, views[0], [t.shape[1] for t in targets])
    count = len(views[0].readable)
    rate = keras.optimizers.schedules.CosineDecay(
        how.learning_rate, how.epochs * -(-count // how.batch)
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay), [loss] * len(targets)
    )
    for epoch in range(how.epochs):
        order = rng.permutation(count)
        drawn = rng.integers(len(views), size=count)
        total = 0.0
        for start in range(0, count, how.batch):
            rows = order[start : start + how.batch]
            inputs = np.concatenate(
                [scale(part) for scale, part in zip(scales, _drawn(views, rows, drawn[rows]))],
                axis=1,
            )
            total = float(model.train_on_batch(inputs, [t[rows] for t in targets])[0])
        print(f'directions: epoch {epoch + 1}/{how.epochs}, loss {total:.4f}', flush=True)
    return _projection(model, scales[0], views[0].points, first)


@dataclass(frozen=True)
class _Scale:
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        values: NDArray[np.floating],
        rows: NDArray[np.int64],
        least: float = _LEAST_DEVIATION,
    ) -> _Scale:
        total, squares = np.zeros((2, values.shape[1]))
        for block in _blocks(values, rows):
            total += block.sum(axis=0, dtype=np.float64)
            squares += np.square(block, dtype=np.float64).sum(axis=0)
        mean = total / len(rows)
        variance = np.maximum(squares / len(rows) - mean**2, 0)
        deviation = np.maximum(np.sqrt(variance), least)
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        scaled = (values.astype(np.float32) - self.mean) / self.deviation
        return np.asarray(np.clip(scaled, -_BOUND, _BOUND), np.float32)


def _blocks(
    values: NDArray[np.floating], rows: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """Give some rows a block at a time; all at once would take gigabytes."""
    for start in range(0, len(rows), 1024):
        yield values[rows[start : start + 1024]].astype(np.float32)


def _drawn(
    views: Sequence[SeenFaces], rows: NDArray[np.int64], drawn: NDArray[np.int64]
) -> tuple[NDArray[np.floating], ...]:
    """Take each row from the view drawn, or from the first where that has no face."""
    first = views[0]
    parts = first.points[rows].astype(np.float32), logit(first.shapes[rows])
    for number, view in enumerate(views[1:], start=1):
        here = np.flatnonzero((drawn == number) & view.readable[rows])
        chosen = rows[here]
        parts[0][here] = view.points[chosen]
        parts[1][here] = logit(view.shapes[chosen])
    return parts


def _network(how: Bottleneck, view: SeenFaces, classes: list[int]) -> keras.Model:
    landmarks = view.points.shape[1]
    inputs = keras.Input((landmarks + view.shapes.shape[1],))
    hidden = keras.layers.Dense(how.hidden, 'relu', name='hidden')(inputs[:, :landmarks])
    hidden = keras.layers.Dropout(how.dropout)(hidden)
    few = keras.layers.Dense(how.numbers, use_bias=False, name='numbers')(hidden)
    few = keras.layers.BatchNormalization(center=False, scale=False)(few)
    values = keras.layers.Concatenate()([few, inputs[:, landmarks:]])
    for units in how.units:
        values = keras.layers.Dense(units, 'relu')(values)
        values = keras.layers.Dropout(how.dropout)(values)
    return keras.Model(inputs, [keras.layers.Dense(count)(values) for count in classes])


def _projection(
    model: keras.Model, scale: _Scale, values: NDArray[np.float16], rows: NDArray[np.int64]
) -> Projection:
    kernel, bias = model.get_layer('hidden').get_weights()
    directions = model.get_layer('numbers').get_weights()[0]
    plain = Projection(
        scale.mean,
        kernel / scale.deviation[:, None],
        bias,
        directions,
        np.zeros(directions.shape[1], np.float32),
    )
    found = np.concatenate([plain(block) for block in _blocks(values, rows)])
    deviation = found.std(axis=0)
    return replace(plain, directions=directions / deviation, offset=-found.mean(0) / deviation)


ROUNDS = 5
_FLIP = np.array([-1, 1, 1], np.float32)


def mirror_order(face: NDArray[np.float32]) -> NDArray[np.int64]:
    """
    Find which landmark of a mirrored face stands in place of each.

    :param face: a roughly frontal, symmetric face in face units, shape [478, 3].
    :returns: indices, shape [478]; the skin's landmarks and the irises stay among themselves.
    """
    parts = [slice(0, MESH), slice(MESH, len(face))]
    orders = [linear_sum_assignment(cdist(face[p], face[p] * _FLIP))[1] + p.start for p in parts]
    return np.concatenate(orders)


def mirrored(points: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """
    Mirror faces left to right.

    :param points: in face units, shape [..., 478, 3].
    :param order: see `mirror_order`.
    :returns: the same shape.
    """
    return np.asarray(points[..., order, :] * _FLIP)


def mean_face(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute the template: faces laid on their own mean again and again (Procrustes analysis).

    J. C. Gower, "Generalized Procrustes analysis", Psychometrika 40 (1975), 33. The first mean is
    that of the faces as photographed; mirror images count too, so that a template turned to
    neither side comes out.

    :param points: in face units, shape [N, 478, 3].
    :returns: in face units, shape [478, 3].
    """
    template = points.mean(axis=0)
    order = mirror_order(template)
    for _ in range(ROUNDS):
        template = _in_units((template + mirrored(template, order)) / 2)
        template = align(points, template)[0].mean(axis=0)
    return _in_units((template + mirrored(template, order)) / 2)


def _in_units(face: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = face - face[:MESH].mean(axis=0)
    unit = np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())
    return np.asarray(centred / unit, np.float32)


# The encoding's file, and the crops that it is learned from.


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
    key = content_key('crops', view, template, *found, pictures.content())
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
    appearance: tuple[AppearanceSettings, ...] = NETWORKS,
) -> Path:
    """
    Fit template, directions and network, or take what an earlier run of the same content left.

    :param photographs: all photographs of the training split.
    :param tables: their faces by view, the photograph as it is first.
    :param learned_from: which photographs are learned from, with their targets and their
        blendshapes; `rows` are positions in `photographs`.
    :param geometry: how the landmarks' directions are learned; None takes the defaults.
    :param appearance: how the appearance's networks are learned.
    :returns: the encoding's file, see `read_encoding`.
    """
    geometry = geometry or Bottleneck()
    targets = [one_hot(learned_from.labels), learned_from.vote_shares()]
    votes = [learned_from.corrected_shares(how.correction, how.rules) for how in appearance]
    seen = [part for _, table in tables for part in (table.points, table.blendshapes)]
    key = content_key('encoding', geometry, appearance, *seen, learned_from.rows, *targets, *votes)
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
    networks = [
        learn_appearance(views, [targets[0], of_it], how, folder / f'network_{number}')
        for number, (how, of_it) in enumerate(zip(appearance, votes), 1)
    ]
    network = litert_of(side_by_side(networks))
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
