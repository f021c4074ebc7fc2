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

"""What is looked at of each picture: a preparation, and for some views an augmentation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.extraction import preparation
from training.extraction.augmentation import Augmentation, augmented


@dataclass(frozen=True)
class View:
    """
    One way of looking at every picture of a data set.

    :param name: what its results are called.
    :param enlarge: whether `preparation.enlarged` prepares, rather than `preparation.native`.
    :param augmentation: how pictures are changed; None leaves them as they are.
    :param seed: of the changes.
    """

    name: str
    enlarge: bool = True
    augmentation: Augmentation | None = None
    seed: int = 0

    def picture(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """
        Prepare one picture.

        :param picture: grey [height, width] or RGB [height, width, 3].
        :returns: RGB; changed by chance that the picture itself seeds, so always likewise.
        """
        prepared = preparation.enlarged(picture) if self.enlarge else preparation.native(picture)
        if self.augmentation is None:
            return prepared
        digest = hashlib.sha256(np.ascontiguousarray(picture)).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(digest[:8], 'little')])
        return augmented(prepared, self.augmentation, rng)


NATIVE = View('native', enlarge=False)
X4_PAD25 = View('x4_pad25')
AUGMENTED = View('augmented', augmentation=Augmentation(), seed=1)
FAR = View('far', augmentation=Augmentation(reduced=(0.15, 0.25)), seed=2)
"""Photographs 29 to 48 px wide: FER2013's are enlarged by 4, so .25 is their own size."""
