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

"""What a timeline's parts share, and the faces above it at the switches of the answer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from emotion_estimator.evaluation.report.axes import Scale
from emotion_estimator.evaluation.report.markup import element
from emotion_estimator.evaluation.report.palette import Palette
from emotion_estimator.evaluation.report.series import Stretch
from emotion_estimator.evaluation.scoring.summary import FaceSummary, RecordingSummary

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
