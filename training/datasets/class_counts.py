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

"""How many photographs each expression has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import LABELS, NO_LABEL, Split
from training.datasets.pictures import LabelledPictures

REPORT_ORDER = ('happy', 'sad', 'angry', 'scared', 'surprised', 'disgusted', 'neutral')
"""The classes in the order of the report's section 3."""


def class_counts(pictures: LabelledPictures) -> NDArray[np.int64]:
    """
    Count the photographs of each class and split.

    :param pictures: the photographs; those with `labels.NO_LABEL` do not count.
    :returns: shape [7, 3], rows in the order of `labels.LABELS`, columns in that of `Split`.
    """
    counts = np.zeros((len(LABELS), len(Split)), np.int64)
    known = pictures.labels != NO_LABEL
    np.add.at(counts, (pictures.labels[known], pictures.splits[known]), 1)
    return counts
