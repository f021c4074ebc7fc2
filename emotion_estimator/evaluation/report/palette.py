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

"""A colour for each expression, on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emotion_estimator.evaluation.labels.vocabulary import UNKNOWN


@dataclass(frozen=True)
class Ink:
    """
    Colours of one label, as CSS writes them.

    :param light: on light ground.
    :param dark: on dark ground.
    :param text_light: of text upon it, on light ground.
    :param text_dark: likewise, on dark ground.
    """

    light: str
    dark: str
    text_light: str = '#16191d'
    text_dark: str = '#0e1116'


# Paul Tol's "muted" scheme, made for colour-blind readers; lifted where the ground is dark.
_KNOWN = {
    'happy': Ink('#DDCC77', '#DDCC77'),
    'surprised': Ink('#44AA99', '#4DBBA8'),
    'scared': Ink('#AA4499', '#C96BB9', '#ffffff'),
    'angry': Ink('#882255', '#D1507F', '#ffffff'),
    'sad': Ink('#332288', '#7C6CE0', '#ffffff'),
    'disgusted': Ink('#117733', '#45A867', '#ffffff'),
    'neutral': Ink('#88CCEE', '#7DB9D8'),
    'positive': Ink('#DDCC77', '#DDCC77'),
    'negative': Ink('#332288', '#7C6CE0', '#ffffff'),
    UNKNOWN: Ink('#D5D8DC', '#4A515C', '#16191d', '#E6E8EB'),
}
_OTHERS = (
    Ink('#CC6677', '#DD7788'),
    Ink('#999933', '#B5B54A'),
    Ink('#E69F00', '#E69F00'),
    Ink('#0072B2', '#4A9FD8', '#ffffff'),
    Ink('#777777', '#999999', '#ffffff'),
)


class Palette:
    """
    CSS classes of labels; names of labels never reach the style sheet.

    :param labels: all labels of a page, in the order of its legend.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(dict.fromkeys(labels))
        others = [label for label in self.labels if label not in _KNOWN]
        self._inks = {
            label: _KNOWN.get(label) or _OTHERS[others.index(label) % len(_OTHERS)]
            for label in self.labels
        }

    def fill(self, label: str) -> str:
        """Name the class that fills with a label's colour."""
        return f'k{self.labels.index(label)}'

    def text(self, label: str) -> str:
        """Name the class of text upon that colour."""
        return f'kt{self.labels.index(label)}'

    def css(self) -> str:
        """
        Write the rules.

        :returns: a style sheet for both grounds.
        """
        light, dark = [], []
        for label, ink in self._inks.items():
            for name, on_light, on_dark in (
                (self.fill(label), ink.light, ink.dark),
                (self.text(label), ink.text_light, ink.text_dark),
            ):
                light.append(f'.{name}{{fill:{on_light};background:{on_light}}}')
                dark.append(f'.{name}{{fill:{on_dark};background:{on_dark}}}')
        return '\n'.join(light) + '\n@media (prefers-color-scheme:dark){' + ''.join(dark) + '}'
