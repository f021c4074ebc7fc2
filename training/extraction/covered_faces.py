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

"""
Faces of photographs that are covered by drawings, or turned over, as the robot would see them.

MediaPipe looks at each picture again once it is covered, since its mesh gives way; where the mesh
lies then, the face is cut out.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from importlib import metadata
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.appearance import CROP_PX
from emotion_estimator.faces.encoding import FaceEncoding, read_encoding
from emotion_estimator.faces.geometry import MESH
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.parallel.engine import Finished, reporter, run_all
from emotion_estimator.parallel.workers import open_workers
from training import sources
from training.covers import EYE_COVERS, HARMLESS, MOUTH_COVERS, covered
from training.datasets.pictures import DataError, Pictures
from training.extraction.views import enlarged
from training.painting import FacePlaces
from training.sources import content_key, is_whole, kept_arrays

BLOCK = 100
"""Photographs in a task and in a file."""
_MISFIT = 0.5
"""
Mean distance of a mesh from where it belongs from which on it counts as laid wrong, as share of
the mesh's own size. An upside-down mesh has about 2, a good one below .2.
"""


@dataclass(frozen=True)
class SeenParts:
    """
    Crops of faces, and what can be seen in them.

    :param crops: grey, shape [N, CROP_PX, CROP_PX], see `crop_face`.
    :param seen: whether mouth and eyes can be seen, and whether the mesh lies right, [N, 3].
    :param kinds: names of what was drawn, joined by '+'; 'as it is' or 'turned'; shape [N].
    """

    crops: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    kinds: NDArray[np.str_]

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.crops)

    @classmethod
    def joined(cls, parts: Sequence[SeenParts]) -> SeenParts:
        """Put several behind each other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


def covered_pictures(
    picture: NDArray[np.uint8],
    outline: NDArray[np.float32],
    rng: np.random.Generator,
    donors: Sequence[NDArray[np.uint8]],
) -> Iterator[tuple[str, bool, bool, NDArray[np.uint8], NDArray[np.float32]]]:
    """
    Cover and turn one photograph.

    :param picture: RGB, of a face that nothing covers.
    :param outline: x and y of its landmarks in pixels, shape [478, 2].
    :param rng: source of chance.
    :param donors: see `covered`.
    :returns: yields what was done, whether the mouth and whether the eyes are left to be seen, the
        picture and where the landmarks belong in it.
    """
    face = FacePlaces(outline)

    def mouth() -> str:
        return str(rng.choice(MOUTH_COVERS, p=[0.35, 0.25, 0.15, 0.25]))

    def eyes() -> str:
        return str(rng.choice(EYE_COVERS, p=[0.5, 0.2, 0.15, 0.15]))

    harmless = rng.choice(HARMLESS, int(rng.integers(1, 3)), False, p=[0.35, 0.3, 0.25, 0.1])
    plans = [([mouth()], False, True), ([eyes()], True, False), (list(harmless), True, True)]
    if rng.random() < 0.25:
        plans += [([mouth(), 'spectacles'], False, True), ([eyes(), 'beard'], True, False)]
    if rng.random() < 0.12:
        plans += [([mouth(), eyes()], False, False)]
    for names, mouth_seen, eyes_seen in plans:
        made = covered(picture, face, names, rng, donors)
        yield '+'.join(names), mouth_seen, eyes_seen, made, outline
    over = rng.random() < 0.75
    angle = float(180 + rng.normal(0, 14) if over else rng.uniform(0, 360))
    height, width = picture.shape[:2]
    turn = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0), np.float32)
    turned = np.asarray(cv2.warpAffine(picture, turn, (width, height)), np.uint8)
    yield 'turned', True, True, turned, outline @ turn[:, :2].T + turn[:, 2]


def misfit(outline: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """
    Tell how far a mesh lies from where it belongs.

    :param outline: x and y of its landmarks, shape [478, 2].
    :param right: where they belong, the same shape.
    :returns: root mean square distance, 1 being that of the landmarks from their middle.
    """
    away = ((outline - right)[:MESH] ** 2).sum(axis=1).mean()
    return float(np.sqrt(away / right[:MESH].var(axis=0).sum()))


def read_parts(
    pictures: Pictures, donors: Sequence[NDArray[np.uint8]], encoding: Path
) -> SeenParts:
    """
    Cover, turn and cut out the faces of photographs; those without a face are left out.

    :param donors: see `covered`.
    :param encoding: file of the face encoding on whose template faces are laid.
    :returns: several crops for each photograph.
    """
    landmarker, template = _landmarker(), _encoding(encoding)
    crops, seen, kinds = [], [], []
    report = reporter()
    for index in range(len(pictures)):
        report(index, len(pictures))
        photograph = pictures.read(index)
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(photograph).data))
        picture = enlarged(photograph)
        size = np.array([picture.shape[1], picture.shape[0]], np.float32)
        faces = landmarker.find(picture)
        if not faces:
            continue
        outline = faces[0].landmarks[:, :2] * size
        as_it_is = 'as it is', True, True, picture, outline
        changed = covered_pictures(picture, outline, rng, donors)
        for kind, mouth, eyes, made, right in chain([as_it_is], changed):
            found = landmarker.find(made)
            if found:
                fits = misfit(found[0].landmarks[:, :2] * size, right) < _MISFIT
                crops.append(template.crop(made, found[0].landmarks))
                seen.append((mouth, eyes, fits))
                kinds.append(kind)
    shape = (-1, CROP_PX, CROP_PX)
    return SeenParts(
        np.array(crops, np.uint8).reshape(shape),
        np.array(seen, np.bool_).reshape(-1, 3),
        np.array(kinds, np.str_),
    )


@functools.cache
def _landmarker() -> FaceLandmarker:
    """Load MediaPipe once a process."""
    return FaceLandmarker(FaceNetworks(find_asset(FACE_LANDMARKER)), stills=True)


@functools.cache
def _encoding(path: Path) -> FaceEncoding:
    return read_encoding(path)


def place_of(pictures: Pictures, donors: Sequence[NDArray[np.uint8]], encoding: Path) -> Path:
    """
    Name the file in which the crops of a block are kept, by all that decides them.

    :param donors: see `covered`.
    :param encoding: see `read_parts`.
    """
    mediapipe = metadata.version('mediapipe'), FACE_LANDMARKER.sha256
    how = (mediapipe, _encoding(encoding).template, len(donors), *donors)
    key = content_key('visibility', *how, pictures.content())
    return sources.OUT / 'visibility' / f'{key}.npz'


def every_part(
    pictures: Pictures,
    donors: Sequence[NDArray[np.uint8]],
    encoding: Path,
    address: str | None,
) -> SeenParts:
    """
    Do `read_parts` over all cores, or take what an earlier run left.

    :param donors: see `covered`.
    :param encoding: see `read_parts`.
    :param address: of a Dask scheduler; None uses this machine.
    :returns: all crops.
    :raises DataError: when a part of the work fails.
    """
    find_asset(FACE_LANDMARKER)
    blocks = [
        pictures.part(range(start, min(start + BLOCK, len(pictures))))
        for start in range(0, len(pictures), BLOCK)
    ]
    paths = [place_of(block, donors, encoding) for block in blocks]
    missing = [index for index, path in enumerate(paths) if not is_whole(path)]
    tasks = [(blocks[index], donors, encoding) for index in missing]
    with Progress() as progress, open_workers(address) as pool:
        bar = progress.add_task('covered faces', total=len(blocks))
        progress.advance(bar, len(blocks) - len(missing))
        with closing(run_all(read_parts, tasks, pool)) as events:
            for event in events:
                if not isinstance(event, Finished):
                    continue
                if event.result is None:
                    raise DataError(f'A block of photographs was not covered: {event.problem}.')
                kept_arrays(paths[missing[event.index]], functools.partial(vars, event.result))
                progress.advance(bar)
    found = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            found.append(SeenParts(**{f.name: file[f.name] for f in fields(SeenParts)}))
    return SeenParts.joined(found)
