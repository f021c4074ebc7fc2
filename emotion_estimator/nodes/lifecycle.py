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

"""What both nodes share: parameters, transitions, errors as sentences, a watch over the input."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription

from emotion_estimator.files import AssetError
from emotion_estimator.nodes.diagnostics import Diagnostics, StreamStatistics, stream_status
from emotion_estimator.parameters import AUTOSTART, Spec

# Declares the parameters of `emotion_estimator.parameters` to ROS.


def descriptor_of(spec: Spec) -> ParameterDescriptor:
    """
    Describe a parameter to ROS.

    :param spec: the parameter.
    :returns: the descriptor; ROS itself refuses values of another type or out of range.
    """
    descriptor = ParameterDescriptor(description=spec.description)
    if spec.choices:
        descriptor.additional_constraints = 'one of: ' + ', '.join(spec.choices)
    elif not spec.at_run_time:
        descriptor.additional_constraints = 'fixed while the node is configured'
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


class Parameters:
    """
    Declares a node's parameters and refuses wrong changes with a sentence.

    :param node: the node.
    :param specs: its parameters.
    :param configured: tells whether the node is configured, so that fixed ones stay.
    :param changed: called with name and value of each run-time change that is accepted.
    :raises rclpy.exceptions.ParameterException: when a start value is wrong.
    """

    def __init__(
        self,
        node: Node,
        specs: Iterable[Spec],
        configured: Callable[[], bool],
        changed: Callable[[dict[str, Any]], None],
    ) -> None:
        self._node = node
        self._specs = {spec.name: spec for spec in specs}
        self._configured = configured
        self._changed = changed
        self._declared = False
        # Before the declarations, so that start values are checked too.
        node.add_on_set_parameters_callback(self._check)
        for spec in self._specs.values():
            if not node.has_parameter(spec.name):
                node.declare_parameter(spec.name, spec.default, descriptor_of(spec))
        self._declared = True
        node.add_post_set_parameters_callback(self._tell)

    def __getitem__(self, name: str) -> Any:
        """Return a parameter's value."""
        return self._node.get_parameter(name).value

    def _check(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            spec = self._specs.get(parameter.name)
            if spec is None:
                continue
            if spec.choices and parameter.value not in spec.choices:
                return _refused(
                    f'{spec.name} must be one of {", ".join(spec.choices)}, '
                    f'not {parameter.value!r}.'
                )
            if self._declared and not spec.at_run_time and self._configured():
                return _refused(
                    f'{spec.name} cannot change while the node is configured; deactivate and '
                    'clean up the node, set it, then configure and activate it again.'
                )
        return SetParametersResult(successful=True)

    def _tell(self, parameters: list[Parameter[Any]]) -> None:
        changed = {p.name: p.value for p in parameters if p.name in self._specs}
        if changed:
            self._changed(changed)


def _refused(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)


INPUT_TIMEOUT_S = 2.0
"""Silence of the input, in seconds, after which a warning says why it may be silent."""
LOG_PERIOD_S = 5.0
"""A message that is refused is logged at most this often."""


class ManagedNode(LifecycleNode):  # type: ignore[misc]
    """
    What both nodes share: parameters, start, one input, diagnostics, release.

    Subclasses implement `load`, `start`, `stop` and `release`; errors of known kinds become one
    sentence in the log and a transition that fails.

    :param name: the node's name.
    :param specs: its parameters.
    :param options: further arguments of `rclpy.node.Node`.
    :raises rclpy.exceptions.ParameterException: when a start value is wrong.
    """

    message_errors: tuple[type[Exception], ...] = ()
    input_may_pause = False
    """Whether a publisher that is there may send nothing for long."""

    def __init__(self, name: str, specs: Iterable[Spec], **options: Any) -> None:
        super().__init__(name, **options)
        self.parameters = Parameters(
            self, [*specs, AUTOSTART], self._is_configured, self.on_parameters_changed
        )
        self.statistics = StreamStatistics()
        self._input: Subscription[Any] | None = None
        self._silent = False
        self._diagnostics = Diagnostics(self, self._status)
        self._autostart_timer = self.create_timer(0.0, self._autostart)

    def load(self) -> None:
        """Load models; called when the node is configured."""
        raise NotImplementedError

    def start(self) -> Subscription[Any]:
        """
        Begin to work; called when the node is activated.

        :returns: the subscription of the input, to watch over it.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Stop working; called when the node is deactivated, also when it never started."""
        raise NotImplementedError

    def release(self) -> None:
        """Release what `load` took; also called when it never loaded."""
        raise NotImplementedError

    def facts(self) -> Mapping[str, object]:
        """Tell further facts for the diagnostics."""
        return {}

    def problems(self) -> list[str]:
        """Tell in sentences what else is wrong."""
        return []

    def on_parameters_changed(self, changed: dict[str, Any]) -> None:
        """
        Take over parameters that may change at run time.

        :param changed: their new values by name.
        """

    def attempt(self, work: Callable[[Any], None], message: Any) -> None:
        """
        Do one message's work; whatever is wrong with the message costs a counted warning.

        :param work: takes the message; errors of `self.message_errors` are sentences.
        :param message: the message.
        """
        try:
            work(message)
        except self.message_errors as error:
            self.refuse(str(error))
        except Exception as error:
            # At the end rclpy's signal handler invalidates the context under a running callback.
            if self.context.ok():
                self.refuse(f'{type(error).__name__}: {error}')
                self.get_logger().error(traceback.format_exc(), throttle_duration_sec=LOG_PERIOD_S)

    def refuse(self, reason: str) -> None:
        """
        Count a message of the input that cannot be used, and log it now and then.

        :param reason: a sentence.
        """
        self.statistics.refuse(reason)
        topic = self._input.topic_name if self._input is not None else 'its input'
        self.get_logger().warning(f'{topic}: {reason}', throttle_duration_sec=LOG_PERIOD_S)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load models."""
        return self._told(
            self.load, self.release, lambda: super(ManagedNode, self).on_configure(state)
        )

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""

        def begin() -> None:
            self.statistics = StreamStatistics()
            self._silent = False
            self._input = self.start()

        return self._told(begin, self._end, lambda: super(ManagedNode, self).on_activate(state))

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working."""
        self._end()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the models."""
        self.release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and release everything."""
        self.close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop and release everything, in whatever state the node is."""
        self._end()
        self.release()

    def _end(self) -> None:
        self.stop()
        if self._input is not None:
            self.destroy_subscription(self._input)
            self._input = None

    def _told(
        self,
        work: Callable[[], None],
        undo: Callable[[], None],
        then: Callable[[], TransitionCallbackReturn],
    ) -> TransitionCallbackReturn:
        """Do the work of a transition; rclpy itself drops exceptions without a word."""
        try:
            work()
        except (AssetError, ValueError) as error:
            self.get_logger().error(str(error))
            undo()
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return then()

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if not self.parameters['autostart'] or self._state() != State.PRIMARY_STATE_UNCONFIGURED:
            return
        if self.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _state(self) -> int:
        return int(self._state_machine.current_state[0])

    def _is_configured(self) -> bool:
        return self._state() in (State.PRIMARY_STATE_INACTIVE, State.PRIMARY_STATE_ACTIVE)

    def _status(self) -> DiagnosticStatus:
        report = self.statistics.report()
        problems: list[str] = []
        silent = self._input is not None and self.statistics.silence_s > INPUT_TIMEOUT_S
        if silent and self._input is not None:
            problems = silence_problems(self, self._input, self.input_may_pause)
            if problems and not self._silent:
                self.get_logger().warning(problems[0])
        self._silent = silent
        problems += self.problems()
        facts = {'state': self._state_machine.current_state[1], **self.facts()}
        return stream_status(self.get_fully_qualified_name(), report, problems, facts)


def silence_problems(
    node: LifecycleNode, subscription: Subscription[Any], may_pause: bool
) -> list[str]:
    """
    Tell why nothing arrives on a topic, as far as the graph shows it.

    :param node: the node.
    :param subscription: the silent subscription.
    :param may_pause: whether a fitting publisher that sends nothing is all right.
    :returns: a sentence that names the resolved topic and what to do, or none.
    """
    topic = subscription.topic_name
    head = f'Nothing arrived on {topic} for {INPUT_TIMEOUT_S:g} s:'
    publishers = node.get_publishers_info_by_topic(topic)
    kind = _type_name(subscription.msg_type)
    if not publishers:
        same = {name for name, types in node.get_topic_names_and_types() if kind in types}
        own = node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
        others = ', '.join(sorted(same - {topic, *dict(own)})) or 'none'
        return [f'{head} nobody publishes it. Remap it; other topics of type {kind}: {others}.']
    for publisher in publishers:
        if publisher.topic_type != kind:
            return [f'{head} {publisher.node_name} publishes {publisher.topic_type}, not {kind}.']
        asked: QoSProfile = subscription.qos_profile
        compatibility, reason = qos_check_compatible(publisher.qos_profile, asked)
        if compatibility == QoSCompatibility.ERROR:
            return [
                f'{head} the QoS of {publisher.node_name} does not fit ({reason}); set '
                f'qos_overrides.{topic}.subscription.reliability to best_effort.'
            ]
    if may_pause:
        return []
    return [f'{head} {publishers[0].node_name} is there but sends nothing; look at its log.']


def _type_name(message_type: type) -> str:
    package = message_type.__module__.split('.')[0]
    return f'{package}/msg/{message_type.__name__}'
