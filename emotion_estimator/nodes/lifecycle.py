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

import math
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import (
    LifecycleNode,
    LifecyclePublisher,
    LifecycleState,
    TransitionCallbackReturn,
)
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.timer import Timer

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ModuleNotFoundError:  # Humble's rclpy
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

from emotion_estimator.files import AssetError
from emotion_estimator.messages import shortened
from emotion_estimator.nodes import give_memory_back
from emotion_estimator.nodes.declared_parameters import Parameters, refused
from emotion_estimator.nodes.diagnostics import (
    INPUT_TIMEOUT_S,
    WATCH_PERIOD_S,
    Diagnostics,
    StreamReport,
    StreamStatistics,
    loss_problem,
    stream_status,
)
from emotion_estimator.nodes.graph import silence_problems
from emotion_estimator.parameters import EVERY_NODE, Spec
from emotion_estimator.stamps import NS_PER_S

# Without QoS events: by default every publisher and subscription brings waitables for events such
# as incompatible QoS, which rclpy's executor looks at again each time it waits, a quarter of its
# time in this package. `graph.silence_problems` tells what is wrong by looking at the graph.
NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
NO_SUBSCRIPTION_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)

LOG_PERIOD_S = 5.0
"""A message that is refused is logged at most this often."""
LAST_WORD = Duration(seconds=0.5)
"""How long a node that ends waits until its last message has arrived."""
_MOST_LETTERS = 2000  # of a status in /diagnostics
Callback = Callable[..., Any]
_TO_DO = {
    'unconfigured': 'configure and activate it, or let `autostart` do it.',
    'inactive': 'activate it.',
    'finalized': 'it was shut down; start its process again.',
}


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
        # First what the guard of a callback needs.
        self.statistics = StreamStatistics()
        self._input: Subscription[Any] | None = None
        self._failure = ''
        super().__init__(name, **options)
        # Those of the parameters and of the life cycle, which rclpy has made.
        for service in self.services:
            service.callback = self.guarded(service.callback)
        specs, is_configured = [*specs, *EVERY_NODE], self._is_configured
        changed, objection = self.on_parameters_changed, self.objection
        try:
            self.parameters = Parameters(self, specs, is_configured, changed, objection)
        except Exception:
            self.destroy_node()
            raise
        self._diagnostics = Diagnostics(self, self._status)
        self._watch_timer = self.create_timer(
            WATCH_PERIOD_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._autostart_timer = self.create_timer(0.0, self._autostart)

    def guarded(
        self, work: Callback, otherwise: Callback = lambda *given: given[-1] if given else None
    ) -> Callback:
        """
        Guard a callback or a thread: whatever it raises costs a counted warning, not the node.

        :param work: the callback.
        :param otherwise: makes of the arguments what is returned where it raises; a service thus
            answers with the response that it was given to fill in.
        :returns: the callback with its guard.
        """

        @wraps(work)
        def guard(*arguments: Any) -> Any:
            try:
                return work(*arguments)
            except Exception as error:
                self.fail(error, getattr(work, '__name__', 'a callback'))
                return otherwise(*arguments)

        return guard

    def create_subscription(
        self, msg_type: type, topic: str, callback: Callback, *further: Any, **named: Any
    ) -> Subscription[Any]:
        """Subscribe with a guarded callback, and without QoS events (see above)."""
        named.setdefault('event_callbacks', NO_SUBSCRIPTION_EVENTS)
        try:
            return super().create_subscription(
                msg_type, topic, self.guarded(callback), *further, **named
            )
        except Exception as error:
            if 'qos_overriding_options' not in named:
                raise
            name = f'qos_overrides.{self.resolve_topic_name(topic)}.subscription'
            reason = str(error).splitlines()[0]
            raise ValueError(f'A value of {name} cannot be used: {reason}') from error

    def create_publisher(self, *further: Any, **named: Any) -> Publisher[Any]:
        """Make a publisher without QoS events (see above)."""
        named.setdefault('event_callbacks', NO_PUBLISHER_EVENTS)
        return super().create_publisher(*further, **named)

    def create_lifecycle_publisher(self, *further: Any, **named: Any) -> LifecyclePublisher[Any]:
        """Make a publisher that sends while the node is active, without QoS events."""
        named.setdefault('event_callbacks', NO_PUBLISHER_EVENTS)
        return super().create_lifecycle_publisher(*further, **named)

    def create_timer(
        self, period_s: float, callback: Callback, *further: Any, **named: Any
    ) -> Timer:
        """Make a timer with a guarded callback."""
        return super().create_timer(period_s, self.guarded(callback), *further, **named)

    def add_on_set_parameters_callback(self, callback: Callback) -> None:
        """Ask a guarded callback about parameters; where it raises, the change is refused."""
        answer = refused('This could not be checked; the log of the node says why.')
        super().add_on_set_parameters_callback(self.guarded(callback, lambda *_: answer))

    def add_post_set_parameters_callback(self, callback: Callback) -> None:
        """Tell a guarded callback of parameters that have changed."""
        super().add_post_set_parameters_callback(self.guarded(callback))

    def start_thread(self, work: Callable[[], None]) -> threading.Thread:
        """
        Start a guarded thread that does not keep the process alive.

        :param work: what it does.
        :returns: the thread.
        """
        thread = threading.Thread(target=self.guarded(work), daemon=True)
        thread.start()
        return thread

    def load(self) -> None:
        """Load models; called when the node is configured."""
        raise NotImplementedError

    def start(self) -> Subscription[Any]:
        """Begin to work when the node is activated; returns the input's subscription, to watch."""
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

    @property
    def input_timeout_s(self) -> float:
        """Silence of the input in seconds after which it is worth a warning."""
        return INPUT_TIMEOUT_S

    def watch(self) -> None:
        """Look at how long nothing came; called ten times a second while the node is active."""

    def problems(self) -> list[str]:
        """Tell in sentences what else is wrong."""
        return []

    def alarms(self) -> Mapping[str, str]:
        """Tell what is logged when it begins too, in sentences by kind; '' is none."""
        return {}

    def objection(self, name: str, value: Any) -> str:
        """Say why what is loaded cannot take a parameter's new value; '' where it can."""
        return ''

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
            self.fail(error, getattr(work, '__name__', 'a callback'))

    def count_result(self, stamp_ns: int) -> None:
        """Count a result that was sent, and what has passed since its image's stamp."""
        now_ns = self.get_clock().now().nanoseconds
        # Simulated time is 0 until somebody has told it.
        self.statistics.publish((now_ns - stamp_ns) / NS_PER_S if now_ns else None)

    def fail(self, error: Exception, where: str) -> None:
        """
        Count what nobody expected as a message that cannot be used, and log it now and then.

        :param error: as it was raised.
        :param where: what was being done.
        """
        # Others' signal handlers may invalidate the context under a running callback.
        if self.context.ok():
            if 'Transition is not registered' not in str(error):  # as Jazzy says of a wrong one
                self.refuse(f'{type(error).__name__} in {where}: {error}')
            trace = ''.join(traceback.format_exception(error))
            self.get_logger().error(trace, throttle_duration_sec=LOG_PERIOD_S)

    def refuse(self, reason: str) -> None:
        """Count a message that cannot be used, and log the reason, a sentence, now and then."""
        self.statistics.refuse(reason := shortened(reason))
        topic = self._input.topic_name if self._input is not None else 'its input'
        self.get_logger().warning(f'{topic}: {reason}', throttle_duration_sec=LOG_PERIOD_S)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load models."""
        return self._reported(super().on_configure, state, self.load, self.release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""

        def begin() -> None:
            self.statistics = StreamStatistics()
            self._input = self.start()

        return self._reported(super().on_activate, state, begin, self._end)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working."""
        return self._reported(super().on_deactivate, state, self._end)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the models."""
        return self._reported(super().on_cleanup, state, self.release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and release everything."""
        return self._reported(super().on_shutdown, state, self.close)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Leave the ROS graph at once."""
        super().destroy_node()
        # It holds the node, and rclpy leaves it to Python's collector.
        self._state_machine.destroy_when_not_in_use()

    def close(self) -> None:
        """Stop and release everything, in whatever state the node is, whatever that raises."""
        self.guarded(self._end)()
        self.guarded(self.release)()

    def _end(self) -> None:
        self.stop()
        if self._input is not None:
            self.destroy_subscription(self._input)
            self._input = None

    def _reported(
        self,
        then: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
        work: Callable[[], None],
        undo: Callable[[], None] | None = None,
    ) -> TransitionCallbackReturn:
        """Do the work of a transition; rclpy itself drops exceptions without a word."""
        try:
            work()
        except Exception as error:
            if undo is not None and isinstance(error, (AssetError, ValueError)):
                self._failure = shortened(str(error), _MOST_LETTERS)
                self.get_logger().error(self._failure)
                undo()
                return TransitionCallbackReturn.FAILURE
            self._failure = shortened(f'{type(error).__name__}: {error}')
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        self._failure = ''
        give_memory_back()
        return then(state)

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

    def _watch(self) -> None:
        self.statistics.silence.watch()
        if self._input is not None:
            self.watch()

    def _alarms(self, report: StreamReport) -> dict[str, str]:
        if self._input is None:
            return {}
        timeout_s, silence = self.input_timeout_s, ''
        if self.statistics.silence.duration_s > timeout_s:
            # Of a sender whose messages are lost nobody knows that it sends nothing.
            may_pause = self.input_may_pause or report.loses
            silence = ' '.join(silence_problems(self, self._input, may_pause, timeout_s))
        loss = loss_problem(report, self._input.topic_name)
        clock = self._diagnostics.clock_problem()
        return {'loss': loss, 'silence': silence, 'clock': clock, **self.alarms()}

    def _status(self) -> DiagnosticStatus:
        report = self.statistics.report()
        alarms = {kind: sentence for kind, sentence in self._alarms(report).items() if sentence}
        self._diagnostics.log_begun(alarms)
        if 'clock' in alarms:
            report = replace(report, latency_p50_s=math.nan, latency_p95_s=math.nan)
        problems = [*alarms.values(), *self.problems()]
        label = str(self._state_machine.current_state[1])
        facts = {'state': label, **self.facts()}
        status = stream_status(self.get_fully_qualified_name(), report, problems, facts)
        if self._failure:
            status.level, status.message = DiagnosticStatus.ERROR, self._failure
        elif self._state() != State.PRIMARY_STATE_ACTIVE:
            status.level = DiagnosticStatus.WARN
            status.message = f'The node is {label}: {_TO_DO.get(label, "wait.")}'
        status.message = shortened(status.message, _MOST_LETTERS)
        return status
