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

"""The nodes' parameters, stated here alone; `python -m dev.generated` makes pages of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import yaml

from emotion_estimator.emotion import decision
from emotion_estimator.files import DEFAULT_ENCODING, read_text

Value = Union[bool, int, float, str]


@dataclass(frozen=True)
class Spec:
    """
    One parameter of a node.

    :param name: with the unit where it has one.
    :param default: fixes its type.
    :param at_run_time: whether it may change while the node is configured.
    :param names_file: whether it can be a path, see `allow_remote_paths`.
    :param read_only: whether it is fixed once the node has started.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] = ()
    at_run_time: bool = False
    names_file: bool = False
    read_only: bool = False

    def is_path(self, value: Value) -> bool:
        """Tell whether a value names a file, not something that ships or nothing."""
        # Readers put a home folder in place of ~ and ~name.
        return self.names_file and bool(re.search('^~|/' if self.default else '.', str(value)))


AUTOSTART = Spec(
    'autostart', True, 'Configure and activate at start; false leaves it to a lifecycle manager.'
)
ALLOW_REMOTE_PATHS = Spec(
    'allow_remote_paths',
    False,
    'Let others set parameters that name files after the start, through the parameter services.',
    read_only=True,
)
EVERY_NODE = (AUTOSTART, ALLOW_REMOTE_PATHS)
BLENDSHAPE_NODE = (
    Spec(
        'image_transport',
        'raw',
        'How images arrive: raw on `image`, or compressed on `image/compressed`.',
        choices=('raw', 'compressed'),
    ),
    Spec(
        'rotate',
        0,
        'Degrees clockwise that turn the images upright, where the camera hangs otherwise.',
        choices=(0, 90, 180, 270),
    ),
    Spec(
        'max_rate_hz',
        0.0,
        'Most images a second that are looked at, by their stamps, to save power; 0 is all.',
        0.0,
        1000.0,
        at_run_time=True,
    ),
    Spec('max_faces', 1, 'Most faces that are followed at once.', 1, 10),
    Spec(
        'detection_rate_hz',
        2.0,
        'Most searches a second for faces that MediaPipe alone does not find: small ones, and '
        'all but one of several. 0 leaves it at MediaPipe.',
        0.0,
        60.0,
    ),
    Spec('min_detection_confidence', 0.5, 'Least confidence of a detected face.', 0.0, 1.0),
    Spec('min_presence_confidence', 0.5, 'Least confidence that landmarks fit.', 0.001, 1.0),
    Spec('min_tracking_confidence', 0.5, 'Overlap above which two faces are one.', 0.0, 1.0),
    Spec(
        'max_absence_s',
        1.0,
        'Longest time in seconds that an unseen face keeps its id; between two images at most a '
        'second counts.',
        0.0,
        60.0,
    ),
    Spec('face_id_seed', -1, 'Makes face ids repeatable; -1 draws them at random.', -1, 2**31 - 1),
    Spec(
        'engine',
        'litert',
        "What runs the face landmarker's networks: LiteRT, or MediaPipe's own graphs.",
        choices=('litert', 'mediapipe'),
    ),
    Spec('threads', 1, "Threads of each network (engine: litert); in nodes also OpenCV's.", 1, 64),
    Spec(
        'on_one_core',
        True,
        'With engine: mediapipe, keep its threads, which take turns, on the last core the process '
        "may use, and this node's off it.",
    ),
    Spec(
        'landmarker',
        '',
        'Path of face_landmarker.task; empty finds or downloads it.',
        names_file=True,
    ),
    Spec(
        'detector',
        '',
        'Path of yunet_n_dynamic.onnx; empty finds or downloads it.',
        names_file=True,
    ),
    Spec(
        'encoding',
        DEFAULT_ENCODING,
        'Name of a face encoding that ships, or path of one; empty sends blendshapes alone.',
        names_file=True,
    ),
    Spec(
        'field_of_view_deg',
        60.0,
        "Camera's horizontal angle of view in degrees, where camera_info says nothing.",
        10.0,
        170.0,
    ),
    Spec('ros4hri', True, 'Publish faces below /humans/faces and their frames on /tf (REP-155).'),
    Spec(
        'cropped_width',
        128,
        "Width in pixels of /humans/faces/<id>/cropped: REP-155's /humans/faces/width.",
        16,
        2048,
    ),
    Spec(
        'cropped_height',
        128,
        "Height in pixels of /humans/faces/<id>/cropped: REP-155's /humans/faces/height.",
        16,
        2048,
    ),
    Spec(
        'ros4hri_input',
        False,
        "Take another detector's faces, /humans/faces/<id>/cropped, instead of a camera's images.",
    ),
)
EMOTION_NODE = (
    Spec(
        'model',
        'basic7',
        'Name of a model that ships, or path of a model folder.',
        names_file=True,
    ),
    Spec(
        'class_prior',
        decision.DEFAULT_CLASS_PRIOR,
        'How often each expression is expected: model (as its folder states), uniform, training '
        '(what most people would call the face, a mild one neutral), or shares of all classes, '
        'such as neutral=.6,happy=.2,sad=.04,surprised=.04,angry=.04,scared=.04,disgusted=.04.',
        at_run_time=True,
    ),
    Spec(
        'min_confidence',
        decision.DEFAULT_MIN_CONFIDENCE,
        "Probability below which the answer is 'unknown'.",
        0.0,
        decision.MAX_MIN_CONFIDENCE,
        at_run_time=True,
    ),
    Spec(
        'hysteresis',
        decision.DEFAULT_HYSTERESIS,
        'Factor on the odds of the expression shown last until another leads for long; 1 is none.',
        1.0,
        100.0,
        at_run_time=True,
    ),
    Spec(
        'max_yaw_deg',
        decision.DEFAULT_MAX_YAW_DEG,
        "Yaw of the head in degrees at which the answer is 'unknown'; confidence falls from two "
        'thirds of it on.',
        1.0,
        360.0,
    ),
    Spec(
        'max_pitch_deg',
        decision.DEFAULT_MAX_PITCH_DEG,
        "Pitch of the head in degrees, up or down, at which the answer is 'unknown'.",
        1.0,
        360.0,
    ),
    Spec(
        'max_gap_s',
        0.25,
        'Longest time in seconds between two frames that is interpolated.',
        0.01,
        2.0,
    ),
    Spec(
        'face_timeout_s',
        1.0,
        "Time in seconds after which an unseen face's buffer and topic end.",
        0.1,
        60.0,
        at_run_time=True,
    ),
    Spec('ros4hri', True, 'Publish /humans/faces/<id>/expression (REP-155).'),
)
NODES = {
    'blendshape_node': (*EVERY_NODE, *BLENDSHAPE_NODE),
    'emotion_node': (*EVERY_NODE, *EMOTION_NODE),
}
"""All parameters by node."""
_NAMES = {spec.name for specs in NODES.values() for spec in specs}


# Their values: the defaults, those of a parameter file, changes to them.


DEFAULTS = 'config/emotion_estimator.yaml'
_Section = tuple[str, Mapping[str, Any]]  # of a file: whose, and what it sets
FACE_ID_SEED = 1
"""Replaces the node's -1 (at random): two replays give the same ids."""


class ParameterError(ValueError):
    """A parameter file that cannot be used; the message names file, node and parameter."""


@dataclass(frozen=True)
class NodeParameters:
    """Parameters of both nodes by name."""

    blendshape_node: Mapping[str, Value]
    emotion_node: Mapping[str, Value]

    def changed(self, values: Mapping[str, Value]) -> NodeParameters:
        """
        Take other values.

        :param values: by name; one that both nodes know goes to both.
        :raises ParameterError: when no node knows a name, or a value is of another type or out
            of range.
        """
        if others := values.keys() - _NAMES:
            there = ', '.join(sorted(_NAMES))
            raise ParameterError(f'There is no parameter {min(others)!r}; there are {there}.')
        return NodeParameters(
            {**self.blendshape_node, **_taken('blendshape_node', values)},
            {**self.emotion_node, **_taken('emotion_node', values)},
        )


def read_parameters(
    path: Path | None = None,
    defaults: Mapping[str, Value] | None = None,
    namespace: str | None = None,
) -> NodeParameters:
    """
    Read the defaults that ship, then a file of the user's over them.

    :param path: as `ros2 run ... --params-file` takes it; None leaves it at the defaults.
    :param defaults: other defaults by name than the nodes'.
    :param namespace: of the nodes, as `/robot1`, '' for none; None takes what any of theirs has.
    :raises ParameterError: when the file is missing, no such YAML, a value has another type
        than the node's, or nodes of several namespaces have other values.
    """
    read = {
        node: {spec.name: (defaults or {}).get(spec.name, spec.default) for spec in specs}
        for node, specs in NODES.items()
    }
    sections = [] if path is None else [*_sections(path, _document(path))]
    for node in NODES:
        own = [one for one in sections if _is_for(one[0], node, namespace)]
        named = dict(one for one in own if '*' not in one[0])
        if any(values != next(iter(named.values())) for values in named.values()):
            raise ParameterError(
                f'{path} sets other values for {" than for ".join(named)}, and which of them is '
                'meant cannot be told: leave one alone in it.'
            )
        for section, values in own:
            read[node] |= _taken(node, values, f'{path}: {section}: ')
    if read['blendshape_node']['face_id_seed'] == -1:
        read['blendshape_node']['face_id_seed'] = FACE_ID_SEED
    return NodeParameters(**read)


def misspelling(name: str, known: Collection[str]) -> str:
    """
    Say which of the known parameters may be meant by a name that ROS passes over in silence.

    :returns: a sentence; empty for a name that is known, or like none.
    """
    close = [] if name in known else difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f'There is no parameter {name!r}; did you mean {close[0]!r}?' if close else ''


def without_effect(path: Path, namespace: str | None = None) -> list[str]:
    """
    Say what of a parameter file reaches no node, as `read_parameters` reads it for a namespace.

    :returns: sentences; what other nodes' sections hold is not looked at.
    """
    sections = [*_sections(path, _document(path))]
    ours = [one for one in sections if any(_is_for(one[0], node, namespace) for node in NODES)]
    said = [(section, misspelling(name, _NAMES)) for section, values in ours for name in values]
    nodes = [node if namespace is None else f'{namespace}/{node}' for node in NODES]
    nothing = [f'{path} sets nothing for {" or ".join(nodes)}.']
    return [f'{path}: {section}: {one}' for section, one in said if one] if ours else nothing


def _sections(path: Path, document: Mapping[Any, Any], name: str = '') -> Iterator[_Section]:
    """List what a file sets by node, as `/robot1/emotion_node`; a section may hold others."""
    for key, value in document.items():
        inner = name if key == 'ros__parameters' else f'{name}/{str(key).strip("/")}'
        if not isinstance(value, dict):
            raise ParameterError(f'{path}: {name or inner} holds no ros__parameters.')
        yield from [(name, value)] if inner == name else _sections(path, value, inner)


def _is_for(section: str, node: str, namespace: str | None) -> bool:
    """Tell whether a section is for a node, by ROS's rules for `*` and `**`."""
    if namespace is None:
        return section.rsplit('/', 1)[-1] in (node, '*', '**')
    pattern = re.escape(section).replace(r'/\*\*', r'(/\w+)*').replace(r'/\*', r'/\w+')
    return re.fullmatch(pattern, f'{namespace}/{node}') is not None


def _document(path: Path) -> dict[Any, Any]:
    try:
        text = read_text(path)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError('it has an alias (*name), which ROS does not take; write it out')
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ParameterError(f'The parameter file {path} cannot be read: {error}') from error
    if not isinstance(document, dict):
        raise ParameterError(
            f'The parameter file {path} names no nodes; begin with the one that ships, {DEFAULTS}.'
        )
    return document


def _taken(node: str, values: Mapping[str, Any], where: str = '') -> dict[str, Value]:
    """Check those values that a node knows; it leaves out the others, as ROS does."""
    return {
        spec.name: checked(where + spec.name, values[spec.name], spec)
        for spec in NODES[node]
        if spec.name in values
    }


def checked(where: str, value: Any, spec: Spec) -> Value:
    """
    Refuse what a parameter cannot be.

    :returns: the value; of whole numbers a float where the parameter has a point.
    :raises ParameterError: when it is of another type or out of range.
    """
    kind: type[Value] = type(spec.default)
    if kind is float and type(value) is int and abs(value) < 1 << 63:  # what ROS itself can hold
        value = float(value)
    if value.__class__ is not kind:
        raise ParameterError(
            f'{where} must be of type {kind.__name__}, as {spec.default!r}, not {value!r}.'
        )
    if spec.choices and value not in spec.choices:
        allowed = ', '.join(map(str, spec.choices))
        raise ParameterError(f'{where} must be one of {allowed}, not {value!r}.')
    least, most = spec.minimum, spec.maximum
    if isinstance(value, str) or least is None or most is None or least <= value <= most:
        return value
    raise ParameterError(f'{where} must lie between {least:g} and {most:g}, not {value!r}.')
