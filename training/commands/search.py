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
Random search for a model's settings: on its own windows, which are composed, or a file's.

A .npz file of windows has the arrays of `SearchData`.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.search'))

import argparse
import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.commands import UNWRITTEN, place
from emotion_estimator.files import OutputError, sha256_of
from training import sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, read_dynamics
from training.commands import command, terminal
from training.datasets.pictures import DataError
from training.fitting import Material, read_material
from training.random_search import SearchData, best_trials_table, search
from training.settings import MODELS, Settings, run_key
from training.stills import Targets
from training.windows import STEPS, SequenceComposer

_AT_ONCE = 512
"""Windows composed at once, to save memory."""


@dataclass(frozen=True)
class TuningSizes:
    """How many windows are composed to train on and to choose by, and of how many last steps."""

    training: int = 20_000
    validation: int = 4096
    steps: int = 8


def tuning_data(settings: Settings, material: Material, sizes: TuningSizes) -> Path:
    """
    Compose a model's windows, or take what an earlier call of the same content left.

    :returns: a file for `read_data`; PublicTest's photographs and other clips are to choose by.
    :raises DataError: when a clip is missing.
    """
    features = settings.features(material.training.features)
    training, public = material.training.only(features), material.public.only(features)
    public = public.select(public.readable[:, 0])
    key = sources.content_key('search_data', run_key(settings, training, public), sizes)
    parts = (
        ('train', training, TRAINING_CLIPS, sizes.training),
        ('validation', public, EVALUATION_CLIPS, sizes.validation),
    )

    def compose() -> dict[str, NDArray[np.float32]]:
        arrays = {}
        for number, (part, stills, clips, count) in enumerate(parts):
            dynamics = read_dynamics(clips, material.encoding, features)
            shares = settings.targets.shares(stills)
            composer = SequenceComposer(stills, shares, dynamics, settings.composition)
            rng = np.random.default_rng([settings.seed, number])
            composed = [
                composer.windows(min(_AT_ONCE, count - start), rng, sizes.steps)
                for start in range(0, count, _AT_ONCE)
            ]
            for kind, each in zip(('windows', 'targets'), zip(*composed)):
                arrays[f'{part}_{kind}'] = np.concatenate(each)
        return arrays

    return sources.kept_arrays(sources.OUT / 'search' / f'{key}.npz', compose)


def read_data(path: Path) -> SearchData:
    """
    Read the data of a search.

    :param path: a .npz file with the arrays of `SearchData`.
    :raises DataError: when the file cannot be read, lacks an array or has one that does not fit.
    """
    names = [
        f'{part}_{kind}' for part in ('train', 'validation') for kind in ('windows', 'targets')
    ]
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name].astype(np.float32) for name in names}
    # Of a damaged file zipfile, zlib, tokenize and NumPy each complain in their own way.
    except Exception as error:
        raise DataError(
            f'{path} cannot be read as a .npz file with {", ".join(names)} ({error}); write it '
            'again with numpy.savez.'
        ) from error
    shapes = []
    for part in ('train', 'validation'):
        windows, targets = data[f'{part}_windows'], data[f'{part}_targets']
        if windows.ndim != 3 or targets.ndim != 2 or not len(windows) == len(targets) > 0:
            raise DataError(
                f'{path}: {part}_windows has shape {windows.shape} and {part}_targets '
                f'{targets.shape}; they must be [N, steps, features + 1] and [N, classes], N at '
                'least 1.'
            )
        if not (finite := np.isfinite(windows).all(axis=(1, 2))).all():
            raise DataError(
                f'{path}: {part}_windows, row {finite.argmin()}, has a value that is not finite; '
                'leave it out.'
            )
        fits = (targets >= 0).all(axis=1) & (np.abs(targets.sum(axis=1) - 1) <= 1e-3)
        if not fits.all():
            raise DataError(
                f'{path}: {part}_targets, row {fits.argmin()}, is '
                f'{targets[fits.argmin()].tolist()}; it must be shares that are at least 0 and '
                'sum to 1.'
            )
        shapes.append(windows.shape[1:] + targets.shape[1:])
    if shapes[0] != shapes[1]:
        raise DataError(
            f'{path}: a training row has {shapes[0]} steps, columns and classes, a validation row '
            f'{shapes[1]}; make both in the same way.'
        )
    return data


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', choices=MODELS, default='basic7', help='whose windows')
    parser.add_argument(
        '--data',
        type=place,
        help='.npz of windows instead, with the arrays of training.random_search.SearchData',
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
    except OutputError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(UNWRITTEN)  # HDF5 would close what it could not write, and crash
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
