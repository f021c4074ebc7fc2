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


"""Replays several recordings at once: a process a recording, a core a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import cv2

from emotion_estimator.evaluation.job import Job, run_job
from emotion_estimator.files import AssetError

_TOLD_EVERY = 16
"""Images from one word of progress to the next."""
_END_S = 5.0


@dataclass(frozen=True)
class Started:
    """A recording was opened; it states `image_count` images."""

    job: Job
    image_count: int


@dataclass(frozen=True)
class Advanced:
    """So many of a recording's images have been read."""

    job: Job
    read: int


@dataclass(frozen=True)
class Finished:
    """A recording's replay is kept, or `problem` says why there is none."""

    job: Job
    problem: str = ''


def run_jobs(
    jobs: Sequence[Job], most_at_once: int, log: Path
) -> Iterator[Started | Advanced | Finished]:
    """
    Do the work; leaving the loop, as Ctrl-C does, ends what is unfinished.

    A process that dies costs its own recording alone.

    :param jobs: the recordings.
    :param most_at_once: processes at a time, at least 1.
    :param log: file for what MediaPipe prints.
    :returns: yields what happens, `Finished` once for each job.
    """
    # For the processes to come: NumPy's products are small here, and a pool of threads for them
    # would take the cores that MediaPipe needs.
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    context = multiprocessing.get_context('spawn')
    cores = _cores(min(most_at_once, len(jobs)))
    waiting = list(reversed(jobs))
    running: dict[Connection, tuple[Job, SpawnProcess, int | None]] = {}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        while waiting or running:
            while waiting and len(running) < most_at_once:
                used = [core for _, _, core in running.values()]
                core = min(cores, key=used.count)
                job = waiting.pop()
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(job, core, there, log), daemon=True)
                process.start()
                there.close()
                running[here] = (job, process, core)
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                job, process, _ = running[pipe]
                try:
                    event = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    event = Finished(job, _died(job, process, log))
                yield event
                if isinstance(event, Finished):
                    del running[pipe]
                    pipe.close()
                    process.join()
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.join(_END_S)


def available_cores() -> list[int]:
    """
    List the cores that this process may use.

    :returns: their numbers; where the system knows no affinity, as many as it has.
    """
    if not hasattr(os, 'sched_getaffinity'):
        return list(range(os.cpu_count() or 1))
    return sorted(os.sched_getaffinity(0))


def _cores(count: int) -> list[int | None]:
    """Give each of several processes a core of its own; one alone may use all."""
    if count < 2 or not hasattr(os, 'sched_setaffinity'):
        return [None]
    return list(available_cores()[:count])


def _died(job: Job, process: SpawnProcess, log: Path) -> str:
    return (
        f'{job.path}: its process ended by itself (exit status {process.exitcode}); {log} holds '
        'its last words.'
    )


def _work(job: Job, core: int | None, pipe: Connection, log: Path) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open('ab') as file:
        os.dup2(file.fileno(), 2)
    if core is not None:
        os.sched_setaffinity(0, {core})
        cv2.setNumThreads(1)

    def advanced(read: int) -> None:
        if read % _TOLD_EVERY == 0:
            pipe.send(Advanced(job, read))

    problem = ''
    try:
        run_job(job, advanced, lambda count: pipe.send(Started(job, count)))
    except (AssetError, ValueError) as error:
        problem = str(error)
    except Exception as error:
        traceback.print_exc()
        problem = f'{job.path}: {type(error).__name__}: {error}; see {log}.'
    pipe.send(Finished(job, problem))
