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

"""Runs nodes in one process until they are told to stop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from emotion_estimator.interrupts import note_interrupts

EXIT_WRONG_PARAMETER = 2


class Closable(Protocol):
    """A node that has something to release."""

    def close(self) -> None:
        """Stop and release everything."""


def run(factories: Sequence[Callable[[], Node]], arguments: list[str] | None = None) -> int:
    """
    Run nodes in one executor until SIGINT, SIGTERM or until one ends the process.

    :param factories: make the nodes.
    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0, or 2 when a parameter's start value is wrong.
    """
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
