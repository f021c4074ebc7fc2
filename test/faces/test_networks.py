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

"""The engine answers as MediaPipe's Face Landmarker does, and refuses what it cannot use."""

import io
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.faces import PEOPLE, TURNED, frames, photograph
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.assets import ASSETS_VARIABLE, MEDIA
from emotion_estimator.faces import detection
from emotion_estimator.faces.detection import FaceDetector
from emotion_estimator.faces.finder import FinderFiles, build_finder, find_finder_files
from emotion_estimator.faces.landmarker import (
    Box,
    FaceLandmarker,
    LandmarkedFace,
    OneEuroFilter,
    large_enough,
    new_landmarkers,
)
from emotion_estimator.faces.networks import FaceNetworks, Region, region_of
from emotion_estimator.files import find_shared_file
from emotion_estimator.parameters import read_parameters

CLIPS = tuple(name for name in MEDIA if Path(name).suffix in ('.mp4', '.mov', '.gif'))
LEAST_FACE_PX = 100
"""Of a smaller, enlarged face MediaPipe itself answers otherwise after a thousandth of a pixel."""


@pytest.fixture(scope='module')
def networks(landmarker_path):
    """Load the networks once."""
    return FaceNetworks(landmarker_path)


class Differences:
    """How far two landmarkers' faces are apart: pixels of a face 256 px wide, and scores."""

    def __init__(self):
        self.points, self.scores, self.images, self.counts_differ = [], [], 0, 0

    def add(self, image, first, second):
        self.images += 1
        if len(first) != len(second):
            self.counts_differ += 1
            return
        height, width = image.shape[:2]
        for one, other in zip(first, second):
            face_px = np.ptp(one.landmarks[:, 0]) * width
            if face_px >= LEAST_FACE_PX:
                apart = np.abs(one.landmarks - other.landmarks)[:, :2] * [width, height]
                self.points.append(apart * 256 / face_px)
                self.scores.append(np.abs(one.blendshapes - other.blendshapes))

    def assert_small(self, counts_differ=0):
        assert self.counts_differ <= counts_differ, f'{self.counts_differ} of {self.images}'
        if not self.points:
            return
        points, scores = np.array(self.points), np.array(self.scores)
        assert points.mean() <= 0.15
        assert np.percentile(points, 99) <= 0.5
        assert np.median(scores) <= 0.001
        assert np.percentile(scores, 99) <= 0.02


@pytest.mark.parametrize('name', CLIPS)
@pytest.mark.parametrize('max_faces', [1, 3])
def test_faces_of_a_clip_are_those_that_mediapipe_finds(
    landmarker_path, mediapipe_engine, networks, media, name, max_faces
):
    pictures, rate_hz = frames(media(name), 120)
    reference = mediapipe_engine.MediaPipeLandmarker(landmarker_path, max_faces=max_faces)
    engine = FaceLandmarker(networks, max_faces=max_faces)
    found = Differences()
    for number, bgr in enumerate(pictures, start=1):
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        time_ms = round(1000 * number / rate_hz)
        found.add(rgb, reference.find(rgb, time_ms), engine.find(rgb, time_ms))
    reference.close()
    found.assert_small()


@pytest.mark.parametrize('name', [*PEOPLE, TURNED])
def test_a_photograph_gives_what_mediapipe_gives(
    landmarker_path, mediapipe_engine, networks, media, name
):
    reference = mediapipe_engine.MediaPipeLandmarker(landmarker_path, stills=True)
    engine = FaceLandmarker(networks, stills=True)
    rgb, found = photograph(media(name)), Differences()
    found.add(rgb, reference.find(rgb), engine.find(rgb))
    reference.close()
    assert found.points
    found.assert_small()


@pytest.mark.assets
def test_500_photographs_give_what_mediapipe_gives(landmarker_path, mediapipe_engine, networks):
    folder = Path(os.environ.get(ASSETS_VARIABLE, ''), 'ood')
    paths = sorted(folder.glob('london/*.jpg'))[:100] + sorted(folder.glob('web/*'))[:400]
    if not paths:
        pytest.skip(f'{ASSETS_VARIABLE} names no folder with the photographs.')
    reference = mediapipe_engine.MediaPipeLandmarker(landmarker_path, stills=True)
    engine = FaceLandmarker(networks, stills=True)
    found = Differences()
    for path in paths:
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        found.add(rgb, reference.find(rgb), engine.find(rgb))
    reference.close()
    assert len(found.points) > 300
    found.assert_small(counts_differ=len(paths) // 500)


@pytest.mark.parametrize('direction', [(-1, 0), (1, 0), (0, -1), (0, 1)])
def test_a_face_may_leave_through_each_edge(
    landmarker_path, mediapipe_engine, networks, media, direction
):
    picture = photograph(media(PEOPLE[0]))
    reference = mediapipe_engine.MediaPipeLandmarker(landmarker_path)
    engine = FaceLandmarker(networks)
    seen = []
    for step in range(16):
        by = np.float32([[1, 0, 32 * step * direction[0]], [0, 1, 32 * step * direction[1]]])
        frame = cv2.warpAffine(picture, by, picture.shape[1::-1])
        time_ms = 40 * (step + 1)
        seen.append((len(reference.find(frame, time_ms)), len(engine.find(frame, time_ms))))
    reference.close()
    assert seen[0] == (1, 1)
    assert seen[-1] == (0, 0)
    assert all(one == other for one, other in seen)


@pytest.mark.parametrize('size', [(1, 1), (1, 10_000), (10_000, 1), (2, 3)])
@pytest.mark.parametrize('stills', [True, False])
def test_a_face_is_not_found_where_there_is_no_room(networks, size, stills):
    engine = FaceLandmarker(networks, stills=stills)
    assert engine.find(np.full((*size, 3), 90, np.uint8), None if stills else 1) == []


def test_the_size_may_change_from_one_frame_to_the_next(networks, media):
    picture = photograph(media(PEOPLE[0]), 480)
    engine = FaceLandmarker(networks)
    (before,) = engine.find(picture, 40)
    (after,) = engine.find(cv2.resize(picture, (960, 960)), 80)
    (again,) = engine.find(cv2.resize(picture, (240, 240)), 120)
    np.testing.assert_allclose(before.landmarks[:, :2], after.landmarks[:, :2], atol=0.02)
    np.testing.assert_allclose(before.landmarks[:, :2], again.landmarks[:, :2], atol=0.02)


@pytest.mark.parametrize('answered', [np.nan, np.finfo(np.float32).max])
def test_no_face_comes_out_of_a_network_that_answers_with_no_numbers(
    landmarker_path, media, answered
):
    broken = FaceNetworks(landmarker_path)
    ((crop, answer),) = broken._idle_landmarks
    broken._idle_landmarks = [
        (crop, lambda *given: [np.full_like(values, answered) for values in answer(*given)])
    ]
    assert FaceLandmarker(broken).find(photograph(media(PEOPLE[0])), 1) == []
    detect = broken._detector
    broken._detector = lambda *given: [values * np.float32(np.nan) for values in detect(*given)]
    assert FaceLandmarker(broken).find(photograph(media(PEOPLE[0])), 1) == []


def test_threads_that_share_the_networks_find_what_one_finds(landmarker_path, media):
    pictures = [photograph(media(name)) for name in PEOPLE]
    networks = FaceNetworks(landmarker_path)
    regions = [networks.detect(picture, 0.5, 1)[0] for picture in pictures]
    alone = [networks.landmarks(*seen)[0] for seen in zip(pictures, regions)]
    rounds = 5
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(networks.landmarks, pictures * rounds, regions * rounds))
        detected = list(
            threads.map(lambda one: networks.detect(one, 0.5, 1)[0], pictures * rounds)
        )
    for (points, presence), expected in zip(found, alone * rounds, strict=True):
        assert presence > 0.5
        np.testing.assert_array_equal(points, expected)
    assert detected == regions * rounds


def test_following_a_face_does_without_its_blendshapes(landmarker_path, media):
    networks, asked = FaceNetworks(landmarker_path), []
    rate = networks.blendshapes
    networks.blendshapes = lambda points: asked.append(points) or rate(points)
    (face,) = FaceLandmarker(networks).find(photograph(media(PEOPLE[0])), 1)
    assert not asked
    assert face.blendshapes is face.blendshapes
    assert len(asked) == 1


def test_what_is_narrower_than_eight_pixels_is_no_face():
    seven, eight = (
        LandmarkedFace(
            Box(0.5, 0.5, 0.5 + px / 100, 0.6), lambda: np.zeros(52), np.zeros((478, 3))
        )
        for px in (7, 8.5)
    )
    assert large_enough([seven, eight], 100) == [eight]


def changed_task(path, **changed):
    """Copy a .task file with other networks in it; None leaves one out."""
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, 'w') as new:
        for name in old.namelist():
            content = changed.get(name.removesuffix('.tflite'), old.read(name))
            if content is not None:
                new.writestr(name, content)
    return copy.getvalue()


@pytest.mark.parametrize(
    ('changed', 'sentence'),
    [
        ({'face_blendshapes': None}, 'it lacks face_blendshapes.tflite'),
        ({'face_detector': b'garbage' * 99}, 'LiteRT cannot load face_detector.tflite'),
        ({'face_landmarks_detector': 'face_detector'}, 'takes and returns arrays of'),
    ],
)
def test_a_task_file_with_other_networks_is_refused(landmarker_path, tmp_path, changed, sentence):
    with zipfile.ZipFile(landmarker_path) as archive:
        changed = {
            name: archive.read(f'{content}.tflite') if isinstance(content, str) else content
            for name, content in changed.items()
        }
    path = tmp_path / 'other.task'
    path.write_bytes(changed_task(landmarker_path, **changed))
    with pytest.raises(ValueError, match=sentence):
        FaceNetworks(path)


@pytest.mark.parametrize('content', [b'', b'no zip', b'PK\x03\x04' + bytes(100)])
def test_what_is_no_task_file_is_refused(tmp_path, content):
    path = tmp_path / 'wrong.task'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'it is damaged, or no \.task file'):
        FaceNetworks(path)


def test_a_network_is_tried_in_a_process_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / 'deadly.onnx'
    path.write_bytes(b'whatever')
    monkeypatch.setattr(detection, '_TRY_IT', 'import os; os.abort()')
    with pytest.raises(ValueError, match=r'it ends the process that tries it \(signal 6\)'):
        FaceDetector(path)
    monkeypatch.setattr(detection, '_TRY_IT', 'import time; time.sleep(60)')
    monkeypatch.setattr(detection, '_TRIAL_S', 0.5)
    with pytest.raises(ValueError, match=r'it keeps OpenCV busy for more than 0\.5 s'):
        FaceDetector(path)


def test_a_detector_is_read_whatever_its_file_is_called(detector_path, tmp_path, media):
    group = cv2.cvtColor(cv2.imread(str(media('multi_face.jpg'))), cv2.COLOR_BGR2RGB)
    no_utf_8 = tmp_path / '\udcff.onnx'
    no_utf_8.symlink_to(detector_path)
    found = FaceDetector(no_utf_8).find(group)
    assert len(found) == 5
    assert found == FaceDetector(detector_path).find(group)


def test_an_opencv_that_cannot_read_yunet_costs_a_sentence(landmarker_path, monkeypatch):
    monkeypatch.setattr(detection, 'RUNS_YUNET', False)
    heard = []
    files = find_finder_files(read_parameters().blendshape_node, warn=heard.append)
    assert files.detector is None
    (sentence,) = heard
    assert f'OpenCV {cv2.__version__} cannot read YuNet; OpenCV 5 can.' in sentence


def test_files_may_lie_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    named = read_parameters().blendshape_node | {'landmarker': '~/a.task', 'detector': '~/b.onnx'}
    files = find_finder_files(named)
    assert (files.landmarker, files.detector) == (tmp_path / 'a.task', tmp_path / 'b.onnx')


def test_a_crop_of_a_turned_region_has_the_regions_corners():
    region = Region(x=100, y=50, width=40, height=20, roll_rad=np.pi / 2)
    corners = region.from_crop(256) @ np.array([[0, 0, 1], [256, 0, 1], [256, 256, 1]]).T
    np.testing.assert_allclose(corners.T, [[110, 30], [110, 70], [90, 70]], atol=1e-9)


def test_the_next_region_is_a_square_half_as_large_again_as_the_face():
    points = np.full((478, 3), (50, 60, 0), np.float32)
    points[0], points[1] = (20, 50, 0), (80, 70, 0)
    points[33], points[263] = (40, 60, 0), (60, 60, 0)
    assert region_of(points) == Region(50, 60, 90, 90, 0.0)
    points[263] = (50, 70, 0)
    assert region_of(points).roll_rad == pytest.approx(np.pi / 4)


def test_overlap_is_intersection_over_union():
    one, other = Region(0, 0, 2, 2, 0.0), Region(1, 0, 2, 2, 1.0)
    assert one.overlap(other) == pytest.approx(1 / 3)
    assert one.overlap(one) == 1
    assert one.overlap(Region(5, 5, 2, 2, 0.0)) == 0


@given(st.integers(0, 2**32 - 1))
def test_points_that_stand_still_are_not_moved_by_smoothing(seed):
    points = np.random.default_rng(seed).uniform(0, 100, (478, 3)).astype(np.float32)
    smoothing = OneEuroFilter()
    for step in range(1, 5):
        np.testing.assert_array_equal(smoothing(points, step / 30), points)


def test_smoothing_follows_the_published_formula():
    # One face of size 10, whose first point moves by 1 in 0.1 s: speed 1 size a second.
    before = np.zeros((478, 3), np.float32)
    before[1] = (10, 10, 0)
    after = before.copy()
    after[2, 0] = 1
    smoothing = OneEuroFilter()
    smoothing(before, 1.0)
    smoothed = smoothing(after, 1.1)

    def share(cutoff_hz):
        return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * 0.1))

    assert smoothed[2, 0] == pytest.approx(share(0.05 + 80 * share(1.0)), rel=1e-4)
    assert smoothing(after + 1, 1.1)[2, 0] == 2, 'a time that does not go forward smooths nothing'


def test_the_triangles_that_are_drawn_are_those_of_mediapipe(mediapipe_engine):
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarksConnections

    triangles = np.load(find_shared_file('resource/face_mesh/triangles.npy'))
    edges = {(int(t[i]), int(t[(i + 1) % 3])) for t in triangles for i in range(3)}
    assert edges == {
        (edge.start, edge.end) for edge in FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION
    }


def test_an_engine_that_is_not_installed_is_named(networks, landmarker_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'emotion_estimator.faces.mediapipe_landmarker', None)
    parameters = {**read_parameters().blendshape_node, 'engine': 'mediapipe'}
    with pytest.raises(ValueError, match='engine: mediapipe needs the Python package mediapipe'):
        new_landmarkers(networks, landmarker_path, parameters)


class Broken:
    def find_spec(self, name, *_):
        if name == 'mediapipe':
            raise TypeError('Descriptors cannot be created directly.')


def test_an_engine_that_is_broken_is_named(networks, landmarker_path, monkeypatch):
    for name in ('mediapipe', 'emotion_estimator.faces.mediapipe_landmarker'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, 'meta_path', [Broken(), *sys.meta_path])
    parameters = {**read_parameters().blendshape_node, 'engine': 'mediapipe'}
    with pytest.raises(ValueError, match=r'engine: mediapipe needs .* \(Descriptors cannot be'):
        new_landmarkers(networks, landmarker_path, parameters)


@pytest.mark.parametrize('engine', ['litert', 'mediapipe'])
def test_without_yunet_each_engine_finds_the_whole_group(landmarker_path, media, engine, request):
    if engine == 'mediapipe':
        request.getfixturevalue('mediapipe_engine')
    asked = {'max_faces': 8, 'engine': engine}
    finder = build_finder(
        {**read_parameters().blendshape_node, **asked}, FinderFiles(landmarker_path, None, None)
    )
    group = cv2.cvtColor(cv2.imread(str(media('multi_face.jpg'))), cv2.COLOR_BGR2RGB)
    assert len(finder.find(group, 1_000_000_000).faces) == 5
    finder.close()


def test_loading_the_detector_writes_nothing_into_a_nodes_log(detector_path, capfd):
    FaceDetector(detector_path)
    assert capfd.readouterr() == ('', '')


def test_a_file_that_is_no_detector_is_reported(tmp_path):
    path = tmp_path / 'mine.onnx'
    path.write_bytes(b'not a network')
    with pytest.raises(ValueError, match=r'OpenCV cannot use .*mine\.onnx'):
        FaceDetector(path)
