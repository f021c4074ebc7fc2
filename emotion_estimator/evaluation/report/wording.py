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

"""Numbers in words that people read: shares in percent, times in seconds and minutes."""

from __future__ import annotations

import math

from emotion_estimator.evaluation.metrics.intervals import Interval

NOTHING = '\u2013'
_UNITS = {'share': '%', 's': 's', '1/s': '/ s', 'nat': 'nat'}


def number(value: float, unit: str) -> str:
    """
    Write a figure without its unit.

    :param value: nan gives a dash.
    :param unit: of a `Measure`.
    :returns: such as '78' for a share of .784.
    """
    if not math.isfinite(value):
        return NOTHING
    if unit == 'share':
        percent = 100 * value
        # Near the ends and for small shares the first decimal matters.
        return (
            f'{percent:.1f}' if 0 < abs(percent) < 10 or 99 < percent < 100 else f'{percent:.0f}'
        )
    return f'{value:.2f}'


def quantity(value: float, unit: str) -> str:
    """
    Write a figure with its unit.

    :param value: nan gives a dash.
    :param unit: of a `Measure`.
    :returns: such as '78 %' or '0.52 s'.
    """
    text = number(value, unit)
    return text if text == NOTHING else f'{text} {_UNITS[unit]}'


def interval(found: Interval, unit: str) -> str:
    """
    Write where a figure's resamples lie.

    :param found: the figure.
    :param unit: of its measure.
    :returns: such as '70 to 85'; a dash where there is no interval.
    """
    if not math.isfinite(found.low) or not math.isfinite(found.high):
        return NOTHING
    return f'{number(found.low, unit)} to {number(found.high, unit)}'


def duration(seconds: float) -> str:
    """
    Write a length of time.

    :param seconds: at least 0.
    :returns: such as '48.2 s' or '3 min 20 s'.
    """
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {rest} s'


def counted(count: int, one: str, several: str) -> str:
    """
    Write a number of things.

    :param count: how many.
    :param one: the word for one.
    :param several: the word for any other number.
    :returns: such as '3 recordings'.
    """
    return f'{count:,} {one if count == 1 else several}'
