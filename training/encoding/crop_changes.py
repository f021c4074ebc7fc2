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

"""Changes faces' crops by chance, so that a network never sees the same face twice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_appearance import evened
from emotion_estimator.faces.face_crop import CROP_PX


@dataclass(frozen=True)
class CropChanges:
    """
    How strongly crops are changed.

    :param mirrored: share turned over left to right.
    :param rotation_rad: standard deviation of the turn.
    :param scale: standard deviation of the size's natural logarithm.
    :param shift_px: standard deviation of the shift along each axis.
    :param coarse: share reduced to fewer pixels and enlarged again, as though far away.
    :param coarse_px: least and most pixels along a side of those.
    :param noisy: share with noise.
    :param noise: most noise, as share of the crop's contrast.
    :param hidden: share of which a rectangle is made even.
    :param hidden_px: least length of its sides, and one above the most.
    :param contrast: standard deviation of the contrast's natural logarithm, and of the
        brightness as share of the contrast.
    """

    mirrored: float = 0.5
    rotation_rad: float = 0.1
    scale: float = 0.06
    shift_px: float = 1.5
    coarse: float = 0.3
    coarse_px: tuple[float, float] = (12.0, 36.0)
    noisy: float = 0.3
    noise: float = 0.25
    hidden: float = 0.25
    hidden_px: tuple[int, int] = (6, 18)
    contrast: float = 0.15


def changed_crop(
    crop: NDArray[np.uint8], how: CropChanges, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Change one crop as the face could have been seen otherwise.

    :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
    :param how: how strongly.
    :param rng: source of chance; the same state gives the same values.
    :returns: evened, see `evened`; the same shape.
    """
    if rng.random() < how.coarse:
        side = int(rng.uniform(*how.coarse_px))
        few = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = np.asarray(cv2.resize(few, crop.shape, interpolation=cv2.INTER_LINEAR), np.uint8)
    moved = cv2.warpAffine(
        crop,
        _movement(how, rng),
        crop.shape,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = evened(np.asarray(moved, np.uint8))
    if rng.random() < how.noisy:
        values += rng.standard_normal(values.shape, np.float32) * rng.uniform(0, how.noise)
    if rng.random() < how.hidden:
        height, width = rng.integers(*how.hidden_px, 2)
        above, left = rng.integers(-how.hidden_px[0] // 2, CROP_PX - how.hidden_px[0] // 2, 2)
        values[max(above, 0) : above + height, max(left, 0) : left + width] = 0
    brightness = rng.normal(0, how.contrast)
    return np.asarray(values * np.exp(rng.normal(0, how.contrast)) + brightness, np.float32)


def _movement(how: CropChanges, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw where each pixel goes: turned and scaled about the middle, shifted, mirrored."""
    turn = np.exp(rng.normal(0, how.scale) + 1j * rng.normal(0, how.rotation_rad))
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    if rng.random() < how.mirrored:
        linear[:, 0] *= -1
    middle = np.full(2, (CROP_PX - 1) / 2)
    shift = middle + rng.normal(0, how.shift_px, 2) - linear @ middle
    return np.column_stack([linear, shift])
