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

"""Windows without the order of time, or without any movement, for the baselines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TIMES = ('kept', 'shuffled', 'pooled')


def retimed(
    windows: NDArray[np.float32], time_kind: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """
    Take the order, or all movement, out of windows (for the baselines).

    :param windows: shape [N, steps, features + 1].
    :param time_kind: 'kept'; 'shuffled': each window's steps in random order; 'pooled': each
        observed step replaced by the mean of the window's observed steps.
    :param rng: source of chance for 'shuffled'.
    :returns: the same shape.
    :raises ValueError: when the kind is another.
    """
    if time_kind == 'kept':
        return windows
    if time_kind == 'shuffled':
        order = rng.permuted(np.tile(np.arange(windows.shape[1]), (len(windows), 1)), axis=1)
        return np.asarray(np.take_along_axis(windows, order[..., None], axis=1))
    if time_kind == 'pooled':
        observed = windows[..., -1:]
        mean = windows.sum(axis=1, keepdims=True) / observed.sum(axis=1, keepdims=True)
        return np.asarray(mean * observed, np.float32)
    raise ValueError(f'time must be one of {", ".join(TIMES)}, not {time_kind!r}.')
