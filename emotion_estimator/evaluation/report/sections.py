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
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.report.markup import element
from emotion_estimator.evaluation.report.wording import counted, interval, quantity
from emotion_estimator.evaluation.scoring.figures import RECORDINGS_TO_DRAW
from emotion_estimator.evaluation.scoring.measures import MEASURES
from emotion_estimator.evaluation.scoring.summary import Summary

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
