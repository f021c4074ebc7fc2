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

"""Measures one part after the other, and tells how far that is."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from dev.bench.parts import Figures, Plan
from emotion_estimator.files import AssetError


@dataclass
class Results:
    """
    What came out.

    :param figures: the figures by name.
    :param left_out: reason by the name of each part that was not measured.
    :param failed: error by the name of each part that broke off.
    :param stopped: whether Ctrl-C ended it before all parts were measured.
    """

    figures: Figures = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


class Pace:
    """
    Tells how long the rest will take, by how long the parts before took.

    :param about_s: estimates of the parts in seconds.
    :param clock_s: a steady clock in seconds.
    """

    def __init__(
        self, about_s: Sequence[float], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._about_s = list(about_s)
        self._clock_s = clock_s
        self._begun = 0
        self._start_s = self._part_start_s = clock_s()

    def begin(self) -> None:
        """Begin the next part."""
        self._begun += 1
        self._part_start_s = self._clock_s()

    def left_s(self) -> float:
        """Tell the seconds that are left in all."""
        done = max(0, self._begun - 1)
        estimated_s = sum(self._about_s[:done])
        pace = (self._part_start_s - self._start_s) / estimated_s if estimated_s else 1.0
        spent_s = self._clock_s() - self._part_start_s if self._begun else 0.0
        this_s = sum(self._about_s[done : self._begun])
        later_s = sum(self._about_s[self._begun :])
        return max(0.0, pace * this_s - spent_s) + pace * later_s


def measure(plan: Plan, console: Console) -> Results:
    """
    Measure the plan's parts; one that fails costs its own figures alone, Ctrl-C those to come.

    :param plan: the parts.
    :param console: is told which part is measured and how long the rest takes.
    :returns: what came out.
    """
    results = Results(left_out=dict(plan.left_out))
    pace = Pace([part.about_s for part in plan.parts])
    columns = (SpinnerColumn(), TextColumn('{task.description}'), _TimeLeft(pace))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task('')
        for number, part in enumerate(plan.parts, start=1):
            pace.begin()
            place = f'{number} of {len(plan.parts)}: {part.name}'
            bar.update(task, description=place)
            left = clock_text(pace.left_s())
            console.print(f'{place}; about {left} left in all', highlight=False)
            try:
                results.figures.update(part.measure())
            except (AssetError, FileNotFoundError) as error:
                results.left_out[part.name] = str(error)
                console.print(f'{part.name} is left out: {error}', markup=False, style='yellow')
            except KeyboardInterrupt:
                results.stopped = True
                break
            except Exception as error:
                traceback.print_exc()
                results.failed[part.name] = f'{type(error).__name__}: {error}'
    return results


def clock_text(seconds: float) -> str:
    """
    Write a length of time.

    :param seconds: the time.
    :returns: such as '3:07', minutes and seconds.
    """
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes}:{rest:02d}'


class _TimeLeft(ProgressColumn):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        return Text(f'about {clock_text(self._pace.left_s())} left')
