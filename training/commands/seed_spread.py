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

"""How much a model's figures differ from seed to seed."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.files import AssetError
from training import sources
from training.commands import terminal
from training.commands.evaluate import tracks_of
from training.commands.train import train
from training.datasets.labels import DataError
from training.export import write_metadata
from training.fitting import read_material
from training.scoring import seven_class_scores
from training.settings import MODELS

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')


SEEDS = (1, 2, 3)
NAMES = (
    'f7_accuracy_readable',
    'p7_accuracy_readable',
    'p7_ece',
    's_accuracy',
    's_accuracy_hysteresis',
    's_false_switches_per_s_hysteresis',
)


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', choices=('basic7', 'basic7_blendshapes'), default='basic7')
    parser.add_argument(
        '--record', action='store_true', help="write the spread into the model's metadata.json"
    )
    options = parser.parse_args(arguments)
    spread: dict[str, list[float]] = {name: [] for name in NAMES}
    try:
        material = read_material()
        for seed in SEEDS:
            settings = dataclasses.replace(MODELS[options.model], seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                model = train(options.model, settings, material, Path(folder, options.model))
            tracks = tracks_of(material.public, model.metadata.features)
            figures, _ = seven_class_scores(model, material.public, tracks)
            for name in NAMES:
                spread[name].append(figures[name]['value'])
    except (DataError, AssetError) as error:
        print(error, file=sys.stderr)
        return 1
    table = Table('score', *(f'seed {seed}' for seed in SEEDS), title='PublicTest')
    for name, values in spread.items():
        table.add_row(name, *(f'{value:.4f}' for value in values))
    terminal().print(table)
    if options.record:
        folder_of = sources.MODELS / options.model
        metadata = EmotionModel(folder_of).metadata
        metrics = {**metadata.metrics, 'spread': {'public': spread}}
        write_metadata(folder_of, dataclasses.replace(metadata, metrics=metrics))
    return 0


if __name__ == '__main__':
    sys.exit(main())
