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

"""A colour for each expression."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green, blue, each from 0 to 255."""

# Paul Tol's "muted" scheme, made for colour-blind readers.
COLOURS: dict[str, Colour] = {
    'happy': (0xDD, 0xCC, 0x77),
    'surprised': (0x44, 0xAA, 0x99),
    'scared': (0xAA, 0x44, 0x99),
    'angry': (0x88, 0x22, 0x55),
    'sad': (0x33, 0x22, 0x88),
    'disgusted': (0x11, 0x77, 0x33),
    'neutral': (0x88, 0xCC, 0xEE),
    'unknown': (0xDD, 0xDD, 0xDD),
}
FALLBACK: Colour = (0x99, 0x99, 0x33)


def colour_of(label: str) -> Colour:
    """
    Tell an expression's colour.

    :param label: its name.
    :returns: the colour; one for all that have none of their own.
    """
    return COLOURS.get(label, FALLBACK)


def ink_on(colour: Colour) -> Colour:
    """
    Tell in which colour text is legible.

    :param colour: of the ground.
    :returns: black or white, whichever stands out more (luma of ITU-R BT.601).
    """
    red, green, blue = colour
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    return (0, 0, 0) if bright else (255, 255, 255)
