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

"""What REP-155 has of faces: who is there, by stamps alone, action units, the aligned picture."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator import blendshapes
from emotion_estimator.blendshapes import CODES, DEAD_SHAPES, HEAD_UNITS, UNITS, action_units
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.multi_face import level_face_picture
from emotion_estimator.faces.pose import LEFT_PUPIL, RIGHT_PUPIL
from emotion_estimator.faces.tracker import LISTED_S, FacePresence
from emotion_estimator.stamps import NS_PER_S


def see(presence, ids, time_s, starts_over=False):
    seen = presence.see(ids, round(time_s * NS_PER_S), starts_over)
    return ''.join(seen.listed), ''.join(seen.lost)


def test_a_missed_image_is_no_absence_and_a_long_one_is_a_loss_reported_once():
    presence = FacePresence(1.0)
    assert see(presence, 'ab', 0.0) == ('ab', '')
    assert see(presence, 'b', 0.1) == ('ba', '')
    assert see(presence, 'b', LISTED_S) == ('ba', '')
    assert see(presence, 'b', LISTED_S + 0.01) == ('b', '')
    assert see(presence, 'b', 1.0) == ('b', '')
    assert see(presence, 'b', 1.1) == ('b', 'a')
    assert see(presence, 'b', 1.2) == ('b', '')


def test_a_face_that_returns_in_time_is_not_lost():
    presence = FacePresence(1.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.9) == ('', '')
    assert see(presence, 'a', 0.95) == ('a', '')
    assert see(presence, '', 1.9) == ('', '')


def test_without_absence_a_face_is_gone_with_the_image():
    presence = FacePresence(0.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.01) == ('', 'a')


@pytest.mark.parametrize('time_s', [10.2, 9.9])
def test_on_a_new_time_line_those_of_the_old_are_lost(time_s):
    presence = FacePresence(60.0)
    see(presence, 'ab', 10.0)
    assert see(presence, 'c', time_s, starts_over=True) == ('c', 'ab')


def test_silence_of_the_camera_is_no_absence():
    presence = FacePresence(1.0)
    assert see(presence, 'a', 0.0) == ('a', '')
    assert see(presence, '', 5.0) == ('', '')
    assert see(presence, 'a', 10.0) == ('a', '')
    assert see(presence, '', 15.0) == ('', '')
    assert see(presence, '', 15.1) == ('', 'a')


@given(st.lists(st.tuples(st.sets(st.sampled_from('abcd')), st.floats(0, 2)), max_size=20))
def test_whoever_came_is_listed_or_lost_or_may_return(steps):
    presence, time_s, there = FacePresence(1.0), 0.0, set()
    for ids, way_s in steps:
        time_s += way_s
        listed, lost = see(presence, sorted(ids), time_s)
        there |= ids
        assert ids <= set(listed) <= there
        assert set(lost) <= there - set(listed)
        there -= set(lost)


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
