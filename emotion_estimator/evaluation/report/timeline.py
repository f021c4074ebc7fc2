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

"""The picture of one face over time: thumbnails, answers, labels, probabilities, head pose."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from emotion_estimator.evaluation.label_classes import UNKNOWN
from emotion_estimator.evaluation.report.axes import Scale, area_of, bars_of, path_of, time_axis
from emotion_estimator.evaluation.report.downsampling import (
    Points,
    Stretch,
    points,
    stretches,
    times_s,
)
from emotion_estimator.evaluation.report.html import data, element
from emotion_estimator.evaluation.report.text import counted, duration
from emotion_estimator.evaluation.report.theme import Palette
from emotion_estimator.evaluation.summary import FaceSummary, RecordingSummary, Summary
from emotion_estimator.evaluation.temporal_metrics import LONGEST_GAP_S
from emotion_estimator.replay.predictions import Answer

# What a timeline's parts share, and the faces above it at the switches of the answer.


WIDTH, LEFT, RIGHT = 1060, 92, 1048
SIDE, SPACE = 54, 8


@dataclass(frozen=True)
class Frame:
    """
    What all parts of a timeline share.

    :param recording: whose face it is.
    :param face: the face.
    :param palette: colours.
    :param time: scale of seconds.
    """

    recording: RecordingSummary
    face: FaceSummary
    palette: Palette
    time: Scale

    def ends(self, one: Stretch) -> tuple[float, float]:
        """Tell where a stretch begins and ends in the picture."""
        return self.time(one.start_s), min(self.time(one.end_s), RIGHT)


def thumbnails(frame: Frame, shown: list[Stretch], y: float) -> list[Element]:
    """
    Put pictures above switches, those of the longest-lasting answers first, side by side.

    :param frame: whose pictures.
    :param shown: the answers.
    :param y: upper edge.
    :returns: elements; none without pictures.
    """
    pictures = frame.recording.replay.thumbnails
    first_ns = frame.recording.replay.stamps_ns[0]
    of_time = {
        round((stamp_ns - first_ns) / 1e6): jpeg
        for (stamp_ns, face_id), jpeg in pictures.items()
        if face_id == frame.face.face_id
    }
    placed: list[float] = []
    parts: list[Element] = []
    for one in sorted(shown, key=lambda each: (each.start_s - each.end_s, each.start_s)):
        jpeg = of_time.get(round(one.start_s * 1000))
        at = frame.time(one.start_s)
        left = min(max(at, LEFT), RIGHT - SIDE)
        if jpeg is None or any(abs(left - other) < SIDE + 4 for other in placed):
            continue
        placed.append(left)
        label = frame.recording.judged.labels[one.what]
        parts.append(
            element(
                'image',
                element('title', f'{one.start_s:.2f} s: {label}'),
                x=left,
                y=y,
                width=SIDE,
                height=SIDE,
                href='data:image/jpeg;base64,' + base64.b64encode(jpeg).decode(),
            )
        )
        parts.append(element('path', d=f'M{at:.1f},{y:.1f}v{SIDE + SPACE}', class_='axis'))
    return parts


_STRIP, _WRONG, _CURVES, _HEAD = 20, 6, 120, 64
_LETTER = 6.6
"""Width of a letter in a strip, about."""


def timeline(recording: RecordingSummary, face: FaceSummary, palette: Palette) -> Element:
    """
    Draw one face over the whole recording.

    :param recording: with at least one image.
    :param face: one of its faces.
    :param palette: with all labels of model and truth.
    :returns: a div with the picture and what its script needs to tell values under the pointer.
    """
    judged = recording.judged
    rows = judged.of_face(face.index)
    at_s = times_s(judged, rows)
    length_s = max(recording.duration_s, 0.1)
    frame = Frame(recording, face, palette, Scale(0, length_s, LEFT, RIGHT))
    shown = stretches(at_s, judged.shown[rows])
    parts: list[Element] = []
    y = 4.0
    pictures = thumbnails(frame, shown, y)
    if pictures:
        parts += pictures
        y += SIDE + SPACE
    top = y
    labels = judged.labels
    parts += _strip(frame, [(one, labels[one.what]) for one in shown], y, 'shown')
    y += _STRIP + 3
    truths = stretches(at_s, judged.segment[rows])
    if truths:
        named = [(one, judged.segments[one.what].label) for one in truths]
        parts += _strip(frame, named, y, 'label')
        y += _STRIP + 2
        wrong = (judged.truth[rows] >= 0) & (judged.truth[rows] != judged.decided[rows])
        parts += _wrong(frame, stretches(at_s, np.where(wrong, 0, -1)), y)
        y += _WRONG
    y += SPACE
    curves = points(at_s, np.array([a.probabilities for a in _answers(recording, face)]), length_s)
    parts += _probabilities(frame, curves, y)
    y += _CURVES + SPACE
    head = _head(frame, y)
    if head:
        parts += head
        y += _HEAD + SPACE
    parts += time_axis(frame.time, y)
    cursor = element('path', d=f'M0,{top:.1f}V{y:.1f}', class_='cursor', visibility='hidden')
    height = y + 22
    title = f'Face {face.face_id} of {recording.replay.recording} over time'
    picture = element(
        'svg',
        element('title', title),
        *parts,
        cursor,
        viewBox=f'0 0 {WIDTH} {height:.0f}',
        class_='timeline',
        role='img',
    )
    return element('div', picture, _hover(frame, curves, shown, truths), class_='scroll')


def _answers(recording: RecordingSummary, face: FaceSummary) -> list[Answer]:
    return [one for one in recording.replay.answers if one.face_id == face.face_id]


def _caption(text: str, y: float) -> Element:
    return element('text', text, x=LEFT - 10, y=y, class_='row', text_anchor='end')


def _strip(
    frame: Frame, named: list[tuple[Stretch, str]], y: float, caption: str
) -> list[Element]:
    """Draw bars of labels, with their names where there is room."""
    parts = [_caption(caption, y + 14)]
    for label in dict.fromkeys(label for _, label in named):
        spans = [frame.ends(one) for one, name in named if name == label]
        parts.append(
            element('path', d=bars_of(spans, y, _STRIP), class_=frame.palette.fill(label))
        )
    for one, label in named:
        left, right = frame.ends(one)
        if right - left > len(label) * _LETTER + 6:
            parts.append(
                element(
                    'text',
                    label,
                    x=(left + right) / 2,
                    y=y + 14,
                    class_=f'name {frame.palette.text(label)}',
                    text_anchor='middle',
                )
            )
    return parts


def _wrong(frame: Frame, spans: list[Stretch], y: float) -> list[Element]:
    if not spans:
        return []
    ends = [frame.ends(one) for one in spans]
    return [
        _caption('wrong', y + 7),
        element('path', d=bars_of(ends, y, _WRONG - 1), class_='wrong'),
    ]


def _probabilities(frame: Frame, curves: Points, y: float) -> list[Element]:
    """Stack the areas of all classes; the highest stack is drawn first, the others over it."""
    scale = Scale(0, 1, y + _CURVES, y)
    parts = [
        element('rect', x=LEFT, y=y, width=RIGHT - LEFT, height=_CURVES, class_='ground'),
        _caption('probability', y + _CURVES / 2 - 4),
        _caption('of each', y + _CURVES / 2 + 10),
    ]
    labels = frame.recording.replay.labels
    for index in reversed(range(len(labels))):
        shape = ''.join(
            area_of(
                frame.time.all(at_s),
                scale.all(values[:, : index + 1].sum(axis=1)),
                scale.start,
            )
            for at_s, values in curves.pieces()
        )
        parts.append(element('path', d=shape, class_=f'area {frame.palette.fill(labels[index])}'))
    return parts


def _head(frame: Frame, y: float) -> list[Element]:
    """Draw roll, pitch and yaw in degrees; nothing where they are not measured."""
    measured = [one.head for one in _answers(frame.recording, frame.face)]
    known = np.array([one is not None for one in measured])
    if not known.any():
        return []
    rows = frame.recording.judged.of_face(frame.face.index)[known]
    degrees = np.degrees(np.array([one for one in measured if one is not None]))
    at_s = times_s(frame.recording.judged, rows)
    curves = points(at_s, degrees, frame.time.high)
    most = max(20.0, float(np.ceil(np.abs(curves.values).max() / 10) * 10))
    scale = Scale(-most, most, y + _HEAD, y)
    middle = scale(0)
    parts = [
        element('rect', x=LEFT, y=y, width=RIGHT - LEFT, height=_HEAD, class_='ground'),
        element('path', d=f'M{LEFT},{middle:.1f}H{RIGHT}', class_='axis'),
        element('text', f'{most:.0f}°', x=LEFT - 4, y=y + 9, class_='tick', text_anchor='end'),
        element(
            'text', f'-{most:.0f}°', x=LEFT - 4, y=y + _HEAD, class_='tick', text_anchor='end'
        ),
        _caption('head', middle + 4),
    ]
    for index, (name, place) in enumerate((('roll', 8), ('pitch', 38), ('yaw', 76))):
        shape = ''.join(
            path_of(frame.time.all(piece_s), scale.all(values[:, index]))
            for piece_s, values in curves.pieces()
        )
        parts.append(element('path', d=shape, class_=f'line {name}'))
        parts.append(element('text', name, x=LEFT + place, y=y + 13, class_=f'key {name}'))
    return parts


def _hover(frame: Frame, curves: Points, shown: list[Stretch], truths: list[Stretch]) -> Element:
    """Carry what the script tells under the pointer."""
    judged, labels = frame.recording.judged, frame.recording.judged.labels
    text = [*labels, *(one.label for one in judged.segments)]
    content = {
        'scale': [LEFT, RIGHT, frame.time.high, WIDTH],
        'gap': LONGEST_GAP_S,
        'classes': list(frame.recording.replay.labels),
        'at': curves.at_s.round(3).tolist(),
        'p': (100 * curves.values).round().astype(int).tolist(),
        'names': text,
        'shown': [[round(one.start_s, 3), round(one.end_s, 3), one.what] for one in shown],
        'truth': [
            [round(one.start_s, 3), round(one.end_s, 3), len(labels) + one.what] for one in truths
        ],
        'unknown': UNKNOWN,
    }
    return data(content, class_='values')


# All faces of all recordings over time, with a legend.


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
