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

"""A photographed face, turned by a known rotation: its mesh with its skin, seen anew."""

import cv2
import numpy as np
from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarksConnections

from emotion_estimator.faces.face_geometry import MESH

# The list of edges runs round one triangle after the other.
_EDGES = [(edge.start, edge.end) for edge in FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION]
TRIANGLES = np.array([[edge[0] for edge in _EDGES[i : i + 3]] for i in range(0, len(_EDGES), 3)])
GREY = (110, 110, 110)


def render(image, landmarks, rotation, distance=6.0):
    """
    Turn a face about its middle.

    The camera is `distance` face widths away; farther triangles are drawn first. What the
    photograph does not show, as the far side of the nose, is stretched skin.
    """
    height, width = image.shape[:2]
    points = landmarks[:MESH] * np.array([width, height, width])
    middle = points.mean(axis=0)
    face_width = np.ptp(points[:, 0])
    turned = rotation.apply(points - middle)
    scale = distance * face_width / (distance * face_width + turned[:, 2:])
    seen = turned[:, :2] * scale + np.array([width, height]) / 2
    picture = np.full_like(image, GREY)
    for triangle in TRIANGLES[np.argsort(-turned[TRIANGLES, 2].mean(axis=1))]:
        source = points[triangle, :2].astype(np.float32)
        target = seen[triangle].astype(np.float32)
        left, top = np.floor(target.min(axis=0)).astype(int)
        size = np.ceil(target.max(axis=0)).astype(int) - [left, top] + 1
        if left < 0 or top < 0 or left + size[0] > width or top + size[1] > height:
            continue
        warp = cv2.getAffineTransform(source, target - np.float32([left, top]))
        patch = cv2.warpAffine(image, warp, tuple(map(int, size)), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round(target - [left, top]).astype(np.int32), 255)
        place = picture[top : top + size[1], left : left + size[0]]
        place[mask > 0] = patch[mask > 0]
    return picture
