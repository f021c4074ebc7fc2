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

"""Heads of known pose, projected through a known camera, and found again."""

import math

import numpy as np
import pytest
from helpers.faces import NEUTRAL, PEOPLE, landmarks_of, photograph, render
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from emotion_estimator import blendshapes
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import (
    IntrinsicsError,
    KnownCamera,
    PinholeCamera,
    head_angles,
    head_axes,
    turned,
    turned_points,
)
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.pose import (
    FULL_RAD,
    INDICES,
    PUPIL_DISTANCE_M,
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


# A camera that hangs otherwise.


@given(st.sampled_from([0, 90, 180, 270]), st.integers(0, 6), st.integers(0, 4), st.floats(-1, 1))
def test_a_point_goes_where_its_pixel_goes_and_comes_back(rotate, column, row, depth):
    image = np.zeros((5, 7, 3), np.uint8)
    image[row, column] = 255
    point = np.array([[(column + 0.5) / 7, (row + 0.5) / 5, depth]], np.float32)
    there = turned_points(point, rotate, 7, 5)
    height, width = turned(image, rotate).shape[:2]
    assert turned(image, rotate)[int(there[0, 1] * height), int(there[0, 0] * width)].min() == 255
    assert there[0, 2] * width == pytest.approx(depth * 7, abs=1e-5)  # in pixels
    back = turned_points(there, -rotate % 360, width, height)
    np.testing.assert_allclose(back, point, atol=1e-6)


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


def test_a_view_of_60_degrees_reaches_the_edges_at_30():
    camera = PinholeCamera.of_view(640, 480, math.radians(60))
    assert math.degrees(math.atan(camera.ray(640, 240)[0])) == pytest.approx(30)
    assert camera.focal_x == camera.focal_y


def test_a_calibration_serves_other_resolutions_of_the_same_shape():
    half = CAMERA.resized(320, 240)
    np.testing.assert_allclose(half.ray(160, 100), CAMERA.ray(320, 200))
    assert CAMERA.resized(1280, 960).focal_x == 2 * CAMERA.focal_x
    with pytest.raises(IntrinsicsError, match='640 x 480 pixels, but the image has 640 x 360'):
        CAMERA.resized(640, 360)


@pytest.mark.parametrize(
    'values',
    [(0, 600, 320, 240, 640, 480), (600, -1, 320, 240, 640, 480), (600, 600, math.nan, 0, 9, 9)],
)
def test_what_no_camera_has_is_refused(values):
    with pytest.raises(IntrinsicsError, match='must be above 0'):
        PinholeCamera(*values)
    with pytest.raises(IntrinsicsError, match='is empty'):
        PinholeCamera(600, 600, 320, 240, 0, 480)


# A camera by its calibration, or by its angle of view where that cannot be used.


MATRIX = np.array([[600, 0, 320], [0, 610, 240], [0, 0, 1.0]])
SIXTY_DEGREES = math.radians(60)


def camera():
    """Make one, and the list of the faults that it tells."""
    reported = []
    return KnownCamera(SIXTY_DEGREES, reported.append), reported


@pytest.mark.parametrize('k', [MATRIX, MATRIX.ravel(), MATRIX.ravel().tolist()])
def test_a_calibration_holds_for_images_of_its_shape(k):
    known, reported = camera()
    assert known.camera(640, 480) == PinholeCamera.of_view(640, 480, SIXTY_DEGREES)
    assert known.calibrate(k, 640, 480)
    assert known.camera(640, 480) == PinholeCamera(600, 610, 320, 240, 640, 480)
    assert known.camera(320, 240) == PinholeCamera(300, 305, 160, 120, 320, 240)
    assert reported == []
    for _ in range(2):
        assert known.camera(480, 480) == PinholeCamera.of_view(480, 480, SIXTY_DEGREES)
        known.camera(640, 480)
    assert len(reported) == 1
    assert (
        'another shape' in reported[0]
        and 'A field of view of 60 degrees is assumed.' in reported[0]
    )


@pytest.mark.parametrize(
    'k, width, fault',
    [
        (np.zeros(9), 640, 'focal lengths'),
        (MATRIX, 0, 'it is empty'),
        (np.where(MATRIX == 600, np.nan, MATRIX), 640, 'focal lengths'),
        (MATRIX[:2], 640, 'k holds 6 values, not 9.'),
    ],
)
def test_a_calibration_that_no_camera_has_is_reported_once(k, width, fault):
    known, reported = camera()
    assert not known.calibrate(k, width, 480)
    assert not known.calibrate(k, width, 480)
    (sentence,) = reported
    assert sentence.startswith('camera_info: k, width or height is wrong: ') and fault in sentence
    assert known.camera(640, 480) == PinholeCamera.of_view(640, 480, SIXTY_DEGREES)


def test_later_calibrations_replace_earlier_ones_and_wrong_ones_replace_none():
    reported = []
    camera = KnownCamera(math.radians(60), reported.append)
    first, second = ([f, 0, 320, 0, f, 240, 0, 0, 1] for f in (500.0, 700.0))
    assert camera.calibrate(first, 640, 480)
    assert camera.camera(640, 480).focal_x == 500
    assert camera.calibrate(second, 640, 480)
    assert camera.camera(640, 480).focal_x == 700
    for _ in range(3):
        assert not camera.calibrate([1e-300, 0, 320, 0, 1e-300, 240, 0, 0, 1], 640, 480)
        assert camera.calibrate(second, 640, 480)
    assert camera.camera(640, 480).focal_x == 700
    (sentence,) = reported
    assert sentence.endswith('The calibration before it stays.')
