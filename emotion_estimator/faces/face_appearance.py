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
What a face's skin shows, as histograms of oriented gradients beside likeness to learned patches.

N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, as OpenCV
computes them: cells of 6 x 6 pixels, blocks of 2 x 2 cells, 9 orientations. Wrinkles beside nose
and eyes, which neither blendshapes nor landmarks tell, are seen here.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_crop import CROP_PX
from emotion_estimator.faces.face_patches import RESPONSES, PatchBank

_CELL_PX = 6
_ORIENTATIONS = 9
_CELLS = CROP_PX // _CELL_PX

GRADIENTS = (_CELLS - 1) ** 2 * 4 * _ORIENTATIONS
"""Number of values of `oriented_gradients`."""

APPEARANCE = GRADIENTS + RESPONSES
"""Number of values of `appearance_of`."""

_DESCRIPTOR = cv2.HOGDescriptor(
    (CROP_PX, CROP_PX),
    (2 * _CELL_PX, 2 * _CELL_PX),
    (_CELL_PX, _CELL_PX),
    (_CELL_PX, _CELL_PX),
    _ORIENTATIONS,
)


def oriented_gradients(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """
    Describe a face's crop.

    :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
    :returns: each in [0, 1], shape [GRADIENTS].
    """
    return np.asarray(_DESCRIPTOR.compute(np.ascontiguousarray(crop)), np.float32).ravel()


def appearance_of(crops: NDArray[np.uint8], patches: PatchBank) -> NDArray[np.float32]:
    """
    Describe faces' crops in all that the face encoding sees of them.

    :param crops: grey, shape [N, CROP_PX, CROP_PX].
    :param patches: to compare with, `PATCHES` of them.
    :returns: gradients, then responses, shape [N, APPEARANCE].
    """
    found = np.empty((len(crops), APPEARANCE), np.float32)
    for row, crop in zip(found, crops):
        row[:GRADIENTS] = oriented_gradients(crop)
        row[GRADIENTS:] = patches(crop)
    return found
