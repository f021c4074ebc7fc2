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

"""The face as a small grey picture, upright and always of the same size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_geometry import MESH
from emotion_estimator.faces.image_decoding import Rgb

HALF_WIDTH = 1.75
"""From the middle of a crop of `CROP_PX` to its edge, in face units of the template."""

CROP_PX = 48
"""Side of the crop that a network sees: that of FER2013's photographs."""


def crop_face(
    image: Rgb, outline: NDArray[np.float32], template: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """
    Cut a face out, rotated and scaled so that its mesh lies on the template's (least squares).

    :param image: RGB, shape [height, width, 3].
    :param outline: x and y of the landmarks in pixels, shape [478, 2].
    :param template: shape [478, 3], face units.
    :returns: grey, shape [CROP_PX, CROP_PX]; pixels outside the image repeat its edge.
    """
    flat = template[:MESH, 0] + 1j * template[:MESH, 1]
    flat = flat - flat.mean()
    seen = outline[:MESH, 0] + 1j * outline[:MESH, 1]
    middle = complex(seen.mean())
    # As complex numbers the similarity that takes the template to the face is one factor.
    turn = complex((flat.conj() * (seen - middle)).sum() / (abs(flat) ** 2).sum())
    step = turn * 2 * HALF_WIDTH / CROP_PX
    near, shrink, origin = _near(image, middle, abs(step))
    step, middle = step / shrink, (middle - origin) / shrink
    matrix = np.array([[step.real, -step.imag, 0.0], [step.imag, step.real, 0.0]])
    # The middle of a pixel lies half a pixel from its edge.
    matrix[:, 2] = np.array([middle.real - 0.5, middle.imag - 0.5]) - matrix[:, :2].sum(1) * (
        (CROP_PX - 1) / 2
    )
    crop = cv2.warpAffine(
        near,
        matrix,
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


def _near(image: Rgb, middle: complex, step: float) -> tuple[NDArray[np.uint8], int, complex]:
    """Take what lies round the face, grey, reduced by a whole factor where pixels are to spare."""
    height, width = image.shape[:2]
    shrink = max(1, min(int(step), width, height))
    # A turned square reaches as far as its diagonal.
    reach = step * CROP_PX * 0.75 + shrink
    left, right = _within(middle.real - reach, middle.real + reach, shrink, width)
    above, below = _within(middle.imag - reach, middle.imag + reach, shrink, height)
    near = cv2.cvtColor(image[above:below, left:right], cv2.COLOR_RGB2GRAY)
    if shrink > 1:
        size = ((right - left) // shrink, (below - above) // shrink)
        near = cv2.resize(near, size, interpolation=cv2.INTER_AREA)
    return np.asarray(near, np.uint8), shrink, complex(left, above)


def _within(first: float, last: float, factor: int, length: int) -> tuple[int, int]:
    """Round a range to one inside an axis, a multiple of the factor long and never empty."""
    start = round(min(max(first, 0), length - factor))
    end = round(min(max(last, start + factor), length))
    return start, end - (end - start) % factor
