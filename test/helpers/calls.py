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
Calls for workers in other processes, and a Dask cluster of such workers.

Workers can import this module, unlike a test's; only what they need is imported at its head.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from emotion_estimator.parallel.engine import reporter

LONG_S = 300.0


def stopped(command, ready, number=signal.SIGINT):
    """Send a command a signal once it is ready: its exit status, and what it said in one line."""
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell runs in the background inherit that the signal is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not ready():
        assert process.poll() is None
        time.sleep(0.1)  # no event tells of a file
    process.send_signal(number)
    _, said = process.communicate()
    return process.returncode, ' '.join(said.split())


def doubled(number):
    return 2 * number


def process(number):
    time.sleep(0.2)  # long enough for the other process to take one
    return number, os.getpid()


def length(content):
    return len(content)


def cores(number):
    return sorted(os.sched_getaffinity(0)), os.environ.get('OPENBLAS_NUM_THREADS')


def speaking(number):
    os.write(2, b'a library speaks\n')
    print('Python speaks', file=sys.stderr, flush=True)


def first_time(flag):
    """Tell whether nobody was here before, also in another process."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def dying_once(number, flag):
    if number == 3 and first_time(flag):
        os._exit(7)
    return 2 * number


def dying(number):
    if number == 1:
        os._exit(7)
    return 2 * number


def failing(number):
    if number == 2:
        raise ValueError(f'{number} is never done')
    return 2 * number


class TwoWordsError(Exception):
    """Cannot be read again once it is pickled."""

    def __init__(self, first, second):
        super().__init__(f'{first} does not fit {second}')


def failing_unreadably(first, second):
    raise TwoWordsError(first, second)


def failing_unwritably(number):
    error = ValueError(f'{number} is never done')
    error.handler = lambda: None
    raise error


def failing_twice(number, folder):
    if not all((folder / str(turn)).exists() for turn in range(2)):
        turn = len(list(folder.iterdir()))
        (folder / str(turn)).touch()
        raise ValueError(f'turn {turn}')
    return 2 * number


def hanging_once(number, flag):
    if number == 0 and first_time(flag):
        time.sleep(LONG_S)
    return 2 * number


def hanging(number):
    if number == 1:
        time.sleep(LONG_S)
    return 2 * number


def waiting(pids, go):
    """Tell this process's number in a file, and wait for another file."""
    (pids / str(os.getpid())).touch()
    while not go.exists():
        time.sleep(0.02)  # no event tells of a file
    return os.getpid()


def telling(total, go):
    """Tell progress from another thread, as reading ahead does, and end when it was heard."""
    report = reporter()

    def tell():
        count = 0
        while not go.exists():
            count = min(count + 1, total)
            report(count, total)
            time.sleep(0.02)

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()


def slow_but_alive(number):
    """Take longer than any patience of the tests, with a sign of life now and then."""
    report = reporter()
    for step in range(8):
        time.sleep(0.6)
        report(step + 1, 8)
    return 2 * number


class DaskCluster:
    """
    A Dask scheduler on the loopback, and workers with one thread each, as processes; to be closed.

    :param folder: where they run, with their logs and what Dask keeps.
    :param count: workers to begin with.
    :param nanny: whether each worker has one, which replaces it when it ends.
    """

    def __init__(self, folder, count, nanny=True):
        import pytest

        self._client = pytest.importorskip('distributed').Client
        self._folder = folder
        self._nanny = nanny
        found = folder / 'scheduler.json'
        self.scheduler = self._run('dask_scheduler', '--port', '0', '--scheduler-file', str(found))
        self._processes = [self.scheduler]
        while not (found.is_file() and found.read_text()):
            assert self.scheduler.poll() is None
            time.sleep(0.05)  # no event tells of a file
        self.address = json.loads(found.read_text())['address']
        for _ in range(count):
            self.add_worker()
        if count:
            with self._client(self.address, set_as_default=False) as client:
                client.wait_for_workers(count, timeout=60)

    def add_worker(self):
        """Start another worker, which comes by and by."""
        kind = '--nanny' if self._nanny else '--no-nanny'
        limits = ('--nthreads', '1', '--memory-limit', '0')
        place = ('--local-directory', str(self._folder))
        self._processes.append(self._run('dask_worker', self.address, kind, *limits, *place))

    def pids(self):
        """List the processes that do the calls."""
        with self._client(self.address, set_as_default=False) as client:
            return sorted(client.run(os.getpid).values())

    def close(self):
        """End all; a worker that is at a call would wait for its end."""
        import psutil

        first = [psutil.Process(one.pid) for one in self._processes if one.poll() is None]
        for process in [*(child for one in first for child in one.children(True)), *first]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self._processes:
            process.wait()

    def __enter__(self):
        """Return the cluster."""
        return self

    def __exit__(self, *_):
        """Close."""
        self.close()

    def _run(self, name, *arguments):
        command = [sys.executable, '-m', f'distributed.cli.{name}', *arguments]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
            'DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES': '1',
        }
        with (self._folder / 'dask.log').open('ab') as log:
            return subprocess.Popen(
                [*command, '--host', '127.0.0.1', '--no-dashboard'],
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
