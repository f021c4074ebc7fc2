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

"""Counts, rates and what is worth a warning."""

import math
import threading

import pytest

from emotion_estimator.nodes.diagnostics import StreamStatistics, stream_problems
from emotion_estimator.nodes.sources import LatestOfEach
from emotion_estimator.stamps import NS_PER_S


class Clock:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def received(stamps_ns, duration_s):
    clock = Clock()
    statistics = StreamStatistics(clock)
    for stamp_ns in stamps_ns:
        statistics.receive(stamp_ns)
    clock.now_s += duration_s
    return statistics, clock


def test_rates_are_counts_over_the_period_and_counts_go_on():
    statistics, clock = received(range(0, NS_PER_S, NS_PER_S // 30), 1.0)
    statistics.publish(0.010)
    statistics.publish(0.020)
    statistics.skip()
    statistics.refuse('It was wrong.')
    report = statistics.report()
    assert (report.received, report.published, report.skipped, report.refused) == (31, 2, 1, 1)
    assert report.rate_in_hz == pytest.approx(31)
    assert report.rate_out_hz == pytest.approx(2)
    assert report.latency_p50_s == pytest.approx(0.015)
    assert report.last_error == 'It was wrong.'
    clock.now_s += 1
    later = statistics.report()
    assert (later.received, later.refused_lately, later.rate_in_hz) == (31, 0, 0)
    assert math.isnan(later.latency_p50_s)


def test_silence_is_counted_from_the_last_message():
    statistics, _ = received([0], 1.5)
    assert statistics.silence_s == pytest.approx(1.5)
    statistics.receive(1)
    assert statistics.silence_s == 0


def test_frames_lost_on_the_way_show_in_the_stamps():
    period_ns = NS_PER_S // 30
    kept = [i * period_ns for i in range(60) if i % 7 < 2]
    statistics, _ = received(kept, 2.0)
    report = statistics.report()
    assert report.stamp_rate_hz == pytest.approx(30, rel=0.01)
    (problem,) = stream_problems(report)
    assert '9.0 Hz arrive of 30.0 Hz stamped' in problem


def test_a_whole_stream_is_no_problem_and_a_refusal_is_one():
    statistics, _ = received(range(0, NS_PER_S, NS_PER_S // 30), 1.0)
    assert stream_problems(statistics.report()) == []
    statistics.refuse('step is 7 bytes.')
    assert stream_problems(statistics.report()) == ['1 messages refused: step is 7 bytes.']


def test_while_most_images_are_skipped_the_reason_is_told():
    statistics, clock = received(range(0, NS_PER_S, NS_PER_S // 10), 1.0)
    for _ in range(8):
        statistics.skip()
    (problem,) = stream_problems(statistics.report())
    assert '8 of 10 messages were skipped in the last second' in problem
    clock.now_s += 1
    assert stream_problems(statistics.report()) == []


# Only the latest item of each sender is handed over.


def test_an_item_that_nobody_took_is_replaced():
    latest = LatestOfEach()
    assert latest.put('a', 1) is False
    assert latest.put('a', 2) is True
    assert latest.take() == ('a', 2)
    assert latest.put('a', 3) is False


def test_taking_waits_for_an_item_and_ends_when_closed():
    latest = LatestOfEach()
    taken = []

    def take_all():
        while (item := latest.take()) is not None:
            taken.append(item)
            got.set()

    got = threading.Event()
    thread = threading.Thread(target=take_all)
    thread.start()
    latest.put('camera', 'a')
    assert got.wait(5)
    latest.close()
    thread.join(5)
    assert not thread.is_alive()
    assert taken == [('camera', 'a')]


def test_a_sender_waits_for_the_others_but_not_for_their_newer_items():
    latest = LatestOfEach()
    for item, sender in enumerate('abacb'):
        latest.put(sender, item)
    latest.drop('c')
    latest.drop('nobody')
    assert [latest.take(), latest.take()] == [('a', 2), ('b', 4)]
    assert latest.put('a', 5) is False
