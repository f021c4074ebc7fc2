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

"""What a frame costs when it shows several people, against one; and what one person costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rclpy.parameter import Parameter

from dev.bench.pictures import (
    SIZE,
    CutOut,
    cut_out,
    landscape,
    new_finder,
    photographs,
    put,
    rgb_frames,
)
from dev.bench.speed import ROUNDS, of_rounds
from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.emotion.estimation import EmotionEstimation
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.detection import (
    Detector,
    FaceDetector,
    TiledDetector,
    find_yunet,
)
from emotion_estimator.faces.finder import Face, FaceFinder
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import find_model
from emotion_estimator.messages import ROS
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S

COUNTS = (1, 2, 4, 8)
WIDTH_PX = 60
RATE_HZ = 30
FRAMES_A_ROUND = 60  # two seconds: four detections where a face could be missing
SEARCHES = 50
_COLUMNS = 4
_WARM_UP = 30


def measure_many_faces(yunet: bool = True) -> dict[str, float]:
    """
    Let finders of one, two, four and eight people take turns, so that all are disturbed alike.

    :param yunet: see `new_finder`.
    :returns: for each count n frames a second over those with one face, `fps_ratio_<n>_faces`.
    :raises RuntimeError: when not all people are found.
    """
    many = [
        _Watch(new_finder(max(COUNTS), yunet=yunet), [_crowd(count)], count) for count in COUNTS
    ]
    rounds = _timed(many)
    return {
        key: value
        for i, count in enumerate(COUNTS[1:], start=1)
        for key, value in of_rounds(
            f'fps_ratio_{count}_faces', (row[0] / row[i] for row in rounds)
        ).items()
    }


def measure_near_face(yunet: bool = True) -> dict[str, float]:
    """
    Let finders with and without a detector take turns.

    :param yunet: see `new_finder`.
    :returns: frames a second over those without a detector, `near_face_fps_ratio`.
    :raises RuntimeError: when the face is not found.
    """
    frames = rgb_frames()
    near = [_Watch(new_finder(1, rate_hz, yunet), frames, 1) for rate_hz in (2.0, 0.0)]
    return of_rounds('near_face_fps_ratio', (b / a for a, b in _timed(near)))


def measure_searches() -> dict[str, float]:
    """
    Let both detectors search the landscape by turns.

    :returns: median time of a search in ms, `search_ms_yunet` and `search_ms_tiled`.
    """
    networks = FaceNetworks(find_asset(FACE_LANDMARKER))
    detectors: dict[str, Detector] = {
        'yunet': FaceDetector(find_yunet()),
        'tiled': TiledDetector(networks),
    }
    picture = landscape()
    times_ms: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(SEARCHES):
        for name, detector in detectors.items():
            start_s = time.perf_counter()
            detector.find(picture)
            times_ms[name].append(1000 * (time.perf_counter() - start_s))
    return {f'search_ms_{name}': statistics.median(times) for name, times in times_ms.items()}


class _Watch:
    """Both wings over the same frames again and again."""

    def __init__(self, finder: FaceFinder, frames: list[Rgb], count: int) -> None:
        self.finder = finder
        self._frames = frames
        self._count = count
        self._estimation = EmotionEstimation(EmotionModel(find_model('basic7')))
        self._number = 0

    def look(self, count: int) -> float:
        """Look at some frames; the time that it took, in seconds."""
        start_s = time.perf_counter()
        for _ in range(count):
            self._number += 1
            stamp_ns = self._number * NS_PER_S // RATE_HZ
            frame = self._frames[self._number % len(self._frames)]
            faces = self.finder.find(frame, stamp_ns).faces
            for face in faces:
                self._estimation.estimate(face.face_id, stamp_ns, face.named_values())
        if len(faces) != self._count:
            raise RuntimeError(f'Of {self._count} people {len(faces)} are found.')
        return time.perf_counter() - start_s


def _timed(watches: list[_Watch]) -> list[list[float]]:
    for watch in watches:
        watch.look(_WARM_UP)
    rounds = [[watch.look(FRAMES_A_ROUND) for watch in watches] for _ in range(ROUNDS)]
    for watch in watches:
        watch.finder.close()
    return rounds


def _crowd(count: int) -> Rgb:
    """Draw people side by side."""
    scene = landscape()
    people = [*photographs('neutral'), *photographs('smiling')]
    for number in range(count):
        row, column = divmod(number, _COLUMNS)
        x, y = (column + 0.5) * SIZE[0] / _COLUMNS, (row + 0.5) * SIZE[1] / 2
        put(scene, cut_out(people[number], WIDTH_PX), x, y)
    return scene


# Time of the emotion node's part of one face and frame: message in, messages out.


REPEATS = 3000
_MESSAGES_BEFORE = 100


def measure_emotion_half(frames: list[Rgb], repeats: int = REPEATS) -> dict[str, float]:
    """
    Hand real blendshapes messages to a real, active emotion node.

    :param frames: frames with a face.
    :param repeats: how many messages count.
    :returns: median and 99th percentile in milliseconds.
    """
    finder = new_finder(max_faces=1, detection_rate_hz=0.0)
    sightings = [
        finder.find(frame, (i + 1) * NS_PER_S // RATE_HZ) for i, frame in enumerate(frames)
    ]
    finder.close()
    faces = [face for sighting in sightings for face in sighting.faces]
    node = EmotionNode(parameter_overrides=[Parameter('autostart', value=False)])
    node.trigger_configure()
    node.trigger_activate()
    times_s = []
    for i in range(repeats + _MESSAGES_BEFORE):
        face, stamp = faces[i % len(faces)], ROS.time(time.time_ns() + i * NS_PER_S // RATE_HZ)
        message = ROS.blendshapes(face, ROS.header_of_face(face.face_id, stamp))
        start_s = time.perf_counter()
        node._on_blendshapes(message)
        times_s.append(time.perf_counter() - start_s)
    published = node.statistics.report().published
    node.close()
    node.destroy_node()
    if published != repeats + _MESSAGES_BEFORE:
        raise RuntimeError(
            f'Only {published} of {repeats + _MESSAGES_BEFORE} messages gave an emotion.'
        )
    times_ms = np.array(times_s[_MESSAGES_BEFORE:]) * 1000
    return {
        'emotion_half_ms_p50': float(np.percentile(times_ms, 50)),
        'emotion_half_ms_p99': float(np.percentile(times_ms, 99)),
    }


# Two people crossing: whether each keeps the id.


CROSSINGS = 50
CROSSING_RATE_HZ = 15
FRAMES = 26
WIDTHS_PX = (40, 100)
_SEED = 1
_END = 4  # both must be seen in one of so many last frames
_MARGIN_PX = 6  # between heads that do not overlap
_ANGLE = 0.4  # steepest way, in radians


@dataclass(frozen=True)
class Crossing:
    """
    Two people who pass each other.

    :param heads: of the two; the second passes in front.
    :param ways: their centres in pixels, shape [2, frames, 2].
    """

    heads: tuple[CutOut, CutOut]
    ways: NDArray[np.float64]

    @property
    def apart(self) -> NDArray[np.bool_]:
        """Tell for each frame whether neither hides a part of the other."""
        reach = sum(np.array(head.share.shape[1::-1]) / 2 for head in self.heads)
        gaps = (np.abs(self.ways[0] - self.ways[1]) - _MARGIN_PX) / reach
        return np.asarray((gaps**2).sum(axis=1) > 1)

    def frames(self, background: Rgb) -> Iterator[Rgb]:
        """
        Draw them.

        :param background: the scene without them.
        :returns: one picture after the other.
        """
        for places in self.ways.swapaxes(0, 1):
            scene = background.copy()
            for head, (x, y) in zip(self.heads, places.tolist()):
                put(scene, head, x, y)
            yield scene


def measure_crossings() -> dict[str, float]:
    """
    Let faces of the London set pass each other over a landscape, at random sizes, ways, speeds.

    :returns: shares of crossings after which, as throughout, each has the one id it began with:
        `ids_kept_apart` where they pass beside each other, `ids_kept_overlapping` where one
        hides the other.
    """
    finder, background = new_finder(max_faces=2), landscape()
    found = {}
    for name, overlapping in (('apart', False), ('overlapping', True)):
        kept = []
        for crossing in random_crossings(CROSSINGS, overlapping):
            line = object()  # Nobody is followed from one crossing to the next.
            sightings = [
                finder.find(picture, number * NS_PER_S // CROSSING_RATE_HZ, line).faces
                for number, picture in enumerate(crossing.frames(background))
            ]
            kept.append(ids_kept(crossing, sightings))
        found[f'ids_kept_{name}'] = sum(kept) / len(kept)
    finder.close()
    return found


def random_crossings(count: int, overlapping: bool) -> Iterator[Crossing]:
    """
    Draw crossings that stay inside the picture.

    :param count: how many.
    :param overlapping: whether one passes in front of the other, or beside.
    :returns: the crossings; the same ones for the same arguments.
    """
    random = np.random.default_rng([_SEED, overlapping, 0])
    everyone = [*photographs('neutral'), *photographs('smiling')]
    while count:
        first, second = random.choice(len(everyone), 2, replace=False)
        if everyone[first].name.split('_')[1] == everyone[second].name.split('_')[1]:
            continue
        widths_px = random.uniform(*WIDTHS_PX, size=2)
        heads = [cut_out(everyone[i], w) for i, w in zip((first, second), widths_px.tolist())]
        crossing = Crossing((heads[0], heads[1]), _ways(random, heads, overlapping))
        if _is_fit(crossing, overlapping):
            count -= 1
            yield crossing


def ids_kept(crossing: Crossing, sightings: list[tuple[Face, ...]]) -> bool:
    """
    Tell whether each person had one id whenever seen apart from the other, also at the end.

    :param sightings: the faces found in each of its frames.
    """
    ids: tuple[set[str], set[str]] = (set(), set())
    last = [0, 0]
    for number in np.flatnonzero(crossing.apart).tolist():
        for face in sightings[number]:
            for person, (x, y) in enumerate(crossing.ways[:, number].tolist()):
                centre_x = (face.box.x_min + face.box.x_max) / 2 * SIZE[0]
                centre_y = (face.box.y_min + face.box.y_max) / 2 * SIZE[1]
                if np.hypot(centre_x - x, centre_y - y) < crossing.heads[person].face_px[0] / 2:
                    ids[person].add(face.face_id)
                    last[person] = number
    return (
        len(ids[0]) == len(ids[1]) == 1 and ids[0] != ids[1] and min(last) >= len(sightings) - _END
    )


def _ways(
    random: np.random.Generator, heads: list[CutOut], overlapping: bool
) -> NDArray[np.float64]:
    """Draw ways through the picture's middle, the speed changing where they meet."""
    heights = [head.share.shape[0] for head in heads]
    beside = (
        random.uniform(-0.4, 0.4) * max(head.face_px[0] for head in heads)
        if overlapping
        else random.choice([-1, 1]) * (sum(heights) / 2 + random.uniform(0.1, 0.5) * max(heights))
    )
    met = random.uniform(0.4, 0.6) * FRAMES
    steps = np.arange(FRAMES) - met
    side = random.choice([-1, 1])
    ways = []
    for head in heads:
        direction = random.uniform(-_ANGLE, _ANGLE)
        room = SIZE[0] / 2 - head.share.shape[1] / 2
        before, after = random.uniform(0.5, 1.0, size=2) * room / max(met, FRAMES - met)
        way = np.where(steps < 0, before, after) * steps * side
        middle = np.array([SIZE[0] / 2, SIZE[1] / 2 + beside / 2])
        ways.append(middle + way[:, None] * [np.cos(direction), np.sin(direction)])
        side, beside = -side, -beside
    return np.array(ways)


def _is_fit(crossing: Crossing, overlapping: bool) -> bool:
    half = np.array([[head.share.shape[1], head.share.shape[0]] for head in crossing.heads]) / 2
    inside = (crossing.ways >= half[:, None]) & (crossing.ways <= np.array(SIZE) - half[:, None])
    apart = crossing.apart
    return bool(inside.all() and apart[0] and apart[-1] and apart.all() != overlapping)
