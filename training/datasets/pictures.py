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

"""Labelled photographs, whatever they are kept in; the words for expressions and splits."""

from __future__ import annotations

import enum
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.evaluation.labels import EXPRESSIONS
from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError

LABELS: tuple[str, ...] = EXPRESSIONS
"""The classes in FER2013's numbering: angry, disgust, fear, happy, sad, surprise, neutral."""

NEUTRAL = LABELS.index('neutral')
NO_LABEL = -1
"""Label of a face that shows none of `LABELS`, such as contempt."""
MOST_ASPECT = 16
"""How many times as long as the other a picture's side may be."""


class DataError(RuntimeError):
    """Training data that cannot be had or used; the message says which and what to do."""


class Split(enum.IntEnum):
    """FER2013's Usage column, in its numbering, also for validation and test sets of others."""

    TRAINING = 0
    PUBLIC = 1
    PRIVATE = 2


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """
    Turn labels into shares of 1.

    :param labels: indices into `LABELS`, or `NO_LABEL`, shape [N].
    :returns: shape [N, 7]; all 0 where there is no label.
    """
    return np.vstack([np.eye(len(LABELS)), np.zeros(len(LABELS))]).astype(np.float32)[labels]


def assets_folder() -> Path:
    """
    Name the folder with the data: EMOTION_ESTIMATOR_ASSETS, or `shared` beside the checkout.

    :returns: the folder; it need not exist.
    """
    named = os.environ.get(ASSETS_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[3] / 'shared'


def is_file(path: Path) -> bool:
    """Tell whether a file is there; under a name that is too long there is none."""
    try:
        return path.is_file()
    except OSError:
        return False


class PictureError(ValueError):
    """One picture that cannot be read; the message names it. The others are not affected."""


class Pictures(Protocol):
    """Pictures of one data set, read one at a time; goes to other processes whole."""

    def __len__(self) -> int:
        """Return the number of pictures."""

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Read one picture.

        :param index: which, in [0, len).
        :returns: grey [height, width] or RGB [height, width, 3].
        :raises PictureError: when it cannot be read.
        """

    def name(self, index: int) -> str:
        """
        Name one picture.

        :param index: which, in [0, len).
        :returns: what a person finds it by, such as its file or its row.
        """

    def part(self, indices: Sequence[int]) -> Pictures:
        """
        Keep some pictures.

        :returns: those, in that order.
        """

    def content(self) -> Iterator[bytes]:
        """
        Give what stands for each picture when it is asked whether it has changed.

        :returns: yields bytes; those of a file that cannot be read are its name.
        """


@dataclass(frozen=True)
class ArrayPictures:
    """
    Pictures of one size that are in memory.

    :param images: grey, shape [N, height, width].
    :param source: what the rows are rows of, for names.
    """

    images: NDArray[np.uint8]
    source: str

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.images)

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Return one picture.

        :returns: grey, shape [height, width].
        """
        image: NDArray[np.uint8] = self.images[index]
        return image

    def name(self, index: int) -> str:
        """Name one picture by its row, such as 'fer2013 row 17'."""
        return f'{self.source} row {index}'

    def part(self, indices: Sequence[int]) -> ArrayPictures:
        """
        Keep some pictures.

        :returns: those; they are named by their new rows.
        """
        return replace(self, images=self.images[list(indices)])

    def content(self) -> Iterator[bytes]:
        """Give the pixels."""
        yield from (image.tobytes() for image in self.images)


@dataclass(frozen=True)
class FilePictures:
    """Pictures in files of the formats that the runtime reads."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Decode one file.

        :returns: RGB, shape [height, width, 3].
        :raises PictureError: when the file is missing, empty, no picture or a very narrow one.
        """
        path = self.paths[index]
        try:
            picture = ImageDecoder().read(path)
        except ImageError as error:
            # It begins with the file's name, which many folders of a data set may hold.
            raise PictureError(f'{path.parent}/{error}') from error
        height, width = picture.shape[:2]
        if max(height, width) > MOST_ASPECT * min(height, width):
            raise PictureError(f'{path}: {width} x {height} pixels are too narrow to show a face.')
        return picture

    def name(self, index: int) -> str:
        """Name one picture by its file."""
        return str(self.paths[index])

    def part(self, indices: Sequence[int]) -> FilePictures:
        """Keep some pictures."""
        return FilePictures([self.paths[index] for index in indices])

    def content(self) -> Iterator[bytes]:
        """
        Give the files' bytes.

        :returns: yields each file's content, or its name where it cannot be read.
        """
        for path in self.paths:
            try:
                yield path.read_bytes()
            except OSError:
                yield os.fsencode(path)


@dataclass(frozen=True)
class JoinedPictures:
    """
    Pictures of several data sets, one after the other.

    :param parts: each set's.
    """

    parts: tuple[Pictures, ...]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return sum(map(len, self.parts))

    def read(self, index: int) -> NDArray[np.uint8]:
        """Read one picture, see `Pictures.read`."""
        part, place = self._place(index)
        return part.read(place)

    def name(self, index: int) -> str:
        """Name one picture as its set does."""
        part, place = self._place(index)
        return part.name(place)

    def part(self, indices: Sequence[int]) -> JoinedPictures:
        """
        Keep some pictures.

        :returns: those, in that order.
        """
        runs = itertools.groupby(map(self._place, indices), key=lambda found: id(found[0]))
        taken = [list(run) for _, run in runs]
        return JoinedPictures(tuple(run[0][0].part([place for _, place in run]) for run in taken))

    def content(self) -> Iterator[bytes]:
        """Give what stands for each picture, see `Pictures.content`."""
        for part in self.parts:
            yield from part.content()

    def _place(self, index: int) -> tuple[Pictures, int]:
        """Find the set of a picture, and its place there."""
        for part in self.parts:
            if index < len(part):
                return part, index
            index -= len(part)
        raise IndexError(f'There are {len(self)} pictures; none has the index {index} beyond.')


@dataclass(frozen=True)
class LabelledPictures:
    """
    Photographs with what is known of them, N of them.

    :param name: of the data set.
    :param labels: index into `LABELS` or `NO_LABEL`, shape [N].
    :param splits: a `Split` each, shape [N].
    :param votes: people's votes for each of `LABELS`, shape [N, 7]; all 0 where there
        are none.
    :param other_votes: votes for contempt, unknown and 'not a face', shape [N, 3].
    :param complaints: a sentence for each file or line that was left out.
    """

    name: str
    pictures: Pictures
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    votes: NDArray[np.float32]
    other_votes: NDArray[np.float32]
    complaints: tuple[str, ...] = ()

    @classmethod
    def of_files(
        cls, name: str, found: Sequence[tuple[Path, int, Split]], complaints: Sequence[str]
    ) -> LabelledPictures:
        """
        Gather files without votes.

        :param name: of the data set.
        :param found: file, index into `LABELS` or `NO_LABEL`, and split of each.
        :param complaints: a sentence for each file or line that was left out.
        """
        return cls(
            name=name,
            pictures=FilePictures([file for file, _, _ in found]),
            labels=np.array([label for _, label, _ in found], np.int64),
            splits=np.array([split for _, _, split in found], np.int64),
            votes=np.zeros((len(found), len(LABELS)), np.float32),
            other_votes=np.zeros((len(found), 3), np.float32),
            complaints=tuple(complaints),
        )

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.labels)

    def select(self, chosen: NDArray[Any]) -> LabelledPictures:
        """
        Keep some photographs.

        :param chosen: mask of shape [N], or indices.
        """
        rows = np.arange(len(self))[chosen]
        return replace(
            self,
            pictures=self.pictures.part(rows.tolist()),
            labels=self.labels[rows],
            splits=self.splits[rows],
            votes=self.votes[rows],
            other_votes=self.other_votes[rows],
        )

    def followed_by(self, others: LabelledPictures) -> LabelledPictures:
        """Join photographs of another data set; the name and all complaints stay."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(others, name)])
            for name in ('labels', 'splits', 'votes', 'other_votes')
        }
        return replace(
            self,
            pictures=JoinedPictures((self.pictures, others.pictures)),
            complaints=(*self.complaints, *others.complaints),
            **joined,
        )

    def split(self, split: Split) -> LabelledPictures:
        """Keep one split."""
        return self.select(self.splits == split)


@dataclass(frozen=True)
class PeoplesPictures:
    """
    Labelled pictures with what is known of the people in them.

    :param photographs: N of them, each with a label.
    :param people: who is in each, shape [N].
    :param groups: by kind, such as 'gender', the group of each person, shape [N]; '' where it is
        not known.
    """

    photographs: LabelledPictures
    people: NDArray[np.str_]
    groups: Mapping[str, NDArray[np.str_]]

    def select(self, chosen: NDArray[Any]) -> PeoplesPictures:
        """
        Keep some pictures.

        :param chosen: mask of shape [N], or indices.
        """
        return PeoplesPictures(
            self.photographs.select(chosen),
            self.people[chosen],
            {kind: groups[chosen] for kind, groups in self.groups.items()},
        )

    def of_the_seven(self) -> PeoplesPictures:
        """Keep what bears one of `LABELS`."""
        return self.select(self.photographs.labels != NO_LABEL)


REPORT_ORDER = ('happy', 'sad', 'angry', 'scared', 'surprised', 'disgusted', 'neutral')
"""The classes in the order of the seed report's section 3."""


def class_counts(pictures: LabelledPictures) -> NDArray[np.int64]:
    """Count the photographs of each class and split, see `count_labels`."""
    return count_labels(pictures.labels, pictures.splits)


def count_labels(labels: NDArray[np.int64], splits: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Count photographs by class and split.

    :param labels: shape [N]; those with `NO_LABEL` do not count.
    :param splits: a `Split` each, shape [N].
    :returns: shape [7, 3], rows in the order of `LABELS`, columns in that of `Split`.
    """
    counts = np.zeros((len(LABELS), len(Split)), np.int64)
    known = labels != NO_LABEL
    np.add.at(counts, (labels[known], splits[known]), 1)
    return counts
