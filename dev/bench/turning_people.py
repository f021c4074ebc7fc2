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

"""People who turn their heads before the camera, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dev.bench.pictures import landscape
from dev.bench.turning import HeadMesh
from emotion_estimator.faces.face_finder import Face, FaceFinder
from emotion_estimator.stamps import NS_PER_S

UNIT_PX = 50
"""Length of a face unit in the pictures: the face is some 130 pixels wide."""
_RATE_HZ = 15
_FRAMES_HELD = 2
_APART_S = 3  # more than what follows a face remembers


class TurningPeople:
    """
    Shows one face after the other to the faces wing, turning away from the camera step by step.

    :param finder: the faces wing.
    """

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._background = landscape()
        self._stamp_ns = 0

    def turn(
        self, mesh: HeadMesh, axis: int, degrees: Iterable[int]
    ) -> Iterator[tuple[int, Face | None]]:
        """
        Turn a head about one axis.

        :param mesh: the head.
        :param axis: of `POSE_NAMES`.
        :param degrees: the angles, one after the other.
        :returns: each angle with what is found at it.
        """
        # So that nothing is followed that was there before.
        self._stamp_ns += _APART_S * NS_PER_S
        self._finder.find(self._background, self._stamp_ns)
        self._stamp_ns += _APART_S * NS_PER_S
        for angle in degrees:
            angles = [0.0, 0.0, 0.0]
            angles[axis] = float(np.radians(angle))
            picture = mesh.draw(self._background, (angles[0], angles[1], angles[2]), UNIT_PX)
            faces: tuple[Face, ...] = ()
            for _ in range(_FRAMES_HELD):
                self._stamp_ns += NS_PER_S // _RATE_HZ
                faces = self._finder.find(picture, self._stamp_ns).faces
            yield angle, faces[0] if faces else None


def both_ways(step: int, most: int) -> list[list[int]]:
    """
    List the angles of turning to one side and then, from the middle again, to the other.

    :param step: between angles in degrees, above 0.
    :param most: the last of a side.
    :returns: the angles of each side.
    """
    return [list(range(0, side * (most + 1), side * step)) for side in (1, -1)]
