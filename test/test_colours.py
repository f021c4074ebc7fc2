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

"""Colours of labels: what means an expression has its colour, whatever else has one of its own."""

from itertools import combinations

import numpy as np
import pytest

from emotion_estimator.colours import ALIASES, COLOURS, colour_of, hexadecimal, shades


@pytest.mark.parametrize(
    'label, like',
    [*ALIASES.items(), ('Happiness', 'happy'), ('positive', 'happy'), ('negative', 'sad')],
)
def test_a_name_that_means_an_expression_has_its_colour(label, like):
    assert colour_of(label) == COLOURS[like]
    assert shades([label])[label] == shades([like])[like]


def test_classes_that_are_not_known_are_numbered_by_their_names():
    own = [f'class_{i}' for i in range(9)]
    mixed = ['neutral', *own[::-1], 'sadness']
    found = shades(mixed)
    assert list(found) == mixed
    assert [found[label] for label in own] == [shades(own)[label] for label in own]
    for ground in ('light', 'dark'):
        assert len({getattr(found[label], ground) for label in mixed}) == len(mixed)
        known = {getattr(one, ground) for one in shades(COLOURS).values()}
        assert not {getattr(found[label], ground) for label in own} & known


def test_a_class_keeps_its_colour_whatever_is_shown_beside_it():
    classes = ('irony', 'boredom', 'happy')
    alone = shades(['irony'], classes)['irony']
    assert alone == shades(['annoyed', *classes], classes)['irony'] == shades(classes)['irony']
    assert hexadecimal(colour_of('irony', classes)) == alone.light
    assert alone != shades(['boredom'], classes)['boredom']


# Colours as people see them: none of a cone's kind, by Machado, Oliveira and Fernandes, "A
# physiologically-based model for simulation of color vision deficiency" (2009), severity 1.
SIGHT = {
    'usual': np.eye(3),
    'protanopia': np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    'deuteranopia': np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    'tritanopia': np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
DARK_GROUNDS = ('#0e1116', '#12161c', '#171b22', '#1b1e23', '#1f2328')  # of report and live view


def linear(colour):
    """Undo the encoding of sRGB."""
    share = np.array([*bytes.fromhex(colour[1:])]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(colour, sight):
    """Compute CIELAB of what is seen of a colour."""
    seen = np.clip(sight @ linear(colour), 0, 1)
    share = TO_XYZ @ seen / [0.9505, 1.0, 1.089]
    root = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize('sight', SIGHT)
@pytest.mark.parametrize('ground', ['light', 'dark'])
def test_colour_blind_people_tell_the_expressions_apart(ground, sight):
    seen = {
        label: lab(getattr(one, ground), SIGHT[sight]) for label, one in shades(COLOURS).items()
    }
    difference = {
        pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)
    }
    assert len(difference) == 28
    assert {pair: found for pair, found in difference.items() if found < 12} == {}


EVERY = (*COLOURS, *(f'class_{i}' for i in range(9)))


@pytest.mark.parametrize('label', EVERY)
def test_a_colour_stands_out_on_dark_ground(label):
    shade = shades(EVERY)[label].dark
    for ground in DARK_GROUNDS:
        lower, higher = sorted(linear(x) @ TO_XYZ[1] for x in (shade, ground))
        assert (higher + 0.05) / (lower + 0.05) >= 3
