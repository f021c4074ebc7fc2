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

import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from training.search.search_data import SearchData
from training.search.search_results import TrialResult, best_first, described
from training.search.search_space import build, declared
from training.search.training_callbacks import CHECKPOINTS, LOGS, OBJECTIVE, training_callbacks


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
