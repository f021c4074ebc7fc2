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

"""The callbacks of a training: two best checkpoints, early stopping, TensorBoard."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import keras

from training.search.two_best_checkpoints import TwoBestCheckpoints

CHECKPOINTS = 'checkpoints'
LOGS = 'tensorboard'
OBJECTIVE = 'val_categorical_crossentropy'
"""What is monitored unless said otherwise: the validation loss without the regularisation."""


def tensorboard_is_installed() -> bool:
    """
    Tell whether TensorBoard's logs can be written; TensorFlow itself no longer brings it.

    :returns: whether the package is there.
    """
    return importlib.util.find_spec('tensorboard') is not None


def training_callbacks(
    folder: Path,
    patience: int,
    monitor: str = OBJECTIVE,
    mode: Literal['min', 'max'] = 'min',
) -> list[keras.callbacks.Callback]:
    """
    Make the callbacks of one training; they are not for a second one.

    :param folder: gets the folders `checkpoints` and, where TensorBoard is installed,
        `tensorboard`.
    :param patience: epochs without a better metric after which the training ends; the weights
        of the best epoch come back.
    :param monitor: name of the metric.
    :param mode: 'min' where less of it is better, 'max' where more is.
    :returns: the callbacks, without TensorBoard's where it is not installed.
    """
    callbacks: list[keras.callbacks.Callback] = [
        TwoBestCheckpoints(folder / CHECKPOINTS, monitor, mode),
        keras.callbacks.EarlyStopping(
            monitor, patience=patience, mode=mode, restore_best_weights=True
        ),
    ]
    if tensorboard_is_installed():
        callbacks.append(keras.callbacks.TensorBoard(folder / LOGS, write_graph=False))
    return callbacks
