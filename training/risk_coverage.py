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

"""`python -m training.risk_coverage`: how right answers are when unsure ones become 'unknown'."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from emotion_estimator.emotion.emotion_model import EmotionModel
from training.fer_data import Split, read_stills
from training.scores import risk_coverage
from training.settings import MODEL_NAME, MODELS
from training.still_protocols import still_probabilities

THRESHOLDS = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def main() -> int:
    """
    Print the table on PublicTest, which chose the emotion node's `min_confidence`.

    :returns: exit status.
    """
    stills = read_stills(Split.PUBLIC)
    readable = stills.readable[:, 0]
    probabilities = still_probabilities(EmotionModel(MODELS / MODEL_NAME), stills)
    table = Table('least probability', 'answered', 'right', title='FER2013 PublicTest, readable')
    for threshold in THRESHOLDS:
        answered, right = risk_coverage(probabilities, stills.labels[readable], threshold)
        table.add_row(f'{threshold:g}', f'{answered:.3f}', f'{right:.3f}')
    Console().print(table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
