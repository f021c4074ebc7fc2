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

"""How right answers are when unsure ones become 'unknown'."""

from __future__ import annotations

import sys

from rich.table import Table

from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation.classification_metrics import risk_coverage
from training.commands import terminal
from training.datasets.labels import Split
from training.protocols.stills import still_probabilities
from training.sources import MODELS
from training.still_features import read_stills

THRESHOLDS = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def main() -> int:
    """
    Print the table on PublicTest, which chose the emotion node's `min_confidence`.

    :returns: exit status.
    """
    stills = read_stills(Split.PUBLIC)
    majority = stills.majority()[stills.readable[:, 0]]
    clear = majority >= 0
    probabilities = still_probabilities(EmotionModel(MODELS / 'basic7'), stills)[clear]
    title = 'PublicTest, readable, with a majority of the votes'
    table = Table('least probability', 'answered', 'right', title=title)
    for threshold in THRESHOLDS:
        answered, right = risk_coverage(probabilities, majority[clear], threshold)
        table.add_row(f'{threshold:g}', f'{answered:.3f}', f'{right:.3f}')
    terminal().print(table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
