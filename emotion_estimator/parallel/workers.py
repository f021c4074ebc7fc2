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

"""Workers: processes of this machine with a core each, on `concurrent.futures`, or a cluster's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator, MutableSequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

from emotion_estimator.parallel.engine import (
    Failure,
    Progress,
    Result,
    SchedulerError,
    Workers,
    attempt,
    ended,
    failure_of,
    set_reporter,
)


def available_cores() -> list[int]:
    """
    List the cores that this process may use.

    :returns: their numbers; where the system knows no affinity, as many as it has.
    """
    if not hasattr(os, 'sched_getaffinity'):
        return list(range(os.cpu_count() or 1))
    return sorted(os.sched_getaffinity(0))


class LocalProcesses(Workers):
    """
    Processes that do one call at a time; each begins with its first call.

    Each stands in an executor of its own: when one dies, it is known which, and no other is lost
    with it, as it would be in one executor for all. Several keep to one core each; one alone may
    use all.

    :param count: how many; None takes one for each core.
    :param log: file that all they write to stderr is added to; None leaves it in the terminal.
    """

    def __init__(self, count: int | None = None, log: Path | None = None) -> None:
        cores = available_cores()
        count = len(cores) if count is None else count
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        # For the processes to come: NumPy's products are small here, and a pool of threads for
        # them would take the cores that MediaPipe needs.
        os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
        bound = count > 1 and hasattr(os, 'sched_setaffinity')
        # A process that is killed cannot remove its own.
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._processes = [
            _Process(cores[number % len(cores)] if bound else None, log, self._temporary.name)
            for number in range(count)
        ]

    def capacity(self) -> int:
        """Count the processes."""
        return len(self._processes)

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Begin a call in a process that has none; see `Workers`."""
        idle = next(one for one in self._processes if one.call is None or one.call.done())
        return idle.begin(work, arguments)

    def progress(self, call: Future[Any]) -> Progress | None:
        """Read what the process wrote into the memory that it shares."""
        at_it = self._at(call)
        return Progress(*at_it.counts[:2]) if at_it is not None else None

    def failure(self, call: Future[Any]) -> Failure:
        """Tell how the process ended, or what the call raised."""
        error = call.exception()
        at_it = self._at(call)
        if isinstance(error, BrokenProcessPool) and at_it is not None:
            return ended(at_it.end(), bool(at_it.counts[2]))
        return failure_of(error)

    def give_up(self, calls: Collection[Future[Any]]) -> None:
        """Kill the processes; the next calls begin new ones."""
        lost = [one for one in map(self._at, calls) if one is not None]
        for one in lost:
            one.kill()
        for one in lost:
            one.end()

    def close(self) -> None:
        """End the processes, which are at nothing."""
        for one in self._processes:
            one.kill()
        for one in self._processes:
            one.end()
        self._temporary.cleanup()

    def _at(self, call: Future[Any]) -> _Process | None:
        """Find whose last call it is; none is where its process has begun another one since."""
        return next((one for one in self._processes if one.call is call), None)


class _Process:
    """A process, or the place of one."""

    def __init__(self, core: int | None, log: Path | None, temporary: str) -> None:
        self._context = _Context()
        self._executor: ProcessPoolExecutor | None = None
        # Done, of so much, and 1 once the process is ready.
        self.counts: MutableSequence[int] = self._context.RawArray('q', 3)
        self._begun_with = (core, log, temporary, self.counts)
        self.call: Future[Any] | None = None

    def begin(self, work: Callable[..., Result], arguments: tuple[object, ...]) -> Future[Result]:
        """Begin a call, in a new process where there is none or it has died."""
        self.counts[:2] = (0, 0)
        try:
            call = self._submit(work, arguments)
        except BrokenProcessPool:
            self.end()
            call = self._submit(work, arguments)
        self.call = call
        return call

    def _submit(
        self, work: Callable[..., Result], arguments: tuple[object, ...]
    ) -> Future[Result]:
        if self._executor is None:
            self.counts[2] = 0
            self._executor = ProcessPoolExecutor(1, self._context, _begin, self._begun_with)
        with _interrupts_held():
            return self._executor.submit(attempt, work, arguments)

    def kill(self) -> None:
        """Kill the process, whatever it does."""
        process = self._context.process
        # One that could not be started has no number.
        if process is not None and process.pid is not None:
            process.kill()

    def end(self) -> int | None:
        """Wait until the process has ended; returns its exit status."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None
        return None if self._context.process is None else self._context.process.exitcode


class _Context(SpawnContext):
    """Knows the process that it started last, which an executor does not give away."""

    def __init__(self) -> None:
        super().__init__()
        self.process: SpawnProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """Make a process; the executor starts it."""
        self.process = SpawnProcess(*args, **kwargs)
        return self.process


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """
    Let Ctrl-C wait until the block ends, where the system can.

    It reaches all processes of a terminal; one that begins in the block never sees it, also while
    it is still importing. The first process ends the others.
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(
    core: int | None, log: Path | None, temporary: str, counts: MutableSequence[int]
) -> None:
    """Make a process ready for its calls."""
    tempfile.tempdir = temporary
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if log is not None:
        with log.open('ab') as file:
            os.dup2(file.fileno(), 2)
    if core is not None:
        os.sched_setaffinity(0, {core})

    def report(done: int, total: int) -> None:
        counts[:] = (done, total, 1)

    report(0, 0)
    set_reporter(report)


def _end_with_parent() -> None:
    """End when the first process is killed: nobody would end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# Workers of a Dask cluster, on its executor; the package `distributed` is needed here alone.


CONNECT_S = 10.0
"""Longest wait for a scheduler that is named, and for its first worker."""
RESTART_S = 30.0
"""Longest wait for workers that are replaced; a nanny kills after 4 s what does not end."""
REPORT_S = 0.5
"""From one word of a worker's progress to the next, at least."""
_HEARD_S = 3.0  # longest wait for a call's first word: one that waits for its worker has none
_COUNT_S = 1.0  # how long a number of workers is believed


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
            from distributed.comm import resolve_address
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
                # A client of what is no address would take long to be closed when Python ends.
                resolve_address(address)
                self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
                break
            # Of what an address lacks each protocol complains in its own way.
            except Exception as error:
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
        return failure_of(error)

    def give_up(self, calls: Collection[Future[Any]]) -> None:
        """Cancel calls, and let nannies replace the workers that are at them."""
        for call in calls:
            call.cancel()
        numbers = {self._numbers[call] for call in calls}
        # A worker that has just begun one is heard of in a moment.
        due_s = time.monotonic() + _HEARD_S
        while not numbers <= self._places.keys() and time.monotonic() < due_s:
            time.sleep(0.02)
        places = {self._places.get(number) for number in numbers}
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
    return attempt(work, arguments)
