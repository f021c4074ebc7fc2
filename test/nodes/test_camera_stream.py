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

"""Late and odd stamps, several cameras, slow ones, silence and wrong images, at real nodes."""

import itertools
import struct
import threading

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from helpers.faces import SMILING, yuv_rows
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from nodes.test_blendshape_node import FRAME_NS, run_node, send, warnings_of
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.sources import FACELESS_IMAGES
from emotion_estimator.nodes.spin import LatestOfEach
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))


@pytest.fixture
def drivers(live):
    """Make camera drivers, each a node of its own; returns their publishers."""
    nodes = []

    def start(*names):
        nodes.extend(rclpy.create_node(name, context=live.context) for name in names)
        made = [n.create_publisher(Image, '/image', qos_profile_sensor_data) for n in nodes]
        live.until(lambda: all(p.get_subscription_count() for p in made), 'the subscription')
        return made

    yield start
    for node in nodes:
        node.destroy_node()


def shot(face, stamp_ns, frame_id='camera'):
    header = Header(stamp=ROS.time(stamp_ns), frame_id=frame_id)
    return image_message(face, stamp_ns, header=header)


def test_late_and_lone_images_are_left_out_and_counted(live, landmarker_path, face):
    """The fifth, tenth and 15th image are late; the 8th stands alone, and the 9th repeats it."""
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    wrong = {4: -FRAME_NS // 2, 9: -3 * FRAME_NS, 14: -NS_PER_S // 2, 7: 3600 * NS_PER_S}
    wrong[8] = wrong[7] - FRAME_NS
    right = []
    for i in range(18):
        if i not in wrong:
            right.append(START_NS + i * FRAME_NS)
            send(live, node, camera, image_message(face, right[-1]), len(right))
            continue
        camera.publish(image_message(face, START_NS + (i - 1) * FRAME_NS + wrong[i]))
        live.until(lambda i=i: node.statistics.report().received == i + 1, 'the wrong image')
    assert [nanoseconds(message.header.stamp) for message in found] == right
    assert len({message.header.frame_id for message in found}) == 1
    report = node.statistics.report()
    assert report.refused == len(wrong)
    assert 'came late, 0.500 s behind the newest one' in report.last_error


def test_a_camera_that_begins_again_gets_new_faces_and_loses_no_image(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    stamps_ns = [START_NS + i * FRAME_NS for i in range(6)]
    for i, stamp_ns in enumerate(stamps_ns):
        send(live, node, camera, image_message(face, stamp_ns), i + 1)
    again = [stamp_ns - NS_PER_S for stamp_ns in stamps_ns]
    # The first is held until the next one comes; both are looked at then.
    camera.publish(image_message(face, again[0]))
    live.until(lambda: node.statistics.report().received == 7, 'the first image of them')
    for stamp_ns in again[1:]:
        camera.publish(image_message(face, stamp_ns))
        live.until(lambda ns=stamp_ns: nanoseconds(found[-1].header.stamp) == ns, 'the next')
    ids = [message.header.frame_id for message in found]
    assert len(set(ids)) == 2
    assert ids.count(ids[-1]) == 6
    assert 'went back, 1.167 s behind the newest one' in node.statistics.report().last_error


def test_of_two_cameras_on_a_topic_the_first_is_looked_at_and_both_are_named(
    live, landmarker_path, face, drivers, capfd
):
    node, found = run_node(live, landmarker_path)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    left, right = drivers('left_driver', 'right_driver')
    for i in range(10):
        send(live, node, left, shot(face, START_NS + i * FRAME_NS, 'left'), i + 1)
        right.publish(shot(face, START_NS + i * FRAME_NS - 20_000_000, 'right'))
        live.until(lambda i=i: node.statistics.report().of_others == i + 1, 'the other image')
    live.until(lambda: warnings_of(messages), 'a warning')
    assert warnings_of(messages)[0] == (
        '/image has 2 publishers (left_driver, right_driver; frames left, right): remap one. '
        "Only images of the one that came first, frame 'left', are looked at."
    )
    assert [nanoseconds(m.header.stamp) for m in found] == [
        START_NS + i * FRAME_NS for i in range(10)
    ]
    assert node.statistics.report().refused == 0
    live.until(lambda: len(warnings_of(messages)) >= 2, 'the next diagnostics')
    assert capfd.readouterr().err.count('has 2 publishers') == 1


@pytest.mark.usefixtures('named_publishers')
def test_two_cameras_with_the_same_frame_are_kept_apart_too(live, landmarker_path, face, drivers):
    node, _ = run_node(live, landmarker_path)
    left, right = drivers('left_driver', 'right_driver')
    send(live, node, left, shot(face, START_NS), 1)
    right.publish(shot(face, START_NS + 1))
    live.until(lambda: node.statistics.report().of_others == 1, 'the other image')
    problem = node.alarms()['senders']
    assert '2 publishers (left_driver, right_driver; frames camera, camera)' in problem
    left.destroy()
    live.until(lambda: node.count_publishers('/image') == 1, 'the end of the first')
    problem = node.alarms()['senders']
    assert '2 publishers (one that has ended, right_driver; frames camera, camera)' in problem


def test_a_driver_that_is_started_again_is_followed_at_once(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path)
    for i in range(2):
        driver = rclpy.create_node('driver', context=live.context)
        camera = driver.create_publisher(Image, '/image', qos_profile_sensor_data)
        live.until(camera.get_subscription_count, 'the subscription')
        send(live, node, camera, shot(face, START_NS + i * FRAME_NS), i + 1)
        driver.destroy_node()
        live.until(lambda: not node.count_publishers('/image'), 'the end of the driver')
    assert node.statistics.report().of_others == 0
    assert len({message.header.frame_id for message in found}) == 1


def test_a_second_camera_takes_over_when_the_first_is_silent_for_long(
    live, landmarker_path, face, drivers
):
    node, found = run_node(live, landmarker_path)
    left, right = drivers('left_driver', 'right_driver')
    send(live, node, left, shot(face, START_NS, 'left'), 1)
    for i in range(6):
        right.publish(shot(face, START_NS + i * NS_PER_S, 'right'))
        live.until(lambda i=i: node.statistics.report().of_others == i + 1, 'the other image')
    send(live, node, right, shot(face, START_NS + 6 * NS_PER_S, 'right'), 2)
    assert found[0].header.frame_id != found[1].header.frame_id


def test_a_slow_camera_keeps_its_face_and_hears_what_to_set(live, landmarker_path, face):
    """As Pepper over a radio network: an image each 1.82 seconds."""
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    for i in range(8):
        send(live, node, camera, shot(face, START_NS + i * 1_820_000_000), i + 1)
    assert len({message.header.frame_id for message in found}) == 1
    (problem,) = node.problems()
    assert problem.startswith(
        'Images come 1.82 s apart, 0.55 a second: set max_absence_s of blendshape_node to 5.5 '
        '(now 1)'
    )


@pytest.mark.parametrize('max_absence_s', [5.5, 60.0])
def test_who_has_set_it_hears_nothing(live, landmarker_path, face, max_absence_s):
    node, _ = run_node(live, landmarker_path, max_absence_s=max_absence_s)
    camera = live.camera()
    for i in range(5):
        send(live, node, camera, shot(face, START_NS + i * 1_820_000_000), i + 1)
    assert node.problems() == []


def of_faces(live):
    topics = [name for name, _ in live.tester.get_topic_names_and_types()]
    return [
        t for t in topics if t.startswith('/humans/faces/') and live.tester.count_publishers(t)
    ]


def test_faces_are_listed_no_longer_when_the_camera_stops(live, landmarker_path, face):
    # Longer than a busy machine takes from one image to the next.
    node, _ = run_node(live, landmarker_path, max_absence_s=1.5)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    for i in range(5):
        send(live, node, camera, shot(face, START_NS + i * FRAME_NS), i + 1)
    live.until(lambda: len(tracked) == 5, 'the lists')
    (face_id,) = tracked[-1].ids
    live.until(lambda: len(tracked) == 6, 'the empty list')
    assert (tracked[-1].ids, tracked[-1].header.stamp) == ([], tracked[-2].header.stamp)
    live.until(lambda: of_faces(live) == ['/humans/faces/tracked'], 'the end of its topics')
    assert node.facts()['faces'] == 0
    live.spin(0.5)
    assert len(tracked) == 6
    # It goes on: the camera was silent, so that nobody was seen to leave.
    send(live, node, camera, shot(face, START_NS + 3 * NS_PER_S), 6)
    send(live, node, camera, shot(face, START_NS + 3 * NS_PER_S + FRAME_NS), 7)
    live.until(lambda: len(tracked) == 8, 'the lists')
    assert [list(message.ids) for message in tracked[6:]] == [[face_id]] * 2


def test_a_slow_camera_s_face_is_listed_from_one_image_to_the_next(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path, max_absence_s=0.1)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    for i in range(4):
        send(live, node, camera, shot(face, START_NS + i * NS_PER_S), i + 1)
    live.until(lambda: len([m for m in tracked if m.ids]) == 4, 'the lists')
    count = len(tracked)
    live.spin(1.0)
    assert len(tracked) == count
    assert tracked[-1].ids


# Only the latest item of each sender is handed over.


def test_an_item_that_nobody_took_is_replaced():
    latest = LatestOfEach()
    assert latest.put('a', 1) == 0
    assert latest.put('a', 2) == 1
    assert latest.take() == ('a', 2)
    assert latest.put('a', 3, 4) == 0
    assert [latest.take(), latest.take()] == [('a', 3), ('a', 4)]
    assert latest.put('a', 5, 6) == 0
    assert latest.put('a', 7) == 2
    assert latest.take() == ('a', 7)


def test_taking_waits_for_an_item_and_ends_when_closed():
    latest = LatestOfEach()
    taken = []

    def take_all():
        while (item := latest.take()) is not None:
            taken.append(item)
            got.set()

    got = threading.Event()
    thread = threading.Thread(target=take_all)
    thread.start()
    latest.put('camera', 'a')
    assert got.wait(5)
    latest.close()
    thread.join(5)
    assert not thread.is_alive()
    assert taken == [('camera', 'a')]


def test_a_sender_waits_for_the_others_but_not_for_their_newer_items():
    latest = LatestOfEach()
    for item, sender in enumerate('abacb'):
        latest.put(sender, item)
    latest.drop('c')
    latest.drop('nobody')
    assert [latest.take(), latest.take()] == [('a', 2), ('b', 4)]
    assert latest.put('a', 5) == 0


# Images that are wrong, deep, damaged or huge.


@pytest.fixture
def large_face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))


@pytest.mark.parametrize(
    'fields, sentence',
    [
        ({'step': 7, 'data': b'short'}, 'step is 7 bytes'),
        ({'data': b'short'}, 'data holds 5 bytes'),
        ({'height': 0, 'width': 0, 'data': b''}, 'empty'),
        ({'height': 1, 'width': 40_000, 'step': 120_000}, 'at most 32766 a side'),
        ({'encoding': '32FC1'}, 'carries distances'),
        ({'encoding': 'rainbow'}, "'rainbow' is not known"),
        ({'encoding': 'BGR8'}, "'bgr8' is"),
        ({'header': Header(frame_id='camera')}, 'stamp is zero'),
    ],
)
def test_a_wrong_image_costs_one_counted_warning(
    live, landmarker_path, large_face, fields, sentence
):
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    send(live, node, camera, image_message(large_face, START_NS, **fields))
    report = node.statistics.report()
    assert report.refused == 1
    assert sentence in report.last_error
    assert found == []
    send(live, node, camera, image_message(large_face, START_NS + FRAME_NS), 1)


def test_a_wrong_step_of_whole_data_costs_one_warning_and_no_image(
    live, landmarker_path, large_face, capfd
):
    node, _ = run_node(live, landmarker_path)
    camera = live.camera()
    for i in range(3):
        send(
            live, node, camera, image_message(large_face, START_NS + i * FRAME_NS, step=960), i + 1
        )
    assert node.statistics.report().refused == 0
    assert capfd.readouterr().err.count('fills in a wrong step') == 1


def test_an_infrared_image_of_10_bits_shows_its_face(live, landmarker_path, large_face):
    grey = (cv2.cvtColor(large_face, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 4).astype('>u2')
    node, found = run_node(live, landmarker_path)
    deep = {
        'encoding': 'mono16',
        'step': 960,
        'is_bigendian': 1,
        'data': grey.astype('>u2').tobytes(),
    }
    send(live, node, live.camera(), image_message(large_face, START_NS, **deep), 1)
    scores = {result.class_id: result.score for result in found[0].results}
    assert scores['mouthSmileLeft'] > 0.5


def compressed_camera(live, landmarker_path):
    """Start a node on compressed images; also returns a function that sends it one."""
    node, _ = run_node(live, landmarker_path, image_transport='compressed')
    camera = live.publisher(CompressedImage, '/image/compressed', qos_profile_sensor_data)
    live.until(lambda: camera.get_subscription_count() == 1, 'the subscription')
    stamps_ns = itertools.count(START_NS, FRAME_NS)

    def send_one(content, file_format='jpeg'):
        header = Header(stamp=ROS.time(next(stamps_ns)), frame_id='camera')
        send(live, node, camera, CompressedImage(header=header, format=file_format, data=content))
        return node.statistics.report()

    return send_one


def test_damaged_and_huge_files_and_distances_are_refused_and_the_next_image_is_looked_at(
    live, landmarker_path, large_face
):
    send_one = compressed_camera(live, landmarker_path)
    jpeg = cv2.imencode('.jpg', large_face)[1].tobytes()
    middle = len(jpeg) // 2
    huge = jpeg.replace(struct.pack('>HH', 480, 480), struct.pack('>HH', 60_000, 60_000), 1)
    depth = bytes(12) + cv2.imencode('.png', large_face[..., 0])[1].tobytes()
    for refused, (content, file_format, sentence) in enumerate(
        [
            (jpeg[:middle] + jpeg[-2:], 'jpeg', 'is damaged (Corrupt JPEG data: premature end'),
            (jpeg[:middle] + bytes(400) + jpeg[middle + 400 :], 'jpeg', 'is damaged'),
            (huge, 'jpeg', 'The image is 60000 x 60000 pixels; at most'),
            (depth, '16UC1; compressedDepth png', 'carries distances'),
        ],
        start=1,
    ):
        report = send_one(content, file_format)
        assert (report.refused, report.published) == (refused, 0)
        assert sentence in report.last_error
    assert send_one(jpeg).published == 1


def test_swapped_chroma_is_suspected_while_no_face_comes(live, landmarker_path, media):
    landscape = cv2.resize(cv2.imread(str(media('free-mountain-vector-01.jpg'))), (640, 480))
    node, _ = run_node(live, landmarker_path, detection_rate_hz=0.0)
    camera = live.camera()
    yuyv = yuv_rows('yuyv', landscape[..., ::-1]).tobytes()
    for i in range(FACELESS_IMAGES):
        assert node.problems() == []
        fields = {'encoding': 'yuv422', 'step': 1280, 'data': yuyv}
        send(live, node, camera, image_message(landscape, START_NS + i * FRAME_NS, **fields))
    (sentence,) = node.problems()
    assert 'labelled yuv422, but look like yuyv' in sentence


def test_byte_order_means_nothing_for_bytes(live, landmarker_path, large_face):
    node, _ = run_node(live, landmarker_path)
    send(live, node, live.camera(), image_message(large_face, START_NS, is_bigendian=1), 1)
    assert node.statistics.report().refused == 0
