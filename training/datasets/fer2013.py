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

"""FER2013's photographs in the three forms in which they are passed on, and FER+'s votes."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE
from training.datasets.pictures import LABELS, ArrayPictures, DataError, LabelledPictures, Split

USAGES: dict[str, Split] = {
    'Training': Split.TRAINING,
    'PublicTest': Split.PUBLIC,
    'PrivateTest': Split.PRIVATE,
}
"""The Usage column of fer2013.csv, which FER+ repeats."""

NAME = 'FER2013'
SIDE = 48  # width and height of a photograph in pixels

SPLIT_FOLDERS: dict[str, Split] = {
    'train': Split.TRAINING,
    'training': Split.TRAINING,
    'val': Split.PUBLIC,
    'validation': Split.PUBLIC,
    'publictest': Split.PUBLIC,
    'test': Split.PRIVATE,
    'privatetest': Split.PRIVATE,
}
"""Folders that publishers name their splits by, in lower case; also how file names begin."""

CLASS_FOLDERS: dict[str, tuple[str, ...]] = {
    'angry': ('angry', 'anger'),
    'disgusted': ('disgust', 'disgusted'),
    'scared': ('fear', 'fearful'),
    'happy': ('happy', 'happiness'),
    'sad': ('sad', 'sadness'),
    'surprised': ('surprise', 'surprised'),
    'neutral': ('neutral',),
}
"""Folders that publishers name each of `LABELS` by, in lower case."""

PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg')


@dataclass(frozen=True)
class RowPictures(ArrayPictures):
    """
    Photographs that know their rows: leaving one out renames no other.

    :param rows: row in fer2013.csv, the first after the header being 0, shape [N].
    """

    rows: NDArray[np.int64]

    def name(self, index: int) -> str:
        """Name one photograph by its row, such as 'fer2013 row 17'."""
        return f'{self.source} row {self.rows[index]}'

    def part(self, indices: Sequence[int]) -> RowPictures:
        """Keep some photographs, with their rows."""
        chosen = list(indices)
        return replace(self, images=self.images[chosen], rows=self.rows[chosen])


def read(path: Path) -> LabelledPictures:
    """
    Read FER2013 from whatever it is in.

    :param path: fer2013.csv, fer2013.npz, or a folder of pictures.
    :raises DataError: when it is neither, is missing or cannot be read.
    """
    readers = {'.csv': read_csv, '.npz': read_npz}
    if (path / 'labels.csv').is_file():
        raise DataError(f'{path} is no copy of FER2013: it has a labels.csv (AffectNet?).')
    if path.is_dir():
        return read_folders(path)
    if path.suffix.lower() not in readers:
        raise DataError(f'{path} is neither a folder nor ends in .csv or .npz; name one of them.')
    return readers[path.suffix.lower()](path)


def read_csv(path: Path) -> LabelledPictures:
    """
    Read fer2013.csv as the Kaggle challenge ships it, or its icml_face_data.csv.

    :param path: the file, with the columns emotion, pixels and Usage in any order.
    :returns: the photographs of all lines that can be read, without votes.
    :raises DataError: when it is missing, has other columns or no line that can be read.
    """
    images, labels, splits, rows, complaints = [], [], [], [], []
    try:
        with path.open(encoding='utf-8-sig', errors='replace', newline='\n') as file:
            names = header_names(path, file.readline(), ('emotion', 'pixels', 'Usage'))
            for row, line in enumerate(file):
                try:
                    label, split, image = _parse_photograph(line, names)
                except ValueError as error:
                    complaints.append(f'{path}, line {row + 2}: {error}; left out.')
                    continue
                labels.append(label)
                splits.append(split)
                images.append(image)
                rows.append(row)
    except OSError as error:
        raise DataError(_unreadable(path, error.strerror)) from error
    if not rows:
        raise DataError(f'{path} holds no photograph. {" ".join(complaints[:1])}'.strip())
    return LabelledPictures(
        name=NAME,
        pictures=RowPictures(np.stack(images), 'fer2013', np.array(rows, np.int64)),
        labels=np.array(labels, np.int64),
        splits=np.array(splits, np.int64),
        votes=np.zeros((len(rows), len(LABELS)), np.float32),
        other_votes=np.zeros((len(rows), 3), np.float32),
        complaints=tuple(complaints),
    )


def read_npz(path: Path) -> LabelledPictures:
    """
    Read fer2013.npz, which holds FER+'s votes too.

    :param path: the file, with images [N, 48, 48], labels, usage and ferplus [N, 10].
    :returns: all photographs, in its order.
    :raises DataError: when it is missing, cut off, or its arrays do not fit each other.
    """
    if not path.is_file():
        raise DataError(_unreadable(path, 'missing'))
    images, labels, usage, table = read_arrays(path, ('images', 'labels', 'usage', 'ferplus'))
    n, shapes = labels.size, [images.shape, labels.shape, usage.shape, table.shape]
    if shapes != [(n, SIDE, SIDE), (n,), (n,), (n, 10)] or images.dtype != np.uint8:
        raise DataError(
            f'{path}: images, labels, usage and ferplus should be uint8 [N, 48, 48], [N], [N] '
            f'and [N, 10], but are {images.dtype} {", ".join(map(str, shapes))}.'
        )
    counts = (labels, len(LABELS)), (usage, len(Split)), (table, VOTERS + 1)
    if not all(np.isin(array, range(count)).all() for array, count in counts):
        raise DataError(f'{path}: labels must be 0 to 6, usage 0 to 2, votes 0 to {VOTERS}.')
    votes, other_votes = votes_for_labels(table)
    return LabelledPictures(
        name=NAME,
        pictures=RowPictures(images, 'fer2013', np.arange(n)),
        labels=labels.astype(np.int64),
        splits=usage.astype(np.int64),
        votes=votes,
        other_votes=other_votes,
    )


def read_folders(path: Path) -> LabelledPictures:
    """
    Read folders of pictures: SPLIT/CLASS/*.png or *.jpg.

    Names such as PublicTest_123.jpg tell the split better than their folder, since widely used
    copies have both test splits in one folder. Such names do not say the rows in fer2013.csv, so
    the order is that of splits, classes and names, and votes cannot be joined.

    :param path: the folder with `SPLIT_FOLDERS`, each with `CLASS_FOLDERS`.
    :raises DataError: when there is no picture in such folders.
    """
    labels = {
        name: LABELS.index(label) for label, names in CLASS_FOLDERS.items() for name in names
    }
    found: list[tuple[Split, int, Path]] = []
    complaints = []
    for folder in filter(Path.is_dir, path.glob('*/*')):
        split = SPLIT_FOLDERS.get(folder.parent.name.lower())
        label = labels.get(folder.name.lower())
        if split is None or label is None:
            complaints.append(f'{folder} is named after no split and class; left out.')
            continue
        for file in folder.glob('[!.]*'):
            if file.suffix.lower() in PICTURE_SUFFIXES:
                usage = USAGES.get(file.name.split('_')[0], split)
                found.append((usage, label, file))
            else:
                complaints.append(f'{file} is no {" or ".join(PICTURE_SUFFIXES)}; left out.')
    if not found:
        raise DataError(
            f'{path} holds no pictures in folders such as train/happy; expected the splits '
            f'{", ".join(SPLIT_FOLDERS)} and the classes {", ".join(labels)}.'
        )
    ordered = [(file, label, split) for split, label, file in sorted(found)]
    return LabelledPictures.of_files(NAME, ordered, sorted(complaints))


def _parse_photograph(line: str, names: list[str]) -> tuple[int, Split, NDArray[np.uint8]]:
    found = _fields(line, names)
    if found['emotion'] not in map(str, range(len(LABELS))):
        raise ValueError(f'emotion is {found["emotion"]!r}, not 0 to {len(LABELS) - 1}')
    try:
        pixels = np.fromstring(found['pixels'], np.int64, sep=' ')
    except ValueError:
        raise ValueError('pixels holds something that is no whole number') from None
    if len(pixels) != SIDE * SIDE:
        raise ValueError(f'{len(pixels)} pixels instead of {SIDE * SIDE}')
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError('pixels holds a number that is not 0 to 255')
    image = pixels.astype(np.uint8).reshape(SIDE, SIDE)
    return int(found['emotion']), USAGES[found['Usage']], image


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    """
    Read arrays of an .npz file.

    :raises DataError: when it is no such file, damaged, or lacks one of them.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f'{path} cannot be read: it is cut off, or no .npz file.')
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            found = [] if missing else [file[name] for name in names]
    # Of a damaged file zipfile, zlib, tokenize and NumPy each complain in their own way.
    except Exception as error:
        raise DataError(f'{path} cannot be read: it is damaged ({error}).') from error
    if missing:
        raise DataError(f'{path} has no array {", ".join(missing)}.')
    return found


def _unreadable(path: Path, reason: str | None) -> str:
    return f'{path} cannot be read ({reason}); {ASSETS_VARIABLE} names the folder with the data.'


# FER+: votes of ten people on each photograph.


COLUMNS: tuple[str, ...] = (
    *('neutral', 'happiness', 'surprise', 'sadness', 'anger', 'disgust', 'fear'),
    *('contempt', 'unknown', 'NF'),
)
"""What the people could say; NF is 'not a face'. https://github.com/microsoft/FERPlus"""

VOTE_COLUMNS: tuple[int, ...] = (4, 5, 6, 1, 3, 2, 0)
"""Columns of `COLUMNS` that hold the votes for `LABELS`."""

VOTERS = 10
UNKNOWN_SPLIT = -1


@dataclass(frozen=True)
class VoteTable:
    """
    The table, one row for each row of fer2013.csv and in its order.

    :param votes: for each of `LABELS`, shape [N, 7]; all 0 where the line is broken.
    :param other_votes: for contempt, unknown and 'not a face', shape [N, 3].
    :param splits: a `Split` each, or `UNKNOWN_SPLIT` where the line is broken, shape [N].
    :param complaints: a sentence for each broken line.
    """

    votes: NDArray[np.float32]
    other_votes: NDArray[np.float32]
    splits: NDArray[np.int64]
    complaints: tuple[str, ...] = ()


def votes_for_labels(table: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Sort votes into the classes of this project and anything else.

    :param table: votes in the order of `COLUMNS`, shape [N, 10].
    :returns: votes for each of `LABELS`, shape [N, 7], and for contempt, unknown and 'not
        a face', shape [N, 3].
    """
    counts = table.astype(np.float32)
    return counts[:, VOTE_COLUMNS], np.delete(counts, VOTE_COLUMNS, axis=1)


def header_names(path: Path, header: str, wanted: Sequence[str]) -> list[str]:
    """
    Read the columns in the first line of a table, in its order.

    :param path: the table's file, for the message.
    :param wanted: columns that must be there, or DataError is raised.
    """
    names = [name.strip(' "\r\n') for name in header.split(',')]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise DataError(
            f'{path}, line 1: no column {", ".join(missing)}; expected {", ".join(wanted)}.'
        )
    return names


def _fields(line: str, names: Sequence[str]) -> dict[str, str]:
    """
    Cut a line of a table with Usage, by hand: a stray quote must not swallow the next lines.

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


def read_votes(path: Path) -> VoteTable:
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
            splits[row], table[row] = _parse_votes(line, names)
        except ValueError as error:
            complaints.append(f'{path}, line {row + 2}: {error}; it counts as without votes.')
    if len(complaints) == len(lines):
        raise DataError(f'{path} holds no line with votes. {" ".join(complaints[:1])}'.strip())
    votes, other_votes = votes_for_labels(table)
    return VoteTable(votes, other_votes, splits, tuple(complaints))


def join_votes(pictures: LabelledPictures, table: VoteTable) -> LabelledPictures:
    """
    Join the votes to FER2013's photographs by their rows.

    :param pictures: from fer2013.csv or fer2013.npz.
    :param table: what `read_votes` gave.
    :returns: the photographs with votes, and the complaints of both.
    :raises DataError: when the pictures do not know their rows, or the two tables differ.
    """
    if not isinstance(pictures.pictures, RowPictures):
        raise DataError(
            'Votes are joined by the rows of fer2013.csv, which pictures in folders do not '
            'tell; read fer2013.csv or fer2013.npz instead.'
        )
    rows = pictures.pictures.rows
    if len(table.votes) <= rows.max():
        raise DataError(
            f'FER+ has {len(table.votes)} rows but FER2013 at least {rows.max() + 1}; use whole '
            'files.'
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


def _parse_votes(line: str, names: list[str]) -> tuple[Split, list[int]]:
    found = _fields(line, names)
    for name in COLUMNS:
        if not (found[name].isdecimal() and int(found[name]) <= VOTERS):
            raise ValueError(f'{name} is {found[name]!r}, not a number of votes up to {VOTERS}')
    return USAGES[found['Usage']], [int(found[name]) for name in COLUMNS]
