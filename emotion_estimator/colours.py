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

"""The colour of each expression, of its own because pictures, charts and pages share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
# Brighter ones of the same hue, for dark ground.
_ON_DARK: dict[str, Colour] = {
    'surprised': (0x4D, 0xBB, 0xA8),
    'scared': (0xC9, 0x6B, 0xB9),
    'angry': (0xD1, 0x50, 0x7F),
    'sad': (0x7C, 0x6C, 0xE0),
    'disgusted': (0x45, 0xA8, 0x67),
    'neutral': (0x7D, 0xB9, 0xD8),
    'unknown': (0x4A, 0x51, 0x5C),
}
# Coarser classes look like the expression that most of them are.
_LIKE = {'positive': 'happy', 'negative': 'sad'}
# Classes that this package does not know, in turn: on light and on dark ground.
_OTHERS: tuple[tuple[Colour, Colour], ...] = (
    ((0xCC, 0x66, 0x77), (0xDD, 0x77, 0x88)),
    ((0x99, 0x99, 0x33), (0xB5, 0xB5, 0x4A)),
    ((0xE6, 0x9F, 0x00), (0xE6, 0x9F, 0x00)),
    ((0x00, 0x72, 0xB2), (0x4A, 0x9F, 0xD8)),
    ((0x77, 0x77, 0x77), (0x99, 0x99, 0x99)),
)


@dataclass(frozen=True)
class Shades:
    """
    One label's colour as web pages write it, such as '#ddcc77'.

    :param light: on light ground.
    :param dark: on dark ground.
    """

    light: str
    dark: str


def colour_of(label: str) -> Colour:
    """
    Look up an expression's colour.

    :returns: the colour; one for all that have none of their own.
    """
    return COLOURS.get(label, FALLBACK)


def ink_on(colour: Colour) -> Colour:
    """
    Choose the colour in which text is legible.

    :param colour: of the ground.
    :returns: black or white, whichever stands out more (luma of ITU-R BT.601).
    """
    red, green, blue = colour
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    return (0, 0, 0) if bright else (255, 255, 255)


def hexadecimal(colour: Colour) -> str:
    """Write a colour such as '#ddcc77'."""
    return '#' + bytes(colour).hex()


def shades(labels: Iterable[str]) -> dict[str, Shades]:
    """
    Give every label of a page its colour, also those that have none of their own.

    :param labels: in the order of the legend; a label may come again.
    :returns: by label, in that order.
    """
    found: dict[str, Shades] = {}
    unknown = 0
    for label in dict.fromkeys(labels):
        name = _LIKE.get(label, label)
        if name in COLOURS:
            light, dark = COLOURS[name], _ON_DARK.get(name, COLOURS[name])
        else:
            light, dark = _OTHERS[unknown % len(_OTHERS)]
            unknown += 1
        found[label] = Shades(hexadecimal(light), hexadecimal(dark))
    return found
