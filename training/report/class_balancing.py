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

"""The report's choice of training photographs per class: section 4.1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import LABELS

HAPPY_AND_SAD = 4000
OTHERS = 1500
"""Most photographs of a class, by the report's section 4.1; of 'disgusted' there are fewer."""

MOST_OF_CLASS: dict[str, int] = {
    name: HAPPY_AND_SAD if name in ('happy', 'sad') else OTHERS for name in LABELS
}


def balanced_rows(labels: NDArray[np.int64], seed: int | None = 0) -> NDArray[np.int64]:
    """
    Choose rows so that happy, sad and all others together have similar counts.

    The report does not say which photographs of a class it took. Here they are drawn at random,
    because FER2013's order is not known to be random; `seed=None` takes the first in order.

    :param labels: indices into `LABELS`, shape [N]; rows without a label are never chosen. Give
        the training split's only.
    :param seed: of the draw, or None for the first in order.
    :returns: the rows chosen, ascending; all of a class that has no more than its limit.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    chosen = []
    for label, name in enumerate(LABELS):
        rows = np.flatnonzero(labels == label)
        chosen.append((rows if rng is None else rng.permutation(rows))[: MOST_OF_CLASS[name]])
    return np.sort(np.concatenate(chosen))
