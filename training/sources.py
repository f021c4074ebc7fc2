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

"""Where the photographs come from, and where and under what name results are kept."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import itertools
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emotion_estimator.files import write_whole
from training.datasets import fer2013
from training.datasets.photographs import read_labelled_folder
from training.datasets.pictures import (
    DataError,
    LabelledPictures,
    PeoplesPictures,
    PictureError,
    Pictures,
    Split,
    assets_folder,
)

FER2013_VARIABLE = 'EMOTION_ESTIMATOR_FER2013'
"""Environment variable: fer2013.csv, an .npz or a folder of pictures."""

FERPLUS_VARIABLE = 'EMOTION_ESTIMATOR_FERPLUS'
"""Environment variable: fer2013new.csv of FER+, where the photographs come without votes."""

SCHEDULER_VARIABLE = 'EMOTION_ESTIMATOR_SCHEDULER'
"""Environment variable: address of a Dask scheduler that finds the faces."""

TRAINED_ON = {'web': '01234567'}
"""Of a set in `ood`: with what the names of files begin that may be trained on."""

REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = REPOSITORY / 'resource' / 'models'
ENCODINGS = REPOSITORY / 'resource' / 'face_encodings'
OUT = REPOSITORY / 'out'


def read_photographs() -> LabelledPictures:
    """
    Read FER2013 and its votes; says, once, what is left out.

    :returns: all photographs of all splits.
    :raises DataError: when a file is missing or cannot be read.
    """
    named = os.environ.get(FER2013_VARIABLE)
    photographs = fer2013.read(
        Path(named) if named else assets_folder() / 'fer2013' / 'fer2013.npz'
    )
    if votes := os.environ.get(FERPLUS_VARIABLE):
        photographs = fer2013.join_votes(photographs, fer2013.read_votes(Path(votes)))
    say(*photographs.complaints)
    return photographs


def read_to_learn_from() -> tuple[LabelledPictures, int]:
    """
    Read the photographs that are learned from.

    :returns: FER2013's training split and behind it what `TRAINED_ON` names, where `ood` is there;
        how many are FER2013's.
    :raises DataError: when FER2013 is missing, cannot be read or lacks a split.
    """
    whole = read_photographs()
    for split in (Split.TRAINING, Split.PUBLIC):
        if not (whole.splits == split).any():
            raise DataError(
                f'{whole.name} has no photograph of the split {split.name.lower()}: networks are '
                'learned from those of training, and those of public choose among them.'
            )
    photographs = whole.split(Split.TRAINING)
    count = len(photographs)
    ours = assets_folder() / 'ood'
    for one in _labelled(ours).values() if ours.is_dir() else ():
        further = one.photographs.split(Split.TRAINING)
        if len(further):
            photographs = photographs.followed_by(further)
    return photographs, count


def read_other_people(folder: Path | None = None) -> dict[str, PeoplesPictures]:
    """
    Read pictures of people whom no model learned from, for protocol X; says what is left out.

    :param folder: see `read_labelled_folder`; None takes `ood` of the assets folder.
    :returns: by the name of their set; of `ood` without what may be trained on.
    :raises DataError: when the folder holds none that can be read.
    """
    folder = folder or assets_folder() / 'ood'
    tested = {
        name: _legible(one.select(one.photographs.splits != Split.TRAINING))
        for name, one in _labelled(folder).items()
    }
    if not any(len(one.people) for one in tested.values()):
        raise DataError(f'{folder} holds no picture that can be read.')
    return {name: one for name, one in tested.items() if len(one.people)}


def _labelled(folder: Path) -> dict[str, PeoplesPictures]:
    """Read a folder of labelled pictures and say what is left out."""
    ours = folder.resolve() == (assets_folder() / 'ood').resolve()
    found, complaints = read_labelled_folder(folder, TRAINED_ON if ours else None)
    say(*complaints, *(c for one in found.values() for c in one.photographs.complaints))
    return found


def legible(pictures: Pictures, rows: Iterable[int]) -> list[int]:
    """
    Leave out files that are no pictures, and say so.

    :returns: the rows of the others.
    """
    kept = []
    for row in rows:
        try:
            pictures.read(row)
            kept.append(row)
        except PictureError as error:
            say(f'{error} It is left out.')
    return kept


def _legible(one: PeoplesPictures) -> PeoplesPictures:
    """Leave out files that are no pictures: they would count as faces that are not found."""
    rows = legible(one.photographs.pictures, range(len(one.people)))
    return one.select(np.array(rows, np.int64))


def pixels_of(pictures: Pictures) -> Iterator[bytes]:
    """
    Tell which pictures are the same pixel for pixel, whatever they are kept in.

    :returns: yields a digest of each picture; of a file that is no picture, its name.
    """
    for index in range(len(pictures)):
        try:
            picture = pictures.read(index)
        except PictureError:
            yield os.fsencode(pictures.name(index))
            continue
        # Files are read in colour, also where they hold greys alone.
        if picture.ndim == 3 and (picture == picture[..., :1]).all():
            picture = picture[..., 0]
        yield hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


_said: set[str] = set()


def say(*complaints: str) -> None:
    """Print sentences, each once in a process: a command reads its photographs several times."""
    for complaint in complaints:
        if complaint not in _said:
            _said.add(complaint)
            print(complaint)


def scheduler() -> str | None:
    """
    Name the Dask scheduler that was asked for.

    :returns: its address, or None for this machine.
    """
    return os.environ.get(SCHEDULER_VARIABLE) or None


# Results that are kept are named by what decides them, so that nothing stale is taken.

_LANDMARKER = ('emotion_estimator/faces/landmarker.py', 'emotion_estimator/faces/networks.py')
_ENCODING = (
    'emotion_estimator/faces/appearance.py',
    'emotion_estimator/faces/encoding.py',
    'emotion_estimator/faces/geometry.py',
)

KEY_SOURCES: dict[str, tuple[str, ...]] = {
    'clips': (*_LANDMARKER, *_ENCODING, 'training/clips.py', 'training/datasets/clips.py'),
    'extraction': (
        *_LANDMARKER,
        'emotion_estimator/faces/geometry.py',
        'training/extraction/face_reader.py',
        'training/extraction/views.py',
    ),
    'crops': (
        *_ENCODING,
        'training/encoding/fitting.py',
        'training/extraction/views.py',
    ),
    'encoding': (
        *_ENCODING,
        'training/encoding/appearance.py',
        'training/encoding/fitting.py',
        'training/network.py',
    ),
    'features': (*_ENCODING, 'training/encoding/fitting.py', 'training/still_features.py'),
    'visibility': (
        *_LANDMARKER,
        *_ENCODING,
        'training/covers.py',
        'training/extraction/covered_faces.py',
        'training/extraction/views.py',
        'training/painting.py',
    ),
    'held': (
        *_LANDMARKER,
        *_ENCODING,
        'emotion_estimator/estimator.py',
        'emotion_estimator/faces/detection.py',
        'emotion_estimator/faces/finder.py',
        'emotion_estimator/faces/multi_face.py',
        'emotion_estimator/faces/pose.py',
        'emotion_estimator/faces/tracker.py',
        'training/extraction/views.py',
        'training/protocols/other_people.py',
    ),
    'training': (  # it learns from clips too, which are followed by the landmarker
        *_LANDMARKER,
        *_ENCODING,
        'emotion_estimator/evaluation/labels.py',
        'training/stills.py',
        'training/facial_actions.py',
        'training/clips.py',
        'training/datasets/clips.py',
        'training/windows.py',
        'training/network.py',
        'training/fitting.py',
    ),
    'baselines': ('training/network.py', 'training/scoring.py'),
    'search_data': ('training/commands/search.py',),
    'search': ('training/random_search.py',),
}
"""Modules whose code decides a kind of result, as paths from the repository's root."""


def content_key(kind: str, *decisive: Any) -> str:
    """
    Name a result by all that decides it.

    :param kind: a name of `KEY_SOURCES`.
    :param decisive: what it is made of, and with: arrays, bytes, and settings that `repr` tells
        apart; of an iterator one after the other, since pictures may fill the memory.
    :returns: 16 hexadecimal digits.
    """
    digest = hashlib.sha256(code_of(*KEY_SOURCES[kind]))
    parts = (part if isinstance(part, Iterator) else (part,) for part in decisive)
    for part in itertools.chain.from_iterable(parts):
        if isinstance(part, np.ndarray):
            content = f'{part.dtype} {part.shape} '.encode() + part.tobytes()
        else:
            content = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


BLOCK = 256
"""Pictures in a task and in a file, more or less."""


def blocks_of(pictures: Pictures) -> list[list[int]]:
    """
    Sort pictures into blocks by their content: one more or less changes its own block alone.

    :returns: the rows of each.
    """
    count = 2 ** max(0, round(math.log2(max(1, len(pictures)) / BLOCK)))
    blocks: list[list[int]] = [[] for _ in range(count)]
    for row, content in enumerate(pictures.content()):
        digest = hashlib.sha256(content).digest()
        blocks[int.from_bytes(digest[:4], 'big') % count].append(row)
    return [rows for rows in blocks if rows]


def kept_arrays(path: Path, make: Callable[[], Mapping[str, Any]]) -> Path:
    """
    Write arrays into an .npz file, unless it is there and whole.

    :param path: the file, named by a `content_key`.
    :param make: computes the arrays by name.
    """
    if not is_whole(path):
        content = io.BytesIO()
        np.savez(content, **make())
        write_whole(path, content.getvalue())
    return path


def is_whole(path: Path) -> bool:
    """Tell whether an .npz file is there, neither cut off nor damaged."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    # Of a damaged file zipfile and zlib each complain in their own way.
    except Exception:
        return False


def code_of(*sources: str) -> bytes:
    """
    Write modules' code without comments, docstrings and layout, which decide nothing.

    :param sources: paths from the repository's root, such as 'training/clips.py'.
    :raises FileNotFoundError: when a path names no file.
    """
    return b''.join(_code(REPOSITORY / source) for source in sources)


@functools.cache
def _code(path: Path) -> bytes:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                part
                for part in node.body
                if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return ast.dump(tree).encode()
