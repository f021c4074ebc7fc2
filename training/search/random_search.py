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

"""`python -m training.search.random_search DATA.npz`: random search, resumable."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from emotion_estimator.files import write_whole
from training.datasets.labels import DataError
from training.search.data import SearchData, read_data
from training.search.results import TrialResult, best_trials_table, write_results
from training.search.tuner import OBJECTIVE, Plan, SeededSearch, tensorboard_is_installed

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')


def search(
    data: SearchData,
    trials: int,
    epochs: int,
    folder: Path,
    seed: int,
    patience: int = Plan.patience,
    extended: bool = False,
) -> list[TrialResult]:
    """
    Train random choices of settings, or go on with what an earlier call in the folder left.

    :param data: what is trained on, and what chooses.
    :param trials: number of choices, those of earlier calls included.
    :param epochs: the most epochs of a trial.
    :param folder: gets `results.json`, and for each trial its two best models and its logs.
    :param seed: of everything random, at least 0.
    :param patience: epochs without a better objective after which a trial ends.
    :param extended: whether learning rates above the report's are drawn too.
    :returns: all trials in the folder, best first.
    :raises DataError: when the folder holds a search of other data or of another plan.
    :raises FatalError: of Keras Tuner, when a trial breaks off.
    """
    plan = Plan(epochs, seed, patience, extended=extended)
    facts = {**asdict(plan), 'data_sha256': data.digest()}
    _claim(folder, facts)
    try:
        tuner = SeededSearch(data, plan, trials, folder)
    except json.JSONDecodeError as error:
        raise DataError(
            f'{folder} holds a file that was cut off ({error}); delete the folder and search anew.'
        ) from error
    tuner.search(verbose=0)
    results = tuner.results()
    write_results(folder / 'results.json', results, OBJECTIVE, facts)
    return results


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path, help='.npz file, see training/search/data.py')
    parser.add_argument('--trials', type=int, default=20, help='earlier calls included')
    parser.add_argument('--epochs', type=int, default=50, help='the most of a trial')
    parser.add_argument('--patience', type=int, default=Plan.patience)
    parser.add_argument('--output', type=Path, required=True, help='folder; one search each')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--extended', action='store_true', help='learning rates up to 1e-2')
    options = parser.parse_args(arguments)
    for name, least in (('trials', 1), ('epochs', 1), ('patience', 1), ('seed', 0)):
        if getattr(options, name) < least:
            parser.error(f'--{name} is {getattr(options, name)}; it must be at least {least}.')
    if not tensorboard_is_installed():
        print('TensorBoard is not installed: no logs for it (pip install tensorboard).')
    try:
        results = search(
            read_data(options.data),
            options.trials,
            options.epochs,
            options.output,
            options.seed,
            options.patience,
            options.extended,
        )
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    Console().print(best_trials_table(results))
    print(options.output / 'results.json')
    return 0


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Keep trials that cannot be compared out of one folder."""
    path = folder / 'plan.json'
    if not path.is_file():
        write_whole(path, json.dumps(facts, indent=1).encode())
        return
    earlier = json.loads(path.read_text())
    if differing := [name for name in facts if earlier.get(name) != facts[name]]:
        raise DataError(
            f'{folder} holds a search with '
            f'{", ".join(f"{name} {earlier.get(name)} (now {facts[name]})" for name in differing)}'
            '; choose another folder, or call with the same.'
        )


if __name__ == '__main__':
    sys.exit(main())
