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

"""Learns the network that tells what of a face is there to be seen, and whether it is upright."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.faces.appearance import CROP_PX, VISIBLE_NAMES, FaceVisibility
from emotion_estimator.faces.encoding import (
    checksum_file,
    checksum_line,
    read_encoding,
    visibility_file,
)
from emotion_estimator.files import write_whole
from emotion_estimator.parallel.engine import ahead
from training import sources
from training.covers import EYE_COVERS, HARMLESS, MOUTH_COVERS
from training.datasets.pictures import DataError, Pictures, Split, assets_folder
from training.encoding.appearance import CropChanges, changed_crop, litert_of
from training.extraction.covered_faces import SeenParts, every_part
from training.still_features import encoding_path

PHOTOGRAPHS, TESTED = 5_000, 1_000
"""How many photographs are learned from, and how many tell what came out."""
_DONORS = 300  # photographs whose parts serve as cloth
DONOR_PX = 48, 192
"""Least and greatest length of such a photograph's shorter side."""


@dataclass(frozen=True)
class VisibilitySettings:
    """
    How the network is built and learned.

    :param widths: channels of the convolutions.
    :param units: width of the layer behind them.
    :param dropout: share of outputs dropped in training.
    :param epochs: passes over the crops.
    :param batch: crops in a batch.
    :param learning_rate: AdamW's at its most, after the first epoch.
    :param weight_decay: AdamW's.
    :param doubt: share of each answer that is taken for wrong: photographs show covers too.
    :param changes: what is changed by chance in every epoch.
    :param seed: of everything random.
    """

    widths: tuple[int, int, int, int] = (16, 32, 32, 64)
    units: int = 32
    dropout: float = 0.2
    epochs: int = 20
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    doubt: float = 0.01
    changes: CropChanges = field(
        default_factory=lambda: CropChanges(
            rotation_rad=0.08, hidden=0.0, coarse=0.35, coarse_px=(14.0, 40.0)
        )
    )
    seed: int = 1


def learn_visibility(parts: SeenParts, how: VisibilitySettings) -> keras.Model:
    """
    Train the network.

    :param parts: what it learns from. Where the mesh is laid wrong, what else can be seen counts
        for nothing.
    :param how: sizes.
    :returns: from evened crops, [N, CROP_PX, CROP_PX, 1], to logits of `SeenParts.seen`, [N, 3].
    """
    keras.utils.set_random_seed(how.seed)
    model = _network(how)
    steps = len(parts) // how.batch
    rate = keras.optimizers.schedules.CosineDecay(
        how.learning_rate / 20,
        (how.epochs - 1) * steps,
        warmup_target=how.learning_rate,
        warmup_steps=steps,
        alpha=0.02,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=how.weight_decay)
    answers = np.abs(parts.seen - np.float32(how.doubt)).astype(np.float32)
    weights = np.where(parts.seen[:, 2:], 1, [0, 0, 1]).astype(np.float32)

    @tf.function
    def learn(crops: tf.Tensor, right: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(crops, training=True)
            loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=right, logits=logits)
            loss = tf.reduce_mean(loss * weight)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    for epoch in range(how.epochs):
        start, losses = time.monotonic(), []
        for crops, rows in ahead(_batches(parts, how, epoch), 8):
            losses.append(float(learn(crops, answers[rows], weights[rows])))
        took_s = time.monotonic() - start
        print(
            f'visibility: epoch {epoch + 1}/{how.epochs}, loss {np.mean(losses):.4f}, '
            f'{took_s:.0f} s',
            flush=True,
        )
    return model


def _network(how: VisibilitySettings) -> keras.Model:
    layers = keras.layers
    inputs = values = keras.Input((CROP_PX, CROP_PX, 1))
    for width, side, stride in zip(how.widths, (5, 3, 3, 3), (2, 2, 1, 2)):
        values = layers.Conv2D(width, side, stride, 'same', use_bias=False)(values)
        values = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(values))
    values = layers.Dropout(how.dropout)(layers.Flatten()(values))
    values = layers.Dropout(how.dropout)(layers.Dense(how.units, 'relu')(values))
    return keras.Model(inputs, layers.Dense(3)(values))


def _batches(
    parts: SeenParts, how: VisibilitySettings, epoch: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Change an epoch's crops, in batches; every epoch has its own seed."""
    rng = np.random.default_rng([how.seed, epoch])
    order = rng.permutation(len(parts))
    for step in range(len(order) // how.batch):
        rows = order[step * how.batch : (step + 1) * how.batch]
        changed = [changed_crop(parts.crops[row], how.changes, rng) for row in rows]
        yield np.stack(changed)[..., None], rows


def table_of(parts: SeenParts, encoding: Path) -> Table:
    """
    Tell what the runtime makes of crops.

    :param parts: the crops.
    :param encoding: file of the face encoding that ships, with the network beside it.
    :returns: by what was drawn: how many crops, and of which shares mouth, eyes, skin and the
        mesh's place are said to be seen in full and not at all.
    """
    shipped = read_encoding(encoding)
    visibility = FaceVisibility(shipped.template, shipped.visibility)
    found = np.array([visibility.of(crop) for crop in parts.crops])
    laid_wrong = ~parts.seen[:, 2]
    groups = {
        'as it is': parts.kinds == 'as it is',
        **{
            name: np.array([name in kind.split('+') for kind in parts.kinds]) & ~laid_wrong
            for name in (*MOUTH_COVERS, *EYE_COVERS)
        },
        'harmless': np.array([set(k.split('+')) <= set(HARMLESS) for k in parts.kinds]),
        'mesh laid right, turned': (parts.kinds == 'turned') & ~laid_wrong,
        'mesh laid wrong': laid_wrong,
    }
    title = 'Share of crops seen in full, share not seen at all; PublicTest'
    table = Table('', 'crops', *VISIBLE_NAMES, 'any 0', title=title)
    for name, rows in groups.items():
        values = found[rows]
        cells = [f'{(v == 1).mean():.3f} {(v == 0).mean():.3f}' for v in values.T]
        table.add_row(name, str(len(values)), *cells, f'{(values == 0).any(axis=1).mean():.3f}')
    return table


def donor_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Bring a photograph that serves as cloth to a size of which a part can be cut.

    All of them are held at once, and go with each task.

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: the same where its shorter side is within `DONOR_PX`, otherwise as near to it.
    """
    height, width = picture.shape[:2]
    shorter = min(height, width)
    wanted = int(np.clip(shorter, *DONOR_PX))
    if wanted == shorter:
        return picture
    size = round(width * wanted / shorter), round(height * wanted / shorter)
    kind = cv2.INTER_AREA if wanted < shorter else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=kind), np.uint8)


def fit_shipped_visibility(learn: bool) -> Table:
    """
    Learn the network from FER2013's training split, and see what comes out on PublicTest.

    :param learn: whether it is learned and put where the runtime finds it; otherwise the one that
        ships is looked at.
    :returns: see `table_of`.
    :raises DataError: when photographs are missing, or too few show a face.
    """
    # The processes that do the work inherit it.
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    photographs = sources.read_photographs()
    drawn = np.random.default_rng(1)

    def some(split: Split, count: int) -> Pictures:
        every = photographs.split(split).pictures
        chosen = drawn.permutation(len(every))[:count].tolist()
        return every.part(sources.legible(every, chosen))

    training, tested = some(Split.TRAINING, PHOTOGRAPHS), some(Split.PUBLIC, TESTED)
    donors = [donor_of(training.read(index)) for index in range(min(_DONORS, len(training)))]

    def parts_of(pictures: Pictures, least: int) -> SeenParts:
        parts = every_part(pictures, donors, encoding_path(), sources.scheduler())
        if len(parts) < least:
            raise DataError(
                f'{len(pictures)} photographs of {photographs.name} give {len(parts)} crops of '
                f'faces; at least {least} are needed.'
            )
        return parts

    path, how = visibility_file(encoding_path()), VisibilitySettings()
    if learn:
        network = litert_of(learn_visibility(parts_of(training, how.batch), how))
        write_whole(path, network)
        write_whole(checksum_file(path), checksum_line(path, network))
        print(f'{path}: {path.stat().st_size} bytes')
    return table_of(parts_of(tested, 1), encoding_path())
