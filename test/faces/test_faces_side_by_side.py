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

"""Two faces that touch are found and followed, each by itself."""

import cv2
import numpy as np
import pytest
from helpers.faces import NEUTRAL, SERIOUS, SMILING, landmarks_of, photograph

from emotion_estimator import ExpressionEstimator
from emotion_estimator.faces.detection import FaceDetector
from emotion_estimator.faces.finder import (
    FinderFiles,
    build_close_up,
    build_face_counter,
    build_finder,
)
from emotion_estimator.faces.landmarker import box_of
from emotion_estimator.parameters import read_parameters
from emotion_estimator.stamps import NS_PER_S


def heads_side_by_side(media, names, width, apart):
    """Put heads on grey; give the picture and the columns of the faces' middles."""
    scene = np.full((480, 640, 3), 110, np.uint8)
    columns = [280 + number * apart * width for number in range(len(names))]
    for name, column in zip(names, columns):
        box = box_of(landmarks_of(photograph(media(name))))
        side = round(width / (box.x_max - box.x_min))
        x, y = side * (box.x_min + box.x_max) / 2, side * (box.y_min + box.y_max) / 2
        shift = np.array([[1, 0, column - x], [0, 1, 240 - y]])
        picture = cv2.warpAffine(photograph(media(name), side), shift, (640, 480))
        half = round(0.54 * width), round(0.57 * side * (box.y_max - box.y_min))
        head = cv2.ellipse(np.zeros((480, 640)), (round(column), 240), half, 0, 0, 360, 1, -1)
        share = cv2.GaussianBlur(head, (5, 5), 0)[..., None]
        scene = (scene * (1 - share) + picture * share).astype(np.uint8)
    return scene, columns


def middles_of(faces):
    return sorted(320 * (face.box.x_min + face.box.x_max) for face in faces)


@pytest.mark.parametrize('names', [(SERIOUS, NEUTRAL), (NEUTRAL, SERIOUS)])
def test_of_two_small_faces_that_touch_each_is_found(landmarker_path, detector_path, media, names):
    scene, columns = heads_side_by_side(media, names, width=60, apart=0.85)
    parameters = {**read_parameters().blendshape_node, 'max_faces': 4}
    files = FinderFiles(landmarker_path, detector_path, None)
    finder, counter = build_finder(parameters, files), build_face_counter(parameters, files)
    close_up = build_close_up(parameters, landmarker_path)
    boxes = FaceDetector(detector_path).find(scene)
    assert len(boxes) == 2
    for number in range(3):
        found = finder.find(scene, number * NS_PER_S // 3).faces
    assert middles_of(found) == pytest.approx(columns, abs=12)
    for box in boxes:
        assert counter.beside(scene, [box]) == 1
        assert box.is_of_same_face(close_up.find(scene, box).box)
    for one in (finder, counter, close_up):
        one.close()


@pytest.mark.parametrize('names', [(SMILING, NEUTRAL), (NEUTRAL, SMILING), (SMILING, SERIOUS)])
def test_two_near_faces_that_touch_stay_two_without_a_detector(engine, media, names):
    scene, columns = heads_side_by_side(media, names, width=120, apart=1.0)
    with ExpressionEstimator(engine=engine, max_faces=2, detection_rate_hz=0.0) as made:
        seen = [made.estimate(scene, number / 30) for number in range(12)]
    for found in seen:
        assert middles_of(found) == pytest.approx(columns, abs=24)
        assert {face.face_id for face in found} == {face.face_id for face in seen[0]}
