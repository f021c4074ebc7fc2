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

"""From photographs to the features that a robot would have of them, through the runtime's code."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from emotion_estimator.assets import ASSETS_VARIABLE, FACE_LANDMARKER, find_asset
from emotion_estimator.blendshapes import MIRROR, NAMES
from emotion_estimator.faces.encoding import FaceEncoding, read_encoding
from emotion_estimator.files import DEFAULT_ENCODING, sha256_of, write_whole
from emotion_estimator.parallel.engine import Advanced, Finished, SchedulerError, run_all
from emotion_estimator.parallel.workers import open_workers
from training import sources
from training.datasets.pictures import DataError, LabelledPictures, Pictures, Split, assets_folder
from training.encoding.appearance import NETWORKS
from training.encoding.fitting import face_crops, fit_encoding, mirror_order, mirrored
from training.extraction import face_reader
from training.extraction.face_reader import (
    FaceTable,
    joined,
    read_again,
    read_table,
    write_table,
)
from training.extraction.views import AUGMENTED, FAR, X4_PAD25, View
from training.sources import blocks_of, code_of, content_key, kept_arrays, pixels_of
from training.stills import Stills

# Faces of whole data sets: found once, kept by content, continued where it was broken off.


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
    the sources that decide: what has not changed is not done again. Their content chooses the
    block too, so that one picture more or less costs its own block alone.

    :param folder: where the blocks are kept.
    :param address: of a Dask scheduler, such as tcp://10.0.0.1:8786; None uses this machine.
    :param workers: processes on this machine; None takes one for each core.
    :param read: does the work.
    :returns: a row for each picture, and a sentence for each that could not be read.
    :raises AssetError: when MediaPipe's model cannot be had.
    :raises DataError: when the scheduler cannot be reached, or a task fails each time that it is
        tried; what the others found is kept.
    """
    # The processes that do the work inherit it.
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    find_asset(FACE_LANDMARKER)
    rows = blocks_of(pictures)
    blocks = [pictures.part(each) for each in rows]
    paths = [folder / f'{key}.npz' for key in _keys(blocks, view, read)]
    tables = {index: table for index, p in enumerate(paths) if (table := read_table(p))}
    missing = [index for index in range(len(blocks)) if index not in tables]
    complaints: list[str] = []
    undone: list[str] = []
    reached: dict[int, int] = {}
    with Progress() as progress:
        task = progress.add_task(
            f'faces, {view.name}',
            total=len(pictures),
            completed=sum(len(table) for table in tables.values()),
        )
        work = [blocks[index] for index in missing]
        with closing(_read(read, work, view, address, workers)) as events:
            for event in events:
                index = missing[event.index]
                if isinstance(event, Advanced):
                    reached[index] = rows[index][event.progress.done]
                    continue
                if event.result is None:
                    undone.append(
                        f'{len(rows[index])} pictures were not looked at: the task '
                        f'{event.problem}, at or soon after '
                        f'{pictures.name(reached.get(index, rows[index][0]))}.'
                    )
                    continue
                tables[index], said = event.result
                complaints.extend(said)
                if not said:
                    write_table(paths[index], tables[index])
                progress.advance(task, len(rows[index]))
    if undone:
        raise DataError(
            f'{" ".join(undone)} The faces of all others are kept: run it again, or without '
            'the picture that it fails at.'
        )
    found = joined([tables[index] for index in range(len(blocks))])
    return found.select(np.argsort([row for each in rows for row in each])), tuple(complaints)


def _read(
    read: Reader, blocks: list[Pictures], view: View, address: str | None, workers: int | None
) -> Generator[Union[Advanced, Finished[Found]], None, None]:
    """Read blocks side by side; yields how far each is, what was found, or why nothing was."""
    if not blocks:
        return
    tasks = [(block, list(range(len(block))), view) for block in blocks]
    try:
        with open_workers(address, workers) as pool, closing(run_all(read, tasks, pool)) as events:
            yield from events
    except SchedulerError as error:
        raise DataError(str(error)) from error


def _keys(blocks: list[Pictures], view: View, read: Reader) -> list[str]:
    mediapipe = metadata.version('mediapipe'), FACE_LANDMARKER.sha256
    reader = code_of(f'{read.__module__.replace(".", "/")}.py')
    how = (view, mediapipe, face_reader.SCHEMA, read.__qualname__, reader)
    return [content_key('extraction', *how, block.content()) for block in blocks]


# Features of photographs.


VIEWS: tuple[str, ...] = ('as it is', 'mirrored', 'augmented', 'far')
"""The second axis of `Stills.views`; the last two for the training split only."""

TRAINING_VIEWS = (X4_PAD25, AUGMENTED, FAR)
"""How photographs to learn from are looked at; the first is mirrored besides."""


def read_faces(photographs: LabelledPictures, view: View) -> FaceTable:
    """
    Find the faces of photographs, kept from run to run.

    :returns: a row for each photograph.
    """
    folder, scheduler = sources.OUT / 'extraction', sources.scheduler()
    found, complaints = extract(photographs.pictures, view, folder, scheduler)
    sources.say(*complaints)
    return found


def read_faces_twice(photographs: LabelledPictures, view: View) -> FaceTable:
    """
    Find the faces of photographs, with retry detection for those in which none is found at first.

    :returns: a row for each photograph, in the pixels of the view's pictures.
    """
    first = read_faces(photographs, view)
    lost = np.flatnonzero(~first.readable)
    pictures = photographs.pictures.part(lost.tolist())
    folder, scheduler = sources.OUT / 'extraction', sources.scheduler()
    second, _ = extract(pictures, view, folder, scheduler, read=read_again)
    return first.replaced(lost, second)


def fit_shipped_encoding() -> Path:
    """
    Fit the face encoding to the training photographs and put it where the runtime finds it.

    :returns: the encoding's file.
    :raises DataError: when photographs are missing, or too few may be learned from.
    """
    photographs, _ = sources.read_to_learn_from()
    tables = _tables(photographs, TRAINING_VIEWS, Split.TRAINING)
    # Of the first look alone: what only a second finds lies less well.
    first = read_faces(photographs, X4_PAD25)
    stills = _stills(photographs, NAMES, first.blendshapes[:, None], first.readable)
    rows = rows_to_learn_from(stills, OTHERS_TIMES_IN_ENCODING)
    least = max(how.batch for how in NETWORKS)
    if len(rows) < least:
        raise DataError(
            f'{len(rows)} of the {len(photographs)} photographs may be learned from, and the face '
            f'encoding needs {least}: add some, or keep the one that ships (`make train-cached`).'
        )
    learned_from = replace(stills.select(rows), rows=rows)
    fitted = fit_encoding(photographs, tables, learned_from)
    write_whole(encoding_path(), fitted.read_bytes())
    return encoding_path()


def faceless(photographs: LabelledPictures) -> Stills:
    """Tell what is known of photographs before any face is found: labels and votes."""
    none = np.zeros(len(photographs), np.bool_)
    return _stills(photographs, NAMES, np.zeros((len(none), 1, len(NAMES)), np.float32), none)


def read_stills(split: Split) -> Stills:
    """
    Compute one split's features with the encoding that ships, or take what is kept of them.

    :returns: all photographs of the split, unreadable ones included, with all features; in the
        training split, behind which what else is learned from stands, in all of `VIEWS`,
        otherwise in the first two.
    :raises DataError: when photographs are missing.
    :raises FaceEncodingError: when the encoding is missing.
    """
    looked = TRAINING_VIEWS if split is Split.TRAINING else (X4_PAD25,)
    return _read_views(split, looked)


def read_far_stills(split: Split) -> Stills:
    """
    Compute one split's features as though the faces were far away, or take what is kept.

    :returns: as `read_stills`, with `FAR` as the only view.
    :raises DataError: when photographs are missing.
    :raises FaceEncodingError: when the encoding is missing.
    """
    return _read_views(split, (FAR,))


OTHERS_TIMES = 2
"""How often models learn from each photograph that is not FER2013's; see training/README.md."""
OTHERS_TIMES_IN_ENCODING = 4
"""The same of the face encoding."""


def rows_to_learn_from(stills: Stills, times: int = OTHERS_TIMES) -> NDArray[np.int64]:
    """
    Choose what a network may learn from, see `Stills.for_training`.

    :param stills: the training split whole.
    :param times: how often those of others than FER2013's stand in the result.
    :returns: positions in it.
    """
    photographs = sources.read_photographs()
    tested = pixels_of(photographs.select(photographs.splits != Split.TRAINING).pictures)
    training, count = sources.read_to_learn_from()
    positions = replace(stills, rows=np.arange(len(stills)))
    kept = positions.for_training(list(pixels_of(training.pictures)), set(tested)).rows
    return np.concatenate([kept, np.repeat(kept[kept >= count], times - 1)])


def read_training_stills(stills: Stills) -> Stills:
    """
    Keep what a network may learn from, see `rows_to_learn_from`.

    :param stills: the training split whole.
    """
    return stills.select(rows_to_learn_from(stills))


def stand_in_a_test_split() -> NDArray[np.bool_]:
    """
    Find photographs of the training split that stand pixel for pixel in a test split too.

    :returns: mask over the training split, shape [N].
    """
    photographs = sources.read_photographs()
    tested = set(pixels_of(photographs.select(photographs.splits != Split.TRAINING).pictures))
    training = pixels_of(photographs.split(Split.TRAINING).pictures)
    return np.array([pixels in tested for pixels in training], np.bool_)


def encoding_path() -> Path:
    """
    Name the encoding that ships.

    :returns: the file; it need not exist.
    """
    return sources.ENCODINGS / f'{DEFAULT_ENCODING}.npz'


def _read_views(split: Split, looked: tuple[View, ...]) -> Stills:
    """Compute one split's features in some views, or take what is kept of them."""
    if split is Split.TRAINING:
        photographs, _ = sources.read_to_learn_from()
    else:
        photographs = sources.read_photographs().split(split)
    encoding = read_encoding(encoding_path())
    tables = _tables(photographs, looked, split)
    seen = [part for _, table in tables for part in (table.points, table.blendshapes)]
    key = content_key('features', sha256_of(encoding_path()), *seen)
    kept = sources.OUT / 'features' / f'{key}.npz'
    kept_arrays(kept, partial(_views, photographs, tables, encoding))
    with np.load(kept, allow_pickle=False) as file:
        return _stills(photographs, (*NAMES, *encoding.names), file['views'], file['readable'])


def _tables(
    photographs: LabelledPictures, views: tuple[View, ...], split: Split
) -> list[tuple[View, FaceTable]]:
    """Find faces in each view; only what is looked at as it is gets retry detection."""
    tables = [
        (view, (read_faces if view.augmentation else read_faces_twice)(photographs, view))
        for view in views
    ]
    if not tables[0][1].readable.any():
        raise DataError(
            f'No face is found in the {len(photographs)} photographs of {photographs.name}, split '
            f'{split.name.lower()}; its photographs must show faces.'
        )
    return tables


def _stills(
    photographs: LabelledPictures,
    features: tuple[str, ...],
    views: NDArray[np.float32],
    readable: NDArray[np.bool_],
) -> Stills:
    return Stills(
        features=features,
        views=views,
        readable=readable.reshape(len(photographs), -1),
        labels=photographs.labels,
        votes=photographs.votes,
        other_votes=photographs.other_votes,
        rows=getattr(photographs.pictures, 'rows', np.arange(len(photographs))),
    )


def _views(
    photographs: LabelledPictures, tables: list[tuple[View, FaceTable]], encoding: FaceEncoding
) -> dict[str, NDArray[Any]]:
    order = mirror_order(encoding.template)
    columns, readable = [], []
    for view, table in tables:
        straight = face_crops(photographs.pictures, table, view, encoding.template)
        points = table.points.astype(np.float32)
        columns.append(_features(table, table.blendshapes, points, straight, encoding))
        readable.append(table.readable)
        if view.augmentation is None:
            shapes = table.blendshapes[:, list(MIRROR)]
            flipped = straight[:, :, ::-1]
            columns.append(_features(table, shapes, mirrored(points, order), flipped, encoding))
            readable.append(table.readable)
    return {'views': np.stack(columns, axis=1), 'readable': np.stack(readable, axis=1)}


def _features(
    table: FaceTable,
    shapes: NDArray[np.float32],
    points: NDArray[np.float32],
    faces: NDArray[np.uint8],
    encoding: FaceEncoding,
) -> NDArray[np.float32]:
    found = np.zeros((len(table), len(NAMES) + len(encoding.names)), np.float32)
    rows = np.flatnonzero(table.readable)
    found[rows, : len(NAMES)] = shapes[rows]
    for part in np.array_split(rows, max(1, len(rows) // 1024)):
        found[part, len(NAMES) :] = encoding.encode_many(points[part], faces[part])
    return found
