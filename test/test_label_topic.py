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

"""Labels that a topic of a bag tells, of either type, by stamp and face."""

import numpy as np
import pytest
from bags import START_NS, camera_bag, header
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.evaluation.label_topic import told_on_topic
from emotion_estimator.evaluation.labels.segment import LabelError
from emotion_estimator.evaluation.message_types import CLASSIFICATION, EXPRESSION, published_types

STORE = published_types()


def expression(stamp_ns, word, frame_id=''):
    kind = STORE.types[EXPRESSION]
    return kind(
        header=header(STORE, stamp_ns, frame_id),
        expression=word,
        valence=0.0,
        arousal=0.0,
        confidence=1.0,
    )


def classification(stamp_ns, names, frame_id):
    hypothesis = STORE.types['vision_msgs/msg/ObjectHypothesis']
    results = [hypothesis(class_id=name, score=0.5) for name in names]
    return STORE.types[CLASSIFICATION](header=header(STORE, stamp_ns, frame_id), results=results)


@pytest.fixture
def bag(tmp_path):
    """Write a bag with expressions of two faces and classifications of one."""
    messages = [
        ('/humans/faces/abc/expression', expression(START_NS, 'happy')),
        ('/humans/faces/xyz/expression', expression(START_NS + 5, 'sad', 'face_other')),
        ('/said', classification(START_NS + 7, ['angry', 'sad'], 'face_abc')),
        ('/said', classification(START_NS + 9, [], 'camera')),
    ]
    path = tmp_path / 'bag'
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], START_NS, STORE.serialize_cdr(message, kind))
    return path


def test_expressions_of_all_faces_are_named_by_frame_or_topic(bag):
    assert sorted(told_on_topic(bag, '/humans/faces/*/expression')) == [
        (START_NS, 'abc', 'happy'),
        (START_NS + 5, 'other', 'sad'),
    ]


def test_the_first_class_counts_and_none_is_no_label(bag):
    assert told_on_topic(bag, '/said') == [
        (START_NS + 7, 'abc', 'angry'),
        (START_NS + 9, '', ''),
    ]


def test_a_topic_without_labels_is_told(tmp_path, bag):
    with pytest.raises(LabelError, match='no topic of this name'):
        told_on_topic(bag, '/humans/faces/expression')
    camera = camera_bag(tmp_path / 'camera', [np.zeros((8, 8, 3), np.uint8)])
    with pytest.raises(LabelError, match='sensor_msgs/msg/Image'):
        told_on_topic(camera, '/camera/image_raw')
