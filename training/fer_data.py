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

"""FER2013 as blendshapes: stills with labels, FER+ votes and splits, in this project's words."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE

LABELS: tuple[str, ...] = (
    'angry',
    'disgusted',
    'scared',
    'happy',
    'sad',
    'surprised',
    'neutral',
)
"""The classes in FER2013's numbering: angry, disgust, fear, happy, sad, surprise, neutral."""

NEUTRAL = LABELS.index('neutral')

VOTE_COLUMNS: tuple[int, ...] = (4, 5, 6, 1, 3, 2, 0)
"""
Columns of the FER+ table that hold the votes for `LABELS`.

The table's order is neutral, happiness, surprise, sadness, anger, disgust, fear, contempt,
unknown, NF (not a face): https://github.com/microsoft/FERPlus, fer2013new.csv.
"""

DUPLICATE_FLAG = 1
NO_VOTES_FLAG = 2

VIEWS: tuple[str, ...] = ('x4_pad25', 'native')
"""Preparations before extraction: enlarged four times with a 25 % border, and as it is."""


class DataError(RuntimeError):
    """Training data that cannot be had; the message says which and what to do."""


class Split(enum.IntEnum):
    """FER2013's Usage column, in its numbering."""

    TRAINING = 0
    PUBLIC = 1
    PRIVATE = 2


@dataclass(frozen=True)
class Stills:
    """
    Photographs as blendshapes, N photographs in V views.

    :param views: blendshapes in [0, 1], shape [N, V, 52]; 0 where not readable. View 0 is the
        project's own preparation, which every score uses.
    :param readable: whether a face was found, shape [N, V].
    :param labels: FER2013's label as an index into `LABELS`, shape [N].
    :param votes: FER+ votes for each of `LABELS`, shape [N, 7].
    :param other_votes: FER+ votes for contempt, unknown and 'not a face' together, shape [N].
    :param rows: row in fer2013.npz, shape [N].
    """

    views: NDArray[np.float32]
    readable: NDArray[np.bool_]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32]
    other_votes: NDArray[np.float32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.labels)

    @property
    def blends(self) -> NDArray[np.float32]:
        """Blendshapes of view 0, shape [N, 52]."""
        return self.views[:, 0]

    def select(self, chosen: NDArray[Any]) -> Stills:
        """
        Keep some photographs.

        :param chosen: mask of shape [N], or indices.
        :returns: the stills kept.
        """
        return replace(self, **{name: getattr(self, name)[chosen] for name in _FIELDS})

    def vote_shares(self) -> NDArray[np.float32]:
        """
        Share out the votes that went to the seven classes.

        Votes for contempt, unknown and 'not a face' leave the sum: the seven classes have no
        place for them. A photograph without any vote for the seven gets its FER2013 label.

        :returns: shape [N, 7], each row summing to 1.
        """
        total = self.votes.sum(axis=1, keepdims=True)
        shares = self.votes / np.maximum(total, 1)
        return np.where(total > 0, shares, one_hot(self.labels)).astype(np.float32)

    def majority(self) -> NDArray[np.int64]:
        """
        Find what most of the ten people said (protocol P7).

        :returns: index into `LABELS`, shape [N]; -1 where contempt, unknown and 'not a face'
            together got more votes than the best of the seven classes, where two classes share
            the most votes, or where there are no votes.
        """
        ordered = np.sort(self.votes, axis=1)
        clear = (ordered[:, -1] > ordered[:, -2]) & (ordered[:, -1] >= self.other_votes)
        return np.where(clear, self.votes.argmax(axis=1), -1)


_FIELDS = ('views', 'readable', 'labels', 'votes', 'other_votes', 'rows')


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """
    Turn labels into shares of 1.

    :param labels: indices into `LABELS`, shape [N].
    :returns: shape [N, 7].
    """
    return np.eye(len(LABELS), dtype=np.float32)[labels]


def assets_folder() -> Path:
    """
    Name the folder with the data: EMOTION_ESTIMATOR_ASSETS, or `shared` beside the checkout.

    :returns: the folder; it need not exist.
    """
    named = os.environ.get(ASSETS_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / 'shared'


def data_files() -> list[Path]:
    """
    List the files that `read_stills` reads.

    :returns: paths in a fixed order; they need not exist.
    """
    folder = assets_folder()
    blends = [folder / 'blendshapes' / _file_name(s, v) for s in Split for v in VIEWS]
    return [folder / 'fer2013' / 'fer2013.npz', *dict.fromkeys(blends)]


def read_stills(split: Split) -> Stills:
    """
    Read one split whole, in all views.

    :param split: which photographs.
    :returns: all photographs of the split, unreadable ones included.
    :raises DataError: when a file is missing or its views do not show the same photographs.
    """
    tables = [_read(_file_name(split, view)) for view in VIEWS]
    rows = tables[0]['index']
    if any(not np.array_equal(rows, table['index']) for table in tables):
        raise DataError(f'The views {", ".join(VIEWS)} hold different photographs; extract again.')
    chosen = tables[0]['usage'] == split
    votes = tables[0]['ferplus'][chosen].astype(np.float32)
    seven = list(VOTE_COLUMNS)
    return Stills(
        views=np.stack([t['blends'][chosen].astype(np.float32) for t in tables], axis=1),
        readable=np.stack([t['ok'][chosen] for t in tables], axis=1),
        labels=tables[0]['labels'][chosen].astype(np.int64),
        votes=votes[:, seven],
        other_votes=np.delete(votes, seven, axis=1).sum(axis=1),
        rows=rows[chosen].astype(np.int64),
    )


def read_training_stills() -> Stills:
    """
    Read what a network may learn from.

    Left out: unreadable photographs, those flagged as duplicates with conflicting labels or
    without FER+ votes, those in which most people saw no face, unknown or contempt, and those
    that stand pixel for pixel in a test split too.

    :returns: readable photographs of the training split.
    :raises DataError: when a file is missing.
    """
    stills = read_stills(Split.TRAINING)
    photographs = _load(assets_folder() / 'fer2013' / 'fer2013.npz')
    flagged = (photographs['flags'] & (DUPLICATE_FLAG | NO_VOTES_FLAG)) != 0
    images, usage = photographs['images'], photographs['usage']
    tested = {image.tobytes() for image in images[usage != Split.TRAINING]}
    repeated = np.array([images[row].tobytes() in tested for row in stills.rows])
    few_votes = stills.votes.sum(axis=1) <= stills.other_votes
    return stills.select(stills.readable[:, 0] & ~flagged[stills.rows] & ~repeated & ~few_votes)


def _file_name(split: Split, view: str) -> str:
    return f'fer2013_{"training" if split is Split.TRAINING else "tests"}_{view}.npz'


def _read(name: str) -> dict[str, NDArray[Any]]:
    return _load(assets_folder() / 'blendshapes' / name)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(
            f'{path} does not exist; name the folder that holds it with {ASSETS_VARIABLE}.'
        )
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
