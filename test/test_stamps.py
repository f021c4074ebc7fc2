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

"""What holds of any stamps: those of good cameras, late ones, wrong ones, set clocks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.stamps import (
    LATE_S,
    NS_PER_S,
    SILENCE_S,
    FirstSender,
    RateLimiter,
    Step,
    TimeLine,
    usual_step_s,
)

START_NS = 1_700_000_000 * NS_PER_S
LATE_NS = round(LATE_S * NS_PER_S)
PERIODS_NS = st.integers(NS_PER_S // 60, 2 * NS_PER_S)
FAR_NS = st.integers(20 * NS_PER_S, 10**5 * NS_PER_S)
KNOWN = 4
"""So many images show what is usual."""


def follow(stamps_ns):
    """Follow stamps to their end; the items are their places in the list."""
    line = TimeLine()
    placed = [p for item, ns in enumerate(stamps_ns) for p in line.follow(ns, item)]
    return [*placed, *line.end()]


def taken(placed):
    return [p.stamp_ns for p in placed if not p.step.left_out]


def camera(period_ns, count, start_ns=START_NS):
    return [start_ns + i * period_ns for i in range(count)]


@given(st.lists(st.integers(0, 100 * NS_PER_S), max_size=60))
def test_every_image_gets_one_place_and_time_runs_forward_on_each_line(stamps_ns):
    placed = follow(stamps_ns)
    assert sorted(p.item for p in placed) == list(range(len(stamps_ns)))
    assert all(p.stamp_ns == stamps_ns[p.item] for p in placed)
    used = [p for p in placed if not p.step.left_out]
    assert [p.item for p in used] == sorted(p.item for p in used)
    for one, other in itertools.pairwise(used):
        assert (other.line == one.line + 1) is other.step.restarts
        assert other.line == one.line or other.step.restarts
        assert other.stamp_ns > one.stamp_ns or other.step is Step.BACK
    assert [p.step for p in used[:1]] == [Step.FIRST] * bool(stamps_ns)


@given(st.lists(st.integers(1, 40 * NS_PER_S), min_size=1, max_size=40))
def test_stamps_that_go_forward_are_all_used_whatever_their_gaps(steps_ns):
    stamps_ns = list(itertools.accumulate(steps_ns, initial=START_NS))
    placed = follow(stamps_ns)
    # Where the last image lies far ahead, nothing tells whether it is right.
    assert taken(placed) in (stamps_ns, stamps_ns[:-1])
    if steps_ns[-1] <= SILENCE_S * NS_PER_S:
        assert taken(placed) == stamps_ns
    gaps_ns = [b - a for a, b in itertools.pairwise(taken(placed))]
    restarts = [p.step.restarts for p in placed if not p.step.left_out][1:]
    assert restarts == [gap_ns > SILENCE_S * NS_PER_S for gap_ns in gaps_ns]


@given(PERIODS_NS, st.data())
def test_late_repeated_and_lone_stamps_change_nothing_but_their_own_images(period_ns, data):
    clean = camera(period_ns, 30)
    disturbed, wrong = clean[:KNOWN], []
    for newest_ns, stamp_ns in itertools.pairwise(clean[KNOWN - 1 :]):
        kind = data.draw(st.sampled_from(['none', Step.LATE, Step.REPEATED, Step.STRAY]))
        if kind is Step.LATE:
            wrong.append((newest_ns - data.draw(st.integers(1, LATE_NS)), kind))
        elif kind is Step.REPEATED:
            wrong.append((newest_ns, kind))
        elif kind is Step.STRAY:
            far_ns = data.draw(FAR_NS)
            wrong.append((newest_ns + data.draw(st.sampled_from([-1, 1])) * far_ns, kind))
        disturbed += [wrong[-1][0], stamp_ns] if kind != 'none' else [stamp_ns]
    placed = follow(disturbed)
    assert taken(placed) == clean
    assert {p.line for p in placed} == {0}
    left_out = sorted((p.item, p.stamp_ns, p.step) for p in placed if p.step.left_out)
    assert [(ns, step) for _, ns, step in left_out] == wrong


@given(PERIODS_NS, st.integers(0, 30), st.booleans(), FAR_NS)
def test_a_clock_that_is_set_far_costs_no_image_and_is_one_step(period_ns, count, back, far_ns):
    before = camera(period_ns, count + 1)
    after = camera(period_ns, 30, before[-1] + (-far_ns if back else far_ns))
    placed = follow(before + after)
    assert taken(placed) == before + after
    (restart,) = [p for p in placed if p.step.restarts]
    assert restart.stamp_ns == after[0]
    assert restart.step is (Step.BACK if back else Step.JUMP)
    assert abs(restart.way_ns) == far_ns


@given(st.integers(NS_PER_S // 60, NS_PER_S // 10), st.integers(1, LATE_NS))
def test_a_clock_that_is_set_back_a_little_ends_nothing(period_ns, back_ns):
    before = camera(period_ns, 30)
    placed = follow(before + camera(period_ns, 60, before[-1] + period_ns - back_ns))
    assert {p.line for p in placed} == {0}
    left_out = [p for p in placed if p.step.left_out]
    assert len(left_out) <= back_ns / period_ns + 1


@pytest.mark.parametrize('rate_hz', [0.55, 2.4, 10, 30])
def test_a_bag_that_loops_begins_a_new_line_with_each_round(rate_hz):
    round_ns = camera(round(NS_PER_S / rate_hz), 20)
    placed = follow(round_ns * 3)
    assert taken(placed) == round_ns * 3
    assert [p.line for p in placed if p.step is Step.BACK] == [1, 2]
    assert {p.step for p in placed} == {Step.FIRST, Step.FORWARD, Step.BACK}


@pytest.mark.parametrize(
    'stamps_ms, step',
    [
        ([1000, 1000], Step.REPEATED),
        ([1000, 960], Step.LATE),
        ([1000, 500], Step.LATE),
        ([1000, 499], Step.BACK),
        ([1000, 11_000], Step.FORWARD),
        ([1000, 11_001], Step.JUMP),
        ([1000, 1030, 1060, 1090, 1120, 11_121], Step.STRAY),
        ([1000, 1030, 1060, 1090, 1120, 11_120], Step.FORWARD),
        ([1000, 1030, 1060, 1090, 1120, 1321, 1150], Step.FORWARD),
        ([1000, 1030, 1060, 1090, 1120, 619], Step.BACK),
        ([1000, 1030, 1060, 1090, 1120, 1620], Step.FORWARD),
        ([1000, 2000, 3000, 4000, 7000], Step.FORWARD),
    ],
)
def test_a_step_is_named(stamps_ms, step):
    assert follow([ms * 1_000_000 for ms in stamps_ms])[-1].step is step


@pytest.mark.parametrize(
    'stamps_ms, stray',
    [
        ([1000, 1030, 1060, 1090, 1290, 1300], []),
        ([1000, 1030, 1060, 1090, 1291, 1120], [1291]),
        ([1000, 2000, 3000, 4000, 7000, 5000], []),
        ([1000, 2000, 3000, 4000, 7001, 5000], [7001]),
        ([1000, 1030, 1060, 1090, 580, 1120], [580]),
    ],
)
def test_what_is_far_ahead_depends_on_what_is_usual(stamps_ms, stray):
    placed = follow([ms * 1_000_000 for ms in stamps_ms])
    assert [p.stamp_ns // 1_000_000 for p in placed if p.step is Step.STRAY] == stray


@pytest.mark.parametrize(
    'steps_ms, usual_s',
    [
        ([33] * 40, 0.033),
        ([33] * 10 + [1150, 1200] + [33] * 3, 0.033),
        ([1818] * 3, 1.818),
        ([33] * 24 + [500] * 8, 0.5),
        ([4, 413] * 10, 0.413),
        ([4, 413] * 10 + [4], 0.413),
        ([10, 10, 900] * 10, 0.9),
        ([500, 500], 0.0),
        ([], 0.0),
    ],
)
def test_the_usual_step_is_that_of_the_camera_whatever_a_pause_does(steps_ms, usual_s):
    line = TimeLine()
    for ms in itertools.accumulate(steps_ms, initial=1000):
        line.follow(ms * 1_000_000, None)
    assert line.step_s == usual_s
    if len(steps_ms) <= 24:
        assert usual_step_s([ms * 1_000_000 for ms in steps_ms]) == usual_s


@pytest.mark.parametrize('way_s', [3600, -3600])
def test_what_repeats_a_stamp_that_is_held_is_left_out_with_it(way_s):
    clean, stray_ns = camera(NS_PER_S // 30, 8), START_NS + way_s * NS_PER_S
    placed = follow([*clean[:5], stray_ns, stray_ns, *clean[5:]])
    assert taken(placed) == clean
    assert [p.step for p in placed if p.step.left_out] == [Step.STRAY] * 2


def test_who_cannot_wait_loses_the_image_that_would_be_held():
    line = TimeLine()
    clean = camera(NS_PER_S // 30, 6)
    ahead = camera(NS_PER_S // 30, 3, START_NS + 3600 * NS_PER_S)
    stamps_ns = [*clean, ahead[0], clean[-1] + 1, *ahead]
    placed = [line.follow_at_once(ns) for ns in stamps_ns]
    assert [p.step for p in placed] == [
        *[Step.FIRST, *[Step.FORWARD] * 5],
        *[Step.STRAY, Step.FORWARD],
        *[Step.STRAY, Step.JUMP, Step.FORWARD],
    ]
    assert placed[-2].way_ns == ahead[1] - (clean[-1] + 1)
    steps = [line.follow_at_once(ns).step for ns in clean]
    assert steps == [Step.BACK, *[Step.FORWARD] * 5]


# Whose images are looked at where a topic has several senders.


@given(st.lists(st.tuples(st.sampled_from('ab'), st.integers(0, NS_PER_S)), max_size=60))
def test_while_the_first_sender_sends_no_other_is_listened_to(images):
    sender: FirstSender[str] = FirstSender()
    clocks = {'a': START_NS, 'b': 7 * NS_PER_S}
    since_a = 0
    assert not sender.is_other('a', START_NS)
    for who, way_ns in images:
        clocks[who] += way_ns
        since_a = 0 if who == 'a' else since_a + way_ns
        if since_a > 5 * NS_PER_S:
            return
        assert sender.is_other(who, clocks[who]) is (who == 'b')
        assert sender.kept == 'a'


def test_another_sender_takes_over_when_the_first_is_silent_or_gone():
    sender: FirstSender[str] = FirstSender()
    assert not sender.is_other('a', 100 * NS_PER_S)
    left_out = [sender.is_other('b', second * NS_PER_S) for second in range(8)]
    assert left_out == [True] * 6 + [False] * 2
    assert sender.is_other('a', 101 * NS_PER_S)
    assert not sender.is_other('a', 102 * NS_PER_S, gone=True)


@pytest.mark.parametrize(
    'others',
    [
        pytest.param([('b', 1), ('c', 10**9), ('b', 2), ('c', 10**9 + 1)], id='two clocks'),
        pytest.param([('b', 1), ('b', 3600), ('b', 3601)], id='a clock that is set ahead'),
        pytest.param([('b', 3600), ('b', 1), ('b', 2)], id='a clock that is set back'),
        pytest.param([(str(i), 6 * i) for i in range(100)], id='many that come once'),
    ],
)
def test_no_sender_takes_over_before_it_has_sent_for_five_seconds(others):
    sender: FirstSender[str] = FirstSender()
    assert not sender.is_other('a', 100 * NS_PER_S)
    assert all(sender.is_other(who, second * NS_PER_S) for who, second in others)


@pytest.mark.parametrize('pause_s, taken_from', [(0.1, 60), (20, 62)])
def test_a_sender_that_pauses_takes_over_all_the_same(pause_s, taken_from):
    sender: FirstSender[str] = FirstSender()
    assert not sender.is_other('a', 100 * NS_PER_S)
    bursts_s = [burst * (2.9 + pause_s) + image / 10 for burst in range(5) for image in range(30)]
    left_out = [sender.is_other('b', round(second * NS_PER_S)) for second in bursts_s]
    assert left_out.count(True) == left_out.index(False)
    assert sum(left_out) == pytest.approx(taken_from, abs=10)
    assert sender.kept == 'b'


def test_an_empty_frame_id_makes_no_other_sender():
    assert FirstSender.frame_of('left', None) == FirstSender.frame_of('left', 'left') == 'left'
    assert FirstSender.frame_of('', 'left') == 'left'
    assert FirstSender.frame_of('right', 'left') == 'right'
    assert FirstSender.frame_of('', None) == FirstSender.frame_of('left', '') == ''


# Images pass at most at the rate that is asked for, whatever their stamps.


STEPS_NS = st.lists(st.integers(1, NS_PER_S), min_size=1, max_size=60)


def passed(stamps_ns, rate_hz):
    pace = RateLimiter(rate_hz)
    return [stamp_ns for stamp_ns in stamps_ns if pace.is_due(stamp_ns)]


@given(STEPS_NS, st.floats(0.5, 60))
def test_no_stretch_holds_more_than_the_rate_allows(steps_ns, rate_hz):
    taken = passed(itertools.accumulate(steps_ns), rate_hz)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            periods = (taken[last] - taken[first]) / NS_PER_S * rate_hz
            assert last - first <= periods + 1.03


@pytest.mark.parametrize('rate_hz', [1e-6, 1e-300, 5e-324])
def test_of_a_tiny_rate_one_image_passes(rate_hz):
    assert passed(range(START_NS, START_NS + 100 * NS_PER_S, NS_PER_S), rate_hz) == [START_NS]


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
