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

"""The executables as processes, which start, speak and end as expected."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.faces import SMILING
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification

from emotion_estimator.native_output import is_start_up
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def start(live):
    """Start an executable of the package on the test's domain; kills what is left."""
    processes = []

    def run(module, *arguments):
        process = subprocess.Popen(
            [sys.executable, '-m', f'emotion_estimator.{module}', '--ros-args', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def test_both_nodes_in_one_process_give_emotions_and_end_on_ctrl_c(
    live, start, landmarker_path, media
):
    face = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    process = start('nodes.both_nodes', '-p', f'landmarker:={landmarker_path}')
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
    live, start, landmarker_path, media
):
    face = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    process = start('nodes.blendshape_node', '-p', f'landmarker:={landmarker_path}')
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
def test_a_wrong_start_value_ends_with_one_sentence(start, module):
    process = start(f'nodes.{module}', '-p', 'max_faces:=99', '-p', 'hysteresis:=0.5')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert 'A parameter has a wrong value' in output
    assert 'Traceback' not in output


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        (['--log-level', 'loud'], "Couldn't parse log level"),
        (['--params-file', '/nowhere.yaml'], "Couldn't parse params file"),
    ],
)
def test_ros_arguments_that_are_wrong_end_with_one_sentence(start, arguments, sentence):
    process = start('nodes.emotion_node', *arguments)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f'The ROS arguments cannot be used: failed to initialize rcl: {sentence}' in output
    assert 'Traceback' not in output and '.c:' not in output


def test_the_camera_plays_a_clip_to_its_end(live, start, media):
    images = live.listen(Image, '/image', 100)
    clip = media('single_face.mp4')
    process = start('extras.camera_node', '-p', f"video:='{clip}'", '-p', 'wait_for:=tester')
    live.until(lambda: process.poll() is not None, 'the end', timeout_s=60)
    assert process.returncode == 0
    stamps_ns = [m.header.stamp.sec * NS_PER_S + m.header.stamp.nanosec for m in images]
    assert len(images) > 60
    steps = {round(step_ns / (NS_PER_S / 30)) for step_ns in np.diff(stamps_ns)}
    assert min(steps) == 1
    assert images[0].encoding == 'bgr8'


def test_a_video_that_is_none_ends_with_a_sentence(start):
    process = start('extras.camera_node', '-p', 'video:=nowhere.mp4')
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert 'cannot be opened' in output
    assert 'Traceback' not in output


def demonstrate(live, video, *arguments):
    command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video', video]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=200,  # for a machine that has other work
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id), 'COLUMNS': '200'},
    )


class Clock:
    """Seconds by the wall, and those of the processors that others than this test have taken."""

    def __init__(self):
        self._start_s, self._others_s = time.monotonic(), self._others()

    @staticmethod
    def _others():
        line = Path('/proc/stat').read_text().splitlines()[0].split()[1:9]
        user, nice, system, _, _, irq, soft, steal = map(int, line)
        busy_s = (user + nice + system + irq + soft + steal) / os.sysconf('SC_CLK_TCK')
        return busy_s - sum(os.times()[:4])

    def read(self):
        """Tell both since the start; processes of this test count once they have ended."""
        return time.monotonic() - self._start_s, self._others() - self._others_s


@pytest.mark.timeout(240)
def test_the_demonstration_draws_two_pictures_and_ends_by_itself(live, media, tmp_path):
    picture, annotated = tmp_path / 'timeline.png', tmp_path / 'annotated.png'
    log = tmp_path / 'nodes.log'
    pictures = ('--out', picture, '--annotated', annotated, '--log', log)
    clip = tmp_path / "it's $5 [b] & $6.mp4"
    shutil.copy(media('single_face.mp4'), clip)
    clock = Clock()
    finished = demonstrate(live, clip, *pictures)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    wall_s, others_s = clock.read()
    # Where others take much of the machine, the time is theirs.
    assert wall_s < 90 or others_s > 0.2 * os.cpu_count() * wall_s, (wall_s, others_s)
    assert 'happy' in finished.stdout
    page_is_served = 'The live view: http://localhost:' in finished.stdout
    assert page_is_served == (importlib.util.find_spec('nicegui') is not None)
    assert 'frames looked at' in finished.stdout
    # The last view tells the rates of the whole run.
    rates = re.findall(r'images +([\d.]+) Hz +emotions +([\d.]+) Hz', finished.stdout)
    assert [29 < float(image_hz) < 31 for image_hz, _ in rates] == [True]
    assert 0 < float(rates[0][1]) <= float(rates[0][0])
    assert is_start_up(log.read_bytes())
    assert not [line for line in finished.stderr.encode().splitlines() if is_start_up(line)]
    assert f'Timeline: {picture}' in finished.stdout
    assert cv2.imread(str(picture)).shape[1] > 1000
    assert f'Last picture: {annotated}' in finished.stdout
    assert cv2.imread(str(annotated)).shape[1] == 640


def test_ctrl_c_while_the_demonstration_starts_ends_all_of_it_quietly(live, media, tmp_path):
    command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video']
    outputs = ('--out', tmp_path / 'a.png', '--annotated', tmp_path / 'b.png')
    process = subprocess.Popen(
        [*command, media('single_face.mp4'), *outputs, '--log', tmp_path / 'log'],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        start_new_session=True,
    )
    # Its own node is there, and those that it starts are importing.
    live.until(lambda: len(live.tester.get_node_names()) > 1, 'the first node', timeout_s=60)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert 'Stopped.' in output and 'Traceback' not in output


@pytest.mark.parametrize(
    'video, model, sentence',
    [
        ('nowhere.mp4', 'basic7', "There is no video 'nowhere.mp4'"),
        ('single_face.mp4', 'nothing', 'emotion_node did not become active'),
    ],
)
def test_a_demonstration_that_cannot_run_says_why(live, media, video, model, sentence):
    finished = demonstrate(live, video if model == 'basic7' else media(video), '--model', model)
    assert finished.returncode == 1
    assert sentence in finished.stdout
    assert ('There is no model' in finished.stderr) == (model == 'nothing')
    assert 'Traceback' not in finished.stderr


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
