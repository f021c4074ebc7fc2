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


"""A stage of work in a thread of its own changes nothing but the time."""

import threading

import pytest

from emotion_estimator.evaluation.ahead import ahead


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
