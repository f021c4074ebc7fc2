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


"""Bags that a replay writes: whole or not at all, the input's messages beside on request."""

import numpy as np
import pytest
from bags import (
    ROS1,
    ROS2,
    START_NS,
    camera_bag,
    raw_image,
    stamps,
    text,
    write_bag,
    write_ros1_bag,
)
from rosbags.highlevel import AnyReader

from emotion_estimator.emotion.emotion_estimation import EmotionEstimate
from emotion_estimator.evaluation.bag_writing import BagWriter
from emotion_estimator.evaluation.parameters import read_parameters
from emotion_estimator.evaluation.pipeline import Seen
from emotion_estimator.evaluation.recordings.opening import open_recording
from emotion_estimator.evaluation.recordings.recording import RecordingError
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.stamps import Step

PICTURE = np.full((48, 64, 3), 90, np.uint8)


def seen(stamp_ns, label='happy'):
    """Say what was seen of one face."""
    face = Face(
        'abc',
        Box(0, 0, 1, 1),
        np.full(52, 0.25, np.float32),
        np.zeros((478, 3), np.float32),
        ('head.roll',),
        lambda: np.array([0.5], np.float32),
    )
    scores = (('happy', 0.75), ('unknown', 0.25))
    scores = scores if label == 'happy' else scores[::-1]
    estimate = EmotionEstimate(
        'abc', stamp_ns, label, scores[0][1], scores, 0.5, -0.25, Step.FORWARD
    )
    return Seen(Step.FORWARD, (face,), (estimate,))


def write(path, bag, beside=None, parameters=None):
    writer = BagWriter(path, parameters or read_parameters(), beside)
    for number, frame in enumerate(open_recording(bag).frames()):
        writer(frame, seen(frame.stamp_ns, 'happy' if number else 'unknown'))
    writer.finish()


def read(path):
    with AnyReader([path]) as reader:
        return [
            (connection.topic, recorded_ns, reader.deserialize(raw, connection.msgtype))
            for connection, recorded_ns, raw in reader.messages()
        ]


@pytest.mark.parametrize('name', ['out.mcap', 'out'])
def test_a_bag_is_a_file_or_a_folder_and_replaces_what_was_there(tmp_path, name):
    bag = camera_bag(tmp_path / 'bag', [PICTURE] * 2)
    for _ in range(2):
        write(tmp_path / name, bag)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(['bag', name])
    assert (tmp_path / name / 'metadata.yaml').is_file() == (name == 'out')
    told = read(tmp_path / name)
    expression = '/humans/faces/abc/expression'
    topics = ['/blendshapes', '/humans/faces/tracked', '/emotion', expression]
    assert [topic for topic, _, _ in told] == topics * 2
    assert [recorded_ns for _, recorded_ns, _ in told] == [ns for ns in stamps(2) for _ in topics]
    blendshapes, tracked, emotion, unknown = (message for _, _, message in told[:4])
    assert len(blendshapes.results) == 53
    assert (blendshapes.results[-1].class_id, blendshapes.results[-1].score) == ('head.roll', 0.5)
    assert blendshapes.header.frame_id == emotion.header.frame_id == 'face_abc'
    assert (tracked.ids, tracked.header.frame_id) == (['abc'], 'camera')
    assert [result.class_id for result in emotion.results] == ['unknown', 'happy']
    assert (unknown.expression, unknown.confidence) == ('', 0.0)
    happy = told[-1][2]
    assert (happy.expression, happy.confidence) == ('happy', 0.75)
    assert (happy.valence, happy.arousal) == (0.5, -0.25)


def test_without_ros4hri_nothing_stands_below_humans(tmp_path):
    bag = camera_bag(tmp_path / 'bag', [PICTURE])
    parameters = read_parameters()
    parameters.blendshape_node['ros4hri'] = parameters.emotion_node['ros4hri'] = False
    write(tmp_path / 'out.mcap', bag, parameters=parameters)
    assert [topic for topic, _, _ in read(tmp_path / 'out.mcap')] == ['/blendshapes', '/emotion']


def test_the_inputs_messages_stand_beside_but_for_the_nodes_own(tmp_path):
    messages = [
        ('/chatter', START_NS - 5, text(ROS2, 'before')),
        ('/image', START_NS, raw_image(ROS2, PICTURE, START_NS)),
        ('/emotion', START_NS, text(ROS2, 'of another run')),
        ('/emotional', START_NS, text(ROS2, 'of the user')),
        ('/humans/faces/abc/expression', START_NS, text(ROS2, 'of another run')),
        ('/humans/faces/abc/roi', START_NS, text(ROS2, 'of a detector')),
        ('/chatter', START_NS + 5, text(ROS2, 'behind')),
    ]
    bag = write_bag(tmp_path / 'bag', messages)
    write(tmp_path / 'out.mcap', bag, beside=bag)
    told = read(tmp_path / 'out.mcap')
    words = [message.data for _, _, message in told if 'String' in type(message).__name__]
    assert words == ['before', 'of the user', 'of a detector', 'behind']
    assert [message.height for topic, _, message in told if topic == '/image'] == [48]


def test_a_bag_that_is_given_up_leaves_nothing(tmp_path):
    writer = BagWriter(tmp_path / 'out.mcap', read_parameters())
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_ros1_bag_cannot_stand_beside(tmp_path):
    bag = write_ros1_bag(
        tmp_path / 'robot.bag', [('/image', 1, raw_image(ROS1, PICTURE, START_NS))]
    )
    with pytest.raises(RecordingError, match='--with-input'):
        BagWriter(tmp_path / 'out.mcap', read_parameters(), bag)
    assert [path.name for path in tmp_path.iterdir()] == ['robot.bag']
