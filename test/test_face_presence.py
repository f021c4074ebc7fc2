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

"""Who is there, by stamps alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.face_presence import LISTED_S, FacePresence
from emotion_estimator.stamps import NS_PER_S


def see(presence, ids, time_s, begins_anew=False):
    seen = presence.see(ids, round(time_s * NS_PER_S), begins_anew)
    return ''.join(seen.listed), ''.join(seen.lost)


def test_a_missed_image_is_no_absence_and_a_long_one_is_a_loss_told_once():
    presence = FacePresence(1.0)
    assert see(presence, 'ab', 0.0) == ('ab', '')
    assert see(presence, 'b', 0.1) == ('ba', '')
    assert see(presence, 'b', LISTED_S) == ('ba', '')
    assert see(presence, 'b', LISTED_S + 0.01) == ('b', '')
    assert see(presence, 'b', 1.0) == ('b', '')
    assert see(presence, 'b', 1.1) == ('b', 'a')
    assert see(presence, 'b', 1.2) == ('b', '')


def test_a_face_that_returns_in_time_is_not_lost():
    presence = FacePresence(1.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.9) == ('', '')
    assert see(presence, 'a', 0.95) == ('a', '')
    assert see(presence, '', 1.9) == ('', '')


def test_without_absence_a_face_is_gone_with_the_image():
    presence = FacePresence(0.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.01) == ('', 'a')


@pytest.mark.parametrize('time_s, begins_anew', [(10.2, True), (9.9, False), (9.9, True)])
def test_on_a_new_time_line_those_of_the_old_are_lost(time_s, begins_anew):
    presence = FacePresence(60.0)
    see(presence, 'ab', 10.0)
    assert see(presence, 'c', time_s, begins_anew) == ('c', 'ab')


@given(st.lists(st.tuples(st.sets(st.sampled_from('abcd')), st.floats(0, 2)), max_size=20))
def test_whoever_came_is_listed_or_lost_or_may_return(steps):
    presence, time_s, there = FacePresence(1.0), 0.0, set()
    for ids, way_s in steps:
        time_s += way_s
        listed, lost = see(presence, sorted(ids), time_s)
        there |= ids
        assert ids <= set(listed) <= there
        assert set(lost) <= there - set(listed)
        there -= set(lost)
