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

"""RAF-DB's photographs with basic expressions, as published or in a copy's folders."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from training.datasets.labels import LABELS, DataError, Split
from training.datasets.pictures import LabelledPictures

NUMBERS: dict[str, int] = {
    '1': LABELS.index('surprised'),
    '2': LABELS.index('scared'),
    '3': LABELS.index('disgusted'),
    '4': LABELS.index('happy'),
    '5': LABELS.index('sad'),
    '6': LABELS.index('angry'),
    '7': LABELS.index('neutral'),
}
"""RAF-DB's numbers of the expressions: http://www.whdeng.cn/raf/model1.html."""

LISTS = ('list_patition_label.txt', 'list_partition_label.txt')
"""Name of the list as published, and as written by those who noticed the slip."""

SETS: dict[str, Split] = {'train': Split.TRAINING, 'test': Split.PRIVATE}
"""RAF-DB's two sets, as its file names begin and as the copy names its folders."""


def read(path: Path) -> LabelledPictures:
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
    places = [folder / 'EmoLabel' / name for folder in (path / 'basic', path) for name in LISTS]
    lists = [place for place in places if place.is_file()]
    found, complaints = _of_list(lists[0]) if lists else _of_folders(path)
    if not found:
        raise DataError(
            f'{path} holds no picture of RAF-DB; expected basic/EmoLabel/{LISTS[0]} with '
            'basic/Image/aligned/train_00001_aligned.jpg, or DATASET/train/5/'
            f'train_00001_aligned.jpg. {" ".join(complaints[:1])}'.strip()
        )
    return LabelledPictures.of_files('RAF-DB', found, complaints)


def _of_list(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    pictures = path.parent.parent / 'Image' / 'aligned'
    found: list[tuple[Path, int, Split]] = []
    complaints = []
    lines = path.read_text('utf-8-sig', errors='replace').splitlines()
    for place, line in enumerate(lines, start=1):
        name, _, number = line.strip().partition(' ')
        split = SETS.get(name.split('_')[0])
        picture = pictures / f'{Path(name).stem}_aligned.jpg'
        if split is None or number.strip() not in NUMBERS:
            complaints.append(
                f'{path}, line {place}: {line!r} is not such as train_00001.jpg 5, with a '
                'number from 1 to 7; left out.'
            )
        elif not picture.is_file():
            complaints.append(f'{path}, line {place}: {picture} is missing; left out.')
        else:
            found.append((picture, NUMBERS[number.strip()], split))
    return found, complaints


def _of_folders(path: Path) -> tuple[list[tuple[Path, int, Split]], list[str]]:
    dataset = path / 'DATASET' if (path / 'DATASET').is_dir() else path
    found: list[tuple[Path, int, Split]] = []
    complaints: list[str] = []
    for name, split in SETS.items():
        table = path / f'{name}_labels.csv'
        if table.is_file():
            named = _named(table, dataset / name, complaints)
        else:
            files = sorted((dataset / name).glob('[!.]*/[!.]*.jpg'))
            named = ((file, file.parent.name) for file in files)
        for file, number in named:
            if number in NUMBERS:
                found.append((file, NUMBERS[number], split))
            else:
                complaints.append(f'{file}: the label {number!r} is not 1 to 7; left out.')
    return found, complaints


def _named(table: Path, folder: Path, complaints: list[str]) -> Iterator[tuple[Path, str]]:
    """Read a table with the columns image and label."""
    with table.open(encoding='utf-8-sig', errors='replace', newline='') as file:
        # Quotes mean nothing: a stray one must not swallow the next lines.
        rows = csv.DictReader(file, quoting=csv.QUOTE_NONE)
        if not {'image', 'label'} <= set(rows.fieldnames or ()):
            raise DataError(
                f'{table}, line 1: expected the columns image and label, not '
                f'{", ".join(rows.fieldnames or ())}.'
            )
        for row in rows:
            image, number = ((row[name] or '').strip(' "') for name in ('image', 'label'))
            # Some copies keep the pictures of a set in one folder.
            places = [folder / number / image, folder / image]
            picture = next((place for place in places if image and place.is_file()), None)
            if picture is None:
                complaints.append(
                    f'{table}, line {rows.line_num}: there is no picture {places[0]}; left out.'
                )
            else:
                yield picture, number
