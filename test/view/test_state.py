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

"""What the live view says of each person, by made-up messages of images."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.geometry import PinholeCamera
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.pose import HeadPose, frames_of, gaze_rotation
from emotion_estimator.messages import ROS
from emotion_estimator.stamps import NS_PER_S
from emotion_estimator.view.listener import on_parent, pose_of
from emotion_estimator.view.person import (
    FaceOfImage,
    Limits,
    Pose,
    axes_in_picture,
    gaze_past_camera_deg,
    how_sure,
    strongest_units,
    where_to,
    why_unknown,
)
from emotion_estimator.view.state import HISTORY_S, ImageResult, People, Results

STEP_NS = NS_PER_S // 30
UNSURE = (('unknown', 0.55), ('happy', 0.25), ('neutral', 0.2))
HAPPY = (('happy', 0.9), ('neutral', 0.1), ('unknown', 0.0))
CAMERA = PinholeCamera(500.0, 500.0, 320.0, 240.0, 640, 480)


def features(**changes):
    return {**dict.fromkeys(NAMES, 0.0), 'head.roll': 0.0, 'head.pitch': 0.0, 'head.yaw': 0.0,
            **{name.replace('_dot_', '.'): value for name, value in changes.items()}}  # fmt: skip


def facing(position_m, forward):
    """Give a frame with z along a direction, and whatever else fits."""
    z = np.array(forward, float) / np.linalg.norm(forward)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return Pose(position_m, (tuple(x), tuple(np.cross(z, x)), tuple(z)))


def image(number, **faces):
    """Make an image that is complete."""
    return ImageResult(number * STEP_NS, {name: FaceOfImage(**of) for name, of in faces.items()})


@pytest.mark.parametrize(
    'confidence, words',
    [(0.9, 'very sure'), (0.7, 'fairly sure'), (0.5, 'rather sure'), (0.2, 'hardly sure')],
)
def test_confidence_is_said_in_words(confidence, words):
    assert how_sure(confidence) == words


@pytest.mark.parametrize(
    'right_deg, down_deg, words',
    [
        (0, 0, 'looks at the camera'),
        (8, -8, 'looks at the camera'),
        (30, 5, 'looks right'),
        (-30, 5, 'looks left'),
        (-20, 20, 'looks left and down'),
        (2, -25, 'looks up'),
    ],
)
def test_a_gaze_is_said_as_the_picture_has_it(right_deg, down_deg, words):
    assert where_to(right_deg, down_deg) == words


@pytest.mark.parametrize(
    'given, words',
    [
        ({'head_dot_yaw': math.radians(-50)}, 'turned away, 50°'),
        ({'head_dot_pitch': math.radians(33)}, 'head up or down, 33°'),
        ({'visible_dot_mouth': 0.2}, 'mouth covered'),
        ({'visible_dot_eyes': 0.0}, 'eyes covered'),
        ({'visible_dot_skin': 0.1}, 'face covered'),
        ({'visible_dot_upright': 0.0}, 'upside down'),
        ({'visible_dot_mouth': 0.9}, 'not sure: happy or neutral?'),
    ],
)
def test_an_unknown_expression_has_its_reason(given, words):
    assert why_unknown(UNSURE, features(**given), 5.0, Limits()) == words


def test_the_limits_of_the_node_count():
    given = features(head_dot_yaw=math.radians(50))
    assert why_unknown(UNSURE, given, 5.0, Limits(360, 360)) == 'not sure: happy or neutral?'


def test_a_face_that_has_just_come_has_too_few_frames():
    assert why_unknown(UNSURE, features(), 0.1, Limits()) == 'too few frames yet'
    assert why_unknown(HAPPY, features(), 0.1, Limits()) == ''


def test_an_image_is_ready_when_all_of_it_has_come_in_whatever_order():
    results = Results()
    first = results.image(STEP_NS)
    first.face('a').scores = HAPPY
    first.listed = True
    first.face('b').features = features()
    assert results.take_ready() is None
    first.face('b').scores = HAPPY
    assert results.take_ready() is first
    assert results.take_ready() is None


def test_an_image_without_a_face_is_ready_once_it_is_listed():
    results = Results()
    results.image(STEP_NS).listed = True
    assert results.take_ready().faces == {}


def test_a_face_that_is_listed_is_awaited_for_a_while():
    results = Results()
    first = results.image(STEP_NS)
    first.listed, first.expected = True, frozenset({'a'})
    first.face('a').box = (0.1, 0.1, 0.2, 0.2)
    assert results.take_ready() is None
    whole(results, 1)
    assert results.take_ready() is first
    second = results.image(2 * STEP_NS)
    second.listed, second.expected = True, frozenset({'a'})
    for number in range(3, 7):
        results.image(number * STEP_NS)
        assert results.take_ready() is None
    # Still listed, though not seen any more: 0.15 s later that is clear.
    results.image(7 * STEP_NS)
    assert results.take_ready() is second
    assert second.parts == frozenset()
    third = results.image(8 * STEP_NS)
    third.listed, third.expected = True, frozenset({'a'})
    assert results.take_ready(patient=False) is third


def test_a_newer_image_takes_the_place_of_one_that_lacks_something():
    results = Results()
    results.image(STEP_NS).face('a').features = features()
    second = results.image(2 * STEP_NS)
    second.listed = True
    assert results.take_ready() is second
    results.image(STEP_NS).face('a').scores = HAPPY
    assert results.take_ready() is None


def whole(results, number, **parts):
    face = results.image(number * STEP_NS).face('a')
    face.features, face.scores = features(), HAPPY
    for name, value in parts.items():
        setattr(face, name, value)


def test_what_the_images_before_had_is_awaited_for_a_while():
    results = Results()
    box = (0.1, 0.1, 0.2, 0.2)
    whole(results, 1, box=box)
    assert results.take_ready().parts == {'box'}
    whole(results, 2)
    assert results.take_ready() is None
    whole(results, 2, box=box)
    assert results.take_ready().stamp_ns == 2 * STEP_NS
    for number in range(3, 9):
        whole(results, number)
    # 0.15 s after it an image is shown without its box.
    assert results.take_ready().stamp_ns == 3 * STEP_NS


def test_faces_are_shown_without_expression_where_nobody_estimates_it():
    results = Results()
    for number in range(1, 16):
        results.image(number * STEP_NS).face('a').features = features()
    assert results.take_ready() is None
    results.image(17 * STEP_NS).face('a').features = features()
    ready = results.take_ready()
    assert ready.stamp_ns == STEP_NS
    assert People().show(ready)[0]['label'] == ''


def test_stamps_that_begin_again_are_followed():
    results = Results()
    results.image(100 * STEP_NS).listed = True
    assert results.take_ready().stamp_ns == 100 * STEP_NS
    results.image(STEP_NS).listed = True
    assert results.take_ready() is None
    results.begin_again()
    results.image(STEP_NS).listed = True
    assert results.take_ready().stamp_ns == STEP_NS


def test_what_is_shown_of_a_person():
    head = Pose((0.0, 0.0, 0.6), ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)))
    face = {
        'scores': HAPPY,
        'features': features(mouthSmileLeft=0.8, head_dot_yaw=math.radians(10)),
        'affect': (0.7, 0.4),
        'box': (0.1, 0.2, 0.3, 0.4),
        'points': [(0.15, 0.25)],
        'head': head,
        'gaze': facing((0.0, 0.0, 0.6), (0.0, 0.0, -1.0)),
    }
    (person,) = People().show(image(1, abc=face), CAMERA)
    assert person == {
        'id': 'abc',
        'label': 'happy',
        'confidence': 0.9,
        'sure': 'very sure',
        'reason': '',
        'scores': {'happy': 0.9, 'neutral': 0.1, 'unknown': 0.0},
        'head': [0.0, 0.0, 10.0],
        'gaze': [0.0, 0.0],
        'looks': 'looks at the camera',
        'affect': [0.7, 0.4],
        'units': [['lip corner puller (AU12)', 0.8]],
        'distance': 0.6,
        'box': [0.1, 0.2, 0.3, 0.4],
        'points': [[0.15, 0.25]],
        'axes': [[0.5, 0.5], [0.5, 0.5], [0.5781, 0.5], [0.5, 0.3958], [0.5, 0.5]],
    }


def test_what_is_no_number_goes_into_no_page():
    face = {'scores': (('happy', math.nan),), 'features': features(), 'affect': (math.nan, 1.0)}
    (person,) = People().show(image(1, abc=face))
    assert (person['confidence'], person['affect']) == (0.0, [0.0, 1.0])
    head = Pose((math.nan, 0.0, 1.0), ((1.0, 0.0, 0.0),) * 3)
    assert axes_in_picture(FaceOfImage(head=head), CAMERA) is None


def test_valence_and_arousal_are_computed_where_nobody_tells_them():
    (person,) = People().show(image(1, abc={'scores': HAPPY}))
    assert person['affect'] == pytest.approx([0.729, 0.459])


@pytest.mark.parametrize(
    'rotate, box, gaze',
    [
        (90, [0.6, 0.1, 0.8, 0.3], 'looks left'),
        (180, [0.7, 0.6, 0.9, 0.8], 'looks up'),
        (270, [0.2, 0.7, 0.4, 0.9], 'looks right'),
    ],
)
def test_what_is_found_in_a_picture_is_turned_with_it(rotate, box, gaze):
    face = {'features': features(), 'box': (0.1, 0.2, 0.3, 0.4)}
    down = facing((0.0, 0.0, 0.5), (0.0, 1.0, -1.0))
    (person,) = People().show(image(1, abc={**face, 'gaze': down}), CAMERA, rotate)
    assert person['box'] == pytest.approx(box, abs=1e-4)
    assert person['looks'] == gaze


def test_gaze_is_measured_from_the_line_to_the_camera():
    # Beside the axis at 45 degrees: who looks along the axis looks past the camera.
    beside = (0.5, 0.0, 0.5)
    at_camera = FaceOfImage(gaze=facing(beside, (-0.5, 0.0, -0.5)))
    assert gaze_past_camera_deg(at_camera) == pytest.approx((0.0, 0.0), abs=1e-6)
    ahead = FaceOfImage(gaze=facing(beside, (0.0, 0.0, -1.0)))
    assert gaze_past_camera_deg(ahead) == pytest.approx((45.0, 0.0), abs=1e-6)
    down = FaceOfImage(gaze=facing((0.0, 0.0, 0.5), (0.0, 1.0, -1.0)))
    assert gaze_past_camera_deg(down) == pytest.approx((0.0, 45.0), abs=1e-6)


def test_without_frames_the_angles_of_head_and_eyes_tell_the_gaze():
    given = features(
        head_dot_yaw=math.radians(20), head_dot_pitch=math.radians(-5), eyeLookOutLeft=0.5,
        eyeLookInRight=0.5,
    )  # fmt: skip
    assert gaze_past_camera_deg(FaceOfImage(features=given)) == pytest.approx((35.0, -5.0))
    assert gaze_past_camera_deg(FaceOfImage(features={'jawOpen': 1.0})) is None


def test_the_strongest_units_come_first_and_weak_ones_not_at_all():
    given = features(jawOpen=0.9, browInnerUp=0.4, mouthPucker=0.1, eyeLookUpLeft=1.0)
    assert strongest_units(given) == [['jaw drop (AU26)', 0.9], ['inner brow raiser (AU1)', 0.4]]


def test_a_minute_of_each_person_is_kept_in_steps():
    people = People()
    for number in range(1, 30 * 70):
        people.show(image(number, abc={'scores': HAPPY}))
    kept = people.history()
    times_s = [moment['t'] for moment in kept]
    assert times_s[-1] - times_s[0] <= HISTORY_S
    assert len(kept) == 301
    assert np.diff(times_s).min() >= 0.199
    assert 'points' not in kept[0]['people'][0]
    people.show(image(1, abc={'scores': HAPPY}))
    assert [moment['t'] for moment in people.history()] == [STEP_NS / NS_PER_S]


def test_no_more_people_are_shown_than_a_page_holds():
    results = ImageResult(1)
    assert [results.face(f'p{i}') is not None for i in range(12)] == [True] * 10 + [False] * 2


def test_the_gaze_that_hangs_on_the_head_is_placed_before_the_camera():
    rotation = Rotation.from_rotvec([0.4, -0.3, 2.0]).as_matrix()
    shapes = np.zeros(len(NAMES), np.float32)
    shapes[[NAMES.index('eyeLookOutLeft'), NAMES.index('eyeLookUpRight')]] = 0.8
    face = Face('abc', Box(0, 0, 1, 1), lambda: shapes, np.zeros((478, 3), np.float32), (), None)
    frames = frames_of(face, HeadPose(np.array([0.2, -0.1, 1.5]), rotation))
    message = ROS.frames(frames, ROS.header(NS_PER_S, 'camera'))
    head, gaze = (pose_of(transform.transform) for transform in message.transforms)
    np.testing.assert_allclose(head.axes, rotation.T, atol=1e-6)
    placed = on_parent(gaze, head)
    np.testing.assert_allclose(placed.axes, gaze_rotation(rotation, shapes).T, atol=1e-6)
    np.testing.assert_allclose(placed.position_m, [0.2, -0.1, 1.5])
