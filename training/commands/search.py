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

"""Random search for a model's settings on its own windows, or on those of a file."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.search'))

import argparse
import dataclasses
import sys
from pathlib import Path

from emotion_estimator.files import sha256_of
from training import sources
from training.commands import command, terminal
from training.fitting import read_material
from training.search.data import TuningSizes, read_data, tuning_data
from training.search.random_search import best_trials_table, search
from training.settings import MODELS, Settings
from training.stills import Targets
from training.windows import STEPS


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', choices=MODELS, default='basic7', help='whose windows')
    parser.add_argument(
        '--data', type=Path, help='.npz of windows instead, see training/search/data.py'
    )
    parser.add_argument('--trials', type=int, default=20, help='earlier calls included')
    parser.add_argument('--epochs', type=int, default=30, help='the most of a trial')
    parser.add_argument('--patience', type=int, default=10)
    parser.add_argument('--seed', type=int, default=Settings.seed)
    parser.add_argument('--extended', action='store_true', help='learning rates up to 1e-2')
    parser.add_argument('--windows', type=int, default=TuningSizes.training, help='to train on')
    parser.add_argument('--validation', type=int, default=TuningSizes.validation)
    parser.add_argument(
        '--steps', type=int, default=TuningSizes.steps, help=f'last of the {STEPS} of a window'
    )
    options = parser.parse_args(arguments)
    for name in ('trials', 'epochs', 'patience', 'seed', 'windows', 'validation', 'steps'):
        least = 0 if name == 'seed' else 1
        if getattr(options, name) < least:
            parser.error(f'--{name} is {getattr(options, name)}; it must be at least {least}.')
    if options.steps > STEPS:
        parser.error(f'--steps is {options.steps}; a window has {STEPS}.')
    plan = {name: getattr(options, name) for name in ('epochs', 'seed', 'patience', 'extended')}
    try:
        path = options.data or _composed(options)
        data = read_data(path)
        key = sources.content_key('search', sha256_of(path), plan)
        name = options.data.stem if options.data else options.model
        folder = sources.OUT / 'search' / f'{name}-{key}'
        shapes = ', '.join(f'{name} {array.shape}' for name, array in data.items())
        print(f'{path}: {shapes}; trials are kept in {folder}', flush=True)
        results = search(data, folder, options.trials, **plan)
    except KeyboardInterrupt:
        print('Broken off; the same call goes on with this trial.', file=sys.stderr)
        return 130
    terminal().print(best_trials_table(results))
    print(f'Written to {folder / "results.json"}')
    return 0


def _composed(options: argparse.Namespace) -> Path:
    settings = dataclasses.replace(MODELS[options.model], seed=options.seed)
    if settings.summed_in is not None:
        # The seed report searched for a network of its three classes.
        targets = Targets(settings.summed_in, label_weight=1.0)
        settings = dataclasses.replace(settings, targets=targets)
    sizes = TuningSizes(options.windows, options.validation, options.steps)
    return tuning_data(settings, read_material(), sizes)
