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

"""The live view among real nodes: what it reads and changes."""

import subprocess
import sys

import numpy as np
import pytest
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import FacialLandmarks, IdsList, NormalizedPointOfInterest2D
from hri_msgs.msg import NormalizedRegionOfInterest2D as Region
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.messages import ROS
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.view.controls import CONTROLS, Controls
from emotion_estimator.view.listener import Listener
from emotion_estimator.view.robot import Robot

RESTING = dict.fromkeys(NAMES, 0.0)


def header(frame_id, stamp_ns=START_NS):
    return Header(stamp=ROS.time(stamp_ns), frame_id=frame_id)


def scored(values, frame_id='face_abc', stamp_ns=START_NS):
    return Classification(
        header=header(frame_id, stamp_ns),
        results=[ObjectHypothesis(class_id=name, score=score) for name, score in values.items()],
    )


class Heard:
    """What a listener hands on and remarks."""

    def __init__(self, live):
        self.live = live
        self.ready, self.remarks = [], []
        self.listener = Listener(live.tester, self.remarks.append, self.take)
        self.listener.start()

    def take(self, *ready):
        self.ready.append(ready)

    def publisher(self, kind, topic):
        publisher = self.live.publisher(kind, topic)
        self.live.until(lambda: publisher.get_subscription_count() == 1, topic)
        return publisher


@pytest.fixture
def heard(live):
    return Heard(live)


def test_what_many_topics_say_of_an_image_is_handed_on_with_that_image(live, heard):
    emotion = heard.publisher(Classification, '/emotion')
    blendshapes = heard.publisher(Classification, '/blendshapes')
    tracked = heard.publisher(IdsList, '/humans/faces/tracked')
    image = image_message(np.zeros((4, 4, 3), np.uint8), START_NS)
    heard.listener.take_image(START_NS - 1, 'the one before')
    heard.listener.take_image(START_NS, image)
    tracked.publish(IdsList(header=header('camera'), ids=['abc']))
    stamp_ns = START_NS + 50_000_000
    heard.listener.take_image(stamp_ns, 'the second')
    heard.listener.read_landmarks(True)
    roi = heard.publisher(Region, '/humans/faces/abc/roi')
    landmarks = heard.publisher(FacialLandmarks, '/humans/faces/abc/landmarks')
    roi.publish(Region(header=header('camera', stamp_ns), xmin=0.1, ymin=0.2, xmax=0.3, ymax=0.4))
    points = [NormalizedPointOfInterest2D(x=0.5, y=0.25, c=1.0)] * 70
    landmarks.publish(FacialLandmarks(header=header('camera', stamp_ns), landmarks=points))
    blendshapes.publish(scored({**RESTING, 'head.yaw': 0.5}, stamp_ns=stamp_ns))
    live.spin(0.3)
    assert heard.ready == []
    emotion.publish(scored({'happy': 0.75, 'unknown': 0.25}, stamp_ns=stamp_ns))
    live.until(lambda: heard.ready, 'the second image')
    result, shown = heard.ready[-1]
    face = result.faces['abc']
    assert (result.stamp_ns, shown) == (stamp_ns, 'the second')
    assert face.scores == (('happy', 0.75), ('unknown', 0.25))
    assert face.features['head.yaw'] == 0.5
    assert face.box == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert face.points == [(0.5, 0.25)] * 70
    assert heard.remarks == []
    heard.listener.stop()
    live.until(lambda: not emotion.get_subscription_count(), 'the end of the subscriptions')
    live.until(lambda: not roi.get_subscription_count(), 'the end of those of the face')


def test_landmarks_are_listened_to_while_they_are_drawn_and_not_awaited_thereafter(live, heard):
    blendshapes = heard.publisher(Classification, '/blendshapes')
    emotion = heard.publisher(Classification, '/emotion')
    tracked = heard.publisher(IdsList, '/humans/faces/tracked')
    roi = live.publisher(Region, '/humans/faces/abc/roi')
    landmarks = live.publisher(FacialLandmarks, '/humans/faces/abc/landmarks')
    count = landmarks.get_subscription_count

    def show(number):
        stamp_ns = START_NS + number * 50_000_000
        points = [NormalizedPointOfInterest2D(x=0.5, y=0.25, c=1.0)] * 70
        landmarks.publish(FacialLandmarks(header=header('camera', stamp_ns), landmarks=points))
        blendshapes.publish(scored(RESTING, stamp_ns=stamp_ns))
        emotion.publish(scored({'happy': 1.0}, stamp_ns=stamp_ns))
        live.until(lambda: heard.ready[-1:] and heard.ready[-1][0].stamp_ns == stamp_ns, 'it')
        return [len(face.points) for face in heard.ready[-1][0].faces.values()]

    tracked.publish(IdsList(header=header('camera'), ids=['abc']))
    live.until(roi.get_subscription_count, 'the listener to the face')
    assert count() == 0
    assert show(1) == [0]
    heard.listener.read_landmarks(True)
    live.until(count, 'the listener to its landmarks')
    numbers = iter(range(2, 99))
    live.until(lambda: show(next(numbers)) == [70], 'landmarks')
    heard.listener.read_landmarks(False)
    live.until(lambda: not count(), 'the end of it')
    assert show(100) == [0]


def test_an_id_that_is_a_script_is_refused_and_a_label_stays_text(live, heard):
    emotion = heard.publisher(Classification, '/emotion')
    tracked = heard.publisher(IdsList, '/humans/faces/tracked')
    emotion.publish(scored({'happy': 1.0}, 'face_<script>alert(1)</script>'))
    live.until(lambda: heard.remarks, 'a remark')
    assert 'a face id starts with a letter' in heard.remarks[0]
    tracked.publish(IdsList(header=header('camera'), ids=['<script>', '../../etc']))
    live.until(lambda: len(heard.remarks) == 2, 'the second remark')
    blendshapes = heard.publisher(Classification, '/blendshapes')
    blendshapes.publish(scored(RESTING, stamp_ns=START_NS + 1))
    emotion.publish(scored({'<b>' * 100: 2.0, 'sad': float('nan')}, stamp_ns=START_NS + 1))
    live.until(lambda: heard.ready and heard.ready[-1][0].faces, 'the label')
    ((label, score),) = heard.ready[-1][0].faces['abc'].scores
    assert (len(label), score) == (40, 1.0)


@pytest.fixture
def robot(live):
    remarks = []
    listener = Listener(live.tester, remarks.append, lambda result, image: None)
    controls = Controls(live.tester, listener.subscribe)
    robot = Robot(live.tester, listener.subscribe, controls)
    robot.start()
    return robot, controls


def known(live, robot, controls, name):
    def look():
        robot.look()
        return name in controls.values

    live.until(look, name)


def test_what_can_be_changed_is_what_may_change_at_run_time():
    assert {'min_confidence', 'hysteresis', 'max_faces'} <= {each.spec.name for each in CONTROLS}
    restarting = {each.spec.name for each in CONTROLS if each.restarts}
    assert restarting == {'max_faces'}


def test_a_slider_changes_the_running_node_whatever_its_name(live, robot):
    robot, controls = robot
    remap = ('__node:=other', '__ns:=/lab', 'emotion:=/emotion', '/lab/emotion:=/emotion')
    node = live.add(EmotionNode, remap=remap)
    known(live, robot, controls, 'min_confidence')
    assert controls.values['min_confidence'] == node.parameters['min_confidence']
    controls.change('min_confidence', 0.25)
    live.until(lambda: controls.values['min_confidence'] == 0.25, 'the new value')
    assert node.parameters['min_confidence'] == 0.25
    controls.change('min_confidence', 7.0)
    live.until(lambda: controls.refusal[0] == 1, 'the refusal')
    assert 'min_confidence' in controls.refusal[1]
    assert node.parameters['min_confidence'] == 0.25
    controls.change('model', '/etc/passwd')
    assert controls.refusal == (2, 'model cannot be set: its node is not there.')


def test_the_values_are_those_of_a_node_that_was_started_again(live, robot, start_process):
    robot, controls = robot

    def start(value):
        process = start_process('nodes.emotion_node', '-p', f'min_confidence:={value}')

        def told():
            robot.look()
            return controls.values.get('min_confidence') == value

        live.until(told, f'the value {value}')
        return process

    start(0.5).kill()
    start(0.1)  # long before the graph knows that the first one is gone


def test_a_robot_without_nodes_is_said_what_to_start(live, robot):
    robot, controls = robot
    robot.look()
    facts = robot.report(None)
    assert facts['level'] == 'warn'
    assert 'No emotion_node is there: nobody publishes /emotion. Start' in facts['problems'][1]
    controls.change('hysteresis', 2.0)
    assert controls.refusal == (1, 'hysteresis cannot be set: its node is not there.')


def test_the_page_says_beside_the_rates_that_it_shows_less(live, robot):
    robot, _ = robot
    assert robot.report(None)['summary'] == '0 images/s · 0 answers/s'
    robot.remark = '5 pictures/s, since it is busy'
    assert robot.report(None)['summary'].endswith('0 answers/s · 5 pictures/s, since it is busy')


def test_image_topics_are_listed_and_one_of_them_can_be_chosen(live, robot):
    robot, _ = robot
    live.publisher(Image, '/left/image_raw')
    live.publisher(Image, '/right/image_raw')
    live.until(lambda: live.tester.count_publishers('/right/image_raw'), 'the topics')
    robot.look()
    assert robot.report(None)['topics'] == ['/left/image_raw', '/right/image_raw']
    assert robot.image_topic() == ('/image', 'sensor_msgs/msg/Image')
    robot.choose('/right/image_raw')
    assert robot.image_topic() == ('/right/image_raw', 'sensor_msgs/msg/Image')
    robot.choose('/etc/passwd')
    assert robot.image_topic()[0] == '/image'


def test_of_another_detector_s_faces_the_camera_is_shown_and_no_crop(live, robot, landmarker_path):
    robot, _ = robot
    live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(tracked.get_subscription_count, 'the node')
    tracked.publish(IdsList(header=header('camera'), ids=['abc']))
    crop = live.publisher(Image, '/humans/faces/abc/cropped')
    live.until(crop.get_subscription_count, 'the node at the face')
    live.until(lambda: robot.look() or robot._names['blendshape_node'], 'its name')
    assert robot.image_topic() == ('/image', 'sensor_msgs/msg/Image')


@pytest.mark.parametrize('installed', ['', '2.24.1'])
def test_without_nicegui_or_with_an_old_one_a_sentence_says_what_to_install(installed):
    script = (
        'import sys; sys.argv = ["view"]; from emotion_estimator.view import main\n'
        f'main.installed_nicegui = lambda: {installed!r}; sys.exit(main.main())'
    )
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 1
    said = f'but {installed} is installed' if installed else 'which is not installed'
    assert f"{said}: run `pip install 'nicegui>=3' segno`" in done.stderr


def test_a_node_loads_again_for_what_is_fixed_while_it_is_configured(live, robot, landmarker_path):
    robot, controls = robot
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), detection_rate_hz=0.0)
    known(live, robot, controls, 'max_faces')
    assert controls.values['max_faces'] == 1
    for value in (2, 4, 3):  # as a slider that is drawn
        controls.change('max_faces', value)
    live.until(lambda: robot.look() or controls.values.get('max_faces') == 3, 'the new value')
    live.until(lambda: live.state(node) == 'active', 'the node at work')
    controls.change('max_faces', 99)
    live.until(lambda: robot.look() or controls.refusal[0] == 1, 'the refusal')
    live.until(lambda: live.state(node) == 'active', 'it again')
    assert node.parameters['max_faces'] == 3
    # One that does not work is not put to work.
    assert live.change(node, 'deactivate')
    controls.change('max_faces', 2)
    live.until(lambda: robot.look() or controls.values.get('max_faces') == 2, 'the value')
    live.until(lambda: live.state(node) == 'inactive', 'the node as it was')
    live.spin(0.5)
    assert (live.state(node), node.parameters['max_faces']) == ('inactive', 2)


def test_no_crashed_node_is_awaited(live, robot, start_process, landmarker_path, monkeypatch):
    robot, controls = robot
    monkeypatch.setattr('emotion_estimator.view.controls._PATIENCE_S', 0.1)
    idle = ('-p', f'landmarker:={landmarker_path}', '-p', 'autostart:=false')
    first = start_process('nodes.blendshape_node', *idle)
    known(live, robot, controls, 'max_faces')
    controls.change('max_faces', 2)
    first.kill()
    start_process('nodes.blendshape_node', *idle, '-p', 'max_faces:=4')
    live.until(lambda: robot.look() or controls.values.get('max_faces') == 4, 'the other one')
    controls.change('max_faces', 3)
    live.until(lambda: robot.look() or controls.values.get('max_faces') == 3, 'the change')
