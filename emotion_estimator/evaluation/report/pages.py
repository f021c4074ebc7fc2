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

"""The report of one run as one page that needs nothing beside itself."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.bootstrap import Interval
from emotion_estimator.evaluation.comparison import Comparison
from emotion_estimator.evaluation.measures import MEASURES, Measure
from emotion_estimator.evaluation.report import text
from emotion_estimator.evaluation.report.axes import difference_bar
from emotion_estimator.evaluation.report.charts import (
    confusion_chart,
    reliability_chart,
    risk_coverage_chart,
)
from emotion_estimator.evaluation.report.html import element
from emotion_estimator.evaluation.report.sections import (
    figures_table,
    how_drawn,
    palette_of,
    problems,
    recordings_table,
    settings_table,
    table,
    tiles,
    whole_page,
)
from emotion_estimator.evaluation.report.text import NOTHING, counted, number, quantity
from emotion_estimator.evaluation.report.theme import Palette
from emotion_estimator.evaluation.report.timeline import legend, over_time, timelines
from emotion_estimator.evaluation.summary import Summary


def page(summary: Summary) -> bytes:
    """
    Write the report.

    :param summary: the run.
    :returns: HTML in UTF-8.
    """
    palette = palette_of([summary])
    title = text.title(summary)
    return whole_page(
        title,
        palette,
        [
            *(element('p', one, class_='lead') for one in text.sentences(summary)),
            element(
                'p',
                'It estimates the expression shown, not the emotion felt.',
                class_='soft',
            ),
            tiles(summary),
            problems(summary.problems),
            *over_time(summary, palette),
            *_quality(summary),
            element('h2', 'Figures'),
            figures_table(summary.figures),
            element('p', how_drawn(summary), class_='soft'),
            element('h2', 'Recordings' if len(summary.recordings) > 1 else 'Recording'),
            recordings_table(summary),
            element('h2', 'Settings'),
            element(
                'p',
                f'Model {summary.model}, judged in the classes '
                f'{", ".join(summary.vocabulary.names)}.',
                class_='soft',
            ),
            settings_table(summary.settings),
        ],
    )


def _quality(summary: Summary) -> list[Element]:
    if not summary.labelled:
        return []
    return [
        element('h2', 'How good it is'),
        element(
            'div',
            _figure(
                'Which expression is taken for which',
                confusion_chart(summary.confusion, summary.vocabulary.names),
                'A line for each label: which answers its frames got. The blue ones are right.',
                'wide',
            ),
            _figure(
                'Does its confidence mean what it says?',
                reliability_chart(summary.bins),
                'On the dashed line it would be right as often as it is sure; below it is too '
                'sure of itself. Strong bars hold more frames.',
            ),
            _figure(
                'What if it only answered when sure?',
                risk_coverage_chart(summary.risk_coverage(), summary.confusion),
                'To the left only the surest frames get an answer. The point is what was shown, '
                'with the settings below.',
            ),
            class_='charts',
        ),
    ]


def _figure(title: str, picture: Element, caption: str, kind: str | None = None) -> Element:
    return element(
        'figure',
        element('h3', title),
        element('div', picture, class_='scroll'),
        element('figcaption', caption),
        class_=kind,
    )


# Two runs side by side on one page.


A, B = 'A', 'B'


def comparison_page(found: Comparison) -> bytes:
    """
    Write the page.

    :param found: the comparison.
    :returns: HTML in UTF-8.
    """
    palette = palette_of([found.first, found.second])
    recordings = counted(len(found.first.recordings), 'recording', 'recordings')
    return whole_page(
        f'{found.second.model} against {found.first.model} in {recordings}',
        palette,
        [
            *(element('p', one, class_='lead') for one in sentences(found)),
            element(
                'p', 'Both estimate the expression shown, not the emotion felt.', class_='soft'
            ),
            problems(found.problems),
            element('h2', 'Figures side by side'),
            _figures(found),
            element(
                'p',
                f'Both runs are drawn alike, so that the interval is of their difference. '
                f'{how_drawn(found.first)}',
                class_='soft',
            ),
            element('h2', 'Over time'),
            legend(palette),
            *_over_time(found, palette),
            element('h2', 'Settings'),
            _settings(found),
        ],
    )


def sentences(found: Comparison) -> list[str]:
    """
    Say which run is better, and how sure that is.

    :param found: the comparison.
    :returns: full sentences.
    """
    said = []
    difference = found.differences.get('accuracy')
    if difference is not None:
        said.append(
            f'B ({found.second.model}) is right in '
            f'{quantity(found.second.figures["accuracy"].value, "share")} of the labelled frames, '
            f'A ({found.first.model}) in '
            f'{quantity(found.first.figures["accuracy"].value, "share")}: '
            f'{_verdict_of(difference)}.'
        )
    else:
        said.append(
            f'A is {found.first.model}, B is {found.second.model}. No labels were given, so '
            'nothing here says which is right, only where they differ and how steady they are.'
        )
    if math.isfinite(found.agreement.value):
        said.append(
            f'Both say the same in {quantity(found.agreement.value, "share")} of the answers on '
            'the same face.'
        )
    first, second = (
        one.figures['switches_per_s'].value if 'switches_per_s' in one.figures else math.nan
        for one in (found.first, found.second)
    )
    if math.isfinite(first) and math.isfinite(second):
        said.append(f'The answer changes {first:.2f} times a second in A and {second:.2f} in B.')
    return said


def _verdict_of(difference: Interval) -> str:
    if not math.isfinite(difference.low) or not math.isfinite(difference.high):
        return 'too few labelled segments to tell whether that is chance'
    points = f'{100 * difference.low:+.0f} to {100 * difference.high:+.0f} points'
    if difference.low <= 0 <= difference.high:
        return f'no clear difference (95 % interval {points})'
    return f'more than chance (95 % interval {points})'


def verdict(measure: Measure, difference: Interval) -> str:
    """
    Say whether a difference is more than chance, and for the better or worse.

    :param measure: the figure.
    :param difference: second less first.
    :returns: 'B better', 'A better', 'B more', 'A more', 'no clear difference', or a dash where
        there is no interval.
    """
    if not math.isfinite(difference.low) or not math.isfinite(difference.high):
        return NOTHING
    if difference.low <= 0 <= difference.high:
        return 'no clear difference'
    sign = 1 if difference.low > 0 else -1
    if measure.better == 0:
        return f'{B if sign > 0 else A} more'
    return f'{B if sign == measure.better else A} better'


def _figures(found: Comparison) -> Element:
    body = []
    for measure in MEASURES:
        if measure.name not in found.differences:
            continue
        difference = found.differences[measure.name]
        said = verdict(measure, difference)
        kind = {f'{B} better': 'better', f'{A} better': 'worse'}.get(said)
        values = [
            quantity(one.figures[measure.name].value, measure.unit)
            if measure.name in one.figures
            else NOTHING
            for one in (found.first, found.second)
        ]
        body.append(
            element(
                'tr',
                element('th', measure.title, scope='row'),
                *(element('td', value, class_='number') for value in values),
                element('td', _signed(difference.value, measure.unit), class_='number'),
                element('td', _span(difference, measure.unit), class_='number'),
                element('td', difference_bar(difference) if measure.unit == 'share' else None),
                element('td', said, class_=kind),
            )
        )
    head = ('figure', A, B, 'B less A', '95 % interval', 'B less, B more', '')
    return table(head, body)


def _signed(value: float, unit: str) -> str:
    text = number(value, unit)
    return f'+{text}' if value > 0 and text != NOTHING else text


def _span(found: Interval, unit: str) -> str:
    if not math.isfinite(found.low) or not math.isfinite(found.high):
        return NOTHING
    return f'{_signed(found.low, unit)} to {_signed(found.high, unit)}'


def _over_time(found: Comparison, palette: Palette) -> list[Element]:
    parts = []
    pairs = zip(found.first.recordings, found.second.recordings)
    for index, (one, other) in enumerate(pairs):
        folded = element(
            'details',
            element('summary', one.replay.recording),
            element('h3', f'{A}: {found.first.model}'),
            *timelines(one, palette),
            element('h3', f'{B}: {found.second.model}'),
            *timelines(other, palette),
        )
        if index < 2:
            folded.set('open', '')
        parts.append(folded)
    return parts


def _settings(found: Comparison) -> Element:
    first, second = found.first.settings, found.second.settings
    body = []
    for name in sorted({*first, *second}):
        values = [_plain(each.get(name)) for each in (first, second)]
        body.append(
            element(
                'tr',
                element('th', name, scope='row'),
                *(element('td', value) for value in values),
                element('td', 'differs' if values[0] != values[1] else None, class_='worse'),
            )
        )
    return table(('setting', A, B, ''), body)


def _plain(value: float | str | None) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else f'{value:g}'
