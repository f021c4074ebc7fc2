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

"""
Any folder of labelled pictures, with what is known of the people in them.

Models are scored on such pictures of people whom they did not learn from (protocol X).
"""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.labels import known_name
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    ArrayPictures,
    DataError,
    LabelledPictures,
    Split,
)


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


GROUPS = ('gender', 'ethnicity')
"""Columns of a table of labelled pictures that say which people a person belongs to."""

_TABLE, _FILE, _EXPRESSION, _PERSON = 'labels.csv', 'file', 'expression', 'person'


def read_labelled_folder(
    path: Path, trained_on: Mapping[str, str] | None = None
) -> tuple[dict[str, PeoplesPictures], tuple[str, ...]]:
    """
    Read a folder of labelled pictures in any of three layouts.

    labels.csv with the columns file (below the folder) and expression, and if known person, gender
    and ethnicity; the first part of a file's path is its set, where it has more than one. Or
    folders named by expressions, with pictures in them. Beside either: .npz files with `images`
    (grey, uint8 [N, height, width]), `labels` and `names`, a name beginning with the person and
    '_'; each is a set. Expressions may be in another data set's words (`known_name`).

    :param trained_on: by set, with what the names of the files begin that may be trained on.
    :returns: pictures by the name of their set; `Split.TRAINING` those that may be trained on,
        `Split.PUBLIC` all others. And a sentence for each line that names no picture.
    :raises DataError: when it holds no labelled picture in these layouts.
    """
    complaints: list[str] = []
    table = path / _TABLE
    lines = _of_table(table, complaints) if table.is_file() else _of_expression_folders(path)
    by_set: dict[str, list[_Line]] = {}
    for name, line in lines:
        by_set.setdefault(name, []).append(line)
    found = {
        name: _of_files(name, lines, (trained_on or {}).get(name, ''))
        for name, lines in by_set.items()
    }
    found |= {file.stem: _of_arrays(file) for file in sorted(path.glob('[!.]*.npz'))}
    found = {name: pictures for name, pictures in found.items() if len(pictures.people)}
    if not found:
        raise DataError(
            f'{path} holds no labelled pictures: expected {_TABLE} with the columns {_FILE} and '
            f'{_EXPRESSION}, folders named such as {", ".join(LABELS)}, or .npz files with '
            f'images, labels and names. {" ".join(complaints[:1])}'.strip()
        )
    return found, tuple(complaints)


@dataclass(frozen=True)
class _Line:
    """A file, the expression in the data set's word, and whose face: person, then `GROUPS`."""

    file: Path
    word: str
    about: tuple[str, ...] = ('',) * (1 + len(GROUPS))


def _of_table(table: Path, complaints: list[str]) -> Iterator[tuple[str, _Line]]:
    with table.open(encoding='utf-8-sig', errors='replace', newline='') as file:
        rows = csv.DictReader(file)
        if not {_FILE, _EXPRESSION} <= set(rows.fieldnames or ()):
            raise DataError(
                f'{table}, line 1: expected the columns {_FILE} and {_EXPRESSION}, not '
                f'{", ".join(rows.fieldnames or ())}.'
            )
        for row in rows:
            named, word, *about = (
                (row.get(name) or '').strip() for name in (_FILE, _EXPRESSION, _PERSON, *GROUPS)
            )
            if not named or not (table.parent / named).is_file():
                where = f'{table}, line {rows.line_num}'
                complaints.append(f'{where}: there is no picture {named!r}; left out.')
                continue
            folder, *below = Path(named).parts
            name = folder if below else table.parent.name
            yield name, _Line(table.parent / named, word, tuple(about))


def _of_expression_folders(path: Path) -> Iterator[tuple[str, _Line]]:
    for file in sorted(path.glob('[!.]*/[!.]*')):
        if file.is_file():
            yield path.name, _Line(file, file.parent.name)


def _of_files(name: str, lines: list[_Line], trained_on: str) -> PeoplesPictures:
    found = [
        (
            line.file,
            _label(line.word),
            Split.TRAINING if line.file.name[0] in trained_on else Split.PUBLIC,
        )
        for line in lines
    ]
    about = np.array([line.about for line in lines], np.str_)
    people = np.where(about[:, 0] == '', [str(line.file) for line in lines], about[:, 0])
    return PeoplesPictures(
        LabelledPictures.of_files(name, found, _left_out(name, [line.word for line in lines])),
        people,
        {kind: about[:, place] for place, kind in enumerate(GROUPS, start=1)},
    ).of_the_seven()


def _of_arrays(path: Path) -> PeoplesPictures:
    try:
        with np.load(path, allow_pickle=False) as file:
            images, words, names = (file[name] for name in ('images', 'labels', 'names'))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f'{path} holds no images, labels and names: {error}') from error
    if (
        images.dtype != np.uint8
        or images.ndim != 3
        or not (images.shape[:1] == words.shape == names.shape)
    ):
        raise DataError(f'{path}: images must be grey, uint8, with a label and a name for each.')
    count = len(images)
    photographs = LabelledPictures(
        name=path.stem,
        pictures=ArrayPictures(images, path.stem),
        labels=np.array([_label(word) for word in words.tolist()], np.int64),
        splits=np.full(count, Split.PUBLIC, np.int64),
        votes=np.zeros((count, len(LABELS)), np.float32),
        other_votes=np.zeros((count, 3), np.float32),
        complaints=_left_out(path.stem, words.tolist()),
    )
    people = np.array([str(name).split('_')[0] for name in names.tolist()], np.str_)
    return PeoplesPictures(photographs, people, {}).of_the_seven()


def _label(word: str | int) -> int:
    name = known_name(str(word))
    return LABELS.index(name) if name in LABELS else NO_LABEL


def _left_out(name: str, words: list[str]) -> tuple[str, ...]:
    """Say how many pictures of a set bear a label that is none of the classes."""
    others = Counter(word for word in words if _label(word) == NO_LABEL)
    return tuple(
        f'{name}: {count} pictures labelled {word!r}, none of the seven expressions; left out.'
        for word, count in others.items()
    )
