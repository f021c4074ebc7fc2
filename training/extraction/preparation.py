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

"""How a photograph is prepared before faces are looked for in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ENLARGED_PX = 192
"""Wanted length of the shorter side, met as nearly as a whole factor can: FER2013's times four."""

BORDER = 0.25
"""Width of the black border as a share of the prepared side."""


def native(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Give the photograph as it is, as the report does (section 4.2).

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: RGB.
    """
    return _rgb(picture)


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Enlarge a small photograph by a whole factor and give it a border.

    MediaPipe's detector looks for whole heads with something round them: photographs cut at chin
    and forehead, as FER2013's, are found far more often with a border.

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: RGB.
    """
    factor = max(1, round(ENLARGED_PX / min(picture.shape[:2])))
    if factor > 1:
        picture = np.asarray(
            cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC),
            np.uint8,
        )
    height, width = picture.shape[:2]
    above, beside = round(height * BORDER), round(width * BORDER)
    bordered = cv2.copyMakeBorder(picture, above, above, beside, beside, cv2.BORDER_CONSTANT)
    return _rgb(np.asarray(bordered, np.uint8))


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.ndim == 3:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
