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

"""Keeps threads that take turns on one core, and others off it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def new_threads_on_one_core() -> Iterator[int | None]:
    """
    Let threads that start within the block keep to the last core; no other thread is bound.

    Threads inherit the affinity of the thread that starts them. MediaPipe's graph passes each
    frame from one thread to the next; on different cores each of them waits to be woken on a
    core that the interpreter or the middleware may be using. The last core that this process may
    use is taken, so `taskset` chooses it. Where the system knows no affinity nothing happens.

    :returns: yields the core's number, or None where there is no choice.
    """
    if not hasattr(os, 'sched_setaffinity'):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    core = max(_cores())
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def keep_off_last_core() -> None:
    """
    Let the calling thread run on any core but the one that `new_threads_on_one_core` takes.

    Where there is no other core, or the system knows no affinity, nothing happens.
    """
    if not hasattr(os, 'sched_setaffinity'):
        return
    cores = _cores()
    if len(cores) > 1:
        os.sched_setaffinity(0, cores - {max(cores)})


def _cores() -> set[int]:
    """Tell which cores the process may use: its first thread is never kept off one."""
    return os.sched_getaffinity(os.getpid())
