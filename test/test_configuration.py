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

"""The parameter file states what the nodes declare; viewers show what the nodes publish."""

import json

import pytest
import yaml

from emotion_estimator.drawing.palette import COLOURS
from emotion_estimator.files import find_shared_file
from emotion_estimator.nodes import blendshape_node, emotion_node


@pytest.mark.parametrize('module', [blendshape_node, emotion_node])
def test_every_parameter_stands_in_the_file_with_its_default(module):
    path = find_shared_file('config/emotion_estimator.yaml')
    name = module.__name__.rpartition('.')[2]
    found = yaml.safe_load(path.read_text())[f'/**/{name}']['ros__parameters']
    assert found.pop('autostart') is True
    assert found == {spec.name: spec.default for spec in module.SPECS}


@pytest.mark.parametrize('module', [blendshape_node, emotion_node])
def test_every_parameter_is_described_in_a_sentence(module):
    assert all(spec.description.endswith('.') for spec in module.SPECS)


def test_rviz_shows_the_annotated_image_and_the_frames():
    path = find_shared_file('config/emotion_estimator.rviz')
    manager = yaml.safe_load(path.read_text())['Visualization Manager']
    displays = {display['Class'].rpartition('/')[2]: display for display in manager['Displays']}
    assert displays['Image']['Topic']['Value'] == '/annotated_image'
    assert displays['TF']['Show Names'] is True
    assert manager['Global Options']['Fixed Frame'] == 'camera'
    assert all(display['Enabled'] for display in displays.values())


def test_foxglove_lays_out_every_panel_that_it_configures():
    layout = json.loads(find_shared_file('config/emotion_estimator.foxglove.json').read_text())

    def panels(part):
        return {part} if isinstance(part, str) else panels(part['first']) | panels(part['second'])

    assert panels(layout['layout']) == set(layout['configById'])
    assert layout['configById']['Image!annotated']['imageMode']['imageTopic'] == '/annotated_image'
    curves = layout['configById']['Plot!scores']['paths']
    assert {curve['label'] for curve in curves} == set(COLOURS)
    for curve in curves:
        assert curve['value'] == f'/emotion.results[:]{{class_id=="{curve["label"]}"}}.score'
        assert bytes.fromhex(curve['color'][1:]) == bytes(COLOURS[curve['label']])
