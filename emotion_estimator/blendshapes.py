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
The 52 blendshapes of MediaPipe Face Landmarker, and the action units that they show.

Names are those of Apple's ARKit (ARFaceAnchor.BlendShapeLocation) with `_neutral` in front;
the order is the index order in which MediaPipe's face_blendshapes model returns them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAMES: tuple[str, ...] = (
    '_neutral',
    'browDownLeft',
    'browDownRight',
    'browInnerUp',
    'browOuterUpLeft',
    'browOuterUpRight',
    'cheekPuff',
    'cheekSquintLeft',
    'cheekSquintRight',
    'eyeBlinkLeft',
    'eyeBlinkRight',
    'eyeLookDownLeft',
    'eyeLookDownRight',
    'eyeLookInLeft',
    'eyeLookInRight',
    'eyeLookOutLeft',
    'eyeLookOutRight',
    'eyeLookUpLeft',
    'eyeLookUpRight',
    'eyeSquintLeft',
    'eyeSquintRight',
    'eyeWideLeft',
    'eyeWideRight',
    'jawForward',
    'jawLeft',
    'jawOpen',
    'jawRight',
    'mouthClose',
    'mouthDimpleLeft',
    'mouthDimpleRight',
    'mouthFrownLeft',
    'mouthFrownRight',
    'mouthFunnel',
    'mouthLeft',
    'mouthLowerDownLeft',
    'mouthLowerDownRight',
    'mouthPressLeft',
    'mouthPressRight',
    'mouthPucker',
    'mouthRight',
    'mouthRollLower',
    'mouthRollUpper',
    'mouthShrugLower',
    'mouthShrugUpper',
    'mouthSmileLeft',
    'mouthSmileRight',
    'mouthStretchLeft',
    'mouthStretchRight',
    'mouthUpperUpLeft',
    'mouthUpperUpRight',
    'noseSneerLeft',
    'noseSneerRight',
)

INDEX: dict[str, int] = {name: position for position, name in enumerate(NAMES)}


# What can be, with a little tolerance, by how a feature's name begins.
_SHARE = (-0.05, 1.05)
_RANGES = {
    'visible': _SHARE,
    'head': (-3.2, 3.2),  # radians
    'geometry': (-1e3, 1e3),  # faces give some 5, as they do of the next
    'appearance': (-1e3, 1e3),
}


def range_of(name: str) -> tuple[float, float]:
    """
    Tell which values a feature of a face can have.

    :param name: one of `NAMES`, or of a further feature, such as 'head.yaw'.
    :returns: the least and the greatest; wide for a name that nobody here knows.
    """
    if name in INDEX:
        return _SHARE
    return _RANGES.get(name.partition('.')[0], (-1e6, 1e6))


def mirrored_name(name: str) -> str:
    """
    Name the blendshape that a mirrored face shows in place of this one.

    :param name: one of `NAMES`.
    :returns: the name with its side swapped; a shape without a side is its own mirror image.
    :raises KeyError: when the name is not a blendshape.
    """
    for side, other in (('Left', 'Right'), ('Right', 'Left')):
        if name.endswith(side):
            return NAMES[INDEX[name[: -len(side)] + other]]
    return NAMES[INDEX[name]]


MIRROR: tuple[int, ...] = tuple(INDEX[mirrored_name(name)] for name in NAMES)
"""Index permutation that turns the blendshapes of a face into those of its mirror image."""


# Action units of the Facial Action Coding System (FACS), read from blendshapes and head pose.
#
# Codes and names: P. Ekman, W. V. Friesen, J. C. Hager, Facial Action Coding System, 2002. Which
# ARKit shape moves as which unit: Apple's descriptions of ARFaceAnchor.BlendShapeLocation and
# M. Ozel's "ARKit to FACS" (melindaozel.com/arkit-to-facs-cheat-sheet).
#
# Left out: mouthLeft and mouthRight, which FACS does not code, and mouthShrugUpper, by which the
# upper lip follows unit 17. Not distinguished: 26 from 27 (both open the jaw), 43 from 45 (FACS
# goes by how long the lids stay shut). No shape shows 11, 13, 23, 25.


CODES = 99
"""FACS codes lie below this; the units of an array are indexed by them."""

DEAD_SHAPES: frozenset[str] = frozenset(
    (
        *('cheekPuff', 'cheekSquintLeft', 'cheekSquintRight'),
        *('jawForward', 'noseSneerLeft', 'noseSneerRight'),
    )
)
"""Shapes that MediaPipe leaves near 0 whatever the face does: their units are not measured."""

HEAD_FULL_RAD = math.radians(45)
"""Turn or tilt of the head whose intensity is 1, in radians; a choice, FACS has letters A to E."""


@dataclass(frozen=True)
class ActionUnit:
    """
    One unit and the shapes that show it.

    :param code: in FACS.
    :param name: in FACS.
    :param shapes: names of blendshapes.
    :param combine: 'max': what one side does counts in full, as FACS codes one-sided actions too;
        'mean': of two eyes that turn together; 'min': of two lids, one alone is a wink (46).
    """

    code: int
    name: str
    shapes: tuple[str, ...]
    combine: str = 'max'

    @property
    def measured(self) -> bool:
        """Whether MediaPipe shows it."""
        return not DEAD_SHAPES.intersection(self.shapes)


def _sides(shape: str) -> tuple[str, str]:
    return f'{shape}Left', f'{shape}Right'


UNITS: tuple[ActionUnit, ...] = (
    ActionUnit(1, 'inner brow raiser', ('browInnerUp',)),
    ActionUnit(2, 'outer brow raiser', _sides('browOuterUp')),
    ActionUnit(4, 'brow lowerer', _sides('browDown')),
    ActionUnit(5, 'upper lid raiser', _sides('eyeWide')),
    ActionUnit(6, 'cheek raiser', _sides('cheekSquint')),
    ActionUnit(7, 'lid tightener', _sides('eyeSquint')),
    ActionUnit(8, 'lips toward each other', ('mouthClose',)),
    ActionUnit(9, 'nose wrinkler', _sides('noseSneer')),
    ActionUnit(10, 'upper lip raiser', _sides('mouthUpperUp')),
    ActionUnit(12, 'lip corner puller', _sides('mouthSmile')),
    ActionUnit(14, 'dimpler', _sides('mouthDimple')),
    ActionUnit(15, 'lip corner depressor', _sides('mouthFrown')),
    ActionUnit(16, 'lower lip depressor', _sides('mouthLowerDown')),
    ActionUnit(17, 'chin raiser', ('mouthShrugLower',)),
    ActionUnit(18, 'lip pucker', ('mouthPucker',)),
    ActionUnit(20, 'lip stretcher', _sides('mouthStretch')),
    ActionUnit(22, 'lip funneler', ('mouthFunnel',)),
    ActionUnit(24, 'lip presser', _sides('mouthPress')),
    ActionUnit(26, 'jaw drop', ('jawOpen',)),
    ActionUnit(28, 'lip suck', ('mouthRollLower', 'mouthRollUpper')),
    ActionUnit(29, 'jaw thrust', ('jawForward',)),
    ActionUnit(30, 'jaw sideways', _sides('jaw')),
    ActionUnit(34, 'cheek puff', ('cheekPuff',)),
    ActionUnit(45, 'blink', _sides('eyeBlink'), 'min'),
    # Left and right are the person's own.
    ActionUnit(61, 'eyes turn left', ('eyeLookOutLeft', 'eyeLookInRight'), 'mean'),
    ActionUnit(62, 'eyes turn right', ('eyeLookInLeft', 'eyeLookOutRight'), 'mean'),
    ActionUnit(63, 'eyes up', _sides('eyeLookUp'), 'mean'),
    ActionUnit(64, 'eyes down', _sides('eyeLookDown'), 'mean'),
)
"""What blendshapes show, by code."""

HEAD_UNITS: tuple[tuple[int, str, str, int], ...] = (
    (51, 'head turn left', 'head.yaw', 1),
    (52, 'head turn right', 'head.yaw', -1),
    (53, 'head up', 'head.pitch', -1),
    (54, 'head down', 'head.pitch', 1),
    (55, 'head tilt left', 'head.roll', -1),
    (56, 'head tilt right', 'head.roll', 1),
)
"""Code, name, angle (REP-103: see `faces.geometry.head_angles`) and the sign that counts."""

Values = NDArray[np.float32]
_Reduction = Callable[[Values, Values], Values]


def _mean(first: Values, second: Values) -> Values:
    return np.asarray((first + second) / 2, np.float32)


_REDUCTIONS: dict[str, _Reduction] = {
    'max': np.maximum,
    'mean': _mean,
    'min': np.minimum,
}


def action_units(shapes: Values, head: Values | None = None) -> tuple[Values, Values]:
    """
    Read a face's action units.

    :param shapes: the blendshapes, shape [52] in the order of `NAMES`, each in [0, 1].
    :param head: roll, pitch and yaw of the head towards the camera in radians, shape [3]; None
        where they are not known.
    :returns: intensity and confidence, each in [0, 1], of shape [CODES] by FACS code. Confidence
        is 1 where the unit is measured and 0 where it is not; the intensity is then 0.
    """
    intensity = np.zeros(CODES, np.float32)
    confidence = np.zeros(CODES, np.float32)
    for codes, first, second, reduce in _TABLES:
        intensity[codes] = reduce(shapes[first], shapes[second])
        confidence[codes] = 1
    if head is not None:
        intensity[_HEAD_CODES] = np.clip(head[_HEAD_ANGLES] * _HEAD_SIGNS, 0, 1)
        confidence[_HEAD_CODES] = 1
    return intensity, confidence


def _table(
    combine: str,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], _Reduction]:
    """Lay the units of one kind out as index arrays: no loop over 28 units in every frame."""
    units = [unit for unit in UNITS if unit.combine == combine and unit.measured]
    positions = [[INDEX[shape] for shape in unit.shapes] for unit in units]
    return (
        np.array([unit.code for unit in units], np.intp),
        np.array([position[0] for position in positions], np.intp),
        np.array([position[-1] for position in positions], np.intp),
        _REDUCTIONS[combine],
    )


_TABLES = tuple(_table(combine) for combine in _REDUCTIONS)
_ANGLES = ('head.roll', 'head.pitch', 'head.yaw')
_HEAD_CODES = np.array([code for code, *_ in HEAD_UNITS])
_HEAD_ANGLES = np.array([_ANGLES.index(angle) for _, _, angle, _ in HEAD_UNITS])
_HEAD_SIGNS = np.array([sign / HEAD_FULL_RAD for *_, sign in HEAD_UNITS])
