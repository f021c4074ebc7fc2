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

"""The network: normalisation, dense layers per step, an LSTM over time, logits of the classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.files import writing


def save_whole(network: keras.Model, path: Path) -> None:
    """
    Save a network under another name, then rename it.

    :param network: with its optimizer, so that training can go on.
    :param path: a .keras file; its folder is made where it is missing.
    :raises OutputError: naming the file and the reason; nothing of it is left then.
    """
    temporary = path.with_name(f'unfinished-{path.name}')
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            network.save(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def random_states(network: keras.Model) -> list[list[int]]:
    """List the states of the generators that draw in training; a saved network lacks them."""
    return [generator.state.numpy().tolist() for generator in _generators(network)]


LAST, HISTORY = 'last.keras', 'history.json'
"""Files that a training writes after each epoch: the history first, see `broken_off`."""


def broken_off(folder: Path, batches: int) -> tuple[keras.Model | None, list[Any]]:
    """
    Go on with a training as though it had not been broken off.

    :param folder: with `LAST`, the network after the last epoch that was finished, and `HISTORY`,
        an entry for each epoch, each with its `random_states` as 'random'; written before the
        network, so that the last entry may be of an epoch that has to be trained again.
    :param batches: of an epoch.
    :returns: the network and the entries of the epochs that it has been trained; None and none
        where it is to be begun.
    """
    if not (folder / LAST).is_file():
        return None, []
    try:
        history = list(json.loads((folder / HISTORY).read_text()))
        network = keras.models.load_model(folder / LAST)
        epochs = int(network.optimizer.iterations) // batches
        for generator, state in zip(_generators(network), history[epochs - 1]['random']):
            generator.state.assign(state)
    # Of a damaged file each library complains in its own way.
    except Exception as error:
        print(f'{folder} is damaged ({error}); the training begins again.')
        return None, []
    return network, history[:epochs]


def _generators(network: keras.Model) -> list[Any]:
    layers = [layer for layer in network.layers if hasattr(layer, 'seed_generator')]
    return [layer.seed_generator for layer in layers]


# Features on a scale on which movements add up: of blendshapes, which lie between 0 and 1, the
# log-odds. Pose, geometry and appearance are unbounded already.
EPSILON = 1e-4
"""Blendshapes are kept this far from 0 and 1."""

SHAPES = len(NAMES)
"""The first so many features are blendshapes."""


def logit(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute log-odds, bounded by `EPSILON`.

    :param shares: values in [0, 1].
    :returns: log(x / (1 - x)), within +-9.2.
    """
    clipped = np.clip(shares, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def additive(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Bring features onto the scale.

    :param values: shape [..., F], the blendshapes first.
    :returns: the same shape.
    """
    return np.concatenate([logit(values[..., :SHAPES]), values[..., SHAPES:]], axis=-1)


def from_additive(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Invert `additive`.

    :param values: shape [..., F].
    :returns: the same shape.
    """
    found = np.array(values, np.float32)
    found[..., :SHAPES] = 1 / (1 + np.exp(-found[..., :SHAPES]))
    return found


DESCRIPTION = (
    f'inside the network: each blendshape clipped to [{EPSILON}, 1 - {EPSILON}] and its logit '
    'taken; all features standardised by mean and standard deviation over the training stills, '
    'clipped to +-4, times validity'
)

# MediaPipe's dead channels hardly ever move: another source of blendshapes may move them, and
# that must not drown everything else.
_LEAST_DEVIATION = 0.5
_MOST_DEVIATIONS = 4.0


@dataclass(frozen=True)
class Architecture:
    """
    Sizes of the network.

    :param dense_units: widths of the dense layers that each step goes through.
    :param lstm_units: width of the LSTM.
    :param dropout: share of the dense and LSTM outputs dropped in training.
    :param label_smoothing: share of each target spread over all classes.
    :param unseen: share of the windows whose appearance is left out in training, as though it
        said nothing: it is what fits other people least, and beards or light may mislead it.
    """

    dense_units: tuple[int, ...] = (256, 128)
    lstm_units: int = 96
    dropout: float = 0.3
    label_smoothing: float = 0.0
    unseen: float = 0.15


@keras.saving.register_keras_serializable('emotion_estimator')
class AnswersLoss(keras.losses.Loss):
    """
    Categorical cross-entropy of questions whose logits stand side by side.

    :param classes: how many logits each question has.
    :param weights: of each question.
    :param label_smoothing: share of each target spread over all classes.
    """

    def __init__(
        self, classes: list[int], weights: list[float], label_smoothing: float, **options: Any
    ) -> None:
        super().__init__(**options)
        self.classes = classes
        self.weights = weights
        self.label_smoothing = label_smoothing

    def call(self, targets: Any, logits: Any) -> Any:
        """
        Compute the loss.

        :param targets: shares, shape [windows, outputs].
        :param logits: same shape.
        :returns: of each window, shape [windows].
        """
        ends = np.cumsum(self.classes).tolist()
        return sum(
            weight
            * keras.losses.categorical_crossentropy(
                targets[:, end - classes : end],
                logits[:, end - classes : end],
                from_logits=True,
                label_smoothing=self.label_smoothing,
            )
            for classes, end, weight in zip(self.classes, ends, self.weights)
        )

    def get_config(self) -> dict[str, Any]:
        """Describe the loss for saving."""
        return {
            **super().get_config(),
            'classes': self.classes,
            'weights': self.weights,
            'label_smoothing': self.label_smoothing,
        }


@keras.saving.register_keras_serializable('emotion_estimator')
class Normalisation(keras.layers.Layer):
    """
    Standardised features of the observed steps; 0 elsewhere; the validity column stays.

    :param mean: of each feature on the scale of `additive`.
    :param deviation: of each feature, above 0.
    """

    def __init__(self, mean: list[float], deviation: list[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean = list(mean)
        self.deviation = list(deviation)

    def call(self, windows: Any) -> Any:
        """
        Normalise.

        :param windows: shape [windows, steps, features + 1].
        :returns: the same shape.
        """
        ops = keras.ops
        shares = ops.clip(windows[..., :SHAPES], EPSILON, 1 - EPSILON)
        logits = ops.log(shares / (1 - shares))
        validity = windows[..., -1:]
        values = ops.concatenate([logits, windows[..., SHAPES:-1]], axis=-1)
        mean = ops.convert_to_tensor(self.mean, dtype='float32')
        factor = ops.convert_to_tensor(1 / np.array(self.deviation), dtype='float32')
        standardised = (values - mean) * factor
        bounded = ops.clip(standardised, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return ops.concatenate([bounded * validity, validity], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Describe the layer for saving."""
        return {**super().get_config(), 'mean': self.mean, 'deviation': self.deviation}


@keras.saving.register_keras_serializable('emotion_estimator')
class LeftOut(keras.layers.Layer):
    """
    Some features at 0, their mean, over whole windows drawn by chance; in training only.

    :param columns: which features.
    :param share: of the windows.
    """

    def __init__(self, columns: list[int], share: float, **options: Any) -> None:
        super().__init__(**options)
        self.columns = list(columns)
        self.share = share
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, windows: Any, training: bool = False) -> Any:
        """
        Leave out.

        :param windows: normalised, shape [windows, steps, features + 1].
        :returns: the same shape.
        """
        if not training:
            return windows
        kept = np.ones(windows.shape[-1], np.float32)
        kept[self.columns] = 0
        count = keras.ops.shape(windows)[0]
        drawn = keras.random.uniform((count, 1, 1), seed=self.seed_generator) < self.share
        return keras.ops.where(drawn, windows * kept, windows)

    def get_config(self) -> dict[str, Any]:
        """Describe the layer for saving."""
        return {**super().get_config(), 'columns': self.columns, 'share': self.share}


def statistics(values: NDArray[np.float32]) -> tuple[list[float], list[float]]:
    """
    Measure the training stills.

    :param values: features, shape [N, F], the blendshapes first.
    :returns: mean and deviation of each on the scale of `additive`.
    """
    scaled = additive(values).astype(np.float64)
    deviation = scaled.std(axis=0)
    deviation[:SHAPES] = np.maximum(deviation[:SHAPES], _LEAST_DEVIATION)
    return scaled.mean(axis=0).tolist(), np.maximum(deviation, 1e-3).tolist()


def build(
    architecture: Architecture,
    mean: list[float],
    deviation: list[float],
    classes: int,
    appearance: Sequence[int] = (),
) -> keras.Model:
    """
    Build the untrained network.

    :param mean: see `Normalisation`.
    :param deviation: see `Normalisation`.
    :param classes: number of outputs.
    :param appearance: which features are of the appearance, see `Architecture.unseen`.
    :returns: a model from [windows, steps, F + 1], any number of steps, to logits
        [windows, classes].
    """
    windows = keras.Input((None, len(mean) + 1), name='window')
    values = Normalisation(mean, deviation, name='normalisation')(windows)
    if appearance:
        values = LeftOut(list(appearance), architecture.unseen)(values)
    for number, units in enumerate(architecture.dense_units):
        values = keras.layers.Dense(units, 'relu', name=f'per_step_{number}')(values)
        values = keras.layers.Dropout(architecture.dropout)(values)
    values = keras.layers.LSTM(architecture.lstm_units, name='over_time')(values)
    values = keras.layers.Dropout(architecture.dropout)(values)
    return keras.Model(windows, keras.layers.Dense(classes, name='logits')(values))
