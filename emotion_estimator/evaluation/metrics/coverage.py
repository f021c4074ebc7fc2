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

"""How long something was so, told by images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.stamps import NS_PER_S

LONGEST_IMAGE_S = 0.5
"""An image stands for no longer than this: in a pause of the camera nothing is known."""


def image_durations_s(stamps_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Tell how long each image stands for: to the next, the last one as long as is usual.

    :param stamps_ns: ascending, shape [N].
    :returns: in seconds, shape [N]; a single image stands for nothing.
    """
    if len(stamps_ns) < 2:
        return np.zeros(len(stamps_ns))
    steps_s = np.diff(stamps_ns) / NS_PER_S
    return np.minimum(np.append(steps_s, np.median(steps_s)), LONGEST_IMAGE_S)
