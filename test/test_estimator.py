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

"""The public door tells of arrays what the nodes tell of a camera."""

import os
import re
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from typing import ClassVar

import cv2
import numpy as np
import pytest
from helpers.faces import frames

from emotion_estimator import ExpressionEstimator, FaceExpression
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import PinholeCamera, turned, turned_points
from emotion_estimator.faces.multi_face import face_picture
from emotion_estimator.faces.pose import HeadModel
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.parameters import NODES, NodeParameters, read_parameters


@pytest.fixture(scope='module')
def estimator(landmarker_path):
    with ExpressionEstimator(max_faces=2, face_id_seed=1) as made:
        yield made


@pytest.fixture
def smiling(media):
    return cv2.cvtColor(cv2.imread(str(media('0-f15-hao-ph.jpg'))), cv2.COLOR_BGR2RGB)


@pytest.fixture
def surprised(media):
    return cv2.cvtColor(cv2.imread(str(media('0-f1-su-ph.jpg'))), cv2.COLOR_BGR2RGB)


def test_a_stream_has_one_face_that_comes_to_smile(estimator, media):
    pictures, rate_hz = frames(media('single_face.mp4'))
    faces = []
    for number, bgr in enumerate(pictures):
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        faces += estimator.estimate(rgb, 1000 + number / rate_hz)
    assert len(faces) == len(pictures)
    assert len({face.face_id for face in faces}) == 1
    assert faces[5].expression == 'neutral'
    last = faces[-1]
    assert last.expression == 'happy' and last.confidence > 0.8
    assert last.scores['happy'] == last.confidence
    assert sum(last.scores.values()) == pytest.approx(1)
    assert last.valence > 0.3
    assert set(last.blendshapes) == set(NAMES)
    assert 0 < last.box.x_min < last.box.x_max < 1


def test_the_crying_woman_of_the_demonstration_is_sad(estimator, media):
    """MediaPipe measures a smile in her face, and her eyes are closed."""
    pictures, rate_hz = frames(media('WolfgangLanger_Pexels.mp4'), most=94)
    faces = []
    for number, bgr in enumerate(pictures):
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        faces += estimator.estimate(rgb, 1000 + number / rate_hz)
    assert len(faces) == len(pictures)
    assert {face.expression for face in faces}.isdisjoint({'happy', 'disgusted'})
    # Her hand passes her mouth once, and in the last frames both come before it.
    seen = [face.expression for face in faces if face.scores['unknown'] < 0.35]
    assert len(seen) >= 90
    assert set(seen[round(0.5 * rate_hz) :]) == {'sad'}


def test_late_and_lone_images_of_a_stream_are_left_out(estimator, smiling):
    wrong_s = {5: -0.04, 7: 3600.0}
    faces = []
    for number in range(10):
        faces += estimator.estimate(smiling, 500 + number / 30)
        if number in wrong_s:
            assert estimator.estimate(smiling, 500 + number / 30 + wrong_s[number]) == []
    assert len(faces) == 10
    assert len({face.face_id for face in faces}) == 1


def test_a_picture_is_estimated_whatever_came_before(smiling, surprised, engine):
    with ExpressionEstimator(engine=engine) as made:
        pictures = (smiling, surprised, smiling, smiling, surprised)
        found = [face for picture in pictures for face in made.estimate_picture(picture)]
    assert all(isinstance(face, FaceExpression) for face in found)
    scores = [face.scores for face in found]
    assert scores == [scores[0], scores[1], scores[0], scores[0], scores[1]]
    assert [face.expression for face in found[:2]] == ['happy', 'surprised']


def test_a_picture_continues_no_stream_whatever_its_stamps(estimator, smiling, surprised):
    for stamp_s in (10.0, 20.0, 20.1):
        (streamed,) = estimator.estimate(surprised, stamp_s)
        (face,) = estimator.estimate_picture(smiling)
        assert face.expression == 'happy'
        assert face.face_id != streamed.face_id


@pytest.mark.parametrize('rotate', [90, 180, 270])
def test_a_camera_that_hangs_otherwise_sees_the_same_face_where_it_is_in_its_image(
    estimator, smiling, rotate
):
    scene = np.zeros((480, 640, 3), np.uint8)
    scene[60:420, 220:580] = cv2.resize(smiling, (360, 360), interpolation=cv2.INTER_AREA)
    (expected,) = estimator.estimate_picture(scene)
    image = turned(scene, 360 - rotate)
    with ExpressionEstimator(rotate=rotate) as hanging:
        (face,) = hanging.estimate_picture(image)
    assert face.expression == 'happy'
    assert face.confidence == pytest.approx(expected.confidence, abs=0.01)
    np.testing.assert_allclose(face.face.features[:3], expected.face.features[:3], atol=0.02)
    height, width = image.shape[:2]
    back = turned_points(face.face.landmarks, rotate, width, height)
    np.testing.assert_allclose(back, expected.face.landmarks, atol=0.005)
    box = turned_points(
        np.array([(face.box.x_min, face.box.y_min), (face.box.x_max, face.box.y_max)], np.float32),
        *(rotate, width, height),
    )
    mine, theirs = face_picture(image, face.box, rotate=rotate), face_picture(scene, expected.box)
    assert np.abs(mine.astype(int) - theirs).mean() < 5
    assert sorted(box[:, 1].tolist()) == pytest.approx(
        [expected.box.y_min, expected.box.y_max], abs=0.005
    )
    # The head points to where up is in the image as it came.
    head = HeadModel(read_encoding(find_encoding(DEFAULT_ENCODING)).template)
    pose = head.pose(face.face.landmarks, PinholeCamera.of_view(width, height, 1.0))
    up = {90: (-1, 0), 180: (0, 1), 270: (1, 0)}[rotate]
    assert pose.rotation[:2, 2] @ up > 0.9


def test_a_picture_without_a_face_has_none(estimator, media):
    landscape = cv2.imread(str(media('free-mountain-vector-01.jpg')))
    assert estimator.estimate_picture(landscape) == []


@pytest.mark.parametrize(
    ('image', 'named'),
    [
        (None, 'NoneType'),
        (np.zeros((4, 5), np.uint8), 'uint8, shape [4, 5]'),
        (np.zeros((4, 5, 4), np.uint8), 'uint8, shape [4, 5, 4]'),
        (np.zeros((4, 5, 3), np.float32), 'float32, shape [4, 5, 3]'),
        (np.zeros((0, 5, 3), np.uint8), 'uint8, shape [0, 5, 3]'),
    ],
)
def test_what_is_no_image_is_refused_and_named(estimator, image, named):
    said = f'An image is an array of uint8, shape [height, width, 3], in RGB, not {named}.'
    for look in (estimator.estimate, estimator.find):
        with pytest.raises(ValueError, match=f'^{re.escape(said)}$'):
            look(image, 1)


def test_who_keeps_results_keeps_no_images(estimator, smiling):
    images = [smiling.copy() for _ in range(2)]
    references = [weakref.ref(image) for image in images]
    kept = [estimator.estimate(images.pop(), 30_000.0), estimator.estimate_picture(images.pop())]
    assert [reference() for reference in references] == [None, None]
    for (face,) in kept:
        assert dict(zip(face.face.feature_names, face.face.features))['visible.upright'] == 1
        assert face.blendshapes['mouthSmileLeft'] > 0.5


def test_two_results_are_told_apart(estimator, smiling):
    one, other = (estimator.estimate_picture(smiling)[0] for _ in range(2))
    assert one not in [other] and len({one, other, one}) == len({one.face, other.face}) == 2


def test_a_stamp_that_is_no_time_in_seconds_is_refused_and_changes_nothing(estimator, smiling):
    (before,) = estimator.estimate(smiling, 40_000.0)
    numbers = (np.nan, np.inf, 1e300, 10**400, 1_700_000_000 * 10**9, -9_223_372_035.9)
    for stamp_s in (*numbers, None, '40000.02', 40_000.02j, np.array([40_000.02]), np.zeros(2)):
        with pytest.raises(ValueError, match='stamp_s must be a time in seconds'):
            estimator.estimate(smiling, stamp_s)
    for duration in (np.timedelta64(40_020, 'ms'), np.timedelta64(33_000_000, 'ns')):
        with pytest.raises(ValueError, match='stamp_s must be a time in seconds'):
            estimator.estimate(smiling, duration)
    (after,) = estimator.estimate(smiling, np.float64(40_000.04))
    assert after.face_id == before.face_id


@pytest.mark.parametrize(
    'stamp_s', [np.int32(50_000), np.int16(20_000), np.uint8(200), np.float16(300), -9.19e9]
)
def test_a_stamp_of_any_kind_of_number_is_the_time_that_it_states(estimator, smiling, stamp_s):
    (face,) = estimator.estimate(smiling, stamp_s)
    assert face.estimate.stamp_ns == int(stamp_s) * 10**9


@pytest.mark.filterwarnings('error')
def test_the_halves_of_an_estimate_take_numpys_stamps(estimator, smiling):
    stamps_ns = [1_700_000_000 * 10**9 + image * 33_000_000 for image in range(5)]
    seen = []
    for stamp_ns in map(np.uint64, stamps_ns):
        result = estimator.tell(estimator.find(smiling, stamp_ns), stamp_ns)
        seen.append((result.faces[0].face_id, result.estimates[0].stamp_ns))
    assert seen == [(seen[0][0], stamp_ns) for stamp_ns in stamps_ns]


def test_what_was_closed_looks_at_nothing(smiling, engine):
    (made := ExpressionEstimator(engine=engine)).close()
    for look in (made.estimate_picture, lambda rgb: made.estimate(rgb, 1.0)):
        with pytest.raises(RuntimeError, match='was closed'):
            look(smiling)
    made.close()


FORKED = """
import cv2, os, sys
from emotion_estimator import ExpressionEstimator
estimator = ExpressionEstimator()
picture = cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB)
for number in range(3):
    faces = estimator.estimate(picture, number / 30)
if not os.fork():
    found = estimator.estimate(picture, 0.1)
    estimator.close()
    os._exit([face.face_id for face in found] != [face.face_id for face in faces])
print(len(faces), os.waitstatus_to_exitcode(os.wait()[1]))
"""


# Python ends the threads of executors as soon as the main one ends, before all others.
OUTLIVING = """
import cv2, sys, threading
from emotion_estimator import ExpressionEstimator
picture = cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB)
def camera():
    with ExpressionEstimator() as estimator:
        faces = [estimator.estimate(picture, number / 30) for number in range(3)][-1]
        threading.main_thread().join()
        found = estimator.estimate(picture, 0.1)
        print(len(faces), int([face.face_id for face in found] != [f.face_id for f in faces]))
threading.Thread(target=camera).start()
"""


@pytest.mark.parametrize('program', [FORKED, OUTLIVING])
def test_faces_are_the_same_in_a_forked_process_and_once_the_main_thread_has_ended(media, program):
    command = [sys.executable, '-c', program, str(media('multi_face.jpg'))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as forking:
        try:
            said, _ = forking.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(forking.pid, signal.SIGKILL)
    assert said.split() == [b'4', b'0']


def test_two_estimators_give_a_face_different_ids_unless_both_are_told_how(smiling):
    def face_id(**parameters):
        with ExpressionEstimator(max_faces=1, **parameters) as made:
            return made.estimate_picture(smiling)[0].face_id

    assert face_id() != face_id()
    assert face_id(face_id_seed=3) == face_id(face_id_seed=3)


class Noting(dict):
    """Notes what is read of it."""

    read: ClassVar[set[str]] = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


def test_every_parameter_does_something_or_is_refused(mediapipe_engine):
    parameters = read_parameters()
    for engine in ('litert', 'mediapipe'):
        faces = Noting(parameters.blendshape_node | {'engine': engine})
        noting = NodeParameters(faces, Noting(parameters.emotion_node))
        ExpressionEstimator.of_parameters(noting).close()
    specs = {spec.name: spec for specs in NODES.values() for spec in specs}
    for name in specs.keys() - Noting.read:
        with pytest.raises(ValueError, match=f'{name} is a parameter of the nodes alone'):
            ExpressionEstimator(**{name: specs[name].default})
    for name in Noting.read:
        ExpressionEstimator(**{name: specs[name].default}).close()


def test_wrong_parameters_are_refused_by_name():
    for given, named in [
        ({'colour': 'red'}, r"no parameter 'colour'; there are \w+, autostart, "),
        ({'max_faces': 99}, 'max_faces must lie between 1 and 10, not 99'),
        # At 0 whatever was once followed would be a face for ever.
        ({'min_presence_confidence': 0.0}, 'min_presence_confidence must lie between 0.001 and 1'),
        ({'rotate': 45}, 'rotate must be one of 0, 90, 180, 270, not 45'),
        ({'encoding': ''}, "'' does not give 47 of the features that model basic7 needs, such as"),
    ]:
        with pytest.raises(ValueError, match=named):
            ExpressionEstimator(**given)
