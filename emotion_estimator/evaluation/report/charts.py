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

"""Pictures of quality: confusion matrix, reliability, risk against coverage."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.classification_metrics import RiskCoverage, Sums
from emotion_estimator.evaluation.label_classes import UNKNOWN
from emotion_estimator.evaluation.report.axes import Scale, path_of
from emotion_estimator.evaluation.report.html import element

_CELL_WIDTH, _CELL_HEIGHT, _NAMES = 70, 40, 92
_SIDE = 250
_MOST_POINTS = 200


def confusion_chart(confusion: Sums, classes: tuple[str, ...]) -> Element:
    """
    Draw which labels got which answers: a line for each label that occurs.

    :param confusion: frames by truth and answer, the last answer being none, shape
        [classes, classes + 1].
    :param classes: names.
    :returns: an svg.
    """
    lines = [index for index in range(len(classes)) if confusion[index].sum()]
    columns = list(range(len(classes)))
    if confusion[:, -1].any():
        columns.append(len(classes))
    names = (*classes, UNKNOWN)
    parts = [element('title', 'Labels and the answers they got')]
    for place, column in enumerate(columns):
        x = _NAMES + (place + 0.5) * _CELL_WIDTH
        parts.append(
            element('text', names[column], x=x, y=34, class_='tick', text_anchor='middle')
        )
    parts.append(element('text', 'answer', x=_NAMES, y=14, class_='row'))
    parts.append(element('text', 'label', x=_NAMES - 10, y=34, class_='row', text_anchor='end'))
    for line, index in enumerate(lines):
        y = 44 + line * _CELL_HEIGHT
        total = confusion[index].sum()
        parts.append(
            element(
                'text', classes[index], x=_NAMES - 10, y=y + 25, class_='tick', text_anchor='end'
            )
        )
        for place, column in enumerate(columns):
            count, x = confusion[index, column], _NAMES + place * _CELL_WIDTH
            share = count / total
            right = column == index
            parts.append(
                element(
                    'g',
                    element(
                        'title',
                        f'{classes[index]} answered as {names[column]}: {count:.0f} of '
                        f'{total:.0f} frames',
                    ),
                    _cell(x, y, class_='ground'),
                    _cell(
                        x,
                        y,
                        class_='hit' if right else 'miss',
                        fill_opacity=float(0.08 + 0.92 * share) if count else 0,
                    ),
                    element(
                        'text',
                        f'{100 * share:.0f} %' if count else '·',
                        x=x + _CELL_WIDTH / 2,
                        y=y + 25,
                        class_='cell strong' if share > 0.5 else 'cell',
                        text_anchor='middle',
                    ),
                )
            )
    width = _NAMES + len(columns) * _CELL_WIDTH + 4
    height = 48 + len(lines) * _CELL_HEIGHT
    return element(
        'svg',
        *parts,
        viewBox=f'0 0 {width} {height}',
        class_='chart confusion',
        role='img',
        style=f'max-width:{width * 5 // 4}px',
    )


def _cell(x: float, y: float, **look: str | float) -> Element:
    size = {'width': _CELL_WIDTH - 2, 'height': _CELL_HEIGHT - 2, 'rx': 3}
    return element('rect', x=x + 1, y=y + 1, **size, **look)


def _square(title: str, x_name: str, y_name: str) -> tuple[list[Element], Scale, Scale]:
    """Draw the ground of a chart from 0 to 100 % either way."""
    x, y = Scale(0, 1, 52, 52 + _SIDE), Scale(0, 1, 12 + _SIDE, 12)
    parts = [
        element('title', title),
        element('rect', x=x.start, y=y.end, width=_SIDE, height=_SIDE, class_='ground'),
    ]
    for value in (0, 0.25, 0.5, 0.75, 1):
        text = f'{100 * value:.0f}'
        parts += [
            element('path', d=f'M{x(value):.1f},{y.end}V{y.start}', class_='grid'),
            element('path', d=f'M{x.start},{y(value):.1f}H{x.end}', class_='grid'),
            element('text', text, x=x(value), y=y.start + 15, class_='tick', text_anchor='middle'),
            element('text', text, x=x.start - 6, y=y(value) + 4, class_='tick', text_anchor='end'),
        ]
    middle = (y.start + y.end) / 2
    parts += [
        element('text', x_name, x=x(0.5), y=y.start + 32, class_='row', text_anchor='middle'),
        element(
            'text',
            y_name,
            x=14,
            y=middle,
            class_='row',
            text_anchor='middle',
            transform=f'rotate(-90 14 {middle:.0f})',
        ),
    ]
    return parts, x, y


def _chart(parts: list[Element]) -> Element:
    return element(
        'svg',
        *parts,
        viewBox=f'0 0 {_SIDE + 66} {_SIDE + 52}',
        class_='chart',
        role='img',
        style='max-width:430px',
    )


def reliability_chart(bins: Sums) -> Element:
    """
    Draw the share of right answers by confidence; on the diagonal both are equal.

    :param bins: frames, sum of confidence and right ones, shape [bins, 3].
    :returns: an svg; bars are faint where a bin holds few frames.
    """
    parts, x, y = _square('Reliability', 'confidence in %', 'right in %')
    width = _SIDE / len(bins)
    most = bins[:, 0].max()
    means = []
    for index, (count, confidence, right) in enumerate(bins.tolist()):
        if not count:
            continue
        top = y(right / count)
        parts.append(
            element(
                'rect',
                element(
                    'title',
                    f'{count:.0f} frames: sure {100 * confidence / count:.0f} %, '
                    f'right {100 * right / count:.0f} %',
                ),
                x=x.start + index * width + 0.5,
                y=top,
                width=width - 1,
                height=max(y.start - top, 1),
                class_='hit',
                fill_opacity=0.25 + 0.75 * math.sqrt(count / most),
            )
        )
        means.append((x(confidence / count), top))
    parts.append(
        element('path', d=f'M{x(0):.1f},{y(0):.1f}L{x(1):.1f},{y(1):.1f}', class_='ideal')
    )
    if means:
        across, up = np.array(means).T
        parts.append(element('path', d=path_of(across, up), class_='line found'))
    return _chart(parts)


def risk_coverage_chart(curve: RiskCoverage, confusion: Sums) -> Element:
    """
    Draw the share of wrong answers over the share of frames answered, the surest first.

    :param curve: of the probabilities before the decision.
    :param confusion: see `confusion_chart`; it tells where the thresholds in use lie.
    :returns: an svg.
    """
    parts, x, y = _square('Risk against coverage', 'frames answered in %', 'wrong among them in %')
    kept = np.unique(np.linspace(0, len(curve.risk) - 1, _MOST_POINTS).astype(np.int64))
    parts.append(
        element(
            'path',
            d=path_of(x.all(curve.coverage[kept]), y.all(curve.risk[kept])),
            class_='line found',
        )
    )
    answered = float(confusion[:, :-1].sum() / confusion.sum())
    right = float(metrics.accuracy_of_answers(confusion))
    if np.isfinite(right):
        at, up = x(answered), y(1 - right)
        parts.append(
            element(
                'circle',
                element(
                    'title',
                    f'In use: {100 * answered:.0f} % answered, '
                    f'{100 * (1 - right):.0f} % of them wrong',
                ),
                cx=at,
                cy=up,
                r=5,
                class_='point',
            )
        )
        left = answered > 0.7
        parts.append(
            element(
                'text',
                'as shown',
                x=at - 9 if left else at + 9,
                y=up - 8,
                class_='tick',
                text_anchor='end' if left else 'start',
            )
        )
    return _chart(parts)
