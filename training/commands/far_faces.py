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

"""Score the models that ship on PublicTest as it is, and as though its faces were far away."""

from __future__ import annotations

import json
import sys

from rich.table import Table

from emotion_estimator.emotion.model import EmotionModel, ModelError
from emotion_estimator.faces.encoding import FaceEncodingError
from emotion_estimator.files import AssetError, write_whole
from training import sources
from training.commands import terminal
from training.datasets.labels import DataError, Split
from training.protocols.stills import (
    f7_scores,
    label_probabilities,
    p7_scores,
    still_probabilities,
)
from training.still_features import read_far_stills, read_stills
from training.stills import Stills

SEVEN_CLASS_MODELS = ('basic7', 'basic7_blendshapes')
COLUMNS = (
    'coverage',
    'p7_accuracy_readable',
    'p7_ece',
    'p7_recall_happy',
    'p7_recall_neutral',
    'f7_accuracy_readable',
)


def still_scores(model: EmotionModel, stills: Stills) -> dict[str, float]:
    """
    Score a model on stills held constant.

    :param model: of the seven classes.
    :param stills: all photographs of a split, all features.
    :returns: `COLUMNS`, see `f7_scores` and `p7_scores`.
    """
    by_label = f7_scores(label_probabilities(model, stills), stills)
    scores = {**by_label, **p7_scores(still_probabilities(model, stills), stills)}
    return {column: scores[column]['value'] for column in COLUMNS}


def main() -> int:
    """
    Print the scores, and write them into out/far_faces.json.

    :returns: exit status.
    """
    found: dict[str, dict[str, float]] = {}
    try:
        looks = {'as it is': read_stills(Split.PUBLIC), 'far': read_far_stills(Split.PUBLIC)}
        for name in SEVEN_CLASS_MODELS:
            model = EmotionModel(sources.MODELS / name)
            for seen, stills in looks.items():
                found[f'{name}, {seen}'] = still_scores(model, stills)
    except (DataError, AssetError, ModelError, FaceEncodingError) as error:
        print(error, file=sys.stderr)
        return 1
    table = Table('model, faces', *COLUMNS, title='PublicTest')
    for name, scores in found.items():
        table.add_row(name, *(f'{scores[column]:.4f}' for column in COLUMNS))
    terminal(140).print(table)
    write_whole(sources.OUT / 'far_faces.json', json.dumps(found, indent=2).encode())
    return 0


if __name__ == '__main__':
    sys.exit(main())
