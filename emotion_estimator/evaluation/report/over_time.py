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

"""All faces of all recordings over time, with a legend."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.report.markup import element
from emotion_estimator.evaluation.report.palette import Palette
from emotion_estimator.evaluation.report.timeline import timeline
from emotion_estimator.evaluation.report.wording import counted, duration
from emotion_estimator.evaluation.scoring.summary import RecordingSummary, Summary

MOST_FACES = 6
OPEN_RECORDINGS = 3


def over_time(summary: Summary, palette: Palette) -> list[Element]:
    """
    Draw each recording's faces over time.

    :param summary: the run.
    :param palette: colours.
    :returns: a section's elements.
    """
    parts = [element('h2', 'Over time'), legend(palette)]
    single = len(summary.recordings) == 1
    for index, one in enumerate(summary.recordings):
        faces = timelines(one, palette)
        if single:
            parts += faces
            continue
        name = f'{one.replay.recording}: {duration(one.duration_s)}, '
        name += counted(len(one.faces), 'face', 'faces')
        folded = element('details', element('summary', name), *faces)
        if index < OPEN_RECORDINGS:
            folded.set('open', '')
        parts.append(folded)
    return parts


def legend(palette: Palette) -> Element:
    """
    Name the colours.

    :param palette: the palette.
    :returns: a div.
    """
    return element(
        'div',
        *(
            element('span', element('i', class_=palette.fill(label)), label)
            for label in palette.labels
        ),
        class_='legend',
    )


def timelines(one: RecordingSummary, palette: Palette) -> list[Element]:
    """
    Draw the faces of one recording that were seen most.

    :param one: the recording.
    :param palette: colours.
    :returns: elements.
    """
    if not one.faces:
        return [element('p', 'No face was found in it.', class_='soft')]
    parts = []
    for face in one.faces[:MOST_FACES]:
        if len(one.faces) > 1:
            parts.append(element('h3', f'Face {face.face_id}'))
        parts.append(timeline(one, face, palette))
    if len(one.faces) > MOST_FACES:
        more = counted(len(one.faces) - MOST_FACES, 'more face was', 'more faces were')
        parts.append(
            element('p', f'{more} seen for less time; emotions.csv has them all.', class_='soft')
        )
    return parts
