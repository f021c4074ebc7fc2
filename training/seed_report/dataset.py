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

"""The blendshapes of labelled photographs as a CSV file with its schema beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.files import write_whole
from training.datasets.pictures import LABELS, NO_LABEL, DataError, Pictures, Split

VERSION = 1
HEAD = ('row', 'split', 'class')
"""The columns before the one-hot label and the blendshapes."""


@dataclass(frozen=True)
class BlendshapesDataset:
    """
    Blendshapes of N readable photographs.

    :param rows: index of each photograph in its data set, shape [N]; what finds the photograph
        again that a wrong answer is about (the seed report's section 4.4).
    :param splits: a `Split` each, shape [N].
    :param labels: indices into `classes` or `NO_LABEL`, shape [N].
    :param blendshapes: in [0, 1], in the order of `NAMES`, shape [N, 52].
    :param classes: names of the labels.
    :raises DataError: when the shapes disagree, or a value is out of its range.
    """

    rows: NDArray[np.int64]
    splits: NDArray[np.int64]
    labels: NDArray[np.int64]
    blendshapes: NDArray[np.float32]
    classes: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        """Refuse what could not be read back."""
        shapes = [each.shape for each in (self.rows, self.splits, self.labels, self.blendshapes)]
        count = len(self.rows)
        if shapes != [(count,)] * 3 + [(count, len(NAMES))]:
            raise DataError(
                'Rows, splits and labels need one value for each photograph and blendshapes '
                f'{len(NAMES)}: their shapes are {", ".join(map(str, shapes))}.'
            )
        _check_range('row', self.rows, 0, np.iinfo(np.int64).max)
        _check_range('split', self.splits, 0, len(Split) - 1)
        _check_range('label', self.labels, NO_LABEL, len(self.classes) - 1)
        outside = ~((self.blendshapes >= 0) & (self.blendshapes <= 1))
        if outside.any():
            at, column = np.argwhere(outside)[0]
            raise DataError(
                f'{NAMES[column]} of the photograph in row {self.rows[at]} is '
                f'{self.blendshapes[at, column]:g}, and blendshapes lie in [0, 1].'
            )

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.rows)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> BlendshapesDataset:
        """
        Keep some photographs.

        :param chosen: positions in [0, N), a mask of shape [N], or a slice.
        :returns: those, in the order given.
        """
        return BlendshapesDataset(
            self.rows[chosen],
            self.splits[chosen],
            self.labels[chosen],
            self.blendshapes[chosen],
            self.classes,
        )


def write_dataset(dataset: BlendshapesDataset, path: Path, with_one_hot: bool = False) -> None:
    """
    Write the dataset as `path`, and its schema beside it.

    :param path: CSV to write, with a header.
    :param with_one_hot: whether to add a column of 0 and 1 for each class (section 4.8).
    """
    # The schema first: a CSV that is there has one.
    write_whole(schema_path(path), schema_content(dataset.classes, len(dataset), with_one_hot))
    # Nine significant digits tell any two float32 apart.
    values = ','.join(['%.9g'] * len(NAMES))
    lines = [','.join(field['name'] for field in fields_of(dataset.classes, with_one_hot))]
    for row, split, label, blends in zip(
        dataset.rows, dataset.splits, dataset.labels.tolist(), dataset.blendshapes.tolist()
    ):
        name = '' if label == NO_LABEL else dataset.classes[label]
        head = [str(row), Split(split).name.lower(), name]
        if with_one_hot:
            head += [str(int(label == index)) for index in range(len(dataset.classes))]
        lines.append(','.join(head) + ',' + values % tuple(blends))
    write_whole(path, ('\n'.join(lines) + '\n').encode())


def read_dataset(path: Path) -> BlendshapesDataset:
    """
    Read what `write_dataset` wrote; every value is as it was.

    :param path: the CSV; its schema stands beside it.
    :raises DataError: naming file, line and field, when the two do not agree.
    """
    schema = read_schema(path)
    splits = {split.name.lower(): int(split) for split in Split}
    labels = {name: index for index, name in enumerate(schema.classes)} | {'': NO_LABEL}
    rows, split_of, label_of, blends = [], [], [], []
    for line, fields in _lines(path, list(schema.fields)):
        where = f'{path}, line {line}'
        row, split, name = fields[: len(HEAD)]
        if split not in splits or name not in labels or not row.isdecimal():
            raise DataError(
                f'{where}: row {row!r}, split {split!r} and class {name!r} are not what '
                f'{schema_path(path).name} allows; write the dataset again.'
            )
        rows.append(int(row))
        split_of.append(splits[split])
        label_of.append(labels[name])
        blends.append(_numbers(fields[-len(NAMES) :], NAMES, where))
    if len(rows) != schema.rows:
        raise DataError(
            f'{path} has {len(rows)} photographs where {schema_path(path).name} promises '
            f'{schema.rows}: it was cut or changed; write the dataset again.'
        )
    return BlendshapesDataset(
        rows=np.array(rows, np.int64),
        splits=np.array(split_of, np.int64),
        labels=np.array(label_of, np.int64),
        blendshapes=np.array(blends, np.float32).reshape(-1, len(NAMES)),
        classes=schema.classes,
    )


def write_class_files(dataset: BlendshapesDataset, folder: Path) -> list[Path]:
    """
    Write one dataset for each class, to look at a class alone (the seed report's section 4.7).

    :param folder: where `happy.csv` and the others go; a class without photographs gets none, and
        one that an earlier call left is removed.
    :returns: the CSV files written.
    """
    written = []
    for label, name in enumerate(dataset.classes):
        members, path = dataset.labels == label, folder / f'{name}.csv'
        if members.any():
            written.append(path)
            write_dataset(dataset.take(members), path)
        else:
            path.unlink(missing_ok=True)
            schema_path(path).unlink(missing_ok=True)
    return written


def write_test_index(dataset: BlendshapesDataset, pictures: Pictures, path: Path) -> None:
    """
    Write which photograph each row of the test split is (the seed report's section 4.4).

    :param dataset: of all splits.
    :param pictures: the photographs that `dataset.rows` counts.
    :param path: CSV to write, with the columns row, class and picture.
    """
    test = dataset.take(dataset.splits == Split.PRIVATE)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(('row', 'class', 'picture'))
    for row, label in zip(test.rows.tolist(), test.labels.tolist()):
        name = '' if label == NO_LABEL else test.classes[label]
        writer.writerow((row, name, pictures.name(row)))
    # The name of a file need be no UTF-8: its bytes find it again.
    write_whole(path, text.getvalue().encode(errors='surrogateescape'))


@dataclass(frozen=True)
class Schema:
    """
    What a file promises.

    :param fields: names of its columns, in their order.
    :param classes: names of the labels, in the order of their numbers.
    :param rows: number of photographs.
    """

    fields: tuple[str, ...]
    classes: tuple[str, ...]
    rows: int


def schema_path(path: Path) -> Path:
    """
    Name the schema of a dataset.

    :param path: the CSV, such as `train.csv`.
    :returns: the schema, such as `train.schema.json`.
    """
    return path.with_name(f'{path.stem}.schema.json')


def fields_of(classes: tuple[str, ...], with_one_hot: bool) -> list[dict[str, Any]]:
    """
    Describe the columns, in their order, in the words of Frictionless Table Schema.

    :param classes: names of the labels.
    :param with_one_hot: whether there is a column for each class.
    :returns: a field descriptor each (https://specs.frictionlessdata.io/table-schema/).
    """
    unit = {'minimum': 0, 'maximum': 1, 'required': True}
    row, split, label = HEAD
    fields: list[dict[str, Any]] = [
        {
            'name': row,
            'type': 'integer',
            'description': 'index of the photograph in its data set, from 0 on',
            'constraints': {'minimum': 0, 'required': True},
        },
        {
            'name': split,
            'type': 'string',
            'constraints': {'enum': [each.name.lower() for each in Split], 'required': True},
        },
        {
            'name': label,
            'type': 'string',
            'description': 'expression shown; empty: none of these; labels count from 0 on in '
            'this order',
            'constraints': {'enum': list(classes)},
        },
    ]
    if with_one_hot:
        fields += [
            {
                'name': f'is_{name}',
                'type': 'integer',
                'description': f'1 where the class is {name}, else 0',
                'constraints': unit,
            }
            for name in classes
        ]
    fields += [
        {
            'name': name,
            'type': 'number',
            'unit': '1',
            'description': f'blendshape {index} of MediaPipe Face Landmarker, a float32',
            'constraints': unit,
        }
        for index, name in enumerate(NAMES)
    ]
    return fields


def schema_content(classes: tuple[str, ...], rows: int, with_one_hot: bool) -> bytes:
    """
    Compose a schema file.

    :param classes: names of the labels.
    :param rows: number of photographs.
    :param with_one_hot: whether there is a column for each class.
    :returns: JSON.
    """
    content = {
        'version': VERSION,
        'rows': rows,
        'missingValues': [''],
        'fields': fields_of(classes, with_one_hot),
    }
    return (json.dumps(content, indent=2) + '\n').encode()


def read_schema(path: Path) -> Schema:
    """
    Read the schema beside a dataset.

    :returns: what the file promises.
    :raises DataError: when it is missing, damaged, or of another version or order.
    """
    beside = schema_path(path)
    try:
        content = json.loads(beside.read_text(encoding='utf-8'))
        version, rows, fields = content['version'], content['rows'], content['fields']
        names = tuple(field['name'] for field in fields)
        classes = tuple(fields[len(HEAD) - 1]['constraints']['enum'])
    except OSError as error:
        raise DataError(
            f'{beside} cannot be read ({error.strerror}), and nothing else tells what '
            f'{path.name} holds: write the dataset again.'
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f'{beside} is no schema of a dataset ({error!r}).') from error
    if version != VERSION:
        raise DataError(f'{beside} has version {version}; this program reads {VERSION} only.')
    allowed = [[each['name'] for each in fields_of(classes, hot)] for hot in (False, True)]
    if list(names) not in allowed:
        raise DataError(f'{beside} has other fields, or another order, than version {VERSION}.')
    return Schema(names, classes, rows)


def _check_range(what: str, values: NDArray[np.int64], least: int, most: int) -> None:
    wrong = np.flatnonzero((values < least) | (values > most))
    if len(wrong):
        raise DataError(
            f'Photograph {wrong[0]} of the dataset has the {what} {values[wrong[0]]}, '
            f'and only {least} to {most} are possible.'
        )


def _lines(path: Path, header: list[str]) -> Iterator[tuple[int, list[str]]]:
    lines = _text_lines(path)
    if next(lines, (1, [])) != (1, header):
        raise DataError(f'{path}, line 1: not the fields of {schema_path(path).name}.')
    for line, fields in lines:
        if len(fields) != len(header):
            raise DataError(
                f'{path}, line {line}: {len(fields)} fields where the header has '
                f'{len(header)}; write the dataset again.'
            )
        yield line, fields


def _text_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """
    Read a CSV file's lines.

    :returns: yields a line's number, from 1 on, and its fields.
    :raises DataError: when the file is missing or not text.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}.') from error
    except UnicodeDecodeError as error:
        raise DataError(f'{path} is not text: byte {error.start} is not UTF-8.') from error
    return enumerate(csv.reader(text.splitlines()), start=1)


def _numbers(fields: list[str], names: tuple[str, ...], where: str) -> list[float]:
    """
    Read a line's numbers.

    :param fields: their text.
    :param names: what each is called.
    :param where: file and line, for the complaint.
    :raises DataError: naming the first field that is no number.
    """
    found = []
    for name, field in zip(names, fields):
        try:
            found.append(float(field))
        except ValueError:
            raise DataError(f'{where}, field {name}: {field!r} is no number.') from None
    return found
