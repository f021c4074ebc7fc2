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

"""What the search may choose, and the network that a choice makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
import keras_tuner

# The report's fully connected network, which sees one face of a window and no time.


Observed = Literal['last', 'mean']


@keras.saving.register_keras_serializable('emotion_estimator')
class ObservedFace(keras.layers.Layer):
    """
    One face for a window: its last observed step, or the mean over its observed steps.

    :param observed: 'last' or 'mean'.
    :raises ValueError: for anything else.
    """

    def __init__(self, observed: Observed = 'last', **options: Any) -> None:
        super().__init__(**options)
        if observed not in ('last', 'mean'):
            raise ValueError(f"observed is {observed!r}; it must be 'last' or 'mean'.")
        self.observed = observed

    def call(self, windows: Any) -> Any:
        """
        Reduce windows to faces.

        :param windows: shape [windows, steps, features + 1]; the last column is validity, above
            0 where a step was observed.
        :returns: shape [windows, features]; 0 for a window without an observed step.
        """
        ops = keras.ops
        weights = ops.cast(windows[..., -1:] > 0, windows.dtype)
        if self.observed == 'last':
            from_here_on = ops.flip(ops.cumsum(ops.flip(weights, axis=1), axis=1), axis=1)
            weights = weights * ops.cast(from_here_on == 1, windows.dtype)
        count = ops.maximum(ops.sum(weights, axis=1), 1)
        return ops.sum(windows[..., :-1] * weights, axis=1) / count

    def get_config(self) -> dict[str, Any]:
        """
        Describe the layer for saving.

        :returns: the constructor's arguments.
        """
        return {**super().get_config(), 'observed': self.observed}


def build_dense(
    shape: tuple[int, int],
    classes: int,
    units: tuple[int, ...],
    activation: str = 'selu',
    kernel_l2: float = 0.0,
    observed: Observed = 'last',
) -> keras.Model:
    """
    Build the untrained network of the report's section 5.2, not compiled.

    :param shape: steps and columns of a window, validity included.
    :param classes: number of classes.
    :param units: widths of the hidden layers, from the input on.
    :param activation: of the hidden layers, by its name in Keras.
    :param kernel_l2: factor of the squared weights in the loss, at least 0.
    :param observed: which face of the window is seen, see `ObservedFace`.
    :returns: a model from [windows, steps, features + 1] to probabilities [windows, classes].
    """
    window = keras.Input(shape, name='window')
    values = ObservedFace(observed, name='face')(window)
    for number, width in enumerate(units):
        values = keras.layers.Dense(
            width,
            activation,
            kernel_regularizer=keras.regularizers.L2(kernel_l2),
            name=f'dense_{number}',
        )(values)
    shares = keras.layers.Dense(classes, 'softmax', name='probabilities')(values)
    return keras.Model(window, shares, name='dense')


# Metrics of Keras that need one right class, for targets that are shares of several.


class _GreatestShare:
    """
    Takes the class with the greatest share as the right one.

    `Precision` and `Recall` of Keras turn every share above 0 into a right answer, so that each
    class that one voter in ten named would be right.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """
        Count a batch.

        :param y_true: shares of the classes, shape [N, classes].
        :param y_pred: probabilities, same shape.
        :param sample_weight: as in Keras.
        :returns: as in Keras.
        """
        ops = keras.ops
        right = ops.one_hot(ops.argmax(y_true, axis=-1), ops.shape(y_true)[-1])
        return super().update_state(right, y_pred, sample_weight)  # type: ignore[misc]


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestSharePrecision(_GreatestShare, keras.metrics.Precision):
    """Share of the answers above a probability that are right, over all classes together."""


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestShareRecall(_GreatestShare, keras.metrics.Recall):
    """Share of the faces whose right class is answered above a probability."""


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestShareF1(_GreatestShare, keras.metrics.F1Score):
    """
    F1 of the most probable class, 2 P R / (P + R).

    The report (section 5.3) prints P R / (P + R), which is half of it.
    """


REPORT = "the report 'Emotion estimation from video footage with LSTM', section 5.3"
OWN = 'our own; the report gives no range'
CLIP_NORM = 1.0
"""Greatest norm of all gradients together; that of the report's best model."""


@dataclass(frozen=True)
class Choices:
    """
    A setting with a few values.

    :param values: all of one type.
    :param source: where they are from.
    :param only_with: setting and value without which this setting does not exist.
    """

    values: tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
    source: str
    only_with: tuple[str, str] | None = None


@dataclass(frozen=True)
class Steps:
    """
    A setting with evenly spaced whole numbers.

    :param low: least value.
    :param high: no value is above it.
    :param step: distance of two values.
    :param source: where the range is from.
    """

    low: int
    high: int
    step: int
    source: str


@dataclass(frozen=True)
class Logarithmic:
    """
    A setting whose logarithm is drawn evenly.

    :param low: least value, above 0.
    :param high: greatest value.
    :param source: where the range is from.
    """

    low: float
    high: float
    source: str


Entry = Choices | Steps | Logarithmic

SEARCH_SPACE: dict[str, Entry] = {
    'network': Choices(('lstm', 'dense'), f'{REPORT}; dense is that of section 5.2'),
    'observed': Choices(('last', 'mean'), OWN, only_with=('network', 'dense')),
    'layers': Choices((1, 2, 3), OWN),
    # 10, 14 ... 30: the range ends at 32, which its step of 4 never meets.
    'layer_units': Steps(10, 32, 4, REPORT),
    'activation': Choices(('selu', 'tanh', 'relu', 'leaky_relu'), REPORT),
    'kernel_l2': Logarithmic(1e-10, 1e-5, REPORT),
    'optimiser': Choices(('adamw', 'sgd'), REPORT),
    'momentum': Choices((0.0, 0.5, 0.9, 0.99), OWN, only_with=('optimiser', 'sgd')),
    'learning_rate': Logarithmic(1e-6, 1e-3, REPORT),
    'weight_decay': Logarithmic(1e-10, 9e-4, REPORT),
}
"""
The ranges that the report ended with, by setting; where it gives none, the entry says so.

A setting stands after the one that it depends on: the values are drawn in this order.
"""

EXTENDED_LEARNING_RATE = Logarithmic(
    1e-6, 1e-2, "our own: the report's best rate of 1.0955e-6 took 5000 epochs, up to two days"
)


def declared(extended: bool = False) -> keras_tuner.HyperParameters:
    """
    Declare the search space to the tuner.

    :param extended: whether learning rates above the report's, up to 1e-2, are drawn too.
    :returns: every setting, each at its first or least value.
    """
    space = keras_tuner.HyperParameters()
    for name, entry in SEARCH_SPACE.items():
        if name == 'learning_rate' and extended:
            entry = EXTENDED_LEARNING_RATE
        if isinstance(entry, Choices):
            parent, value = entry.only_with or (None, None)
            space.Choice(
                name,
                list(entry.values),
                parent_name=parent,
                parent_values=None if value is None else [value],
            )
        elif isinstance(entry, Steps):
            space.Int(name, entry.low, entry.high, entry.step)
        else:
            space.Float(name, entry.low, entry.high, sampling='log')
    return space


def build(
    chosen: keras_tuner.HyperParameters, shape: tuple[int, int], classes: int
) -> keras.Model:
    """
    Build and compile the network of a choice.

    :param chosen: a value of every setting, see `declared`.
    :param shape: steps and columns of a window, validity included.
    :param classes: number of classes.
    :returns: a model from [windows, steps, features + 1] to probabilities [windows, classes].
    """
    units = (chosen.get('layer_units'),) * chosen.get('layers')
    activation, kernel_l2 = chosen.get('activation'), chosen.get('kernel_l2')
    if chosen.get('network') == 'dense':
        model = build_dense(shape, classes, units, activation, kernel_l2, chosen.get('observed'))
    else:
        model = _lstm(shape, classes, units, activation, kernel_l2)
    model.compile(
        _optimiser(chosen),
        'categorical_crossentropy',
        metrics=_metrics(),
        jit_compile=False,  # XLA takes several times as long for an LSTM on a CPU
    )
    return model


def _lstm(
    shape: tuple[int, int], classes: int, units: tuple[int, ...], activation: str, l2: float
) -> keras.Model:
    """Build the network of the report's section 5.1: LSTM layers alone, then the classes."""
    window = keras.Input(shape, name='window')
    validity = window[..., -1:]
    # What stands in unobserved steps must not matter.
    values = keras.layers.Concatenate()([window[..., :-1] * validity, validity])
    for number, width in enumerate(units):
        values = keras.layers.LSTM(
            width,
            activation,
            kernel_regularizer=keras.regularizers.L2(l2),
            return_sequences=number + 1 < len(units),
            name=f'lstm_{number}',
        )(values)
    shares = keras.layers.Dense(classes, 'softmax', name='probabilities')(values)
    return keras.Model(window, shares, name='lstm')


def _optimiser(chosen: keras_tuner.HyperParameters) -> keras.optimizers.Optimizer:
    rate, decay = chosen.get('learning_rate'), chosen.get('weight_decay')
    if chosen.get('optimiser') == 'sgd':
        return keras.optimizers.SGD(
            rate, chosen.get('momentum'), weight_decay=decay, global_clipnorm=CLIP_NORM
        )
    return keras.optimizers.AdamW(
        rate, weight_decay=decay, amsgrad=True, global_clipnorm=CLIP_NORM
    )


def _metrics() -> list[Any]:
    """Make the report's metrics anew, since a metric belongs to one model."""
    return [
        keras.metrics.CategoricalCrossentropy(name='categorical_crossentropy'),
        keras.metrics.CategoricalAccuracy(name='categorical_accuracy'),
        GreatestShareF1(average='macro', name='f1'),
        GreatestSharePrecision(name='precision'),
        GreatestShareRecall(name='recall'),
    ]
