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

"""
Tables in Markdown of the metrics that a model folder states.

Of `metrics` in metadata.json they read

    private, public, report, clips: {score: metric}    FER2013's PrivateTest and PublicTest, the
        seed report's rows, real clips
    x_ck48_dev, x_london, x_web: {score: metric}        other people's pictures
    baselines: {split: {method: {score: metric}}}       other methods on the same split
    spread: {split: {score: [value, ...]}}              the model trained again, a value each seed

where a metric is {value, low, high}, {value} or a bare number. What is missing, null or not finite
is written as 'not measured'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from emotion_estimator.emotion.model import ModelMetadata
from training.datasets.pictures import LABELS

NOT_MEASURED = 'not measured'
SPLITS = {
    'private': 'PrivateTest',
    'public': 'PublicTest',
    'report': "the seed report's rows",
    'clips': 'real clips',
}
X_SETS = {
    'x_ck48_dev': 'CK+48',
    'x_london': 'London',
    'x_web': 'web',
}
"""Sets of protocol X."""

COMPARED = {
    'f7_accuracy_readable': 'F7 accuracy',
    'f7_macro_f1_readable': 'F7 macro-F1',
    'p7_accuracy_readable': 'P7 accuracy',
    'r_accuracy': 'R accuracy',
    'r_macro_f1': 'R macro-F1',
    'r_cross_entropy': 'R cross-entropy',
    's_accuracy': 'S accuracy',
    's_onsets_settled': 'S onsets settled',
    's_onset_to_stable_ms': 'S those: ms from onset',
    's_false_switches_per_s': 'S false switches a second',
    'c_switches_per_s': 'C switches a second',
    'x_accuracy': 'accuracy',
    'x_balanced': 'balanced accuracy',
    'x_recall_happy': 'smiles decided happy',
    'x_false_alarms': 'neutral faces decided otherwise',
    'x_no_answer': 'no answer',
}
"""Scores in which other methods are compared, and their headings."""

X_SCORES = {
    'x_balanced': 'balanced accuracy',
    'x_false_alarms': 'neutral faces decided otherwise',
    'x_no_answer': 'no answer: unknown, or no face found',
    'x_no_face': 'no face found',
    'x_turned': 'unknown, as the head is turned',
    'x_covered': 'unknown, as something is covered',
    'x_unsure': 'unknown, as no class is likely enough',
}
"""Headings of scores of protocol X that are not their names."""

METHODS = {
    'the_report': 'the seed report',
    'fer': 'fer, with its own face detector',
    'fer_our_faces': "fer's network, on the faces found here",
}
"""Headings of other methods that are not their names."""

COVERAGE_PREFIX = 'coverage_'
"""Before a label's name: the share of its photographs that can be read."""


class CardError(ValueError):
    """Metrics that are no numbers; the message says of which model and where."""


def has_seven_classes(model: ModelMetadata) -> bool:
    """
    Tell models that protocols F7 and P7 suit from those with the seed report's three classes.

    :returns: whether it tells `LABELS`, in any order.
    """
    return set(model.labels) == set(LABELS)


def metrics_at(model: ModelMetadata, *path: str) -> dict[str, Any]:
    """
    Find a table in a model's metrics.

    :param path: names, from the metrics down.
    :returns: the table; empty where there is none.
    :raises CardError: when there is something else.
    """
    found: Any = {'metrics': model.metrics}
    names = ('metrics', *path)
    for depth, name in enumerate(names, start=1):
        found = found.get(name, {})
        if not isinstance(found, dict):
            place = '.'.join(names[:depth])
            raise CardError(f'{model.name}: {place} must be a table by name, not {found!r}.')
    return dict(found)


def metric_text(metric: Any, form: str, where: str) -> str:
    """
    Write a metric with its interval.

    :param metric: {value, low, high}, {value}, a number or None.
    :param form: format of each number, such as '.3f'; shares lose their leading 0.
    :param where: where it stands, for errors.
    :returns: such as '.578 [.562, .594]'.
    :raises CardError: when it is none of these.
    """
    fields = metric if isinstance(metric, dict) else {'value': metric}
    numbers = [fields.get(name) for name in ('value', 'low', 'high')]
    if any(isinstance(x, bool) or not isinstance(x, (int, float, type(None))) for x in numbers):
        raise CardError(f'{where} must be a number, or value, low and high, not {metric!r}.')
    texts = [
        f'{number:{form}}' if number is not None and math.isfinite(number) else ''
        for number in numbers
    ]
    value, low, high = (text[1:] if text.startswith('0.') else text for text in texts)
    if not value:
        return NOT_MEASURED
    drawn = low and high and len(set(texts)) > 1  # of a figure that was stated none differs
    return f'{value} [{low}, {high}]' if drawn else value


def table(rows: Sequence[Sequence[str]]) -> str:
    """
    Write a table.

    :param rows: the headings, then the lines, all of one length.
    :returns: Markdown.
    """
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join([lines[0], '|---' * len(rows[0]) + '|', *lines[1:]])


def other_methods(model: ModelMetadata) -> str:
    """
    Put a model beside other methods, a table for each split on which any was scored.

    :returns: Markdown; 'Not measured.' without other methods.
    :raises CardError: when the metrics are no numbers.
    """
    tables = []
    for split, heading in {**SPLITS, **X_SETS}.items():
        methods = {
            name: metrics_at(model, 'baselines', split, name)
            for name in metrics_at(model, 'baselines', split)
        }
        names = [name for name in COMPARED if any(name in found for found in methods.values())]
        rows = [(heading, *(COMPARED[name] for name in names))]
        for method, found in {f'**{model.name}**': metrics_at(model, split), **methods}.items():
            where = f'{model.name}: metrics.baselines.{split}.{method}.'
            texts = (metric_text(found.get(name), _form(name), where + name) for name in names)
            written = METHODS.get(method, method.replace('_', ' '))
            rows.append((written if method in methods else method, *texts))
        if names:
            tables.append(table(rows))
    return '\n\n'.join(tables) or f'{NOT_MEASURED.capitalize()}.'


def other_people(model: ModelMetadata) -> str:
    """
    List a model's scores on other people's pictures, a column for each set.

    :returns: Markdown; 'Not measured.' where there are none.
    :raises CardError: when the metrics are no numbers.
    """
    found = {split: metrics_at(model, split) for split in X_SETS if metrics_at(model, split)}
    names = dict.fromkeys(name for scores in found.values() for name in scores)
    rows: list[tuple[str, ...]] = [('protocol X', *(X_SETS[split] for split in found))]
    for name in names:
        said = X_SCORES.get(name) or name.removeprefix('x_').replace('_', ' ')
        texts = (
            metric_text(scores[name], '.2f', f'{model.name}: metrics.{split}.{name}')
            if name in scores
            else ''
            for split, scores in found.items()
        )
        rows.append((said, *texts))
    return table(rows) if found else f'{NOT_MEASURED.capitalize()}.'


def seeds_spread(model: ModelMetadata) -> str:
    """
    Say how much the scores of a model differ when it is trained from other seeds.

    :returns: Markdown; 'Not measured.' where it was not.
    :raises CardError: when the metrics are no lists of numbers.
    """
    rows: list[tuple[str, ...]] = [('score', 'on', 'trainings', 'lowest', 'mean', 'highest')]
    for split, heading in SPLITS.items():
        for name, values in metrics_at(model, 'spread', split).items():
            where = f'{model.name}: metrics.spread.{split}.{name}'
            if not isinstance(values, list) or not values:
                raise CardError(f'{where} must be a list with a number a seed, not {values!r}.')
            if NOT_MEASURED in [metric_text(value, '.3f', where) for value in values]:
                raise CardError(f'{where} lacks the number of a seed: {values!r}.')
            found = (min(values), sum(values) / len(values), max(values))
            texts = (metric_text(value, _form(name), where) for value in found)
            rows.append((COMPARED.get(name, f'`{name}`'), heading, str(len(values)), *texts))
    return table(rows) if len(rows) > 1 else f'{NOT_MEASURED.capitalize()}.'


def class_bias(model: ModelMetadata) -> str:
    """
    List each class's recall and coverage, the best recall first, and name what is missed most.

    :returns: Markdown.
    :raises CardError: when the metrics are no numbers.
    """
    prefix, splits = recall_prefix(model)
    columns = [(f'recall, {SPLITS[split]}', split, prefix) for split in splits]
    columns.append((f'can be read, {SPLITS[splits[0]]}', splits[0], COVERAGE_PREFIX))
    found = {split: metrics_at(model, split) for split in splits}
    lines = [
        (
            label,
            *(
                metric_text(
                    found[split].get(start + label),
                    '.2f',
                    f'{model.name}: metrics.{split}.{start}{label}',
                )
                for _, split, start in columns
            ),
        )
        for label in model.labels
    ]
    missed = ''
    if not any(line[1] == NOT_MEASURED for line in lines):
        best = {label: _value(found[splits[0]][prefix + label]) for label in model.labels}
        lines.sort(key=lambda line: -best[line[0]])
        worst = [line[0] for line in lines[-max(1, len(lines) // 3) :]]
        missed = f'\n\nMost missed: {", ".join(reversed(worst))}; silence about them means little.'
    return table([('shown', *(heading for heading, _, _ in columns)), *lines]) + missed


def recall_prefix(model: ModelMetadata) -> tuple[str, tuple[str, ...]]:
    """
    Name where a model's recalls stand in its metrics.

    :returns: what stands before a label's name, and the splits.
    """
    if has_seven_classes(model):
        return 'f7_recall_', ('private', 'public')
    return 'r_recall_', ('report',)


def _value(metric: Any) -> float:
    return float(metric['value'] if isinstance(metric, dict) else metric)


def _form(name: str) -> str:
    return '.2f' if name.endswith('_per_s') else '.0f' if name.endswith('_ms') else '.3f'
