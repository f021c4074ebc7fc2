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

"""Images pass at most at the rate that is asked for, whatever their stamps."""

import itertools
import threading

import hypothesis.strategies as st
import pytest
from hypothesis import given

from emotion_estimator.replay.prefetch import ahead
from emotion_estimator.replay.replay import Pace
from emotion_estimator.stamps import NS_PER_S

STEPS_NS = st.lists(st.integers(1, NS_PER_S), min_size=1, max_size=60)


def passed(stamps_ns, rate_hz):
    pace = Pace(rate_hz)
    return [stamp_ns for stamp_ns in stamps_ns if pace.is_due(stamp_ns)]


@given(STEPS_NS, st.floats(0.5, 60))
def test_no_stretch_holds_more_than_the_rate_allows(steps_ns, rate_hz):
    taken = passed(itertools.accumulate(steps_ns), rate_hz)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            periods = (taken[last] - taken[first]) / NS_PER_S * rate_hz
            assert last - first <= periods + 1.03


@given(STEPS_NS, st.floats(0.5, 60))
def test_an_image_behind_a_gap_always_passes(steps_ns, rate_hz):
    stamps_ns = list(itertools.accumulate(steps_ns))
    taken = set(passed(stamps_ns, rate_hz))
    assert stamps_ns[0] in taken
    for before, after in itertools.pairwise(stamps_ns):
        if after - before > 1.03 * NS_PER_S / rate_hz:
            assert after in taken


@given(STEPS_NS)
def test_without_a_rate_all_pass(steps_ns):
    stamps_ns = list(itertools.accumulate(steps_ns))
    assert passed(stamps_ns, 0) == stamps_ns
    assert passed(stamps_ns[::-1], 0) == stamps_ns[::-1]


@given(st.integers(-100, 100), st.integers(10, 40))
def test_jitter_does_not_halve_the_rate_of_a_camera(jitter_us, count):
    stamps_ns = [i * NS_PER_S // 30 + (-1) ** i * jitter_us * 1000 for i in range(1, count)]
    assert passed(stamps_ns, 30) == stamps_ns


def test_a_step_back_begins_the_grid_anew():
    first = [0, 100, 200, 300]
    assert passed([ms * 1_000_000 + NS_PER_S for ms in first + first], 5) == [
        ms * 1_000_000 + NS_PER_S for ms in (0, 200, 0, 200)
    ]


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
