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

"""Why nothing arrives, or little, at real nodes: what is said in /diagnostics and in the log."""

import itertools
import math
import os
import subprocess
import sys
import threading
import time

import cv2
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from helpers.faces import SMILING, frames
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from nodes.test_blendshape_node import FRAME_NS, run_node, send, warnings_of
from rclpy.qos import qos_profile_sensor_data
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.nodes.graph import node_of
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))


@pytest.mark.parametrize(
    ('name', 'namespace', 'told'),
    [
        ('camera', '/', '/camera'),
        ('camera', '/left', '/left/camera'),
        # As the graph has it where an endpoint is met before its node.
        ('_NODE_NAME_UNKNOWN_', '_NODE_NAMESPACE_UNKNOWN_', ''),
    ],
)
def test_a_node_is_named_once_the_graph_has_told_its_name(name, namespace, told):
    assert node_of(TopicEndpointInfo(node_name=name, node_namespace=namespace)) == told


def test_without_a_camera_diagnostics_name_the_topic_and_others_like_it(live, landmarker_path):
    live.publisher(Image, '/front/image_raw')
    live.add(BlendshapeNode, landmarker=str(landmarker_path), remap=['image:=/wrong/name'])
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.until(lambda: warnings_of(messages), 'a warning')
    assert '/wrong/name' in warnings_of(messages)[0]
    assert 'nobody publishes it' in warnings_of(messages)[0]
    # The node's own pictures are no camera's.
    assert warnings_of(messages)[0].endswith(': /front/image_raw.')


# Offers a topic of a type, and publishes nothing, until its input ends.
DRIVER = """
import importlib
import sys

import rclpy

module, kind, topic = sys.argv[1:]
rclpy.init()
node = rclpy.create_node('driver')
publisher = node.create_publisher(getattr(importlib.import_module(module), kind), topic, 10)
sys.stdin.read()
"""


@pytest.fixture
def start_driver(live):
    """
    Start a node in a process of its own, and meet it.

    One context cannot have two types of a topic, and two contexts of one process were once seen
    not to meet within 20 s.
    """
    drivers = []

    def start(kind, topic):
        drivers.append(
            subprocess.Popen(
                [sys.executable, '-c', DRIVER, kind.__module__, kind.__name__, topic],
                stdin=subprocess.PIPE,
                env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
            )
        )
        live.until(lambda: live.tester.count_publishers(topic), 'the driver')

    yield start
    for driver in drivers:
        driver.communicate(timeout=20)
        assert driver.returncode == 0


RAW, COMPRESSED = '/c/image', '/c/image/compressed'


@pytest.mark.parametrize(
    'kind, sent, given, asked, first',
    [
        (CompressedImage, COMPRESSED, RAW, 'raw', 'nobody publishes it.'),
        (CompressedImage, COMPRESSED, COMPRESSED, 'raw', '/driver publishes sensor_msgs/msg/Comp'),
        (CompressedImage, COMPRESSED, COMPRESSED, 'compressed', 'nobody publishes it.'),
        (Image, RAW, RAW, 'compressed', 'nobody publishes it.'),
    ],
)
def test_images_that_are_there_raw_or_compressed_but_not_so_are_named(
    live, landmarker_path, start_driver, kind, sent, given, asked, first
):
    """As the launch file remaps `image` and `image/compressed` to the camera that is given."""
    start_driver(kind, sent)
    live.add(
        BlendshapeNode,
        landmarker=str(landmarker_path),
        image_transport=asked,
        remap=[f'image:={given}', f'image/compressed:={given}/compressed'],
    )
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.until(lambda: warnings_of(messages), 'a warning')
    there, name = ('raw', 'image') if sent == RAW else ('compressed', 'image/compressed')
    assert f's: {first}' in warnings_of(messages)[0]
    assert warnings_of(messages)[0].endswith(
        f'{sent} carries sensor_msgs/msg/{kind.__name__}: launch with camera:={RAW} '
        f'image_transport:={there}, or set image_transport of blendshape_node to {there} and '
        f'remap {name} to {sent}.'
    )


def test_topics_that_nobody_publishes_are_not_offered(live, landmarker_path):
    live.publisher(Image, '/front/image_raw')
    live.listen(Image, '/rear/image_raw')
    live.add(BlendshapeNode, landmarker=str(landmarker_path))
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.until(lambda: warnings_of(messages), 'a warning')
    assert warnings_of(messages)[0].endswith('sensor_msgs/msg/Image: /front/image_raw.')


def test_a_camera_whose_qos_does_not_fit_is_named(live, landmarker_path):
    node = live.add(
        BlendshapeNode,
        landmarker=str(landmarker_path),
        **{'qos_overrides./image.subscription.reliability': 'reliable'},
    )
    live.publisher(Image, '/image', qos_profile_sensor_data)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.until(lambda: warnings_of(messages), 'a warning')
    assert 'the QoS of /tester does not fit' in warnings_of(messages)[0]
    assert node.statistics.report().received == 0


def test_a_camera_that_stops_is_reported_and_may_go_on(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    camera = live.camera()
    send(live, node, camera, image_message(face, START_NS), 1)
    live.until(lambda: warnings_of(messages), 'a warning')
    assert '/tester is there but sends nothing' in warnings_of(messages)[-1]
    send(live, node, camera, image_message(face, START_NS + FRAME_NS), 2)
    messages.clear()
    send(live, node, camera, image_message(face, START_NS + 2 * FRAME_NS), 3)
    live.until(lambda: messages, 'diagnostics')
    assert messages[0].status[0].level == b'\x00'


def test_a_listed_face_whose_pictures_stop_is_reported_and_may_go_on(live, landmarker_path, face):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(tracked.get_subscription_count, 'the list subscription')
    tracked.publish(IdsList(ids=['bob']))
    pictures = live.publisher(Image, '/humans/faces/bob/cropped')
    live.until(pictures.get_subscription_count, 'the picture subscription')
    for i in range(4):
        pictures.publish(image_message(face, START_NS + i * NS_PER_S))
    live.until(lambda: node.statistics.report().received == 4, 'the pictures')
    messages.clear()
    live.until(lambda: warnings_of(messages), 'a warning')
    # Three times what is usual between its pictures.
    start = 'Nothing arrived on /humans/faces/bob/cropped for 3 s: /tester is there but sends'
    assert warnings_of(messages)[0].startswith(start)
    pictures.publish(image_message(face, START_NS + 5 * NS_PER_S))
    live.until(lambda: node.statistics.report().received == 5, 'the picture')
    live.until(lambda: messages[-1].status[0].level == b'\x00', 'diagnostics without a warning')


def test_a_slow_camera_is_not_called_silent_between_its_images(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path)
    camera = live.camera()
    assert node.input_timeout_s == 2.0
    timeouts = []
    for i in range(5):
        send(live, node, camera, image_message(face, START_NS + i * 2_400_000_000), i + 1)
        timeouts.append(node.input_timeout_s)
    assert timeouts == [5.0, 5.0, 5.0, pytest.approx(7.2), pytest.approx(7.2)]


def test_a_camera_most_of_whose_images_are_lost_is_not_called_silent_or_slow(
    live, landmarker_path, face, capfd
):
    """Of twelve images at 24 Hz, the last alone waits for a node that was busy elsewhere."""
    depth = {'qos_overrides./image.subscription.depth': 1}
    node, _ = run_node(live, landmarker_path, **depth)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    camera = live.camera()
    for i in range(12 * 11):
        camera.publish(image_message(face, START_NS + i * NS_PER_S // 24))
        if i % 12 == 11:
            live.until(lambda n=i // 12: node.statistics.report().received > n, 'an image')
            assert node.problems() == []
    report = node.statistics.report()
    assert report.lost >= 11 * 9
    lost = f'{report.lost_share:.0%} of the messages on /image do not arrive: they are lost'
    live.until(lambda: any(lost in said for said in warnings_of(messages)), 'the warning')
    live.spin(node.input_timeout_s + 1.5)
    status = warnings_of(messages)[-1]
    assert status.startswith(lost)
    assert 'Images come' not in status
    said = capfd.readouterr().err
    assert said.count(lost) == 1
    assert 'sends nothing' not in said + status


def test_images_that_come_while_nobody_can_publish_are_skipped_and_counted(
    live, landmarker_path, media, monkeypatch
):
    may_publish, publish = threading.Event(), BlendshapeNode._publish
    monkeypatch.setattr(
        BlendshapeNode, '_publish', lambda *a: may_publish.wait(10) and publish(*a)
    )
    node, found = run_node(live, landmarker_path)
    camera, report = live.camera(), node.statistics.report
    live.until(lambda: node._source, 'its start')
    look, looked_at = node._source.look, []
    monkeypatch.setattr(
        node._source, 'look', lambda *a: looked_at.append(look(*a)) or looked_at[-1]
    )
    for i, picture in enumerate(frames(media('single_face.mp4'), 12)[0], start=1):
        camera.publish(image_message(picture, START_NS + i * FRAME_NS))
        live.until(lambda n=i: report().received == n, 'the image')
        live.until(lambda n=i: len(looked_at) >= min(n, 2), 'the look at it')
    # One is being published, another one was looked at, the newest one waits.
    assert (len(looked_at), report().skipped) == (2, 9)
    may_publish.set()
    live.until(lambda: len(found) == 3 == report().published, 'the rest')
    stamps_ns = [nanoseconds(message.header.stamp) for message in found]
    assert stamps_ns == [START_NS + i * FRAME_NS for i in (1, 2, 12)]


def test_a_second_camera_that_is_left_out_is_no_silence(live, landmarker_path, face, capfd):
    """The first stops, and until the second takes its place nothing but that is said of it."""
    node, found = run_node(live, landmarker_path)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    camera = live.camera()
    for i in range(6):
        send(live, node, camera, image_message(face, START_NS + i * FRAME_NS), i + 1)
    begun_s = time.monotonic()
    while len(found) < 7 and (passed_s := time.monotonic() - begun_s) < 10:
        stamp = ROS.time(START_NS + NS_PER_S + int(passed_s * NS_PER_S))
        header = Header(stamp=stamp, frame_id='second')
        camera.publish(image_message(face, START_NS, header=header))
        live.spin(0.1)
    assert time.monotonic() - begun_s > 5
    said = capfd.readouterr().err + ' '.join(warnings_of(messages))
    assert 'Nothing arrived' not in said
    of_both = [text for text in warnings_of(messages) if 'images of several frames' in text]
    assert len(of_both) >= 4


def test_cameras_that_have_gone_are_named_no_more(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path)
    camera = live.camera()
    send(live, node, camera, image_message(face, START_NS), 1)
    header = Header(stamp=ROS.time(START_NS + 1), frame_id='second')
    camera.publish(image_message(face, START_NS, header=header))
    live.until(lambda: node.statistics.report().of_others == 1, 'the other image')
    assert 'frames (camera, second)' in node.alarms()['senders']
    live.tester.destroy_publisher(camera)
    live.until(lambda: not node.count_publishers('/image'), 'the end of the camera')
    assert node.alarms()['senders'] == ''


TRACKED = '/humans/faces/tracked'


@pytest.mark.parametrize(
    'remap, name', [(['__ns:=/robot2'], '/robot2/blendshape_node'), ([], '/blendshape_node')]
)
def test_two_nodes_that_list_faces_name_each_other_once(live, landmarker_path, capfd, remap, name):
    mine, other = (
        live.add(BlendshapeNode, landmarker=str(landmarker_path), remap=rules)
        for rules in ([], remap)
    )
    messages = live.listen(DiagnosticArray, '/diagnostics')
    said = (
        f'{TRACKED} is published by {name} too, and each list takes the faces of the other away: '
        'set ros4hri to false there, or ros4hri_input to true here to read its faces.'
    )
    live.until(lambda: mine.alarms()['rivals'] == said, 'the warning')
    live.until(lambda: sum(said in text for text in warnings_of(messages)) >= 2, 'two of them')
    assert capfd.readouterr().err.count(f': {TRACKED} is published by') == 2
    other.trigger_deactivate()
    other.trigger_cleanup()
    live.until(lambda: not mine.alarms()['rivals'], 'the end of the warning')


def test_another_detector_is_a_rival_and_two_of_them_are_where_its_faces_are_read(
    live, landmarker_path, start_driver
):
    start_driver(IdsList, TRACKED)
    owner = live.add(BlendshapeNode, landmarker=str(landmarker_path))
    live.until(lambda: f'{TRACKED} is published by /driver too' in owner.alarms()['rivals'], 'it')
    assert owner.alarms()['senders'] == ''
    reader = live.add(
        BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True, remap=['__ns:=/r']
    )
    said = f'{TRACKED} has 2 publishers (/blendshape_node, /driver): leave one of them.'
    live.until(lambda: reader.alarms()['senders'] == said, 'both')
    assert reader.alarms()['rivals'] == ''
    owner.trigger_deactivate()
    owner.trigger_cleanup()
    live.until(lambda: not reader.alarms()['senders'], 'the end of one')


def test_a_node_that_does_not_list_faces_has_no_rival(live, landmarker_path, start_driver):
    start_driver(IdsList, TRACKED)
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri=False)
    live.until(lambda: node.count_publishers(TRACKED), 'the other one')
    assert node.alarms()['rivals'] == ''


def test_who_sends_blendshapes_is_counted_on_the_topic_that_is_read(live):
    node = live.add(EmotionNode, remap=['blendshapes:=/robot1/blendshapes'])
    live.publisher(Classification, '/robot1/blendshapes')
    live.until(lambda: node.facts()['publishers'] == 1, 'the sender')


def test_without_a_clock_no_latency_is_told_and_both_nodes_say_why_once(
    live, landmarker_path, face, capfd
):
    run_node(live, landmarker_path, use_sim_time=True)
    live.add(EmotionNode, use_sim_time=True)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.listen(Image, '/annotated_image')
    live.listen(Classification, '/emotion')
    camera = live.camera()
    stamps_ns = itertools.count(START_NS, FRAME_NS)

    def latencies_s():
        values = [value for message in messages for value in message.status[0].values]
        told = {float(value.value) for value in values if value.key.startswith('latency')}
        return {latency_s for latency_s in told if not math.isnan(latency_s)}

    def show():
        camera.publish(image_message(face, next(stamps_ns)))
        live.spin(0.05)
        return {m.status[0].name for m in messages if said in m.status[0].message}

    said = 'use_sim_time is true, but nobody publishes /clock: no latency is known. Play the bag'
    live.until(lambda: len(show()) == 2, 'the warnings')
    live.until(lambda: show() and live.received['/emotion'], 'an answer')
    assert latencies_s() == set()
    # The picture does not wait for time to pass either.
    live.until(lambda: live.tester.count_subscribers('/emotion') == 2, 'who draws')
    clock = live.publisher(Clock, '/clock')

    def tell_time():
        clock.publish(Clock(clock=ROS.time(START_NS + 1000 * NS_PER_S)))
        show()
        return latencies_s()

    live.until(tell_time, 'latencies')
    assert min(latencies_s()) > 900 and max(latencies_s()) < 1000
    messages.clear()
    live.until(lambda: tell_time() and len(messages) >= 2, 'the status of both')
    assert show() == set()
    assert capfd.readouterr().err.count(said) == 2
