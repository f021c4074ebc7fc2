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

"""Lets one stage of work go on while the next one is at the item before."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import TypeVar, Union

Item = TypeVar('Item')
_LOOK_S = 0.1
"""How often a thread that waits for room looks whether it is still wanted."""


class _End:
    """Stands behind the last item; carries what ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """
    Make items in a thread of their own, in the same order, a few before they are asked for.

    :param items: made by the thread; a generator is closed by it.
    :param depth: most items that lie ready.
    :returns: yields the items; raises what making one raised. Closing it ends the thread.
    """
    ready: Queue[Union[Item, _End]] = Queue(depth)
    given_up = threading.Event()

    def put(item: Item | _End) -> None:
        while not given_up.is_set():
            try:
                ready.put(item, timeout=_LOOK_S)
                return
            except Full:
                continue

    def make() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if given_up.is_set():
                    break
        except BaseException as raised:
            error = raised
        if isinstance(items, Generator):
            items.close()
        put(_End(error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        given_up.set()
        thread.join()
