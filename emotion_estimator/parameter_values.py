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

"""Values of both nodes' parameters: the defaults, those of a parameter file, changes to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from emotion_estimator.files import read_text
from emotion_estimator.parameters import NODES, Spec, Value

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

    def changed(self, values: Mapping[str, Value]) -> NodeParameters:
        """
        Take other values.

        :param values: by name; one that both nodes know goes to both.
        :returns: the parameters with them.
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
        """
        Take another model.

        :param model: name of a model that ships, or path of a model folder.
        :returns: the parameters with it.
        """
        return replace(self, emotion_node={**self.emotion_node, 'model': model})


def read_parameters(
    path: Path | None = None, defaults: Mapping[str, Value] | None = None
) -> NodeParameters:
    """
    Read the defaults that ship, then a file of the user's over them.

    :param path: as `ros2 run ... --params-file` takes it; None leaves it at the defaults.
    :param defaults: other defaults by name than the nodes'.
    :returns: the parameters of both nodes.
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
    """
    List what a parameter file sets, for whichever node.

    :param path: see `read_parameters`.
    :returns: names of parameters.
    :raises ParameterError: when the file cannot be read.
    """
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
