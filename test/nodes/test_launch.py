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

from emotion_estimator.files import find_shared_file

pytest.importorskip('launch.actions', reason='launch is in no package registry; ROS has it.')
pytest.importorskip('launch_ros', reason='launch_ros is in no package registry; ROS has it.')


@pytest.fixture
def module():
    path = find_shared_file('launch/emotion_estimator.launch.py')
    spec = importlib.util.spec_from_file_location('emotion_estimator_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nodes(module, **arguments):
    context = importlib.import_module('launch').LaunchContext()
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


def test_wrong_arguments_are_told(module):
    with pytest.raises(ValueError, match='one_process must be true or false'):
        nodes(module, one_process='maybe')
    with pytest.raises(ValueError, match="no camera 'hal9000'"):
        nodes(module, camera='hal9000')
