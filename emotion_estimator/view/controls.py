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

"""Reads and changes the nodes' parameters through their services, while a page is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.subscription import Subscription

from emotion_estimator.parameters import NODES, Spec, Value

TOPIC_OF = {'blendshape_node': 'blendshapes', 'emotion_node': 'emotion'}
"""What each node publishes: by it a node is found, whatever its name and namespace."""
_SERVICES = {
    'get_parameters': GetParameters,
    'set_parameters': SetParameters,
    'change_state': ChangeState,
    'get_state': GetState,
}
# The way of a node to other values of what is fixed while it is configured, and back to where it
# was, by its state.
_DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
_UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
_WAY = {
    State.PRIMARY_STATE_ACTIVE: (_DOWN, _UP),
    State.PRIMARY_STATE_INACTIVE: (_DOWN[1:], _UP[:1]),
}
_PATIENCE_S = 10.0  # with a node that loads again, which may have crashed
Steps = Generator[tuple[str, Any], Any, None]
"""Services with their requests; each is sent the answer before it gives the next."""
READ_AGAIN_S = 2.0
"""How often values are read though no change was told, in seconds."""


@dataclass(frozen=True)
class Control:
    """
    A parameter that the page changes.

    :param node: one of `TOPIC_OF`.
    :param spec: what it means and its range.
    """

    node: str
    spec: Spec

    @property
    def restarts(self) -> bool:
        """Whether the node loads again, for a second or two, to take it over."""
        return not self.spec.at_run_time


CONTROLS = tuple(
    Control(node, spec)
    for node in reversed(NODES)
    for spec in NODES[node]
    if spec.at_run_time or spec.name == 'max_faces'
)
"""What may change at run time, and `max_faces`, for which its node loads again."""
_READ = ('max_yaw_deg', 'max_pitch_deg', 'field_of_view_deg', 'rotate')
"""Further parameters, on which depends what is shown."""
_READ_OF = {
    node: sorted(
        {spec.name for spec in NODES[node] if spec.name in _READ}
        | {control.spec.name for control in CONTROLS if control.node == node}
    )
    for node in TOPIC_OF
}


class Controls:
    """
    The parameters of both nodes; used by the thread that spins alone, but for its attributes.

    No answer is waited for: it is taken when it comes.

    :param node: calls the services.
    :param subscribe: makes guarded subscriptions, see `Listener.subscribe`.
    """

    def __init__(self, node: Node, subscribe: Callable[..., Subscription[Any]]) -> None:
        self._node = node
        self._subscribe = subscribe
        self._events: Subscription[Any] | None = None
        self._names: dict[str, str] = {}
        self._clients: dict[tuple[str, str], Client] = {}
        self._read_s: dict[str, float] = {}  # when each node was asked
        self._loads_until_s: dict[str, float] = {}  # at the latest
        self._waits: dict[str, tuple[str, Value]] = {}  # for a node that loads
        self.values: dict[str, Value] = {}
        """Parameters by name, as far as they are known; replaced as a whole."""
        self.refusal = (0, '')
        """How often a change was refused, and what was said of the last one."""

    def start(self) -> None:
        """Listen to changes, whoever makes them."""
        self._events = self._subscribe(ParameterEvent, '/parameter_events', self._on_event)

    def stop(self) -> None:
        """Listen no more."""
        if self._events is not None:
            self._node.destroy_subscription(self._events)
            self._events = None
        for node in TOPIC_OF:
            self.follow(node, '')

    def follow(self, node: str, name: str) -> None:
        """
        Say which node it is; its values are read as soon as it answers.

        :param node: one of `TOPIC_OF`.
        :param name: its full name; empty where it is not there.
        """
        if name != self._names.get(node, ''):
            self._names[node] = name
            self._forget(node)
            for service, kind in _SERVICES.items() if name else ():
                client = self._node.create_client(kind, f'{name}/{service}')
                self._clients[node, service] = client
        # A client that was just made has not met its service yet; and a node that crashed and
        # was started again under its name has told its values before it was met.
        known = any(key in self.values for key in _READ_OF[node])
        since_s = time.monotonic() - self._read_s.get(node, 0.0)
        if name and not (known and since_s < READ_AGAIN_S):
            self._read(node)
        if node in self._waits and not self._loads(node):
            self.change(*self._waits.pop(node))

    def _loads(self, node: str) -> bool:
        return time.monotonic() < self._loads_until_s.get(node, 0.0)

    def _forget(self, node: str) -> None:
        for key in [key for key in self._clients if key[0] == node]:
            self._node.destroy_client(self._clients.pop(key))
        self._loads_until_s.pop(node, None)
        self._waits.pop(node, None)
        names = _READ_OF[node]
        self.values = {key: value for key, value in self.values.items() if key not in names}

    def _on_event(self, event: ParameterEvent) -> None:
        for node, name in self._names.items():
            if name and event.node == name:
                changed = [*event.new_parameters, *event.changed_parameters]
                self._take(node, [(item.name, item.value) for item in changed])

    def _take(self, node: str, values: list[tuple[str, Any]]) -> None:
        read = {name: parameter_value_to_python(value) for name, value in values}
        known = {name: x for name, x in read.items() if name in _READ_OF[node] and x is not None}
        self.values = {**self.values, **known}

    def _read(self, node: str) -> None:
        names = _READ_OF[node]
        self._read_s[node] = time.monotonic()

        def take(answer: GetParameters.Response) -> None:
            self._take(node, list(zip(names, answer.values)))

        self._call(node, 'get_parameters', GetParameters.Request(names=names), take)

    def change(self, name: str, value: Value) -> None:
        """
        Change a parameter; what its node refuses stands in `refusal`, in its own words.

        :param name: of one of `CONTROLS`.
        :param value: the new value.
        """
        control = next((each for each in CONTROLS if each.spec.name == name), None)
        if control is None or not self._names.get(control.node):
            self._refuse(f'{name} cannot be set: its node is not there.')
            return
        if control.restarts and self._loads(control.node):
            self._waits[control.node] = name, value
            return
        self._waits.pop(control.node, None)
        self._go_on(control.node, self._steps(control, type(control.spec.default)(value)))

    def _refuse(self, sentence: str) -> None:
        self.refusal = (self.refusal[0] + 1, sentence)

    def _give_up(self, node: str, sentence: str) -> None:
        self._loads_until_s.pop(node, None)  # no further change waits for it
        self._refuse(sentence)

    def _steps(self, control: Control, value: Value) -> Steps:
        message = Parameter(control.spec.name, value=value).to_parameter_msg()
        setting = ('set_parameters', SetParameters.Request(parameters=[message]))
        if not control.restarts:
            yield setting
            return
        self._loads_until_s[control.node] = time.monotonic() + _PATIENCE_S
        state = yield 'get_state', GetState.Request()
        down, up = _WAY.get(state.current_state.id, ((), ()))
        for transition in down:
            yield _to(transition)
        yield setting
        # Also where it was refused: the node is not left as it is.
        for transition in up:
            yield _to(transition)
        self._loads_until_s.pop(control.node, None)

    def _go_on(self, node: str, steps: Steps, answer: Any = None) -> None:
        try:
            step = steps.send(answer)
        except StopIteration:
            self._read(node)
            return

        def take(answer: Any) -> None:
            if isinstance(answer, SetParameters.Response) and not answer.results[0].successful:
                self._refuse(answer.results[0].reason or 'The change was refused.')
            self._go_on(node, steps, answer)

        self._call(node, *step, take)

    def _call(self, node: str, service: str, request: Any, take: Callable[[Any], None]) -> None:
        client = self._clients.get((node, service))
        if client is None or not client.service_is_ready():
            if service != 'get_parameters':
                self._give_up(node, f'{self._names.get(node, node)} does not answer; try again.')
            return

        def done(future: Any) -> None:
            try:
                take(future.result())
            except Exception as error:
                self._give_up(node, f'{node}: {type(error).__name__}: {error}')

        client.call_async(request).add_done_callback(done)


def _to(transition: int) -> tuple[str, Any]:
    return 'change_state', ChangeState.Request(transition=Transition(id=transition))
