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

"""The tuner behind the search: every trial has its own seed, and a broken one is trained again."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import keras_tuner
import numpy as np

from training.search.data import SearchData
from training.search.results import TrialResult, best_first, described
from training.search.space import build, declared

# Keeps the two best models of a training on disk (the report's appendix A, without a script).


KEPT = 2
_UNFINISHED = 'unfinished-'


@dataclass(frozen=True)
class Checkpoint:
    """
    A saved model.

    :param path: its file.
    :param epoch: finished epochs when it was saved, from 1 on.
    :param value: the monitored metric, to six decimals.
    """

    path: Path
    epoch: int
    value: float


def saved_checkpoints(folder: Path, monitor: str, mode: Literal['min', 'max']) -> list[Checkpoint]:
    """
    List what `TwoBestCheckpoints` saved.

    :param folder: where; it need not exist.
    :param monitor: name of the metric.
    :param mode: 'min' where less of it is better, 'max' where more is.
    :returns: the checkpoints of this metric, best first; of equals the earlier epoch first.
    """
    name = re.compile(rf'epoch-(\d+)-{re.escape(monitor)}-(-?\d+\.\d{{6}})\.keras')
    sign = 1 if mode == 'min' else -1
    found = [
        Checkpoint(path, int(match[1]), float(match[2]))
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := name.fullmatch(path.name))
    ]
    return sorted(found, key=lambda saved: (sign * saved.value, saved.epoch))


class TwoBestCheckpoints(keras.callbacks.Callback):
    """
    Saves the model after every epoch and keeps the two files with the best metric.

    An epoch that is none of the two best is not written at all. Each file is written whole or
    not at all, and is there before a worse one goes: a run that is broken at any moment leaves
    the best models so far, and the next run in the same folder goes on from what is there. The
    names are such as `epoch-0012-val_categorical_crossentropy-0.623512.keras`; other files in
    the folder are left alone.

    :param folder: where the models go; it is made.
    :param monitor: name of the metric, among those that Keras logs after an epoch.
    :param mode: 'min' where less of it is better, 'max' where more is.
    """

    def __init__(self, folder: Path, monitor: str, mode: Literal['min', 'max'] = 'min') -> None:
        super().__init__()
        self.folder = folder
        self.monitor = monitor
        self.mode: Literal['min', 'max'] = mode

    @property
    def kept(self) -> list[Checkpoint]:
        """What is on disk, best first."""
        return saved_checkpoints(self.folder, self.monitor, self.mode)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """
        Clear away what a broken run left unfinished.

        :param logs: not used.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f'{_UNFINISHED}*.keras'):
            path.unlink()
        self._remove_all_but_the_best()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """
        Save the model if it is one of the two best.

        :param epoch: number of the epoch, from 0 on.
        :param logs: the epoch's metrics.
        :raises ValueError: when the monitored metric is not among them.
        """
        if self.monitor not in (logs or {}):
            raise ValueError(
                f'{self.monitor} is not measured; this training measures '
                f'{", ".join(logs or {}) or "nothing"}. Monitor one of these.'
            )
        value = float((logs or {})[self.monitor])
        if not math.isfinite(value):
            return
        kept = self.kept
        if len(kept) < KEPT or self._is_better(value, kept[KEPT - 1].value):
            name = f'epoch-{epoch + 1:04d}-{self.monitor}-{value:.6f}.keras'
            self._save_whole(self.folder / name)
            self._remove_all_but_the_best()

    def _is_better(self, value: float, other: float) -> bool:
        # Rounded, as the file names are: a restarted run must decide alike.
        rounded = float(f'{value:.6f}')
        return rounded < other if self.mode == 'min' else rounded > other

    def _save_whole(self, path: Path) -> None:
        unfinished = path.with_name(f'{_UNFINISHED}{path.name}')
        try:
            self.model.save(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _remove_all_but_the_best(self) -> None:
        for saved in self.kept[KEPT:]:
            saved.path.unlink()


# The callbacks of a training: two best checkpoints, early stopping, TensorBoard.


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


@dataclass(frozen=True)
class Plan:
    """
    What makes the trials of a folder comparable; it stays the same when a search goes on.

    :param epochs: the most epochs of a trial.
    :param seed: of everything random, at least 0.
    :param patience: epochs without a better objective after which a trial ends.
    :param batch: windows in a batch; the report's is 128.
    :param extended: whether learning rates above the report's are drawn too.
    """

    epochs: int
    seed: int
    patience: int = 10
    batch: int = 128
    extended: bool = False


class SeededSearch(keras_tuner.RandomSearch):
    """
    Trains each choice with a seed of its own, so that a broken search ends as a whole one does.

    The tuner's own `run_trial` is not used: it needs TensorBoard even where nothing is logged.

    :param data: what is trained on, and what chooses.
    :param plan: what makes the trials comparable.
    :param trials: number of choices, those of earlier calls included.
    :param folder: gets the folder `trials`.
    """

    def __init__(self, data: SearchData, plan: Plan, trials: int, folder: Path) -> None:
        self.data = data
        self.plan = plan
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, 'min'),
            max_trials=trials,
            seed=_spread_seed(plan.seed),
            hyperparameters=declared(plan.extended),
            # A diverged trial says something about its settings; it must not end the search.
            max_consecutive_failed_trials=trials + 1,
            directory=str(folder),
            project_name='trials',
            overwrite=False,
        )

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """
        Train one choice.

        :param trial: the tuner's trial.
        :param args: not used.
        :param kwargs: not used.
        :returns: the metrics of the best epoch.
        :raises FatalError: for an error; the tuner would count it as a bad choice and go on.
        """
        try:
            return self._trained(Path(self.get_trial_dir(trial.trial_id)), trial)
        except Exception as error:
            raise keras_tuner.errors.FatalError(
                f'Trial {int(trial.trial_id)} broke off ({error}); once the cause is gone, call '
                'the search again, and it goes on with this trial.'
            ) from error

    def on_trial_end(self, trial: Any) -> None:
        """
        Record a trial, and say in one line what it gave.

        :param trial: the tuner's trial.
        """
        super().on_trial_end(trial)
        result = _result(trial)
        best = self.results()[0]
        print(
            f'trial {result.number} ({result.number + 1} of {self.oracle.max_trials}): '
            f'{described(result.settings)}: '
            f'{OBJECTIVE} {result.value(OBJECTIVE):.4f} after epoch '
            f'{result.value("best_epoch"):.0f} of {result.value("epochs"):.0f}, '
            f'{result.value("seconds"):.0f} s; best so far {best.value(OBJECTIVE):.4f}',
            flush=True,
        )

    def results(self) -> list[TrialResult]:
        """
        Tell what was found so far.

        :returns: all trials, those of earlier calls included, best first.
        """
        return best_first([_result(each) for each in self.oracle.trials.values()], OBJECTIVE)

    def _trained(self, folder: Path, trial: Any) -> dict[str, float]:
        for stale in (CHECKPOINTS, LOGS):  # of this trial, broken off before
            shutil.rmtree(folder / stale, ignore_errors=True)
        keras.utils.clear_session()
        keras.utils.set_random_seed(_spread_seed(self.plan.seed, int(trial.trial_id) + 1))
        start = time.monotonic()
        data, plan = self.data, self.plan
        model = build(trial.hyperparameters, data.shape, data.classes)
        history = model.fit(
            data.train_windows,
            data.train_targets,
            plan.batch,
            plan.epochs,
            verbose=0,
            callbacks=training_callbacks(folder, plan.patience),
            validation_data=(data.validation_windows, data.validation_targets),
            validation_batch_size=1024,
        ).history
        objective = np.array(history[OBJECTIVE])
        best = int(np.argmin(np.where(np.isfinite(objective), objective, np.inf)))
        return {
            **{name: float(values[best]) for name, values in history.items()},
            'best_epoch': best + 1,
            'epochs': len(objective),
            'parameters': model.count_params(),
            'seconds': time.monotonic() - start,
        }


def _spread_seed(*numbers: int) -> int:
    """Make one seed of several numbers; the tuner takes 0 for none, so never that."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1) + 1


def _result(trial: Any) -> TrialResult:
    found = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
    return TrialResult(
        int(trial.trial_id),
        dict(trial.hyperparameters.values),
        {name: value if math.isfinite(value) else None for name, value in found.items()},
    )
