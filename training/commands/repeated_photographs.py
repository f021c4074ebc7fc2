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
What photographs that stand in a test split would bring.

FER2013's training split holds photographs that stand pixel for pixel in its test splits. Training
leaves them out; figures of others that keep them cannot be compared with ours directly.
"""

from __future__ import annotations

import sys

from rich.table import Table

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.encoding import FaceEncodingError
from emotion_estimator.files import AssetError
from training.commands import terminal
from training.datasets.labels import DataError, Split
from training.protocols.stills import f7_scores
from training.scoring import frame_classifiers
from training.still_features import read_stills, read_training_stills, stand_in_a_test_split

METHOD = 'gradient_boosting'


def main() -> int:
    """
    Teach boosting on blendshapes FER2013's labels with and without them, and print each.

    :returns: exit status.
    """
    table = Table('from', 'of', title=f'{METHOD} on blendshapes, F7 accuracy')
    for split in (Split.PUBLIC, Split.PRIVATE):
        for kind in ('readable', 'all'):
            table.add_column(f'{split.name.lower()} {kind}', justify='right')
    try:
        tests = [read_stills(split).only(NAMES) for split in (Split.PUBLIC, Split.PRIVATE)]
        whole = read_stills(Split.TRAINING).only(NAMES)
        repeated = stand_in_a_test_split()
        for name, stills in (
            ('all readable', whole.select(whole.readable[:, 0])),
            ('without repeated', whole.select(whole.readable[:, 0] & ~repeated)),
            ('nor doubtful', read_training_stills(whole)),
        ):
            classify = frame_classifiers(stills.values, stills.labels)[METHOD]
            cells = []
            for test in tests:
                scores = f7_scores(classify(test.values[test.readable[:, 0]]), test)
                cells += [scores[f'f7_accuracy_{kind}']['value'] for kind in ('readable', 'all')]
            table.add_row(name, str(len(stills)), *(f'{cell:.3f}' for cell in cells))
    except (DataError, AssetError, FaceEncodingError) as error:
        print(error, file=sys.stderr)
        return 1
    terminal().print(table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
