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

"""Coarser classes made of `LABELS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import LABELS, NO_LABEL

Float = TypeVar('Float', np.float32, np.float64)


@dataclass(frozen=True)
class LabelMap:
    """
    A class of `names` for each of `LABELS`.

    :param names: the coarser classes.
    :param of: for each of `LABELS`, in their order, an index into `names`.
    :raises ValueError: when a class of `LABELS` has no place, or a name none of them.
    """

    names: tuple[str, ...]
    of: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a map that is not one onto all names."""
        if len(self.of) != len(LABELS) or set(self.of) != set(range(len(self.names))):
            raise ValueError(
                f'A map onto {", ".join(self.names)} needs one of the numbers 0 to '
                f'{len(self.names) - 1} for each of the {len(LABELS)} classes, and each number '
                f'at least once: {self.of} is none.'
            )

    def labels(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Map labels.

        :param labels: indices into `LABELS` or `NO_LABEL`, any shape.
        :returns: indices into `names`, same shape; `NO_LABEL` stays.
        """
        return np.where(labels == NO_LABEL, NO_LABEL, np.array(self.of)[labels])

    def probabilities(self, probabilities: NDArray[Float]) -> NDArray[Float]:
        """
        Sum each coarser class's probabilities.

        :param probabilities: of `LABELS`, shape [N, 7].
        :returns: of `names`, shape [N, len(names)]; rows keep their sum.
        """
        return probabilities @ np.eye(len(self.names), dtype=probabilities.dtype)[list(self.of)]


def _map(**members: tuple[str, ...]) -> LabelMap:
    of_label = {label: name for name, labels in members.items() for label in labels}
    names = tuple(members)
    return LabelMap(names, tuple(names.index(of_label[label]) for label in LABELS))


HAPPY_UNKNOWN_SAD = _map(
    happy=('happy',),
    unknown=('angry', 'disgusted', 'scared', 'surprised', 'neutral'),
    sad=('sad',),
)
"""The report's classes in its numbering: 0 happy, 1 unknown, 2 sad (section 4.1)."""

POSITIVE_NEGATIVE = _map(
    positive=('happy', 'surprised', 'neutral'),
    negative=('angry', 'disgusted', 'scared', 'sad'),
)
"""Two classes, as the report's discussion (section 7) groups them."""
