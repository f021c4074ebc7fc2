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

"""Starts the emotion estimator on a camera's images; the nodes activate by themselves."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from emotion_estimator.cameras import find_camera
from emotion_estimator.files import find_shared_file
from emotion_estimator.parameters import names_in

PACKAGE = 'emotion_estimator'
NODES = ('blendshape_node', 'emotion_node')

ARGUMENTS = (
    ('camera', 'image', 'Image topic, or the name of a preset in config/cameras, as realsense.'),
    ('image_transport', '', 'raw or compressed; empty takes what the preset says, else raw.'),
    ('model', '', 'Model that ships (basic7) or path of a model folder; empty: params_file.'),
    ('namespace', '', 'Namespace of both nodes and their relative topics.'),
    ('params_file', '', 'Parameters of both nodes; empty takes config/emotion_estimator.yaml.'),
    ('ros4hri_input', '', "true takes another REP-155 detector's faces; empty: params_file."),
    ('use_sim_time', 'false', 'Take the time from /clock, as when a bag is played.'),
    ('one_process', 'true', 'Both nodes in one process; false gives each its own.'),
    ('log_level', 'info', 'debug, info, warn or error.'),
)


def truth(name: str, text: str) -> bool:
    """Read a launch argument that is true or false."""
    if text.lower() not in ('true', 'false'):
        raise ValueError(f'{name} must be true or false, not {text!r}.')
    return text.lower() == 'true'


def start(context: LaunchContext) -> list[Node]:
    """Make the nodes from the launch arguments."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    camera = find_camera(value['camera'])
    overrides = {
        'use_sim_time': truth('use_sim_time', value['use_sim_time']),
        'image_transport': value['image_transport'] or camera.image_transport,
    }
    if value['model']:
        overrides['model'] = value['model']
    if value['ros4hri_input']:
        overrides['ros4hri_input'] = truth('ros4hri_input', value['ros4hri_input'])
    # What the camera asks for stands behind what the user has set.
    given = names_in(Path(value['params_file'])) if value['params_file'] else set()
    preset = {name: x for name, x in camera.parameters.items() if name not in given}
    params_file = value['params_file'] or str(find_shared_file('config/emotion_estimator.yaml'))
    common = {
        'package': PACKAGE,
        'namespace': value['namespace'],
        'parameters': [params_file, {**preset, **overrides}],
        'remappings': [
            ('image', camera.image),
            ('image/compressed', f'{camera.image}/compressed'),
            ('camera_info', camera.calibration),
        ],
        'arguments': ['--ros-args', '--log-level', value['log_level']],
        'output': 'both',
    }
    if truth('one_process', value['one_process']):
        return [Node(executable=PACKAGE, **common)]
    return [Node(executable=name, name=name, **common) for name in NODES]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch arguments and what they start."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
