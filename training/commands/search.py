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

"""Random search for a model's settings on its own windows."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys

from rich.console import Console

from emotion_estimator.faces.encoding import FaceEncodingError
from emotion_estimator.files import AssetError
from training.datasets.labels import DataError
from training.fitting import read_material
from training.search.data import TuningSizes, read_data, tuning_data
from training.search.random_search import search
from training.search.results import best_trials_table
from training.search.tuner import tensorboard_is_installed
from training.settings import MODELS, Settings
from training.targets import Targets
from training.windows import STEPS

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')


PLAIN_WIDTH = 120
"""Columns of the table where there is no terminal."""


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', choices=MODELS, default='basic7', help='whose windows')
    parser.add_argument('--trials', type=int, default=20, help='earlier calls included')
    parser.add_argument('--epochs', type=int, default=30, help='the most of a trial')
    parser.add_argument('--seed', type=int, default=Settings.seed)
    parser.add_argument('--extended', action='store_true', help='learning rates up to 1e-2')
    parser.add_argument('--windows', type=int, default=TuningSizes.training, help='to train on')
    parser.add_argument('--validation', type=int, default=TuningSizes.validation)
    parser.add_argument(
        '--steps', type=int, default=TuningSizes.steps, help=f'last of the {STEPS} of a window'
    )
    options = parser.parse_args(arguments)
    for name, least in (('trials', 1), ('epochs', 1), ('seed', 0), ('windows', 1)):
        if getattr(options, name) < least:
            parser.error(f'--{name} is {getattr(options, name)}; it must be at least {least}.')
    if options.validation < 1 or not 1 <= options.steps <= STEPS:
        parser.error(f'--validation must be at least 1, and --steps in 1 to {STEPS}.')
    if not tensorboard_is_installed():
        print('TensorBoard is not installed: no logs for it (pip install tensorboard).')
    settings = dataclasses.replace(MODELS[options.model], seed=options.seed)
    if settings.summed_in is not None:
        # The report searched for a network of its three classes.
        asked = Targets(settings.summed_in, label_weight=1.0)
        settings = dataclasses.replace(settings, targets=asked)
    sizes = TuningSizes(options.windows, options.validation, options.steps)
    try:
        path = tuning_data(settings, read_material(), sizes)
        data = read_data(path)
        count, *shape = data.train_windows.shape
        print(
            f'{path}: {count} windows of {shape[0]} steps and {shape[1] - 1} features to train '
            f'on, {len(data.validation_windows)} to choose by',
            flush=True,
        )
        ranges = 'extended' if options.extended else 'report'
        folder = path.with_name(f'{options.model}-{path.stem}-{options.epochs}-{ranges}')
        results = search(
            data, options.trials, options.epochs, folder, options.seed, extended=options.extended
        )
    except (DataError, AssetError, FaceEncodingError) as error:
        print(error, file=sys.stderr)
        return 1
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(best_trials_table(results))
    print(f'Written to {folder / "results.json"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
