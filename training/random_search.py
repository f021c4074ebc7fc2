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
Random search by Keras Tuner: what it may choose, the network of a choice, and the trials.

A search that was broken off goes on from its project folder.
"""

from __future__ import annotations

import json
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.files import OutputError, write_whole
from training.datasets.pictures import DataError

SearchData = dict[str, NDArray[np.float32]]
"""
By part, 'train' or 'validation': windows and targets.

`train_windows` has the shape [N, steps, features + 1], with validity, 0 or 1, in the last column;
`train_targets` the shares of the classes, [N, classes]. A .npz file of a search has these names.
"""

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


# The search itself, trial after trial.


OBJECTIVE = 'val_categorical_crossentropy'
"""The validation loss without the regularisation."""

LOGS = 'tensorboard'

BATCH = 128
"""Windows in a batch, as in the seed report."""


class SeededSearch(keras_tuner.RandomSearch):
    """Random search with a seed for each trial: in parts it finds what it finds at once."""

    def reload(self) -> None:
        """
        Take over what an earlier search left.

        :raises DataError: when a file of it is damaged or missing.
        """
        try:
            super().reload()
        # Of a damaged file each class of the tuner complains in its own way.
        except Exception as error:
            why = error.__cause__ or error
            raise DataError(
                f'{self.directory} holds a search whose files are damaged '
                f'({type(why).__name__}: {why}); delete it and search again.'
            ) from error

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Train one choice.

        :raises FatalError: for an error, which the tuner would count as a bad choice.
        """
        # Logs of this trial, if it was broken off before.
        shutil.rmtree(Path(self.directory, LOGS, trial.trial_id), ignore_errors=True)
        keras.utils.set_random_seed(_mixed(self.oracle.seed, int(trial.trial_id)))
        try:
            return super().run_trial(trial, *args, **kwargs)
        except Exception as error:
            raise keras_tuner.errors.FatalError(
                f'Trial {int(trial.trial_id)} broke off ({error}); once the cause is gone, call '
                'the search again, and it goes on with this trial.'
            ) from error


def search(
    data: SearchData,
    folder: Path,
    trials: int,
    epochs: int,
    seed: int,
    patience: int = 10,
    extended: bool = False,
) -> list[dict[str, Any]]:
    """
    Train random choices of settings, or go on with what an earlier call left.

    :param folder: of one search. Gets `results.json`, TensorBoard's logs, and in `trials` the
        tuner's project: among it the weights of each trial's best epoch.
    :param trials: number of choices, those of earlier calls included.
    :param epochs: the most of a trial.
    :param seed: of everything random, at least 0.
    :param patience: epochs without a better objective after which a trial ends.
    :param extended: whether learning rates above the seed report's are drawn too.
    :returns: number, settings and metrics of each trial, best first; those that diverged last,
        with None for what is not finite.
    :raises DataError: when the tuner's project is damaged.
    :raises OutputError: when a trial cannot be written.
    """
    shape, classes = data['train_windows'].shape[1:], data['train_targets'].shape[1]
    tuner = SeededSearch(
        partial(build, shape=shape, classes=classes),
        objective=keras_tuner.Objective(OBJECTIVE, 'min'),
        max_trials=trials,
        seed=_mixed(seed),
        hyperparameters=search_space(extended),
        # A trial that diverged says something about its settings; it must not end the search.
        max_consecutive_failed_trials=trials + 1,
        directory=str(folder),
        project_name='trials',
    )
    try:
        tuner.search(
            data['train_windows'],
            data['train_targets'],
            batch_size=BATCH,
            epochs=epochs,
            validation_data=(data['validation_windows'], data['validation_targets']),
            verbose=2,
            callbacks=[
                keras.callbacks.EarlyStopping(OBJECTIVE, patience=patience, mode='min'),
                keras.callbacks.TensorBoard(folder / LOGS, write_graph=False),
            ],
        )
    except keras_tuner.errors.FatalError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise OutputError(str(error)) from None
    results = [_result(each) for each in tuner.oracle.get_best_trials(len(tuner.oracle.trials))]
    plan = {'epochs': epochs, 'seed': seed, 'patience': patience, 'extended': extended}
    content = {'objective': OBJECTIVE, 'plan': plan, 'trials': results}
    write_whole(folder / 'results.json', json.dumps(content, indent=1, allow_nan=False).encode())
    return results


def best_trials_table(results: list[dict[str, Any]], rows: int = 10) -> Table:
    """Lay the best of the results of `search` out for a terminal."""
    table = Table(
        title=f'best {min(rows, len(results))} of {len(results)} trials, validation',
        caption='l2 and weight decay are in the file',
    )
    table.add_column('trial', justify='right')
    table.add_column('settings')
    for heading in ('cross-\nentropy', 'accuracy', 'macro\nF1', 'epoch'):
        table.add_column(heading, justify='right')
    for result in results[:rows]:
        names = (OBJECTIVE, 'val_categorical_accuracy', 'val_f1', 'best_epoch')
        values = [result['metrics'].get(name) for name in names]
        cells = ['-' if value is None else f'{value:.4g}' for value in values]
        table.add_row(str(result['number']), described(result['settings']), *cells)
    return table


def described(settings: dict[str, Any]) -> str:
    """Describe a choice in a few words, such as '2 x lstm 18 tanh, adamw 1.2e-04'."""
    observed = f' of {settings["observed"]}' if 'observed' in settings else ''
    momentum = f' momentum {settings["momentum"]:g}' if 'momentum' in settings else ''
    return (
        f'{settings["layers"]} x {settings["network"]}{observed} {settings["layer_units"]} '
        f'{settings["activation"]}, {settings["optimiser"]} {settings["learning_rate"]:.1e}'
        f'{momentum}'
    )


def _result(trial: Any) -> dict[str, Any]:
    metrics = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
    metrics = {name: v if math.isfinite(v) else None for name, v in metrics.items()}
    if trial.best_step is not None:
        metrics['best_epoch'] = trial.best_step + 1
    settings = trial.hyperparameters.values
    return {'number': int(trial.trial_id), 'settings': settings, 'metrics': metrics}


def _mixed(*numbers: int) -> int:
    """Make one seed of several: the tuner counts up from its own, and takes 0 for none."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1) + 1
