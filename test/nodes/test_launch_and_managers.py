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

"""The launch file, and both nodes under whoever else manages life cycles."""

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetState

from emotion_estimator.files import AssetError, find_shared_file
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.parameters import read_parameters


@pytest.fixture
def launch_file(tmp_path, monkeypatch):
    """Import the launch file; the tests of it are skipped where launch is not installed."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))  # for its parameter files
    for name in ('launch.actions', 'launch_ros'):
        pytest.importorskip(name, reason='launch is in no package registry; ROS has it.')
    path = find_shared_file('launch/emotion_estimator.launch.py')
    spec = importlib.util.spec_from_file_location('emotion_estimator_launch', path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def launched(launch_file, context=None, **arguments):
    context = context or importlib.import_module('launch').LaunchContext()
    context.launch_configurations.update({n: d for n, d, _ in launch_file.ARGUMENTS} | arguments)
    return launch_file.start(context)


def test_every_argument_is_described(launch_file):
    declared = launch_file.generate_launch_description().get_launch_arguments()
    assert {argument.name for argument in declared} >= {'camera', 'model', 'params_file'}
    assert all(len(argument.description) > 10 for argument in declared)


def test_the_live_view_comes_beside_the_nodes_and_is_not_started_again(launch_file, tmp_path):
    _, view = launched(launch_file, view='true')
    (mine := tmp_path / 'mine.yaml').write_text(SHIPPED_BEHIND)
    asked = {'view': 'true', 'view_port': '8081', 'use_sim_time': 'true', 'params_file': str(mine)}
    *_, words = commands(launch_file, (), asked)
    assert words[:4] == ['--host', 'localhost', '--port', '8081']
    files = [after for word, after in pairwise(words) if word == '--params-file']
    assert files[0] == str(mine) and 'use_sim_time: true' in Path(files[1]).read_text()
    assert view._ExecuteLocal__respawn is False
    assert 'log' not in str(view.output['stdout'])  # which holds the token


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        ({'view': 'perhaps'}, 'view must be true or false'),
        ({'one_process': 'maybe'}, 'one_process must be true or false'),
        ({'camera': 'hal9000'}, "no camera 'hal9000'"),
        ({'camera': '/a b/image'}, "'/a b/image' is no image topic"),
        ({'log_level': 'loud'}, 'log_level must be one of debug, info, warn, error, fatal'),
        ({'namespace': 'a-b'}, 'namespace must be names of letters'),
        ({'params_file': '/nowhere.yaml'}, 'parameter file /nowhere.yaml cannot be read'),
        ({'params_file': '/tmp'}, '/tmp cannot be read: it is a folder'),
        ({'model': 'nonesuch'}, "There is no model 'nonesuch'"),
        ({'model': '/tmp'}, '/tmp/metadata.json cannot be read'),
        ({'image_transport': 'theora'}, 'image_transport must be one of raw, compressed'),
        ({'max_faces': '99'}, 'max_faces must lie between 1 and 10'),
        ({'max_faces': 'two'}, 'max_faces must be a whole number'),
        ({'rotate': '45'}, 'rotate must be one of 0, 90, 180, 270, not 45'),
        ({'autostart': 'later'}, 'autostart must be true or false'),
        ({'view_port': 'http'}, "view_port must be a whole number from 0 to 65535, not 'http'"),
        ({'view_port': '65536'}, "view_port must be a whole number from 0 to 65535, not '65536'"),
        ({'respawn': 'often'}, 'respawn must be true or false'),
    ],
)
def test_wrong_arguments_are_reported(launch_file, arguments, sentence):
    with pytest.raises((ValueError, AssetError), match=sentence):
        launched(launch_file, **arguments)


def test_an_unknown_argument_is_reported_where_the_command_line_is_this_file_s(launch_file):
    command = ['ros2', 'launch', 'emotion_estimator', 'emotion_estimator.launch.py']
    launch_file.refuse_unknown([*command, 'model:=basic7'])
    with pytest.raises(ValueError, match="no launch argument 'modle'; did you mean 'model'"):
        launch_file.refuse_unknown([*command, 'modle:=basic7'])
    launch_file.refuse_unknown(['ros2', 'launch', 'robot', 'robot.launch.py', 'speed:=3'])


def commands(launch_file, before, arguments):
    """Give the arguments of each process, where a launch file has other actions before ours."""
    context = importlib.import_module('launch').LaunchContext()
    perform = importlib.import_module('launch.utilities').perform_substitutions
    for name, *values in before:
        getattr(importlib.import_module('launch_ros.actions'), name)(*values).execute(context)
    for node in launched(launch_file, context, **arguments):
        node._perform_substitutions(context)
        renamed = {
            'name': f'__node:={node.node_name.rpartition("/")[2]}',
            'ns': f'__ns:={node.expanded_node_namespace}',
        }
        context.extend_locals({'ros_specific_arguments': renamed})
        yield [perform(context, word) for word in node.cmd[1:]]


def parameters_of_nodes(live, commands):
    """Start the nodes as launch does; gives the values of each parameter, by name."""
    both = (BlendshapeNode, EmotionNode)
    found = defaultdict(set)
    for words, node_classes in zip(commands, zip(both) if len(commands) > 1 else [both]):
        context = rclpy.Context()
        rclpy.init(args=words, context=context, domain_id=live.domain_id)
        for node_class in node_classes:
            node = node_class(context=context)
            for name in (*node.parameters, 'use_sim_time'):
                found[name].add(node.get_parameter(name).value)
            node.close()
            node.destroy_node()
        rclpy.shutdown(context=context)
    return found


SIM_TIME = ('SetParameter', 'use_sim_time', False)
PUSHED = ('PushRosNamespace', 'top')
SHIPPED = find_shared_file('config/emotion_estimator.yaml').read_text()
SHIPPED_BEHIND = '/**: {ros__parameters: {use_sim_time: false}}\n' + SHIPPED
IN_TOP = '/top/robot1/*: {ros__parameters: {max_faces: 3}}'
FOR_ALL = '/**: {ros__parameters: {rotate: 270}}'
OTHERS = 'republisher: {ros__parameters: {image_transport: raw, rotate: 0}}'
NESTED = (
    'robot1: {blendshape_node: {ros__parameters: {image_transport: compressed, max_faces: 4}}}'
)
EXACT_FIRST = """
/robot1/blendshape_node: {ros__parameters: {max_faces: 4, rotate: 180}}
/**/blendshape_node: {ros__parameters: {max_faces: 5}}
/**: {ros__parameters: {max_faces: 6}}
"""
ROBOT1 = {'namespace': 'robot1'}
ASKED = {'max_faces': '2', 'rotate': '180', 'model': 'basic7_blendshapes', 'autostart': 'false'}
GIVEN = {'max_faces': 2, 'rotate': 180, 'model': 'basic7_blendshapes', 'autostart': False}


@pytest.mark.parametrize('one_process', ['true', 'false'])
@pytest.mark.parametrize(
    'before, file, arguments, expected',
    [
        ((), '', {}, {'max_faces': 1, 'image_transport': 'raw', 'autostart': True}),
        ((), '', ASKED, GIVEN),
        ((SIM_TIME,), '', ASKED, {**GIVEN, 'use_sim_time': False}),
        ((SIM_TIME,), '', {'use_sim_time': 'true'}, {'use_sim_time': True}),
        ((), SHIPPED_BEHIND, ASKED, {**GIVEN, 'use_sim_time': False}),
        ((), SHIPPED_BEHIND, {'use_sim_time': 'true'}, {'use_sim_time': True}),
        ((), EXACT_FIRST, ROBOT1, {'max_faces': 6, 'rotate': 180}),
        ((SIM_TIME,), EXACT_FIRST, {**ASKED, **ROBOT1}, GIVEN),
        ((PUSHED,), IN_TOP, {}, {'max_faces': 1}),
        ((PUSHED,), IN_TOP, ROBOT1, {'max_faces': 3}),
        # The preset of a camera.
        ((), '', {'camera': 'stretch'}, {'rotate': 90}),
        ((), '', {'camera': 'stretch', 'rotate': '180'}, {'rotate': 180}),
        ((SIM_TIME,), '', {'camera': 'stretch'}, {'rotate': 90}),
        ((SIM_TIME, PUSHED), '', {'camera': 'reachy2'}, {'image_transport': 'compressed'}),
        ((), '', {'camera': 'pepper_nao'}, {'max_absence_s': 8.0, 'face_timeout_s': 8.0}),
        ((), OTHERS, {'camera': 'stretch'}, {'rotate': 90}),
        ((SIM_TIME,), OTHERS, {'camera': 'reachy2'}, {'image_transport': 'compressed'}),
        ((), NESTED, {'camera': 'reachy2'}, {'image_transport': 'compressed', 'max_faces': 1}),
        ((), NESTED, ROBOT1, {'image_transport': 'compressed', 'max_faces': 4}),
        ((SIM_TIME,), FOR_ALL, {'camera': 'stretch'}, {'rotate': 270}),
    ],
)
def test_an_argument_beats_the_parameter_file_which_beats_the_camera_s_preset(
    live, launch_file, tmp_path, before, file, arguments, one_process, expected
):
    if file:
        mine = tmp_path / 'mine.yaml'
        mine.write_text(file)
        arguments = {**arguments, 'params_file': str(mine)}
    started = list(commands(launch_file, before, {**arguments, 'one_process': one_process}))
    assert len(started) == (1 if one_process == 'true' else 2)
    found = parameters_of_nodes(live, started)
    assert {name: found[name] for name in expected} == {
        name: {value} for name, value in expected.items()
    }


@pytest.mark.parametrize(
    'file',
    [
        'blendshape_node: {ros__parameters: {max_faces: 4}}',
        '/robot1/blendshape_node: {ros__parameters: {max_faces: 4}}',
        '/robot1: {blendshape_node: {ros__parameters: {max_faces: 4}}}',
        '/**: {blendshape_node: {ros__parameters: {max_faces: 4}}, ros__parameters: {rotate: 90}}',
        '/*: {ros__parameters: {max_faces: 4}}',
        '/*/blendshape_node: {ros__parameters: {max_faces: 4}}',
        '/robot1/**: {ros__parameters: {max_faces: 4}}',
        '/robot1/**: {ros__parameters: {max_faces: 4}}\n/**: {ros__parameters: {max_faces: 5}}',
        '/robot1/emotion_node: {ros__parameters: {max_faces: 4}}\n/**: {ros__parameters: {}}',
    ],
)
def test_what_is_checked_before_the_start_is_what_the_node_then_has(live, tmp_path, file):
    mine = tmp_path / 'mine.yaml'
    mine.write_text(file)
    for namespace in ('', '/robot1', '/top/robot1'):
        words = ['--ros-args', '-r', f'__ns:={namespace or "/"}', '--params-file', str(mine)]
        found = parameters_of_nodes(live, [words])
        checked = read_parameters(mine, namespace=namespace).blendshape_node
        for name in ('max_faces', 'rotate'):
            assert found[name] == {checked[name]}, namespace


@pytest.mark.parametrize('respawn', ['true', 'false'])
def test_a_process_that_died_is_started_again_unless_it_is_not_to_be(launch_file, respawn):
    for node in launched(launch_file, one_process='false', respawn=respawn):
        assert node._ExecuteLocal__respawn is (respawn == 'true')
        assert node._ExecuteLocal__respawn_delay == 2


ENDS = """
import os, signal, sys
with open(sys.argv[1], 'a') as file:
    file.write('x')
    starts = file.tell()
if starts > 2:  # one too many: launch would start it for ever
    os.kill(os.getppid(), signal.SIGINT)
sys.exit((1, 2, 2)[starts - 1])
"""


def test_a_process_whose_parameters_are_wrong_is_not_started_again(launch_file, tmp_path):
    launch = importlib.import_module('launch')
    (node,) = launched(launch_file)
    process = importlib.import_module('launch.actions').ExecuteProcess(
        cmd=[sys.executable, '-c', ENDS, str(tmp_path / 'starts')],
        respawn=True,
        respawn_delay=launch_file.RESPAWN_DELAY_S,
        on_exit=node._ExecuteLocal__on_exit,
    )
    service = launch.LaunchService(argv=[])
    service.include_launch_description(launch.LaunchDescription([process]))
    assert service.run() == 0
    assert (tmp_path / 'starts').read_text() == 'xx'


def test_a_parameter_file_for_other_nodes_is_told(launch_file, tmp_path, monkeypatch):
    said, mine = [], tmp_path / 'mine.yaml'
    monkeypatch.setattr(launch_file.LOG, 'warning', said.append)
    mine.write_text(NESTED)  # for robot1
    for namespace in ('robot1', 'robot2'):
        launched(launch_file, namespace=namespace, params_file=str(mine))
    assert said == [f'{mine} sets nothing for /robot2/blendshape_node or /robot2/emotion_node.']


def test_a_parameter_file_stays_until_launch_ends(launch_file):
    code = "import runpy, sys; print(open(runpy.run_path(sys.argv[1])['parameter_file']('', {})))"
    said = subprocess.check_output([sys.executable, '-c', code, launch_file.__file__], text=True)
    assert not Path(said.split("'")[1]).exists()


# Both nodes under Nav2's manager, and under launch_ros's own start.


REACHED = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: State.PRIMARY_STATE_FINALIZED,
}
UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


class Managed:
    """Both nodes, and the calls that Nav2's lifecycle_manager makes of `node_names`."""

    def __init__(self, live, landmarker_path, autostart):
        self.live = live
        self.nodes = [
            live.add(
                BlendshapeNode,
                autostart,
                landmarker=str(landmarker_path),
                detection_rate_hz=0.0,
            ),
            live.add(EmotionNode, autostart),
        ]
        self.names = ['blendshape_node', 'emotion_node']

    def change(self, name, transition):
        """Change a node's state, and look that it is as it has to be, as Nav2 does."""
        request = ChangeState.Request(transition=Transition(id=transition))
        changed = self.live.call(ChangeState, f'{name}/change_state', request).success
        return changed and self.state(name) == REACHED[transition]

    def state(self, name):
        return self.live.call(GetState, f'{name}/get_state', GetState.Request()).current_state.id

    def change_all(self, *transitions):
        """Bring one node after the other up, and down in the opposite order."""
        for transition in transitions:
            names = self.names if transition in UP else self.names[::-1]
            for name in names:
                assert self.change(name, transition), f'{name}: transition {transition}'


def test_nav2_s_manager_starts_pauses_resumes_resets_and_shuts_down_both_nodes(
    live, landmarker_path
):
    managed = Managed(live, landmarker_path, autostart=False)
    managed.change_all(*UP)
    managed.change_all(Transition.TRANSITION_DEACTIVATE)
    managed.change_all(Transition.TRANSITION_ACTIVATE)
    managed.change_all(*DOWN)
    managed.change_all(*UP)
    managed.change_all(*DOWN, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


def test_a_node_that_started_by_itself_refuses_to_be_started_again_and_stays_active(
    live, landmarker_path
):
    managed = Managed(live, landmarker_path, autostart=True)
    active = State.PRIMARY_STATE_ACTIVE
    for name, node in zip(managed.names, managed.nodes):
        live.until(lambda n=name: managed.state(n) == active, f'{name} active')
        for transition in UP:
            assert not managed.change(name, transition)
        assert managed.state(name) == active
        assert node.statistics.report().refused == 0


LAUNCHED = """
import inspect, sys
from launch import LaunchDescription, LaunchService
from launch_ros.actions import LifecycleNode, LifecycleTransition
code, name, autostart = sys.argv[1:]
options = dict(
    executable=sys.executable, arguments=['-c', code], name=name, namespace='',
    parameters=[{'autostart': autostart == 'True'}],
)
if 'autostart' in inspect.signature(LifecycleNode.__init__).parameters:
    actions = [LifecycleNode(**options, autostart=True)]
else:  # what it does, before it had a name
    changes = LifecycleTransition(lifecycle_node_names=['/' + name], transition_ids=[1, 3])
    actions = [LifecycleNode(**options), changes]
service = LaunchService(argv=[])
service.include_launch_description(LaunchDescription(actions))
sys.exit(service.run())
"""


@pytest.mark.parametrize('autostart', [False, True])
def test_launch_ros_s_own_start_and_ours_leave_the_node_active(live, launch_file, autostart):
    code = "from emotion_estimator.commands import main; raise SystemExit(main('emotion_node'))"
    events = live.listen(TransitionEvent, '/emotion_node/transition_event')
    launched = subprocess.Popen(
        [sys.executable, '-c', LAUNCHED, code, 'emotion_node', str(autostart)],
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    served = '/emotion_node/get_state'

    def state():
        return live.call(GetState, served, GetState.Request()).current_state.label

    try:
        live.until(lambda: live.tester.count_services(served), 'the node', timeout_s=60)
        live.until(lambda: state() == 'active', 'the active node')
        # Whoever comes second is refused; it comes while this is waited for, or not at all.
        live.spin(2.0)
        assert state() == 'active'
        assert [e.goal_state.label for e in events if e.goal_state.label == 'finalized'] == []
    finally:
        # As Ctrl-C does: SIGTERM would end launch and leave the node.
        launched.send_signal(signal.SIGINT)
        said, _ = launched.communicate(timeout=60)
    assert 'process has finished cleanly' in said
    assert 'Traceback' not in said
