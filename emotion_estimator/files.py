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

"""Finds what the package ships; checksums; files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

PACKAGE = 'emotion_estimator'
DEFAULT_ENCODING = 'v3'
"""Face encoding that this package's models were trained on."""


class AssetError(RuntimeError):
    """A file that cannot be had; the message says which, where it was sought and what to do."""


def find_model(name: str) -> Path:
    """
    Find a model folder by name or path.

    :param name: a folder's path, or the name of a model that ships, such as 'basic7'.
    :returns: the folder.
    :raises AssetError: naming where it was sought and which models are there.
    """
    return _find_shipped('model', 'models', name, '', Path.is_dir)


def find_encoding(name: str) -> Path:
    """
    Find a face encoding by name or path.

    :param name: an .npz file's path, or the name of an encoding that ships, such as 'v2'.
    :returns: the file.
    :raises AssetError: naming where it was sought and which encodings are there.
    """
    return _find_shipped('face encoding', 'face_encodings', name, '.npz', Path.is_file)


def find_shared_file(relative: str) -> Path:
    """
    Find a file that the package installs into its share folder.

    :param relative: path below the share folder, such as 'config/emotion_estimator.yaml'.
    :returns: the file's path.
    :raises AssetError: when it is in none of the share folders.
    """
    folders = _share_folders()
    for folder in folders:
        if (folder / relative).exists():
            return folder / relative
    raise AssetError(f'{relative} is in none of {", ".join(map(str, folders))}.')


def sha256_of(path: Path) -> str:
    """
    Compute a file's checksum.

    :param path: the file.
    :returns: SHA-256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """
    Write a file whole or not at all.

    :param path: the file; its folder is made.
    :param content: the bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _share_folders() -> list[Path]:
    """Tell where shared files are: a checkout uses its own, an installed package its prefix's."""
    source = Path(__file__).resolve().parent.parent
    if (source / 'package.xml').is_file():
        return [source]
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    return [Path(prefix) / 'share' / PACKAGE for prefix in prefixes]


def _find_shipped(
    what: str, kept_in: str, name: str, suffix: str, exists: Callable[[Path], bool]
) -> Path:
    """Find one of several things that ship, or one of the user's own, given by a path."""
    as_path = Path(name).expanduser()
    if exists(as_path) and (as_path.is_absolute() or os.sep in name):
        return as_path
    found: set[str] = set()
    folders = [folder / 'resource' / kept_in for folder in _share_folders()]
    for folder in folders:
        path = folder / f'{name}{suffix}'
        if name and os.sep not in name and exists(path):
            return path
        if folder.is_dir():
            found.update(p.name for p in folder.iterdir() if exists(p) and p.name.endswith(suffix))
    there = ', '.join(sorted(name.removesuffix(suffix) for name in found)) or 'none'
    raise AssetError(
        f'There is no {what} {name!r}: sought as a path and in '
        f'{", ".join(map(str, folders))}. {what.capitalize()}s there: {there}.'
    )
