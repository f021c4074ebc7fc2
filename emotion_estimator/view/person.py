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
What is shown of one person: how sure, where it looks, why an expression is not known.

Without ROS and without a page, so that each word can be tested by its values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator import blendshapes
from emotion_estimator.drawing import AXIS_M, GAZE_M
from emotion_estimator.emotion.decision import (
    DEFAULT_MAX_PITCH_DEG,
    DEFAULT_MAX_YAW_DEG,
    UNKNOWN,
    VALENCE_AROUSAL,
    Trust,
)
from emotion_estimator.faces.geometry import PinholeCamera, turned_points
from emotion_estimator.faces.pose import eye_angles

Numbers = NDArray[np.float32]
Shown = dict[str, Any]
"""What a page shows of a person or at a time, by the names that its script reads."""

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
    :param features: by name, see `messages.face_features`.
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


SURE = ((0.85, 'very sure'), (0.65, 'fairly sure'), (0.5, 'rather sure'), (0.0, 'hardly sure'))
"""Least confidence, and what it is called."""
AT_CAMERA_DEG = 12.0
"""A gaze that passes the camera by less is called one at it: eyes are measured no better."""
FEW_FRAMES_S = 0.5
"""A face seen for less says little about a movement, in seconds."""
_DOUBTED = 0.6  # trust in one part of a face, below which it is the reason
_PARTS = {
    'head.yaw': 'turned away',
    'head.pitch': 'head up or down',
    'visible.mouth': 'mouth covered',
    'visible.eyes': 'eyes covered',
    'visible.skin': 'face covered',
    'visible.upright': 'upside down',
}


@dataclass(frozen=True)
class Limits:
    """
    From which angles on emotion_node trusts no face.

    :param max_yaw_deg: yaw of the head in degrees.
    :param max_pitch_deg: pitch of the head in degrees.
    """

    max_yaw_deg: float = DEFAULT_MAX_YAW_DEG
    max_pitch_deg: float = DEFAULT_MAX_PITCH_DEG


def shown(
    face_id: str,
    face: FaceOfImage,
    seen_s: float,
    limits: Limits,
    camera: PinholeCamera | None = None,
    rotate: int = 0,
) -> Shown:
    """
    Say what is shown of a person.

    :param face_id: the face.
    :param face: what is known of it in one image.
    :param seen_s: for how long it has been seen, in seconds.
    :param limits: of emotion_node.
    :param camera: took the image; without it no axes are drawn.
    :param rotate: degrees clockwise by which the picture is turned before it is shown.
    :returns: what a page shows, ready for JSON.
    """
    label, confidence = face.scores[0] if face.scores else ('', 0.0)
    head_deg = head_angles_deg(face.features)
    gaze_deg = gaze_past_camera_deg(face, rotate)
    width, height = (1, 1) if camera is None else (camera.width, camera.height)
    box = None if face.box is None else np.array(face.box, np.float32).reshape(2, 2)
    if box is not None:
        corners = turned_points(box, rotate, width, height)
        box = np.array([corners.min(axis=0), corners.max(axis=0)])
    points = np.array(face.points, np.float32).reshape(-1, 2)
    axes = axes_in_picture(face, camera)
    if axes is not None:
        axes = turned_points(axes, rotate, width, height)
    return {
        'id': face_id,
        'label': label,
        'confidence': _rounded(confidence),
        'sure': how_sure(confidence) if label else '',
        'reason': why_unknown(face.scores, face.features, seen_s, limits),
        'scores': {name: _rounded(score) for name, score in face.scores},
        'head': None if head_deg is None else [_rounded(x, 1) for x in head_deg],
        'gaze': None if gaze_deg is None else [_rounded(x, 1) for x in gaze_deg],
        'looks': '' if gaze_deg is None else where_to(*gaze_deg),
        'affect': [_rounded(x) for x in face.affect or expected_affect(face.scores)],
        'units': strongest_units(face.features),
        'distance': None if face.head is None else _rounded(math.hypot(*face.head.position_m)),
        'box': None if box is None else _listed(box.ravel()),
        'points': _listed(turned_points(points, rotate, width, height)),
        'axes': None if axes is None else _listed(axes),
    }


DRAWN = frozenset(('box', 'points', 'axes'))
"""What of it is drawn into the picture."""


def _listed(numbers: Numbers) -> Any:
    return np.nan_to_num(np.round(numbers.astype(np.float64), 4), posinf=0, neginf=0).tolist()


def how_sure(confidence: float) -> str:
    """
    Say how sure an expression is.

    :param confidence: of it, in [0, 1].
    :returns: one or two words.
    """
    return next((words for least, words in SURE if confidence >= least), SURE[-1][1])


def where_to(right_deg: float, down_deg: float) -> str:
    """
    Say where somebody looks, as who sees the picture has left and right.

    :param right_deg: how far the gaze passes the camera towards the picture's right.
    :param down_deg: how far it passes it downwards.
    :returns: such as 'looks at the camera' or 'looks left and down'.
    """
    if math.hypot(right_deg, down_deg) < AT_CAMERA_DEG:
        return 'looks at the camera'
    # A side counts from half of the other on: who looks far to the left need not look up too.
    least = max(abs(right_deg), abs(down_deg)) / 2
    sides = []
    if abs(right_deg) >= least:
        sides.append('right' if right_deg > 0 else 'left')
    if abs(down_deg) >= least:
        sides.append('down' if down_deg > 0 else 'up')
    return f'looks {" and ".join(sides)}'


def why_unknown(
    scores: Sequence[tuple[str, float]],
    features: Mapping[str, float],
    seen_s: float,
    limits: Limits,
) -> str:
    """
    Say why an expression is not known: what emotion_node trusts least, or that it is not sure.

    :param scores: labels with their scores, highest first.
    :param features: of the face by name, see `Trust`; what is missing is no reason.
    :param seen_s: for how long the face has been seen, in seconds.
    :param limits: of emotion_node.
    :returns: a few words; empty where the expression is known.
    """
    if not scores or scores[0][0] != UNKNOWN:
        return ''
    parts = Trust(limits.max_yaw_deg, limits.max_pitch_deg).parts(features)
    name = min(parts, key=parts.__getitem__)
    if parts[name] < _DOUBTED:
        angle = f', {abs(math.degrees(features[name])):.0f}°' if name.startswith('head.') else ''
        return _PARTS[name] + angle
    if seen_s < FEW_FRAMES_S:
        return 'too few frames yet'
    likely = [label for label, score in scores[1:3] if score > 0]
    return f'not sure: {" or ".join(likely)}?' if likely else 'not sure'


def _rounded(value: float, digits: int = 3) -> float:
    """Shorten a number; what is none becomes 0, which JSON can hold."""
    return round(float(value), digits) if math.isfinite(value) else 0.0


def axes_in_picture(face: FaceOfImage, camera: PinholeCamera | None) -> Numbers | None:
    """
    Tell where a head's axes and its gaze are drawn.

    :param face: the face.
    :param camera: took the image.
    :returns: the origin and the tips of forward, left, up and gaze, as fractions of the image's
        width and height, shape [5, 2], [4, 2] without a gaze; None where they are not known or
        not in front of the camera.
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
    return np.asarray(fractions.clip(-9, 9), np.float32)


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


def gaze_past_camera_deg(face: FaceOfImage, rotate: int = 0) -> tuple[float, float] | None:
    """
    Tell how far a gaze passes the camera.

    :param face: the face; its frames count, or without them the angles of head and eyes.
    :param rotate: degrees clockwise by which the picture is turned before it is shown.
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
            drop = math.degrees(math.asin(max(-1.0, min(1.0, below))))
            turns = {90: (-drop, level), 180: (-level, -drop), 270: (drop, -level)}
            return turns.get(rotate, (level, drop))
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
    ranked = sorted(((float(intensity[code]), code) for code in _UNITS), reverse=True)
    return [
        [f'{_UNITS[code]} (AU{code})', _rounded(value, 2)]
        for value, code in ranked[:_MOST_UNITS]
        if value >= _FEWEST_UNIT
    ]


def _shapes(features: Mapping[str, float]) -> blendshapes.Values | None:
    if not all(name in features for name in blendshapes.NAMES):
        return None
    return np.array([features[name] for name in blendshapes.NAMES], np.float32)
