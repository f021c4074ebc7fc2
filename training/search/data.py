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

"""Windows and targets that a search trains on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.files import write_whole
from training import sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, read_dynamics
from training.content_key import code_of
from training.datasets.labels import DataError
from training.fitting import Material
from training.sequences import SequenceComposer
from training.settings import Settings, content_key
from training.stills import Stills

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SearchData:
    """
    What networks are trained on, and what chooses between them.

    :param train_windows: shape [N, steps, features + 1]; the last column is validity, 0 or 1.
    :param train_targets: shares of the classes, shape [N, classes], each row summing to 1.
    :param validation_windows: shape [M, steps, features + 1].
    :param validation_targets: shape [M, classes].
    :raises DataError: when the shapes do not fit or a value is not usable.
    """

    train_windows: NDArray[np.float32]
    train_targets: NDArray[np.float32]
    validation_windows: NDArray[np.float32]
    validation_targets: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check every array."""
        for part in ('train', 'validation'):
            _check(part, getattr(self, f'{part}_windows'), getattr(self, f'{part}_targets'))
        for kind in ('windows', 'targets'):
            train, validation = (
                getattr(self, f'{part}_{kind}').shape[1:] for part in ('train', 'validation')
            )
            if train != validation:
                raise DataError(
                    f'train_{kind} has rows of shape {train}, validation_{kind} of shape '
                    f'{validation}; make both in the same way.'
                )

    @property
    def shape(self) -> tuple[int, int]:
        """Steps and columns of a window."""
        steps, columns = self.train_windows.shape[1:]
        return steps, columns

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_targets.shape[1])

    def digest(self) -> str:
        """
        Compute a checksum of all arrays.

        :returns: SHA-256 as 64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for array in astuple(self):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_data(path: Path) -> SearchData:
    """
    Read the data of a search.

    :param path: a .npz file with the arrays of `SearchData` by their names.
    :returns: the data, as float32.
    :raises DataError: when the file cannot be read, lacks an array or has one that does not fit.
    """
    names = [field.name for field in fields(SearchData)]
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError('it holds a single array')
        with file:
            if missing := [name for name in names if name not in file.files]:
                raise DataError(
                    f'{path} lacks {", ".join(missing)}; it has '
                    f'{", ".join(file.files) or "nothing"}. Write it anew with numpy.savez.'
                )
            arrays = [file[name].astype(np.float32) for name in names]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f'{path} cannot be read as a .npz file ({error}); write it anew with numpy.savez.'
        ) from error
    try:
        return SearchData(*arrays)
    except DataError as error:
        raise DataError(f'{path}: {error}') from error


def _check(part: str, windows: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
    if windows.ndim != 3 or windows.shape[1] < 1 or windows.shape[2] < 2:
        raise DataError(
            f'{part}_windows has shape {windows.shape}; it must be [N, steps, features + 1].'
        )
    if targets.ndim != 2 or len(targets) != len(windows) or not len(targets):
        raise DataError(
            f'{part}_targets has shape {targets.shape}; it must be [N, classes] with a row for '
            f'each of the {len(windows)} windows, and at least one.'
        )
    if not np.isfinite(windows).all():
        row = int(np.argmin(np.isfinite(windows).all(axis=(1, 2))))
        raise DataError(
            f'{part}_windows, row {row}, has a value that is not finite; leave it out.'
        )
    fits = (targets >= 0).all(axis=1) & (np.abs(targets.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    if not fits.all():
        row = int(np.argmin(fits))
        raise DataError(
            f'{part}_targets, row {row}, is {targets[row].tolist()}; it must be shares that are '
            'at least 0 and sum to 1.'
        )


# Composed windows that a search trains on, made once and kept.


_AT_ONCE = 512
"""Windows composed at once, to save memory."""

Windows = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class TuningSizes:
    """
    How much a search trains on; its seed is that of the model's settings.

    :param training: windows to train on.
    :param validation: windows to choose by, of PublicTest's photographs and of other clips.
    :param steps: how many of the windows' last steps are seen, in [1, STEPS].
    """

    training: int = 20_000
    validation: int = 4096
    steps: int = 8


def tuning_data(settings: Settings, material: Material, sizes: TuningSizes) -> Path:
    """
    Compose a search's windows, or take what an earlier call of the same content left.

    :param settings: of the model: features, targets, composition, seed.
    :param material: what is learned from.
    :param sizes: how much is composed.
    :returns: the file, see `search_data.read_data`.
    :raises DataError: when a clip is missing.
    """
    features = settings.features(material.training.features)
    training = material.training.only(features)
    public = material.public.only(features)
    public = public.select(public.readable[:, 0])
    key = hashlib.sha256(content_key(settings, training, public).encode())
    key.update(json.dumps(asdict(sizes)).encode())
    key.update(code_of('training/search/data.py'))
    kept = sources.OUT / 'search' / f'{key.hexdigest()[:16]}.npz'
    if not kept.is_file():
        parts = (
            (training, TRAINING_CLIPS, sizes.training),
            (public, EVALUATION_CLIPS, sizes.validation),
        )
        composed = [
            _composed(settings, stills, clips, material.encoding, (count, sizes.steps, number))
            for number, (stills, clips, count) in enumerate(parts)
        ]
        content = io.BytesIO()
        np.savez(
            content,
            train_windows=composed[0][0],
            train_targets=composed[0][1],
            validation_windows=composed[1][0],
            validation_targets=composed[1][1],
        )
        write_whole(kept, content.getvalue())
    return kept


def _composed(
    settings: Settings,
    stills: Stills,
    clips: tuple[str, ...],
    encoding: Path,
    wanted: tuple[int, int, int],
) -> Windows:
    """Compose `wanted` windows: their number, their steps, and the number of the seed."""
    count, steps, number = wanted
    composer = SequenceComposer(
        stills,
        settings.targets.shares(stills),
        read_dynamics(clips, encoding, stills.features),
        settings.composition,
    )
    rng = np.random.default_rng([settings.seed, number])
    parts = [
        composer.windows(min(_AT_ONCE, count - start), rng, steps)
        for start in range(0, count, _AT_ONCE)
    ]
    windows, targets = (np.concatenate(each) for each in zip(*parts))
    return windows, targets
