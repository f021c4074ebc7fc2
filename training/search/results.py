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

"""What a search found: a table for people, a file for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from emotion_estimator.files import write_whole


@dataclass(frozen=True)
class TrialResult:
    """
    One trained choice of settings.

    :param number: from 0 on, in the order in which the trials were drawn.
    :param settings: the chosen values; see `search_space.SEARCH_SPACE`.
    :param metrics: those of the best epoch by their Keras names, and `best_epoch`, `epochs`,
        `parameters` and `seconds`; None where a value was not finite.
    """

    number: int
    settings: dict[str, str | int | float]
    metrics: dict[str, float | None]

    def value(self, metric: str) -> float:
        """
        Return a metric.

        :param metric: its name.
        :returns: nan where it was not finite or not measured.
        """
        found = self.metrics.get(metric)
        return math.nan if found is None else found


def best_first(results: list[TrialResult], objective: str) -> list[TrialResult]:
    """
    Sort trials.

    :param results: the trials.
    :param objective: the metric that is least in the best.
    :returns: best first; those without a finite objective last.
    """

    def rank(result: TrialResult) -> tuple[bool, float, int]:
        value = result.value(objective)
        return math.isnan(value), 0 if math.isnan(value) else value, result.number

    return sorted(results, key=rank)


def write_results(
    path: Path, results: list[TrialResult], objective: str, plan: dict[str, Any]
) -> None:
    """
    Write all trials, whole or not at all.

    :param path: of the JSON file.
    :param results: the trials, best first.
    :param objective: the metric that is least in the best.
    :param plan: what the search was asked for.
    """
    content = {'objective': objective, 'plan': plan, 'trials': [asdict(each) for each in results]}
    write_whole(path, (json.dumps(content, indent=1, allow_nan=False) + '\n').encode())


def described(settings: dict[str, str | int | float]) -> str:
    """
    Describe a choice in a few words.

    :param settings: the chosen values.
    :returns: such as '2 x lstm 18 tanh, adamw 1.2e-04'.
    """
    momentum = f' momentum {settings["momentum"]:g}' if 'momentum' in settings else ''
    observed = f' of {settings["observed"]}' if 'observed' in settings else ''
    return (
        f'{settings["layers"]} x {settings["network"]}{observed} {settings["layer_units"]} '
        f'{settings["activation"]}, {settings["optimiser"]} {settings["learning_rate"]:.1e}'
        f'{momentum}'
    )


def best_trials_table(results: list[TrialResult], rows: int = 10) -> Table:
    """
    Make a table of the best trials.

    :param results: the trials, best first.
    :param rows: how many to show.
    :returns: the table.
    """
    table = Table(
        title=f'best {min(rows, len(results))} of {len(results)} trials, validation',
        caption='l2 and weight decay are in the file',
    )
    table.add_column('trial', justify='right')
    table.add_column('settings')
    for column in ('cross-\nentropy', 'accuracy', 'macro\nF1', 'epoch'):
        table.add_column(column, justify='right')
    for result in results[:rows]:
        table.add_row(
            str(result.number),
            described(result.settings),
            f'{result.value("val_categorical_crossentropy"):.4f}',
            f'{result.value("val_categorical_accuracy"):.3f}',
            f'{result.value("val_f1"):.3f}',
            f'{result.value("best_epoch"):.0f}/{result.value("epochs"):.0f}',
        )
    return table
