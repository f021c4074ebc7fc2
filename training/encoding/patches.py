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

"""Learns the patches that the runtime compares faces with, and compares many faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.cluster import MiniBatchKMeans

from emotion_estimator.faces.face_appearance import APPEARANCE, appearance_of
from emotion_estimator.faces.face_patches import (
    PATCHES,
    PIXELS,
    PLACES,
    PatchBank,
    normalised_patches,
)

CROPS = 6000
"""Most crops that patches are drawn from."""

PATCHES_PER_CROP = 40
EPSILON = 0.05
"""Added to the variances when whitening, so that noise is not blown up."""

_BATCH = 4096
_ROUNDS = 20
_BLOCK = 512


def learn_patches(crops: NDArray[np.uint8], count: int = PATCHES, seed: int = 0) -> PatchBank:
    """
    Cluster whitened patches: ZCA, then k-means, as in the source of `face_patches`.

    :param crops: grey, shape [N, CROP_PX, CROP_PX].
    :param count: number of centres.
    :param seed: of everything random; the same crops and seed give the same bank.
    :returns: the bank, its centres already rounded to the half precision in which they are kept.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(crops), min(CROPS, len(crops)), replace=False)
    drawn = np.concatenate(
        [
            normalised_patches(crops[row])[rng.integers(PLACES**2, size=PATCHES_PER_CROP)]
            for row in chosen
        ]
    )
    mean = drawn.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(drawn.T).reshape(PIXELS, PIXELS))
    whitening = ((axes / np.sqrt(variances + EPSILON)) @ axes.T).astype(np.float32)
    clusters = MiniBatchKMeans(
        count, batch_size=_BATCH, n_init=1, max_iter=_ROUNDS, random_state=seed
    ).fit((drawn - mean) @ whitening)
    return PatchBank(
        clusters.cluster_centers_.astype(np.float16).astype(np.float32), mean, whitening
    )


def all_appearance(crops: NDArray[np.uint8], patches: PatchBank, name: str) -> NDArray[np.float16]:
    """
    Compute what the encoding sees of many crops.

    :param crops: grey, shape [N, CROP_PX, CROP_PX].
    :param patches: to compare with.
    :param name: of the crops, for the progress shown.
    :returns: shape [N, APPEARANCE].
    """
    found = np.zeros((len(crops), APPEARANCE), np.float16)
    starts = range(0, len(crops), _BLOCK)
    for start in track(starts, f'appearance, {name}', transient=True):
        block = slice(start, start + _BLOCK)
        found[block] = appearance_of(crops[block], patches)
    return found
