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

"""Faces of whole data sets: found once, kept by content, continued where it was broken off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path

from rich.progress import Progress

from emotion_estimator.assets import ASSETS_VARIABLE, FACE_LANDMARKER, find_asset
from training.code_digest import code_of
from training.datasets.labels import assets_folder
from training.datasets.pictures import Pictures
from training.extraction import augmentation, face_reader, face_table, preparation, views
from training.extraction.face_table import (
    FaceTable,
    empty_table,
    joined,
    read_table,
    write_table,
)
from training.extraction.spreading import TaskError, spread
from training.extraction.views import View

BLOCK = 256
"""Pictures in a task and in a file."""

Reader = Callable[[Pictures, list[int], View], tuple[FaceTable, tuple[str, ...]]]
"""Finds the face of each picture, see `face_reader.read_faces`; a function of a module."""

_SOURCES = (augmentation, face_reader, preparation, views)


def extract(
    pictures: Pictures,
    view: View,
    folder: Path,
    address: str | None = None,
    workers: int | None = None,
    read: Reader = face_reader.read_faces,
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture, or take what an earlier run found.

    Each block of pictures is one file, named by its pictures' content, the view, MediaPipe and
    the sources that decide: what has not changed is not done again.

    :param pictures: the data set's pictures.
    :param view: how they are looked at.
    :param folder: where the blocks are kept.
    :param address: see `spread`.
    :param workers: see `spread`.
    :param read: does the work.
    :returns: a row for each picture, and a sentence for each that could not be read.
    :raises AssetError: when MediaPipe's model cannot be had.
    :raises DataError: when the scheduler cannot be reached.
    """
    # The processes that do the work inherit it.
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    find_asset(FACE_LANDMARKER)
    blocks = [
        pictures.part(range(start, min(start + BLOCK, len(pictures))))
        for start in range(0, len(pictures), BLOCK)
    ]
    paths = [folder / f'{key}.npz' for key in _keys(blocks, view, read)]
    tables = {index: table for index, p in enumerate(paths) if (table := read_table(p))}
    missing = [index for index in range(len(blocks)) if index not in tables]
    complaints: list[str] = []
    with Progress() as progress:
        task = progress.add_task(
            f'faces, {view.name}',
            total=len(pictures),
            completed=sum(len(table) for table in tables.values()),
        )
        work = [(blocks[index], list(range(len(blocks[index]))), view) for index in missing]
        for position, answer in spread(read, work, address, workers):
            index = missing[position]
            if isinstance(answer, TaskError):
                names = [blocks[index].name(row) for row in (0, len(blocks[index]) - 1)]
                complaints.append(f'{names[0]} to {names[1]} were left out: the task {answer}.')
                tables[index] = empty_table(len(blocks[index]))
                continue
            tables[index], told = answer
            complaints.extend(told)
            if not told:
                write_table(paths[index], tables[index])
            progress.advance(task, len(blocks[index]))
    return joined([tables[index] for index in range(len(blocks))]), tuple(complaints)


def _keys(blocks: list[Pictures], view: View, read: Reader) -> Iterator[str]:
    mediapipe = f'{metadata.version("mediapipe")} {FACE_LANDMARKER.sha256}'
    common = hashlib.sha256(f'{view!r} {mediapipe} {face_table.SCHEMA}'.encode())
    for module in dict.fromkeys((*_SOURCES, import_module(read.__module__))):
        common.update(code_of(module))
    for block in blocks:
        digest = common.copy()
        for content in block.content():
            digest.update(hashlib.sha256(content).digest())
        yield digest.hexdigest()[:24]
