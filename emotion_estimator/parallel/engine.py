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

"""
Does calls side by side, here or on a cluster, and lets one stage of work run ahead of the next.

A worker that dies or hangs costs a retry.
"""

from __future__ import annotations

import statistics
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import ContextVar
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, Generic, TypeVar, Union

Result = TypeVar('Result')
Report = Callable[[int, int], None]
"""Tells how far a call is: so much is done, of so much; 0 of 0 where nobody knows."""

POLL_S = 0.2
"""From one look at how far all calls are to the next; a call that ends is seen at once."""


class SchedulerError(RuntimeError):
    """The cluster's scheduler cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Progress:
    """
    How far a call is, as its worker last reported.

    :param done: so much is done; never falls while one worker is at it.
    :param total: of so much; 0 is unknown.
    """

    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Failure:
    """
    Why a call failed.

    :param reason: in words.
    :param final: whether trying again has been tried already.
    """

    reason: str
    final: bool = False


class WorkError(RuntimeError):
    """A call raised something; the message holds its kind and its words."""


def attempt(work: Callable[..., Result], arguments: tuple[object, ...]) -> Result:
    """
    Do a call, on its worker.

    :raises WorkError: when it raises; not every exception can be pickled, and read again.
    """
    try:
        return work(*arguments)
    except Exception as error:
        raise WorkError(f'{type(error).__name__}: {error}') from error


def failure_of(error: BaseException | None) -> Failure:
    """Say why a call failed that ended by an error."""
    if isinstance(error, WorkError):
        return Failure(str(error))
    return Failure(f'{type(error).__name__}: {error}')


def ended(status: int | None, ready: bool) -> Failure:
    """
    Say that a process ended which nobody had ended.

    :param status: with which it did.
    :param ready: whether it had been ready for calls.
    """
    if ready:
        return Failure(f'its process ended by itself (exit status {status})')
    return Failure(
        f'its process ended before it was ready (exit status {status}); a script that starts it '
        'does so below `if __name__ == "__main__":`, since the process imports that script'
    )


@dataclass(frozen=True)
class Patience:
    """
    How long a call may go on without a sign of life: its start, or progress.

    :param least_s: at least so many seconds.
    :param slowness: at least so many times the median duration of the calls that have ended.
    """

    least_s: float = 120.0
    slowness: float = 8.0

    def deadline_s(self, durations_s: Sequence[float]) -> float:
        """
        Tell how long to wait for the next sign of life.

        :param durations_s: of the calls that have ended.
        :returns: seconds.
        """
        if not durations_s:
            return self.least_s
        return max(self.least_s, self.slowness * statistics.median(durations_s))


class Workers(ABC):
    """An executor of `concurrent.futures`, and what is needed to replace a worker of it."""

    @abstractmethod
    def capacity(self) -> int:
        """Count the calls that can be done at once; 0 while there is no worker."""

    @abstractmethod
    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """
        Begin a call; `run_all` begins no more than `capacity` at a time.

        :param work: a function of a module.
        :param arguments: its arguments; as its result, they can be pickled.
        """

    @abstractmethod
    def progress(self, call: Future[Any]) -> Progress | None:
        """
        Tell how far a call is.

        :param call: which has not ended.
        :returns: what it last reported; None until a worker has begun it.
        """

    @abstractmethod
    def failure(self, call: Future[Any]) -> Failure:
        """
        Say why a call failed.

        :param call: which was cancelled or raised.
        """

    @abstractmethod
    def give_up(self, calls: Collection[Future[Any]]) -> None:
        """
        End calls, with the processes that are at them; others take these processes' place.

        :param calls: which nobody waits for any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the workers go; no call is at work any more."""

    def __enter__(self) -> Workers:
        """Return the workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


@dataclass(frozen=True)
class Advanced:
    """A worker has begun the task with this index, or has come so far with it."""

    index: int
    progress: Progress


@dataclass(frozen=True)
class Finished(Generic[Result]):
    """The task with this index is done, or `problem` says why nobody could do it."""

    index: int
    result: Result | None
    problem: str = ''


@dataclass
class _Running:
    """A call that is at work, and when it last gave a sign of life."""

    index: int
    start_s: float
    alive_s: float
    progress: Progress | None = None


def run_all(
    work: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    workers: Workers,
    attempts: int = 3,
    patience: Patience = Patience(),
) -> Generator[Union[Advanced, Finished[Result]], None, None]:
    """
    Do tasks side by side, in any order; leaving the loop, as Ctrl-C does, ends what is at work.

    A task whose worker dies, hangs or raises is tried again behind all others.

    :param work: a function of a module, called with each task's arguments.
    :param workers: who does it.
    :param attempts: how often a task is tried before its problem is reported.
    :param patience: when a worker counts as hanging.
    :returns: yields what happens, `Finished` once for each task.
    :raises SchedulerError: when a cluster is gone.
    """
    waiting = deque(range(len(tasks)))
    tried = [0] * len(tasks)
    running: dict[Future[Result], _Running] = {}
    durations_s: list[float] = []
    events: list[Union[Advanced, Finished[Result]]] = []
    try:
        while waiting or running:
            capacity = workers.capacity()
            while waiting and len(running) < max(1, capacity):
                index = waiting.popleft()
                tried[index] += 1
                now_s = time.monotonic()
                running[workers.submit(work, *tasks[index])] = _Running(index, now_s, now_s)
            # The workers have their next tasks before somebody looks at the last ones' results.
            yield from events
            events.clear()
            ended = wait(running, POLL_S, FIRST_COMPLETED).done
            failed: dict[Future[Result], Failure] = {}
            for call in ended:
                if call.cancelled() or call.exception() is not None:
                    failed[call] = workers.failure(call)
                    continue
                one = running.pop(call)
                durations_s.append(time.monotonic() - one.start_s)
                events.append(Finished(one.index, call.result()))
            deadline_s = patience.deadline_s(durations_s)
            late: list[Future[Result]] = []
            for call, one in running.items():
                if call in failed:
                    continue
                now_s, progress = time.monotonic(), workers.progress(call)
                if progress != one.progress and progress is not None:
                    one.progress, one.alive_s = progress, now_s
                    events.append(Advanced(one.index, progress))
                elif progress is None and capacity:
                    one.alive_s = now_s  # it waits for a worker that is at something else
                if now_s - one.alive_s > deadline_s:
                    late.append(call)
            if late:
                workers.give_up(late)
                why = Failure(f'no sign of life for {deadline_s:.0f} s')
                failed.update(dict.fromkeys(late, why))
            for call, failure in failed.items():
                index = running.pop(call).index
                if tried[index] < attempts and not failure.final:
                    waiting.append(index)
                    continue
                times = 'once' if tried[index] == 1 else f'{tried[index]} times'
                events.append(Finished(index, None, f'failed {times}, at last: {failure.reason}'))
        yield from events
    finally:
        if running:
            workers.give_up(list(running))


def _nobody_listens(done: int, total: int) -> None:
    """Stand where no worker is at a call."""


_report: ContextVar[Report] = ContextVar('_report', default=_nobody_listens)


def reporter() -> Report:
    """
    Take what tells how far a call is.

    :returns: to be taken in the thread that the call came in, and called in any.
    """
    return _report.get()


def set_reporter(report: Report) -> None:
    """
    Let `reporter` give this to the calls that come in this thread; of use to workers alone.

    :param report: tells how far the call is.
    """
    _report.set(report)


# One stage of work goes on while the next one is at the item before.


Item = TypeVar('Item')
_LOOK_S = 0.1
"""How often a thread that waits for room looks whether it is still wanted."""


class _End:
    """Stands behind the last item; carries what ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """
    Make items in a thread of their own, in the same order, a few before they are asked for.

    :param items: made by the thread; a generator is closed by it.
    :param depth: most items that lie ready.
    :returns: yields the items; raises what making one raised. Closing it ends the thread.
    """
    ready: Queue[Union[Item, _End]] = Queue(depth)
    given_up = threading.Event()

    def put(item: Item | _End) -> None:
        while not given_up.is_set():
            try:
                ready.put(item, timeout=_LOOK_S)
                return
            except Full:
                continue

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if given_up.is_set():
                    break
        except BaseException as raised:
            error = raised
        if isinstance(items, Generator):
            items.close()
        put(_End(error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        given_up.set()
        thread.join()
