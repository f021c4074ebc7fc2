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

"""How far an estimate is to be trusted: less when the face is turned away or covered."""

from __future__ import annotations

import math
from collections.abc import Mapping

DEFAULT_MAX_YAW_DEG = 55.0
DEFAULT_MAX_PITCH_DEG = 35.0
VISIBLE_PARTS = ('visible.mouth', 'visible.eyes', 'visible.skin')
"""Names of the features that tell, in [0, 1], how much of a part of the face is seen."""
_FULL = 2 / 3  # of an angle's limit, up to which it costs nothing


class Trust:
    """
    Weighs estimates by what is known of the face: trust 1 leaves one as it is, 0 voids it.

    Trust falls linearly from 1 at two thirds of an angle's limit to 0 at the limit. What is not
    known costs nothing: publishers need not send head pose or visibility.

    :param max_yaw_deg: limit of the head's yaw to either side in degrees, above 0.
    :param max_pitch_deg: limit of the head's pitch up or down in degrees, above 0.
    :raises ValueError: when a limit is not above 0.
    """

    def __init__(
        self,
        max_yaw_deg: float = DEFAULT_MAX_YAW_DEG,
        max_pitch_deg: float = DEFAULT_MAX_PITCH_DEG,
    ) -> None:
        for name, value in (('max_yaw_deg', max_yaw_deg), ('max_pitch_deg', max_pitch_deg)):
            if not value > 0:
                raise ValueError(f'{name} must be above 0, not {value}.')
        self._limits = {
            'head.yaw': math.radians(max_yaw_deg),
            'head.pitch': math.radians(max_pitch_deg),
        }

    def of(self, features: Mapping[str, float]) -> float:
        """
        Weigh one face's features.

        :param features: value by name, angles in radians; other names are ignored.
        :returns: trust in [0, 1]; 0 where a value is no finite number.
        """
        trust = 1.0
        for name, limit in self._limits.items():
            share = abs(features.get(name, 0.0)) / limit
            trust *= _within_0_and_1((1 - share) / (1 - _FULL))
        for name in VISIBLE_PARTS:
            trust *= _within_0_and_1(features.get(name, 1.0))
        return trust


def _within_0_and_1(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
