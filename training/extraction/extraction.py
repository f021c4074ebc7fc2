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

import os
from collections.abc import Callable, Generator
from contextlib import closing
from importlib import metadata
from pathlib import Path

from rich.progress import Progress

from emotion_estimator.assets import ASSETS_VARIABLE, FACE_LANDMARKER, find_asset
from emotion_estimator.parallel.cluster import open_workers
from emotion_estimator.parallel.engine import Finished, SchedulerError, run_all
from training.datasets.pictures import DataError, Pictures, assets_folder
from training.extraction import face_reader
from training.extraction.face_reader import FaceTable, empty_table, joined, read_table, write_table
from training.extraction.views import View
from training.sources import code_of, content_key

BLOCK = 256
"""Pictures in a task and in a file."""

Found = tuple[FaceTable, tuple[str, ...]]
"""A row for each picture, and a sentence for each that could not be read."""
Reader = Callable[[Pictures, list[int], View], Found]
"""Finds the face of each picture, see `face_reader.read_faces`; a function of a module."""


def extract(
    pictures: Pictures,
    view: View,
    folder: Path,
    address: str | None = None,
    workers: int | None = None,
    read: Reader = face_reader.read_faces,
) -> Found:
    """
    Find the face of each picture, or take what an earlier run found.

    Each block of pictures is one file, named by its pictures' content, the view, MediaPipe and
    the sources that decide: what has not changed is not done again.

    :param folder: where the blocks are kept.
    :param address: of a Dask scheduler, such as tcp://10.0.0.1:8786; None uses this machine.
    :param workers: processes on this machine; None takes one for each core.
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
        work = [blocks[index] for index in missing]
        with closing(_read(read, work, view, address, workers)) as events:
            for event in events:
                block, index = work[event.index], missing[event.index]
                if event.result is None:
                    names = f'{block.name(0)} to {block.name(len(block) - 1)}'
                    complaints.append(f'{names} were left out: the task {event.problem}.')
                    tables[index] = empty_table(len(block))
                    continue
                tables[index], said = event.result
                complaints.extend(said)
                if not said:
                    write_table(paths[index], tables[index])
                progress.advance(task, len(block))
    return joined([tables[index] for index in range(len(blocks))]), tuple(complaints)


def _read(
    read: Reader, blocks: list[Pictures], view: View, address: str | None, workers: int | None
) -> Generator[Finished[Found], None, None]:
    """Read blocks side by side; yields what was found, or why nothing was."""
    if not blocks:
        return
    tasks = [(block, list(range(len(block))), view) for block in blocks]
    try:
        with open_workers(address, workers) as pool, closing(run_all(read, tasks, pool)) as events:
            yield from (event for event in events if isinstance(event, Finished))
    except SchedulerError as error:
        raise DataError(str(error)) from error


def _keys(blocks: list[Pictures], view: View, read: Reader) -> list[str]:
    mediapipe = metadata.version('mediapipe'), FACE_LANDMARKER.sha256
    reader = code_of(f'{read.__module__.replace(".", "/")}.py')
    how = (view, mediapipe, face_reader.SCHEMA, read.__qualname__, reader)
    return [content_key('extraction', *how, *block.content()) for block in blocks]
