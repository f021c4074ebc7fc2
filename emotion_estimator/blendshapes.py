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
The 52 blendshapes of MediaPipe Face Landmarker: names, order, left/right pairs.

Names are those of Apple's ARKit (ARFaceAnchor.BlendShapeLocation) with `_neutral` in front;
the order is the index order in which MediaPipe's face_blendshapes model returns them.
"""

from __future__ import annotations

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
