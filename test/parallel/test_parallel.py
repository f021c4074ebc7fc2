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

"""Calls come back whole from several processes or a cluster when some die, hang or fail."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import psutil
import pytest
from helpers import calls
from helpers.calls import DaskCluster

from emotion_estimator.parallel import workers as workers_module
from emotion_estimator.parallel.engine import (
    Advanced,
    Finished,
    Patience,
    Progress,
    SchedulerError,
    ahead,
    run_all,
)
from emotion_estimator.parallel.workers import LocalProcesses, available_cores, open_workers

SOON = Patience(2.0, slowness=1.0)


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    """Two workers for all tests."""
    with DaskCluster(tmp_path_factory.mktemp('dask'), 2) as two:
        yield two


@pytest.fixture(params=['processes', 'dask'])
def two_workers(request):
    """Two processes of this machine, or two workers of a Dask scheduler."""
    address = None
    if request.param == 'dask':
        address = request.getfixturevalue('cluster').address
    with open_workers(address, 2) as workers:
        yield workers


def answers(work, tasks, workers, **options):
    """Collect all results or problems, each once, in the order of the tasks."""
    events = [e for e in run_all(work, tasks, workers, **options) if isinstance(e, Finished)]
    assert sorted(event.index for event in events) == list(range(len(tasks)))
    events.sort(key=lambda event: event.index)
    return [event.problem or event.result for event in events]


def numbers(count, *others):
    return [(number, *others) for number in range(count)]


def test_every_task_is_answered_once_by_several_processes(two_workers):
    found = answers(calls.process, numbers(8), two_workers)
    assert [number for number, _ in found] == list(range(8))
    processes = {pid for _, pid in found}
    assert len(processes) == 2
    assert os.getpid() not in processes
    # They are there for the next ones, too.
    assert answers(calls.doubled, numbers(3), two_workers) == [0, 2, 4]


def test_a_task_whose_process_dies_is_done_again(two_workers, tmp_path):
    flag = tmp_path / 'died'
    assert answers(calls.dying_once, numbers(8, flag), two_workers) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert flag.exists()


def test_a_task_that_ends_every_process_is_reported_and_the_others_are_done(two_workers):
    found = answers(calls.dying, numbers(4), two_workers, attempts=2)
    assert [found[0], *found[2:]] == [0, 4, 6]
    assert 'failed' in found[1] and 'by themselves' in found[1].replace('itself', 'themselves')


def test_a_task_that_always_fails_is_reported_and_the_others_are_done(two_workers):
    found = answers(calls.failing, numbers(5), two_workers)
    assert found[:2] + found[3:] == [0, 2, 6, 8]
    assert found[2] == 'failed 3 times, at last: ValueError: 2 is never done'


def test_a_task_that_fails_twice_is_done_the_third_time(two_workers, tmp_path):
    assert answers(calls.failing_twice, [(21, tmp_path)], two_workers) == [42]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_hangs_is_done_again_and_holds_up_no_other(two_workers, tmp_path):
    tasks = numbers(4, tmp_path / 'hung')
    assert answers(calls.hanging_once, tasks, two_workers, patience=SOON) == [0, 2, 4, 6]


def test_a_task_that_always_hangs_is_given_up_and_the_others_are_done(two_workers):
    found = answers(calls.hanging, numbers(4), two_workers, attempts=2, patience=SOON)
    assert [found[0], *found[2:]] == [0, 4, 6]
    assert found[1] == 'failed 2 times, at last: no sign of life for 2 s'


def test_a_slow_task_that_tells_its_progress_is_let_go_on(two_workers):
    found = answers(calls.slow_but_alive, [(4,)], two_workers, attempts=1, patience=SOON)
    assert found == [8]


def test_progress_is_reported_from_any_thread_of_a_call(two_workers, tmp_path):
    heard = []
    for event in run_all(calls.telling, [(5, tmp_path / 'go')], two_workers):
        if isinstance(event, Advanced):
            heard.append(event.progress)
            if event.progress == Progress(5, 5):
                (tmp_path / 'go').touch()
    assert heard[-1] == Progress(5, 5)
    assert [one.done for one in heard] == sorted(one.done for one in heard)


def test_leaving_the_loop_ends_the_processes_that_are_at_work(two_workers, tmp_path):
    pids = tmp_path / 'pids'
    pids.mkdir()
    tasks = [(pids, tmp_path / 'never')] * 3
    with closing(run_all(calls.waiting, tasks, two_workers)) as events:
        assert sorted(next(events).index for _ in range(2)) == [0, 1]
        while len(list(pids.iterdir())) < 2:
            time.sleep(0.05)  # no event tells of a file
        held = [psutil.Process(int(path.name)) for path in pids.iterdir()]
        start_s = time.monotonic()
    psutil.wait_procs(held, timeout=10)
    assert [process.is_running() for process in held] == [False, False]
    assert time.monotonic() - start_s < 10
    assert answers(calls.doubled, numbers(2), two_workers) == [0, 2]


# This machine's processes.


def test_no_tasks_are_done_without_a_process():
    before = psutil.Process().children()
    with LocalProcesses(2) as workers:
        assert list(run_all(calls.doubled, [], workers)) == []
        assert psutil.Process().children() == before


def test_several_processes_keep_to_a_core_each_and_one_alone_may_use_all():
    count = min(2, len(available_cores()))
    with LocalProcesses(count) as workers:
        found = answers(calls.cores, numbers(count), workers)
    assert sorted(found) == [([core], '1') for core in available_cores()[:count]]
    with LocalProcesses(1) as workers:
        assert answers(calls.cores, [(0,)], workers) == [(available_cores(), '1')]


def test_what_processes_say_goes_to_the_log(tmp_path, capfd):
    log = tmp_path / 'made' / 'log'
    with LocalProcesses(1, log) as workers:
        answers(calls.speaking, [(0,)], workers)
    assert log.read_text() == 'a library speaks\nPython speaks\n'
    assert capfd.readouterr().err == ''


@pytest.mark.skipif(sys.version_info < (3, 11), reason='3.10 waits until the task is read.')
def test_a_process_that_is_not_ready_for_its_task_yet_can_be_ended():
    content = b'0' * 10_000_000  # more than a pipe holds
    with LocalProcesses(1) as workers:
        workers.give_up([workers.submit(calls.length, content)])
        assert answers(calls.length, [(content,)], workers) == [len(content)]


def test_a_call_that_ended_unseen_leaves_its_process_to_the_next_one():
    with closing(LocalProcesses(1)) as processes:
        first = processes.submit(calls.failing, 2)
        assert first.exception(30) is not None
        second = processes.submit(calls.doubled, 2)
        # Who gives up both, as Ctrl-C does, ends the process at the second.
        assert processes.failure(first).reason == 'ValueError: 2 is never done'
        assert processes.progress(first) is None
        processes.give_up([first])
        assert second.result(30) == 4


def test_processes_that_could_not_be_started_are_ended(monkeypatch):
    def refuse(process):
        raise OSError('no process can be had')

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, '_Popen', staticmethod(refuse))
    processes = LocalProcesses(1)
    with pytest.raises(OSError, match='no process can be had'), closing(processes):
        processes.submit(calls.doubled, 2)


def test_processes_end_with_the_first_one_even_when_that_is_killed(tmp_path):
    code = (
        'import sys; from pathlib import Path; from helpers import calls; '
        'from emotion_estimator.parallel.engine import run_all; '
        'from emotion_estimator.parallel.workers import LocalProcesses; '
        'list(run_all(calls.waiting, [(Path(sys.argv[1]), Path("never"))], LocalProcesses(1)))'
    )
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    first = subprocess.Popen([sys.executable, '-c', code, str(tmp_path)], env=environment)
    while not (pids := list(tmp_path.iterdir())):
        assert first.poll() is None
        time.sleep(0.05)  # no event tells of a file
    worker = psutil.Process(int(pids[0].name))
    first.kill()
    first.wait()
    worker.wait(timeout=10)


# A cluster's workers.


def test_a_call_goes_to_another_worker_when_its_own_is_killed(cluster, tmp_path):
    pids, go = tmp_path / 'pids', tmp_path / 'go'
    pids.mkdir()
    with open_workers(cluster.address) as workers:
        finished = []
        for event in run_all(calls.waiting, [(pids, go)], workers, attempts=1):
            if isinstance(event, Finished):
                finished.append(event)
            elif not go.exists():
                (pid,) = pids.iterdir()
                os.kill(int(pid.name), signal.SIGKILL)
                go.touch()
    assert [event.problem for event in finished] == ['']
    assert finished[0].result != int(pid.name)


def test_a_worker_that_comes_later_is_used(tmp_path):
    pids, go = tmp_path / 'pids', tmp_path / 'go'
    pids.mkdir()
    with DaskCluster(tmp_path, 1) as cluster, open_workers(cluster.address) as workers:
        for event in run_all(calls.waiting, [(pids, go)] * 2, workers):
            if isinstance(event, Advanced) and event.index == 0:
                cluster.add_worker()
            if isinstance(event, Advanced) and event.index == 1:
                go.touch()
    assert len(list(pids.iterdir())) == 2


def test_a_scheduler_that_ends_is_reported(tmp_path):
    with DaskCluster(tmp_path, 1) as cluster, open_workers(cluster.address) as workers:
        tasks = [(tmp_path, tmp_path / 'never')]
        with pytest.raises(SchedulerError, match=f'{cluster.address} is gone'):
            for _ in run_all(calls.waiting, tasks, workers):
                cluster.scheduler.kill()


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip('distributed')
    monkeypatch.setattr(workers_module, 'CONNECT_S', 0.5)
    with pytest.raises(SchedulerError, match=r'tcp://127\.0\.0\.1:1.*dask scheduler'):
        open_workers('tcp://127.0.0.1:1')


@pytest.mark.parametrize('address', ['nowhere', 'nowhere.invalid:8786', 'http://127.0.0.1:1'])
def test_what_is_no_address_is_named_before_a_client_asks(address, monkeypatch):
    distributed = pytest.importorskip('distributed')
    monkeypatch.setattr(distributed, 'Client', lambda *_, **__: pytest.fail('it asks'))
    with pytest.raises(SchedulerError, match=rf'{address}.*dask scheduler'):
        open_workers(address)


def test_a_scheduler_without_workers_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(workers_module, 'CONNECT_S', 1.0)
    with DaskCluster(tmp_path, 0) as cluster:  # noqa: SIM117
        with pytest.raises(SchedulerError, match=f'no workers.*dask worker {cluster.address}'):
            open_workers(cluster.address)


def test_a_scheduler_without_dask_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'distributed', None)
    with pytest.raises(SchedulerError, match='pip install distributed'):
        open_workers('tcp://127.0.0.1:8786')


# Why a call failed is told in words.


def problem(work, arguments, workers):
    """Do one task once, which fails."""
    (told,) = answers(work, [arguments], workers, attempts=1)
    return told.removeprefix('failed once, at last: ')


def test_an_exception_that_no_other_process_can_read_keeps_its_words(two_workers):
    told = problem(calls.failing_unreadably, ('the one', 'the other'), two_workers)
    assert told == 'TwoWordsError: the one does not fit the other'
    told = problem(calls.failing_unwritably, (3,), two_workers)
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


# A stage of work in a thread of its own changes nothing but the time.


def test_items_come_in_order_and_from_another_thread():
    threads = set()

    def numbers():
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    assert list(ahead(ahead(numbers()))) == list(range(50))
    assert threading.get_ident() not in threads
    assert len(threads) == 1


def test_no_more_than_the_depth_lies_ready():
    made = threading.Semaphore(0)
    count = 0

    def numbers():
        nonlocal count
        for number in range(100):
            count += 1
            made.release()
            yield number

    items = ahead(numbers(), depth=3)
    assert next(items) == 0
    # One was taken, three lie ready, one waits for room.
    for _ in range(5):
        assert made.acquire(timeout=10)
    assert not made.acquire(timeout=0.3)
    assert count == 5
    items.close()


def test_what_ends_the_work_comes_after_what_was_made():
    def failing():
        yield 1
        raise ValueError('broken')

    items = ahead(ahead(failing()))
    assert next(items) == 1
    with pytest.raises(ValueError, match='broken'):
        next(items)


def test_giving_up_ends_all_threads():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    items = ahead(ahead(endless()))
    assert next(items) == 0
    assert threading.active_count() == before + 2
    items.close()
    assert closed.wait(10)
    assert threading.active_count() == before
