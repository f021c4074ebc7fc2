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

"""What of a face is seen: photographs as they are, painted over, and drawn."""

import numpy as np
import pytest
from drawings import cartoon, line_drawing
from media import PEOPLE, photograph

from dev.bench.covered_faces import COLOURS, EYES, MOUTH, cover
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_visibility import VISIBLE_NAMES, FaceVisibility
from emotion_estimator.files import find_encoding


@pytest.fixture(scope='module')
def visible():
    """Make what tells the parts of a face by name."""
    encoding = read_encoding(find_encoding(DEFAULT_VERSION))
    visibility = FaceVisibility(encoding.template)
    return lambda picture, points: dict(
        zip(VISIBLE_NAMES, visibility.of(encoding.crop(picture, points)))
    )


@pytest.fixture(scope='module')
def faces(landmarker_path, media):
    """Photographs with their landmarks."""
    landmarker = FaceLandmarker(landmarker_path, stills=True)
    found = []
    for name in PEOPLE:
        picture = photograph(media(name))
        found.append((picture, landmarker.find(picture)[0].landmarks))
    landmarker.close()
    return found


def test_a_face_as_it_is_is_seen_whole(visible, faces):
    for picture, points in faces:
        assert visible(picture, points) == dict.fromkeys(VISIBLE_NAMES, 1)


@pytest.mark.parametrize('colour', COLOURS.values(), ids=COLOURS)
def test_a_covered_mouth_is_not_seen_but_the_eyes_are(visible, faces, colour):
    for picture, points in faces:
        seen = visible(cover(picture, points, MOUTH, colour), points)
        assert seen['visible.mouth'] < 0.2
        assert seen['visible.eyes'] > 0.8


@pytest.mark.parametrize('colour', COLOURS.values(), ids=COLOURS)
def test_covered_eyes_are_not_seen_but_the_mouth_is(visible, faces, colour):
    for picture, points in faces:
        seen = visible(cover(picture, points, EYES, colour), points)
        assert seen['visible.eyes'] < 0.2
        assert seen['visible.mouth'] > 0.8


@pytest.mark.parametrize('draw', [line_drawing, cartoon])
def test_a_drawing_has_no_skin(visible, landmarker_path, draw):
    landmarker = FaceLandmarker(landmarker_path, stills=True)
    (face,) = landmarker.find(draw())
    landmarker.close()
    assert visible(draw(), face.landmarks)['visible.skin'] < 0.1


def test_a_picture_of_one_colour_shows_nothing(visible, faces):
    picture, points = faces[0]
    grey = np.full_like(picture, 128)
    assert visible(grey, points) == dict.fromkeys(VISIBLE_NAMES, 0)
