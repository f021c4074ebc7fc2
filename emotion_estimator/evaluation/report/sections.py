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

"""Parts of a page: the largest figures, problems, what the intervals mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.bootstrap import Interval
from emotion_estimator.evaluation.measures import MEASURES, RECORDINGS_TO_DRAW, Measure
from emotion_estimator.evaluation.report.axes import interval_bar
from emotion_estimator.evaluation.report.html import Child, document, element
from emotion_estimator.evaluation.report.text import counted, duration, interval, number, quantity
from emotion_estimator.evaluation.report.theme import CSS, SCRIPT, Palette
from emotion_estimator.evaluation.summary import Figures, Summary

_TILES = {
    True: (
        'accuracy',
        'segment_accuracy',
        'onset_to_stable_s',
        'false_switches_per_s',
        'answer_share_of_face_time',
    ),
    False: ('face_share', 'answer_share_of_face_time', 'switches_per_s'),
}


def tiles(summary: Summary) -> Element:
    """
    Show the most telling figures large.

    :param summary: the run.
    :returns: a div.
    """
    by_name = {measure.name: measure for measure in MEASURES}
    found = []
    for name in _TILES[summary.labelled]:
        if name in summary.figures:
            measure, one = by_name[name], summary.figures[name]
            span = interval(one, measure.unit)
            found.append(
                element(
                    'div',
                    element('b', quantity(one.value, measure.unit)),
                    element('span', measure.title),
                    element('span', f'95 %: {span}') if math.isfinite(one.low) else None,
                    class_='tile',
                )
            )
    return element('div', *found, class_='tiles')


def problems(told: Sequence[str]) -> Element | None:
    """
    List what could not be read or judged.

    :param told: sentences.
    :returns: a section; None without any.
    """
    if not told:
        return None
    return element(
        'section',
        element('h2', f'{counted(len(told), "thing", "things")} to know of'),
        element('ul', *(element('li', one) for one in told), class_='problems'),
    )


def how_drawn(summary: Summary) -> str:
    """
    Say what the intervals mean.

    :param summary: the run.
    :returns: a sentence.
    """
    drawn = (
        'whole recordings'
        if summary.counted.recordings >= RECORDINGS_TO_DRAW
        else 'labelled segments, or stretches of five seconds for what needs no labels,'
    )
    return (
        f'Intervals: 95 % of what the figures become when {drawn} are drawn again with '
        'replacement, 1,000 times. They tell of chance in what was recorded, not of other people '
        'or rooms.'
    )


# The page round a report's content: head, style, script, and what it may load: nothing.


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def palette_of(summaries: Sequence[Summary]) -> Palette:
    """
    Give every label of some runs a colour.

    :param summaries: at least one.
    :returns: the palette, the classes of the models first.
    """
    labels: list[str] = []
    for summary in summaries:
        for one in summary.recordings:
            labels += [*one.judged.labels, *(segment.label for segment in one.judged.segments)]
    return Palette(labels)


def whole_page(title: str, palette: Palette, content: Sequence[Child]) -> bytes:
    """
    Put content onto a page that loads nothing from anywhere.

    :param title: headline.
    :param palette: whose rules the style sheet needs.
    :param content: elements below the headline.
    :returns: HTML in UTF-8.
    """
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', http_equiv='Content-Security-Policy', content=POLICY),
        element('meta', name='viewport', content='width=device-width, initial-scale=1'),
        element('title', title),
        element('style', CSS + palette.css()),
    )
    body = element('body', element('main', element('h1', title), *content))
    body.append(element('script', SCRIPT))
    return document(element('html', head, body, lang='en'))


# The report's tables: figures with intervals, recordings with their faces, settings.


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
