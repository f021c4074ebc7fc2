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

"""Whom the demonstration waits for before its clip begins."""

import io

import cv2
import numpy as np
import pytest
import rclpy
from rich.console import Console
from sensor_msgs.msg import Image

from emotion_estimator.extras import demo
from emotion_estimator.extras.camera_node import CameraNode
from emotion_estimator.extras.demo_observer import Observer
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode


@pytest.fixture
def observer(live):
    watching = Observer(thumbnails=False, context=live.context)
    live.executor.add_node(watching)
    yield watching
    watching.destroy_node()


def test_the_nodes_have_met_when_each_knows_who_sends_and_who_listens(
    live, observer, landmarker_path
):
    assert observer.unmet() == 'blendshapes'
    # As in the demonstration, where it is activated last.
    live.add(
        BlendshapeNode, autostart=False, landmarker=str(landmarker_path), detection_rate_hz=0.0
    )
    assert live.change(live.nodes[0], 'configure')
    live.until(lambda: ('blendshape_node', 'subscribers') in observer._links, 'its diagnostics')
    assert observer.unmet() == 'blendshapes'
    live.add(EmotionNode)
    live.until(lambda: not observer.unmet(), 'the meeting')
    assert observer._links['blendshape_node', 'subscribers'] == 1
    assert observer._links['emotion_node', 'publishers'] == 1
    # The observer and, for its annotated image, blendshape_node.
    assert observer._links['emotion_node', 'subscribers'] == 2


def test_nodes_that_do_not_meet_are_named_by_their_topic_and_waited_for_no_longer(
    live, observer, monkeypatch
):
    monkeypatch.setattr(demo, 'MEETING_S', 0.3)
    console = Console(file=io.StringIO())
    live.executor.remove_node(observer)
    demo._await_meeting(observer, live.executor, console)
    assert console.file.getvalue() == (
        'Not all who send and listen on blendshapes have met within 0.3 s: the first frames may '
        'be lost. Is the machine busy, or does a firewall stand between?\n'
    )


def test_the_camera_begins_when_the_nodes_it_waits_for_listen_however_many_others_do(
    live, tmp_path
):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    images = live.listen(Image, '/image')
    live.add(CameraNode, video=str(tmp_path), loop=True, wait_for='tester, late_node')
    live.spin(0.3)
    assert images == []
    late = rclpy.create_node('late_node', context=live.context)
    late.create_subscription(Image, '/image', images.append, 1)
    live.until(lambda: images, 'the first image')
    late.destroy_node()
