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

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import yaml

from emotion_estimator.emotion.decision import (
    DEFAULT_CLASS_PRIOR,
    DEFAULT_HYSTERESIS,
    DEFAULT_MAX_PITCH_DEG,
    DEFAULT_MAX_YAW_DEG,
    DEFAULT_MIN_CONFIDENCE,
    MAX_MIN_CONFIDENCE,
)
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
    Spec('min_presence_confidence', 0.5, 'Least confidence that landmarks fit.', 0.0, 1.0),
    Spec('min_tracking_confidence', 0.5, 'Below it a face is searched for again.', 0.0, 1.0),
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
    Spec(
        'threads', 1, 'Threads that each network may use, with engine: litert, and OpenCV.', 1, 64
    ),
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
        DEFAULT_CLASS_PRIOR,
        'How often each expression is expected: model (as its folder states), uniform, training '
        '(what most people would call the face, a mild one neutral), or shares of all classes, '
        'such as neutral=.6,happy=.2,sad=.04,surprised=.04,angry=.04,scared=.04,disgusted=.04.',
        at_run_time=True,
    ),
    Spec(
        'min_confidence',
        DEFAULT_MIN_CONFIDENCE,
        "Probability below which the answer is 'unknown'.",
        0.0,
        MAX_MIN_CONFIDENCE,
        at_run_time=True,
    ),
    Spec(
        'hysteresis',
        DEFAULT_HYSTERESIS,
        'Factor on the odds of the expression shown last until another leads for long; 1 is none.',
        1.0,
        100.0,
        at_run_time=True,
    ),
    Spec(
        'max_yaw_deg',
        DEFAULT_MAX_YAW_DEG,
        "Yaw of the head in degrees at which the answer is 'unknown'; confidence falls from two "
        'thirds of it on.',
        1.0,
        360.0,
    ),
    Spec(
        'max_pitch_deg',
        DEFAULT_MAX_PITCH_DEG,
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


_IMAGES = {'max_absence_s': 3.0, 'max_gap_s': 1.5, 'face_timeout_s': 3.0}
"""How many times the time between two images these must be, so that single ones may be missing."""
_SLOW_S = 0.25  # between images; faster cameras need no other values


def advice_for_rate(step_s: float, values: Mapping[str, Value]) -> str:
    """
    Say which parameters do not fit a slow or bursty camera.

    :param step_s: time between images that is usual, in seconds; of bursts between them.
    :param values: the values of the parameters by name; those that are missing are not judged.
    :returns: a sentence with values to set; empty where there is nothing to say.
    """
    if step_s <= _SLOW_S:
        return ''
    specs = {spec.name: (node, spec) for node, specs in NODES.items() for spec in specs}
    changes = []
    for name, images in _IMAGES.items():
        node, spec = specs[name]
        wanted = min(math.ceil(10 * images * step_s) / 10, spec.maximum or math.inf)
        if name in values and float(values[name]) < wanted:
            changes.append(f'{name} of {node} to {wanted:.1f} (now {float(values[name]):g})')
    if not changes:
        return ''
    return (
        f'Images come {step_s:.2f} s apart, {1 / step_s:.2g} a second: set '
        f'{", ".join(changes)}, or answers rest on single images and faces lose their ids when '
        'they are missed.'
    )


# Their values: the defaults, those of a parameter file, changes to them.


DEFAULTS = 'config/emotion_estimator.yaml'
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
        known = {node: {spec.name: spec for spec in specs} for node, specs in NODES.items()}
        changes: dict[str, dict[str, Value]] = {node: {} for node in NODES}
        for name, value in values.items():
            nodes = [node for node in NODES if name in known[node]]
            if not nodes:
                names = sorted({name for specs in known.values() for name in specs})
                raise ParameterError(
                    f'There is no parameter {name!r}; there are {", ".join(names)}.'
                )
            for node in nodes:
                changes[node][name] = _checked(name, value, known[node][name])
        return NodeParameters(
            {**self.blendshape_node, **changes['blendshape_node']},
            {**self.emotion_node, **changes['emotion_node']},
        )

    def with_model(self, model: str) -> NodeParameters:
        """Take another model: the name of one that ships, or the path of a model folder."""
        return replace(self, emotion_node={**self.emotion_node, 'model': model})


def read_parameters(
    path: Path | None = None, defaults: Mapping[str, Value] | None = None
) -> NodeParameters:
    """
    Read the defaults that ship, then a file of the user's over them.

    :param path: as `ros2 run ... --params-file` takes it; None leaves it at the defaults.
    :param defaults: other defaults by name than the nodes'.
    :raises ParameterError: when the file is missing, no such YAML, or a value has another type
        than the node's.
    """
    read = {
        node: {spec.name: (defaults or {}).get(spec.name, spec.default) for spec in specs}
        for node, specs in NODES.items()
    }
    if path is not None:
        for node, specs in NODES.items():
            read[node].update(_section(path, node, {spec.name: spec for spec in specs}))
    if read['blendshape_node']['face_id_seed'] == -1:
        read['blendshape_node']['face_id_seed'] = FACE_ID_SEED
    return NodeParameters(**read)


def names_in(path: Path) -> set[str]:
    """List by name what a parameter file sets for whichever node, see `read_parameters`."""
    sections = (section for section in _document(path).values() if isinstance(section, dict))
    return {name for section in sections for name in section.get('ros__parameters') or ()}


def _section(path: Path, node: str, specs: Mapping[str, Spec]) -> dict[str, Value]:
    """Read what a file says of a node; what the node does not know is left out, as ROS does."""
    found = {}
    for key, section in _document(path).items():
        if str(key).rsplit('/', 1)[-1] not in (node, '**'):
            continue
        values = section.get('ros__parameters') if isinstance(section, dict) else None
        if not isinstance(values, dict):
            raise ParameterError(f'{path}: {key} holds no ros__parameters.')
        for name, value in values.items():
            if name in specs:
                found[name] = _checked(f'{path}: {key}: {name}', value, specs[name])
    return found


def _document(path: Path) -> dict[Any, Any]:
    try:
        document = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ParameterError(f'The parameter file {path} cannot be read: {error}') from error
    if not isinstance(document, dict):
        raise ParameterError(
            f'The parameter file {path} names no nodes; begin with the one that ships, {DEFAULTS}.'
        )
    return document


def _checked(where: str, value: Any, spec: Spec) -> Value:
    """Refuse what the node itself would refuse."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(spec.default, float) and number:
        value = float(value)
    if type(value) is not type(spec.default):
        raise ParameterError(
            f'{where} must be of type {type(spec.default).__name__}, as {spec.default!r}, '
            f'not {value!r}.'
        )
    if spec.choices and value not in spec.choices:
        allowed = ', '.join(map(str, spec.choices))
        raise ParameterError(f'{where} must be one of {allowed}, not {value!r}.')
    if spec.minimum is None or spec.maximum is None:
        return spec.default.__class__(value)
    if not spec.minimum <= float(value) <= spec.maximum:
        raise ParameterError(
            f'{where} must lie between {spec.minimum:g} and {spec.maximum:g}, not {value!r}.'
        )
    return spec.default.__class__(value)
