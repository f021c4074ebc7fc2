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

"""The faces wing as the node runs it for several people."""

from __future__ import annotations

from functools import cache

from emotion_estimator.assets import FACE_DETECTOR, find_asset
from emotion_estimator.evaluation.parameters import read_parameters
from emotion_estimator.faces.face_finder import FaceFinder
from emotion_estimator.faces.finder_assembly import FinderFiles, build_finder, find_finder_files
from emotion_estimator.files import AssetError


def new_finder(max_faces: int, detection_rate_hz: float = 2.0) -> FaceFinder:
    """
    Make a finder with the node's defaults.

    :param max_faces: see `FaceSearch`.
    :param detection_rate_hz: likewise; 0 leaves it at MediaPipe, as in the node.
    :returns: the finder; its ids repeat.
    """
    asked = {'max_faces': max_faces, 'detection_rate_hz': detection_rate_hz}
    parameters = {**read_parameters().blendshape_node, **asked}
    return build_finder(parameters, _files(detection_rate_hz))


@cache
def has_detector() -> bool:
    """Tell whether far faces can be searched for; fetches what that needs."""
    try:
        find_asset(FACE_DETECTOR)
    except AssetError:
        return False
    return True


@cache
def _files(detection_rate_hz: float) -> FinderFiles:
    """Find or fetch the files, once; says what is lost where the detector is missing."""
    asked = {'detection_rate_hz': detection_rate_hz}
    return find_finder_files({**read_parameters().blendshape_node, **asked}, fetch=True)
