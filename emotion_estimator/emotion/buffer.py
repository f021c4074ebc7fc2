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

"""One face's features over the last seconds, resampled to a fixed rate by stamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S, Step, step_between


class TemporalBuffer:
    """
    Samples of one face by stamp, read as a window of fixed rate and length.

    The window ends at the newest sample. Between two samples at most `max_gap_s` apart a
    value is interpolated linearly; elsewhere the step counts as not observed. So the same
    movement gives the same window at any frame rate of at least `1 / max_gap_s`.

    :param feature_count: number of features in a sample.
    :param window_s: length of the window in seconds.
    :param rate_hz: steps per second of the window.
    :param max_gap_s: longest time between two samples that is interpolated, in seconds.
    :raises ValueError: when a length, rate or gap is not positive.
    """

    def __init__(
        self, feature_count: int, window_s: float, rate_hz: float, max_gap_s: float
    ) -> None:
        for name, value in (
            ('feature_count', feature_count),
            ('window_s', window_s),
            ('rate_hz', rate_hz),
            ('max_gap_s', max_gap_s),
        ):
            if not value > 0:
                raise ValueError(f'{name} of a temporal buffer must be above 0, not {value}.')
        self.steps = max(1, round(window_s * rate_hz))
        self.max_gap_s = max_gap_s
        self._feature_count = feature_count
        self._window_s = window_s
        grid = np.arange(1 - self.steps, 1, dtype=np.float64) * (NS_PER_S / rate_hz)
        self._grid_ns = np.rint(grid).astype(np.int64)
        # Samples lie in [_first, _end) of arrays that are compacted, or grown, when full.
        capacity = 4 * self.steps
        self._stamps_ns = np.empty(capacity, np.int64)
        self._values = np.empty((capacity, feature_count), np.float32)
        self._first = 0
        self._end = 0

    def __len__(self) -> int:
        """Return the number of samples held."""
        return self._end - self._first

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample in nanoseconds, or None when the buffer is empty."""
        return int(self._stamps_ns[self._end - 1]) if len(self) else None

    def clear(self) -> None:
        """Forget all samples."""
        self._first = self._end = 0

    def add(self, stamp_ns: int, features: NDArray[np.float32]) -> Step:
        """
        Add a sample; a stamp that goes back, or jumps over the window, restarts the buffer.

        :param stamp_ns: stamp of the image in nanoseconds.
        :param features: the sample's values, shape [feature_count].
        :returns: how the stamp follows the newest one; a repeated stamp changes nothing.
        """
        step = step_between(self.newest_ns, stamp_ns, self._window_s)
        if step is Step.REPEATED:
            return step
        if step.restarts:
            self.clear()
        if self._end == len(self._stamps_ns):
            self._make_room(stamp_ns)
        self._stamps_ns[self._end] = stamp_ns
        self._values[self._end] = features
        self._end += 1
        return step

    def window(self) -> NDArray[np.float32]:
        """
        Resample the last `window_s` seconds.

        :returns: shape [steps, feature_count + 1], oldest step first; the last column is 1
            where the step was observed, and 0, like the whole row, where it was not.
        """
        window = np.zeros((self.steps, self._feature_count + 1), np.float32)
        if not len(self):
            return window
        stamps_ns = self._stamps_ns[self._first : self._end]
        values = self._values[self._first : self._end]
        wanted_ns = self._grid_ns + stamps_ns[-1]
        after = np.searchsorted(stamps_ns, wanted_ns)
        before = np.maximum(after - 1, 0)
        gap_ns = stamps_ns[after] - stamps_ns[before]
        exact = stamps_ns[after] == wanted_ns
        observed = exact | ((after > 0) & (gap_ns <= self.max_gap_s * NS_PER_S))
        share = np.where(exact, 1.0, (wanted_ns - stamps_ns[before]) / np.maximum(gap_ns, 1))
        share = share[observed, None].astype(np.float32)
        later = values[after[observed]]
        earlier = values[before[observed]]
        window[observed, :-1] = earlier + share * (later - earlier)
        window[observed, -1] = 1.0
        return window

    def _make_room(self, stamp_ns: int) -> None:
        """Drop what no window can reach any more; grow when that frees less than half."""
        oldest_ns = stamp_ns + int(self._grid_ns[0]) - round(self.max_gap_s * NS_PER_S)
        held = slice(self._first, self._end)
        # One sample before the window's start stays: its first step may lie behind it.
        reached = int(np.searchsorted(self._stamps_ns[held], oldest_ns))
        keep = slice(self._first + max(reached - 1, 0), self._end)
        stamps_ns, values = self._stamps_ns[keep], self._values[keep]
        count = len(stamps_ns)
        if count > len(self._stamps_ns) // 2:
            self._stamps_ns = np.empty(2 * len(self._stamps_ns), np.int64)
            self._values = np.empty((len(self._stamps_ns), self._feature_count), np.float32)
        self._stamps_ns[:count] = stamps_ns
        self._values[:count] = values
        self._first, self._end = 0, count
