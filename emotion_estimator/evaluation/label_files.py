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

"""Where the labels of recordings come from: a table, a table beside each, or folder names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from emotion_estimator.evaluation.label_readers import Time, read_table
from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    LabelError,
    Labels,
    Segment,
    known_name,
)

# Labels from folders named after expressions, each with the recordings that show it.


def labels_of_folder(
    path: Path, first_ns: int, last_ns: int, own_names: Collection[str] = ()
) -> Labels:
    """
    Take the name of the nearest folder that is an expression's as the label of the whole.

    :param path: of the recording, such as 'happy/2026-05-04.mcap'; a folder's own name counts.
    :param first_ns: stamp of its first image in nanoseconds.
    :param last_ns: stamp of its last image.
    :param own_names: names that count beside those of `vocabulary`.
    :returns: one segment; none, and why, when no folder is named so.
    """
    names = [path.name, *(folder.name for folder in path.parents)]
    for name in names:
        label = known_name(name, own_names)
        if label is not None:
            return Labels((Segment(first_ns, last_ns + 1, ANY_FACE, label),), ())
    return Labels(
        (),
        (
            f'{path}: no folder above it is named after an expression, such as '
            f'{", ".join(EXPRESSIONS)}; it has no label.',
        ),
    )


@dataclass(frozen=True)
class Recorded:
    """
    What labels need to know of a recording.

    :param path: its file or folder.
    :param first_ns: stamp of its first image in nanoseconds.
    :param last_ns: stamp of its last image.
    """

    path: Path
    first_ns: int
    last_ns: int


def table_beside(path: Path) -> Path:
    """
    Name the table that belongs to a recording.

    :param path: such as 'walk.mcap' or the folder 'walk'.
    :returns: 'walk.csv' beside it; it need not exist.
    """
    name = path.name if path.is_dir() else path.stem
    return path.parent / f'{name}.csv'


def find_labels(
    recordings: Mapping[str, Recorded],
    table: Path | None = None,
    from_folders: bool = False,
    time: Time = Time.AUTOMATIC,
    own_names: Collection[str] = (),
) -> dict[str, Labels]:
    """
    Find the labels of recordings.

    :param recordings: by name; those without images are left out.
    :param table: one table for all; None takes the one beside each recording, if there is one.
    :param from_folders: whether folders named after expressions label what they hold; then no
        table is read.
    :param time: see `read_table`.
    :param own_names: names that count beside those of `vocabulary`, such as a model's classes.
    :returns: labels by recording; recordings without any are left out, unless a table that was
        named lacks them.
    :raises LabelError: when both a table and folders are asked for, or the table that was named
        cannot be read.
    """
    if table is not None and from_folders:
        raise LabelError('Labels come from a table or from folder names, not from both.')
    spans = {name: (one.first_ns, one.last_ns) for name, one in recordings.items()}
    if table is not None:
        return read_table(table, spans, time, own_names)
    found = {}
    for name, one in recordings.items():
        if from_folders:
            found[name] = labels_of_folder(one.path, one.first_ns, one.last_ns, own_names)
        elif table_beside(one.path).is_file():
            found[name] = _beside(table_beside(one.path), name, spans[name], time, own_names)
    return found


def _beside(
    path: Path, name: str, span: tuple[int, int], time: Time, own_names: Collection[str]
) -> Labels:
    """Read a table that nobody named: what is wrong with it is told, no more."""
    try:
        return read_table(path, {name: span}, time, own_names)[name]
    except LabelError as error:
        return Labels((), (str(error),))
