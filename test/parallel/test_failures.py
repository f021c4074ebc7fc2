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

"""Why a call failed is told in words."""

import subprocess
import sys

import pytest
from helpers import calls
from helpers.calls import DaskCluster

from emotion_estimator.parallel.engine import Finished, run_all
from emotion_estimator.parallel.workers import LocalProcesses, open_workers


def problem(work, arguments, workers):
    """Do one task once, which fails."""
    events = run_all(work, [arguments], workers, attempts=1)
    (problem,) = [event.problem for event in events if isinstance(event, Finished)]
    return problem.removeprefix('failed once, at last: ')


@pytest.fixture(params=['processes', 'dask'])
def worker(request, tmp_path):
    """One process of this machine, or one worker of a Dask scheduler."""
    if request.param == 'processes':
        with LocalProcesses(1) as workers:
            yield workers
        return
    with DaskCluster(tmp_path, 1) as cluster, open_workers(cluster.address) as workers:
        yield workers


def test_an_exception_that_no_other_process_can_read_keeps_its_words(worker):
    told = problem(calls.failing_unreadably, ('the one', 'the other'), worker)
    assert told == 'TwoWordsError: the one does not fit the other'
    told = problem(calls.failing_unwritably, (3,), worker)
    assert told == 'ValueError: 3 is never done'


def test_the_exit_status_of_a_process_that_dies_is_reported():
    with LocalProcesses(1) as workers:
        told = problem(calls.dying, (1,), workers)
    assert told == 'its process ended by itself (exit status 7)'


UNGUARDED = """
from emotion_estimator.parallel.engine import Finished, run_all
from emotion_estimator.parallel.workers import LocalProcesses

with LocalProcesses(1) as workers:
    for event in run_all(abs, [(-1,)], workers, attempts=1):
        if isinstance(event, Finished):
            print(event.problem)
"""


def test_a_script_that_its_own_processes_run_again_is_told_what_to_do(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(UNGUARDED)
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert 'its process ended before it was ready (exit status 1)' in told.stdout
    assert 'below `if __name__ == "__main__":`' in told.stdout
