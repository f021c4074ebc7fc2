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

"""Learns the network that tells what a face's crop shows, and makes the runtime's file of it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from emotion_estimator.faces.appearance import CROP_PX, evened
from emotion_estimator.files import write_whole
from emotion_estimator.parallel.engine import ahead
from training.facial_actions import ALSO_WITH_CLOSED_EYES, RULES, Rule
from training.network import HISTORY, LAST, broken_off, random_states, save_whole


@dataclass(frozen=True)
class CropChanges:
    """
    How strongly crops are changed.

    :param mirrored: share turned over left to right.
    :param rotation_rad: standard deviation of the turn.
    :param scale: standard deviation of the size's natural logarithm.
    :param shift_px: standard deviation of the shift along each axis.
    :param coarse: share reduced to fewer pixels and enlarged again, as though far away.
    :param coarse_px: least and most pixels along a side of those.
    :param noisy: share with noise.
    :param noise: most noise, as share of the crop's contrast.
    :param hidden: share of which a rectangle is made even.
    :param hidden_px: least length of its sides, and one above the most.
    :param contrast: standard deviation of the contrast's natural logarithm, and of the
        brightness as share of the contrast.
    :param overexposed: share in which what is bright is white.
    :param exposure: least and most factor of their light.
    """

    mirrored: float = 0.5
    rotation_rad: float = 0.1
    scale: float = 0.06
    shift_px: float = 1.5
    coarse: float = 0.3
    coarse_px: tuple[float, float] = (12.0, 36.0)
    noisy: float = 0.3
    noise: float = 0.25
    hidden: float = 0.25
    hidden_px: tuple[int, int] = (6, 18)
    contrast: float = 0.15
    overexposed: float = 0.15
    exposure: tuple[float, float] = (1.2, 2.2)


def changed_crop(
    crop: NDArray[np.uint8], how: CropChanges, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Change one crop as the face could have been seen otherwise.

    :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
    :param rng: source of chance; the same state gives the same values.
    :returns: evened, see `evened`; the same shape.
    """
    if rng.random() < how.overexposed:
        crop = cv2.convertScaleAbs(crop, alpha=rng.uniform(*how.exposure)).astype(np.uint8)
    if rng.random() < how.coarse:
        side = int(rng.uniform(*how.coarse_px))
        few = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = np.asarray(cv2.resize(few, crop.shape, interpolation=cv2.INTER_LINEAR), np.uint8)
    moved = cv2.warpAffine(
        crop,
        _movement(how, rng),
        crop.shape,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = evened(np.asarray(moved, np.uint8))
    if rng.random() < how.noisy:
        values += rng.standard_normal(values.shape, np.float32) * rng.uniform(0, how.noise)
    if rng.random() < how.hidden:
        height, width = rng.integers(*how.hidden_px, 2)
        above, left = rng.integers(-how.hidden_px[0] // 2, CROP_PX - how.hidden_px[0] // 2, 2)
        values[max(above, 0) : above + height, max(left, 0) : left + width] = 0
    brightness = rng.normal(0, how.contrast)
    return np.asarray(values * np.exp(rng.normal(0, how.contrast)) + brightness, np.float32)


def _movement(how: CropChanges, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw where each pixel goes: turned and scaled about the middle, shifted, mirrored."""
    turn = np.exp(rng.normal(0, how.scale) + 1j * rng.normal(0, how.rotation_rad))
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    if rng.random() < how.mirrored:
        linear[:, 0] *= -1
    middle = np.full(2, (CROP_PX - 1) / 2)
    shift = middle + rng.normal(0, how.shift_px, 2) - linear @ middle
    return np.column_stack([linear, shift])


@dataclass(frozen=True)
class AppearanceSettings:
    """
    How the network is built and learned.

    :param numbers: how many it makes of a crop.
    :param widths: channels at a half, a quarter and an eighth of the crop's side.
    :param blocks: residual blocks at each of these.
    :param units: width of the layer between the numbers and the answers; training only.
    :param dropout: share of outputs dropped in training, half of it behind the convolutions.
    :param epochs: passes over the photographs.
    :param warm_up: epochs in which the learning rate rises to its most, from a twentieth of it.
    :param batch: crops in a batch.
    :param learning_rate: AdamW's at its most; a cosine leads it down to 0.
    :param weight_decay: AdamW's.
    :param changes: what is changed by chance in every epoch.
    :param correction: how strongly the votes that it learns are corrected by the facial actions
        shown, see `facial_actions.corrected`; 0 leaves them.
    :param rules: of that correction.
    """

    numbers: int = 16
    widths: tuple[int, int, int] = (32, 64, 160)
    blocks: tuple[int, int, int] = (1, 2, 2)
    units: int = 64
    dropout: float = 0.2
    epochs: int = 40
    warm_up: int = 2
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.03
    changes: CropChanges = field(default_factory=CropChanges)
    seed: int = 1
    correction: float = 0.0
    rules: tuple[Rule, ...] = RULES


NETWORKS = (
    AppearanceSettings(),
    AppearanceSettings(
        widths=(32, 64, 128),
        blocks=(1, 1, 1),
        epochs=45,
        seed=2,
        correction=1.0,
        rules=ALSO_WITH_CLOSED_EYES,
    ),
)
"""Those of the encoding that ships; their numbers stand side by side."""


@dataclass(frozen=True)
class SeenCrops:
    """
    One view of N photographs.

    :param readable: whether there is a face, shape [N].
    :param crops: grey, shape [N, CROP_PX, CROP_PX], see `crop_face`.
    """

    readable: NDArray[np.bool_]
    crops: NDArray[np.uint8]


_AHEAD = 8
"""Most batches that lie ready while the network learns."""


def learn_appearance(
    views: Sequence[SeenCrops],
    targets: Sequence[NDArray[np.float32]],
    how: AppearanceSettings,
    folder: Path,
) -> keras.Model:
    """
    Train a network whose answers pass through few numbers; take what leads there.

    :param views: the same photographs looked at in several ways; every epoch draws one each.
    :param targets: shares of classes in one or more vocabularies, each shape [N, classes].
    :param folder: where every finished epoch is kept, so that a broken run goes on.
    :returns: from evened crops, shape [N, CROP_PX, CROP_PX, 1], to the numbers, shape
        [N, numbers], of mean 0 and deviation of about 1; the same of a crop and its mirror image.
    """
    keras.utils.set_random_seed(how.seed)
    steps = len(views[0].readable) // how.batch
    model, history = broken_off(folder, steps)
    if model is None:
        model = _compiled(how, steps, [part.shape[1] for part in targets])
    for epoch in range(len(history), how.epochs):
        start = time.monotonic()
        losses = [
            float(model.train_on_batch(crops, answers, return_dict=True)['loss'])
            for crops, answers in ahead(_batches(views, targets, how, epoch), _AHEAD)
        ]
        loss = float(np.mean(losses))
        history.append({'loss': loss, 'random': random_states(model)})
        # In this order: see `network.broken_off`.
        write_whole(folder / HISTORY, json.dumps(history).encode())
        save_whole(model, folder / LAST)
        print(
            f'appearance: epoch {epoch + 1}/{how.epochs}, loss {loss:.4f}, '
            f'{time.monotonic() - start:.0f} s',
            flush=True,
        )
    return _both_ways(keras.Model(model.inputs, model.get_layer('numbers').output))


def side_by_side(networks: Sequence[keras.Model]) -> keras.Model:
    """
    Make one network of several that `learn_appearance` returns.

    :returns: its numbers are theirs, one network's behind the other's.
    """
    if len(networks) == 1:
        return networks[0]
    inputs = keras.Input((CROP_PX, CROP_PX, 1))
    return keras.Model(
        inputs, keras.layers.Concatenate()([network(inputs) for network in networks])
    )


def litert_of(model: keras.Model) -> bytes:
    """
    Convert a network of `learn_appearance` or `side_by_side`.

    Weights are kept in eight bits, in which LiteRT then also computes: a third of the time, and
    numbers that differ by less than a hundredth of their deviation (root mean square).

    :param model: the network.
    :returns: the LiteRT file's bytes; builtin operations only.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format='tf_saved_model', verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return bytes(converter.convert())


def _compiled(how: AppearanceSettings, steps: int, classes: list[int]) -> keras.Model:
    model = _network(how, classes)
    warm_up = min(how.warm_up, how.epochs - 1) * steps
    rate = keras.optimizers.schedules.CosineDecay(
        how.learning_rate / 20,
        how.epochs * steps - warm_up,
        warmup_target=how.learning_rate,
        warmup_steps=warm_up,
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay), [loss] * len(classes)
    )
    return model


def _network(how: AppearanceSettings, classes: list[int]) -> keras.Model:
    """
    Build a small residual network.

    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016:
    blocks of two convolutions.
    """
    inputs = keras.Input((CROP_PX, CROP_PX, 1))
    values = keras.layers.ReLU()(_convolved(inputs, how.widths[0], 5, 2))
    for number, (width, blocks) in enumerate(zip(how.widths, how.blocks)):
        for block in range(blocks):
            stride = 2 if number and not block else 1
            inner = keras.layers.ReLU()(_convolved(values, width, 3, stride))
            inner = _convolved(inner, width, 3, 1)
            if stride > 1:
                values = _convolved(values, width, 1, stride)
            values = keras.layers.ReLU()(keras.layers.Add()([values, inner]))
    values = keras.layers.Dropout(how.dropout / 2)(values)
    # Faces lie on the template, so where something is tells what it is: each channel is summed
    # with weights for its places, not averaged over them.
    values = keras.layers.DepthwiseConv2D(values.shape[1:3], depth_multiplier=2, use_bias=False)(
        values
    )
    values = keras.layers.BatchNormalization()(keras.layers.Flatten()(values))
    values = keras.layers.Dropout(how.dropout)(keras.layers.ReLU()(values))
    values = keras.layers.Dense(how.numbers, use_bias=False)(values)
    values = keras.layers.BatchNormalization(center=False, scale=False, name='numbers')(values)
    values = keras.layers.Dense(how.units, 'relu')(values)
    values = keras.layers.Dropout(how.dropout)(values)
    return keras.Model(inputs, [keras.layers.Dense(count)(values) for count in classes])


def _both_ways(model: keras.Model) -> keras.Model:
    """
    Give the mean of what a network makes of a crop and of its mirror image.

    On PublicTest that raised P7 by .007 and F7 by .005, of far faces by .011 and .008 (a dense
    network on single frames, means of three seeds).
    """
    inputs = keras.Input((CROP_PX, CROP_PX, 1))
    return keras.Model(
        inputs, keras.layers.Average()([model(inputs), model(keras.ops.flip(inputs, axis=2))])
    )


def _convolved(values: keras.KerasTensor, width: int, side: int, stride: int) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(
        width, side, stride, 'same', use_bias=False, kernel_initializer='he_normal'
    )
    # A short memory: the means follow a network that is trained for few epochs.
    return keras.layers.BatchNormalization(momentum=0.9)(convolution(values))


def _batches(
    views: Sequence[SeenCrops],
    targets: Sequence[NDArray[np.float32]],
    how: AppearanceSettings,
    epoch: int,
) -> Iterator[tuple[NDArray[np.float32], list[NDArray[np.float32]]]]:
    """Change an epoch's crops, in batches; every epoch has its own seed."""
    rng = np.random.default_rng([how.seed, epoch])
    order = rng.permutation(len(views[0].readable))
    for step in range(len(order) // how.batch):
        rows = order[step * how.batch : (step + 1) * how.batch]
        drawn = rng.integers(len(views), size=len(rows))
        changed = np.empty((len(rows), CROP_PX, CROP_PX, 1), np.float32)
        for place, row, number in zip(changed, rows, drawn):
            view = views[number] if views[number].readable[row] else views[0]
            place[:, :, 0] = changed_crop(view.crops[row], how.changes, rng)
        yield changed, [part[rows] for part in targets]
