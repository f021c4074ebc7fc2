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

"""The report's tables: figures with intervals, recordings with their faces, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.metrics.intervals import Interval
from emotion_estimator.evaluation.report.interval_bar import interval_bar
from emotion_estimator.evaluation.report.markup import element
from emotion_estimator.evaluation.report.wording import duration, interval, number, quantity
from emotion_estimator.evaluation.scoring.measures import MEASURES, Measure
from emotion_estimator.evaluation.scoring.summary import Figures, Summary

_BY_NAME = {measure.name: measure for measure in MEASURES}
_OF_RECORDING = (
    'face_share',
    'answer_share_of_face_time',
    'switches_per_s',
    'accuracy',
    'segment_accuracy',
    'macro_f1',
    'onset_to_stable_s',
)
MOST_FACES_LISTED = 8


def rows_of(found: Figures) -> list[tuple[Measure, Interval]]:
    """
    List the figures that there are, in the order of `MEASURES`.

    :param found: by name.
    :returns: measures and figures.
    """
    return [(one, found[one.name]) for one in MEASURES if one.name in found]


def figures_table(found: Figures) -> Element:
    """
    Lay the figures out with their intervals, drawn where they are shares.

    :param found: by name.
    :returns: a table in a div that scrolls.
    """
    head = ('figure', 'value', '95 % interval', '', 'what it means')
    body = [
        element(
            'tr',
            element('th', measure.title, scope='row'),
            element('td', quantity(one.value, measure.unit), class_='number'),
            element('td', interval(one, measure.unit), class_='number'),
            element('td', interval_bar(one) if measure.unit == 'share' else None),
            element('td', measure.meaning, class_='meaning'),
        )
        for measure, one in rows_of(found)
    ]
    return table(head, body)


def table(head: Sequence[str], body: Sequence[Element]) -> Element:
    """
    Make a table.

    :param head: names of the columns.
    :param body: lines.
    :returns: the table in a div that scrolls.
    """
    line = element('tr', *(element('th', name, scope='col') for name in head))
    return element(
        'div',
        element('table', element('thead', line), element('tbody', *body)),
        class_='scroll',
    )


def recordings_table(summary: Summary) -> Element:
    """
    Lay out the figures of each recording, and below it of each of its faces.

    :param summary: the run.
    :returns: a table in a div that scrolls.
    """
    measures = [
        _BY_NAME[name]
        for name in _OF_RECORDING
        if any(name in one.figures for one in summary.recordings)
    ]
    head = ('recording, face', 'length', *(_heading(measure) for measure in measures))
    body = []
    for one in summary.recordings:
        body.append(_line(one.replay.recording, duration(one.duration_s), one.figures, measures))
        if len(one.faces) < 2:
            continue
        for face in one.faces[:MOST_FACES_LISTED]:
            length_s = face.figures['face_share'].value * _seen_s(summary, one.replay.recording)
            line = _line(f'face {face.face_id}', duration(length_s), face.figures, measures)
            line.set('class', 'face')
            body.append(line)
        if len(one.faces) > MOST_FACES_LISTED:
            more = f'{len(one.faces) - MOST_FACES_LISTED} more faces, seen for less time'
            cell = element('td', more, colspan=str(len(head)))
            body.append(element('tr', cell, class_='face'))
    return table(head, body)


def _seen_s(summary: Summary, recording: str) -> float:
    time = summary.counted.time
    return float(
        sum(
            seconds
            for (name, _), seconds in zip(time.units, time.sums['image_s'].tolist())
            if name == recording
        )
    )


def _heading(measure: Measure) -> str:
    unit = {'share': ' %', 's': ' s', '1/s': ' / s', 'nat': ''}[measure.unit]
    return measure.title + unit


def _line(name: str, length: str, found: Figures, measures: Sequence[Measure]) -> Element:
    cells = []
    for measure in measures:
        one = found.get(measure.name, Interval(math.nan, math.nan, math.nan))
        span = interval(one, measure.unit)
        cells.append(
            element(
                'td',
                number(one.value, measure.unit),
                element('small', span) if math.isfinite(one.low) else None,
                class_='number',
            )
        )
    return element(
        'tr',
        element('th', name, scope='row'),
        element('td', length, class_='number'),
        *cells,
    )


def settings_table(settings: Mapping[str, float | str]) -> Element:
    """
    List what decided.

    :param settings: by name.
    :returns: a table in a div that scrolls.
    """
    return table(
        ('setting', 'value'),
        [
            element(
                'tr',
                element('th', name, scope='row'),
                element('td', value if isinstance(value, str) else f'{value:g}'),
            )
            for name, value in sorted(settings.items())
        ],
    )
