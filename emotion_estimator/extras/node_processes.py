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

"""Node processes of the demonstration and the benchmark, and what they write at their start."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.executors import Executor
from rclpy.node import Node

from emotion_estimator.assets import DEMO_CLIP, find_asset
from emotion_estimator.files import write_all, writing
from emotion_estimator.replay.files import open_film

END_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
"""Longer than a node takes to load its models, in seconds; then it is asked again."""
_LOOK_S = 0.2
"""How often it is looked whether a process that is waited for still runs, in seconds."""
CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP
_GOALS = {
    CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
}


class HasFileno(Protocol):
    """An open file, or a sieve."""

    def fileno(self) -> int:
        """Return its descriptor."""


class NodeProcess:
    """
    One node in a process of its own; ended with SIGINT when the block is left.

    :param module: module below emotion_estimator, such as 'nodes.emotion_node'.
    :param arguments: ROS arguments, such as '-p', 'model:=basic7'.
    :param stderr: to which it writes its log; None is this process's own.
    """

    def __init__(self, module: str, *arguments: str, stderr: HasFileno | None = None) -> None:
        # Held back until the command handles it: Ctrl-C reaches a whole terminal at once.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        command = [sys.executable, '-m', f'emotion_estimator.{module}', '--ros-args', *arguments]
        self._was_interrupted = False
        try:
            self.process = subprocess.Popen(
                command, stderr=None if stderr is None else stderr.fileno()
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __enter__(self) -> NodeProcess:
        """Return the running process."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.end()

    def running(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def interrupt(self) -> None:
        """Ask it to end, once; `end` waits until it has."""
        if self.running() and not self._was_interrupted:
            self._was_interrupted = True
            self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """
        End it with SIGINT, with SIGKILL when it does not listen.

        :returns: its exit status.
        """
        self.interrupt()
        return self.wait()

    def wait(self) -> int:
        """
        Wait until one that is ending has ended; with SIGKILL when it does not.

        :returns: its exit status.
        """
        try:
            return self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


_next_domain = itertools.count(os.getpid())


def claim_domain(domains: Sequence[int]) -> tuple[int, socket.socket]:
    """
    Find a ROS domain that nobody else on this machine has claimed in this way.

    :param domains: those to choose from.
    :returns: the domain, and what holds the claim: closing it, or the process's end, frees it.
    :raises RuntimeError: when all are claimed.
    """
    for _ in domains:
        domain_id = domains[next(_next_domain) % len(domains)]
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name: it lives as long as the process, and leaves no file.
            claim.bind(f'\0emotion_estimator_domain_{domain_id}')
        except OSError:
            claim.close()
        else:
            return domain_id, claim
    raise RuntimeError(f'Every ROS domain from {domains[0]} to {domains[-1]} is taken.')


def lead(
    node: Node,
    executor: Executor,
    name: str,
    transition: int,
    timeout_s: float = 60.0,
    running: Callable[[], bool] = lambda: True,
) -> bool:
    """
    Lead a lifecycle node of another process through one transition.

    :param node: asks.
    :param executor: spins `node`.
    :param name: the lifecycle node's name.
    :param transition: `CONFIGURE`, `ACTIVATE`, `DEACTIVATE` or `CLEANUP`.
    :param timeout_s: longest wait for it, in seconds.
    :param running: whether that process still runs; nothing is waited for once it does not.
    :returns: whether it is done.
    """
    deadline_s = time.monotonic() + timeout_s
    change = node.create_client(ChangeState, f'{name}/change_state')
    get = node.create_client(GetState, f'{name}/get_state')

    def waits(until_s: float = deadline_s) -> bool:
        return running() and node.context.ok() and time.monotonic() < until_s

    def answer(client: Client, request: Any) -> Any:
        """Ask once; None when no answer comes, as on a busy machine that has just met it."""
        while not client.wait_for_service(_LOOK_S):
            if not waits():
                return None
        future = client.call_async(request)
        until_s = min(deadline_s, time.monotonic() + ANSWER_TIMEOUT_S)
        while not future.done() and waits(until_s):
            executor.spin_until_future_complete(future, _LOOK_S)
        return future.result() if future.done() else None

    try:
        request = ChangeState.Request(transition=Transition(id=transition))
        while not ((changed := answer(change, request)) and changed.success):
            # An answer may be lost though the step was done.
            state = answer(get, GetState.Request())
            if state is not None and state.current_state.id == _GOALS[transition]:
                break
            if changed is not None or not waits():
                return False
        return True
    finally:
        node.destroy_client(change)
        node.destroy_client(get)


# What a demonstration plays to them.


def find_video(named: str) -> str:
    """
    Find a video; one that cannot be decoded is refused before anything is started.

    :param named: a file, a folder of pictures, or a webcam's number; empty is the demo's clip.
    :returns: what `video` of camera_node takes.
    :raises ValueError: when it is not there, cannot be decoded, or ROS cannot take its name.
    :raises AssetError: when the clip cannot be had.
    """
    if named:
        if named.isdigit():
            return named
        if not Path(named).exists():
            raise ValueError(
                f'There is no video {named!r}; give a file, or 0 for the first webcam.'
            )
        quoted(named)
        open_film(Path(named)).close()
        return named
    return str(find_asset(DEMO_CLIP))


def quoted(text: str) -> str:
    """
    Quote a string for a ROS argument, which is read as YAML.

    :returns: a YAML scalar.
    :raises ValueError: when it is no UTF-8, as the name of a file may be.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'{text!r} is no UTF-8, which ROS needs; rename it.') from error
    return "'" + text.replace("'", "''") + "'"


# Start-up lines of native libraries are kept out of the terminal, in a file.


# MediaPipe and LiteRT write to the process's stderr before any of their switches is read.
_START_UP = re.compile(
    rb"""
    INFO:\ Created\ TensorFlow\ Lite\ XNNPACK\ delegate
    | WARNING:\ (Logging\ before\ InitGoogle|All\ log\ messages\ before\ absl::InitializeLog)
    | I\d{4}\ [\d:.]+\s+\d+\ [\w./-]+:\d+\]\                # what absl calls information
    | W\d{4}\ [\d:.]+\s+\d+\ (
        face_landmarker_graph\.cc:\d+\]\ Sets\ FaceBlendshapesGraph\ acceleration
        | inference_feedback_manager\.cc:\d+\]\ Feedback\ manager\ requires
        | landmark_projection_calculator\.cc:\d+\]\ Using\ NORM_RECT\ without
      )
    """,
    re.VERBOSE,
)
_BLOCK = 1 << 16


def is_start_up(line: bytes) -> bool:
    """
    Tell whether a line is one that a native library writes at its start, good for nothing.

    :param line: one line of stderr.
    :returns: whether; errors and unknown lines are none.
    """
    return _START_UP.match(line) is not None


class StartUpSieve:
    """
    A pipe for the stderr of processes: start-up lines go to a file, all others are passed on.

    To be entered; `subprocess` takes it as `stderr`. Once it is left, nothing is passed on.

    :param log: file that start-up lines are added to.
    :param pass_on: takes each other line, its end included; called in a thread of the sieve.
    """

    def __init__(self, log: Path, pass_on: Callable[[bytes], None]) -> None:
        self._log = log
        self._pass_on = pass_on
        self._reads, self._writes = os.pipe()
        # A process that outlives the sieve would keep the pipe open: its end shows on another.
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._pump, daemon=True)

    def fileno(self) -> int:
        """Return the descriptor to write to."""
        return self._writes

    def __enter__(self) -> StartUpSieve:
        """
        Begin to read.

        :raises OutputError: when the file cannot be written.
        """
        with writing(self._log):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._log.open('ab', buffering=0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Pass on what was written until now, and end."""
        os.close(self._writes)
        os.close(self._end)
        self._thread.join()
        os.close(self._reads)
        os.close(self._ended)

    def _pump(self) -> None:
        rest = b''
        with self._file as log:
            for block in self._blocks():
                *lines, rest = (rest + block).split(b'\n')
                for line in lines:
                    self._give(line + b'\n', log.write)
            if rest:
                self._give(rest, log.write)

    def _blocks(self) -> Iterator[bytes]:
        """Read until all writers or the sieve have ended, and what is left then."""
        os.set_blocking(self._reads, False)
        while True:
            ready, _, _ = select.select([self._reads, self._ended], [], [])
            try:
                block = os.read(self._reads, _BLOCK)
            except BlockingIOError:
                if self._ended in ready:
                    return
                continue
            if not block:
                return
            yield block

    def _give(self, line: bytes, keep: Callable[[bytes], object]) -> None:
        with suppress(OSError):  # nobody reads it, or the disk is full: the others go on
            (keep if is_start_up(line) else self._pass_on)(line)


@contextmanager
def own_stderr_sieved(log: Path) -> Iterator[None]:
    """
    Let this process's own stderr, and its children's, go through a sieve.

    :param log: file that start-up lines are added to.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with StartUpSieve(log, lambda line: write_all(terminal, line)) as sieve:
            os.dup2(sieve.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(terminal, 2)
    finally:
        os.close(terminal)


def to_stderr(line: bytes) -> None:
    """
    Write a line where Python's stderr goes now: above a view of rich's, while there is one.

    :param line: the line, its end included.
    """
    sys.stderr.write(line.decode(errors='replace'))
    sys.stderr.flush()
