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

"""Runs made-up input through every door of the package, in processes that may die or hang."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis.strategies import SearchStrategy

HANG_S = 5.0
MOST_MEMORY_MB = 3000
"""What no input may make a process need; the nodes take some 300."""
LOG = Path('out/fuzz.log')
"""What decoders and networks print about damaged input."""
_START_S = 120.0
_SHOWN = 400


Check = Callable[[Any], 'str | None']
"""Raises where something is wrong; returns what else is worth counting."""
Made = tuple[SearchStrategy[Any], Check]


@dataclass(frozen=True)
class Target:
    """
    One door.

    :param share: cases a round.
    :param make: loads what it needs; returns the strategy of cases and the check of one, which
        raises where something is wrong.
    """

    share: int
    make: Callable[[], Made]


@dataclass(frozen=True)
class Chunk:
    """
    Cases of one target that follow from one seed.

    :param seed: of Hypothesis.
    :param cases: how many, at most.
    """

    target: str
    seed: int
    cases: int


@dataclass(frozen=True)
class Fault:
    """
    What must not happen.

    :param target: whose case it was.
    :param kind: 'crash', 'hang', 'memory' or 'error'.
    :param seed: of the chunk.
    :param case: its number in the chunk, from 1 on.
    :param place: file and line, or '' where that is not known.
    :param detail: what happened, and the case where it is known.
    """

    target: str
    kind: str
    seed: int
    case: int
    place: str
    detail: str


@dataclass
class Outcome:
    """
    What came out.

    :param cases: how many were tried, by target.
    :param faults: what went wrong.
    :param remarks: what else checks had to say, by target and sentence.
    :param stopped: whether Ctrl-C ended it early.
    """

    cases: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    stopped: bool = False


def chunks(names: Sequence[str], seed: int, targets: dict[str, Target]) -> Iterator[Chunk]:
    """
    Deal out chunks without end; each round gives every target its share.

    :param names: of the targets.
    :param targets: by name.
    :returns: yields chunks; the same for the same seed.
    """
    for number in itertools.count():
        for name in names:
            yield Chunk(name, seed + number, targets[name].share)


def fuzz(
    todo: Iterator[Chunk],
    targets: dict[str, Target],
    processes: int,
    more: Callable[[Outcome], bool],
    hang_s: float = HANG_S,
    on_end: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """
    Try chunks until it is enough.

    :param targets: by name.
    :param processes: how many work at a time.
    :param more: whether a further chunk is wanted.
    :param hang_s: longest time for one case, in seconds.
    :param on_end: called as chunks end.
    :returns: what came out.
    :raises RuntimeError: when a target cannot begin.
    """
    outcome = Outcome()
    LOG.parent.mkdir(parents=True, exist_ok=True)
    memory = Path('/dev/shm')
    with (
        tempfile.TemporaryDirectory(
            prefix='fuzz_', dir=memory if memory.is_dir() else None
        ) as made,
        ExitStack() as stack,
    ):
        workers = [_Worker(targets, made) for _ in range(processes)]
        for worker in workers:
            stack.callback(worker.end)
        try:
            while True:
                for worker in workers:
                    if worker.chunk is None and more(outcome):
                        worker.give(next(todo))
                busy = [worker for worker in workers if worker.chunk is not None]
                if not busy:
                    return outcome
                wait([worker.connection for worker in busy], timeout=0.5)
                for worker in busy:
                    worker.collect(outcome, hang_s)
                on_end(outcome)
        except KeyboardInterrupt:
            outcome.stopped = True
            return outcome


class _Worker:
    """A process that tries chunks; one that died or hangs is replaced."""

    def __init__(self, targets: dict[str, Target], folder: str) -> None:
        self._targets = targets
        self._folder = folder
        self.chunk: Chunk | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')
        self.connection, theirs = context.Pipe()
        # Read here even after the process has died: number of the case and when it began.
        self._case = context.Value('q', 0, lock=False)
        self._begun_s = context.Value('d', 0.0, lock=False)
        self._process = context.Process(
            target=_work,
            args=(theirs, self._targets, self._folder, self._case, self._begun_s),
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def give(self, chunk: Chunk) -> None:
        self._case.value = 0
        self._begun_s.value = time.monotonic() + _START_S
        self.chunk = chunk
        self.connection.send(chunk)

    def collect(self, outcome: Outcome, hang_s: float) -> None:
        """Take what the process has to say, or see that it never will."""
        chunk = self.chunk
        assert chunk is not None
        kind = detail = ''
        try:
            if self.connection.poll():
                cases, faults, remarks = self.connection.recv()
                outcome.cases[chunk.target] += cases
                outcome.faults += faults
                outcome.remarks += remarks
                self.chunk = None
                return
        except (EOFError, OSError):
            self._process.join()
            kind, detail = 'crash', f'the process ended with {self._process.exitcode}'
        if not kind and time.monotonic() - self._begun_s.value > hang_s:
            kind, detail = 'hang', f'more than {hang_s:g} s'
        if kind:
            case = int(self._case.value)
            if not case:
                raise RuntimeError(f'{chunk.target} cannot begin: {detail}; see {LOG}.')
            outcome.cases[chunk.target] += case
            outcome.faults.append(Fault(chunk.target, kind, chunk.seed, case, '', detail))
            self.end()
            self.chunk = None
            self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(
    connection: Connection, targets: dict[str, Target], folder: str, case: Any, begun_s: Any
) -> None:
    """Try the chunks that come, in a process of its own; files are written below `folder`."""
    with LOG.open('a', encoding='utf-8') as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    own = Path(folder) / str(os.getpid())
    own.mkdir()
    os.chdir(own)
    made: dict[str, Made] = {}
    while True:
        try:
            chunk: Chunk = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if chunk.target not in made:
            made[chunk.target] = targets[chunk.target].make()
        strategy, check = made[chunk.target]
        connection.send(_try_chunk(chunk, strategy, check, case, begun_s))


def _try_chunk(
    chunk: Chunk, strategy: Any, check: Check, case: Any, begun_s: Any
) -> tuple[int, list[Fault], Counter[str]]:
    faults: dict[str, Fault] = {}
    remarks: Counter[str] = Counter()

    def one(value: Any) -> None:
        case.value += 1
        begun_s.value = time.monotonic()
        try:
            remark = check(value)
            if remark:
                remarks[f'{chunk.target}: {remark}'] += 1
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f'{Path(last.filename).name}:{last.lineno}'
            detail = f'{type(error).__name__}: {error}'[:_SHOWN] + f'; case: {value!r}'[:_SHOWN]
            fault = Fault(chunk.target, 'error', chunk.seed, int(case.value), place, detail)
            faults.setdefault(place, fault)
        # What Hypothesis does between two cases is none of the package's.
        begun_s.value = time.monotonic() + _START_S

    wanted = settings(
        max_examples=chunk.cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    decorators: tuple[Any, ...] = (given(strategy), wanted, with_seed(chunk.seed))
    test: Any = one
    for decorate in decorators:
        test = decorate(test)
    test()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if memory_mb > MOST_MEMORY_MB:
        detail = f'{memory_mb:.0f} MB resident, of at most {MOST_MEMORY_MB}'
        faults['memory'] = Fault(chunk.target, 'memory', chunk.seed, int(case.value), '', detail)
    return int(case.value), list(faults.values()), remarks
