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

"""Heads of known pose, projected and found again; action units, and the aligned picture."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.faces import NEUTRAL, PEOPLE, landmarks_of, photograph, render
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from emotion_estimator import blendshapes
from emotion_estimator.blendshapes import CODES, DEAD_SHAPES, HEAD_UNITS, UNITS, action_units
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import (
    PinholeCamera,
    head_angles,
    head_axes,
)
from emotion_estimator.faces.landmarker import Box, FaceLandmarker
from emotion_estimator.faces.multi_face import level_face_picture
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.pose import (
    FULL_RAD,
    INDICES,
    LEFT_PUPIL,
    PUPIL_DISTANCE_M,
    RIGHT_PUPIL,
    SELLION,
    HeadModel,
    dlib_landmarks,
    eye_angles,
    gaze_rotation,
    quaternion_of,
)
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding

TEMPLATE = read_encoding(find_encoding(DEFAULT_ENCODING)).template
MODEL = HeadModel(TEMPLATE)
CAMERA = PinholeCamera(600, 610, 330, 235, 640, 480)
FORWARD, LEFT, UP = range(3)
FACING = head_axes(np.eye(3))


def seen(rotation, position_m, camera=CAMERA):
    """Project a head; the depth of its points is along the line of sight, as in MediaPipe."""
    points_m = rotation.apply((TEMPLATE - TEMPLATE[SELLION]) * MODEL.unit_m) + position_m
    pixels = camera.pixels(points_m)
    middle_m = points_m[:468].mean(axis=0)
    distance_m = np.linalg.norm(middle_m)
    depth_px = (points_m @ middle_m / distance_m - distance_m) * camera.focal_x / middle_m[2]
    columns = [pixels[:, 0] / camera.width, pixels[:, 1] / camera.height, depth_px / camera.width]
    return np.stack(columns, axis=1).astype(np.float32)


def angle_between(first, second):
    return math.degrees((Rotation.from_matrix(first.T @ second)).magnitude())


within_30 = st.floats(-30, 30)


@given(
    st.tuples(within_30, within_30, within_30),
    st.floats(-0.35, 0.35),
    st.floats(-0.25, 0.25),
    st.floats(0.5, 3.0),
)
def test_a_projected_head_is_found_again(angles_deg, x, y, distance_m):
    rotation = Rotation.from_euler('xyz', angles_deg, degrees=True)
    position_m = np.array([x * distance_m, y * distance_m, distance_m])
    pose = MODEL.pose(seen(rotation, position_m), CAMERA)
    # What remains is perspective within the face, which the model leaves out.
    assert angle_between(pose.rotation, head_axes(rotation.as_matrix())) < 1 + 2.5 / distance_m
    np.testing.assert_allclose(pose.position_m, position_m, rtol=0.07, atol=0.01)
    direction = pose.position_m / pose.position_m[2]
    np.testing.assert_allclose(direction, position_m / distance_m, atol=1e-4)


def test_a_head_that_faces_the_lens_from_the_side_is_turned_towards_it():
    position_m = np.array([0.6, 0.0, 1.0])
    facing = Rotation.from_euler('y', math.atan2(0.6, 1.0))
    pose = MODEL.pose(seen(facing, position_m), CAMERA)
    to_lens = -position_m / np.linalg.norm(position_m)
    assert pose.rotation[:, FORWARD] @ to_lens > math.cos(math.radians(2))


def test_a_head_straight_ahead_has_x_towards_the_camera_and_z_up():
    pose = MODEL.pose(seen(Rotation.identity(), [0, 0, 1.0]), CAMERA)
    np.testing.assert_allclose(pose.rotation, [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], atol=0.03)
    assert pose.position_m[2] == pytest.approx(1.0, abs=0.03)


def test_pixels_that_are_no_squares_change_nothing():
    rotation, place = Rotation.from_euler('xyz', (0.1, 0.2, 0.3)), (0.2, 0.1, 1.5)
    right = MODEL.pose(seen(rotation, place), CAMERA)
    narrow = replace(CAMERA, focal_x=CAMERA.focal_x / 2, middle_x=CAMERA.middle_x / 2, width=320)
    low = replace(CAMERA, focal_y=CAMERA.focal_y / 2, middle_y=CAMERA.middle_y / 2, height=240)
    for camera in (narrow, low):
        found = MODEL.pose(seen(rotation, place, camera), camera)
        assert found.position_m == pytest.approx(right.position_m, rel=1e-3)
        assert found.rotation == pytest.approx(right.rotation, abs=1e-3)


def test_half_as_large_is_twice_as_far():
    near, far = (MODEL.pose(seen(Rotation.identity(), [0, 0, z]), CAMERA) for z in (1.5, 3.0))
    assert far.position_m[2] / near.position_m[2] == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize('side_px', [240, 480])
def test_a_photographed_head_is_as_far_as_its_pupils_say(landmarker_path, media, side_px):
    landmarks = landmarks_of(photograph(media(NEUTRAL), side_px))
    camera = PinholeCamera.of_view(side_px, side_px, math.radians(60))
    pose = MODEL.pose(landmarks, camera)
    pupils_px = np.linalg.norm((landmarks[473] - landmarks[468])[:2]) * side_px
    by_pupils_m = camera.focal_x * PUPIL_DISTANCE_M / pupils_px
    # Faces differ in how wide they are for the distance of their pupils.
    assert pose.position_m[2] == pytest.approx(by_pupils_m, rel=0.15)
    assert pose.rotation[:, FORWARD] @ [0, 0, -1] > math.cos(math.radians(12))
    assert pose.rotation[:, UP] @ [0, -1, 0] > math.cos(math.radians(12))


@pytest.fixture
def stills(landmarker_path):
    landmarker = FaceLandmarker(FaceNetworks(landmarker_path), stills=True)
    yield landmarker
    landmarker.close()


def test_photographed_heads_turned_by_up_to_30_degrees_are_found_within_5(stills, media):
    rng = np.random.default_rng(3)
    errors_deg = []
    for name in PEOPLE[:3]:
        image = photograph(media(name))
        (face,) = stills.find(image)
        focal = 6.0 * float(np.ptp(face.landmarks[:468, 0])) * 480
        camera = PinholeCamera(focal, focal, 240, 240, 480, 480)

        def turned(rotation, image=image, landmarks=face.landmarks, camera=camera):
            (found,) = stills.find(render(image, landmarks, rotation, distance=6.0))
            return MODEL.pose(found.landmarks, camera).rotation @ FACING.T

        straight = turned(Rotation.identity())
        for angles_deg in rng.uniform(-30, 30, (8, 3)):
            rotation = Rotation.from_euler('xyz', angles_deg, degrees=True)
            both = np.array([turned(rotation), rotation.as_matrix() @ straight])
            found, right = np.degrees(head_angles(both @ straight.T))
            errors_deg.append(np.abs(found - right))
    roll, pitch, yaw = np.median(errors_deg, axis=0)
    print(f'median error of roll {roll:.1f}, pitch {pitch:.1f}, yaw {yaw:.1f} degrees')
    assert max(roll, pitch, yaw) <= 5


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_a_quaternion_is_that_of_scipy(numbers):
    rotation = Rotation.from_quat(numbers)
    quaternion = quaternion_of(rotation.as_matrix())
    assert quaternion[3] >= 0
    np.testing.assert_allclose(
        Rotation.from_quat(quaternion).as_matrix(), rotation.as_matrix(), atol=1e-9
    )
    assert np.linalg.norm(quaternion) == pytest.approx(1)


def shapes_of(**shapes):
    values = np.zeros(52, np.float32)
    for name, value in shapes.items():
        values[blendshapes.INDEX[name]] = value
    return values


@pytest.mark.parametrize(
    'shapes, pitch, yaw',
    [
        ({}, 0, 0),
        ({'eyeLookOutLeft': 1, 'eyeLookInRight': 1}, 0, 1),
        ({'eyeLookInLeft': 1, 'eyeLookOutRight': 1}, 0, -1),
        ({'eyeLookDownLeft': 0.5, 'eyeLookDownRight': 0.5}, 0.5, 0),
        ({'eyeLookUpLeft': 0.5, 'eyeLookUpRight': 0.5}, -0.5, 0),
        ({'eyeLookInLeft': 0.8, 'eyeLookInRight': 0.8}, 0, 0),
        ({'eyeLookDownLeft': 1, 'eyeLookDownRight': 1, 'eyeBlinkLeft': 0.9}, 1, 0),
        (
            {
                'eyeLookDownLeft': 1,
                'eyeLookDownRight': 1,
                'eyeBlinkLeft': 0.9,
                'eyeBlinkRight': 0.9,
            },
            0,
            0,
        ),
    ],
)
def test_eyes_turn_by_their_shapes_and_shut_ones_not_at_all(shapes, pitch, yaw):
    expected = (pitch * FULL_RAD, yaw * FULL_RAD)
    assert eye_angles(shapes_of(**shapes)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    'shapes, direction',
    [
        ({}, [1, 0, 0]),
        ({'eyeLookOutLeft': 1, 'eyeLookInRight': 1}, [math.cos(FULL_RAD), math.sin(FULL_RAD), 0]),
        (
            {'eyeLookUpLeft': 1, 'eyeLookUpRight': 1},
            [math.cos(FULL_RAD), 0, math.sin(FULL_RAD)],
        ),
    ],
)
@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_gaze_has_z_along_the_eyes_on_top_of_the_head(shapes, direction, turn):
    head = Rotation.from_rotvec(turn).as_matrix()
    gaze = gaze_rotation(head, shapes_of(**shapes))
    np.testing.assert_allclose(gaze.T @ gaze, np.eye(3), atol=1e-9)
    assert np.linalg.det(gaze) == pytest.approx(1)
    np.testing.assert_allclose(head.T @ gaze[:, 2], direction, atol=1e-6)
    # x to the person's right: no roll is added.
    assert (head.T @ gaze[:, 0])[2] == pytest.approx(0, abs=1e-9)


def test_dlib_s_points_mirror_each_other_and_run_down_and_across_the_face():
    points = dlib_landmarks(TEMPLATE)
    assert points.shape == (70, 2) and len(set(INDICES)) == 70
    mirror = [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
        *(69, 68),
    ]
    np.testing.assert_allclose(points[mirror], points * [-1, 1], atol=0.02)
    assert (np.diff(points[:9, 1]) > 0).all() and (np.diff(points[27:31, 1]) > 0).all()
    # The person's right is at the image's left.
    for contour in (points[17:27], points[31:36], points[48:55], points[60:65]):
        assert (np.diff(contour[:, 0]) > 0).all()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66)):
        assert points[upper, 1] < points[lower, 1]
        assert points[upper, 0] == pytest.approx(points[lower, 0], abs=0.06)
    steps = np.linalg.norm(np.diff(TEMPLATE[list(INDICES[:17])], axis=0), axis=1)
    assert steps.max() / steps.min() < 2.2
    for pupil, eye in ((68, slice(36, 42)), (69, slice(42, 48))):
        np.testing.assert_allclose(points[pupil], points[eye].mean(axis=0), atol=0.05)


# Action units by FACS code from blendshapes by name.


LEFT_OUT = {'_neutral', 'mouthLeft', 'mouthRight', 'mouthShrugUpper'}
MEASURED = {unit.code for unit in UNITS} - {6, 9, 29, 34}


def face(**shapes):
    values = np.zeros(len(blendshapes.NAMES), np.float32)
    for name, value in shapes.items():
        values[blendshapes.INDEX[name]] = value
    return values


def shown(intensity):
    return {int(code): round(float(intensity[code]), 3) for code in np.flatnonzero(intensity)}


@pytest.mark.parametrize(
    'shapes, expected',
    [
        ({'browInnerUp': 0.7}, {1: 0.7}),
        ({'browOuterUpLeft': 0.2, 'browOuterUpRight': 0.4}, {2: 0.4}),
        ({'mouthSmileLeft': 0.9}, {12: 0.9}),
        ({'mouthFrownLeft': 0.3, 'browDownRight': 0.5}, {15: 0.3, 4: 0.5}),
        ({'jawOpen': 0.6, 'mouthLowerDownLeft': 0.1}, {26: 0.6, 16: 0.1}),
        ({'mouthRollUpper': 0.25, 'mouthRollLower': 0.5}, {28: 0.5}),
        ({'jawRight': 0.5}, {30: 0.5}),
        ({'eyeBlinkLeft': 0.9, 'eyeBlinkRight': 0.8}, {45: 0.8}),
        ({'eyeBlinkLeft': 0.9}, {}),
        ({'eyeLookOutLeft': 0.6, 'eyeLookInRight': 0.4}, {61: 0.5}),
        ({'eyeLookInLeft': 0.2, 'eyeLookOutRight': 0.8}, {62: 0.5}),
        ({'eyeLookDownLeft': 0.5, 'eyeLookDownRight': 0.5}, {64: 0.5}),
        ({'cheekPuff': 0.5, 'noseSneerLeft': 0.5, 'cheekSquintRight': 0.5}, {}),
    ],
)
def test_a_shape_shows_its_unit_and_no_other(shapes, expected):
    intensity, _ = action_units(face(**shapes))
    assert shown(intensity) == expected


def test_confidence_is_zero_for_all_that_is_not_measured():
    _, confidence = action_units(face())
    assert set(np.flatnonzero(confidence)) == MEASURED
    _, with_head = action_units(face(), np.zeros(3, np.float32))
    assert set(np.flatnonzero(with_head)) == MEASURED | set(range(51, 57))


@pytest.mark.parametrize(
    'roll_pitch_yaw_deg, expected',
    [
        ((0, 0, 45), {51: 1.0}),
        ((0, 0, -22.5), {52: 0.5}),
        ((0, -9, 0), {53: 0.2}),
        ((0, 90, 0), {54: 1.0}),
        ((-9, 0, 0), {55: 0.2}),
        ((9, 18, -27), {56: 0.2, 54: 0.4, 52: 0.6}),
    ],
)
def test_the_head_turns_to_the_person_s_own_sides(roll_pitch_yaw_deg, expected):
    head = np.array([math.radians(angle) for angle in roll_pitch_yaw_deg], np.float32)
    assert shown(action_units(face(), head)[0]) == expected


def test_every_shape_is_in_one_unit_or_left_out_by_name():
    used = [shape for unit in UNITS for shape in unit.shapes]
    assert len(used) == len(set(used))
    assert set(used) | LEFT_OUT == set(blendshapes.NAMES)
    assert set(used) >= DEAD_SHAPES


def test_codes_are_unique_and_fit_the_message():
    codes = [unit.code for unit in UNITS] + [code for code, *_ in HEAD_UNITS]
    assert len(codes) == len(set(codes))
    assert all(0 < code < CODES for code in codes)


@given(st.lists(st.floats(0, 1, width=32), min_size=52, max_size=52))
def test_intensities_stay_in_range_and_a_mirrored_face_swaps_only_the_eyes(values):
    shapes = np.array(values, np.float32)
    intensity, _ = action_units(shapes)
    assert intensity.min() >= 0 and intensity.max() <= 1
    mirrored, _ = action_units(shapes[list(blendshapes.MIRROR)])
    swapped = intensity.copy()
    swapped[[61, 62]] = intensity[[62, 61]]
    np.testing.assert_allclose(mirrored, swapped, atol=1e-6)


# Names and pairs of the blendshapes.


def test_there_are_52_distinct_names_in_mediapipes_order():
    assert len(set(blendshapes.NAMES)) == 52
    assert blendshapes.NAMES[0] == '_neutral'
    assert blendshapes.INDEX['jawOpen'] == 25
    assert blendshapes.INDEX['mouthSmileLeft'] == 44
    assert blendshapes.NAMES[51] == 'noseSneerRight'


def test_mirroring_swaps_sides_and_keeps_what_has_none():
    assert blendshapes.mirrored_name('mouthSmileLeft') == 'mouthSmileRight'
    assert blendshapes.mirrored_name('jawRight') == 'jawLeft'
    assert blendshapes.mirrored_name('jawOpen') == 'jawOpen'
    assert [blendshapes.MIRROR[i] for i in blendshapes.MIRROR] == list(range(52))


@pytest.mark.parametrize('angle_deg', [0, 25, -70, 90, 180])
@pytest.mark.parametrize('size', [(128, 128), (160, 120)])
def test_an_aligned_face_is_upright_with_level_eyes_as_large_as_its_crop(angle_deg, size):
    middle, half_px = np.array([300.0, 200.0]), 20.0
    turn = math.radians(angle_deg)
    across = half_px * np.array([math.cos(turn), math.sin(turn)])
    down = np.array([-across[1], across[0]])
    image = np.zeros((400, 600, 3), np.uint8)
    landmarks = np.zeros((478, 3), np.float32)
    places = {RIGHT_PUPIL: middle - across, LEFT_PUPIL: middle + across, 152: middle + 2 * down}
    # The right eye is red, the left green, the chin blue.
    for channel, (landmark, place) in enumerate(places.items()):
        landmarks[landmark, :2] = place / [600, 400]
        colour = tuple(255 * (channel == i) for i in range(3))
        cv2.circle(image, tuple(map(int, place.round())), 5, colour, -1)
    box = Box(240 / 600, 140 / 400, 360 / 600, 260 / 400)
    picture = level_face_picture(image, box, landmarks, *size)
    assert picture.shape == (size[1], size[0], 3)
    right, left, chin = (
        np.argwhere(picture[..., channel] > 128).mean(axis=0) for channel in range(3)
    )
    assert right[0] == pytest.approx(left[0], abs=1)
    scale = min(size) / 180  # of a square that is half as large again as the box
    assert left[1] - right[1] == pytest.approx(2 * half_px * scale, abs=1)
    assert (left + right) / 2 == pytest.approx(np.array(size[::-1]) / 2, abs=1.5)
    assert chin - (left + right) / 2 == pytest.approx([2 * half_px * scale, 0], abs=1)
    outside = Box(3.0, 3.0, 3.1, 3.1)
    assert level_face_picture(image, outside, landmarks, *size) is None
