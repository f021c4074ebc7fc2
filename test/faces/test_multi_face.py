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

"""YuNet and close-ups on real photographs, small ones and many; what a frame may cost."""

import os
import threading

import cv2
import numpy as np
import pytest
from helpers.faces import PEOPLE, SMILING

from emotion_estimator.faces.detection import SEARCHED_PX, FaceDetector, TiledDetector
from emotion_estimator.faces.landmarker import Box, FaceLandmarker, LandmarkedFace
from emotion_estimator.faces.multi_face import CloseUp, FaceSearch
from emotion_estimator.faces.networks import FaceNetworks

FRAME_MS = 33


@pytest.fixture(scope='module', params=['tiles', 'YuNet'])
def detector(request, landmarker_path):
    if request.param == 'tiles':
        return TiledDetector(FaceNetworks(landmarker_path))
    return FaceDetector(request.getfixturevalue('detector_path'))


@pytest.fixture(scope='module')
def close_up(landmarker_path):
    made = CloseUp(FaceLandmarker(FaceNetworks(landmarker_path), stills=True))
    yield made
    made.close()


@pytest.fixture(scope='module')
def stills(landmarker_path):
    landmarker = FaceLandmarker(FaceNetworks(landmarker_path), stills=True)
    yield landmarker
    landmarker.close()


@pytest.fixture
def search_for(landmarker_path, detector):
    """Make searches of some faces over the real networks."""
    made = []

    def new():
        return FaceLandmarker(FaceNetworks(landmarker_path))

    def make(max_faces):
        made.append(FaceSearch(new(), detector, lambda: CloseUp(new()), max_faces, 2.0))
        return made[-1]

    yield make
    for search in made:
        search.close()


@pytest.fixture
def rgb(media):
    """Read a picture of the assets."""
    return lambda name: cv2.cvtColor(cv2.imread(str(media(name))), cv2.COLOR_BGR2RGB)


@pytest.fixture
def landscape(rgb):
    return cv2.resize(rgb('free-mountain-vector-01.jpg'), (640, 480))


def with_face(background, face, box, width_px, left=200, top=120):
    """Put a photograph of one face, with its surroundings, into a picture; the face's centre."""
    scale = width_px / ((box.x_max - box.x_min) * face.shape[1])
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small[: background.shape[0] - top, : background.shape[1] - left]
    picture = background.copy()
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    x, y = centre_px(box, face)
    return picture, (left + x * scale, top + y * scale)


def centre_px(box, picture):
    height, width = picture.shape[:2]
    return (box.x_min + box.x_max) / 2 * width, (box.y_min + box.y_max) / 2 * height


def distance_px(box, picture, place):
    return np.hypot(*np.subtract(centre_px(box, picture), place))


def test_the_detector_finds_all_five_people_the_largest_first_and_none_in_a_landscape(
    detector, close_up, rgb, landscape
):
    assert detector.find(landscape) == []
    picture = rgb('multi_face.jpg')
    boxes = detector.find(picture)
    sizes = [(box.x_max - box.x_min) * (box.y_max - box.y_min) for box in boxes]
    # A box that holds no face is dropped for its landmarks.
    assert sum(close_up.find(picture, box) is not None for box in boxes) == 5
    assert sizes == sorted(sizes, reverse=True)


def test_the_detector_finds_far_faces_where_they_are(detector, close_up, stills, rgb, landscape):
    for name in (PEOPLE[1], SMILING):
        for width_px in (24, 40, 96):
            face = stills.find(rgb(name))[0]
            picture, place = with_face(landscape, rgb(name), face.box, width_px)
            (box,) = detector.find(picture)
            found = close_up.find(picture, box)
            assert distance_px(found.box, picture, place) < width_px / 4, (name, width_px)


@pytest.mark.parametrize('size', [(1280, 960), (3840, 2160), (1080, 1920)])
def test_a_large_image_is_searched_at_a_bounded_size(detector, rgb, landscape, stills, size):
    face = stills.find(rgb(SMILING))[0]
    picture, (x, y) = with_face(landscape, rgb(SMILING), face.box, 60)
    (box,) = detector.find(cv2.resize(picture, size))
    assert abs((box.x_min + box.x_max) / 2 - x / 640) < 0.02
    assert abs((box.y_min + box.y_max) / 2 - y / 480) < 0.02
    assert 1 < detector.cost <= 1.01 * SEARCHED_PX / (640 * 480)
    detector.find(picture)
    assert detector.cost == 1


@pytest.mark.parametrize('size', [(1, 1), (32_766, 1), (1, 32_766), (7, 3)])
def test_an_image_of_any_shape_can_be_searched(detector, size):
    assert detector.find(np.zeros((size[1], size[0], 3), np.uint8)) == []


def test_a_search_that_costs_more_is_made_less_often():
    scene = Scene()
    search = scene.search(max_faces=1, rate_hz=2)
    search._detector.cost = 2.0
    run(search, 91)
    assert scene.detections == 3  # every second of three


@pytest.mark.parametrize('width_px', [24, 40, 96])
@pytest.mark.parametrize('name', [PEOPLE[1], SMILING])
def test_a_close_up_finds_a_far_face_near_to_where_it_was_seen(
    close_up, stills, rgb, landscape, name, width_px
):
    picture, place = with_face(landscape, rgb(name), stills.find(rgb(name))[0].box, width_px)
    x, y = np.divide(place, (640, 480)) + 0.15 * width_px / 640
    half = np.array([0.6, 0.8]) * width_px / (640, 480)
    found = close_up.find(picture, Box(x - half[0], y - half[1], x + half[0], y + half[1]))
    assert found is not None
    assert distance_px(found.box, picture, place) < width_px / 4
    assert found.landmarks.shape == (478, 3)
    assert found.blendshapes.shape == (52,)


def test_a_close_up_agrees_with_the_whole_picture(close_up, stills, rgb):
    picture = cv2.resize(rgb(SMILING), (640, 640))
    (whole,) = stills.find(picture)
    close = close_up.find(picture, whole.box)
    np.testing.assert_allclose(close.landmarks[:, :2], whole.landmarks[:, :2], atol=0.02)
    np.testing.assert_allclose(close.landmarks[:, 2], whole.landmarks[:, 2], atol=0.05)


def test_a_close_up_of_no_face_is_none(close_up, landscape):
    assert close_up.find(landscape, Box(0.4, 0.4, 0.6, 0.6)) is None
    assert close_up.find(landscape, Box(3, 3, 4, 4)) is None
    assert close_up.find(landscape, Box(0.5, 0.5, 0.5, 0.5)) is None


def test_with_the_detector_as_many_people_are_followed_as_asked_for_and_none_twice(
    search_for, rgb
):
    picture = rgb('multi_face.jpg')
    for max_faces in (1, 2, 5, 10):
        search = search_for(max_faces)
        found = [search.find(picture, number * FRAME_MS) for number in range(1, 5)]
        assert [len(faces) for faces in found] == [min(max_faces, 5)] * 4
    places = [face.box for face in found[-1]]
    centres = [((b.x_min + b.x_max) / 2, (b.y_min + b.y_max) / 2) for b in places]
    gaps = [np.hypot(a[0] - b[0], a[1] - b[1]) for a in centres for b in centres if a is not b]
    assert min(gaps) > 0.05


def test_faces_that_are_looked_at_side_by_side_are_found_as_one_by_one(
    landmarker_path, detector, rgb, monkeypatch
):
    picture = rgb('multi_face.jpg')

    def followed():
        networks = FaceNetworks(landmarker_path)
        near = FaceLandmarker(networks)
        search = FaceSearch(near, detector, lambda: CloseUp(FaceLandmarker(networks)), 5, 2)
        # Shaken, so that they move.
        frames = [np.roll(picture, (3 * number, -4 * number), (0, 1)) for number in range(6)]
        found = [search.find(frame, 1 + n * FRAME_MS) for n, frame in enumerate(frames)]
        threads = {thread.name.partition('_')[0] for thread in threading.enumerate()}
        search.close()
        return found, 'faces' in threads

    (side_by_side, has_workers), cores = followed(), os.sched_getaffinity(0)
    assert has_workers == (len(cores) > 1)
    assert not any(thread.name.startswith('faces') for thread in threading.enumerate())
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0})
    one_by_one, has_workers = followed()
    assert not has_workers
    for frame, other in zip(side_by_side, one_by_one, strict=True):
        assert len(frame) == 5
        for face, same in zip(frame, other, strict=True):
            np.testing.assert_array_equal(face.landmarks, same.landmarks)
            np.testing.assert_array_equal(face.blendshapes, same.blendshapes)


def test_a_far_face_has_nothing_of_the_one_before(search_for, stills, rgb, landscape):
    boxes = {name: stills.find(rgb(name))[0].box for name in (SMILING, PEOPLE[1])}
    before, after = (with_face(landscape, rgb(n), box, 36)[0] for n, box in boxes.items())
    search = search_for(1)
    for number in range(10):
        search.find(before, number * FRAME_MS)
    (found,), (alone,) = (one.find(after, 5000) for one in (search, search_for(1)))
    np.testing.assert_array_equal(found.blendshapes, alone.blendshapes)


def box_at(x):
    return Box(x - 0.05, 0.4, x + 0.05, 0.6)


def face_at(x):
    return LandmarkedFace(box_at(x), lambda: np.zeros(52), np.zeros((478, 3), np.float32))


class Scene:
    """Faces at known places, and a count of who was asked; in the place of the networks."""

    def __init__(self, near=(), far=(), covered=()):
        self.near, self.far, self.covered = near, far, covered
        self.detections, self.close_ups, self.made = 0, 0, []

    def search(self, max_faces, rate_hz=2.0):
        return FaceSearch(_Near(self), _Detector(self), self._new_close_up, max_faces, rate_hz)

    def _new_close_up(self):
        self.made.append(_CloseUp(self))
        return self.made[-1]


class _Part:
    def __init__(self, scene):
        self.scene = scene
        self.closed = False

    def close(self):
        self.closed = True


class _Near(_Part):
    def find(self, image, time_ms):
        return [face_at(x) for x in self.scene.near]


class _Detector(_Part):
    cost = 1.0

    def find(self, image):
        self.scene.detections += 1
        return [box_at(x) for x in (*self.scene.near, *self.scene.covered, *self.scene.far)]


class _CloseUp(_Part):
    looked_ms, follows = 0, False

    def find(self, image, box, time_ms):
        assert time_ms > self.looked_ms, 'MediaPipe refuses a time that comes twice.'
        self.looked_ms = time_ms
        self.scene.close_ups += 1
        x = (box.x_min + box.x_max) / 2
        found = next((face_at(far) for far in self.scene.far if abs(far - x) < 0.05), None)
        self.follows = found is not None
        return found


def run(search, frames, start_ms=1):
    return [len(search.find(None, start_ms + n * FRAME_MS)) for n in range(frames)]


def test_one_near_face_costs_nothing_more():
    scene = Scene(near=(0.5,), far=(0.2,))
    assert run(scene.search(max_faces=1), 90) == [1] * 90
    assert (scene.detections, scene.close_ups) == (0, 0)


def test_while_faces_are_missing_detections_keep_their_rate():
    scene = Scene(near=(0.5,), far=(0.2,))
    assert run(scene.search(max_faces=5, rate_hz=2), 91) == [2] * 91
    assert scene.detections == 6  # every half second of three, the first frame included
    assert scene.close_ups == 91


def test_faces_are_followed_where_the_system_does_not_tell_its_cores(monkeypatch):
    monkeypatch.delattr(os, 'sched_getaffinity')
    search = Scene(near=(0.5,), far=(0.2,)).search(max_faces=2)
    assert run(search, 3) == [2] * 3
    search.close()


def test_once_all_are_found_nothing_is_detected():
    scene = Scene(near=(0.5,), far=(0.2, 0.8))
    assert run(scene.search(max_faces=3), 91) == [3] * 91
    assert scene.detections == 1


def test_a_frame_never_costs_more_close_ups_than_faces():
    scene = Scene(far=(0.1, 0.3, 0.5, 0.7, 0.9))
    search = scene.search(max_faces=3)
    for number in range(1, 30):
        before = scene.close_ups
        assert len(search.find(None, number * FRAME_MS)) == 3
        assert scene.close_ups - before <= 3


def test_faces_that_are_covered_hide_no_other_from_the_search():
    scene = Scene(far=(0.9,), covered=(0.1, 0.3, 0.5))
    search = scene.search(max_faces=1, rate_hz=1000)
    assert run(search, 6) == [0, 0, 0, 1, 1, 1]
    scene.far, scene.covered = (0.3,), (0.1, 0.5)
    assert 1 in run(search, 4, start_ms=300)


def test_a_face_that_left_is_no_longer_sought_where_it_was():
    scene = Scene(far=(0.2,))
    search = scene.search(max_faces=1)
    assert run(search, 1) == [1]
    scene.far = ()
    assert run(search, 4, start_ms=100) == [0] * 4
    assert scene.close_ups == 2


def test_after_a_pause_faces_are_detected_again():
    scene = Scene(far=(0.2,))
    search = scene.search(max_faces=1, rate_hz=0.1)
    run(search, 3)
    scene.far = (0.8,)
    assert run(search, 1, start_ms=5000) == [1]
    assert scene.detections == 2
    assert [close_up.closed for close_up in scene.made] == [True, False]


def test_for_a_second_after_a_face_was_lost_detections_are_more_frequent():
    scene = Scene(far=(0.2, 0.8))
    search = scene.search(max_faces=3, rate_hz=2)
    run(search, 60)
    scene.far = (0.2,)
    detections = []
    for number in range(60, 150, 30):
        before = scene.detections
        run(search, 30, start_ms=1 + number * FRAME_MS)
        detections.append(scene.detections - before)
    assert 7 <= detections[0] <= 10
    assert detections[2] == 2


def test_what_followed_a_face_that_left_follows_the_next_and_is_closed_at_last():
    scene = Scene(far=(0.2, 0.5, 0.8))
    search = scene.search(max_faces=3, rate_hz=60)
    run(search, 3)
    for number, far in enumerate([(0.2,), (), (0.4, 0.9), (0.1, 0.4, 0.9)]):
        scene.far = far
        assert run(search, 3, start_ms=200 + number * 200)[-1] == len(far)
    assert len(scene.made) == 3
    assert not any(close_up.closed for close_up in scene.made)
    search.close()
    assert all(close_up.closed for close_up in scene.made)


def test_of_two_that_meet_one_is_followed_until_they_part():
    scene = Scene(far=(0.3, 0.7))
    search = scene.search(max_faces=2, rate_hz=60)
    ways = [0.2 - 0.01 * step for step in range(20)]
    counts = []
    for number, half in enumerate([*ways, *reversed(ways)]):
        scene.far = (0.5 - half, 0.5 + half)
        counts += run(search, 1, start_ms=1 + number * FRAME_MS)
    assert counts[:14] == counts[-14:] == [2] * 14
    assert counts[19:21] == [1, 1]


def test_where_one_face_vanishes_and_another_appears_in_one_frame_both_are_looked_at():
    scene = Scene(far=(0.2,))
    search = scene.search(max_faces=2, rate_hz=60)
    run(search, 3)
    scene.far = (0.8,)
    assert run(search, 3, start_ms=200) == [1, 1, 1]
    assert len(scene.made) == 2
