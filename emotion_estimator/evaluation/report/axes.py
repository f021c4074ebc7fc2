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

"""Straight axes of SVG pictures: places of values, ticks, paths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.bootstrap import Interval
from emotion_estimator.evaluation.report.html import element


@dataclass(frozen=True)
class Scale:
    """
    A straight line of values onto a line of the picture.

    :param low: value at `start`.
    :param high: value at `end`, another than `low`.
    :param start: place in the picture.
    :param end: likewise.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Tell a value's place."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def all(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell the places of values, shape [N]."""
        share = (values - self.low) / (self.high - self.low)
        return np.asarray(self.start + share * (self.end - self.start))


def round_steps(length: float, most: int) -> float:
    """
    Find a round distance of ticks.

    :param length: of the axis in its unit, above 0.
    :param most: most ticks.
    :returns: 1, 2 or 5 times a power of ten; from ten on those of a clock: 10, 15, 30, 60, ...
    """
    clock = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    tens = [step * 10.0**power for power in range(-3, 1) for step in (1, 2, 5)]
    steps = [*(step for step in tens if step < 10), *map(float, clock)]
    return next((step for step in steps if length / step <= most), length / most)


def path_of(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """
    Write a line through points.

    :param x: places, shape [N], N at least 1.
    :param y: likewise.
    :returns: what `d` of an SVG path takes; a single point is a short dash.
    """
    if len(x) == 1:
        x, y = np.array([x[0] - 0.5, x[0] + 0.5]), np.repeat(y, 2)
    return 'M' + 'L'.join(f'{a:.1f},{b:.1f}' for a, b in zip(x.tolist(), y.tolist()))


def area_of(x: NDArray[np.float64], y: NDArray[np.float64], ground: float) -> str:
    """
    Write the area between a line and the ground.

    :param x: places, shape [N], N at least 1.
    :param y: likewise.
    :param ground: place of the ground.
    :returns: what `d` of an SVG path takes.
    """
    if len(x) == 1:
        x, y = np.array([x[0] - 0.5, x[0] + 0.5]), np.repeat(y, 2)
    return f'{path_of(x, y)}L{x[-1]:.1f},{ground:.1f}L{x[0]:.1f},{ground:.1f}Z'


def bars_of(spans: Iterable[tuple[float, float]], top: float, height: float) -> str:
    """
    Write many bars of one height as one path.

    :param spans: left and right end of each.
    :param top: upper edge.
    :param height: of all.
    :returns: what `d` of an SVG path takes; empty without bars.
    """
    return ''.join(
        f'M{left:.1f},{top:.1f}h{max(right - left, 0.4):.1f}v{height:.1f}'
        f'h-{max(right - left, 0.4):.1f}z'
        for left, right in spans
    )


def time_axis(scale: Scale, y: float) -> list[Element]:
    """
    Draw ticks of a time axis with their seconds.

    :param scale: of seconds.
    :param y: place of the axis.
    :returns: elements.
    """
    step = round_steps(scale.high - scale.low, 12)
    digits = max(0, -math.floor(math.log10(step))) if step < 1 else 0
    parts = []
    for index in range(math.floor((scale.high - scale.low) / step + 1e-9) + 1):
        value = scale.low + index * step
        x = scale(value)
        parts.append(element('path', d=f'M{x:.1f},{y:.1f}v4', class_='axis'))
        parts.append(
            element(
                'text', _clock(value, digits), x=x, y=y + 16, class_='tick', text_anchor='middle'
            )
        )
    return parts


def _clock(seconds: float, digits: int) -> str:
    if seconds < 100:
        return f'{seconds:.{digits}f} s'
    return f'{int(seconds // 60)}:{int(seconds % 60):02d}'


# A value with its interval as a line in a table.


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
