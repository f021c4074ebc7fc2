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

"""What `play` puts onto topics: the bag's messages, their stamps kept or moved."""

import os
import subprocess
import sys

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from helpers.bags import ROS1, ROS2, START_NS, raw_image, text, write_bag, write_ros1_bag
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

from emotion_estimator.extras.bag_player import BagPlayer, shifted
from emotion_estimator.messages.incoming import nanoseconds
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

PICTURE = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)


def messages(store):
    return [
        ('/image', START_NS, raw_image(store, PICTURE, START_NS)),
        ('/chatter', START_NS + 1, text(store, 'hello')),
        ('/image', START_NS + NS_PER_S // 2, raw_image(store, PICTURE, START_NS + 7)),
    ]


@pytest.fixture
def bag(tmp_path):
    """Record a camera and some words."""
    return write_bag(tmp_path / 'bag', messages(ROS2))


@pytest.mark.parametrize('ros1', [False, True])
def test_messages_come_as_they_were_recorded(tmp_path, live, bag, ros1):
    path = write_ros1_bag(tmp_path / 'robot.bag', messages(ROS1)) if ros1 else bag
    images, words = live.listen(Image, '/image'), live.listen(String, '/chatter')
    player = BagPlayer(path, context=live.context)
    assert player.topics == ('/chatter', '/image')
    live.until(lambda: player.count_subscribers('/image') == 1, 'the image listener')
    live.until(lambda: player.count_subscribers('/chatter') == 1, 'the words listener')
    due = list(player.messages())
    assert [message.recorded_ns - START_NS for message in due] == [0, 1, NS_PER_S // 2]
    for message in due:
        message.publish(0)
    live.until(lambda: len(images) == 2 and words, 'the messages')
    assert [nanoseconds(image.header.stamp) for image in images] == [START_NS, START_NS + 7]
    assert images[0].header.frame_id == 'camera'
    assert bytes(images[0].data) == PICTURE.tobytes()
    assert words[0].data == 'hello'
    player.close()
    player.destroy_node()


def test_types_that_are_not_installed_are_left_out(tmp_path, live, bag):
    path = tmp_path / 'custom'
    store = ROS2.__class__()
    store.register({**ROS2.fielddefs, **get_types_from_msg('int32 x\n', 'no_such/msg/Thing')})
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/thing', 'no_such/msg/Thing', typestore=store)
        writer.write(connection, 1, b'\0\1\0\0\1\0\0\0')
    with pytest.raises(
        RecordingError, match=r'nothing to play; there: /thing \(no_such/msg/Thing, 1'
    ):
        BagPlayer(path, context=live.context)
    player = BagPlayer(bag, topics=['/chatter'], context=live.context)
    assert player.topics == ('/chatter',)
    player.close()
    player.destroy_node()


@pytest.mark.parametrize('shift_ns', [1, -NS_PER_S - 1, 10**17])
def test_stamps_move_and_nothing_else(shift_ns):
    header = Header(stamp=ROS.time(START_NS), frame_id='camera')
    image = Image(header=header, height=1, width=2, data=b'123456')
    moved = deserialize_message(shifted(serialize_message(image), Image, shift_ns), Image)
    assert nanoseconds(moved.header.stamp) == START_NS + shift_ns
    moved.header.stamp = image.header.stamp
    assert moved == image
    transforms = TFMessage(transforms=[TransformStamped(header=header), TransformStamped()])
    raw = shifted(serialize_message(transforms), TFMessage, shift_ns)
    first, second = deserialize_message(raw, TFMessage).transforms
    assert nanoseconds(first.header.stamp) == START_NS + shift_ns
    assert nanoseconds(second.header.stamp) == 0
    words = serialize_message(String(data='hello'))
    assert shifted(words, String, shift_ns) == words
    unstamped = serialize_message(Image(data=b'123456'))
    assert shifted(unstamped, Image, shift_ns) == unstamped


def test_the_command_plays_again_and_again_with_moved_stamps_and_a_clock(live, bag):
    images, clocks = live.listen(Image, '/seen'), live.listen(Clock, '/clock')
    before_ns = live.tester.get_clock().now().nanoseconds
    command = [sys.executable, '-m', 'emotion_estimator.extras.play', str(bag)]
    options = ['--stamps', 'now', '--rate', '4', '--loop', '--clock', '--delay', '0']
    remap = ['--ros-args', '-r', '/image:=/seen']
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)}
    process = subprocess.Popen([*command, *options, *remap], env=environment)
    try:
        live.until(lambda: len(images) >= 4 and clocks, 'two rounds', timeout_s=60)
    finally:
        process.send_signal(2)
        assert process.wait(20) == 0
    stamps_ns = [nanoseconds(image.header.stamp) for image in images]
    assert stamps_ns[0] > before_ns
    times_ns = [nanoseconds(clock.clock) for clock in clocks]
    assert min(times_ns) > before_ns


def test_a_bag_that_cannot_be_read_is_told(tmp_path):
    command = [sys.executable, '-m', 'emotion_estimator.extras.play', str(tmp_path / 'none.mcap')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'none.mcap cannot be read' in done.stderr
    assert 'Traceback' not in done.stderr
