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

"""Reads CSV files so that a complaint names the line and the field."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from training.datasets.labels import DataError


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """
    Read a CSV file's lines.

    :param path: the file.
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


def numbers(fields: list[str], names: tuple[str, ...], where: str) -> list[float]:
    """
    Read a line's numbers.

    :param fields: their text.
    :param names: what each is called.
    :param where: file and line, for the complaint.
    :returns: the numbers.
    :raises DataError: naming the first field that is no number.
    """
    found = []
    for name, field in zip(names, fields):
        try:
            found.append(float(field))
        except ValueError:
            raise DataError(f'{where}, field {name}: {field!r} is no number.') from None
    return found
