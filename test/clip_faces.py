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

"""Faces of a clip as the faces wing finds them, for tests of what follows."""

from functools import lru_cache

import cv2
from media import frames

from emotion_estimator import blendshapes
from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.face_finder import FaceFinder
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.files import find_encoding
from emotion_estimator.stamps import NS_PER_S


@lru_cache
def clip_features(path):
    """Find each frame's features by name (None without a face), with the frame rate."""
    pictures, rate_hz = frames(path)
    finder = FaceFinder(
        FaceLandmarker(find_asset(FACE_LANDMARKER)),
        FaceTracker(seed=1),
        read_encoding(find_encoding(DEFAULT_VERSION)),
    )
    found = []
    for i, picture in enumerate(pictures):
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        faces = finder.find(rgb, round((i + 1) * NS_PER_S / rate_hz)).faces
        named = [
            {
                **dict(zip(blendshapes.NAMES, face.blendshapes.tolist())),
                **dict(zip(face.feature_names, face.features.tolist())),
            }
            for face in faces
        ]
        found.append(named[0] if named else None)
    finder.close()
    return found, rate_hz
