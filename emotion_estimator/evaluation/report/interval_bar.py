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

"""A value with its interval as a line in a table."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.metrics.intervals import Interval
from emotion_estimator.evaluation.report.axes import Scale
from emotion_estimator.evaluation.report.markup import element


def interval_bar(found: Interval) -> Element | None:
    """
    Draw a share from 0 to 1.

    :param found: the share.
    :returns: an svg, without the interval where there is none; None where there is no value.
    """
    if not math.isfinite(found.value):
        return None
    return _bar(found, Scale(0, 1, 2, 118), 'M2,8H118')


def difference_bar(found: Interval) -> Element | None:
    """
    Draw a difference of two shares from -1 to 1, 0 in the middle.

    :param found: the difference.
    :returns: an svg; None where there is no interval.
    """
    if not math.isfinite(found.low) or not math.isfinite(found.high):
        return None
    return _bar(found, Scale(-1, 1, 2, 118), 'M2,8H118M60,2V14')


def _bar(found: Interval, scale: Scale, axis: str) -> Element:
    span = None
    if math.isfinite(found.low) and math.isfinite(found.high):
        left, right = scale(found.low), scale(found.high)
        span = element(
            'rect',
            x=left,
            y=5,
            width=max(right - left, 1),
            height=6,
            rx=3,
            class_='hit',
            fill_opacity=0.45,
        )
    return element(
        'svg',
        element('path', d=axis, class_='axis'),
        span,
        element('circle', cx=scale(found.value), cy=8, r=4, class_='point'),
        viewBox='0 0 120 16',
        class_='bar',
        aria_hidden='true',
    )
