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

"""AffectNet's photographs, in its own folders or with the table of a copy."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from training.datasets.labels import LABELS, NO_LABEL, DataError, Split
from training.datasets.pictures import LabelledPictures

WORDS: dict[str, int] = {
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

SETS: dict[str, Split] = {
    'train_set': Split.TRAINING,
    'val_set': Split.PUBLIC,
    'test_set': Split.PRIVATE,
}

TABLE_FOLDERS: dict[str, Split] = {
    'train': Split.TRAINING,
    'valid': Split.PUBLIC,
    'val': Split.PUBLIC,
    'test': Split.PRIVATE,
}
"""Folders of copies with a table, in lower case."""

TABLE = 'labels.csv'


def read(path: Path) -> LabelledPictures:
    """
    Read AffectNet in either of two layouts.

    The publisher's: train_set/images/123.jpg with train_set/annotations/123_exp.npy, and val_set
    likewise. A widely used copy's: labels.csv with the columns pth and label, whose pth, such as
    anger/image0000006.jpg, is below Train, Test or the folder itself. There the table's label
    counts: the folder that a picture lies in often names another class.

    :param path: the folder that holds train_set and val_set, or labels.csv.
    :returns: the photographs, without votes; all for training where there are no splits.
    :raises DataError: when it holds no photograph in these layouts.
    """
    found, complaints = _of_table(path) if (path / TABLE).is_file() else _of_annotations(path)
    if not found:
        raise DataError(
            f'{path} holds neither pictures named in {TABLE} nor such as train_set/images/0.jpg '
            f'with train_set/annotations/0_exp.npy. {" ".join(complaints[:1])}'.strip()
        )
    return LabelledPictures.of_files('AffectNet', found, complaints)


def _of_annotations(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    for name, split in SETS.items():
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


def _of_table(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    files = _files(path)
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    with (path / TABLE).open(encoding='utf-8-sig', errors='replace', newline='') as file:
        # Quotes mean nothing: a stray one must not swallow the next lines.
        rows = csv.DictReader(file, quoting=csv.QUOTE_NONE)
        if not {'pth', 'label'} <= set(rows.fieldnames or ()):
            raise DataError(
                f'{path / TABLE}, line 1: expected the columns pth and label, not '
                f'{", ".join(rows.fieldnames or ())}.'
            )
        for row in rows:
            where = f'{path / TABLE}, line {rows.line_num}'
            word = (row['label'] or '').strip(' "').lower()
            place = (row['pth'] or '').strip(' "')
            if word not in WORDS:
                complaints.append(f'{where}: label is {word!r}, none of {", ".join(WORDS)}.')
            elif place.lower() not in files:
                complaints.append(f'{where}: there is no picture {place!r}; left out.')
            else:
                picture, split = files[place.lower()]
                found.append((picture, WORDS[word], split))
    return found, complaints


def _files(path: Path) -> dict[str, tuple[Path, Split]]:
    """
    Find the pictures by what the table's pth calls them, in lower case.

    The copy's two splits write their folders differently (anger, Anger).
    """
    roots = [(path, Split.TRAINING)]
    for folder in filter(Path.is_dir, sorted(path.iterdir())):
        if folder.name.lower() in TABLE_FOLDERS:
            roots.append((folder, TABLE_FOLDERS[folder.name.lower()]))
    return {
        file.relative_to(root).as_posix().lower(): (file, split)
        for root, split in roots
        for file in root.glob('[!.]*/[!.]*')
    }


def _expression(annotation: Path) -> int:
    # The publisher saved the numbers as text, such as array('3').
    number = float(np.load(annotation, allow_pickle=False).item())
    if number not in range(len(WORDS)):
        raise ValueError(f'{number:g} is not 0 to {len(WORDS) - 1}')
    return list(WORDS.values())[int(number)]
