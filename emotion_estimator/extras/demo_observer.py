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

"""Listens to the topics as any subscriber would, and remembers what it heard."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from hri_msgs.msg import IdsList
from numpy.typing import NDArray
from rclpy.node import Node
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification

from emotion_estimator.faces.geometry import turned
from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.faces.pose import FACE_FRAME_PREFIX
from emotion_estimator.files import write_whole
from emotion_estimator.messages import nanoseconds, rgb_of
from emotion_estimator.stamps import NS_PER_S

# Shows faces, expressions and rates in a terminal.


BAR_WIDTH = 20
"""With it the longest labels fit a terminal of 80 columns."""


@dataclass(frozen=True)
class FrameCounts:
    """
    What became of the frames that a camera sent.

    :param sent: how many it sent.
    :param looked_at: of how many the node reported which faces it saw, none included.
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
    """Tell how many frames were looked at, and why others were not."""
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
    reported = [f'{count} were {reason}' for reason, count in reasons.items() if count]
    return f'{counts.looked_at} of {counts.sent} frames looked at; {", ".join(reported)}.'


def bar(share: float) -> Text:
    """
    Draw a bar.

    :param share: filled part, in [0, 1].
    :returns: text of BAR_WIDTH characters.
    """
    filled = round(min(max(share, 0.0), 1.0) * BAR_WIDTH)
    return Text('█' * filled + '·' * (BAR_WIDTH - filled))


# Remembers what was heard, as it is drawn afterwards.


@dataclass(frozen=True)
class Moment:
    """
    What was said of one face at one time.

    :param time_s: time since the first image in seconds.
    :param label: the expression decided on.
    :param scores: score by label, summing to 1.
    """

    time_s: float
    face_id: str
    label: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Thumbnail:
    """
    A small picture of one frame.

    :param time_s: time since the first image in seconds.
    :param rgb: pixels of shape [height, width, 3].
    """

    time_s: float
    rgb: NDArray[np.uint8]


THUMBNAIL_PERIOD_S = 0.4
THUMBNAIL_HEIGHT = 120
_FACE_SHOWN_S = 0.5
_RATE_WINDOW_S = 2.0
_WAITING, _IMAGES_WAITING = 100, 30
"""Messages that may wait while a busy machine lets the view wait."""
_LOOKS, _NAMES = 'blendshape_node', 'emotion_node'
_QUIET_S = 0.5
"""Longer than an image is looked at, in seconds: counts after such a silence are final."""


class Observer(Node):  # type: ignore[misc]
    """
    Collects emotions and pictures from `emotion`, `image` and `annotated_image`, and counts.

    An image counts as looked at once `/humans/faces/tracked` tells the faces in it.

    :param thumbnails: whether small pictures are kept; without, no image is looked at.
    :param rotate: degrees clockwise that turn these upright.
    :param options: further arguments of `rclpy.node.Node`.
    """

    def __init__(self, thumbnails: bool = True, rotate: int = 0, **options: Any) -> None:
        super().__init__('demo_view', **options)
        self.moments: list[Moment] = []
        self.thumbnails: list[Thumbnail] = []
        self.latencies_s: list[float] = []
        self._last_heard_s = self._last_image_s = time.monotonic()
        self._sent_ns: set[int] = set()
        self._looked_at_ns: set[int] = set()
        self._counts: dict[str, int] = {}
        self._links: dict[tuple[str, str], int] = {}
        self._counted_s = 0.0
        self._keep_thumbnails = thumbnails
        self._rotate = rotate
        self._start_ns: int | None = None
        self._now_s = 0.0
        self._image_arrivals_s: deque[float] = deque(maxlen=500)
        self._emotion_arrivals_s: deque[float] = deque(maxlen=500)
        self._annotated: Image | None = None
        self._decoder = ImageDecoder()
        # Reliable, unlike the node's: each that the camera sent counts.
        self.create_subscription(Image, 'image', self._on_image, _IMAGES_WAITING)
        self.create_subscription(Image, 'annotated_image', self._on_annotated, 1)
        self.create_subscription(Classification, 'emotion', self._on_emotion, _WAITING)
        self.create_subscription(IdsList, '/humans/faces/tracked', self._on_tracked, _WAITING)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    @property
    def silence_s(self) -> float:
        """Seconds since the last image, or since the start."""
        return time.monotonic() - self._last_image_s

    @property
    def sees_camera(self) -> bool:
        """
        Whether somebody publishes images, or what was published may still wait for its turn.

        A camera's publisher ends seconds before its process where the machine is busy.
        """
        return self.silence_s < _QUIET_S or self.count_publishers('image') > 0

    @property
    def counts_are_final(self) -> bool:
        """Whether the node has reported its counts after all that was heard."""
        return self._counted_s - self._last_heard_s > _QUIET_S

    def unmet(self) -> str:
        """
        Tell which topic would lose its first messages, by whom the nodes say they have met.

        :returns: the topic; empty where each has met who sends and who listens.
        """
        listeners = {
            topic: max(1, self.count_subscribers(topic)) for topic in ('blendshapes', 'emotion')
        }
        met = {
            'blendshapes': self._links.get((_LOOKS, 'subscribers'), 0) >= listeners['blendshapes']
            and self._links.get((_NAMES, 'publishers'), 0) > 0,
            'emotion': self._links.get((_NAMES, 'subscribers'), 0) >= listeners['emotion'],
            '/humans/faces/tracked': self.count_publishers('/humans/faces/tracked') > 0,
            'image': self.count_publishers('image') > 0,
        }
        return next((topic for topic, has_met in met.items() if not has_met), '')

    def _time_s(self, stamp_ns: int) -> float:
        if self._start_ns is None:
            self._start_ns = stamp_ns
        return (stamp_ns - self._start_ns) / NS_PER_S

    def _on_image(self, message: Image) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        time_s = self._now_s = self._time_s(stamp_ns)
        self._sent_ns.add(stamp_ns)
        self._last_heard_s = self._last_image_s = time.monotonic()
        self._image_arrivals_s.append(self._last_image_s)
        due = not self.thumbnails or time_s - self.thumbnails[-1].time_s >= THUMBNAIL_PERIOD_S
        if self._keep_thumbnails and due:
            rgb = turned(rgb_of(message, self._decoder), self._rotate)
            width = max(1, rgb.shape[1] * THUMBNAIL_HEIGHT // rgb.shape[0])
            small = cv2.resize(rgb, (width, THUMBNAIL_HEIGHT), interpolation=cv2.INTER_AREA)
            self.thumbnails.append(Thumbnail(time_s, np.asarray(small, np.uint8)))

    def _on_emotion(self, message: Classification) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        self._last_heard_s = time.monotonic()
        self._emotion_arrivals_s.append(self._last_heard_s)
        self.latencies_s.append((self.get_clock().now().nanoseconds - stamp_ns) / NS_PER_S)
        self.moments.append(
            Moment(
                time_s=self._time_s(stamp_ns),
                face_id=message.header.frame_id[len(FACE_FRAME_PREFIX) :],
                label=message.results[0].class_id,
                scores={result.class_id: result.score for result in message.results},
            )
        )

    def _on_tracked(self, message: IdsList) -> None:
        self._last_heard_s = time.monotonic()
        self._looked_at_ns.add(nanoseconds(message.header.stamp))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            for key in {'publishers', 'subscribers'}.intersection(values):
                self._links[status.name, key] = int(values[key])
            if status.name == _LOOKS and 'published' in values:
                self._counts = {
                    key: int(values[key]) for key in ('published', 'skipped', 'refused')
                }
                self._counted_s = time.monotonic()

    def _on_annotated(self, message: Image) -> None:
        # The last picture with a face; what follows when all have left says nothing.
        if self.faces():
            self._annotated = message

    def write_annotated(self, path: Path) -> bool:
        """
        Write the last annotated image with a face.

        :param path: PNG file to write.
        :returns: whether there was one.
        """
        if self._annotated is None:
            return False
        bgr = cv2.cvtColor(rgb_of(self._annotated, self._decoder), cv2.COLOR_RGB2BGR)
        write_whole(path, cv2.imencode('.png', bgr)[1].tobytes())
        return True

    def faces(self) -> list[FaceRow]:
        """
        Tell the faces of the latest images.

        :returns: one row a face, by id.
        """
        latest: dict[str, Moment] = {}
        for moment in reversed(self.moments[-200:]):
            if self._now_s - moment.time_s <= _FACE_SHOWN_S:
                latest.setdefault(moment.face_id, moment)
        rows = []
        for face_id, moment in sorted(latest.items()):
            second, score = list(moment.scores.items())[1]
            rows.append(
                FaceRow(
                    face_id, moment.label, moment.scores[moment.label], f'{second} {score:.2f}'
                )
            )
        return rows

    def numbers(self) -> tuple[float, float, float, float]:
        """
        Tell time and rates.

        :returns: time in seconds, images and emotions per second, median latency in ms.
        """
        lately = self.latencies_s[-60:]
        latency_ms = 1000 * float(np.median(lately)) if lately else 0.0
        return (
            self._now_s,
            _rate_hz(self._image_arrivals_s),
            _rate_hz(self._emotion_arrivals_s),
            latency_ms,
        )

    def whole_run(self) -> tuple[float, float, float, float]:
        """
        Tell time and rates of the whole run, by the images' stamps.

        :returns: as `numbers`.
        """
        stamps_ns = self._sent_ns | self._looked_at_ns
        span_s = (max(stamps_ns) - min(stamps_ns)) / NS_PER_S if stamps_ns else 0.0
        image_rate_hz = (len(stamps_ns) - 1) / span_s if span_s else 0.0
        emotions_an_image = len(self.moments) / max(1, len(stamps_ns))
        latency_ms = 1000 * float(np.median(self.latencies_s)) if self.latencies_s else 0.0
        return span_s, image_rate_hz, image_rate_hz * emotions_an_image, latency_ms

    def frame_counts(self) -> FrameCounts:
        """
        Tell what became of the camera's frames.

        :returns: the counts; what the node skipped and refused as it reported last.
        """
        # Heard or reported: neither counts more than there was.
        reported = self._counts
        return FrameCounts(
            len(self._sent_ns | self._looked_at_ns),
            max(len(self._looked_at_ns), reported.get('published', 0)),
            reported.get('skipped', 0),
            reported.get('refused', 0),
        )


def _rate_hz(arrivals_s: deque[float]) -> float:
    since_s = time.monotonic() - _RATE_WINDOW_S
    return sum(arrival_s > since_s for arrival_s in arrivals_s) / _RATE_WINDOW_S
