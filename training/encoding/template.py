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

"""The mean face, frontal and symmetric, that landmarks are laid on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from emotion_estimator.faces.face_geometry import MESH, align

ROUNDS = 5
_FLIP = np.array([-1, 1, 1], np.float32)


def mirror_order(face: NDArray[np.float32]) -> NDArray[np.int64]:
    """
    Find which landmark of a mirrored face stands in place of each.

    :param face: a roughly frontal, symmetric face in face units, shape [478, 3].
    :returns: indices, shape [478]; the skin's landmarks and the irises stay among themselves.
    """
    parts = [slice(0, MESH), slice(MESH, len(face))]
    orders = [linear_sum_assignment(cdist(face[p], face[p] * _FLIP))[1] + p.start for p in parts]
    return np.concatenate(orders)


def mirrored(points: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """
    Mirror faces left to right.

    :param points: in face units, shape [..., 478, 3].
    :param order: see `mirror_order`.
    :returns: the same shape.
    """
    return np.asarray(points[..., order, :] * _FLIP)


def mean_face(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute the template: faces laid on their own mean again and again (Procrustes analysis).

    J. C. Gower, "Generalized Procrustes analysis", Psychometrika 40 (1975), 33. The first mean is
    that of the faces as photographed; mirror images count likewise, so that a template turned to
    neither side comes out.

    :param points: in face units, shape [N, 478, 3].
    :returns: in face units, shape [478, 3].
    """
    template = points.mean(axis=0)
    order = mirror_order(template)
    for _ in range(ROUNDS):
        template = _in_units((template + mirrored(template, order)) / 2)
        template = align(points, template)[0].mean(axis=0)
    return _in_units((template + mirrored(template, order)) / 2)


def _in_units(face: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = face - face[:MESH].mean(axis=0)
    unit = np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())
    return np.asarray(centred / unit, np.float32)
