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
What is shown of a face, in words: how sure, where it looks, why an expression is not known.

Without ROS and without a page, so that each sentence can be tested by its values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emotion_estimator.emotion.decision import (
    DEFAULT_MAX_PITCH_DEG,
    DEFAULT_MAX_YAW_DEG,
    UNKNOWN,
    Trust,
)

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
