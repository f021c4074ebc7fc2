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

"""Imports go in one direction: what a room may know is stated here."""

import ast
from pathlib import Path

import pytest

import emotion_estimator

ROOT = Path(emotion_estimator.__file__).parent
ROS = {
    'rclpy',
    'sensor_msgs',
    'std_msgs',
    'geometry_msgs',
    'tf2_msgs',
    'vision_msgs',
    'hri_msgs',
    'builtin_interfaces',
    'diagnostic_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'rosgraph_msgs',
    'cv_bridge',
}
# Room -> rooms of this package that it may import.
MAY_IMPORT = {
    'stamps': set(),
    'blendshapes': set(),
    'action_units': {'blendshapes'},
    'asset_sources': set(),
    'files': set(),
    'assets': {'asset_sources', 'files'},
    'fetch_assets': {'assets', 'files'},
    'cameras': {'files'},
    'interrupts': set(),
    'native_output': set(),
    'faces': {'faces', 'action_units', 'assets', 'blendshapes', 'files', 'stamps'},
    'emotion': {'emotion', 'blendshapes', 'stamps'},
    'messages': {'messages', 'faces', 'emotion', 'blendshapes', 'stamps'},
    'drawing': {'drawing', 'faces'},
    'evaluation': {
        'evaluation',
        'faces',
        'emotion',
        'blendshapes',
        'cameras',
        'assets',
        'files',
        'stamps',
    },
    'playing': {'playing', 'evaluation', 'interrupts', 'stamps'},
    'nodes': {
        'nodes',
        'messages',
        'drawing',
        'faces',
        'emotion',
        'assets',
        'files',
        'interrupts',
        'stamps',
    },
    'demo': {
        'demo',
        'nodes',
        'drawing',
        'messages',
        'emotion',
        'assets',
        'files',
        'interrupts',
        'native_output',
        'stamps',
    },
}
WITH_ROS = {'messages', 'nodes', 'demo', 'playing'}
FILES = sorted(path for path in ROOT.rglob('*.py') if path != ROOT / '__init__.py')


def room_of(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return parts[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            yield from (names if node.module == 'emotion_estimator' else [node.module])


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_lies_below_it(path):
    room = room_of(path)
    for name in imported(path):
        top, _, rest = name.partition('.')
        if top == 'emotion_estimator':
            assert rest.split('.')[0] in MAY_IMPORT[room], f'{room} imports {name}'
        assert top not in ('tensorflow', 'keras', 'training'), f'{room} imports {name}'
        assert room in WITH_ROS or top not in ROS, f'{room} imports {name}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_at_home_under_400_lines(path):
    licence = 14
    assert len(path.read_text(encoding='utf-8').splitlines()) - licence < 400


@pytest.mark.parametrize('path', sorted((ROOT / 'evaluation' / 'metrics').glob('*.py')))
def test_the_measures_know_numbers_alone(path):
    known = ('numpy', 'collections', 'dataclasses', 'functools', '__future__', 'typing')
    own = ('emotion_estimator.evaluation.metrics', 'emotion_estimator.stamps')
    for name in imported(path):
        assert name.startswith(own) or name.partition('.')[0] in known, name
