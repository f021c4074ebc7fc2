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

"""What the camera subscriber makes of images that are wrong, deep, damaged or huge."""

import itertools
import struct

import cv2
import numpy as np
import pytest
from helpers.faces import SMILING
from helpers.live_nodes import START_NS, image_message
from nodes.test_blendshape_node import FRAME_NS, run_node, send
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.sources import FACELESS_IMAGES


@pytest.fixture
def face(media):
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
def test_a_wrong_image_costs_one_counted_warning(live, landmarker_path, face, fields, sentence):
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    send(live, node, camera, image_message(face, START_NS, **fields))
    report = node.statistics.report()
    assert report.refused == 1
    assert sentence in report.last_error
    assert found == []
    send(live, node, camera, image_message(face, START_NS + FRAME_NS), 1)


def test_a_wrong_step_of_whole_data_costs_one_warning_and_no_image(
    live, landmarker_path, face, capfd
):
    node, _ = run_node(live, landmarker_path)
    camera = live.camera()
    for i in range(3):
        send(live, node, camera, image_message(face, START_NS + i * FRAME_NS, step=960), i + 1)
    assert node.statistics.report().refused == 0
    assert capfd.readouterr().err.count('fills in a wrong step') == 1


def test_an_infrared_image_of_10_bits_shows_its_face(live, landmarker_path, face):
    grey = (cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 4).astype('>u2')
    node, found = run_node(live, landmarker_path)
    deep = {
        'encoding': 'mono16',
        'step': 960,
        'is_bigendian': 1,
        'data': grey.astype('>u2').tobytes(),
    }
    send(live, node, live.camera(), image_message(face, START_NS, **deep), 1)
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
    live, landmarker_path, face
):
    send_one = compressed_camera(live, landmarker_path)
    jpeg = cv2.imencode('.jpg', face)[1].tobytes()
    middle = len(jpeg) // 2
    huge = jpeg.replace(struct.pack('>HH', 480, 480), struct.pack('>HH', 60_000, 60_000), 1)
    depth = bytes(12) + cv2.imencode('.png', face[..., 0])[1].tobytes()
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
    yuyv = cv2.cvtColor(landscape, cv2.COLOR_BGR2YUV_YUYV).tobytes()
    for i in range(FACELESS_IMAGES):
        assert node.problems() == []
        fields = {'encoding': 'yuv422', 'step': 1280, 'data': yuyv}
        send(live, node, camera, image_message(landscape, START_NS + i * FRAME_NS, **fields))
    (sentence,) = node.problems()
    assert 'labelled yuv422, but look like yuyv' in sentence


def test_byte_order_means_nothing_for_bytes(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path)
    send(live, node, live.camera(), image_message(face, START_NS, is_bigendian=1), 1)
    assert node.statistics.report().refused == 0
