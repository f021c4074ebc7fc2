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

"""MediaPipe's answer read from its structures is that of its public result."""

import cv2
import mediapipe as mp
import numpy as np
import pytest
from media import PEOPLE, frames, photograph
from mediapipe.tasks.python import BaseOptions, vision

from emotion_estimator import blendshapes
from emotion_estimator.faces.mediapipe_result import (
    detect_through_objects,
    detect_through_structures,
    has_structures,
)


@pytest.fixture
def make(landmarker_path):
    """Make landmarkers that are closed after the test."""
    made = []

    def landmarker(faces):
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(landmarker_path)),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=faces,
            output_face_blendshapes=True,
        )
        made.append(vision.FaceLandmarker.create_from_options(options))
        return made[-1]

    yield landmarker
    for each in made:
        each.close()


def pictures(media):
    clip, _ = frames(media('single_face.mp4'), 3)
    several = np.hstack([photograph(media(name)) for name in PEOPLE[1:3]])
    nothing = np.zeros((240, 320, 3), np.uint8)
    for rgb in [*(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in clip), nothing, several]:
        yield mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))


@pytest.mark.parametrize('faces', [1, 2])
def test_both_ways_give_the_same_numbers(make, media, faces):
    one, other = make(faces), make(faces)
    assert has_structures(one)
    counts = []
    for i, image in enumerate(pictures(media)):
        found = detect_through_structures(one, image, 40 * (i + 1))
        expected = detect_through_objects(other, image, 40 * (i + 1))
        assert len(found) == len(expected)
        counts.append(len(found))
        for ours, theirs in zip(found, expected):
            np.testing.assert_array_equal(ours.landmarks, theirs.landmarks)
            np.testing.assert_array_equal(ours.scores, theirs.scores)
            assert ours.landmarks.shape == (478, 3)
    assert counts[0] == 1
    assert counts[3] == 0
    assert max(counts) == faces


def test_scores_come_in_the_order_of_the_names(make, media):
    image = next(pictures(media))
    result = make(1).detect_for_video(image, 1)
    assert tuple(s.category_name for s in result.face_blendshapes[0]) == blendshapes.NAMES
