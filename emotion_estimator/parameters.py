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

"""Parameters of the nodes as their YAML files state them, without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import yaml

from emotion_estimator.files import find_shared_file

Value = Union[bool, int, float, str]
DEFAULTS = 'config/emotion_estimator.yaml'
FACE_ID_SEED = 1
"""Replaces the node's -1 (at random): two replays give the same ids."""


class ParameterError(ValueError):
    """A parameter file that cannot be used; the message names file, node and parameter."""


@dataclass(frozen=True)
class NodeParameters:
    """
    Parameters of both nodes by name.

    :param blendshape_node: those of blendshape_node.
    :param emotion_node: those of emotion_node.
    """

    blendshape_node: Mapping[str, Value]
    emotion_node: Mapping[str, Value]

    def with_model(self, model: str) -> NodeParameters:
        """
        Take another model.

        :param model: name of a model that ships, or path of a model folder.
        :returns: the parameters with it.
        """
        return replace(self, emotion_node={**self.emotion_node, 'model': model})


def read_parameters(path: Path | None = None) -> NodeParameters:
    """
    Read the defaults that ship, then a file of the user's over them.

    :param path: as `ros2 run ... --params-file` takes it; None leaves it at the defaults.
    :returns: the parameters of both nodes.
    :raises ParameterError: when the file is missing, no such YAML, or a value has another type
        than the node's.
    """
    defaults = find_shared_file(DEFAULTS)
    read = {name: _section(defaults, name, {}) for name in ('blendshape_node', 'emotion_node')}
    if path is not None:
        read = {name: _section(path, name, known) for name, known in read.items()}
    if read['blendshape_node']['face_id_seed'] == -1:
        read['blendshape_node']['face_id_seed'] = FACE_ID_SEED
    return NodeParameters(**read)


def _section(path: Path, node: str, known: Mapping[str, Value]) -> dict[str, Value]:
    """Lay what a file says of a node over what is known, in the file's order."""
    found = dict(known)
    for key, section in _document(path).items():
        if str(key).rsplit('/', 1)[-1] not in (node, '**'):
            continue
        values = section.get('ros__parameters') if isinstance(section, dict) else None
        if not isinstance(values, dict):
            raise ParameterError(f'{path}: {key} holds no ros__parameters.')
        for name, value in values.items():
            if not known:
                found[name] = value
            elif name in known:
                found[name] = _checked(f'{path}: {key}: {name}', value, known[name])
    return found


def _document(path: Path) -> dict[Any, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f'The parameter file {path} cannot be read: {error}') from error
    if not isinstance(document, dict):
        raise ParameterError(
            f'The parameter file {path} names no nodes; begin with the one that ships, {DEFAULTS}.'
        )
    return document


def _checked(where: str, value: Any, like: Value) -> Value:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(like, float) and number:
        return float(value)
    if type(value) is not type(like):
        raise ParameterError(
            f'{where} must be of type {type(like).__name__}, as {like!r}, not {value!r}.'
        )
    return like.__class__(value)
