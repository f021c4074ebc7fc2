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

"""What is played onto topics: a bag's messages, their stamps kept or moved."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from helpers.bags import ROS1, ROS2, START_NS, raw_image, text, write_bag, write_ros1_bag
from hri_msgs.msg import IdsList
from rcl_interfaces.msg import Log
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage

from emotion_estimator.extras.play import BagPlayer, shifted
from emotion_estimator.messages import IDS_LIST, ROS, bag_types, nanoseconds
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


@pytest.mark.parametrize('ros1', [False, True])
def test_names_and_second_types_that_ros_2_cannot_have_are_left_out(tmp_path, live, capfd, ros1):
    store = ROS1 if ros1 else ROS2
    told = [
        ('/chatter', START_NS, text(store, 'hello')),
        ('/chatter', START_NS + 1, store.types['std_msgs/msg/Int32'](3)),
        ('/robot/0/chatter', START_NS + 2, text(store, 'hello')),
    ]
    path = (write_ros1_bag if ros1 else write_bag)(tmp_path / 'robot.bag', told)
    player = BagPlayer(path, context=live.context)
    assert player.topics == ('/chatter',)
    assert [due.recorded_ns for due in player.messages()] == [START_NS]
    said = capfd.readouterr().err
    assert (
        '/robot/0/chatter is left out: ROS 2 has no topic of that name (topic name token must not '
        'start with a number); `replay` reads it all the same.'
    ) in said
    assert (
        'std_msgs/msg/Int32 on /chatter is left out: a topic of ROS 2 has one type, and another '
        'on it is played.'
    ) in said
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
    log = serialize_message(Log(stamp=ROS.time(START_NS), msg='hello'))
    moved_log = deserialize_message(shifted(log, Log, shift_ns), Log)
    assert (nanoseconds(moved_log.stamp), moved_log.msg) == (START_NS + shift_ns, 'hello')
    words = serialize_message(String(data='hello'))
    assert shifted(words, String, shift_ns) == words
    # Beyond the last second that a stamp can hold.
    raw = serialize_message(image)
    assert shifted(raw, Image, 2**62) == raw
    unstamped = serialize_message(Image(data=b'123456'))
    assert shifted(unstamped, Image, shift_ns) == unstamped


def playing(path, *options, domain_id):
    command = [sys.executable, '-m', 'emotion_estimator.extras.play', str(path), *options]
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain_id)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_the_command_plays_again_and_again_with_moved_stamps_and_a_clock(live, bag):
    images, clocks = live.listen(Image, '/seen'), live.listen(Clock, '/clock')
    before_ns = live.tester.get_clock().now().nanoseconds
    options = ['--stamps', 'now', '--rate', '4', '--loop', '--clock', '--delay', '0']
    remap = ['--ros-args', '-r', '/image:=/seen']
    process = playing(bag, *options, *remap, domain_id=live.domain_id)
    try:
        live.until(lambda: len(images) >= 4 and clocks, 'two rounds', timeout_s=60)
    finally:
        process.send_signal(2)
        assert process.wait(20) == 0
    stamps_ns = [nanoseconds(image.header.stamp) for image in images]
    assert stamps_ns[0] > before_ns
    times_ns = [nanoseconds(clock.clock) for clock in clocks]
    assert min(times_ns) > before_ns


@pytest.mark.parametrize('loop', [False, True])
def test_when_playing_ends_no_face_is_listed_any_more(tmp_path, live, loop):
    # Long enough for a listener that is found late on a busy machine.
    stamps_ns = [START_NS + number * NS_PER_S // 2 for number in range(20)]
    path, store = tmp_path / 'faces', bag_types()
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/humans/faces/tracked', IDS_LIST, typestore=store)
        for stamp_ns in stamps_ns:
            listed = ROS.tracked(['abc'], ROS.header(stamp_ns, 'camera'))
            writer.write(connection, stamp_ns, serialize_message(listed))
    lists = live.listen(IdsList, '/humans/faces/tracked')
    process = playing(path, '--delay', '2', *['--loop'] * loop, domain_id=live.domain_id)
    live.until(lambda: lists and lists[0].ids == ['abc'], 'the list', timeout_s=60)
    if loop:
        process.send_signal(2)
    live.until(lambda: process.poll() is not None, 'the end')
    assert process.returncode == 0
    live.until(lambda: not lists[-1].ids, 'the empty list')
    # Its time is that of the last list before it.
    assert lists[-1].header == lists[-2].header


def played(path, *options, domain_id=0):
    """Play a bag by the command: exit status, what it said, seconds."""
    start_s = time.monotonic()
    process = playing(path, '--delay', '0', *options, domain_id=domain_id)
    _, said = process.communicate()
    assert 'Traceback' not in said
    return process.returncode, said, time.monotonic() - start_s


def test_a_bag_that_cannot_be_read_is_reported(tmp_path, bag):
    status, said, _ = played(tmp_path / 'none.mcap')
    assert (status, said) == (1, f'{tmp_path / "none.mcap"} does not exist; check the path.\n')
    status, said, _ = played(bag, '--topics', 'image', '/nothing')
    assert status == 1
    assert 'nothing on /nothing to play; there: /chatter' in said


@pytest.mark.parametrize('number', ['nan', 'inf', '-1'])
@pytest.mark.parametrize(
    'option, wanted', [('--delay', 'a number of 0 or more'), ('--rate', 'a number above 0')]
)
def test_a_number_that_cannot_be_meant_is_refused(bag, option, wanted, number):
    status, said, _ = played(bag, option, number)
    assert status == 2
    assert f'{option} must be {wanted}, not {number}.' in said


@pytest.mark.parametrize(
    'variables, why',
    [
        ({'ROS_LOG_DIR': '/dev/null/log'}, ' /dev/null/log: Not a directory'),
        ({}, ': HOME, below which it belongs, is not set'),
    ],
)
def test_a_log_that_cannot_be_written_is_reported(bag, variables, why):
    others = {k: v for k, v in os.environ.items() if k not in ('HOME', 'ROS_HOME', 'ROS_LOG_DIR')}
    done = subprocess.run(
        [sys.executable, '-m', 'emotion_estimator.extras.play', str(bag)],
        env=others | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    # Some versions of ROS write notes of their own before it.
    assert done.stderr.endswith(
        f'ROS cannot write its log{why}. Let ROS_LOG_DIR name a folder that can be written.\n'
    )
    assert 'Traceback' not in done.stderr


def test_what_is_whole_is_played_and_what_is_missing_reported(live, bag):
    file = bag / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-200])
    status, said, _ = played(file, domain_id=live.domain_id)
    assert status == 1
    assert '3 messages over 0.5 s are whole' in said


def test_the_last_message_arrives_however_large(tmp_path, live):
    picture = np.zeros((2000, 3000, 3), np.uint8)
    stamps_ns = [START_NS + number for number in range(8)]
    images = [('/image', ns, raw_image(ROS2, picture, ns)) for ns in stamps_ns]
    path = write_bag(tmp_path / 'large', images)
    seen = live.listen(Image, '/image', 100)
    process = playing(path, '--delay', '5', domain_id=live.domain_id)
    live.until(lambda: process.poll() is not None, 'the end', timeout_s=60)
    live.until(lambda: seen and nanoseconds(seen[-1].header.stamp) == stamps_ns[-1], 'the last')


def test_a_clock_in_the_bag_is_the_only_one(tmp_path, live):
    path, kind = tmp_path / 'simulated', 'rosgraph_msgs/msg/Clock'
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/clock', kind, typestore=ROS2)
        for number in range(3):
            told = serialize_message(Clock(clock=ROS.time(number * NS_PER_S)))
            writer.write(connection, START_NS + number * NS_PER_S // 10, told)
    clocks = live.listen(Clock, '/clock', 100)
    process = playing(path, '--clock', '--loop', domain_id=live.domain_id)
    try:
        live.until(lambda: len(clocks) >= 6, 'two rounds', timeout_s=60)
    finally:
        process.send_signal(2)
        _, said = process.communicate()
    times_ns = [nanoseconds(clock.clock) for clock in clocks]
    assert times_ns == [(times_ns[0] // NS_PER_S + i) % 3 * NS_PER_S for i in range(len(clocks))]
    assert said == 'The bag holds a /clock, which is played; --clock adds none.\n'


def test_a_damaged_list_of_faces_costs_itself_alone(tmp_path, live):
    whole = serialize_message(ROS.tracked(['abc'], ROS.header(START_NS, 'camera')))
    path = tmp_path / 'damaged'
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            '/humans/faces/tracked', IDS_LIST, typestore=bag_types()
        )
        writer.write(connection, START_NS, whole)
        writer.write(connection, START_NS + 1, whole[:14])
    status, said, _ = played(path, domain_id=live.domain_id)
    assert (status, said.splitlines()[-1]) == (1, '1 messages could not be published.')
    assert 'Traceback' not in said


@pytest.mark.parametrize('ended, waited_for', [(False, 2), (True, 1)])
def test_who_breaks_off_waits_for_the_lists_of_faces_alone(
    tmp_path, live, monkeypatch, ended, waited_for
):
    path, header = tmp_path / 'faces', ROS.header(START_NS, 'camera')
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind, message in [
            ('/chatter', 'std_msgs/msg/String', String(data='hello')),
            ('/humans/faces/tracked', IDS_LIST, ROS.tracked(['abc'], header)),
        ]:
            connection = writer.add_connection(topic, kind, typestore=bag_types())
            writer.write(connection, START_NS, serialize_message(message))
    waits = []
    monkeypatch.setattr(
        'rclpy.publisher.Publisher.wait_for_all_acked',
        lambda publisher, timeout: waits.append(publisher.topic_name),
    )
    player = BagPlayer(path, context=live.context)
    for message in player.messages():
        message.publish(0)
    player.finish(lambda: ended)
    assert waits == ['/chatter', '/humans/faces/tracked'][-waited_for:]
    player.close()
    player.destroy_node()


@pytest.mark.timeout(60)
@pytest.mark.parametrize('loop', [(), ('--loop',)])
def test_a_bag_of_damaged_messages_alone_is_not_played_for_ever(tmp_path, live, loop):
    path = tmp_path / 'damaged'
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.write(
            writer.add_connection('/chatter', 'std_msgs/msg/String', typestore=ROS2), 1, b'\5'
        )
    status, said, _ = played(path, *loop, domain_id=live.domain_id)
    assert (status, said.splitlines()[-1]) == (
        1,
        '1 messages are damaged, and were not published.',
    )


@pytest.mark.parametrize('received_ns', [(0, 0, 0), (0, 0, START_NS), (1, START_NS, 2**62)])
def test_receive_times_that_cannot_be_right_neither_hurry_nor_wait(tmp_path, live, received_ns):
    stamps_ns = [START_NS, START_NS + NS_PER_S // 2, START_NS + NS_PER_S]
    images = [raw_image(ROS2, PICTURE, ns) for ns in stamps_ns]
    path = write_bag(tmp_path / 'bag', [('/image', *one) for one in zip(received_ns, images)])
    player = BagPlayer(path, context=live.context)
    assert [due.recorded_ns for due in player.messages()] == stamps_ns
    assert 'cannot be right' in player.hints[0]
    player.close()
    player.destroy_node()
    status, said, lasted_s = played(path, '--stamps', 'now', '--clock', domain_id=live.domain_id)
    assert (status, 'cannot be right' in said) == (0, True)
    assert 1 < lasted_s < 100


def test_another_clock_in_the_bag_is_not_waited_for(tmp_path, live):
    images = [raw_image(ROS2, PICTURE, ns) for ns in (START_NS, START_NS + 1)]
    received_ns = (START_NS, START_NS + 50 * 24 * 3600 * NS_PER_S)
    path = write_bag(tmp_path / 'bag', [('/image', *one) for one in zip(received_ns, images)])
    status, said, lasted_s = played(path, domain_id=live.domain_id)
    assert status == 0
    assert 'leap by 4320000 s' in said
    assert lasted_s < 100


@pytest.mark.parametrize('packed', ['message', 'file'])
def test_messages_are_unpacked_before_they_are_sent(tmp_path, live, packed):
    path = write_bag(tmp_path / 'bag', messages(ROS2), packed=packed)
    (file,) = path.glob('*.mcap*')
    player = BagPlayer(file, topics=['image'], context=live.context)
    images = live.listen(Image, '/image')
    live.until(lambda: player.count_subscribers('/image') == 1, 'the listener')
    for due in player.messages():
        due.publish(0)
    live.until(lambda: len(images) == 2, 'the images')
    assert [bytes(image.data) for image in images] == [PICTURE.tobytes()] * 2
    player.close()
    player.destroy_node()
