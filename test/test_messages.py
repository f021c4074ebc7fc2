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

"""Dataclasses to messages and back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from emotion_estimator import blendshapes
from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.image_decoding import EncodingError, ImageDecoder
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.pose import HeadPose, frames_of
from emotion_estimator.messages import (
    RESTATED,
    ROS,
    MessageBuilder,
    MessageError,
    _cv_bridge,
    bag_types,
    face_features,
    nanoseconds,
    rgb_of,
    ros_type,
)
from emotion_estimator.stamps import Step

STAMP_NS = 1_700_000_000_123_456_789
FACE = Face(
    'abc',
    Box(0.1, 0.2, 0.3, 0.4),
    lambda: np.linspace(0, 1, 52, dtype=np.float32),
    np.zeros((478, 3), np.float32),
    ('head.yaw', 'geometry.v1.00'),
    lambda: np.array([-0.5, 2.25], np.float32),
)


def estimate(label, confidence):
    scores = ((label, confidence), ('sad', 1 - confidence))
    return EmotionEstimate('abc', STAMP_NS, label, confidence, scores, 0.5, -0.25, Step.FORWARD)


def test_stamps_keep_every_nanosecond():
    assert nanoseconds(ROS.time(STAMP_NS)) == STAMP_NS
    assert ROS.time(STAMP_NS) == Time(sec=1_700_000_000, nanosec=123_456_789)
    assert nanoseconds(Time()) == 0


def test_blendshapes_and_features_go_by_name_and_come_back():
    message = ROS.blendshapes(FACE, ROS.header_of_face('abc', ROS.time(STAMP_NS)))
    assert message.header.frame_id == 'face_abc'
    features = face_features(message)
    assert (features.face_id, features.stamp_ns) == ('abc', STAMP_NS)
    assert list(features.values) == [*blendshapes.NAMES, 'head.yaw', 'geometry.v1.00']
    values = list(features.values.values())
    np.testing.assert_array_equal(values[:52], FACE.blendshapes)
    assert values[52:] == [-0.5, 2.25]


def test_a_cv_bridge_that_cannot_be_imported_is_tried_once_and_named_once(tmp_path, monkeypatch):
    tried = tmp_path / 'tried'
    (tmp_path / 'cv_bridge.py').write_text(
        f"open({str(tried)!r}, 'a').write('x')\nraise AttributeError('_ARRAY_API not found')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _cv_bridge.cache_clear()
    reported = []
    decoder = ImageDecoder(tell=reported.append)
    image = ros_type('sensor_msgs/msg/Image')(height=2, width=2, encoding='nv24', data=bytes(12))
    for _ in range(5):
        with pytest.raises(EncodingError, match="'nv24' is not known"):
            rgb_of(image, decoder)
    _cv_bridge.cache_clear()
    assert tried.read_text() == 'x'
    (sentence,) = reported
    assert 'cv_bridge is installed but cannot be imported (AttributeError: _ARRAY' in sentence


@pytest.mark.parametrize('frame_id', ['', 'camera', 'face_'])
def test_a_message_of_no_face_is_reported(frame_id):
    message = ROS.blendshapes(FACE, ROS.header_of_face('abc', ROS.time(STAMP_NS)))
    message.header.frame_id = frame_id
    with pytest.raises(MessageError, match='names a face as face_<id>'):
        face_features(message)


def test_an_emotion_keeps_header_and_order():
    header = Header(stamp=ROS.time(STAMP_NS), frame_id='face_abc')
    message = ROS.emotion(estimate('happy', 0.75), header)
    assert message.header == header
    assert [(r.class_id, r.score) for r in message.results] == [('happy', 0.75), ('sad', 0.25)]


def test_an_expression_says_what_hri_msgs_can_say():
    header = Header(stamp=ROS.time(STAMP_NS), frame_id='face_abc')
    known = ROS.expression(estimate('happy', 0.75), header)
    assert (known.expression, known.confidence) == ('happy', 0.75)
    assert (known.valence, known.arousal) == (0.5, -0.25)
    unknown = ROS.expression(estimate('unknown', 0.75), header)
    assert (unknown.expression, unknown.confidence) == ('', 0.0)


def test_tracked_lists_the_ids():
    assert ROS.tracked(['a', 'b'], Header(frame_id='camera')).ids == ['a', 'b']


IMAGE_HEADER = Header(stamp=ROS.time(STAMP_NS), frame_id='camera')


def sent(message):
    """Through the wire: what a subscriber gets."""
    return deserialize_message(serialize_message(message), type(message))


def test_a_roi_is_the_part_of_the_box_inside_the_image():
    face = replace(FACE, box=Box(-0.25, 0.25, 0.5, 1.5))
    message = sent(ROS.region(face, IMAGE_HEADER))
    assert message.header == IMAGE_HEADER
    assert (message.xmin, message.ymin, message.xmax, message.ymax) == (0, 0.25, 0.5, 1)
    assert message.c == 1


def facs(face):
    return ROS.action_units(face, ROS.header_of_face(face.face_id, IMAGE_HEADER.stamp))


def test_facs_are_by_code_in_the_face_s_frame():
    shapes = np.zeros(52, np.float32)
    shapes[blendshapes.INDEX['mouthSmileRight']] = 0.75
    pose = ('head.roll', 'head.pitch', 'head.yaw')
    face = replace(
        FACE,
        compute_blendshapes=lambda: shapes,
        feature_names=(*pose, 'geometry.v1.00'),
        encode=lambda: np.array([0, 0, -np.pi / 8, 3], np.float32),
    )
    message = sent(facs(face))
    assert message.header == Header(stamp=IMAGE_HEADER.stamp, frame_id='face_abc')
    assert {code: message.intensity[code] for code in np.flatnonzero(message.intensity)} == {
        12: 0.75,
        52: pytest.approx(0.5),
    }
    assert (message.confidence[12], message.confidence[6], message.confidence[52]) == (1, 0, 1)
    without_pose = sent(facs(replace(face, feature_names=())))
    assert without_pose.confidence[51:57].sum() == 0
    assert without_pose.intensity[12] == 0.75


def test_landmarks_are_70_points_of_the_image_without_confidence_outside():
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[152] = (0.25, 0.75, 9)
    landmarks[473] = (1.25, 0.5, 9)
    message = sent(ROS.landmarks(replace(FACE, landmarks=landmarks), IMAGE_HEADER, 640, 480))
    assert (message.header, message.width, message.height) == (IMAGE_HEADER, 640, 480)
    chin, left_pupil = message.landmarks[8], message.landmarks[69]
    assert (chin.x, chin.y, chin.c) == (0.25, 0.75, 1)
    assert (left_pupil.x, left_pupil.y, left_pupil.c) == (1.25, 0.5, 0)
    assert len(message.landmarks) == 70


def test_a_crop_keeps_its_pixels():
    crop = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = sent(ROS.picture(crop, IMAGE_HEADER))
    assert (message.header, message.encoding) == (IMAGE_HEADER, 'rgb8')
    assert (message.height, message.width, message.step) == (2, 3, 9)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8).reshape(crop.shape), crop)


def test_the_head_s_frame_hangs_on_the_camera_and_the_gaze_s_on_the_head():
    shapes = np.zeros(52, np.float32)
    head = Rotation.from_rotvec([0.1, 0.2, 0.3])
    pose = HeadPose(np.array([0.5, -0.25, 2.0]), head.as_matrix())
    message = sent(
        ROS.frames(
            frames_of(replace(FACE, compute_blendshapes=lambda: shapes), pose), IMAGE_HEADER
        )
    )
    face, gaze = message.transforms
    assert [face.child_frame_id, gaze.child_frame_id] == ['face_abc', 'gaze_abc']
    assert face.header == IMAGE_HEADER
    assert gaze.header == Header(stamp=IMAGE_HEADER.stamp, frame_id='face_abc')
    for transform, expected in ((face, (0.5, -0.25, 2.0)), (gaze, (0, 0, 0))):
        place = transform.transform.translation
        assert (place.x, place.y, place.z) == expected

    def rotation(transform):
        turn = transform.transform.rotation
        return Rotation.from_quat([turn.x, turn.y, turn.z, turn.w])

    np.testing.assert_allclose(rotation(face).as_matrix(), head.as_matrix(), atol=1e-9)
    # x out of the face is z along the gaze; z up is -y.
    np.testing.assert_allclose(rotation(gaze).apply([0, 0, 1]), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(rotation(gaze).apply([0, -1, 0]), [0, 0, 1], atol=1e-9)


STORE = bag_types()
HAPPY = estimate('happy', 0.75)


@pytest.mark.parametrize('kind', RESTATED)
def test_a_bag_s_type_has_the_fields_of_the_type_on_the_wire(kind):
    in_bag = [name for name, _ in STORE.fielddefs[kind][1]]
    assert in_bag == list(ros_type(kind).get_fields_and_field_types())


@pytest.mark.parametrize(
    'kind, build',
    [
        ('vision_msgs/msg/Classification', lambda ros, header: ros.blendshapes(FACE, header)),
        ('hri_msgs/msg/Expression', lambda ros, header: ros.expression(HAPPY, header)),
        ('hri_msgs/msg/FacialActionUnits', lambda ros, header: ros.action_units(FACE, header)),
        ('hri_msgs/msg/FacialLandmarks', lambda ros, header: ros.landmarks(FACE, header, 64, 48)),
    ],
)
def test_a_bag_s_message_reads_as_the_one_on_the_wire(kind, build):
    in_bag = MessageBuilder(STORE.types.__getitem__)
    raw = STORE.serialize_cdr(build(in_bag, in_bag.header(STAMP_NS, 'face_abc')), kind)
    live = build(ROS, ROS.header(STAMP_NS, 'face_abc'))
    assert deserialize_message(bytes(raw), ros_type(kind)) == sent(live)


# The message types in use are those that the rest of ROS uses: same RIHS01 hash, same words.


PUBLISHED = {
    'vision_msgs/msg/Classification': (
        'f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143'
    ),
    'vision_msgs/msg/ObjectHypothesis': (
        '51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90'
    ),
    'hri_msgs/msg/Expression': (
        '411b88e0604397d44775d8ec6a4bc69398fb0dfbfe864c33a40fa99ee85f1b00'
    ),
    'hri_msgs/msg/IdsList': '7e0812d1ac945c98fd3e393568d581ad0ab567f37b24eff633eab778c1bfe62d',
    'hri_msgs/msg/NormalizedRegionOfInterest2D': (
        '2e50c93f1ca166ee77af9a5424dc951ae4e452b740162a7f83c082d917dcaff5'
    ),
    'hri_msgs/msg/FacialActionUnits': (
        '43f431104624b6ff7f84350f1faa3747efc8a9330dee942b717a08830a267ed3'
    ),
    'hri_msgs/msg/FacialLandmarks': (
        'f1d6b0ba159f4d6be1632e5dfc9cb79ce5e35da73888da2a4789bd9b35112a63'
    ),
    'hri_msgs/msg/NormalizedPointOfInterest2D': (
        'cc1d2f720c82afeb850ff1dbf66f41ecb7caf19f842987f1247e66160cf03953'
    ),
}

EXPRESSIONS = (
    'neutral angry sad happy surprised disgusted scared pleading vulnerable despaired guilty '
    'disappointed embarrassed horrified skeptical annoyed furious suspicious rejected bored tired '
    'asleep confused amazed excited'
)


def type_hash(type_name: str) -> str:
    """
    Read a type's hash from the description that its package installs.

    :param type_name: such as 'hri_msgs/msg/IdsList'.
    :returns: the hash of the first package found, in the order in which ROS looks.
    """
    package = type_name.partition('/')[0]
    for prefix in filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)):
        share = Path(prefix, 'share')
        description = share / f'{type_name}.json'
        if description.is_file():
            hashes = json.loads(description.read_text())['type_hashes']
            return str(next(h['hash_string'] for h in hashes if h['type_name'] == type_name))
        if (share / package).is_dir():
            pytest.skip(f'{package} in {prefix} was built before ROS had type hashes')
    pytest.fail(
        f'{package} is in no prefix of AMENT_PREFIX_PATH: source ROS after installing its '
        'package, or run through dev/with_ros after `make setup`'
    )


@pytest.mark.parametrize('type_name', PUBLISHED)
def test_type_has_the_published_hash(type_name: str) -> None:
    """A node built against the real packages understands this one."""
    assert type_hash(type_name) == f'RIHS01_{PUBLISHED[type_name]}'


def test_expression_has_the_published_words() -> None:
    """Constants are no part of the hash, so they are compared by themselves."""
    from hri_msgs.msg import Expression

    for word in EXPRESSIONS.split():
        assert getattr(Expression, word.upper()) == word


@pytest.mark.parametrize('kind', RESTATED)
def test_definitions_have_the_published_hashes(kind):
    assert bag_types().hash_rihs01(kind) == f'RIHS01_{PUBLISHED[kind]}'


def test_expressions_words_are_the_published_ones():
    from hri_msgs.msg import Expression

    definition, _ = bag_types().generate_msgdef('hri_msgs/msg/Expression', ros_version=2)
    for word in ('HAPPY=happy', 'SCARED=scared', 'EXCITED=excited'):
        assert f'string {word}' in definition.replace(' = ', '=')
    words = {name for name in dir(Expression) if name.isupper()} - {'SLOT_TYPES'}
    assert words == {
        line.partition('=')[0].split()[1]
        for line in definition.replace(' = ', '=').splitlines()
        if line.startswith('string ') and '=' in line
    }


def test_tf_message_is_a_list_of_transforms() -> None:
    """No hash is at hand for /tf's type, so its fields are compared."""
    from tf2_msgs.msg import TFMessage

    fields = TFMessage.get_fields_and_field_types()
    assert fields == {'transforms': 'sequence<geometry_msgs/TransformStamped>'}
