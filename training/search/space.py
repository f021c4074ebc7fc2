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

from typing import Any

import keras
import keras_tuner
from keras import layers, ops

CLIP_NORM = 1.0
"""Greatest norm of all gradients together; that of the seed report's best model."""


def search_space(extended: bool = False) -> keras_tuner.HyperParameters:
    """
    Declare what is drawn: the ranges of the seed report's section 5.3, where it gives them.

    :param extended: whether learning rates up to 1e-2 are drawn too.
    :returns: every setting; one stands after the setting that it depends on.
    """
    space = keras_tuner.HyperParameters()
    dense = {'parent_name': 'network', 'parent_values': ['dense']}
    sgd = {'parent_name': 'optimiser', 'parent_values': ['sgd']}
    space.Choice('network', ['lstm', 'dense'])  # dense is that of its section 5.2
    space.Choice('observed', ['last', 'mean'], **dense)  # ours
    space.Int('layers', 1, 3)  # ours
    space.Int('layer_units', 10, 32, 4)  # 10, 14 ... 30: its step of 4 never meets 32
    space.Choice('activation', ['selu', 'tanh', 'relu', 'leaky_relu'])
    space.Float('kernel_l2', 1e-10, 1e-5, sampling='log')
    space.Choice('optimiser', ['adamw', 'sgd'])
    space.Choice('momentum', [0.0, 0.5, 0.9, 0.99], **sgd)  # ours
    # 1e-2 is ours: the seed report's best rate of 1.0955e-6 took 5000 epochs, up to two days.
    space.Float('learning_rate', 1e-6, 1e-2 if extended else 1e-3, sampling='log')
    space.Float('weight_decay', 1e-10, 9e-4, sampling='log')
    return space


def build(
    chosen: keras_tuner.HyperParameters, shape: tuple[int, int], classes: int
) -> keras.Model:
    """
    Build and compile the network of a choice.

    :param chosen: a value of every setting of `search_space`.
    :param shape: steps and columns of a window; the last column is validity, 0 or 1.
    :param classes: number of classes.
    :returns: a model from [windows, steps, features + 1] to probabilities [windows, classes].
    """
    window = keras.Input(shape, name='window')
    recurrent = chosen.get('network') == 'lstm'
    if recurrent:
        validity = window[..., -1:]
        # What stands in unobserved steps must not matter.
        values = layers.Concatenate()([window[..., :-1] * validity, validity])
    else:
        values = observed_face(window, chosen.get('observed'))
    count = chosen.get('layers')
    for number in range(count):
        options = {
            'units': chosen.get('layer_units'),
            'activation': chosen.get('activation'),
            'kernel_regularizer': keras.regularizers.L2(chosen.get('kernel_l2')),
        }
        if recurrent:
            options['return_sequences'] = number + 1 < count
        values = (layers.LSTM if recurrent else layers.Dense)(**options)(values)
    shares = layers.Dense(classes, 'softmax', name='probabilities')(values)
    model = keras.Model(window, shares, name=chosen.get('network'))
    model.compile(
        _optimiser(chosen),
        'categorical_crossentropy',
        metrics=[
            keras.metrics.CategoricalCrossentropy(name='categorical_crossentropy'),
            keras.metrics.CategoricalAccuracy(name='categorical_accuracy'),
            SoftLabelF1(average='macro', name='f1'),
            SoftLabelPrecision(name='precision'),
            SoftLabelRecall(name='recall'),
        ],
        jit_compile=False,  # XLA takes several times as long for an LSTM on a CPU
    )
    return model


def observed_face(windows: Any, which: str) -> Any:
    """
    Reduce windows to one face each, which is all that the dense network sees.

    :param windows: shape [windows, steps, features + 1]; the last column is validity, 0 or 1.
    :param which: 'last' observed step, or 'mean' of the observed steps.
    :returns: shape [windows, features]; 0 for a window without an observed step.
    """
    weights = windows[..., -1:]
    if which == 'last':
        from_here_on = ops.flip(ops.cumsum(ops.flip(weights, axis=1), axis=1), axis=1)
        weights *= ops.cast(ops.equal(from_here_on, 1), weights.dtype)
    total = ops.sum(windows[..., :-1] * weights, axis=1)
    return total / ops.maximum(ops.sum(weights, axis=1), 1)


def _optimiser(chosen: keras_tuner.HyperParameters) -> keras.optimizers.Optimizer:
    options = {
        'learning_rate': chosen.get('learning_rate'),
        'weight_decay': chosen.get('weight_decay'),
        'global_clipnorm': CLIP_NORM,
    }
    if chosen.get('optimiser') == 'sgd':
        return keras.optimizers.SGD(momentum=chosen.get('momentum'), **options)
    return keras.optimizers.AdamW(amsgrad=True, **options)


class _SoftLabel:
    """
    Takes the class with the greatest share as the right one.

    Keras's own would take every share above 0, one voter in ten, for a right answer.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch: shares of the classes and probabilities, both of shape [N, classes]."""
        right = ops.one_hot(ops.argmax(y_true, axis=-1), ops.shape(y_true)[-1])
        return super().update_state(right, y_pred, sample_weight)  # type: ignore[misc]


@keras.saving.register_keras_serializable('emotion_estimator')
class SoftLabelPrecision(_SoftLabel, keras.metrics.Precision):
    """Share of the answers above .5 that are right, over all classes together."""


@keras.saving.register_keras_serializable('emotion_estimator')
class SoftLabelRecall(_SoftLabel, keras.metrics.Recall):
    """Share of the faces whose right class is answered above .5."""


@keras.saving.register_keras_serializable('emotion_estimator')
class SoftLabelF1(_SoftLabel, keras.metrics.F1Score):
    """F1 of the most probable class, 2 P R / (P + R); the seed report prints half of it."""
