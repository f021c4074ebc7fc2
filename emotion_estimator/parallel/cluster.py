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

"""Workers of a Dask cluster, on its executor; the package `distributed` is needed here alone."""

from __future__ import annotations

import time
import uuid
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from emotion_estimator.parallel.engine import (
    Failure,
    Progress,
    Result,
    SchedulerError,
    Workers,
    set_reporter,
)
from emotion_estimator.parallel.processes import LocalProcesses

CONNECT_S = 10.0
"""Longest wait for a scheduler that is named, and for its first worker."""
RESTART_S = 30.0
"""Longest wait for workers that are replaced; a nanny kills after 4 s what does not end."""
REPORT_S = 0.5
"""From one word of a worker's progress to the next, at least."""
_COUNT_S = 1.0
"""How long a number of workers is believed."""


def open_workers(
    scheduler: str | None, count: int | None = None, log: Path | None = None
) -> Workers:
    """
    Take a cluster's workers, or this machine's.

    :param scheduler: address of a Dask scheduler, such as tcp://10.0.0.1:8786; None, or empty,
        takes processes on this machine.
    :param count: of these processes, see `LocalProcesses`.
    :param log: of these processes.
    :returns: the workers, to be closed.
    :raises SchedulerError: when the scheduler cannot be used.
    """
    return DaskWorkers(scheduler) if scheduler else LocalProcesses(count, log)


class DaskWorkers(Workers):
    """
    The workers of a Dask scheduler, as many as there are at the time.

    Where a worker dies, Dask itself gives its calls to another one. A worker that hangs is ended
    by its nanny; one without a nanny keeps its call, which another one does too.

    :param address: of the scheduler.
    :raises SchedulerError: when Dask is not installed, or nobody answers or works there.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError as error:
            raise SchedulerError(
                f'The scheduler {address} cannot be asked, since Dask is not installed ({error}): '
                'pip install distributed'
            ) from error
        self._address = address
        self._killed: type[Exception] = KilledWorker
        # distributed gives its own thread ten seconds to start, too few on a busy machine, and
        # then fails by an assertion: a second try finds it running.
        for last in (False, True):
            try:
                self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
                break
            except (OSError, ValueError, AssertionError) as error:
                if isinstance(error, AssertionError) and not last:
                    continue
                raise SchedulerError(
                    f'No Dask scheduler answers at {address!r} ({error}); start one there with '
                    '`dask scheduler` and workers with `dask worker`, or use this machine by '
                    'naming none.'
                ) from error
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            self._client.close()
            raise SchedulerError(
                f'The Dask scheduler at {address} has no workers; start some with '
                f'`dask worker {address}`.'
            ) from error
        self._executor = self._client.get_executor(pure=False)
        self._topic = f'emotion_estimator-{uuid.uuid4().hex}'
        self._client.subscribe_topic(self._topic, self._hear)
        # A call that has ended goes, and its result with it.
        self._numbers: weakref.WeakKeyDictionary[Future[Any], int] = weakref.WeakKeyDictionary()
        self._begun = 0
        self._places: dict[int, str] = {}
        self._progress: dict[int, Progress] = {}
        self._count = (0, -_COUNT_S)

    def capacity(self) -> int:
        """Count the threads of all workers."""
        if time.monotonic() - self._count[1] > _COUNT_S:
            try:
                threads = self._client.nthreads()
            except (OSError, ValueError, RuntimeError) as error:
                raise SchedulerError(
                    f'The Dask scheduler at {self._address} is gone ({error}).'
                ) from error
            self._count = (sum(threads.values()), time.monotonic())
        return self._count[0]

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Give a call to the scheduler; see `Workers`."""
        self._begun += 1
        call: Future[Result] = self._executor.submit(
            _on_worker, self._topic, self._begun, work, arguments
        )
        self._numbers[call] = self._begun
        return call

    def progress(self, call: Future[Any]) -> Progress | None:
        """Tell what the worker last sent."""
        return self._progress.get(self._numbers[call])

    def failure(self, call: Future[Any]) -> Failure:
        """Tell what the call raised, or that it ended one worker after the other."""
        if call.cancelled():
            return Failure('the scheduler has lost it')
        error = call.exception()
        if isinstance(error, self._killed):
            return Failure(f'its workers ended by themselves, one after the other ({error})', True)
        return Failure(f'{type(error).__name__}: {error}')

    def give_up(self, calls: Collection[Future[Any]]) -> None:
        """Cancel calls, and let nannies replace the workers that are at them."""
        for call in calls:
            call.cancel()
        places = {self._places.get(self._numbers[call]) for call in calls}
        # The scheduler may be what has gone.
        with suppress(OSError, ValueError, RuntimeError):
            workers = self._client.scheduler_info(n_workers=-1).get('workers', {})
            kept = [place for place in places if place in workers and workers[place]['nanny']]
            if kept:
                self._client.restart_workers(kept, timeout=RESTART_S, raise_for_error=False)

    def close(self) -> None:
        """Leave the scheduler; it and its workers stay for others."""
        self._client.close()

    def _hear(self, event: tuple[float, tuple[int, str, int, int]]) -> None:
        number, place, done, total = event[1]
        self._places[number] = place
        self._progress[number] = Progress(done, total)


def _on_worker(
    topic: str, number: int, work: Callable[..., Result], arguments: tuple[object, ...]
) -> Result:
    """Do a call on a worker, and tell its progress as an event of the scheduler."""
    from distributed import get_worker

    worker = get_worker()
    due_s = 0.0

    def report(done: int, total: int) -> None:
        nonlocal due_s
        now_s = time.monotonic()
        if now_s >= due_s:
            due_s = now_s + REPORT_S
            worker.log_event(topic, (number, worker.address, done, total))

    report(0, 0)
    set_reporter(report)
    return work(*arguments)
