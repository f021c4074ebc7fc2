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

import hypothesis.strategies as st
from hypothesis import given

from emotion_estimator.evaluation.selection import Pace
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
