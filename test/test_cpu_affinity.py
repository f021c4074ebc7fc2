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

"""Threads that take turns keep to one core, and nothing else does."""

import os
import threading

import pytest

from emotion_estimator.faces.cpu_affinity import keep_off_last_core, new_threads_on_one_core


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_only_threads_started_within_keep_to_the_core():
    allowed = os.sched_getaffinity(0)
    seen = {}
    go_on = threading.Event()

    def look(name):
        go_on.wait(5)
        seen[name] = os.sched_getaffinity(0)

    before = threading.Thread(target=look, args=('before',))
    before.start()
    with new_threads_on_one_core() as core:
        within = threading.Thread(target=look, args=('within',))
        within.start()
    after = threading.Thread(target=look, args=('after',))
    after.start()
    go_on.set()
    for thread in (before, within, after):
        thread.join(5)
    assert seen == {'before': allowed, 'within': {core}, 'after': allowed}
    assert os.sched_getaffinity(0) == allowed


def affinities_of_a_thread_that(work):
    """Let a thread work; give its affinity then, and that of one that it starts for the core."""
    seen = []

    def start_another():
        work()
        seen.append(os.sched_getaffinity(0))
        with new_threads_on_one_core():
            another = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
            another.start()
        another.join(5)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=start_another)
    thread.start()
    thread.join(5)
    return seen


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_a_thread_that_keeps_off_the_last_core_still_starts_others_on_it():
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    others = allowed - {core} or allowed
    assert affinities_of_a_thread_that(keep_off_last_core) == [others, {core}, others]
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_with_a_single_core_nothing_is_kept_off_it():
    allowed = os.sched_getaffinity(0)
    core = min(allowed)
    os.sched_setaffinity(0, {core})
    try:
        assert affinities_of_a_thread_that(keep_off_last_core) == [{core}] * 3
    finally:
        os.sched_setaffinity(0, allowed)
