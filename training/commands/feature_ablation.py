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

"""What each group of features brings, on PublicTest."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from emotion_estimator.files import AssetError, write_whole
from training import sources
from training.commands import terminal
from training.commands.evaluate import tracks_of
from training.commands.train import train
from training.datasets.labels import DataError
from training.fitting import read_material
from training.scoring import seven_class_scores
from training.settings import MODELS, Phase
from training.windows import STEPS

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')


GROUPS: tuple[tuple[str, ...], ...] = (
    (),
    ('head',),
    ('geometry',),
    ('appearance',),
    ('geometry', 'appearance'),
    ('head', 'geometry', 'appearance'),
)
PHASES = (Phase(15, 4, 512), Phase(4, STEPS, 256))
"""Half of the model's own: the rows compare with each other, in half the time."""

COLUMNS = ('p7_accuracy_readable', 'f7_accuracy_readable', 's_accuracy_hysteresis')


def main() -> int:
    """
    Train `basic7` with the blendshapes and each choice of further groups, and print the scores.

    :returns: exit status.
    """
    found: dict[str, dict[str, float]] = {}
    try:
        material = read_material()
        for groups in GROUPS:
            settings = dataclasses.replace(MODELS['basic7'], groups=groups, phases=PHASES)
            with tempfile.TemporaryDirectory() as folder:
                model = train('basic7', settings, material, Path(folder, 'basic7'))
            tracks = tracks_of(material.public, model.metadata.features)
            figures, _ = seven_class_scores(model, material.public, tracks)
            name = ' + '.join(('blendshapes', *groups))
            found[name] = {column: figures[column]['value'] for column in COLUMNS}
    except (DataError, AssetError) as error:
        print(error, file=sys.stderr)
        return 1
    table = Table('features', *COLUMNS, title='PublicTest')
    for name, scores in found.items():
        table.add_row(name, *(f'{scores[column]:.4f}' for column in COLUMNS))
    terminal().print(table)
    write_whole(sources.OUT / 'feature_ablation.json', json.dumps(found, indent=2).encode())
    return 0


if __name__ == '__main__':
    sys.exit(main())
