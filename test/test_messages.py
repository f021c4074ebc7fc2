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

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from emotion_estimator import blendshapes
from emotion_estimator.emotion.emotion_estimation import EmotionEstimate
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.messages import (
    MessageError,
    blendshapes_message,
    emotion_message,
    expression_message,
    face_features,
    nanoseconds,
    time_message,
    tracked_message,
)
from emotion_estimator.stamps import Step

STAMP_NS = 1_700_000_000_123_456_789
FACE = Face(
    'abc',
    Box(0.1, 0.2, 0.3, 0.4),
    np.linspace(0, 1, 52, dtype=np.float32),
    np.zeros((478, 3), np.float32),
    ('head.yaw', 'geometry.v1.00'),
    lambda: np.array([-0.5, 2.25], np.float32),
)


def estimate(label, confidence):
    scores = ((label, confidence), ('sad', 1 - confidence))
    return EmotionEstimate('abc', STAMP_NS, label, confidence, scores, 0.5, -0.25, Step.FORWARD)


def test_stamps_keep_every_nanosecond():
    assert nanoseconds(time_message(STAMP_NS)) == STAMP_NS
    assert time_message(STAMP_NS) == Time(sec=1_700_000_000, nanosec=123_456_789)
    assert nanoseconds(Time()) == 0


def test_blendshapes_and_features_go_by_name_and_come_back():
    message = blendshapes_message(FACE, time_message(STAMP_NS))
    assert message.header.frame_id == 'face_abc'
    features = face_features(message)
    assert (features.face_id, features.stamp_ns) == ('abc', STAMP_NS)
    assert list(features.values) == [*blendshapes.NAMES, 'head.yaw', 'geometry.v1.00']
    values = list(features.values.values())
    np.testing.assert_array_equal(values[:52], FACE.blendshapes)
    assert values[52:] == [-0.5, 2.25]


@pytest.mark.parametrize('frame_id', ['', 'camera', 'face_'])
def test_a_message_of_no_face_is_told(frame_id):
    message = blendshapes_message(FACE, time_message(STAMP_NS))
    message.header.frame_id = frame_id
    with pytest.raises(MessageError, match='names a face as face_<id>'):
        face_features(message)


def test_an_emotion_keeps_header_and_order():
    header = Header(stamp=time_message(STAMP_NS), frame_id='face_abc')
    message = emotion_message(estimate('happy', 0.75), header)
    assert message.header == header
    assert [(r.class_id, r.score) for r in message.results] == [('happy', 0.75), ('sad', 0.25)]


def test_an_expression_says_what_hri_msgs_can_say():
    header = Header(stamp=time_message(STAMP_NS), frame_id='face_abc')
    known = expression_message(estimate('happy', 0.75), header)
    assert (known.expression, known.confidence) == ('happy', 0.75)
    assert (known.valence, known.arousal) == (0.5, -0.25)
    unknown = expression_message(estimate('unknown', 0.75), header)
    assert (unknown.expression, unknown.confidence) == ('', 0.0)


def test_tracked_lists_the_ids():
    assert tracked_message(['a', 'b'], Header(frame_id='camera')).ids == ['a', 'b']
