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

import atexit
import difflib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, OpaqueFunction
from launch.events.process import ProcessExited, ShutdownProcess
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from emotion_estimator.cameras import find_camera
from emotion_estimator.commands import MOST_PORT
from emotion_estimator.emotion.model import read_metadata
from emotion_estimator.files import find_model, find_shared_file
from emotion_estimator.parameters import NODES as SPECS
from emotion_estimator.parameters import Value, read_parameters, without_effect

PACKAGE = 'emotion_estimator'
NODES = ('blendshape_node', 'emotion_node')
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
RESPAWN_DELAY_S = 2.0
HOPELESS = (2, 3)  # exit statuses: a parameter is wrong, a package is missing
LOG = get_logger('launch')

ARGUMENTS = (
    ('camera', 'image', 'Image topic, or the name of a preset in config/cameras, as realsense.'),
    ('image_transport', '', 'raw or compressed; empty: params_file, preset, raw.'),
    ('model', '', 'Model that ships (basic7) or path of a model folder; empty: params_file.'),
    ('max_faces', '', 'Most faces that are followed at once, 1 to 10; empty: params_file.'),
    ('autostart', '', 'false leaves the nodes to a lifecycle manager; empty: params_file, true.'),
    ('rotate', '', 'Degrees clockwise that turn images upright; empty: params_file, preset, 0.'),
    ('namespace', '', 'Namespace of both nodes and their relative topics.'),
    ('params_file', '', 'Parameters of both nodes; empty takes config/emotion_estimator.yaml.'),
    ('ros4hri_input', '', "true takes another REP-155 detector's faces; empty: params_file."),
    ('use_sim_time', '', 'Time from /clock, as when a bag is played; empty: params_file, false.'),
    ('one_process', 'true', 'Both nodes in one process; false gives each its own.'),
    ('respawn', 'true', f'Start a process again {RESPAWN_DELAY_S:g} s after it ended.'),
    ('view', 'false', 'true serves a live page at http://localhost:8080; it needs NiceGUI.'),
    ('view_port', '8080', 'Port of that page; 0 takes any that is free.'),
    ('view_host', 'localhost', '0.0.0.0 lets others in the network see the page, with a token.'),
    ('log_level', 'info', 'debug, info, warn, error or fatal.'),
)
# Those that are parameters of the nodes.
PARAMETERS = ('image_transport', 'model', 'max_faces', 'rotate', 'autostart', 'ros4hri_input')


def truth(name: str, text: str) -> bool:
    """Read a launch argument that is true or false."""
    if text.lower() not in ('true', 'false'):
        raise ValueError(f'{name} must be true or false, not {text!r}.')
    return text.lower() == 'true'


def parameter(name: str, text: str) -> Value:
    """Read a launch argument as the type that the parameter of its name has."""
    spec = next(spec for specs in SPECS.values() for spec in specs if spec.name == name)
    if isinstance(spec.default, bool):
        return truth(name, text)
    if isinstance(spec.default, int):
        if not re.fullmatch(r'-?\d{1,9}', text):
            raise ValueError(f'{name} must be a whole number, not {text!r}.')
        return int(text)
    return text


# Of the names in parameter files that fit a node ROS lets the last one decide, but each keeps the
# place at which it came first, as `/**` that of a SetParameter. So these, which fit as well, are
# names that nobody else writes.
WEAKEST = '/**/**/**/'
STRONGEST = '/**/**/'


def parameter_file(strength: str, values: Mapping[str, Value]) -> str:
    """
    Write those values that either node has to a file.

    It stays for a process that respawns, and goes when launch ends.

    :param strength: WEAKEST, for a file before all others, or STRONGEST, for one behind them.
    :returns: its path.
    """
    sections = {}
    for node, specs in SPECS.items():
        names = {spec.name for spec in specs} | {'use_sim_time'}
        own = {name: value for name, value in values.items() if name in names}
        sections[f'{strength}{node}'] = {'ros__parameters': own}
    with NamedTemporaryFile('w', prefix='launch_params_', suffix='.yaml', delete=False) as file:
        json.dump(sections, file)  # which is YAML, with all strings in quotes
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


def refuse_unknown(command: list[str]) -> None:
    """Refuse arguments that `ros2 launch` itself would pass over in silence."""
    # Where another launch file includes this one, the command line's arguments are that one's.
    if not any(Path(word).name == Path(__file__).name for word in command):
        return
    known = [name for name, _, _ in ARGUMENTS]
    for word in command:
        name, given, _ = word.partition(':=')
        if given and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            meant = f'; did you mean {close[0]!r}?' if close else '.'
            raise ValueError(
                f'There is no launch argument {name!r}{meant} There are {", ".join(known)}.'
            )


def end_if_hopeless(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """Start a process no more that can but end in the same way; said before the delay is over."""
    if event.returncode not in HOPELESS or context.is_shutdown:
        return []
    name = event.process_name
    return [
        LogInfo(msg=f'{name} is not started again: mend what it says, then launch it again.'),
        EmitEvent(event=ShutdownProcess(process_matcher=lambda each: each is event.action)),
    ]


def start(context: LaunchContext) -> list[Node]:
    """Make the nodes from the launch arguments, each checked before anything starts."""
    refuse_unknown(sys.argv)
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    if value['log_level'].lower() not in LOG_LEVELS:
        allowed = ', '.join(LOG_LEVELS)
        raise ValueError(f'log_level must be one of {allowed}, not {value["log_level"]!r}.')
    if not re.fullmatch(r'(/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*/?)?|/', value['namespace'], re.ASCII):
        raise ValueError(
            f'namespace must be names of letters, digits and _ with / between them, not '
            f'{value["namespace"]!r}.'
        )
    port = value['view_port']
    if not re.fullmatch(r'\d{1,5}', port, re.ASCII) or int(port) > MOST_PORT:
        raise ValueError(f'view_port must be a whole number from 0 to {MOST_PORT}, not {port!r}.')
    camera = find_camera(value['camera'])
    mine = Path(value['params_file']).expanduser() if value['params_file'] else None
    outer = context.launch_configurations.get('ros_namespace')
    namespace = make_namespace_absolute(prefix_namespace(outer, value['namespace'])).rstrip('/')
    preset = {'image_transport': camera.image_transport, **camera.parameters}
    read_parameters().changed(preset)
    asked = {name: parameter(name, value[name]) for name in PARAMETERS if value[name]}
    read = read_parameters(mine, namespace=namespace).changed(asked)
    for sentence in without_effect(mine, namespace) if mine else ():
        LOG.warning(sentence)
    read_metadata(find_model(str(read.emotion_node['model'])))
    if value['use_sim_time']:
        asked['use_sim_time'] = truth('use_sim_time', value['use_sim_time'])
    # What the camera asks for stands behind what the user has set.
    weakest, strongest = (preset, asked) if mine else ({}, preset | asked)
    options = ['--ros-args', '--log-level', value['log_level']]
    shipped = find_shared_file('config/emotion_estimator.yaml')
    common = {
        'package': PACKAGE,
        'namespace': value['namespace'],
        'parameters': [str(mine or shipped), parameter_file(STRONGEST, strongest)],
        'remappings': [
            ('image', camera.image),
            ('image/compressed', f'{camera.image}/compressed'),
            ('camera_info', camera.calibration),
        ],
        # Launch puts these before all parameters.
        'arguments': [*options, '--params-file', parameter_file(WEAKEST, weakest)],
        'output': 'both',
        'respawn': truth('respawn', value['respawn']),
        'respawn_delay': RESPAWN_DELAY_S,
        'on_exit': end_if_hopeless,
    }
    nodes = [Node(executable=name, name=name, **common) for name in NODES]
    if truth('one_process', value['one_process']):
        nodes = [Node(executable=PACKAGE, **common)]
    if truth('view', value['view']):
        # A listener: where it cannot start, the nodes go on without it.
        clock = {name: x for name, x in asked.items() if name == 'use_sim_time'}
        own = {
            'arguments': ['--host', value['view_host'], '--port', value['view_port'], *options],
            'parameters': [*([str(mine)] if mine else []), *([clock] if clock else [])],
            'respawn': False,
            # What it prints holds the token, which no log file keeps.
            'output': {'stdout': 'screen', 'stderr': {'screen', 'log'}},
        }
        nodes.append(Node(executable='view', **{**common, **own}))
    return nodes


def generate_launch_description() -> LaunchDescription:
    """Describe the launch arguments and what they start."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
