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

"""The schema of a blendshapes dataset: fields, units, ranges, order and version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_estimator.blendshapes import NAMES
from training.datasets.labels import DataError, Split

VERSION = 1
HEAD = ('row', 'split', 'class')
"""The columns before the one-hot label and the blendshapes."""


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

    :param path: the CSV.
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
