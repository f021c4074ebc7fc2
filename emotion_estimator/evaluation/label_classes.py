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

"""The names of expressions: which mean the same, and which coarser classes they make up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from emotion_estimator.evaluation.segments import LabelError

UNKNOWN = 'unknown'
EXPRESSIONS = ('angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised', 'neutral')
"""The seven basic expressions as hri_msgs/Expression names them, in FER2013's numbering."""

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
    'none': UNKNOWN,
    'other': UNKNOWN,
}
"""Names of FER2013, FER+, RAVDESS, CREMA-D and of everyday speech."""


@dataclass(frozen=True)
class LabelMap:
    """
    Coarser classes made of expressions.

    :param name: what the map is asked for by.
    :param names: the coarser classes.
    :param of: coarser class by expression.
    """

    name: str
    names: tuple[str, ...]
    of: Mapping[str, str]

    def __call__(self, label: str) -> str | None:
        """Give the class that a label belongs to; None for one without a place."""
        return label if label in self.names else self.of.get(label)

    def maps(self, labels: Collection[str]) -> bool:
        """Whether every label has a class."""
        return all(self(label) is not None for label in labels)


def _made_of(name: str, **members: tuple[str, ...]) -> LabelMap:
    return LabelMap(
        name, tuple(members), {label: one for one, labels in members.items() for label in labels}
    )


HAPPY_UNKNOWN_SAD = _made_of(
    'happy_unknown_sad',
    happy=('happy',),
    unknown=('angry', 'disgusted', 'scared', 'surprised', 'neutral'),
    sad=('sad',),
)
POSITIVE_NEGATIVE = _made_of(
    'positive_negative',
    positive=('happy', 'surprised', 'neutral'),
    negative=('angry', 'disgusted', 'scared', 'sad'),
)
LABEL_MAPS = (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE)
"""The maps there are; the training uses the same."""


def known_name(name: str, own: Collection[str] = ()) -> str | None:
    """
    Read an expression's name, whatever its case and whichever data set's word for it.

    :param name: as it is written; spaces round it do not count.
    :param own: further names that count, such as the classes of a user's own model.
    :returns: the name that this project uses; None for one that it does not know.
    """
    plain = name.strip()
    if plain in own:
        return plain
    plain = ALIASES.get(plain.casefold(), plain.casefold())
    coarse = {one for each in LABEL_MAPS for one in each.names}
    return plain if plain in coarse or plain in EXPRESSIONS or plain in own else None


@dataclass(frozen=True)
class Vocabulary:
    """
    The classes in which answers and truth are compared.

    :param names: the classes.
    :param of_model: class by the model's label.
    :param of_truth: class by the label of the truth; a label that is not there cannot be judged.
    """

    names: tuple[str, ...]
    of_model: Mapping[str, str]
    of_truth: Mapping[str, str]


def common_vocabulary(
    model: Sequence[str], truth: Collection[str], wanted: str | None = None
) -> Vocabulary:
    """
    Find classes in which a model's answers can be held against labels.

    The model's own, if the labels are among them; otherwise the first of `LABEL_MAPS` that takes
    both to its classes. What still finds no place is left unjudged: 'unknown' beside the seven
    expressions says that the annotator could not tell.

    :param model: the model's classes.
    :param truth: the labels.
    :param wanted: name of the map to use instead.
    :returns: the classes and how both come to them.
    :raises LabelError: when the map that is wanted does not exist or the model does not fit it.
    """
    if wanted is not None:
        names = [each.name for each in LABEL_MAPS]
        if wanted not in names:
            raise LabelError(f'There is no label map {wanted!r}; there are {", ".join(names)}.')
        chosen = LABEL_MAPS[names.index(wanted)]
        if not chosen.maps(model):
            raise LabelError(
                f'The label map {wanted} has no place for all of the classes '
                f'{", ".join(model)}; leave it away, or take another model.'
            )
        return _by_map(chosen, model, truth)
    if not set(truth) <= set(model):
        for each in LABEL_MAPS:
            coarse_truth = set(truth) <= set(each.names)
            coarse_model = set(model) <= set(each.names)
            if (coarse_truth or coarse_model) and each.maps(model) and each.maps(truth):
                return _by_map(each, model, truth)
    return Vocabulary(
        tuple(model), {one: one for one in model}, {one: one for one in truth if one in model}
    )


def _by_map(chosen: LabelMap, model: Sequence[str], truth: Collection[str]) -> Vocabulary:
    places = [(label, chosen(label)) for label in truth]
    return Vocabulary(
        names=chosen.names,
        of_model={label: chosen(label) or UNKNOWN for label in model},
        of_truth={label: place for label, place in places if place is not None},
    )
