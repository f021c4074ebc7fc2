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


"""What `replay` tells of a bag is what the running nodes say when `play` plays it to them."""

import cv2
import numpy as np
import pytest
from bags import camera_bag
from hri_msgs.msg import Expression, IdsList
from media import frames
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from test_interface_hashes import PUBLISHED
from vision_msgs.msg import Classification

from emotion_estimator.evaluation.bag_writing import BagWriter
from emotion_estimator.evaluation.message_types import DEFINITIONS, published_types
from emotion_estimator.evaluation.parameters import read_parameters
from emotion_estimator.evaluation.recordings.opening import open_recording
from emotion_estimator.evaluation.replay import replay
from emotion_estimator.evaluation.selection import Selection
from emotion_estimator.messages import nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.playing.bag_player import BagPlayer


@pytest.fixture
def bag(tmp_path, media):
    """Record a person who begins to smile, as a robot's camera does."""
    pictures, _ = frames(media('single_face.mp4'))
    small = [cv2.resize(picture, (480, 270)) for picture in pictures[20:60:2]]
    return camera_bag(tmp_path / 'bag', small, topic='/image')


def nodes_said(live, bag, landmarker_path):
    """Play the bag message by message, each when the nodes have answered the one before."""
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1)
    # Waiting for answers takes wall time, which the replay does not know.
    emotion_node = live.add(EmotionNode, face_timeout_s=60.0)
    heard = {
        '/blendshapes': live.listen(Classification, '/blendshapes', 100),
        '/humans/faces/tracked': live.listen(IdsList, '/humans/faces/tracked', 100),
        '/emotion': live.listen(Classification, '/emotion', 100),
    }
    player = BagPlayer(bag, context=live.context)
    live.executor.add_node(player)
    live.until(lambda: player.count_subscribers('/image') == 1, 'the image subscription')
    live.until(lambda: emotion_node.count_subscribers('/emotion') == 1, 'the listener')
    live.until(lambda: node.count_subscribers('/blendshapes') == 2, 'the emotion node')
    expressions = None
    for count, due in enumerate(player.messages(), start=1):
        due.publish(0)
        live.until(lambda c=count: len(heard['/humans/faces/tracked']) == c, 'the image')
        faces = sum(len(message.ids) for message in heard['/humans/faces/tracked'])
        live.until(lambda f=faces: len(heard['/emotion']) == f, 'the emotions')
        if expressions is None:
            (face_id,) = heard['/humans/faces/tracked'][0].ids
            topic = f'/humans/faces/{face_id}/expression'
            expressions = live.listen(Expression, topic, 100)
            live.until(lambda t=topic: emotion_node.count_subscribers(t) == 1, 'the expression')
            heard[topic] = expressions
    last_ns = nanoseconds(heard['/emotion'][-1].header.stamp)
    live.until(
        lambda: last_ns in [nanoseconds(m.header.stamp) for m in expressions],
        'the last expression',
    )
    live.executor.remove_node(player)
    player.close()
    player.destroy_node()
    return heard


def test_replay_and_nodes_say_the_same(tmp_path, live, bag, landmarker_path, detector_path):
    heard = nodes_said(live, bag, landmarker_path)
    parameters = read_parameters()
    recording = open_recording(bag)
    writer = BagWriter(tmp_path / 'out.mcap', parameters, beside=bag)
    told = replay(recording, parameters, Selection(), (writer,))
    writer.finish()
    recording.close()

    emotions = heard['/emotion']
    assert [nanoseconds(m.header.stamp) for m in emotions] == [a.stamp_ns for a in told.answers]
    assert [m.results[0].class_id for m in emotions] == [a.label for a in told.answers]
    for message, answer in zip(emotions, told.answers):
        assert message.results[0].score == pytest.approx(answer.confidence, abs=1e-3)

    written = {}
    with AnyReader([tmp_path / 'out.mcap']) as reader:
        kinds = {c.topic: c.msgtype for c in reader.connections}
        for connection, recorded_ns, raw in reader.messages():
            written.setdefault(connection.topic, []).append((recorded_ns, raw))
        with AnyReader([bag]) as given:
            original = [(ns, bytes(raw)) for _, ns, raw in given.messages()]
        assert [(ns, bytes(raw)) for ns, raw in written.pop('/image')] == original
        assert kinds == {
            '/image': 'sensor_msgs/msg/Image',
            '/blendshapes': 'vision_msgs/msg/Classification',
            '/emotion': 'vision_msgs/msg/Classification',
            '/humans/faces/tracked': 'hri_msgs/msg/IdsList',
            f'/humans/faces/{told.answers[0].face_id}/expression': 'hri_msgs/msg/Expression',
        }
    (expression_topic,) = (topic for topic in written if topic.endswith('/expression'))
    assert len(written[expression_topic]) == len(emotions)
    # The listener may have found the topic only after its first message.
    missed = len(emotions) - len(heard[expression_topic])
    assert missed in (0, 1)
    del written[expression_topic][:missed]
    assert heard.keys() == written.keys()
    for topic, messages in heard.items():
        assert len(messages) == len(written[topic])
        for message, (recorded_ns, raw) in zip(messages, written[topic]):
            assert nanoseconds(message.header.stamp) == recorded_ns
            assert_alike(serialize_message(message), bytes(raw), kinds[topic])


def assert_alike(one, other, kind):
    """Compare messages field by field; numbers may differ where arithmetic did."""
    store = published_types()
    compare(store.deserialize_cdr(one, kind), store.deserialize_cdr(other, kind))


def compare(one, other):
    if hasattr(one, '__dataclass_fields__'):
        assert type(one) is type(other)
        for name in one.__dataclass_fields__:
            compare(getattr(one, name), getattr(other, name))
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            compare(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-3)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('kind', DEFINITIONS)
def test_definitions_have_the_published_hashes(kind):
    assert published_types().hash_rihs01(kind) == f'RIHS01_{PUBLISHED[kind]}'


def test_expressions_words_are_the_published_ones():
    definition, _ = published_types().generate_msgdef('hri_msgs/msg/Expression', ros_version=2)
    for word in ('HAPPY=happy', 'SCARED=scared', 'EXCITED=excited'):
        assert f'string {word}' in definition.replace(' = ', '=')
    words = {name for name in dir(Expression) if name.isupper()} - {'SLOT_TYPES'}
    assert words == {
        word.partition('=')[0].split()[1]
        for word in DEFINITIONS['hri_msgs/msg/Expression'].splitlines()
        if '=' in word
    }
