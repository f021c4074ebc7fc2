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

"""Where the photographs come from, and where what is made of them is kept."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from training.datasets import fer2013, ferplus
from training.datasets.labels import assets_folder
from training.datasets.pictures import LabelledPictures

FER2013_VARIABLE = 'EMOTION_ESTIMATOR_FER2013'
"""Environment variable: fer2013.csv, an .npz or a folder of pictures."""

FERPLUS_VARIABLE = 'EMOTION_ESTIMATOR_FERPLUS'
"""Environment variable: fer2013new.csv of FER+, where the photographs come without votes."""

SCHEDULER_VARIABLE = 'EMOTION_ESTIMATOR_SCHEDULER'
"""Environment variable: address of a Dask scheduler that finds the faces."""

REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = REPOSITORY / 'resource' / 'models'
ENCODINGS = REPOSITORY / 'resource' / 'face_encodings'
OUT = REPOSITORY / 'out'


def read_photographs() -> LabelledPictures:
    """
    Read FER2013 and its votes.

    :returns: all photographs of all splits.
    :raises DataError: when a file is missing or cannot be read.
    """
    named = os.environ.get(FER2013_VARIABLE)
    photographs = fer2013.read(
        Path(named) if named else assets_folder() / 'fer2013' / 'fer2013.npz'
    )
    votes = os.environ.get(FERPLUS_VARIABLE)
    return ferplus.join(photographs, ferplus.read(Path(votes))) if votes else photographs


def scheduler() -> str | None:
    """
    Name the Dask scheduler that was asked for.

    :returns: its address, or None for this machine.
    """
    return os.environ.get(SCHEDULER_VARIABLE) or None


# What a module does, as bytes: names results that must be made again when it does otherwise.


def code_of(*sources: str) -> bytes:
    """
    Write modules' code without comments, docstrings and layout, which decide nothing.

    :param sources: paths from the repository's root, such as 'training/clips.py'.
    :returns: bytes to be hashed.
    :raises FileNotFoundError: when a path names no file.
    """
    return b''.join(_code(REPOSITORY / source) for source in sources)


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
