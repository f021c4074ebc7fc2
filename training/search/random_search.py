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

"""Random search by Keras Tuner, whose project folder a search that was broken off goes on from."""

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
from rich.table import Table

from emotion_estimator.files import write_whole
from training.datasets.labels import DataError
from training.search.data import SearchData
from training.search.space import build, search_space

OBJECTIVE = 'val_categorical_crossentropy'
"""The validation loss without the regularisation."""

LOGS = 'tensorboard'

BATCH = 128
"""Windows in a batch, as in the seed report."""


class SeededSearch(keras_tuner.RandomSearch):
    """Random search with a seed for each trial: in parts it finds what it finds at once."""

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
    """
    shape, classes = data['train_windows'].shape[1:], data['train_targets'].shape[1]
    try:
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
    except json.JSONDecodeError as error:
        raise DataError(
            f'{folder} holds a file that was cut off ({error}); delete it and search again.'
        ) from error
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
