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

import pytest
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.parameter import Parameter

from emotion_estimator.nodes.blendshape_node import BlendshapeNode


def add(live, landmarker_path, **parameters):
    return live.add(BlendshapeNode, autostart=False, landmarker=str(landmarker_path), **parameters)


@pytest.mark.parametrize(
    'content, sentence', [(None, 'nowhere'), (b'PK\x03\x04 truncated', 'MediaPipe cannot use')]
)
def test_a_wrong_landmarker_file_fails_the_transition_and_can_be_mended(
    live, landmarker_path, tmp_path, content, sentence, capfd
):
    path = tmp_path / 'nowhere.task'
    if content is not None:
        path.write_bytes(content)
    node = live.add(BlendshapeNode, autostart=False, landmarker=str(path))
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
    told = capfd.readouterr().err
    assert sentence in told
    assert 'Traceback' not in told
    (result,) = node.set_parameters([Parameter('encoding', value='')])
    assert result.successful
    assert live.change(node, 'configure')


@pytest.mark.parametrize(
    'name, value, sentence',
    [
        ('max_faces', 0, 'out of range'),
        ('min_detection_confidence', 1.5, 'out of range'),
        ('image_transport', 'theora', 'must be one of raw, compressed'),
        ('max_faces', 'two', 'Wrong parameter type'),
    ],
)
def test_wrong_parameter_values_are_refused_at_run_time(live, name, value, sentence):
    node = live.add(BlendshapeNode, autostart=False)
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert sentence in result.reason


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


def test_fixed_parameters_stay_while_the_node_is_configured(live, landmarker_path):
    node = add(live, landmarker_path)
    assert live.change(node, 'configure')
    (result,) = node.set_parameters([Parameter('max_faces', value=3)])
    assert not result.successful
    assert 'deactivate and clean up the node' in result.reason
    assert live.change(node, 'cleanup')
    (result,) = node.set_parameters([Parameter('max_faces', value=3)])
    assert result.successful


def test_every_parameter_has_a_description(live):
    node = live.add(BlendshapeNode, autostart=False)
    names = ['image_transport', 'max_faces', 'max_absence_s', 'landmarker', 'ros4hri', 'autostart']
    assert all(node.describe_parameter(name).description.endswith('.') for name in names)
