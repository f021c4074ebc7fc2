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

"""
What the nodes say of one image, put together by its stamp, and the last minute of each person.

Messages of one image come on many topics in any order. Without ROS and without a page.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emotion_estimator import blendshapes
from emotion_estimator.drawing import AXIS_M, GAZE_M
from emotion_estimator.emotion.decision import VALENCE_AROUSAL
from emotion_estimator.faces.camera import PinholeCamera
from emotion_estimator.faces.pose import eye_angles
from emotion_estimator.stamps import NS_PER_S
from emotion_estimator.view.words import Limits, how_sure, where_to, why_unknown

HISTORY_S = 60.0
"""How far a page looks back, in seconds."""
HISTORY_STEP_S = 0.2
"""A page that opens is given the last minute in steps of so many seconds."""
MOST_PEOPLE = 10
"""People who are shown at once: as many as blendshape_node follows at most."""
_MOST_IMAGES = 40  # whose messages are awaited; over a second of a fast camera
_RESTART_S = 1.0  # stamps that lie further back begin a new time line, as where a bag loops
_FEWEST_UNIT = 0.15  # intensity below which an action unit is not worth a word
_MOST_UNITS = 4
_UNITS = {unit.code: unit.name for unit in blendshapes.UNITS if unit.code < 60}
"""Of the face; where eyes and head turn is shown otherwise."""


@dataclass(frozen=True)
class Pose:
    """
    A frame of a face in the camera's optical frame (x right, y down, z away).

    :param position_m: of its origin.
    :param axes: its x, y and z axes, rows of shape [3, 3].
    """

    position_m: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...]


@dataclass
class FaceOfImage:
    """
    What is known of one face in one image; what has not come is empty.

    :param scores: labels with their scores, highest first.
    :param features: by name, see `messages.incoming.face_features`.
    :param affect: valence and arousal.
    :param box: left, upper, right and lower edge as fractions of the image.
    :param points: REP-155's 70 landmarks as fractions of the image.
    :param head: frame `face_<id>`.
    :param gaze: frame `gaze_<id>`, z along the gaze.
    """

    scores: tuple[tuple[str, float], ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    affect: tuple[float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    points: Sequence[tuple[float, float]] = ()
    head: Pose | None = None
    gaze: Pose | None = None


@dataclass
class ImageResult:
    """
    What is known of one image.

    :param stamp_ns: its stamp in nanoseconds.
    :param faces: by id.
    :param listed: whether the list of its faces has come.
    """

    stamp_ns: int
    faces: dict[str, FaceOfImage] = field(default_factory=dict)
    listed: bool = False

    def face(self, face_id: str) -> FaceOfImage | None:
        """
        Give a face's place.

        :param face_id: the face.
        :returns: what is known of it; None where there are too many to show.
        """
        if face_id not in self.faces and len(self.faces) >= MOST_PEOPLE:
            return None
        return self.faces.setdefault(face_id, FaceOfImage())

    @property
    def decided(self) -> bool:
        """Whether each face that was described has its expression, and the list has come."""
        described = [face for face in self.faces.values() if face.features]
        return (self.listed or bool(described)) and all(face.scores for face in described)

    @property
    def parts(self) -> frozenset[str]:
        """Which of `PARTS` every face that was described has."""
        described = [face for face in self.faces.values() if face.features]
        return frozenset(name for name in PARTS if all(getattr(face, name) for face in described))


PARTS = ('affect', 'box', 'points', 'head', 'gaze')
"""What is awaited of a face where the images before had it: not every robot publishes all."""
PATIENCE_S = 0.15
"""How long that is awaited, by the stamps of images that follow."""
LONGEST_WAIT_S = 0.5
"""How long an expression is awaited: where emotion_node is missing, faces are shown without."""


class Results:
    """Puts together what is said of each image; what a node left out is not waited for long."""

    def __init__(self) -> None:
        self._images: dict[int, ImageResult] = {}
        self._ready_ns = -1
        self._had: deque[frozenset[str]] = deque(maxlen=10)

    def image(self, stamp_ns: int) -> ImageResult:
        """
        Give an image's place.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: what is known of it, to be filled in; without effect where it was ready before.
        """
        if self._ready_ns - stamp_ns > _RESTART_S * NS_PER_S:
            self._images.clear()
            self._ready_ns = -1
        if stamp_ns <= self._ready_ns:
            return ImageResult(stamp_ns)
        image = self._images.get(stamp_ns)
        if image is None:
            image = self._images[stamp_ns] = ImageResult(stamp_ns)
            if len(self._images) > _MOST_IMAGES:
                del self._images[min(self._images)]
        return image

    def take_ready(self) -> ImageResult | None:
        """
        Take the newest image of which all is known; those before it are forgotten.

        :returns: the image, or None while there is none.
        """
        newest_ns = max(self._images, default=0)
        ready = [ns for ns, image in self._images.items() if self._is_ready(image, newest_ns)]
        if not ready:
            return None
        self._ready_ns = max(ready)
        taken = self._images[self._ready_ns]
        self._images = {ns: image for ns, image in self._images.items() if ns > self._ready_ns}
        if taken.faces:
            self._had.append(taken.parts)
        return taken

    def _is_ready(self, image: ImageResult, newest_ns: int) -> bool:
        waited_s = (newest_ns - image.stamp_ns) / NS_PER_S
        if not image.decided:
            return waited_s > LONGEST_WAIT_S
        awaited = frozenset[str]().union(*self._had)
        return not image.faces or awaited <= image.parts or waited_s > PATIENCE_S


# What is shown of a person.

Shown = dict[str, Any]
"""What a page shows of a person or at a time, by the names that its script reads."""


class People:
    """
    Says what is shown of each person, and keeps the last minute of it.

    :param limits: of emotion_node; may be replaced.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._since_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}
        self._newest_ns = -1
        self._lock = threading.Lock()
        self._history: deque[Shown] = deque()

    def show(self, image: ImageResult, camera: PinholeCamera | None = None) -> list[Shown]:
        """
        Say what is shown of an image's people.

        :param image: the image, ready.
        :param camera: took it; without it no axes are drawn.
        :returns: for each person what a page shows, ready for JSON.
        """
        self._follow(image)
        people = []
        for face_id, face in sorted(image.faces.items()):
            if face.scores or face.features:
                person = self._person(face_id, face, image.stamp_ns)
                people.append({**person, 'axes': axes_in_picture(face, camera)})
        with self._lock:
            self._keep(image.stamp_ns, people)
        return people

    def history(self) -> list[Shown]:
        """
        Tell the last minute; may be called from any thread.

        :returns: moments in the order of time: `t` in seconds and `people` as `show` has them,
            but for what is drawn into the picture.
        """
        with self._lock:
            return list(self._history)

    def _follow(self, image: ImageResult) -> None:
        if self._newest_ns - image.stamp_ns > _RESTART_S * NS_PER_S:
            self._since_ns.clear()
            self._last_ns.clear()
            with self._lock:
                self._history.clear()
        self._newest_ns = image.stamp_ns
        for face_id in image.faces:
            gap_ns = image.stamp_ns - self._last_ns.get(face_id, -(10**18))
            if gap_ns > _RESTART_S * NS_PER_S:
                self._since_ns[face_id] = image.stamp_ns
            self._last_ns[face_id] = image.stamp_ns
        for face_id, last_ns in list(self._last_ns.items()):
            if image.stamp_ns - last_ns > HISTORY_S * NS_PER_S:
                del self._last_ns[face_id], self._since_ns[face_id]

    def _keep(self, stamp_ns: int, people: list[Shown]) -> None:
        time_s = stamp_ns / NS_PER_S
        # A tenth early counts as in time: stamps of cameras tremble.
        if self._history and time_s - self._history[-1]['t'] < 0.9 * HISTORY_STEP_S:
            return
        kept = [{k: v for k, v in person.items() if k not in _DRAWN} for person in people]
        self._history.append({'t': time_s, 'people': kept})
        while time_s - self._history[0]['t'] > HISTORY_S:
            self._history.popleft()

    def _person(self, face_id: str, face: FaceOfImage, stamp_ns: int) -> Shown:
        seen_s = (stamp_ns - self._since_ns[face_id]) / NS_PER_S
        label, confidence = face.scores[0] if face.scores else ('', 0.0)
        head_deg = head_angles_deg(face.features)
        gaze_deg = gaze_past_camera_deg(face)
        valence, arousal = face.affect or expected_affect(face.scores)
        return {
            'id': face_id,
            'label': label,
            'confidence': _rounded(confidence),
            'sure': how_sure(confidence) if label else '',
            'reason': why_unknown(face.scores, face.features, seen_s, self.limits),
            'scores': {name: _rounded(score) for name, score in face.scores},
            'head': None if head_deg is None else [_rounded(x, 1) for x in head_deg],
            'gaze': None if gaze_deg is None else [_rounded(x, 1) for x in gaze_deg],
            'looks': '' if gaze_deg is None else where_to(*gaze_deg),
            'affect': [_rounded(valence), _rounded(arousal)],
            'units': strongest_units(face.features),
            'distance': None if face.head is None else _rounded(math.hypot(*face.head.position_m)),
            'box': None if face.box is None else [_rounded(x, 4) for x in face.box],
            'points': [[_rounded(x, 4), _rounded(y, 4)] for x, y in face.points],
        }


_DRAWN = frozenset(('box', 'points', 'axes'))


def _rounded(value: float, digits: int = 3) -> float:
    """Shorten a number; what is none becomes 0, which JSON can hold."""
    return round(float(value), digits) if math.isfinite(value) else 0.0


def axes_in_picture(face: FaceOfImage, camera: PinholeCamera | None) -> list[list[float]] | None:
    """
    Tell where a head's axes and its gaze are drawn.

    :param face: the face.
    :param camera: took the image.
    :returns: the origin and the tips of forward, left, up and gaze, each as fractions of the
        image's width and height; None where they are not known or not in front of the camera.
    """
    if camera is None or face.head is None:
        return None
    origin = np.array(face.head.position_m)
    tips = [origin, *(origin + AXIS_M * np.array(face.head.axes))]
    if face.gaze is not None:
        tips.append(origin + GAZE_M * np.array(face.gaze.axes[2]))
    points = np.array(tips)
    if not np.isfinite(points).all() or points[:, 2].min() <= 0:
        return None
    fractions = camera.pixels(points) / [camera.width, camera.height]
    return [[_rounded(x, 4), _rounded(y, 4)] for x, y in fractions.clip(-9, 9).tolist()]


def head_angles_deg(features: Mapping[str, float]) -> tuple[float, float, float] | None:
    """
    Tell how a head is turned.

    :param features: of the face by name.
    :returns: roll, pitch and yaw in degrees (REP-103, 0 facing the camera); None where not known.
    """
    angles = [features.get(f'head.{name}', math.nan) for name in ('roll', 'pitch', 'yaw')]
    if not all(map(math.isfinite, angles)):
        return None
    roll, pitch, yaw = map(math.degrees, angles)
    return roll, pitch, yaw


def gaze_past_camera_deg(face: FaceOfImage) -> tuple[float, float] | None:
    """
    Tell how far a gaze passes the camera.

    :param face: the face; its frames count, or without them the angles of head and eyes.
    :returns: degrees to the picture's right and downward; None where not known.
    """
    if face.gaze is not None:
        position, gaze = np.array(face.gaze.position_m), np.array(face.gaze.axes[2])
        distance = float(np.linalg.norm(position))
        if distance > 0:
            towards = -position / distance
            # Right and down as seen by the camera, level with the line of sight.
            right = np.cross(towards, [0.0, 1.0, 0.0])
            right = right / max(float(np.linalg.norm(right)), 1e-9)
            down = np.cross(right, towards)
            ahead, aside, below = float(gaze @ towards), float(gaze @ right), float(gaze @ down)
            level = math.degrees(math.atan2(aside, ahead))
            return level, math.degrees(math.asin(max(-1.0, min(1.0, below))))
    head = head_angles_deg(face.features)
    shapes = _shapes(face.features)
    if head is None or shapes is None:
        return None
    _, pitch, yaw = head
    eye_pitch, eye_yaw = map(math.degrees, eye_angles(shapes))
    # The person's left is the picture's right.
    return yaw + eye_yaw, pitch + eye_pitch


def expected_affect(scores: Iterable[tuple[str, float]]) -> tuple[float, float]:
    """
    Compute valence and arousal where `expression` does not tell them.

    :param scores: labels with their scores; 'unknown' counts as neutral.
    :returns: both, the expectation over the scores, each in [-1, 1].
    """
    known = [(VALENCE_AROUSAL.get(name, (0.0, 0.0)), score) for name, score in scores]
    return sum(v * score for (v, _), score in known), sum(a * score for (_, a), score in known)


def strongest_units(features: Mapping[str, float]) -> list[list[Any]]:
    """
    Name the action units that a face shows most.

    :param features: of the face by name.
    :returns: name with FACS code and intensity in [0, 1], the strongest first.
    """
    shapes = _shapes(features)
    if shapes is None:
        return []
    intensity, _ = blendshapes.action_units(shapes)
    shown = sorted(((float(intensity[code]), code) for code in _UNITS), reverse=True)
    return [
        [f'{_UNITS[code]} (AU{code})', _rounded(value, 2)]
        for value, code in shown[:_MOST_UNITS]
        if value >= _FEWEST_UNIT
    ]


def _shapes(features: Mapping[str, float]) -> blendshapes.Values | None:
    if not all(name in features for name in blendshapes.NAMES):
        return None
    return np.array([features[name] for name in blendshapes.NAMES], np.float32)
