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

"""Answers of one recording beside what they should have been, or beside those of another run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    LABEL_MAPS,
    UNKNOWN,
    LabelError,
    LabelMap,
    Segment,
)
from emotion_estimator.replay.predictions import Replay
from emotion_estimator.stamps import longest_gap_s

# The classes in which both are compared.


@dataclass(frozen=True)
class Vocabulary:
    """
    The classes in which answers and truth are compared.

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


def common_map(first: Sequence[str], second: Sequence[str]) -> str | None:
    """
    Choose the classes in which two models are held against each other.

    :param first: classes of one.
    :param second: of the other.
    :returns: name of the first label map that takes both; None where their classes are the same.
    :raises ValueError: when there is none.
    """
    if set(first) == set(second):
        return None
    for each in LABEL_MAPS:
        if each.maps(first) and each.maps(second):
            return each.name
    raise ValueError(
        f'The models have no classes in common: {", ".join(first)} against {", ".join(second)}.'
    )


# Answers beside labels.


NO_CLASS = -1


@dataclass(frozen=True)
class AlignedPredictions:
    """
    One recording's answers as arrays, N of them, ascending by stamp.

    :param classes: in which is judged, K of them.
    :param image_ns: stamps of all images, shape [M].
    :param face_ids: in the order of their first answer.
    :param face: position in `face_ids`, shape [N].
    :param stamps_ns: shape [N].
    :param shown: position of the label shown in `labels`, shape [N].
    :param labels: the model's classes and 'unknown'.
    :param answered: whether the label shown is another than 'unknown', shape [N].
    :param decided: class of the label shown, shape [N]; -1 for an 'unknown' that is no class.
    :param probabilities: of the classes, shape [N, K].
    :param truth: the right class, shape [N]; -1 where there is none.
    :param segment: position in `segments` of the label that tells it, shape [N]; -1 for none.
    :param segments: all labels of the recording, as they were given.
    :param held: class of each of them; -1 where there is none.
    :param stills: whether each image is a photograph of its own.
    :param longest_gap_s: how far apart images that belong together may be, in seconds.
    """

    recording: str
    classes: tuple[str, ...]
    image_ns: NDArray[np.int64]
    face_ids: tuple[str, ...]
    face: NDArray[np.int64]
    stamps_ns: NDArray[np.int64]
    shown: NDArray[np.int64]
    labels: tuple[str, ...]
    answered: NDArray[np.bool_]
    decided: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    segment: NDArray[np.int64]
    segments: tuple[Segment, ...]
    held: tuple[int, ...]
    stills: bool
    longest_gap_s: float

    def of_face(self, index: int) -> NDArray[np.int64]:
        """Give the positions of one face's answers."""
        return np.flatnonzero(self.face == index)

    def pieces(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
        """
        Part a label's answers by face, and where a label of the very face stands between.

        :param rows: positions, ascending.
        :returns: positions, and the stamp at which the label began to hold.
        """
        for face in np.unique(self.face[rows]).tolist():
            own = rows[self.face[rows] == face]
            answers = self.of_face(face)
            place = np.searchsorted(answers, own)
            between = np.diff(place) > 1
            begin_ns = self.segments[self.segment[own[0]]].start_ns
            if place[0] and self.stamps_ns[answers[place[0] - 1]] >= begin_ns:
                begin_ns = int(self.stamps_ns[own[0]])  # until then the face had its own label
            for piece in np.split(own, np.flatnonzero(between) + 1):
                yield piece, begin_ns if piece[0] == own[0] else int(self.stamps_ns[piece[0]])

    def truth_names(self) -> list[str]:
        """
        Name what each answer should have been.

        :returns: N classes; '' where no label holds.
        """
        return ['' if right == NO_CLASS else self.classes[right] for right in self.truth.tolist()]

    def only(self, index: int) -> AlignedPredictions:
        """Leave the answers of one face."""
        kept = self.of_face(index)
        names = (
            'face',
            'stamps_ns',
            'shown',
            'answered',
            'decided',
            'probabilities',
            'truth',
            'segment',
        )
        return replace(self, **{name: getattr(self, name)[kept] for name in names})


def judge(
    replay: Replay, segments: Sequence[Segment], vocabulary: Vocabulary
) -> AlignedPredictions:
    """
    Put each answer beside the label that holds at its stamp.

    A label of the very face counts before one of any face.

    :param replay: the recording as the package saw it.
    :param segments: its labels; those of one face do not overlap.
    :param vocabulary: the classes, from `common_vocabulary`.
    :returns: the answers and their truth.
    """
    answers, classes = replay.predictions, vocabulary.names
    labels = (*replay.labels, *([] if UNKNOWN in replay.labels else [UNKNOWN]))
    place = {label: index for index, label in enumerate(labels)}
    class_of = {name: index for index, name in enumerate(classes)}
    unknown = class_of.get(UNKNOWN, NO_CLASS)
    decisions = np.array(
        [class_of.get(vocabulary.of_model.get(label, ''), unknown) for label in labels], np.int64
    )
    to_class = np.zeros((len(replay.labels), len(classes)))
    for index, label in enumerate(replay.labels):
        to_class[index, class_of[vocabulary.of_model[label]]] = 1
    face_ids = tuple(dict.fromkeys(answer.face_id for answer in answers))
    number = {face_id: index for index, face_id in enumerate(face_ids)}
    face = np.array([number[answer.face_id] for answer in answers], np.int64)
    stamps_ns = np.array([answer.stamp_ns for answer in answers], np.int64)
    shown = np.array([place[answer.label] for answer in answers], np.int64)
    probabilities = np.array([answer.probabilities for answer in answers], np.float64)
    truth = np.full(len(answers), NO_CLASS, np.int64)
    segment = np.full(len(answers), -1, np.int64)
    held = tuple(
        class_of.get(vocabulary.of_truth.get(one.label, ''), NO_CLASS) for one in segments
    )
    # Labels of any face first: those of the very face come over them.
    for index in sorted(range(len(segments)), key=lambda i: segments[i].face != ANY_FACE):
        one = segments[index]
        begin, end = np.searchsorted(stamps_ns, [one.start_ns, one.end_ns])
        where = np.arange(begin, end)
        if one.face != ANY_FACE:
            where = where[face[begin:end] == number.get(one.face, -1)]
        truth[where] = held[index]
        segment[where] = -1 if held[index] == NO_CLASS else index
    return AlignedPredictions(
        recording=replay.recording,
        classes=classes,
        image_ns=np.array(replay.stamps_ns, np.int64),
        face_ids=face_ids,
        face=face,
        stamps_ns=stamps_ns,
        shown=shown,
        labels=labels,
        answered=shown != place[UNKNOWN],
        decided=decisions[shown],
        probabilities=probabilities.reshape(-1, len(replay.labels)) @ to_class,
        truth=truth,
        segment=segment,
        segments=tuple(segments),
        held=held,
        stills='stills' in replay.settings or len(replay.stamps_ns) == 1,
        longest_gap_s=longest_gap_s(replay.stamps_ns),
    )


def unusable_labels(judged: AlignedPredictions, vocabulary: Vocabulary) -> list[str]:
    """
    Tell which labels can be held against no answer: of other classes, or of faces nobody saw.

    :returns: sentences; 'unknown', by which an annotator says that nobody can tell, is no loss.
    """
    lost = []
    foreign = sorted({one.label for one in judged.segments} - {UNKNOWN, *vocabulary.of_truth})
    if foreign:
        lost.append(
            f'{judged.recording}: labels {", ".join(foreign)} are not judged: the model knows '
            f'{", ".join(vocabulary.names)}. Take a --model that knows them, or a --label-map '
            'that has a place for them.'
        )
    faces = sorted({one.face for one in judged.segments} - {ANY_FACE, *judged.face_ids})
    if faces:
        lost.append(
            f'{judged.recording}: no face with the id {", ".join(faces)} was seen, which labels '
            f'name; seen were {", ".join(judged.face_ids) or "none"}. Leave `face` empty for any '
            'face.'
        )
    return lost


def problems_of_truth(judged: AlignedPredictions, vocabulary: Vocabulary) -> list[str]:
    """
    Tell which labels could not be held against any answer.

    :returns: sentences, those of `unusable_labels` first.
    """
    problems = unusable_labels(judged, vocabulary)
    unknown = sum(one.label == UNKNOWN for one in judged.segments)
    if unknown and UNKNOWN not in vocabulary.of_truth:
        problems.append(f'{judged.recording}: {unknown} labels say unknown; they are not judged.')
    judged_segments = set(judged.segment.tolist())
    unseen = [
        one
        for index, one in enumerate(judged.segments)
        if index not in judged_segments
        and one.label in vocabulary.of_truth
        and not _gave_way(one, judged.stamps_ns)
    ]
    if unseen:
        lost_s = sum(one.duration_ns for one in unseen) / 1e9
        problems.append(
            f'{judged.recording}: {len(unseen)} of {len(judged.segments)} labels '
            f'({lost_s:.1f} s) hold while no face that they are of was seen; they are not judged.'
        )
    return problems


def _gave_way(one: Segment, stamps_ns: NDArray[np.int64]) -> bool:
    """Tell of a label that judges nothing whether all whom it is of have labels of their own."""
    begin, end = np.searchsorted(stamps_ns, [one.start_ns, one.end_ns])
    return one.face == ANY_FACE and begin < end
