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

"""People of real photographs who cross, through the real networks."""

import numpy as np
import pytest
from helpers.media import NEUTRAL, photograph

from dev.bench.crossings import RATE_HZ, ids_kept, random_crossings
from dev.bench.pictures import SIZE, Photograph, landscape, new_finder
from dev.bench.turning import UNIT_PX, TurningPeople, head_mesh
from emotion_estimator.faces.geometry import POSE_NAMES, head_angles, rotation_of
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def finder(media, landmarker_path, detector_path):
    media('london_001_neutral.jpg')
    made = new_finder(max_faces=2)
    yield made
    made.close()


@pytest.mark.parametrize('overlapping', [False, True])
def test_two_people_who_cross_keep_their_ids(finder, overlapping):
    (crossing,) = random_crossings(1, overlapping)
    sightings = [
        finder.find(picture, NS_PER_S + number * NS_PER_S // RATE_HZ).faces
        for number, picture in enumerate(crossing.frames(landscape()))
    ]
    assert crossing.apart.all() != overlapping
    assert ids_kept(crossing, sightings)
    lost = [faces if n < len(sightings) // 2 else () for n, faces in enumerate(sightings)]
    assert not ids_kept(crossing, lost)


@pytest.mark.assets
def test_crossings_repeat_and_stay_in_the_picture(media):
    media('london_001_neutral.jpg')
    first, again = ([*random_crossings(3, overlapping=True)] for _ in range(2))
    for crossing, same in zip(first, again):
        assert (crossing.ways == same.ways).all()
        assert (crossing.ways >= 0).all()
        assert (crossing.ways <= SIZE).all()
        assert crossing.apart[0]
        assert crossing.apart[-1]
        assert not crossing.apart.all()


# Heads turned by known angles, for the measurements: rendered as they should be, and told.


NOSE_TIP, SELLION = 1, 168


@pytest.fixture
def mesh(landmarker_path, media):
    picture = photograph(media(NEUTRAL))
    landmarker = FaceLandmarker(landmarker_path, stills=True)
    (face,) = landmarker.find(picture)
    landmarker.close()
    return head_mesh(Photograph(NEUTRAL, picture, face.box, face.landmarks), UNIT_PX)


@pytest.mark.parametrize('angles', [(0.2, -0.3, 0.4), (-1.0, 1.2, -2.0), (0.0, 0.0, 0.0)])
def test_a_rotation_has_the_angles_that_it_was_made_of(angles):
    rotation = rotation_of(angles)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(head_angles(rotation[None])[0], angles, atol=1e-9)


@pytest.mark.parametrize('axis, along', [('head.yaw', 0), ('head.pitch', 1)])
def test_a_head_turns_to_its_left_and_downward(mesh, axis, along):
    """In the picture the person's left is on the right, and down is down."""
    angles = np.radians(20) * np.array([name == axis for name in POSE_NAMES])
    turned = mesh.points @ rotation_of(tuple(angles)).T
    before, after = (p[NOSE_TIP, along] - p[SELLION, along] for p in (mesh.points, turned))
    assert after - before > 0.05


def test_a_head_that_is_not_turned_is_drawn_as_photographed(mesh):
    drawn = mesh.draw(landscape(), (0.0, 0.0, 0.0), UNIT_PX)
    for x, y in mesh.places[[NOSE_TIP, SELLION]].round().astype(int).tolist():
        colour = mesh.texture[y, x].astype(int)
        around = drawn[180:300, 260:380].reshape(-1, 3).astype(int)
        assert np.abs(around - colour).max(axis=1).min() < 12
    assert (drawn[0, 0] == landscape()[0, 0]).all()


@pytest.mark.parametrize('axis', POSE_NAMES)
def test_the_pose_of_a_turned_head_is_told(mesh, axis):
    finder = new_finder(max_faces=1, detection_rate_hz=0.0)
    index = POSE_NAMES.index(axis)
    for angle, face in TurningPeople(finder).turn(mesh, index, [0, 10, 20]):
        assert np.degrees(face.features[index]) == pytest.approx(angle, abs=9)
    finder.close()
