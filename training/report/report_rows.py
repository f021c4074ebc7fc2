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

"""The report's own test and validation rows, as its repository keeps them: without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emotion_estimator.blendshapes import NAMES
from training.datasets.labels import DataError, Split
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.report.blendshapes_dataset import BlendshapesDataset
from training.report.csv_fields import numbers, read_lines

LABEL = 'label'
INDEX = 'row index'


def read_report_rows(path: Path, split: Split) -> BlendshapesDataset:
    """
    Read one of the report's files: 52 blendshapes, the label, and in the test file the row.

    The report's figures leave the first test row out: score `dataset.take(slice(1, None))`.

    :param path: `blends_test_index.csv` or `blends_val_full_set.csv`.
    :param split: what the file is.
    :returns: labels 0 happy, 1 unknown, 2 sad; rows count the file's lines from 0 on
        where it names none.
    :raises DataError: naming file, line and field.
    """
    names = (*NAMES, LABEL, INDEX)
    found: list[list[float]] = []
    for line, fields in read_lines(path):
        where = f'{path}, line {line}'
        if len(fields) not in (len(names) - 1, len(names)):
            raise DataError(
                f'{where}: {len(fields)} fields instead of {len(NAMES)} blendshapes, a label '
                'and perhaps a row.'
            )
        found.append(numbers([*fields, str(line - 1)][: len(names)], names, where))
        *_, label, row = found[-1]
        if label not in range(len(HAPPY_UNKNOWN_SAD.names)):
            raise DataError(f'{where}, field {LABEL}: {label:g} is not 0, 1 or 2.')
        if row < 0 or not row.is_integer():
            raise DataError(f'{where}, field {INDEX}: {row:g} is not 0, 1, 2, ...')
    table = np.array(found, np.float64).reshape(-1, len(names))
    return BlendshapesDataset(
        rows=table[:, -1].astype(np.int64),
        splits=np.full(len(table), int(split), np.int64),
        labels=table[:, len(NAMES)].astype(np.int64),
        blendshapes=table[:, : len(NAMES)].astype(np.float32),
        classes=HAPPY_UNKNOWN_SAD.names,
    )
