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

"""The nodes as processes, which start, speak and end as expected; both in one process."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial

import cv2
import pytest
from helpers.faces import SMILING, frames
from helpers.live_nodes import START_NS, LiveNodes, image_message
from hri_msgs.msg import IdsList
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.exceptions import ParameterException
from rclpy.utilities import remove_ros_args
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.commands import part_arguments
from emotion_estimator.messages import ROS, NamedFeatures
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode, HandOver
from emotion_estimator.stamps import NS_PER_S


def test_both_nodes_in_one_process_give_emotions_and_end_on_ctrl_c(
    live, start_process, landmarker_path, media
):
    face = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    process = start_process('nodes.both_nodes', '-p', f'landmarker:={landmarker_path}')
    emotions = live.listen(Classification, '/emotion')
    camera = live.camera()
    sent = iter(range(1_000_000))

    def answered():
        camera.publish(image_message(face, START_NS + next(sent) * NS_PER_S // 30))
        return len(emotions) >= 3

    live.until(answered, 'emotions', timeout_s=60)
    assert process.poll() is None
    # Under launch, Ctrl-C arrives twice.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert 'Traceback' not in output

    live.until(
        lambda: not {'blendshape_node', 'emotion_node'} & set(live.tester.get_node_names()),
        'the nodes to leave the graph',
        timeout_s=10,  # a node that does not say that it leaves is known for 20 s
    )


def test_a_node_leaves_the_graph_when_it_is_destroyed_or_refuses_to_start(live):
    def known():
        return {'emotion_node'} & set(live.tester.get_node_names())

    node = live.add(EmotionNode)
    live.until(known, 'the node')
    live.nodes.remove(node)
    node.close()
    node.destroy_node()
    # Python still holds it; where it had to be collected, its name would stay so long.
    live.until(lambda: not known(), 'the graph without it', timeout_s=10)
    with pytest.raises(ParameterException) as refused:
        live.add(EmotionNode, hysteresis='much')
    live.until(lambda: not known(), 'the graph without the one that was refused', timeout_s=10)
    assert 'hysteresis' in str(refused.value)


IMPORTED = ['numpy', 'rclpy.node', 'cv2', 'ai_edge_litert.interpreter', 'yaml']


@pytest.mark.parametrize('module', IMPORTED)
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_python_imports_ends_the_process_quietly(live, module, number):
    process = subprocess.Popen(
        [sys.executable, '-X', 'importtime', '-m', 'emotion_estimator.nodes.both_nodes'],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
    )
    said = []
    while not said or said[-1].rpartition('|')[2].strip() != module:
        said.append(process.stderr.readline())
        assert said[-1], said[-3:]
    process.send_signal(number)
    said += process.communicate(timeout=30)[1].splitlines()
    assert process.returncode == 0
    assert [line for line in said if not line.startswith('import time:')] == []


def test_a_face_is_no_longer_listed_when_the_node_rests_or_ends(
    live, start_process, landmarker_path, media
):
    face = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    process = start_process('nodes.blendshape_node', '-p', f'landmarker:={landmarker_path}')
    lists = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    sent = iter(range(1_000_000))

    def listed():
        camera.publish(image_message(face, START_NS + next(sent) * NS_PER_S // 30))
        return lists and lists[-1].ids

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert live.call(ChangeState, '/blendshape_node/change_state', request).success

    live.until(listed, 'the face', timeout_s=60)
    change(Transition.TRANSITION_DEACTIVATE)
    live.until(lambda: not lists[-1].ids, 'the empty list')
    # Its time is that of the last image that was looked at.
    assert lists[-1].header == lists[-2].header
    change(Transition.TRANSITION_ACTIVATE)
    live.until(listed, 'the face')
    process.send_signal(signal.SIGTERM)
    live.until(lambda: process.poll() is not None, 'the end')
    assert process.returncode == 0
    live.until(lambda: not lists[-1].ids, 'the empty list')


@pytest.mark.parametrize('module', ['blendshape_node', 'emotion_node'])
def test_a_wrong_start_value_ends_with_one_sentence(start_process, module):
    process = start_process(f'nodes.{module}', '-p', 'max_faces:=99', '-p', 'hysteresis:=0.5')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert 'A parameter has a wrong value' in output
    assert 'Traceback' not in output


RULE = "failed to initialize rcl: Couldn't parse"


@pytest.mark.parametrize(
    'module, arguments, sentence',
    [
        ('nodes.emotion_node', ['--log-level', 'loud'], f'{RULE} log level'),
        ('nodes.emotion_node', ['--params-file', '/nowhere.yaml'], f'{RULE} params file'),
        ('nodes.emotion_node', ['--nothing'], "ROS knows no ['--nothing']"),
        ('nodes.emotion_node', ['-p', 'model:=\udcff'], r"'model:=\udcff' is no UTF-8"),
        ('extras.play', ['-r', 'foo', '--', 'bag'], f'{RULE} remap rule'),
        ('view.main', ['-r', 'foo', '--', '--port', '0'], f'{RULE} remap rule'),
    ],
)
def test_ros_arguments_that_are_wrong_end_with_one_sentence(
    start_process, module, arguments, sentence
):
    if module == 'view.main':
        pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')
    process = start_process(module, *arguments)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f'The ROS arguments cannot be used: {sentence}' in output
    assert 'Traceback' not in output and '.c:' not in output
    assert 'http' not in output  # no page that is not served is announced


def test_an_argument_of_a_command_s_own_need_be_no_utf_8(start_process):
    process = start_process('extras.play', '-r', 'a:=b', '--', '\udcff.bag')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == '\\udcff.bag does not exist; check the path.\n'


@pytest.mark.parametrize(
    'given, own, ros',
    [
        ('play bag', 'play bag', ''),
        ('play --ros-args -r a:=b', 'play', '--ros-args -r a:=b'),
        ('--ros-args -p a:=1 -- bag -- x', 'bag -- x', '--ros-args -p a:=1 --'),
        (
            'play --ros-args -r a:=b -- bag --ros-args -r b:=c',
            'play bag',
            '--ros-args -r a:=b -- --ros-args -r b:=c',
        ),
    ],
)
def test_a_command_line_is_parted_as_ros_does_it(given, own, ros):
    assert part_arguments(given.split()) == (own.split(), ros.split())
    assert remove_ros_args(given.split()) == own.split()


@pytest.mark.parametrize('command', ['blendshape_node', 'emotion_node', 'camera_node'])
@pytest.mark.parametrize(('words', 'status'), [('--help', 0), ('-p video:=clip.mp4', 2)])
def test_words_that_are_no_ros_arguments_are_not_passed_over(command, words, status):
    code = f'from emotion_estimator.commands import main; raise SystemExit(main({command!r}))'
    done = subprocess.run(
        [sys.executable, '-c', code, *words.split()], capture_output=True, text=True
    )
    assert done.returncode == status
    assert f'Usage: {command} --ros-args [-p PARAMETER:=VALUE]' in done.stdout + done.stderr
    assert (f'{command} takes no {words}. ' in done.stderr) == (status == 2)


# Both nodes can be shut down from every state, active ones included.


WAYS = {
    'unconfigured': ([], Transition.TRANSITION_UNCONFIGURED_SHUTDOWN),
    'inactive': (['configure'], Transition.TRANSITION_INACTIVE_SHUTDOWN),
    'active': (['configure', 'activate'], Transition.TRANSITION_ACTIVE_SHUTDOWN),
}


@pytest.mark.parametrize('state', WAYS)
@pytest.mark.parametrize('node_class', [BlendshapeNode, EmotionNode])
def test_shutdown_ends_in_finalized(live, landmarker_path, node_class, state):
    named = {'landmarker': str(landmarker_path)} if node_class is BlendshapeNode else {}
    node = live.add(node_class, autostart=False, **named)
    steps, shutdown = WAYS[state]
    assert all(live.change(node, step) for step in steps)
    assert live.state(node) == state
    name = f'{node.get_fully_qualified_name()}/change_state'
    request = ChangeState.Request(transition=Transition(id=shutdown))
    assert live.call(ChangeState, name, request).success
    assert live.state(node) == 'finalized'


# What one node hands over to the other in one process is answered as messages are.


COUNT = 12
FRAME_NS = NS_PER_S // 30
LISTENED = range(4, 8)
"""Frames during which somebody else listens."""


class Counted(HandOver):
    """Keeps how each face went: whether it was handed over."""

    def __init__(self):
        super().__init__()
        self.handed_over = []

    def offer(self, publisher, face, header):
        """See `HandOver`."""
        self.handed_over.append(super().offer(publisher, face, header))
        return self.handed_over[-1]


class Pair:
    """Both nodes in one process with a camera and a listener."""

    def __init__(self, live, landmarker_path, hand_over=None, remap=()):
        self.live = live
        self.faces = live.add(
            partial(BlendshapeNode, hand_over and hand_over.offer),
            landmarker=str(landmarker_path),
            face_id_seed=1,
        )
        self.emotion = live.add(partial(EmotionNode, hand_over), remap=remap)
        self.emotions = live.listen(Classification, '/emotion', 100)
        self.camera = live.camera()
        live.until(lambda: self.emotion.count_subscribers('/emotion') == 1, 'the listener')
        live.until(lambda: self.emotion._emotion.get_subscription_count() == 1, 'the listener')
        self.sent = 0

    def look_at(self, picture, answered=True):
        """Send a picture and wait until it is answered, or looked at."""
        answers, looked_at = len(self.emotions), self.faces.statistics._published
        self.camera.publish(image_message(picture, START_NS + self.sent * FRAME_NS))
        self.sent += 1
        self.live.until(lambda: self.faces.statistics._published > looked_at, 'the look')
        if answered:
            self.live.until(lambda: len(self.emotions) > answers, 'the emotion')


@pytest.fixture(scope='module')
def pictures(media):
    """Read pictures of one person."""
    read, _ = frames(media('single_face.mp4'))
    return [cv2.resize(picture, (480, 270)) for picture in read[20 : 20 + 2 * COUNT : 2]]


@pytest.fixture(scope='module')
def as_messages(pictures, landmarker_path):
    """Answers of two nodes that know nothing of each other."""
    with closing(LiveNodes()) as live:
        pair = Pair(live, landmarker_path)
        for picture in pictures:
            pair.look_at(picture)
        return pair.emotions


def test_faces_that_are_handed_over_give_the_same_emotions(
    live, landmarker_path, pictures, as_messages
):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    for picture in pictures:
        pair.look_at(picture)
    assert hand_over.handed_over == [True] * COUNT
    assert pair.emotions == as_messages
    report = pair.emotion.statistics.report()
    assert (report.received, report.published, report.refused) == (COUNT, COUNT, 0)


def test_who_listens_meanwhile_hears_the_faces_and_changes_no_emotion(
    live, landmarker_path, pictures, as_messages
):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    heard, topic = [], pair.faces._blendshapes
    listener = None
    for number, picture in enumerate(pictures):
        if number == LISTENED.start:
            listener = live.tester.create_subscription(
                Classification, '/blendshapes', heard.append, 10
            )
        elif number == LISTENED.stop:
            live.until(lambda: len(heard) == len(LISTENED), 'the listener')
            live.tester.destroy_subscription(listener)
        listeners = 1 + (number in LISTENED)
        live.until(lambda n=listeners: topic.get_subscription_count() == n, 'the listeners')
        pair.look_at(picture)
    assert hand_over.handed_over == [number not in LISTENED for number in range(COUNT)]
    assert [message.header for message in heard] == [
        as_messages[number].header for number in LISTENED
    ]
    assert pair.emotions == as_messages
    assert pair.emotion.statistics.report().refused == 0


def test_a_message_on_its_way_comes_before_what_is_handed_over(live):
    taken = []
    hand_over = HandOver()
    publisher = live.publisher(Classification, '/blendshapes')
    hand_over.open('/blendshapes', lambda face, header: taken.append(face))
    face = NamedFeatures('a', START_NS, {})
    first, second = (Header(stamp=ROS.time(START_NS + n), frame_id='face_a') for n in (0, 1))
    assert not hand_over.offer(publisher, face, first)  # nobody listens yet
    live.listen(Classification, '/blendshapes')
    live.until(lambda: publisher.get_subscription_count() == 1, 'the listener')
    assert not hand_over.offer(publisher, face, second)
    hand_over.hear(first)
    assert not hand_over.offer(publisher, face, second)
    hand_over.hear(second)
    assert hand_over.offer(publisher, face, second)
    assert taken == [face]


def test_a_node_that_listens_elsewhere_is_handed_nothing(live, landmarker_path, pictures):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over, remap=('blendshapes:=other',))
    pair.look_at(pictures[0], answered=False)
    assert hand_over.handed_over == [False]
    assert pair.emotion.statistics.report().received == 0


def test_a_node_that_is_not_active_is_handed_nothing(live, landmarker_path, pictures):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    pair.look_at(pictures[0])
    assert live.change(pair.emotion, 'deactivate')
    pair.look_at(pictures[1], answered=False)
    assert live.change(pair.emotion, 'activate')
    topic = pair.faces._blendshapes
    live.until(lambda: topic.get_subscription_count() == 1, 'the subscription')
    pair.look_at(pictures[2])
    assert hand_over.handed_over == [True, False, True]
    assert len(pair.emotions) == 2
