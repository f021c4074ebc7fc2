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
Photographs in files: AffectNet's and RAF-DB's, and any folder of labelled pictures.

FER2013's are read by `fer2013`; AffectNet's and RAF-DB's are for programs, no command reads them.
Models are scored on a labelled folder of people whom they did not learn from (protocol X).
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from emotion_estimator.evaluation.labels import known_name
from training.datasets.fer2013 import read_arrays
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    ArrayPictures,
    DataError,
    LabelledPictures,
    PeoplesPictures,
    Split,
    is_file,
)


def _label(word: str | int) -> int:
    name = known_name(str(word))
    return LABELS.index(name) if name in LABELS else NO_LABEL


AFFECTNET_WORDS: dict[str, int] = {
    word: _label(word)
    for word in ('neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt')
}
"""
AffectNet's eight classes in its numbering from 0 on, as labels of this project.

Mollahosseini, Hasani, Mahoor: AffectNet, https://arxiv.org/abs/1708.03985. Contempt is no class
here; none, uncertain and no face (8 to 10) are left out.
"""

_AFFECTNET_SETS: dict[str, Split] = {
    'train_set': Split.TRAINING,
    'val_set': Split.PUBLIC,
    'test_set': Split.PRIVATE,
}

_TABLE_FOLDERS: dict[str, Split] = {
    'train': Split.TRAINING,
    'valid': Split.PUBLIC,
    'val': Split.PUBLIC,
    'test': Split.PRIVATE,
}
"""Folders of copies with a table, in lower case."""

_TABLE = 'labels.csv'


def read_affectnet(path: Path) -> LabelledPictures:
    """
    Read AffectNet in either of two layouts.

    The publisher's: train_set/images/123.jpg with train_set/annotations/123_exp.npy, and the
    same in val_set. A widely used copy's: labels.csv with the columns pth and label, whose pth,
    such as anger/image0000006.jpg, is below Train, Test or the folder itself. There the table's
    label counts: the folder that a picture lies in often names another class.

    :param path: the folder that holds train_set and val_set, or labels.csv.
    :returns: the photographs, without votes; all for training where there are no splits.
    :raises DataError: when it holds no photograph in these layouts.
    """
    read = _of_affectnet_table if (path / _TABLE).is_file() else _of_annotations
    found, complaints = read(path)
    if not found:
        raise DataError(
            f'{path} holds neither pictures named in {_TABLE} nor such as train_set/images/0.jpg '
            f'with train_set/annotations/0_exp.npy. {" ".join(complaints[:1])}'.strip()
        )
    return LabelledPictures.of_files('AffectNet', found, complaints)


def _of_annotations(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    for name, split in _AFFECTNET_SETS.items():
        folder = path / name
        pictures = {each.stem: each for each in sorted((folder / 'images').glob('[!.]*.jpg'))}
        for annotation in sorted((folder / 'annotations').glob('[!.]*_exp.npy')):
            picture = pictures.pop(annotation.name.removesuffix('_exp.npy'), None)
            if picture is None:
                complaints.append(f'{annotation} has no picture in {name}/images; left out.')
                continue
            try:
                found.append((picture, _expression(annotation), split))
            except (OSError, ValueError, EOFError) as error:
                complaints.append(f'{annotation} holds no expression ({error}); left out.')
        complaints += [f'{each} has no annotation; left out.' for each in pictures.values()]
    return found, complaints


def _of_affectnet_table(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    files = _affectnet_files(path)
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    # Quotes mean nothing: a stray one must not swallow the next lines.
    for where, (place, word) in _table_lines(path / _TABLE, ('pth', 'label')):
        label = AFFECTNET_WORDS.get(word.lower())
        if label is None:
            known = ', '.join(AFFECTNET_WORDS)
            complaints.append(f'{where}: label is {word.lower()!r}, none of {known}.')
        elif place.lower() not in files:
            complaints.append(f'{where}: there is no picture {place[:200]!r}; left out.')
        else:
            picture, split = files[place.lower()]
            found.append((picture, label, split))
    return found, complaints


def _table_lines(
    table: Path,
    columns: tuple[str, ...],
    others: tuple[str, ...] = (),
    quoting: Literal[0, 3] = csv.QUOTE_NONE,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read columns of a table, others where it has them; yields each line's place and cells."""
    with table.open(encoding='utf-8-sig', errors='replace', newline='') as file:
        rows = csv.DictReader(file, quoting=quoting)
        if not set(columns) <= set(rows.fieldnames or ()):
            raise DataError(
                f'{table}, line 1: expected the columns {" and ".join(columns)}, not '
                f'{", ".join(rows.fieldnames or ())}.'
            )
        around = ' "' if quoting == csv.QUOTE_NONE else None
        try:
            for row in rows:
                cells = tuple((row.get(name) or '').strip(around) for name in (*columns, *others))
                if '\n' in ''.join(cells):
                    raise csv.Error(f'a cell that ends in line {rows.line_num} has several lines')
                yield f'{table}, line {rows.line_num}', cells
        except csv.Error as error:
            raise DataError(f'{table}: {error}; a quote may be missing before it.') from error


def _affectnet_files(path: Path) -> dict[str, tuple[Path, Split]]:
    """
    Find the pictures by what the table's pth calls them, in lower case.

    The copy's two splits write their folders differently (anger, Anger).
    """
    roots = [(path, Split.TRAINING)]
    for folder in filter(Path.is_dir, sorted(path.iterdir())):
        if folder.name.lower() in _TABLE_FOLDERS:
            roots.append((folder, _TABLE_FOLDERS[folder.name.lower()]))
    return {
        file.relative_to(root).as_posix().lower(): (file, split)
        for root, split in roots
        for file in root.glob('[!.]*/[!.]*')
    }


def _expression(annotation: Path) -> int:
    # The publisher saved the numbers as text, such as array('3').
    number = float(np.load(annotation, allow_pickle=False).item())
    if number not in range(len(AFFECTNET_WORDS)):
        raise ValueError(f'{number:g} is not 0 to {len(AFFECTNET_WORDS) - 1}')
    return list(AFFECTNET_WORDS.values())[int(number)]


_RAFDB_WORDS = ('surprised', 'scared', 'disgusted', 'happy', 'sad', 'angry', 'neutral')
_RAFDB_NUMBERS = {str(number): _label(word) for number, word in enumerate(_RAFDB_WORDS, start=1)}
"""RAF-DB's numbers of the expressions: http://www.whdeng.cn/raf/model1.html."""

_RAFDB_LISTS = ('list_patition_label.txt', 'list_partition_label.txt')
"""Name of the list as published, and as written by those who noticed the slip."""

_RAFDB_SETS: dict[str, Split] = {'train': Split.TRAINING, 'test': Split.PRIVATE}
"""RAF-DB's two sets, as its file names begin and as the copy names its folders."""


def read_rafdb(path: Path) -> LabelledPictures:
    """
    Read RAF-DB in either of two layouts.

    The publisher's: basic/EmoLabel/list_patition_label.txt with lines such as
    'train_00001.jpg 5', and basic/Image/aligned/train_00001_aligned.jpg. A widely used copy's:
    DATASET/train/5/train_00001_aligned.jpg; where train_labels.csv and test_labels.csv (columns
    image and label) are there too, they name the pictures.

    :param path: the folder that holds basic (or EmoLabel and Image), or DATASET.
    :returns: the aligned photographs, without votes.
    :raises DataError: when it holds no photograph in these layouts.
    """
    places = [
        folder / 'EmoLabel' / name for folder in (path / 'basic', path) for name in _RAFDB_LISTS
    ]
    lists = [place for place in places if place.is_file()]
    found, complaints = _of_rafdb_list(lists[0]) if lists else _of_rafdb_folders(path)
    if not found:
        raise DataError(
            f'{path} holds no picture of RAF-DB; expected basic/EmoLabel/{_RAFDB_LISTS[0]} with '
            'basic/Image/aligned/train_00001_aligned.jpg, or DATASET/train/5/'
            f'train_00001_aligned.jpg. {" ".join(complaints[:1])}'.strip()
        )
    return LabelledPictures.of_files('RAF-DB', found, complaints)


def _of_rafdb_list(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    pictures = path.parent.parent / 'Image' / 'aligned'
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    lines = path.read_text('utf-8-sig', errors='replace').splitlines()
    for place, line in enumerate(lines, start=1):
        name, _, number = line.strip().partition(' ')
        split = _RAFDB_SETS.get(name.split('_')[0])
        picture = pictures / f'{Path(name).stem}_aligned.jpg'
        if split is None or number.strip() not in _RAFDB_NUMBERS:
            complaints.append(
                f'{path}, line {place}: {line!r} is not such as train_00001.jpg 5, with a '
                'number from 1 to 7; left out.'
            )
        elif not is_file(picture):
            complaints.append(f'{path}, line {place}: {picture} is missing; left out.')
        else:
            found.append((picture, _RAFDB_NUMBERS[number.strip()], split))
    return found, complaints


def _of_rafdb_folders(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    dataset = path / 'DATASET' if (path / 'DATASET').is_dir() else path
    found: list[tuple[Path, int, Split]] = []
    complaints: list[str] = []
    for name, split in _RAFDB_SETS.items():
        table = path / f'{name}_labels.csv'
        if table.is_file():
            named = _rafdb_named(table, dataset / name, complaints)
        else:
            files = sorted((dataset / name).glob('[!.]*/[!.]*.jpg'))
            named = ((file, file.parent.name) for file in files)
        for file, number in named:
            if number in _RAFDB_NUMBERS:
                found.append((file, _RAFDB_NUMBERS[number], split))
            else:
                complaints.append(f'{file}: the label {number!r} is not 1 to 7; left out.')
    return found, complaints


def _rafdb_named(table: Path, folder: Path, complaints: list[str]) -> Iterator[tuple[Path, str]]:
    for where, (image, number) in _table_lines(table, ('image', 'label')):
        # Some copies keep the pictures of a set in one folder.
        places = [folder / number / image, folder / image]
        picture = next((place for place in places if image and is_file(place)), None)
        if picture is None:
            complaints.append(f'{where}: there is no picture {places[0]}; left out.')
        else:
            yield picture, number


# Any folder of labelled pictures, with what is known of the people in them.


GROUPS = ('gender', 'ethnicity')
"""Columns of a table of labelled pictures that say which people a person belongs to."""

_FILE, _EXPRESSION, _PERSON = 'file', 'expression', 'person'


def read_labelled_folder(
    path: Path, trained_on: Mapping[str, str] | None = None
) -> tuple[dict[str, PeoplesPictures], tuple[str, ...]]:
    """
    Read a folder of labelled pictures in any of three layouts.

    labels.csv with the columns file (below the folder) and expression, and if known person, gender
    and ethnicity; the first part of a file's path is its set, where it has more than one. Files
    that lie elsewhere are of the set that is named after the folder. Or folders named by
    expressions, with pictures in them. Beside either: .npz files with `images` (grey, uint8 [N,
    height, width]), `labels` and `names`, a name beginning with the person and '_'; each is a set
    of its own. Expressions may be in another data set's words (`known_name`).

    :param trained_on: by set, with what the names of the files begin that may be trained on.
    :returns: pictures by the name of their set; `Split.TRAINING` those that may be trained on,
        `Split.PUBLIC` all others. And a sentence for each line that names no picture.
    :raises DataError: when it holds no labelled picture in these layouts.
    """
    complaints: list[str] = []
    path = path.resolve()  # '.' would name no set
    table, begins = path / _TABLE, trained_on or {}
    lines = _of_table(table, complaints) if table.is_file() else _of_expression_folders(path)
    by_set: dict[str, list[_Line]] = {}
    for name, line in lines:
        by_set.setdefault(name, []).append(line)
    found = {n: _of_files(n, lines, begins.get(n, '')) for n, lines in by_set.items()}
    for file in sorted(path.glob('[!.]*.npz')):
        found[file.name if file.stem in found else file.stem] = _of_arrays(file)
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
    lines = _table_lines(
        table, (_FILE, _EXPRESSION), (_PERSON, *GROUPS), quoting=csv.QUOTE_MINIMAL
    )
    for where, (named, word, *about) in lines:
        if not named or not is_file(table.parent / named):
            complaints.append(f'{where}: there is no picture {named[:200]!r}; left out.')
            continue
        folder, *below = Path(named).parts
        name = folder if below and folder not in (os.sep, os.pardir) else table.parent.name
        yield name, _Line(table.parent / named, word, tuple(about))


def _of_expression_folders(path: Path) -> Iterator[tuple[str, _Line]]:
    for file in filter(Path.is_file, sorted(path.glob('[!.]*/[!.]*'))):
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
    images, words, names = read_arrays(path, ('images', 'labels', 'names'))
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


def _left_out(name: str, words: list[str]) -> tuple[str, ...]:
    """Say how many pictures of a set bear a label that is none of the classes."""
    others = Counter(word for word in words if _label(word) == NO_LABEL)
    return tuple(
        f'{name}: {count} pictures labelled {word!r}, none of the seven expressions; left out.'
        for word, count in others.items()
    )
