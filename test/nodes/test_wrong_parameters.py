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

"""A parameter or a file that is wrong costs a sentence, and can be mended while the node runs."""

import io
import itertools
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from helpers.asset_servers import closed_url, environment, patience, serving, silent
from helpers.faces import SMILING
from helpers.live_nodes import START_NS
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nodes.test_blendshape_node import FRAME_NS, looked_at, run_node
from rcl_interfaces.srv import SetParameters
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER
from emotion_estimator.nodes import sources
from emotion_estimator.nodes.blendshape_node import BlendshapeNode, blendshape_node_assets
from emotion_estimator.nodes.emotion_node import EmotionNode


def add(live, landmarker_path, **parameters):
    return live.add(BlendshapeNode, autostart=False, landmarker=str(landmarker_path), **parameters)


@pytest.mark.parametrize(
    'content, sentence', [(None, 'nowhere'), (b'PK\x03\x04 truncated', 'or no .task file')]
)
def test_a_wrong_landmarker_file_fails_the_transition_and_can_be_mended(
    live, landmarker_path, tmp_path, content, sentence, capfd
):
    path = tmp_path / 'nowhere.task'
    if content is not None:
        path.write_bytes(content)
    node = live.add(BlendshapeNode, autostart=False, allow_remote_paths=True, landmarker=str(path))
    assert not live.change(node, 'configure')
    assert live.state(node) == 'unconfigured'
    assert sentence in capfd.readouterr().err
    (result,) = node.set_parameters([Parameter('landmarker', value=str(landmarker_path))])
    assert result.successful
    assert live.change(node, 'configure')


@pytest.mark.parametrize(
    'name, content, sentence',
    [
        ('v0', None, "There is no face encoding 'v0'"),
        ('/nowhere/v1.npz', None, "There is no face encoding '/nowhere/v1.npz'"),
        ('damaged.npz', b'PK\x03\x04 truncated', 'damaged.npz cannot be read'),
    ],
)
def test_a_wrong_encoding_fails_the_transition_and_can_be_mended(
    live, landmarker_path, tmp_path, name, content, sentence, capfd
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
        name = str(tmp_path / name)
    node = add(live, landmarker_path, encoding=name)
    assert not live.change(node, 'configure')
    assert live.state(node) == 'unconfigured'
    reported = capfd.readouterr().err
    assert sentence in reported
    assert 'Traceback' not in reported
    (result,) = node.set_parameters([Parameter('encoding', value='')])
    assert result.successful
    assert live.change(node, 'configure')


@pytest.mark.parametrize(
    'name, value, sentence',
    [
        ('max_faces', 0, 'out of range'),
        ('image_transport', 'theora', 'must be one of raw, compressed'),
        ('max_faces', 'two', 'Wrong parameter type'),
        ('min_presence_confidence', 1.0000001, 'must lie between 0.001 and 1, not 1.0000001'),
    ],
)
def test_wrong_parameter_values_are_refused_at_run_time(live, name, value, sentence):
    node = live.add(BlendshapeNode, autostart=False)
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert sentence in result.reason


def test_humble_s_rclpy_does_which_says_neither_what_was_set_nor_who_sent_an_image(
    live, landmarker_path, media, monkeypatch
):
    monkeypatch.delattr(Node, 'add_post_set_parameters_callback')
    monkeypatch.setattr(sources, 'NAMES_SENDER', False)
    node, _ = run_node(live, landmarker_path, max_rate_hz=10.0)
    camera = live.camera()
    face = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    stamps_ns = itertools.count(START_NS, FRAME_NS)

    def taken(count):
        sent = [next(stamps_ns) for _ in range(count)]
        return [sent.index(ns) for ns in looked_at(live, node, camera, face, sent)]

    assert taken(9) == [0, 3, 6]
    assert not node.set_parameters([Parameter('max_rate_hz', value=-1.0)])[0].successful
    assert node.set_parameters([Parameter('max_rate_hz', value=0.0)])[0].successful
    live.until(lambda: taken(2) == [0, 1], 'every image')


@pytest.mark.parametrize(
    'parameters, error',
    [
        ({'max_faces': 99}, InvalidParameterValueException),
        ({'image_transport': 'theora'}, InvalidParameterValueException),
        ({'max_faces': 'two'}, InvalidParameterTypeException),
    ],
)
def test_wrong_start_values_are_refused(live, parameters, error):
    with pytest.raises(error):
        live.add(BlendshapeNode, **parameters)


def test_a_whole_number_is_taken_for_one_with_a_point(live):
    node = live.add(EmotionNode, autostart=False, min_confidence=0, hysteresis=2)
    assert [node.parameters[name] for name in ('min_confidence', 'hysteresis')] == [0.0, 2.0]
    parameters = [Parameter('hysteresis', value=3), Parameter('face_timeout_s', value=0)]
    request = SetParameters.Request(parameters=[p.to_parameter_msg() for p in parameters])
    answers = live.call(SetParameters, '/emotion_node/set_parameters', request).results
    assert [answer.successful for answer in answers] == [True, False]
    assert 'out of range' in answers[1].reason
    for name, value in (('hysteresis', 3.0), ('face_timeout_s', 1.0)):
        kept = node.get_parameter(name).value
        assert (type(kept), kept, node.parameters[name]) == (float, value, value)


def test_fixed_parameters_stay_while_the_node_is_configured(live, landmarker_path):
    node = add(live, landmarker_path)
    assert live.change(node, 'configure')
    reason = node.set_parameters([Parameter('max_faces', value=3)])[0].reason
    assert 'deactivate and clean up the node' in reason
    # What `ros2 param dump` wrote can be loaded again, but for what is read-only.
    dumped = [Parameter(name, value=value) for name, value in node.parameters.items()]
    reasons = {result.reason for result in node.set_parameters(dumped)} - {''}
    assert reasons == {'Trying to set a read-only parameter: allow_remote_paths.'}
    assert live.change(node, 'cleanup')
    assert node.set_parameters([Parameter('max_faces', value=3)])[0].successful


@pytest.mark.parametrize(
    'policy, value', [('reliability', 'maybe'), ('depth', -5), ('depth', 10**12), ('depth', 'x')]
)
def test_wrong_qos_overrides_are_reported(live, capfd, policy, value):
    name = f'qos_overrides./blendshapes.subscription.{policy}'
    node = live.add(EmotionNode, autostart=False, **{name: value})
    assert live.change(node, 'configure')
    assert not live.change(node, 'activate')
    assert live.state(node) == 'inactive'
    said = capfd.readouterr().err
    assert 'A value of qos_overrides./blendshapes.subscription cannot be used: ' in said
    assert 'Traceback' not in said


def test_every_parameter_says_what_it_is_and_when_it_is_fixed(live):
    node = live.add(BlendshapeNode, autostart=False)
    assert all(node.describe_parameter(name).description[-1] == '.' for name in node.parameters)
    said = node.describe_parameter('rotate').additional_constraints
    assert said == 'one of: 0, 90, 180, 270; fixed while the node is configured'


# Whoever may set parameters may name any file.


def evil_files(folder):
    """Make what hangs or fills a reader that believes in it; gives paths by kind."""
    paths = {
        name: folder / f'{name}.npz' for name in ('fifo', 'loop', 'sparse', 'garbage', 'text')
    }
    os.mkfifo(paths['fifo'])
    paths['loop'].symlink_to(paths['loop'])
    with paths['sparse'].open('wb') as file:
        file.truncate(1 << 40)
    paths['garbage'].write_bytes(
        bytes(np.random.default_rng(1).integers(0, 256, 100_000, np.uint8))
    )
    paths['text'].write_text('just text')
    paths['bomb'] = folder / 'bomb.npz'
    with zipfile.ZipFile(paths['bomb'], 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('schema.npy', npy_of(np.array(3)))
        archive.writestr('template.npy', npy_of(np.zeros(50_000_000, np.uint8)))
        archive.writestr('face_detector.tflite', bytes(50_000_000))
    paths['promise'] = folder / 'promise.npz'
    header = io.BytesIO()
    fields = {'descr': '<f4', 'fortran_order': False, 'shape': (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, fields)
    with zipfile.ZipFile(paths['promise'], 'w') as archive:
        archive.writestr('schema.npy', npy_of(np.array(3)))
        archive.writestr('template.npy', header.getvalue())
    return {**paths, 'folder': folder, 'zero': '/dev/zero', 'long': folder / ('x' * 5000)}


def npy_of(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.mark.parametrize(
    'node_class, name, shipped, path',
    [
        (BlendshapeNode, 'landmarker', '', 'face_landmarker.task'),
        (BlendshapeNode, 'detector', '', 'detector.onnx'),
        (BlendshapeNode, 'encoding', '', '/tmp/encoding.npz'),
        (EmotionNode, 'model', 'basic7_blendshapes', './model'),
        (EmotionNode, 'model', 'basic7_blendshapes', '~'),
        (BlendshapeNode, 'encoding', '', '~root'),
    ],
)
def test_after_the_start_others_set_names_but_no_paths(live, node_class, name, shipped, path):
    node = live.add(node_class, autostart=False)
    (result,) = node.set_parameters([Parameter(name, value=path)])
    assert not result.successful
    assert f'{name} names a file' in result.reason
    assert node.set_parameters([Parameter(name, value=shipped)])[0].successful
    assert not node.set_parameters([Parameter('allow_remote_paths', value=True)])[0].successful


@pytest.mark.parametrize('name', ['landmarker', 'detector', 'encoding', 'model'])
def test_files_that_hang_or_fill_a_node_cost_a_sentence_within_a_second(
    live, landmarker_path, tmp_path, name, capfd
):
    named = {} if name in ('landmarker', 'model') else {'landmarker': str(landmarker_path)}
    node_class = EmotionNode if name == 'model' else BlendshapeNode
    node = live.add(node_class, autostart=False, allow_remote_paths=True, **named)
    for kind, path in evil_files(tmp_path).items():
        if name == 'model' and kind not in ('folder', 'long'):
            model = tmp_path / f'model of {kind}'
            model.mkdir()
            (model / 'metadata.json').symlink_to(path)
            path = model
        (result,) = node.set_parameters([Parameter(name, value=str(path))])
        assert result.successful
        capfd.readouterr()
        start_s = time.monotonic()
        assert not live.change(node, 'configure'), kind
        assert time.monotonic() - start_s < patience(), kind
        said = capfd.readouterr().err
        assert str(tmp_path)[:150] in said or path == '/dev/zero', kind
        assert not any(word in said for word in ('Traceback', 'pickle', 'max_header')), kind
        assert live.state(node) == 'unconfigured'


# A node's files are fetched before its lifecycle, which no bad network holds up or ends.


CONFIGURE = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))


class Started:
    """A process of blendshape_node, with an empty cache and sources of the test's own."""

    def __init__(self, live, folder, publisher_url, index_url, *arguments):
        self._live = live
        self._said = folder / 'said'
        command = [sys.executable, '-m', 'emotion_estimator.nodes.blendshape_node', '--ros-args']
        with self._said.open('w') as said:
            self.process = subprocess.Popen(
                [*command, '-p', 'autostart:=false', *arguments],
                stdout=said,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    **environment(folder, index_url),
                    # What publishers publish has https addresses; the index here has http.
                    'https_proxy': publisher_url,
                    'HTTPS_PROXY': publisher_url,
                    'ROS_DOMAIN_ID': str(live.domain_id),
                },
                # Tests that a shell runs in the background inherit that the signal is ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def said(self):
        return self._said.read_text()

    def configure(self):
        """Ask for the transition; tells whether it succeeded and how long the answer took."""
        client = self._live.tester.create_client(ChangeState, '/blendshape_node/change_state')
        self._live.until(client.service_is_ready, 'the node', timeout_s=90)
        start_s = time.monotonic()
        future = client.call_async(CONFIGURE)
        self._live.until(future.done, 'the answer')
        return future.result().success, time.monotonic() - start_s

    def children(self):
        """Give what the process has started, such as pip."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def interrupt(self, number=signal.SIGINT):
        """Press Ctrl-C, which comes twice under launch; gives the seconds until the end."""
        start_s = time.monotonic()
        children = self.children()
        self.process.send_signal(number)
        self.process.send_signal(number)
        assert self.process.wait(timeout=20) == 0, self.said
        assert 'Traceback' not in self.said
        assert not [pid for pid in children if Path(f'/proc/{pid}').exists()]
        return time.monotonic() - start_s


@pytest.fixture
def start(live, tmp_path):
    """Start a node; kills it where a test left it."""
    started = []

    def run(*arguments):
        started.append(Started(live, tmp_path, *arguments))
        return started[-1]

    yield run
    for each in started:
        each.process.kill()
        each.process.wait()


def test_where_all_sources_say_nothing_the_node_comes_up_and_says_what_to_do(start):
    with serving(silent) as server:
        node = start(server.url, server.url)
        success, took_s = node.configure()
        assert server.count == 3  # the landmarker from both sources, the detector from its only
    assert not success
    assert took_s < 5 * patience()
    assert node.said.count('face_landmarker.task is not on this machine') >= 2
    assert '`ros2 run emotion_estimator fetch_assets` fetches it' in node.said
    node.interrupt()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('source', ['publisher', 'index'])
def test_ctrl_c_during_the_fetch_ends_the_process_quietly(start, source, number):
    with serving(silent) as server:
        urls = {'publisher': closed_url(), 'index': closed_url(), source: server.url}
        node = start(urls['publisher'], urls['index'])
        assert server.asked.acquire(timeout=40), node.said
        assert bool(node.children()) == (source == 'index')
        assert node.interrupt(number) < 2 * patience()


def test_where_a_parameter_file_names_the_landmarker_nothing_is_fetched(
    start, landmarker_path, tmp_path
):
    parameters = tmp_path / 'mine.yaml'
    parameters.write_text(
        '/**:\n  ros__parameters:\n'
        f'    landmarker: {landmarker_path}\n'
        '    detection_rate_hz: 0.0\n'
    )
    with serving(silent) as server:
        node = start(server.url, server.url, '--params-file', str(parameters))
        success, _ = node.configure()
        assert server.count == 0
    assert success, node.said
    node.interrupt()


@pytest.mark.parametrize(
    'set_values, wanted',
    [
        ({}, [FACE_LANDMARKER, FACE_DETECTOR]),
        ({'landmarker': 'mine.task'}, [FACE_DETECTOR]),
        ({'detector': 'mine.onnx'}, [FACE_LANDMARKER]),
        ({'detection_rate_hz': 0.0}, [FACE_LANDMARKER]),
        ({'ros4hri_input': True}, [FACE_LANDMARKER]),
        ({'landmarker': 'mine.task', 'ros4hri_input': True}, []),
    ],
)
def test_what_is_fetched_is_what_the_parameters_ask_for(set_values, wanted):
    assert blendshape_node_assets(set_values) == wanted
