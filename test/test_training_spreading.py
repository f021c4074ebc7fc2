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

"""Work goes to several processes, and comes back whole when some of them die, hang or fail."""

from __future__ import annotations

import os
import re
import time

import pytest
from distributed import LocalCluster

from training.datasets.labels import DataError
from training.extraction import spreading
from training.extraction.spreading import TaskError, spread


def doubled(number):
    return 2 * number


def process(number):
    time.sleep(0.2)  # long enough for the other process to take one
    return number, os.getpid()


def first_time(flag):
    """Tell whether nobody was here before, also in another process."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def dying_once(number, flag):
    if number == 3 and first_time(flag):
        os._exit(1)
    return 2 * number


def failing(number):
    if number == 2:
        raise ValueError(f'{number} is never done')
    return 2 * number


def failing_twice(number, folder):
    if not all((folder / str(turn)).exists() for turn in range(2)):
        turn = len(list(folder.iterdir()))
        (folder / str(turn)).touch()
        raise ValueError(f'turn {turn}')
    return 2 * number


def hanging_once(number, flag):
    if number == 0 and first_time(flag):
        time.sleep(300)
    return 2 * number


def hanging(number):
    if number == 1:
        time.sleep(300)
    return 2 * number


def answers(work, tasks, **options):
    """Collect all answers, each once, in the order of the tasks."""
    found = list(spread(work, tasks, **options))
    assert sorted(index for index, _ in found) == list(range(len(tasks)))
    return [answer for _, answer in sorted(found, key=lambda pair: pair[0])]


@pytest.fixture
def impatient(monkeypatch):
    """Give tasks up soon."""
    monkeypatch.setattr(spreading, 'LEAST_DEADLINE_S', 2.0)
    monkeypatch.setattr(spreading, 'SLOWNESS', 1.0)
    monkeypatch.setattr(spreading, '_POLL_S', 0.2)


def test_every_task_is_answered_once_by_several_processes():
    found = answers(process, [(number,) for number in range(8)], workers=2)
    assert [number for number, _ in found] == list(range(8))
    processes = {pid for _, pid in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_no_tasks_are_done_without_a_process():
    start_s = time.monotonic()
    assert list(spread(doubled, [])) == []
    assert time.monotonic() - start_s < 0.1


def test_a_task_whose_process_dies_is_done_again(tmp_path):
    flag = tmp_path / 'died'
    tasks = [(number, flag) for number in range(8)]
    assert answers(dying_once, tasks, workers=2) == [2 * number for number in range(8)]
    assert flag.exists()


def test_a_task_that_always_fails_is_told_and_the_others_are_done():
    found = answers(failing, [(number,) for number in range(5)], workers=2)
    assert found[:2] + found[3:] == [0, 2, 6, 8]
    assert isinstance(found[2], TaskError)
    assert '3 times' in str(found[2])
    assert '2 is never done' in str(found[2])


def test_a_task_that_fails_twice_is_done_the_third_time(tmp_path):
    assert answers(failing_twice, [(21, tmp_path)], workers=1) == [42]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_hangs_is_done_again_and_holds_up_no_other(tmp_path, impatient):
    # One process: whatever waits behind the task that hangs could never be done.
    tasks = [(number, tmp_path / 'hung') for number in range(4)]
    assert answers(hanging_once, tasks, workers=1) == [0, 2, 4, 6]


def test_a_task_that_always_hangs_is_given_up_and_those_behind_it_are_done(monkeypatch, impatient):
    monkeypatch.setattr(spreading, 'ATTEMPTS', 2)
    found = answers(hanging, [(number,) for number in range(4)], workers=1)
    assert [found[0], *found[2:]] == [0, 4, 6]
    assert isinstance(found[1], TaskError)
    assert re.search(r'took over \d+ s, 2 times', str(found[1]))


def test_a_scheduler_of_its_own_can_do_the_work():
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        here = {worker.pid for worker in cluster.workers.values()}
        found = answers(process, [(1,), (2,)], address=cluster.scheduler_address)
        assert {pid for _, pid in found} == here
        # It is there for the next one, too.
        assert answers(doubled, [(4,)], address=cluster.scheduler_address) == [8]


@pytest.mark.parametrize('address', ['tcp://127.0.0.1:1', 'nowhere'])
def test_a_scheduler_that_does_not_answer_is_named(address, monkeypatch):
    monkeypatch.setattr(spreading, 'CONNECT_S', 0.5)
    with pytest.raises(DataError, match=rf'{address}.*dask'):
        list(spread(doubled, [(1,)], address))
