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
Features on a scale on which movements add up.

Blendshapes are shares between 0 and 1: their log-odds are taken. Pose, geometry and appearance are
unbounded already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES

EPSILON = 1e-4
"""Blendshapes are kept this far from 0 and 1."""

SHAPES = len(NAMES)
"""The first so many features are blendshapes."""


def logit(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute log-odds, bounded by `EPSILON`.

    :param shares: values in [0, 1].
    :returns: log(x / (1 - x)), within +-9.2.
    """
    clipped = np.clip(shares, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def additive(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Bring features onto the scale.

    :param values: shape [..., F], the blendshapes first.
    :returns: the same shape.
    """
    return np.concatenate([logit(values[..., :SHAPES]), values[..., SHAPES:]], axis=-1)


def from_additive(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Invert `additive`.

    :param values: shape [..., F].
    :returns: the same shape.
    """
    found = np.array(values, np.float32)
    found[..., :SHAPES] = 1 / (1 + np.exp(-found[..., :SHAPES]))
    return found
