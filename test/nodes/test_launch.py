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

"""The launch file, where launch is installed."""

import importlib
import importlib.util

import pytest

from emotion_estimator.files import AssetError, find_shared_file

pytest.importorskip('launch.actions', reason='launch is in no package registry; ROS has it.')
pytest.importorskip('launch_ros', reason='launch_ros is in no package registry; ROS has it.')
LaunchContext = importlib.import_module('launch').LaunchContext
evaluate_parameters = importlib.import_module('launch_ros.utilities').evaluate_parameters


@pytest.fixture
def module():
    path = find_shared_file('launch/emotion_estimator.launch.py')
    spec = importlib.util.spec_from_file_location('emotion_estimator_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nodes(module, **arguments):
    context = LaunchContext()
    for name, default, _ in module.ARGUMENTS:
        context.launch_configurations[name] = arguments.get(name, default)
    return module.start(context)


def test_every_argument_is_described(module):
    declared = module.generate_launch_description().get_launch_arguments()
    names = {argument.name for argument in declared}
    assert names >= {'camera', 'image_transport', 'model', 'namespace', 'params_file'}
    assert all(len(argument.description) > 10 for argument in declared)


def test_one_process_or_two(module):
    assert len(nodes(module)) == 1
    assert len(nodes(module, one_process='false')) == 2


@pytest.mark.parametrize(
    'arguments, sentence',
    [
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
        ({'respawn': 'often'}, 'respawn must be true or false'),
    ],
)
def test_wrong_arguments_are_told(module, arguments, sentence):
    with pytest.raises((ValueError, AssetError), match=sentence):
        nodes(module, **arguments)


def test_an_argument_that_is_not_known_is_told_where_the_command_line_is_this_file_s(module):
    command = ['ros2', 'launch', 'emotion_estimator', 'emotion_estimator.launch.py']
    module.refuse_unknown([*command, 'model:=basic7'])
    with pytest.raises(ValueError, match="no launch argument 'modle'; did you mean 'model'"):
        module.refuse_unknown([*command, 'modle:=basic7'])
    module.refuse_unknown(['ros2', 'launch', 'robot', 'robot.launch.py', 'speed:=3'])


def parameters_of(node, context):
    found = {}
    for entry in node._Node__parameters:
        evaluated = evaluate_parameters(context, [entry])[0]
        found |= evaluated if isinstance(evaluated, dict) else {}
    return found


def test_arguments_reach_the_nodes_and_leave_the_rest_to_the_parameter_file(module, tmp_path):
    context = LaunchContext()
    (node,) = nodes(module, max_faces='3', autostart='FALSE', model='basic7_blendshapes')
    assert parameters_of(node, context) == {
        'image_transport': 'raw',
        'max_faces': 3,
        'autostart': False,
        'model': 'basic7_blendshapes',
    }
    (node,) = nodes(module, camera='stretch')
    assert parameters_of(node, context) == {'image_transport': 'raw', 'rotate': 90}
    (node,) = nodes(module, camera='stretch', rotate='180')
    assert parameters_of(node, context) == {'image_transport': 'raw', 'rotate': 180}
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**:\n  ros__parameters: {image_transport: compressed, use_sim_time: true}\n')
    (node,) = nodes(module, params_file=str(mine), use_sim_time='false')
    assert parameters_of(node, context) == {'use_sim_time': False}


@pytest.mark.parametrize('respawn', ['true', 'false'])
def test_a_process_that_died_is_started_again_unless_it_is_not_to_be(module, respawn):
    for node in nodes(module, one_process='false', respawn=respawn):
        assert node._ExecuteLocal__respawn is (respawn == 'true')
        assert node._ExecuteLocal__respawn_delay == 2
