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
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import emotion_estimator
from dev.generated import PAGES, ROOT
from dev.house import lines_of_code, python_files
from emotion_estimator.cameras import (
    Camera,
    CameraError,
    advice_for_rate,
    find_camera,
    read_camera,
)
from emotion_estimator.colours import COLOURS
from emotion_estimator.files import find_shared_file, write_whole
from emotion_estimator.parameters import NODES, NodeParameters, without_effect

PACKAGE = Path(emotion_estimator.__file__).parent
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
NAMES_AND_FILES = {'assets', 'blendshapes', 'files', 'stamps'}
BOTH_HALVES = {'faces', 'emotion', 'estimator', 'parameters'}
# Room -> rooms of this package that it may import, beside itself.
MAY_IMPORT = {
    'commands': {'files'},
    'stamps': set(),
    'colours': set(),
    'blendshapes': set(),
    'asset_sources': set(),
    'files': set(),
    'assets': {'asset_sources', 'files'},
    'cameras': {'files', 'parameters'},
    'parallel': set(),
    'parameters': {'files', 'emotion'},
    'faces': NAMES_AND_FILES,
    'emotion': NAMES_AND_FILES,
    'estimator': NAMES_AND_FILES | BOTH_HALVES,
    'messages': NAMES_AND_FILES | BOTH_HALVES,
    'drawing': {'colours', 'faces', 'files'},
    'replay': NAMES_AND_FILES | BOTH_HALVES | {'cameras', 'messages', 'parallel'},
    'evaluation': NAMES_AND_FILES
    | BOTH_HALVES
    | {'cameras', 'colours', 'messages', 'parallel', 'replay'},
    'nodes': NAMES_AND_FILES
    | {'cameras', 'faces', 'emotion', 'messages', 'drawing', 'parameters'},
    'view': NAMES_AND_FILES | BOTH_HALVES | {'colours', 'drawing', 'messages', 'nodes', 'replay'},
    'extras': NAMES_AND_FILES
    | BOTH_HALVES
    | {'colours', 'messages', 'drawing', 'nodes', 'replay', 'view'},
}
WITH_ROS = {'messages', 'nodes', 'extras', 'view'}
FILES = sorted(path for path in PACKAGE.rglob('*.py') if path != PACKAGE / '__init__.py')
MOST_LINES = 400
FEW_LINES_OF_CODE = 40


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            yield from (names if node.module == 'emotion_estimator' else [node.module])


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path):
    room = room_of(path)
    for name in imported(path):
        top, _, rest = name.partition('.')
        if top == 'emotion_estimator':
            assert rest.split('.')[0] in MAY_IMPORT[room] | {room, 'commands'}, (
                f'{room} imports {name}'
            )
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
        name = '.'.join(('emotion_estimator', *path.relative_to(PACKAGE).with_suffix('').parts))
        says_why = 'of its own because' in path.read_text(encoding='utf-8')
        small = path.name != '__init__.py' and lines_of_code(path) < FEW_LINES_OF_CODE
        if small and len(users.get(name, ())) < 2 and not says_why:
            alone.append(name)
    assert alone == []


@pytest.mark.parametrize('name', ['fastdds_large_images.xml', 'fastdds_received_images.xml'])
def test_fast_dds_announces_a_process_often_to_those_that_start_later(name):
    """By itself it does so every 3 s, and who starts hears of it no earlier."""
    profile = ElementTree.parse(find_shared_file(f'config/{name}')).getroot()
    (period,) = profile.findall('.//{*}leaseAnnouncement')
    assert period.findtext('{*}sec') is None
    assert int(period.findtext('{*}nanosec')) <= 250_000_000


# Presets of cameras, and topics given as they are.


PRESETS = sorted(find_shared_file('config/cameras').glob('*.yaml'))


@pytest.mark.parametrize('path', PRESETS, ids=lambda p: p.stem)
def test_every_preset_names_a_topic_and_its_source(path):
    camera = find_camera(path.stem)
    assert camera == read_camera(path)
    assert camera.image.startswith('/')
    NodeParameters({}, {}).changed(camera.parameters)
    assert 'Source:' in path.read_text(encoding='utf-8')


def test_the_robots_that_the_readme_names_are_there():
    names = {path.stem for path in PRESETS}
    assert names >= {'usb_cam', 'realsense', 'pal_ari', 'pal_tiago', 'pepper_nao', 'reachy2'}


def test_a_topic_is_taken_as_it_is():
    assert find_camera('/my/image_raw') == Camera('/my/image_raw', 'raw')
    assert find_camera('image') == Camera('image', 'raw')


@pytest.mark.parametrize(
    'camera, calibration',
    [
        (Camera('/my/image_raw'), '/my/camera_info'),
        (Camera('image'), 'camera_info'),
        (Camera('/image'), '/camera_info'),
        (Camera('/my/image_raw', 'raw', '/elsewhere/camera_info'), '/elsewhere/camera_info'),
    ],
)
def test_a_calibration_stands_beside_the_images_where_nothing_else_is_said(camera, calibration):
    assert camera.calibration == calibration


def test_a_preset_s_calibration_is_taken():
    assert find_camera('realsense').calibration == '/camera/camera/color/camera_info'
    assert find_camera('reachy2').calibration.endswith('/image_raw/camera_info')


@pytest.mark.parametrize('step_s', [0.417, 1 / 0.55, 1 / 0.41])
def test_the_preset_of_a_slow_camera_leaves_nothing_to_advise(step_s):
    defaults = {spec.name: spec.default for specs in NODES.values() for spec in specs}
    advice = advice_for_rate(step_s, defaults)
    assert 'max_absence_s of blendshape_node to' in advice
    assert 'max_gap_s of emotion_node to' in advice
    assert 'face_timeout_s of emotion_node to' in advice
    values = {**defaults, **find_camera('pepper_nao').parameters}
    assert advice_for_rate(step_s, values) == ''
    assert advice_for_rate(0.1, defaults) == advice_for_rate(0.25, defaults) == ''
    assert len(advice_for_rate(float('inf'), defaults)) < 400


@pytest.mark.parametrize('name', ['max_absence_s', 'max_gap_s', 'face_timeout_s'])
def test_of_any_camera_a_value_is_raised_that_holds_one_image_alone(name):
    assert f'{name} of ' in advice_for_rate(0.125, {name: 0.1})
    assert advice_for_rate(0.125, {name: 0.13}) == ''


def test_the_images_of_a_camera_that_is_mounted_sideways_are_turned():
    assert find_camera('stretch').parameters == {'rotate': 90}


def test_a_camera_that_is_not_known_is_reported_with_those_that_are():
    with pytest.raises(CameraError, match=r"no camera 'hal9000'; known are .*realsense"):
        find_camera('hal9000')


@pytest.mark.parametrize(
    'content, sentence',
    [
        ({'image': 3}, 'image must name a topic'),
        ({}, 'image must name a topic'),
        ({'image': '/a', 'image_transport': 'theora'}, 'must be one of raw, compressed'),
        ({'image': '/a', 'camera_info': 3}, 'camera_info must name a topic'),
        ({'image': '/a', 'parameters': ['max_gap_s']}, 'parameters must be numbers'),
        ({'image': '/a', 'parameters': {'max_gap_s': 2}}, 'parameters must be numbers'),
    ],
)
def test_a_wrong_preset_is_reported(tmp_path, content, sentence):
    path = tmp_path / 'mine.yaml'
    write_whole(path, yaml.safe_dump(content).encode())
    with pytest.raises(CameraError, match=sentence):
        read_camera(path)


def test_a_preset_that_is_no_yaml_is_reported(tmp_path):
    with pytest.raises(CameraError, match='cannot be read as YAML'):
        read_camera(Path(tmp_path / 'nowhere.yaml'))


# The parameter file states what the nodes declare; viewers show what the nodes publish.


@pytest.mark.parametrize('path', PAGES)
def test_what_is_made_of_the_parameters_is_up_to_date(path):
    assert (ROOT / path).read_text() == PAGES[path](), 'run `python -m dev.generated`'


def test_what_is_made_of_the_parameters_writes_choices_as_a_node_takes_them():
    for text in (page() for page in PAGES.values()):
        assert '`litert` or `mediapipe`.' in ' '.join(text.replace('#', '').split())


@pytest.mark.parametrize('node', NODES)
def test_the_file_that_ships_holds_each_default(node):
    path = find_shared_file('config/emotion_estimator.yaml')
    found = yaml.safe_load(path.read_text())[f'/**/{node}']['ros__parameters']
    assert found == {spec.name: spec.default for spec in NODES[node]}


@pytest.mark.parametrize(
    'content, said',
    [
        ({'emotion_node': {'modle': 'basic7'}}, ["emotion_node: There is no parameter 'modle'"]),
        ({'emotion_node': {'max_faces': 2, 'qos_overrides': {'/a': 1}}}, []),
        ({'/robot/*': {'hysteresys': 1.0}}, ["*: There is no parameter 'hysteresys'; did you"]),
        ({'camera': {'modle': 'x'}, 'emotion_node': {'use_sim_time': True}}, []),
        ({'camera': {'modle': 'x'}}, ['sets nothing for blendshape_node or emotion_node.']),
    ],
)
def test_what_of_a_parameter_file_reaches_no_node_is_told(tmp_path, content, said):
    path = tmp_path / 'mine.yaml'
    sections = {name: {'ros__parameters': values} for name, values in content.items()}
    write_whole(path, yaml.safe_dump(sections).encode())
    found = without_effect(path)
    assert [part in one for part, one in zip(said, found, strict=True)] == [True] * len(said)


@pytest.mark.parametrize(
    'section, namespace, reached',
    [
        ('/emotion_node', '', True),
        ('/emotion_node', '/robot1', False),
        ('/robot1/emotion_node', '/robot1', True),
        ('/robot1/emotion_node', '', False),
        ('/**/emotion_node', '/robot1', True),
        ('/*', '/robot1', False),
    ],
)
def test_a_parameter_file_for_another_namespace_reaches_no_node(
    tmp_path, section, namespace, reached
):
    path = tmp_path / 'mine.yaml'
    write_whole(path, yaml.safe_dump({section: {'ros__parameters': {}}}).encode())
    nodes = f'{namespace}/blendshape_node or {namespace}/emotion_node'
    nothing = [f'{path} sets nothing for {nodes}.']
    assert without_effect(path, namespace) == ([] if reached else nothing)


@pytest.mark.parametrize('node', NODES)
def test_every_parameter_is_described_in_a_sentence(node):
    assert all(spec.description.endswith('.') for spec in NODES[node])


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
