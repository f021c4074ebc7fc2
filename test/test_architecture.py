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

"""Imports go in one direction, and files have one size: what a room may know is stated here."""

import ast
from pathlib import Path

import pytest

import emotion_estimator
from dev.house import lines_of_code, python_files

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
NAMES_AND_FILES = {'action_units', 'assets', 'blendshapes', 'files', 'stamps'}
BOTH_HALVES = {'faces', 'emotion', 'estimator', 'parameters'}
# Room -> rooms of this package that it may import, beside itself.
MAY_IMPORT = {
    'stamps': set(),
    'colours': set(),
    'blendshapes': set(),
    'asset_sources': set(),
    'files': set(),
    'action_units': {'blendshapes'},
    'assets': {'asset_sources', 'files'},
    'fetch_assets': {'assets', 'files'},
    'cameras': {'files'},
    'native_output': set(),
    'parameters': {'files', 'emotion'},
    'faces': NAMES_AND_FILES,
    'emotion': NAMES_AND_FILES,
    'estimator': NAMES_AND_FILES | BOTH_HALVES,
    'messages': NAMES_AND_FILES | BOTH_HALVES,
    'drawing': {'colours', 'faces'},
    'replay': NAMES_AND_FILES | BOTH_HALVES | {'cameras', 'messages'},
    'evaluation': NAMES_AND_FILES
    | BOTH_HALVES
    | {'cameras', 'colours', 'messages', 'native_output', 'replay'},
    'nodes': NAMES_AND_FILES | {'faces', 'emotion', 'messages', 'drawing', 'parameters'},
    'extras': NAMES_AND_FILES
    | BOTH_HALVES
    | {'colours', 'messages', 'drawing', 'native_output', 'nodes', 'replay'},
}
WITH_ROS = {'messages', 'nodes', 'extras'}
FILES = sorted(path for path in ROOT.rglob('*.py') if path != ROOT / '__init__.py')
MOST_LINES = 400
FEW_LINES_OF_CODE = 40


def room_of(path):
    return path.relative_to(ROOT).with_suffix('').parts[0]


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
            assert rest.split('.')[0] in MAY_IMPORT[room] | {room}, f'{room} imports {name}'
        assert top not in ('tensorflow', 'keras', 'training'), f'{room} imports {name}'
        assert room in WITH_ROS or top not in ROS, f'{room} imports {name}'


def test_no_file_of_the_project_is_longer_than_a_reader_can_hold():
    lines = {
        str(path): len(path.read_text(encoding='utf-8').splitlines()) for path in python_files()
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_a_small_file_serves_two_others_or_says_why_it_stands_alone():
    users = {}
    for path in FILES:
        for name in imported(path):
            users.setdefault(name, set()).add(path)
    alone = []
    for path in FILES:
        name = '.'.join(('emotion_estimator', *path.relative_to(ROOT).with_suffix('').parts))
        says_why = 'of its own because' in path.read_text(encoding='utf-8')
        small = path.name != '__init__.py' and lines_of_code(path) < FEW_LINES_OF_CODE
        if small and len(users.get(name, ())) < 2 and not says_why:
            alone.append(name)
    assert alone == []
