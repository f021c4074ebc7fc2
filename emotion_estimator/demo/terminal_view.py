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

"""Shows faces, expressions and rates in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 20
"""With it the longest labels fit a terminal of 80 columns."""


@dataclass(frozen=True)
class FrameCounts:
    """
    What became of the frames that a camera sent.

    :param sent: how many it sent.
    :param looked_at: of how many the node told which faces it saw, none included.
    :param skipped: how many the node left out because a newer one had come before their turn.
    :param refused: how many it could not use.
    """

    sent: int
    looked_at: int
    skipped: int = 0
    refused: int = 0


@dataclass(frozen=True)
class FaceRow:
    """
    One line of the view.

    :param face_id: the face.
    :param label: the expression shown.
    :param confidence: in [0, 1].
    :param runner_up: the second label with its score.
    """

    face_id: str
    label: str
    confidence: float
    runner_up: str


def view(
    faces: Sequence[FaceRow],
    time_s: float,
    image_rate_hz: float,
    emotion_rate_hz: float,
    latency_ms: float,
) -> RenderableType:
    """
    Lay out the view.

    :param faces: the faces in the latest images.
    :param time_s: time of the latest image since the first, in seconds.
    :param image_rate_hz: images a second.
    :param emotion_rate_hz: emotion messages a second.
    :param latency_ms: median time from image stamp to emotion message, in milliseconds.
    :returns: what rich prints.
    """
    table = Table('face', 'expression shown', 'confidence', '', 'then', expand=False)
    for face in faces:
        table.add_row(
            f'face_{face.face_id}',
            face.label,
            bar(face.confidence),
            f'{face.confidence:.2f}',
            face.runner_up,
        )
    if not faces:
        table.add_row('no face', '', bar(0.0), '', '')
    numbers = (
        f'{time_s:6.1f} s   images {image_rate_hz:5.1f} Hz   emotions {emotion_rate_hz:5.1f} Hz'
        f'   image to emotion {latency_ms:5.1f} ms'
    )
    return Group(table, Text(numbers))


def frames_sentence(counts: FrameCounts) -> str:
    """
    Tell how many frames were looked at, and why others were not.

    :param counts: the frames.
    :returns: a sentence.
    """
    missing = counts.sent - counts.looked_at
    if missing <= 0:
        return f'All {counts.sent} frames looked at.'
    skipped = min(counts.skipped, missing)
    refused = min(counts.refused, missing - skipped)
    reasons = {
        'skipped because the machine was busy': skipped,
        'refused, see above': refused,
        'lost between camera and node': missing - skipped - refused,
    }
    told = [f'{count} were {reason}' for reason, count in reasons.items() if count]
    return f'{counts.looked_at} of {counts.sent} frames looked at; {", ".join(told)}.'


def bar(share: float) -> Text:
    """
    Draw a bar.

    :param share: filled part, in [0, 1].
    :returns: text of BAR_WIDTH characters.
    """
    filled = round(min(max(share, 0.0), 1.0) * BAR_WIDTH)
    return Text('█' * filled + '·' * (BAR_WIDTH - filled))
