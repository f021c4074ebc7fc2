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

"""Node processes of the demonstration and the benchmark."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import TracebackType

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import Executor
from rclpy.node import Node

END_TIMEOUT_S = 10.0


class NodeProcess:
    """
    One node in a process of its own; ended with SIGINT when the block is left.

    :param module: module below emotion_estimator.nodes.
    :param arguments: ROS arguments, such as '-p', 'model:=basic7'.
    :param quiet: whether its output is thrown away.
    """

    def __init__(self, module: str, *arguments: str, quiet: bool = False) -> None:
        output = subprocess.DEVNULL if quiet else None
        self.process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                f'emotion_estimator.nodes.{module}',
                '--ros-args',
                *arguments,
            ],
            stdout=output,
            stderr=output,
        )

    def __enter__(self) -> NodeProcess:
        """Return the running process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.end()

    def running(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def end(self) -> int:
        """
        End it with SIGINT, with SIGKILL when it does not listen.

        :returns: its exit status.
        """
        if self.running():
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def activate(node: Node, executor: Executor, name: str, timeout_s: float = 30.0) -> bool:
    """
    Configure and activate a lifecycle node of another process.

    :param node: asks.
    :param executor: spins `node`.
    :param name: the lifecycle node's name.
    :param timeout_s: longest wait for it, in seconds.
    :returns: whether it is active now.
    """
    client = node.create_client(ChangeState, f'{name}/change_state')
    try:
        if not client.wait_for_service(timeout_s):
            return False
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            future = client.call_async(request)
            executor.spin_until_future_complete(future, timeout_s)
            if not future.done() or not future.result().success:
                return False
        return True
    finally:
        node.destroy_client(client)
