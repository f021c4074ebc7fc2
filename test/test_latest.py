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

"""Only the latest item of each sender is handed over."""

import threading

from emotion_estimator.nodes.latest import LatestOfEach


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
