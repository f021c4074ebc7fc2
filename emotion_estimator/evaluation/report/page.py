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

from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.report import headline
from emotion_estimator.evaluation.report.markup import element
from emotion_estimator.evaluation.report.over_time import over_time
from emotion_estimator.evaluation.report.quality_charts import (
    confusion_chart,
    reliability_chart,
    risk_coverage_chart,
)
from emotion_estimator.evaluation.report.sections import how_drawn, problems, tiles
from emotion_estimator.evaluation.report.shell import palette_of, whole_page
from emotion_estimator.evaluation.report.tables import (
    figures_table,
    recordings_table,
    settings_table,
)
from emotion_estimator.evaluation.scoring.summary import Summary


def page(summary: Summary) -> bytes:
    """
    Write the report.

    :param summary: the run.
    :returns: HTML in UTF-8.
    """
    palette = palette_of([summary])
    title = headline.title(summary)
    return whole_page(
        title,
        palette,
        [
            *(element('p', one, class_='lead') for one in headline.sentences(summary)),
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
