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

"""Votes of ten people on FER2013's photographs, as FER+ publishes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import DataError, Split
from training.datasets.pictures import LabelledPictures

COLUMNS: tuple[str, ...] = (
    'neutral',
    'happiness',
    'surprise',
    'sadness',
    'anger',
    'disgust',
    'fear',
    'contempt',
    'unknown',
    'NF',
)
"""What the people could say; NF is 'not a face'. https://github.com/microsoft/FERPlus"""

VOTE_COLUMNS: tuple[int, ...] = (4, 5, 6, 1, 3, 2, 0)
"""Columns of `COLUMNS` that hold the votes for `labels.LABELS`."""

VOTERS = 10
UNKNOWN_SPLIT = -1

USAGES: dict[str, Split] = {
    'Training': Split.TRAINING,
    'PublicTest': Split.PUBLIC,
    'PrivateTest': Split.PRIVATE,
}
"""The Usage column of fer2013.csv, which FER+ repeats."""


@dataclass(frozen=True)
class VoteTable:
    """
    The table, one row for each row of fer2013.csv and in its order.

    :param votes: for each of `labels.LABELS`, shape [N, 7]; all 0 where the line is broken.
    :param other_votes: for contempt, unknown and 'not a face', shape [N, 3].
    :param splits: a `labels.Split` each, or `UNKNOWN_SPLIT` where the line is broken, shape [N].
    :param complaints: a sentence for each broken line.
    """

    votes: NDArray[np.float32]
    other_votes: NDArray[np.float32]
    splits: NDArray[np.int64]
    complaints: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.votes)


@runtime_checkable
class KnowsRows(Protocol):
    """Pictures that know their rows in fer2013.csv, the first after the header being 0."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of each picture, shape [N]."""


def for_labels(table: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Sort votes into the classes of this project and anything else.

    :param table: votes in the order of `COLUMNS`, shape [N, 10].
    :returns: votes for each of `labels.LABELS`, shape [N, 7], and for contempt, unknown and 'not
        a face', shape [N, 3].
    """
    counts = table.astype(np.float32)
    seven = list(VOTE_COLUMNS)
    return counts[:, seven], np.delete(counts, seven, axis=1)


def header_names(path: Path, header: str, wanted: Sequence[str]) -> list[str]:
    """
    Read the first line of a table.

    :param path: the table's file, for the message.
    :param header: the line.
    :param wanted: columns that must be there.
    :returns: the columns in the table's order.
    :raises DataError: when one is not there.
    """
    names = [name.strip(' "\r\n') for name in header.split(',')]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DataError(
            f'{path}, line 1: no column {", ".join(missing)}; expected {", ".join(wanted)}.'
        )
    return names


def fields(line: str, names: Sequence[str]) -> dict[str, str]:
    """
    Cut a line of a table with Usage, by hand: a stray quote must not swallow the next lines.

    :param line: the line.
    :param names: the columns in the table's order.
    :returns: the fields by column.
    :raises ValueError: when there are too few or too many, or Usage is none of `USAGES`.
    """
    found = [field.strip(' "\r\n') for field in line.split(',')]
    if len(found) != len(names):
        raise ValueError(f'{len(found)} fields instead of {len(names)}')
    by_name = dict(zip(names, found))
    if by_name['Usage'] not in USAGES:
        raise ValueError(f'Usage is {by_name["Usage"]!r}, none of {", ".join(USAGES)}')
    return by_name


def read(path: Path) -> VoteTable:
    """
    Read fer2013new.csv.

    Its rows are joined to fer2013.csv by their order: the numbers in its column 'Image name'
    skip and fall behind the rows, and are missing where most people saw no face. A broken line
    therefore keeps its row.

    :param path: the file, with the columns Usage, Image name and `COLUMNS`.
    :raises DataError: when it is missing, has other columns or no line that can be read.
    """
    try:
        text = path.read_text('utf-8-sig', errors='replace')
    except OSError as error:
        raise DataError(
            f'{path} cannot be read ({error.strerror}); FER+ is published as fer2013new.csv at '
            'https://github.com/microsoft/FERPlus.'
        ) from error
    header, *lines = text.removesuffix('\n').split('\n')
    names = header_names(path, header, ('Usage', *COLUMNS))
    table = np.zeros((len(lines), len(COLUMNS)), np.int64)
    splits = np.full(len(lines), UNKNOWN_SPLIT, np.int64)
    complaints = []
    for row, line in enumerate(lines):
        try:
            splits[row], table[row] = _parse(line, names)
        except ValueError as error:
            complaints.append(f'{path}, line {row + 2}: {error}; it counts as without votes.')
    if len(complaints) == len(lines):
        raise DataError(f'{path} holds no line with votes. {" ".join(complaints[:1])}'.strip())
    votes, other_votes = for_labels(table)
    return VoteTable(votes, other_votes, splits, tuple(complaints))


def join(pictures: LabelledPictures, table: VoteTable) -> LabelledPictures:
    """
    Join the votes to FER2013's photographs by their rows.

    :param pictures: from fer2013.csv or fer2013.npz.
    :param table: what `read` gave.
    :returns: the photographs with votes, and the complaints of both.
    :raises DataError: when the pictures do not know their rows, or the two tables differ.
    """
    if not isinstance(pictures.pictures, KnowsRows):
        raise DataError(
            'Votes are joined by the rows of fer2013.csv, which pictures in folders do not '
            'tell; read fer2013.csv or fer2013.npz instead.'
        )
    rows = pictures.pictures.rows
    if len(table) <= rows.max():
        raise DataError(
            f'FER+ has {len(table)} rows but FER2013 at least {rows.max() + 1}; use whole files.'
        )
    splits = table.splits[rows]
    differ = (splits != pictures.splits) & (splits != UNKNOWN_SPLIT)
    if differ.any():
        raise DataError(
            f'FER+ and FER2013 name different Usages in row {rows[differ.argmax()]}, so their '
            'rows are not the same photographs; use both files as published.'
        )
    return replace(
        pictures,
        votes=table.votes[rows],
        other_votes=table.other_votes[rows],
        complaints=pictures.complaints + table.complaints,
    )


def _parse(line: str, names: list[str]) -> tuple[Split, list[int]]:
    found = fields(line, names)
    for name in COLUMNS:
        if not (found[name].isdecimal() and int(found[name]) <= VOTERS):
            raise ValueError(f'{name} is {found[name]!r}, not a number of votes up to {VOTERS}')
    return USAGES[found['Usage']], [int(found[name]) for name in COLUMNS]
