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
import zipfile
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import DataError

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
