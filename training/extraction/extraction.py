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

"""Faces of whole data sets: found once, kept by content, continued where it was broken off."""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from dask import config
from distributed import Client, Future, LocalCluster, wait
from rich.progress import Progress

from emotion_estimator.assets import ASSETS_VARIABLE, FACE_LANDMARKER, find_asset
from training.datasets.labels import DataError, assets_folder
from training.datasets.pictures import Pictures
from training.extraction import face_reader
from training.extraction import face_reader as face_table
from training.extraction.face_reader import FaceTable, empty_table, joined, read_table, write_table
from training.extraction.views import View
from training.sources import code_of

Answer = TypeVar('Answer')

ATTEMPTS = 3
"""How often a task is tried: on a worker that dies, hangs or is far slower than the others."""

LEAST_DEADLINE_S = 120.0
SLOWNESS = 8.0
"""A task is given up and tried elsewhere after this many times the median's duration."""

CONNECT_S = 10.0
"""Longest wait for a scheduler that is named."""

_POLL_S = 1.0


class TaskError(RuntimeError):
    """A task that failed on every attempt; the message says how."""


def run_parallel(
    work: Callable[..., Answer],
    tasks: Sequence[tuple[Any, ...]],
    address: str | None = None,
    workers: int | None = None,
) -> Iterator[tuple[int, Answer | TaskError]]:
    """
    Do tasks side by side, in any order.

    A task is one picklable call. Processes that die are replaced and their tasks done again by
    others; so are tasks that take far longer than most. A task that fails `ATTEMPTS` times yields
    its error, the others are done all the same.

    :param work: a function of a module, called with each task's arguments.
    :param tasks: the arguments.
    :param address: of a Dask scheduler, such as tcp://10.0.0.1:8786; None uses this machine.
    :param workers: processes on this machine; None takes one for each core.
    :returns: yields a task's index, and its answer or error, as they come.
    :raises DataError: when the scheduler cannot be reached.
    """
    if not tasks:
        return
    quiet = {'distributed.scheduler.allowed-failures': ATTEMPTS - 1, 'distributed.logging': {}}
    with config.set(quiet):
        if address is not None:
            with _connected(address) as client:
                yield from _results(client, work, tasks)
            return
        with (
            local_cluster(workers) as cluster,
            Client(cluster) as client,
        ):
            yield from _results(client, work, tasks)


def local_cluster(workers: int | None = None) -> LocalCluster:
    """
    Start processes on this machine that do one task at a time.

    :param workers: how many; None takes one for each core.
    :returns: the cluster, to be closed.
    """
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    )


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise DataError(
            f'No Dask scheduler answers at {address!r} ({error}); start one there with `dask '
            'scheduler` and workers with `dask worker`, or use this machine by naming none.'
        ) from error


def _results(
    client: Client, work: Callable[..., Answer], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, Answer | TaskError]]:
    cores = max(1, sum(client.nthreads().values()))
    waiting = list(range(len(tasks)))[::-1]
    attempts = [0] * len(tasks)
    running: dict[Future, tuple[int, float]] = {}
    durations_s: list[float] = []

    def begin(index: int) -> None:
        attempts[index] += 1
        future = client.submit(work, *tasks[index], pure=False)
        running[future] = (index, time.monotonic())

    while waiting or running:
        # Two tasks a core: none of them waits for its data, and few wait long.
        while waiting and len(running) < 2 * cores:
            begin(waiting.pop())
        try:
            finished = wait(list(running), timeout=_POLL_S, return_when='FIRST_COMPLETED').done
        except TimeoutError:
            finished = set()
        for future in finished:
            index, start_s = running.pop(future)
            if future.status == 'finished':
                durations_s.append(time.monotonic() - start_s)
                yield index, future.result()
            elif attempts[index] < ATTEMPTS:
                begin(index)
            else:
                # A future that a scheduler has lost is cancelled and has no exception.
                reason = future.exception() if future.status == 'error' else future.status
                yield index, TaskError(f'failed {ATTEMPTS} times, at last: {reason}')
        deadline_s = LEAST_DEADLINE_S
        if durations_s:
            deadline_s = max(deadline_s, SLOWNESS * statistics.median(durations_s))
        for future in _stopped(client, running, deadline_s):
            index, _ = running.pop(future)
            if attempts[index] < ATTEMPTS:
                begin(index)
            else:
                yield index, TaskError(f'took over {deadline_s:.0f} s, {ATTEMPTS} times')


def _stopped(
    client: Client, running: dict[Future, tuple[int, float]], deadline_s: float
) -> list[Future]:
    """
    Give tasks up that are late, with their processes: what hangs holds up all that come after it.

    Tasks that only waited behind them are not given up: Dask does them elsewhere, and their time
    begins again.
    """
    now_s = time.monotonic()
    late = [f for f, (_, start_s) in running.items() if now_s - start_s > deadline_s]
    if not late:
        return []
    threads = client.nthreads()
    workers: list[str] = []
    behind: set[Future] = set()
    for worker, keys in client.processing().items():
        # A worker does its tasks in the order in which they came, which is that of `running`.
        held = [future for future in running if future.key in keys]
        at_work = set(held[: threads.get(worker, 1)])
        behind |= set(held) - at_work
        if at_work & set(late):
            workers.append(worker)
    given_up = [future for future in late if future not in behind]
    client.cancel(given_up)
    # Only workers with a nanny, as all of this machine have, can be replaced.
    with contextlib.suppress(ValueError):
        client.restart_workers(workers, raise_for_error=False)
    for future in behind:
        running[future] = (running[future][0], time.monotonic())
    return given_up


BLOCK = 256
"""Pictures in a task and in a file."""

Reader = Callable[[Pictures, list[int], View], tuple[FaceTable, tuple[str, ...]]]
"""Finds the face of each picture, see `face_reader.read_faces`; a function of a module."""

_SOURCES = ('training/extraction/face_reader.py', 'training/extraction/views.py')


def extract(
    pictures: Pictures,
    view: View,
    folder: Path,
    address: str | None = None,
    workers: int | None = None,
    read: Reader = face_reader.read_faces,
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture, or take what an earlier run found.

    Each block of pictures is one file, named by its pictures' content, the view, MediaPipe and
    the sources that decide: what has not changed is not done again.

    :param pictures: the data set's pictures.
    :param view: how they are looked at.
    :param folder: where the blocks are kept.
    :param address: see `run_parallel`.
    :param workers: see `run_parallel`.
    :param read: does the work.
    :returns: a row for each picture, and a sentence for each that could not be read.
    :raises AssetError: when MediaPipe's model cannot be had.
    :raises DataError: when the scheduler cannot be reached.
    """
    # The processes that do the work inherit it.
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    find_asset(FACE_LANDMARKER)
    blocks = [
        pictures.part(range(start, min(start + BLOCK, len(pictures))))
        for start in range(0, len(pictures), BLOCK)
    ]
    paths = [folder / f'{key}.npz' for key in _keys(blocks, view, read)]
    tables = {index: table for index, p in enumerate(paths) if (table := read_table(p))}
    missing = [index for index in range(len(blocks)) if index not in tables]
    complaints: list[str] = []
    with Progress() as progress:
        task = progress.add_task(
            f'faces, {view.name}',
            total=len(pictures),
            completed=sum(len(table) for table in tables.values()),
        )
        work = [(blocks[index], list(range(len(blocks[index]))), view) for index in missing]
        for position, answer in run_parallel(read, work, address, workers):
            index = missing[position]
            if isinstance(answer, TaskError):
                names = [blocks[index].name(row) for row in (0, len(blocks[index]) - 1)]
                complaints.append(f'{names[0]} to {names[1]} were left out: the task {answer}.')
                tables[index] = empty_table(len(blocks[index]))
                continue
            tables[index], told = answer
            complaints.extend(told)
            if not told:
                write_table(paths[index], tables[index])
            progress.advance(task, len(blocks[index]))
    return joined([tables[index] for index in range(len(blocks))]), tuple(complaints)


def _keys(blocks: list[Pictures], view: View, read: Reader) -> Iterator[str]:
    mediapipe = f'{metadata.version("mediapipe")} {FACE_LANDMARKER.sha256}'
    common = hashlib.sha256(f'{view!r} {mediapipe} {face_table.SCHEMA}'.encode())
    reader = f'{read.__module__.replace(".", "/")}.py'
    common.update(code_of(*dict.fromkeys((*_SOURCES, reader))))
    common.update(read.__qualname__.encode())  # retry detection stands in the same module
    for block in blocks:
        digest = common.copy()
        for content in block.content():
            digest.update(hashlib.sha256(content).digest())
        yield digest.hexdigest()[:24]
