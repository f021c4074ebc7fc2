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

"""Names of expressions, and their colours, of its own because all that show them share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
# Brighter ones of the same hue, for dark ground; chosen so that colour-blind readers, too, tell
# them apart.
_ON_DARK: dict[str, Colour] = {
    'surprised': (0x8F, 0xE3, 0xD4),
    'angry': (0xD1, 0x50, 0x7F),
    'sad': (0x7C, 0x6C, 0xE0),
    'disgusted': (0x31, 0x84, 0x48),
    'neutral': (0x7D, 0xB9, 0xD8),
    'unknown': (0x98, 0xA2, 0xAC),
}
ALIASES: Mapping[str, str] = {
    'anger': 'angry',
    'disgust': 'disgusted',
    'fear': 'scared',
    'fearful': 'scared',
    'afraid': 'scared',
    'happiness': 'happy',
    'joy': 'happy',
    'smile': 'happy',
    'smiling': 'happy',
    'sadness': 'sad',
    'surprise': 'surprised',
    'none': 'unknown',
    'other': 'unknown',
}
"""Names of FER2013, FER+, RAVDESS, CREMA-D and of everyday speech."""
# Coarser classes look like the expression that most of them are; of '' nothing is said yet.
_LIKE = {**ALIASES, 'positive': 'happy', 'negative': 'sad', '': 'unknown'}
# Classes that this package does not know, in turn: on light and on dark ground. Found by a search
# for those that are told best from each other and from the expressions' colours.
_OTHERS: tuple[tuple[Colour, Colour], ...] = (
    ((0x8F, 0xAE, 0x13), (0xBD, 0xE6, 0x19)),
    ((0x57, 0x26, 0x19), (0xE1, 0xA7, 0x98)),
    ((0xEC, 0x51, 0x70), (0xE6, 0x19, 0x42)),
    ((0x49, 0x7D, 0xCA), (0x59, 0x88, 0xCF)),
    ((0xAE, 0x70, 0x13), (0xC1, 0x7C, 0x15)),
    ((0x9C, 0x2C, 0xE8), (0xC7, 0x88, 0xF2)),
    ((0x53, 0x65, 0x0B), (0xE7, 0xF6, 0xAC)),
    ((0x98, 0x98, 0x52), (0xA6, 0xA6, 0x59)),
    ((0xBB, 0x81, 0xBB), (0xB4, 0x74, 0xB4)),
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


def colour_of(label: str, classes: Iterable[str] = ()) -> Colour:
    """
    Look up a label's colour on light ground.

    :param label: an expression or a class of a user's own model; '' for none yet.
    :param classes: all that the model tells apart.
    :returns: the colour that `shades` gives it.
    """
    return _light_and_dark([label], classes)[label][0]


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


def shades(labels: Iterable[str], classes: Iterable[str] = ()) -> dict[str, Shades]:
    """
    Give every label its colour, also those that have none of their own.

    Those are numbered by their names among the model's, so that a class has one colour wherever
    it is shown.

    :param labels: in the order of the legend; a label may come again.
    :param classes: all that the model tells apart; other labels are numbered after them.
    :returns: by label, in that order.
    """
    found = _light_and_dark(labels, classes)
    return {label: Shades(*map(hexadecimal, both)) for label, both in found.items()}


def _light_and_dark(
    labels: Iterable[str], classes: Iterable[str]
) -> dict[str, tuple[Colour, Colour]]:
    found = dict.fromkeys(labels)
    own = sorted({label for label in classes if _meant(label) not in COLOURS})
    more = sorted({label for label in found if _meant(label) not in COLOURS} - {*own})
    both = {label: _OTHERS[i % len(_OTHERS)] for i, label in enumerate([*own, *more])}
    for name, light in COLOURS.items():
        both[name] = light, _ON_DARK.get(name, light)
    return {label: both[_meant(label)] for label in found}


def _meant(label: str) -> str:
    """Give the expression that a label means; a label that means none stays as it is."""
    plain = label.strip().casefold()
    plain = _LIKE.get(plain, plain)
    return plain if plain in COLOURS else label
