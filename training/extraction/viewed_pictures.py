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

"""Pictures as a view shows them: what landmarks in pixels of the prepared picture belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.datasets.pictures import Pictures
from training.extraction.views import View


@dataclass(frozen=True)
class ViewedPictures:
    """
    Pictures of a data set, prepared while they are read.

    :param pictures: the data set's pictures.
    :param view: how they are looked at.
    """

    pictures: Pictures
    view: View

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Read and prepare one picture.

        :param index: which, in [0, len).
        :returns: RGB [height, width, 3].
        :raises PictureError: when it cannot be read.
        """
        return self.view.picture(self.pictures.read(index))

    def name(self, index: int) -> str:
        """
        Name one picture.

        :param index: which.
        :returns: its name in the data set.
        """
        return self.pictures.name(index)

    def part(self, indices: Sequence[int]) -> ViewedPictures:
        """
        Keep some pictures.

        :param indices: which.
        :returns: those, in that order.
        """
        return replace(self, pictures=self.pictures.part(indices))

    def content(self) -> Iterator[bytes]:
        """
        Give what stands for each picture.

        :returns: yields the view's settings before the bytes of each picture in the data set.
        """
        yield from (repr(self.view).encode() + each for each in self.pictures.content())
