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

"""Declares a node's parameters to ROS, and refuses wrong values with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterEvent,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_parameter_events

from emotion_estimator.parameters import (
    ALLOW_REMOTE_PATHS,
    NODES,
    ParameterError,
    Spec,
    checked,
    misspelling,
)


def descriptor_of(spec: Spec) -> ParameterDescriptor:
    """
    Describe a parameter to ROS.

    :returns: the descriptor; ROS itself refuses values of another type or out of range.
    """
    descriptor = ParameterDescriptor(description=spec.description, read_only=spec.read_only)
    constraints = []
    if spec.choices:
        constraints.append('one of: ' + ', '.join(map(str, spec.choices)))
    if spec.read_only:
        constraints.append('fixed once the node has started')
    elif not spec.at_run_time:
        constraints.append('fixed while the node is configured')
    descriptor.additional_constraints = '; '.join(constraints)
    if spec.minimum is None or spec.maximum is None:
        return descriptor
    if isinstance(spec.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum))
        ]
    else:
        descriptor.integer_range = [
            IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum))
        ]
    return descriptor


class Parameters(dict[str, Any]):
    """
    A node's parameters by name; declares them, refuses wrong changes with a sentence.

    It keeps the values itself: rclpy looks each up by several steps, and an image needs some ten.

    :param configured: tells whether the node is configured, so that fixed ones stay.
    :param changed: called with name and value of each run-time change that is accepted.
    :param objection: says of a name and a new value why it cannot be taken; '' where it can.
    :raises rclpy.exceptions.ParameterException: when a start value is wrong.
    """

    def __init__(
        self,
        node: Node,
        specs: Iterable[Spec],
        configured: Callable[[], bool],
        changed: Callable[[dict[str, Any]], None],
        objection: Callable[[str, Any], str],
    ) -> None:
        super().__init__()
        self._node = node
        self._specs = {spec.name: spec for spec in specs}
        self._configured = configured
        self._changed = changed
        self._objection = objection
        self._declared = False
        # Before the declarations, so that start values are checked too.
        node.add_on_set_parameters_callback(self._check)
        if hasattr(Node, 'add_pre_set_parameters_callback'):  # not Humble's rclpy
            node.add_pre_set_parameters_callback(self._with_points)
        overrides = getattr(node, '_parameter_overrides', {})
        overrides.update({p.name: p for p in self._with_points(list(overrides.values()))})
        for spec in self._specs.values():
            if not node.has_parameter(spec.name):
                node.declare_parameter(spec.name, spec.default, descriptor_of(spec))
            self[spec.name] = node.get_parameter(spec.name).value
        self._declared = True
        self._warn_of_misspelt_names()
        if hasattr(Node, 'add_post_set_parameters_callback'):
            node.add_post_set_parameters_callback(self._tell)
        else:  # Humble's rclpy, which announces what was set all the same.
            node.create_subscription(
                ParameterEvent, '/parameter_events', self._on_event, qos_profile_parameter_events
            )

    def _with_points(self, parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
        """Take 2 for 2.0, which ROS would refuse."""
        return [
            Parameter(p.name, value=float(p.value))
            if p.type_ == Parameter.Type.INTEGER and self._is_float(p.name)
            else p
            for p in parameters
        ]

    def _is_float(self, name: str) -> bool:
        return name in self._specs and isinstance(self._specs[name].default, float)

    def _warn_of_misspelt_names(self) -> None:
        """Say which start values ROS passes over in silence, where a name is nearly known."""
        known = {spec.name for specs in (*NODES.values(), self._specs.values()) for spec in specs}
        for name in getattr(self._node, '_parameter_overrides', ()):
            said = '' if self._node.has_parameter(name) else misspelling(name, known)
            if said:
                self._node.get_logger().warning(said)

    def _check(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            spec = self._specs.get(parameter.name)
            if spec is None:
                continue
            try:
                # ROS checks ranges too, but lets pass what lies a little outside.
                checked(spec.name, parameter.value, spec)
            except ParameterError as error:
                return refused(str(error))
            if self._declared and parameter.value == self[spec.name]:
                continue  # as `ros2 param load` does with what `ros2 param dump` wrote
            if self._declared and not spec.at_run_time and self._configured():
                return refused(
                    f'{spec.name} cannot change while the node is configured; deactivate and '
                    'clean up the node, set it, then configure and activate it again.'
                )
            if self._declared and spec.is_path(parameter.value) and not self._paths_allowed():
                return refused(
                    f'{spec.name} names a file, which others may not set once the node has '
                    'started: state it in params_file, or start the node with '
                    'allow_remote_paths: true.'
                )
            if self._declared and (objection := self._objection(spec.name, parameter.value)):
                return refused(objection)
        return SetParametersResult(successful=True)

    def _paths_allowed(self) -> bool:
        return bool(self[ALLOW_REMOTE_PATHS.name])

    def _on_event(self, event: ParameterEvent) -> None:
        if event.node == self._node.get_fully_qualified_name():
            self._tell([Parameter.from_parameter_msg(p) for p in event.changed_parameters])

    def _tell(self, parameters: list[Parameter[Any]]) -> None:
        changed = {p.name: p.value for p in parameters if p.name in self._specs}
        self.update(changed)
        if changed:
            self._changed(changed)


def refused(reason: str) -> SetParametersResult:
    """Refuse a change."""
    return SetParametersResult(successful=False, reason=reason)
