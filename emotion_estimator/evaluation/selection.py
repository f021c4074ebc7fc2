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


"""Which images of a recording are looked at: a part of it, at a rate."""

from __future__ import annotations

from dataclasses import dataclass

from emotion_estimator.stamps import NS_PER_S

_EARLY = 0.02
"""Share of a period by which an image may come before it is due: cameras jitter."""


@dataclass(frozen=True)
class Selection:
    """
    Which images of a recording are looked at.

    :param rate_hz: most images a second, by stamp; 0 takes all.
    :param from_s: seconds after the first image's stamp.
    :param to_s: likewise; None takes the recording to its end.
    """

    rate_hz: float = 0.0
    from_s: float = 0.0
    to_s: float | None = None


class Pace:
    """
    Lets images pass at most at a rate, by their stamps.

    :param rate_hz: images a second; 0 lets all pass.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = NS_PER_S / rate_hz if rate_hz else 0.0
        self._due_ns: float | None = None
        self._newest_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """
        Tell whether the next image is due; images go by a grid of the rate.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: whether it passes.
        """
        back = self._newest_ns is not None and stamp_ns < self._newest_ns
        self._newest_ns = stamp_ns
        late_ns = 0.0 if self._due_ns is None else stamp_ns - self._due_ns
        # The grid begins anew behind a gap or a step back.
        if self._due_ns is None or back or late_ns > self._period_ns:
            self._due_ns = stamp_ns + self._period_ns
            return True
        if late_ns < -_EARLY * self._period_ns:
            return False
        self._due_ns += self._period_ns
        return True
