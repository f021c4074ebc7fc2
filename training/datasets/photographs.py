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
AffectNet's and RAF-DB's photographs, as published or in widely used copies.

FER2013's are read by `fer2013`; whoever has these can train on them too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.datasets.pictures import LABELS, NO_LABEL, DataError, LabelledPictures, Split

AFFECTNET_WORDS: dict[str, int] = {
    'neutral': LABELS.index('neutral'),
    'happy': LABELS.index('happy'),
    'sad': LABELS.index('sad'),
    'surprise': LABELS.index('surprised'),
    'fear': LABELS.index('scared'),
    'disgust': LABELS.index('disgusted'),
    'anger': LABELS.index('angry'),
    'contempt': NO_LABEL,
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
    found, complaints = (
        _of_affectnet_table(path) if (path / _TABLE).is_file() else _of_annotations(path)
    )
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
    for where, (place, word) in _table_lines(path / _TABLE, ('pth', 'label')):
        label = AFFECTNET_WORDS.get(word.lower())
        if label is None:
            known = ', '.join(AFFECTNET_WORDS)
            complaints.append(f'{where}: label is {word.lower()!r}, none of {known}.')
        elif place.lower() not in files:
            complaints.append(f'{where}: there is no picture {place!r}; left out.')
        else:
            picture, split = files[place.lower()]
            found.append((picture, label, split))
    return found, complaints


def _table_lines(table: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read columns of a table; yields each line's place and its cells."""
    with table.open(encoding='utf-8-sig', errors='replace', newline='') as file:
        # Quotes mean nothing: a stray one must not swallow the next lines.
        rows = csv.DictReader(file, quoting=csv.QUOTE_NONE)
        if not set(columns) <= set(rows.fieldnames or ()):
            raise DataError(
                f'{table}, line 1: expected the columns {" and ".join(columns)}, not '
                f'{", ".join(rows.fieldnames or ())}.'
            )
        for row in rows:
            cells = tuple((row[name] or '').strip(' "') for name in columns)
            yield f'{table}, line {rows.line_num}', cells


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


_RAFDB_NUMBERS: dict[str, int] = {
    '1': LABELS.index('surprised'),
    '2': LABELS.index('scared'),
    '3': LABELS.index('disgusted'),
    '4': LABELS.index('happy'),
    '5': LABELS.index('sad'),
    '6': LABELS.index('angry'),
    '7': LABELS.index('neutral'),
}
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
        elif not picture.is_file():
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
        picture = next((place for place in places if image and place.is_file()), None)
        if picture is None:
            complaints.append(f'{where}: there is no picture {places[0]}; left out.')
        else:
            yield picture, number
