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

"""The annotated image of real nodes: only while someone watches, with what `emotion` said."""

import cv2
import numpy as np
import pytest
from live_nodes import START_NS, image_message
from media import SMILING
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.drawing.palette import COLOURS
from emotion_estimator.messages import nanoseconds, time_message
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S

FRAME_NS = NS_PER_S // 30


@pytest.fixture
def face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))


def pixels_of(message, colour):
    picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
    return int((picture == colour).all(axis=2).sum())


class Camera:
    """Sends images one by one, each when the one before was dealt with."""

    def __init__(self, live, landmarker_path, **parameters):
        self.live = live
        self.node = live.add(
            BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1, **parameters
        )
        self.publisher = live.camera()
        self.count = 0

    def see(self, bgr):
        self.count += 1
        self.publisher.publish(image_message(bgr, START_NS + self.count * FRAME_NS))
        report = self.node.statistics.report
        self.live.until(lambda: report().published == self.count, 'the image')


def test_it_has_the_image_s_header_and_size_and_shows_the_expression(live, landmarker_path, face):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    live.add(EmotionNode)
    annotated = live.listen(Image, '/annotated_image')

    def coloured():
        camera.see(face)
        return any(pixels_of(message, COLOURS['happy']) > 500 for message in annotated)

    live.until(coloured, 'a picture that says happy')
    stamps = [nanoseconds(message.header.stamp) for message in annotated]
    assert stamps == sorted(set(stamps))
    assert set(stamps) <= {START_NS + i * FRAME_NS for i in range(1, camera.count + 1)}
    last = annotated[-1]
    assert last.header.frame_id == 'camera'
    assert (last.width, last.height, last.encoding, last.step) == (480, 480, 'rgb8', 1440)
    # Where nothing is drawn the image is as it was.
    corner = np.frombuffer(last.data, np.uint8).reshape(480, 480, 3)[400:, :60]
    np.testing.assert_array_equal(corner, face[400:, :60, ::-1])


def test_unwatched_nothing_is_drawn_and_emotions_are_not_listened_to(live, landmarker_path, face):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    camera.see(face)
    live.spin(0.5)
    assert camera.node.count_subscribers('/emotion') == 0
    watcher = live.tester.create_subscription(Image, '/annotated_image', lambda message: None, 10)
    live.until(lambda: camera.node.count_subscribers('/emotion') == 1, 'the subscription')
    live.tester.destroy_subscription(watcher)
    live.until(lambda: camera.node.count_subscribers('/emotion') == 0, 'the end of it')


def test_an_expression_of_long_ago_is_not_drawn(live, landmarker_path, face):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    annotated = live.listen(Image, '/annotated_image')
    shapes = live.listen(Classification, '/blendshapes')
    emotion = live.publisher(Classification, '/emotion')
    live.until(lambda: emotion.get_subscription_count() == 1, 'the subscription')
    camera.see(face)
    live.until(lambda: shapes, 'the face')
    sad = [ObjectHypothesis(class_id='sad', score=0.9)]

    def drawn_after(age_ns):
        stamp = time_message(START_NS + camera.count * FRAME_NS - age_ns)
        header = Header(stamp=stamp, frame_id=shapes[0].header.frame_id)
        emotion.publish(Classification(header=header, results=sad))
        live.spin(0.2)
        annotated.clear()
        camera.see(face)
        live.until(lambda: annotated, 'the picture')
        return pixels_of(annotated[-1], COLOURS['sad'])

    assert drawn_after(0) > 500
    assert drawn_after(2 * NS_PER_S) == 0
