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
