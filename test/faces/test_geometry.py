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

"""Landmarks are freed from image and pose, which is reported by REP-103; what cameras mean."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.faces import (
    NEUTRAL,
    PEOPLE,
    TURNED,
    frames,
    landmarks_of,
    mirrored,
    photograph,
    points_of,
    random_face,
    upright_template,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dev.bench.pictures import Photograph, landscape, new_finder
from dev.bench.turned_faces import UNIT_PX, TurningPeople, head_mesh
from emotion_estimator.faces.geometry import (
    MESH,
    POSE_NAMES,
    IntrinsicsError,
    KnownCamera,
    PinholeCamera,
    align,
    head_angles,
    in_face_units,
    turned,
    turned_points,
)
from emotion_estimator.faces.landmarker import Box, FaceLandmarker
from emotion_estimator.faces.multi_face import SIDE_PX, enlarged_crop, face_picture
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.pose import SELLION, calibration_of, rotation_of

TEMPLATE = random_face()
CAMERA = PinholeCamera(600, 610, 330, 235, 640, 480)
# Directions in the image: x right, y down, z away from the camera.
RIGHT, DOWN, AWAY = np.eye(3)
ROLL, PITCH, YAW = range(3)

angles = st.floats(-3.1, 3.1)
vectors = st.tuples(angles, angles, angles).map(np.array)


def rotated(points, rotation):
    return rotation.apply(points).astype(np.float32)


def pose(points, template):
    _, rotations = align(points[None], template)
    return head_angles(rotations)[0]


@given(
    vectors.map(Rotation.from_rotvec),
    st.floats(5, 900),
    st.floats(-500, 2500),
    st.floats(-500, 2500),
    st.sampled_from([(640, 480), (480, 640), (3840, 2160), (48, 48)]),
)
def test_alignment_recovers_rotation_scale_and_shift(rotation, unit_px, x, y, size):
    width, height = size
    pixels = rotation.apply(TEMPLATE) * unit_px + [x, y, 7.0]
    landmarks = (pixels / [width, height, width]).astype(np.float32)
    points, (found_x, found_y, found_unit_px) = in_face_units(landmarks, width, height)
    aligned, rotations = align(points[None], TEMPLATE)
    # A small face far off loses digits of single precision.
    atol = 1e-5 + 3e-6 * (abs(x) + abs(y)) / unit_px
    np.testing.assert_allclose(aligned[0], TEMPLATE, atol=4 * atol)
    np.testing.assert_allclose(rotations[0], rotation.as_matrix(), atol=4 * atol)
    np.testing.assert_allclose([found_x, found_y], [x, y], atol=2e-3, rtol=1e-5)
    assert found_unit_px == pytest.approx(unit_px, rel=1e-4)


def test_a_face_unit_is_the_mesh_s_mean_square_distance():
    landmarks = TEMPLATE / 7 + np.array([0.5, 0.5, 0], np.float32)
    points, _ = in_face_units(landmarks, 100, 100)
    np.testing.assert_allclose(points[:MESH].mean(axis=0), 0, atol=1e-5)
    assert (points[:MESH] ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    'part, goes, axis',
    [
        # The camera sees the person's left at the image's right.
        ('nose', RIGHT, YAW),
        ('nose', DOWN, PITCH),
        ('crown', -RIGHT, ROLL),
    ],
)
@pytest.mark.parametrize('angle', [-0.9, -0.2, 0.2, 0.9])
def test_positive_are_yaw_to_the_left_pitch_downward_and_roll_to_the_right(
    part, goes, axis, angle
):
    direction = {'nose': -AWAY, 'crown': -DOWN}[part]
    rotation = Rotation.from_rotvec(angle * np.cross(direction, goes))
    assert rotation.apply(direction) @ goes == pytest.approx(np.sin(angle))
    expected = np.zeros(3)
    expected[axis] = angle
    np.testing.assert_allclose(pose(rotated(TEMPLATE, rotation), TEMPLATE), expected, atol=1e-5)


@given(angles, st.floats(-1.5, 1.5), angles)
def test_roll_pitch_and_yaw_are_applied_in_this_order(roll, pitch, yaw):
    forward, left, up = -AWAY, RIGHT, -DOWN
    rotation = (
        Rotation.from_rotvec(yaw * up)
        * Rotation.from_rotvec(pitch * left)
        * Rotation.from_rotvec(roll * forward)
    )
    found = pose(rotated(TEMPLATE, rotation), TEMPLATE)
    np.testing.assert_allclose(found, [roll, pitch, yaw], atol=1e-4)


@given(st.integers(0, 1000))
def test_a_mirrored_face_is_not_explained_by_a_reflection(seed):
    points = random_face(seed) * np.array([-1, 1, 1], np.float32)
    _, rotations = align(points[None], TEMPLATE)
    assert np.linalg.det(rotations[0]) == pytest.approx(1)


def test_gaze_does_not_turn_the_head():
    points = rotated(TEMPLATE, Rotation.from_rotvec([0.1, 0.2, 0.3]))
    looking = points.copy()
    looking[MESH:] += 0.3
    np.testing.assert_array_equal(pose(looking, TEMPLATE), pose(points, TEMPLATE))


def test_many_faces_are_aligned_as_each_alone():
    faces = np.stack([random_face(seed) for seed in range(4)])
    aligned, rotations = align(faces, TEMPLATE)
    for i in range(4):
        alone, rotation = align(faces[i : i + 1], TEMPLATE)
        np.testing.assert_allclose(aligned[i], alone[0], atol=1e-6)
        np.testing.assert_allclose(rotations[i], rotation[0], atol=1e-12)


@pytest.fixture
def template(landmarker_path, media):
    return upright_template(photograph(media(NEUTRAL)))


def test_a_straight_face_has_no_pose_and_a_turned_picture_has_roll(template, media):
    upright = photograph(media(PEOPLE[1]))
    np.testing.assert_allclose(pose(points_of(upright), template), 0, atol=0.15)
    # A quarter turn of the image clockwise leans the head to the image's right, the person's left.
    height, width = upright.shape[:2]
    x, y, z = landmarks_of(upright).T
    leaning, _ = in_face_units(np.stack([1 - y, x, z], axis=1), height, width)
    assert pose(leaning, template)[ROLL] == pytest.approx(-np.pi / 2, abs=0.15)


@pytest.fixture
def leaning(media):
    """Show a woman's head that leans to her right, and to her left."""
    pictures, _ = frames(media('WolfgangLanger_Pexels.mp4'))
    return [np.ascontiguousarray(pictures[index][..., ::-1]) for index in (420, 460)]


def test_heads_lean_and_turn_to_their_own_right_and_left(template, leaning, media):
    right, left = (
        pose(in_face_units(landmarks_of(rgb), *rgb.shape[1::-1])[0], template) for rgb in leaning
    )
    assert right[ROLL] > 0.3 and left[ROLL] < -0.3
    man = pose(points_of(photograph(media(TURNED))), template)
    assert man[YAW] == pytest.approx(-np.pi / 4, abs=0.15)
    assert abs(man[ROLL]) < 0.15


def test_in_a_mirror_yaw_and_roll_change_sign_and_pitch_stays(template, leaning, media):
    for rgb in (*leaning, photograph(media(TURNED))):
        seen = pose(points_of(rgb), template)
        in_mirror = pose(points_of(mirrored(rgb)), template)
        assert max(abs(seen[YAW]), abs(seen[ROLL])) > 0.3
        np.testing.assert_allclose(in_mirror, seen * [-1, 1, -1], atol=0.12)


# Heads turned by known angles, for the measurements: rendered as they should be, and measured.


NOSE_TIP = 1


@pytest.fixture
def mesh(landmarker_path, media):
    picture = photograph(media(NEUTRAL))
    landmarker = FaceLandmarker(FaceNetworks(landmarker_path), stills=True)
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
def test_the_pose_of_a_turned_head_is_reported(mesh, axis):
    finder = new_finder(max_faces=1, detection_rate_hz=0.0)
    index = POSE_NAMES.index(axis)
    for angle, face in TurningPeople(finder).turn(mesh, index, [0, 10, 20]):
        assert np.degrees(face.features[index]) == pytest.approx(angle, abs=9)
    finder.close()


# Cameras: their angle of view, and calibrations, right and wrong.


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
    (said,) = reported
    assert 'another shape' in said and 'A field of view of 60 degrees is assumed.' in said


@pytest.mark.parametrize('x, y, width, height', [(320, 240, 320, 240), (400, 0, 64, 48), (0,) * 4])
@pytest.mark.parametrize('binning', [(0, 0), (2, 4)])
def test_a_part_of_a_camera_s_image_looks_where_it_lies_in_the_whole(x, y, width, height, binning):
    roi = SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height)
    across, down = np.maximum(binning, 1)
    stated = {'roi': roi, 'binning_x': binning[0], 'binning_y': binning[1]}
    info = SimpleNamespace(K=MATRIX.ravel(), P=np.zeros(12), width=640, height=480, **stated)
    known, reported = camera()
    assert known.calibrate(*calibration_of(info, '')) and not reported
    part = known.camera((width or 640) // across, (height or 480) // down)
    whole = PinholeCamera.of_matrix(MATRIX, 640, 480)
    np.testing.assert_allclose(part.ray(30 / across, 20 / down), whole.ray(x + 30, y + 20))


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
    assert sentence.startswith('camera_info: k, p, width, height or roi is ') and fault in sentence
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


# Squares cut out of images.


@given(st.integers(-90, 90), st.integers(-90, 90), st.integers(1, 200))
def test_a_crop_is_black_outside_the_image_alone(left, top, side):
    white = np.full((40, 60, 3), 255, np.uint8)
    crop = enlarged_crop(white, left, top, side)
    width = max(min(left + side, 60) - max(left, 0), 0)
    height = max(min(top + side, 40) - max(top, 0), 0)
    if crop is None:
        assert min(width, height) * SIDE_PX / side <= 1
        return
    assert crop.shape == (SIDE_PX, SIDE_PX, 3)
    assert set(np.unique(crop)) <= {0, 255}
    scale = SIDE_PX / side
    assert abs((crop[:, :, 0] == 255).any(axis=0).sum() - width * scale) <= 1
    assert abs((crop[:, :, 0] == 255).any(axis=1).sum() - height * scale) <= 1


@pytest.mark.parametrize('size', [(128, 128), (160, 120), (64, 200)])
def test_a_picture_of_a_face_has_the_size_asked_for_with_the_face_in_its_middle(size):
    image = np.zeros((400, 600, 3), np.uint8)
    image[180:220, 280:320] = (255, 0, 0)
    picture = face_picture(image, Box(0.45, 0.425, 0.55, 0.575), *size)
    assert picture.shape == (size[1], size[0], 3)
    rows, columns = np.nonzero(picture[..., 0] > 128)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(size[1] / 2, abs=2)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(size[0] / 2, abs=2)
    # 40 of the 90 pixels of a square that is half as large again as the box.
    assert np.ptp(rows) == pytest.approx(min(size) * 40 / 90, abs=2)
