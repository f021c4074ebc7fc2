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

"""The report's fully connected network, which sees one face of a window and no time."""

from __future__ import annotations

from typing import Any, Literal

import keras

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


def build(
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
