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

"""Real clips through the real landmarker."""

import cv2
import numpy as np
import pytest
from helpers.faces import clip_features, write_encoding
from helpers.media import frames

from emotion_estimator.faces.appearance import VISIBLE_NAMES, FaceVisibility
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.finder import FaceFinder
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.tracker import FaceTracker
from emotion_estimator.stamps import NS_PER_S, Step

START_NS = 1_700_000_000 * NS_PER_S
FRAME_NS = NS_PER_S // 30


@pytest.fixture
def finder(landmarker_path):
    finder = FaceFinder(FaceLandmarker(landmarker_path), FaceTracker(seed=1))
    yield finder
    finder.close()


@pytest.fixture
def pictures(media):
    found, _ = frames(media('single_face.mp4'), 6)
    return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in found]


def test_a_face_keeps_its_id_and_lies_in_the_picture(finder, pictures):
    sightings = [finder.find(p, START_NS + i * FRAME_NS) for i, p in enumerate(pictures)]
    assert [s.step for s in sightings] == [Step.FIRST] + [Step.FORWARD] * 5
    (face_id,) = {face.face_id for s in sightings for face in s.faces}
    assert len(face_id) == 5
    box = sightings[-1].faces[0].box
    assert 0 < box.x_min < box.x_max < 1
    assert 0 < box.y_min < box.y_max < 1


def test_without_an_encoding_a_face_has_blendshapes_alone(finder, pictures):
    (face,) = finder.find(pictures[0], START_NS).faces
    assert finder.feature_names == face.feature_names == ()
    assert face.features.shape == (0,)
    assert face.blendshapes.shape == (52,)


def test_an_encoding_gives_named_features(landmarker_path, pictures, tmp_path):
    encoding = read_encoding(write_encoding(tmp_path / 'mine.npz'))
    finder = FaceFinder(FaceLandmarker(landmarker_path), FaceTracker(seed=1), encoding)
    (face,) = finder.find(pictures[0], START_NS).faces
    finder.close()
    assert face.feature_names == finder.feature_names == (*encoding.names, *VISIBLE_NAMES)
    encoded, seen = np.split(face.features, [len(encoding.names)])
    np.testing.assert_array_equal(encoded, encoding.encode(pictures[0], face.landmarks))
    visibility = FaceVisibility(encoding.template)
    np.testing.assert_array_equal(seen, visibility.of(encoding.crop(pictures[0], face.landmarks)))


def test_a_repeated_stamp_is_not_looked_at(finder, pictures):
    finder.find(pictures[0], START_NS)
    again = finder.find(pictures[1], START_NS)
    assert (again.step, again.faces) == (Step.REPEATED, ())


@pytest.mark.parametrize('jump_s', [-3600, 3600])
def test_after_a_jump_of_the_stamps_faces_begin_anew(finder, pictures, jump_s):
    before = finder.find(pictures[0], START_NS)
    after = finder.find(pictures[1], START_NS + jump_s * NS_PER_S)
    assert after.step.restarts
    assert len(after.faces) == 1
    assert after.faces[0].face_id != before.faces[0].face_id


def test_frames_closer_than_a_millisecond_are_told_apart(finder, pictures):
    for i, picture in enumerate(pictures):
        assert len(finder.find(picture, START_NS + i * 100_000).faces) == 1


def test_a_clip_without_a_face_shows_none(media):
    features, _ = clip_features(media('no_face.mp4'))
    assert not any(features)


@pytest.mark.parametrize('name, change', [('face_noface.mov', 73), ('noface_face.mov', 97)])
def test_a_face_is_seen_while_it_is_there(media, name, change):
    """The clips change between face and no face about frame 73 and 97."""
    features, _ = clip_features(media(name))
    seen = [values is not None for values in features]
    first, second = seen[: change - 10], seen[change + 10 :]
    if name.startswith('noface'):
        first, second = second, first
    assert sum(first) / len(first) > 0.9
    assert sum(second) / len(second) < 0.1
