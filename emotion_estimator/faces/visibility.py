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
Whether mouth, eyes and skin of a face are there to be seen, and whether it is upright.

Landmarks are told for a covered mouth too, as it might be, and laid upright on a face that is
upside down. A small network that has seen covers of many kinds tells them from the face's crop.
And what is covered by something plain has no edges: lips, teeth and lids run across the face, so
that fewer edges cross than elsewhere in the same face. Skin shades everywhere, while a drawing is
flat between its lines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.appearance import CROP_PX, HALF_WIDTH, AppearanceNetwork
from emotion_estimator.faces.geometry import MESH

VISIBLE_NAMES: tuple[str, ...] = (
    'visible.mouth',
    'visible.eyes',
    'visible.skin',
    'visible.upright',
)
"""Names of what `FaceVisibility` returns."""
VISIBILITY_LOGITS = 3
"""How many answers its network gives."""

_MOUTH = (61, 291, 0, 17)  # its corners, its upper and lower edge
_EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
_MOUTH_MARGIN_PX, _EYE_MARGIN_PX = 1.5, 2.0

_COVERED = np.array([0.20, 0.30, 0.06])
_SEEN = np.array([0.40, 0.45, 0.105])
"""
Gradients that count as nothing and as all to be seen, of mouth, eyes and skin.

Of 240 photographs of FER2013's training split 98 % lie above `_SEEN`. A cartoon's and a line
drawing's skin lie below `_COVERED`; for mouths and eyes that were painted over see
`dev.bench.covered_faces`.
"""
_FLAT = 5  # skin is judged by the fifth of it that has the weakest gradients

_LOGITS_COVERED = np.array([-2.0, -2.0, 0.5])
_LOGITS_SEEN = np.array([0.0, 0.0, 2.5])
"""
The network's answers that count as nothing and as all to be seen: mouth, eyes, upright.

Chosen on photographs of FER2013's PublicTest, see `training.encoding.visibility`.
"""


class FaceVisibility:
    """
    Tells how much of a face is seen, and whether it is upright in its crop.

    :param template: the face on which crops are laid, in face units, shape [478, 3].
    :param network: its answers are the logits that mouth and eyes are seen and that the mesh
        lies right, see `training.encoding.visibility`; None leaves it at the gradients.
    """

    def __init__(
        self, template: NDArray[np.float32], network: AppearanceNetwork | None = None
    ) -> None:
        places = template[:MESH, :2] - template[:MESH, :2].mean(axis=0)
        places = (places / (2 * HALF_WIDTH) + 0.5) * CROP_PX - 0.5
        self._mouth = _ellipse(places[list(_MOUTH)], _MOUTH_MARGIN_PX)
        self._eyes = np.logical_or(*(_ellipse(places[list(e)], _EYE_MARGIN_PX) for e in _EYES))
        face = np.zeros((CROP_PX, CROP_PX), np.uint8)
        hull = cv2.convexHull(np.rint(places).astype(np.int32))
        self._face = cv2.fillConvexPoly(face, hull, 1) > 0
        self._network = network

    def of(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """
        Look at one face.

        :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
        :returns: a value for each of `VISIBLE_NAMES`, 0 where nothing is seen, 1 where all is.
        """
        across = cv2.Sobel(crop, cv2.CV_32F, 1, 0)
        down = cv2.Sobel(crop, cv2.CV_32F, 0, 1)
        strength = cv2.magnitude(across, down)
        in_face = strength[self._face]
        edges = np.abs(down)
        seen = np.array(
            [
                edges[self._mouth].mean(),
                edges[self._eyes].mean(),
                np.partition(in_face, len(in_face) // _FLAT)[len(in_face) // _FLAT],
            ]
        )
        # The 1 keeps a crop of one colour from being divided by 0.
        share = (seen / (in_face.mean() + 1) - _COVERED) / (_SEEN - _COVERED)
        share = np.append(share, 1.0)
        if self._network is not None:
            logits = self._network(crop[None])[0]
            told = (logits - _LOGITS_COVERED) / (_LOGITS_SEEN - _LOGITS_COVERED)
            share[[0, 1, 3]] = np.minimum(share[[0, 1, 3]], told)
        return np.asarray(np.clip(share, 0, 1), np.float32)


def _ellipse(points: NDArray[np.float32], margin_px: float) -> NDArray[np.bool_]:
    """Mark the pixels in an ellipse that reaches a margin beyond some points."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = np.ptp(points, axis=0) / 2 + margin_px
    y, x = np.mgrid[0:CROP_PX, 0:CROP_PX]
    inside: NDArray[np.bool_] = np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1]) < 1
    return inside


# Whether a camera hangs upside down.


_TURNED_OVER_RAD = 0.75 * np.pi


class UprightWatch:
    """
    Counts faces that are upside down in their images, and hints at a camera that hangs so.

    Threads may share it.

    :param least: so many faces must have been seen before it hints.
    :param most: so many of the latest faces count; None counts all.
    """

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self._least = least
        self._over: deque[bool] = deque(maxlen=most)

    def see(self, values: Mapping[str, float]) -> None:
        """
        Count a face.

        :param values: of its features by name; what is not known counts as upright.
        """
        over = abs(values.get('head.roll', 0.0)) > _TURNED_OVER_RAD
        self._over.append(over or values.get('visible.upright', 1.0) < 0.5)

    def hints(self) -> list[str]:
        """
        Tell of a camera that hangs upside down.

        :returns: a sentence when more than half of the faces are upside down, else none.
        """
        over = list(self._over)
        if len(over) < self._least or 2 * sum(over) <= len(over):
            return []
        return [
            f'{sum(over)} of {len(over)} faces look upside down, and their expression is unknown '
            'then: where the camera hangs so, turn its pictures with the parameter rotate '
            '(replay: --rotate 180).'
        ]
