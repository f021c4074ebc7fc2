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
What a face's skin shows, as likeness to patches that were learned.

A. Coates, H. Lee, A. Ng, "An analysis of single-layer networks in unsupervised feature learning",
AISTATS 2011: small patches of the crop, normalised and whitened, are compared with centres of
k-means; what is nearer than usual counts, summed over the quarters of the crop's sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_crop import CROP_PX

PATCHES = 200
"""Number of centres."""

PATCH_PX = 6
STEP_PX = 2
GRID = 4
"""Cells along a side of the crop, over which answers are summed."""

PIXELS = PATCH_PX**2
"""Number of values of a patch."""

RESPONSES = GRID * GRID * PATCHES
"""Number of values that a `PatchBank` of `PATCHES` centres gives."""

PLACES = (CROP_PX - PATCH_PX) // STEP_PX + 1
"""Patches along a side of the crop."""

_LEAST_VARIANCE = 10.0
_SHARE = np.float32(1 / PIXELS)
_EVENLY = np.full((PIXELS, 1), _SHARE)
"""What takes the mean of patches; a product is faster than NumPy's mean of short rows."""

_LEAST_DISTANCE = 1e-4
"""Added to squared distances, which rounding would otherwise make negative."""


def _pixels() -> NDArray[np.intp]:
    """Tell where each patch's pixels stand in a flat crop, shape [PLACES * PLACES, PIXELS]."""
    corner, offset = STEP_PX * np.arange(PLACES), np.arange(PATCH_PX)
    corners, offsets = (np.add.outer(CROP_PX * along, along) for along in (corner, offset))
    return np.add.outer(corners.ravel(), offsets.ravel())


_PIXELS = _pixels()

_EDGES = np.linspace(0, PLACES, GRID + 1).round().astype(int).tolist()
"""Where cells begin and end along a side, in patches."""


def _sums(rows: int) -> NDArray[np.float32]:
    """Tell which patches of a row of cells are summed, shape [GRID, rows * PLACES]."""
    cell = np.searchsorted(_EDGES, np.arange(PLACES), side='right') - 1
    return np.tile((cell == np.arange(GRID)[:, None]).astype(np.float32), rows)


_ROWS = tuple(
    (slice(first * PLACES, last * PLACES), _sums(last - first)) for first, last in pairwise(_EDGES)
)
"""Each row of cells: its patches, and how they are summed."""


def normalised_patches(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """
    Cut a crop into patches without brightness and contrast.

    :param crop: grey, shape [CROP_PX, CROP_PX].
    :returns: each of mean 0 and variance up to 1, less where there is hardly any contrast; shape
        [PLACES * PLACES, PIXELS], by rows.
    """
    patches = crop.astype(np.float32).take(_PIXELS)
    patches -= patches @ _EVENLY
    variance = np.einsum('ij,ij->i', patches, patches) * _SHARE
    patches /= np.sqrt(variance + np.float32(_LEAST_VARIANCE))[:, None]
    return patches


@dataclass(frozen=True)
class PatchBank:
    """
    Patches to compare with.

    :param centres: in whitened space, shape [K, PIXELS].
    :param mean: of normalised patches, shape [PIXELS].
    :param whitening: takes what differs from the mean into whitened space, shape
        [PIXELS, PIXELS].
    """

    centres: NDArray[np.float32]
    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]

    def __call__(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """
        Compare a crop's patches with the centres.

        A patch answers a centre by how much nearer it is than to the centres on average, or by 0
        ("triangle" activation, section 3.2.2 of the source).

        :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
        :returns: sums over the cells, 0 or more, shape [GRID * GRID * K]: all centres of the cell
            above left, then those of the cell right of it.
        """
        patches = normalised_patches(crop)
        # |w - c|^2 as one product: the patches' own lengths come in as one more column.
        near = np.empty((len(patches), PIXELS + 2), np.float32)
        whitened = near[:, :-2]
        np.subtract(patches @ self.whitening, self._whitened_mean, out=whitened)
        near[:, -2] = np.einsum('ij,ij->i', whitened, whitened)
        near[:, -1] = 1
        found = np.empty((GRID, GRID, len(self.centres)), np.float32)
        # By rows of cells, since what is compared at once then stays in the processor's cache.
        for cells, (places, sums) in zip(found, _ROWS):
            distances = near[places] @ self._distances_from
            np.sqrt(distances, out=distances)
            np.subtract(distances @ self._evenly, distances, out=distances)
            np.maximum(distances, self._zeros, out=distances)
            np.matmul(sums, distances, out=cells)
        return found.ravel()

    @cached_property
    def _evenly(self) -> NDArray[np.float32]:
        return np.full((len(self.centres), 1), 1 / len(self.centres), np.float32)

    @cached_property
    def _zeros(self) -> NDArray[np.float32]:
        """Zero for each centre; NumPy compares with a row faster than with a number."""
        return np.zeros(len(self.centres), np.float32)

    @cached_property
    def _whitened_mean(self) -> NDArray[np.float32]:
        return np.asarray(self.mean @ self.whitening)

    @cached_property
    def _distances_from(self) -> NDArray[np.float32]:
        """What gives squared distances to the centres, shape [PIXELS + 2, K]."""
        lengths = (self.centres**2).sum(axis=1) + np.float32(_LEAST_DISTANCE)
        return np.vstack([-2 * self.centres.T, np.ones_like(lengths), lengths])
