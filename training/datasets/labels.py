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

"""The words of this project for expressions and splits, which every data set is read into."""

from __future__ import annotations

import enum
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.evaluation.labels import EXPRESSIONS

LABELS: tuple[str, ...] = EXPRESSIONS
"""The classes in FER2013's numbering: angry, disgust, fear, happy, sad, surprise, neutral."""

NEUTRAL = LABELS.index('neutral')
NO_LABEL = -1
"""Label of a face that shows none of `LABELS`, such as contempt."""


class DataError(RuntimeError):
    """Training data that cannot be had or used; the message says which and what to do."""


class Split(enum.IntEnum):
    """FER2013's Usage column, in its numbering, also for validation and test sets of others."""

    TRAINING = 0
    PUBLIC = 1
    PRIVATE = 2


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """
    Turn labels into shares of 1.

    :param labels: indices into `LABELS`, or `NO_LABEL`, shape [N].
    :returns: shape [N, 7]; all 0 where there is no label.
    """
    return np.vstack([np.eye(len(LABELS)), np.zeros(len(LABELS))]).astype(np.float32)[labels]


def assets_folder() -> Path:
    """
    Name the folder with the data: EMOTION_ESTIMATOR_ASSETS, or `shared` beside the checkout.

    :returns: the folder; it need not exist.
    """
    named = os.environ.get(ASSETS_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[3] / 'shared'
