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

"""Runs nodes in one process until Ctrl-C; fetches first what they load."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from emotion_estimator.assets import Asset, fetch_missing, find_asset, log_to_terminal
from emotion_estimator.files import AssetError

# Ctrl-C as an event, not as an exception at any line.


def raise_first_interrupt() -> None:
    """
    Let the first SIGINT raise KeyboardInterrupt and those behind it nothing.

    Where the first one breaks off a wait, the second one, which comes under launch, would come
    while that is dealt with or while Python shuts down.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def note_interrupts() -> list[int]:
    """
    Let SIGINT raise nothing, so that it breaks off no release: under launch it comes twice.

    Called before rclpy is initialised, whose own handler then comes first, ends the context and
    thereby the executor, and passes the signal on. With KeyboardInterrupt the second SIGINT, or
    the passing on of the first, would come at any line.

    :returns: a list that each SIGINT is added to.
    """
    noted: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    return noted


EXIT_WRONG_PARAMETER = 2

AssetsOf = Callable[[Mapping[str, object]], Iterable[Asset]]
"""Lists the assets that a node loads, from the parameters that its user set."""


class Closable(Protocol):
    """A node that has something to release."""

    def close(self) -> None:
        """Stop and release everything."""


def run(
    factories: Sequence[Callable[[], Node]],
    assets_of: Mapping[str, AssetsOf] | None = None,
    arguments: list[str] | None = None,
) -> int:
    """
    Run nodes in one executor until SIGINT, SIGTERM or until one ends the process.

    What the nodes load is fetched first, so that none of their transitions waits for a network.

    :param factories: make the nodes.
    :param assets_of: for nodes by name, what they load.
    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0, or 2 when a parameter's start value is wrong.
    """
    raise_first_interrupt()
    try:
        for name, assets in (assets_of or {}).items():
            _fetch(name, assets, arguments)
    except KeyboardInterrupt:
        return 0
    noted = note_interrupts()
    rclpy.init(args=arguments)
    nodes: list[Node] = []
    try:
        if noted:  # before rclpy listened
            return 0
        executor = SingleThreadedExecutor()
        for factory in factories:
            nodes.append(factory())
            executor.add_node(nodes[-1])
        # What was imported stays: a full collection over it would stop all threads for tens of
        # milliseconds, and a frame would be skipped.
        gc.collect()
        gc.freeze()
        executor.spin()
    except ParameterException as error:
        print(f'A parameter has a wrong value: {error}', file=sys.stderr)
        return EXIT_WRONG_PARAMETER
    except ExternalShutdownException:
        pass
    except Exception:
        # rclpy's signal handler may invalidate what the executor is just taking a message from.
        if rclpy.ok():
            raise
    finally:
        for node in nodes:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _fetch(name: str, assets_of: AssetsOf, arguments: list[str] | None) -> None:
    """Fetch what a node loads and this machine lacks."""
    log_to_terminal()
    try:
        for asset in assets_of({}):
            find_asset(asset, fetch=False)
    except AssetError:
        try:
            wanted = assets_of(_start_values(name, arguments))
        except (TypeError, ValueError):  # of another type; the node itself says so
            return
        fetch_missing(wanted)


def _start_values(name: str, arguments: list[str] | None) -> dict[str, object]:
    """Read the parameters that a node's command line and parameter files set."""
    context = rclpy.Context()
    # Without rclpy's signal handlers: Ctrl-C breaks off a download.
    rclpy.init(args=arguments, context=context, signal_handler_options=SignalHandlerOptions.NO)
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
