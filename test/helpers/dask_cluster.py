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

"""A Dask scheduler and its workers as processes on the loopback, as their command lines run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest


class DaskCluster:
    """
    A scheduler, and workers with one thread each; to be closed.

    :param folder: where they run, with their logs and what Dask keeps.
    :param count: workers to begin with.
    :param nanny: whether each worker has one, which replaces it when it ends.
    """

    def __init__(self, folder, count, nanny=True):
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
