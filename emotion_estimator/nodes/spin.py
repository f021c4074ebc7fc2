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

"""Runs nodes in one process until Ctrl-C; what hands items from thread to thread."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

from emotion_estimator.assets import Asset, fetch_missing, find_asset, log_to_terminal
from emotion_estimator.commands import (
    ignore_interrupts,
    note_interrupts,
    part_arguments,
    raise_first_interrupt,
)
from emotion_estimator.files import AssetError
from emotion_estimator.nodes.lifecycle import NO_SUBSCRIPTION_EVENTS, ManagedNode

EXIT_WRONG_PARAMETER = 2
# Of glibc's malloc.h, see mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_HEAPS, _KEPT_BYTES = 2, 16 << 20
_FOR_SENDERS, _FOR_LISTENERS = 'fastdds_large_images.xml', 'fastdds_received_images.xml'
POLL_S = 0.1
"""How often it is looked for Ctrl-C, in seconds."""

AssetsOf = Callable[[Mapping[str, object]], Iterable[Asset]]
"""Lists the assets that a node loads, from the parameters that its user set."""


def run(
    factories: Sequence[Callable[[], Node]],
    assets_of: Mapping[str, AssetsOf] | None = None,
    arguments: list[str] | None = None,
    sends_images: bool = True,
    gather_s: float = 0.0,
) -> int:
    """
    Run nodes in one executor until SIGINT, SIGTERM or until one ends the process.

    What the nodes load is fetched first, so that none of their transitions waits for a network.

    :param factories: make the nodes.
    :param assets_of: for nodes by name, what they load.
    :param arguments: command line; None takes that of the process.
    :param sends_images: whether any of them does.
    :param gather_s: see `GatheringExecutor`; for nodes that need not answer at once.
    :returns: exit status: 0, or 2 when a parameter's start value or a ROS argument is wrong.
    """
    _share_heaps()
    if not sends_images:
        _take_no_large_segment()
    raise_first_interrupt()
    try:
        for name, assets in (assets_of or {}).items():
            _fetch(name, assets, arguments)
    except KeyboardInterrupt:
        return 0
    noted = note_interrupts()
    try:
        init_ros(arguments)
    except RosArgumentError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_PARAMETER
    # What was imported stays: a full collection over it would stop all threads for tens of
    # milliseconds, and a frame would be skipped. Before the nodes, which are to be collected.
    gc.collect()
    gc.freeze()
    nodes: list[Node] = []
    executor = new_executor(gather_s=gather_s)
    try:
        for factory in factories:
            nodes.append(factory())
            executor.add_node(nodes[-1])
        spin_until(executor, lambda: bool(noted))
    except (NodeEndedError, ExternalShutdownException):
        pass
    except ParameterException as error:
        print(f'A parameter has a wrong value: {error}', file=sys.stderr)
        return EXIT_WRONG_PARAMETER
    finally:
        _take_down(nodes, executor)
    return 0


class RosArgumentError(ValueError):
    """ROS arguments that cannot be used; a sentence that says why."""


def init_ros(arguments: Sequence[str] | None = None, context: rclpy.Context | None = None) -> None:
    """
    Begin ROS, but not rclpy's signal handlers, which end it before nodes have said their last.

    :param arguments: command line; None takes that of the process.
    :param context: of the nodes; None takes the process's.
    :raises RosArgumentError: when its ROS arguments cannot be used.
    """
    _, ros = part_arguments(arguments)
    try:
        rclpy.init(args=ros, context=context, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        reason = str(error)
        if type(error).__name__ == 'UnknownROSArgsError':
            reason = f'ROS knows no {reason}'
        elif isinstance(error, UnicodeEncodeError):
            reason = f'{error.object!r} is no UTF-8'
        elif 'parse' not in reason:
            raise
        # Of which file and line of rcl it says so, nobody needs to hear.
        reason = re.sub(r', at \S+:\d+', '', reason).splitlines()[0]
        raise RosArgumentError(f'The ROS arguments cannot be used: {reason}') from error


class GatheringExecutor(SingleThreadedExecutor):  # type: ignore[misc]
    """
    Lets what comes within a moment be looked for once.

    Looking costs as much with one message as with ten: rclpy asks each subscription, service and
    timer. What comes on many topics for each image is thus taken for a fraction of the time.

    :param gather_s: how far apart it looks, in seconds.
    :param further: arguments of rclpy's executor.
    """

    def __init__(self, gather_s: float, **further: Any) -> None:
        super().__init__(**further)
        self._gather_s = gather_s
        self._looked_s = time.monotonic()

    def wait_for_ready_callbacks(self, *arguments: Any, **named: Any) -> Any:
        """Give the next callback; where another look is due, not before its time."""
        more = getattr(self, '_cb_iter', None)
        if more is not None:
            try:
                return next(more)
            except StopIteration:
                self._cb_iter = None
        time.sleep(max(0.0, self._looked_s + self._gather_s - time.monotonic()))
        self._looked_s = time.monotonic()
        return super().wait_for_ready_callbacks(*arguments, **named)


def subscribe_to_all(
    node: Node,
    kind: type,
    topic: str,
    work: Callable[[Any], None],
    qos: QoSProfile,
    raw: bool = False,
) -> Subscription[Any]:
    """
    Subscribe and, when something has come, take all of it.

    An executor takes one message of each topic whenever it looks. Where more come between two
    looks of a `GatheringExecutor`, the others would wait until newer ones push them out.

    :param node: subscribes.
    :param kind: type of the messages.
    :param topic: their topic.
    :param work: takes each, in the thread that spins.
    :param qos: of the subscription.
    :param raw: whether they are taken as they were sent, in bytes.
    """

    def take_all(message: Any) -> None:
        # Held, since the work may destroy the subscription.
        with subscription.handle:
            work(message)
            for _ in range(qos.depth - 1):
                taken = subscription.handle.take_message(kind, raw)
                if taken is None:
                    return
                work(taken[0])

    # Each event of a subscription would be looked at with each message of any.
    subscription = node.create_subscription(
        kind, topic, take_all, qos, event_callbacks=NO_SUBSCRIPTION_EVENTS, raw=raw
    )
    return subscription


def new_executor(
    context: rclpy.Context | None = None, gather_s: float = 0.0
) -> SingleThreadedExecutor:
    """
    Make an executor for the calling thread that does not wake itself.

    rclpy's wakes whoever waits after each callback, also where that is the thread that ran it:
    then it looks at all subscriptions, services and timers twice, which takes as long again.

    :param context: of its nodes; None takes the process's.
    :param gather_s: see `GatheringExecutor`; 0 takes each message as it comes.
    :returns: rclpy's executor; other threads wake it as before.
    """
    executor = (
        GatheringExecutor(gather_s, context=context)
        if gather_s
        else SingleThreadedExecutor(context=context)
    )
    guard, own = getattr(executor, '_guard', None), threading.get_ident()
    if guard is not None:
        wake = guard.trigger
        guard.trigger = lambda: None if threading.get_ident() == own else wake()
    return executor


class NodeEndedError(Exception):
    """Raised by a callback to end the process, because the node's work is done."""


def spin_until(executor: Executor, ended: Callable[[], bool]) -> None:
    """
    Run callbacks; what is raised beside a managed node's guarded ones ends nothing either.

    :param executor: runs them.
    :param ended: asked a few times a second whether to end.
    :raises NodeEndedError: when a node's work is done.
    """
    while executor.context.ok() and not ended():
        try:
            executor.spin_once(timeout_sec=POLL_S)
        except (ExternalShutdownException, NodeEndedError):
            raise
        except Exception as error:
            managed = [node for node in executor.get_nodes() if isinstance(node, ManagedNode)]
            if not managed:
                raise
            for node in managed:
                node.fail(error, 'the executor')
            time.sleep(POLL_S)  # what fails each time must not take a core


def _take_down(nodes: list[Node], executor: SingleThreadedExecutor) -> None:
    """Close the nodes and leave the ROS graph at once."""
    for node in nodes:
        node.close()
        node.destroy_node()
    nodes.clear()
    executor.shutdown()
    rclpy.try_shutdown()
    ignore_interrupts()


def _share_heaps() -> None:
    """
    Let threads share two of glibc's heaps, before there are threads.

    By default each thread has one of its own. MediaPipe's threads end with its graphs, and what
    they leave in their heaps adds up in a node that is configured again and again.
    """
    _set_options({_M_ARENA_MAX: _HEAPS})


def keep_freed_memory() -> None:
    """
    Let glibc keep some MB that were freed, for what comes next.

    By default it gives the memory of each image back to the kernel, which maps it anew, page by
    page, for the next one: that takes more than half of the time in which an image is taken.
    """
    _set_options({_M_TRIM_THRESHOLD: _KEPT_BYTES, _M_MMAP_THRESHOLD: _KEPT_BYTES})


def _set_options(options: Mapping[int, int]) -> None:
    set_option = getattr(ctypes.CDLL(None), 'mallopt', lambda option, value: None)
    for option, value in options.items():
        set_option(option, value)


def _take_no_large_segment() -> None:
    """
    Leave config/fastdds_large_images.xml to those who send images, where it is set for all.

    Fast DDS fills the segment of shared memory that it asks for: 33 MB in each process. The
    profile beside it asks for none, and keeps the socket buffers for images of other machines.
    """
    for variable in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'):
        profile = Path(os.environ.get(variable, ''))
        if profile.name == _FOR_SENDERS:
            other = profile.with_name(_FOR_LISTENERS)
            if other.is_file():
                os.environ[variable] = str(other)
            else:
                del os.environ[variable]


def _fetch(name: str, assets_of: AssetsOf, arguments: list[str] | None) -> None:
    """Fetch what a node loads and this machine lacks."""
    log_to_terminal()
    try:
        for asset in assets_of({}):
            find_asset(asset, fetch=False)
    except AssetError:
        try:
            wanted = assets_of(_start_values(name, arguments))
        except Exception:  # a value of another type, arguments that ROS refuses: the node says so
            return
        fetch_missing(wanted)


def _start_values(name: str, arguments: list[str] | None) -> dict[str, object]:
    """Read the parameters that a node's command line and parameter files set."""
    context = rclpy.Context()
    init_ros(arguments, context)
    try:
        node = Node(
            name,
            context=context,
            enable_rosout=False,
            start_parameter_services=False,
            automatically_declare_parameters_from_overrides=True,
        )
        values = {key: item.value for key, item in node.get_parameters_by_prefix('').items()}
        node.destroy_node()
        return values
    finally:
        rclpy.shutdown(context=context)


Item = TypeVar('Item')


class LatestOfEach(Generic[Item]):
    """A place for the latest of each sender; those who waited longest come first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: dict[str, list[Item]] = {}
        self._closed = False

    def put(self, sender: str, *items: Item) -> int:
        """
        Leave an item, or several that belong together, to be taken one after the other.

        :returns: how many of the same sender they replaced that nobody had taken.
        """
        with self._changed:
            replaced = len(self._items.get(sender, ()))
            self._items[sender] = list(items)
            self._changed.notify()
            return replaced

    def take(self) -> tuple[str, Item] | None:
        """
        Wait for an item.

        :returns: a sender and its item, or None once the place is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if self._closed:
                return None
            sender, items = next(iter(self._items.items()))
            item = items.pop(0)
            if not items:
                del self._items[sender]
            return sender, item

    def drop(self, sender: str) -> None:
        """Throw away what a sender left; nothing is no error."""
        with self._changed:
            self._items.pop(sender, None)

    def close(self) -> None:
        """Wake and end whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
