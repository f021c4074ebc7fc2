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

"""Only the latest item is handed over."""

import threading

from emotion_estimator.nodes.latest import Latest


def test_an_item_that_nobody_took_is_replaced():
    latest = Latest()
    assert latest.put(1) is False
    assert latest.put(2) is True
    assert latest.take() == 2
    assert latest.put(3) is False


def test_taking_waits_for_an_item_and_ends_when_closed():
    latest = Latest()
    taken = []

    def take_all():
        while (item := latest.take()) is not None:
            taken.append(item)
            got.set()

    got = threading.Event()
    thread = threading.Thread(target=take_all)
    thread.start()
    latest.put('a')
    assert got.wait(5)
    latest.close()
    thread.join(5)
    assert not thread.is_alive()
    assert taken == ['a']
