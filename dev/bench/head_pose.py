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

"""The head's pose against the angles by which faces are turned."""

from __future__ import annotations

import numpy as np

from dev.bench.finder import new_finder
from dev.bench.pictures import photographs
from dev.bench.turning import head_mesh
from dev.bench.turning_people import UNIT_PX, TurningPeople, both_ways
from emotion_estimator.faces.face_geometry import POSE_NAMES

STEP_DEG = 10
MOST_DEG = 30


def measure_head_pose() -> dict[str, float]:
    """
    Turn photographs of people who look straight at the camera, and compare.

    :returns: median absolute errors in degrees over angles up to `MOST_DEG` to either side,
        `head_<axis>_error_deg`, a face that is not found counting as the worst; the photographs
        themselves count as angle 0.
    """
    finder = new_finder(max_faces=1)
    people = TurningPeople(finder)
    meshes = [head_mesh(photograph, UNIT_PX) for photograph in photographs('neutral')]
    found = {}
    for axis, name in enumerate(POSE_NAMES):
        errors_deg = [
            np.inf if face is None else abs(float(np.degrees(face.features[axis])) - angle)
            for mesh in meshes
            for degrees in both_ways(STEP_DEG, MOST_DEG)
            for angle, face in people.turn(mesh, axis, degrees)
        ]
        found[f'{name.replace(".", "_")}_error_deg'] = float(np.median(errors_deg))
    finder.close()
    return found
