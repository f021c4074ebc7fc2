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

"""Finds files: assets published elsewhere, verified by checksum, and what the package ships."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ASSETS_VARIABLE = 'EMOTION_ESTIMATOR_ASSETS'
PACKAGE = 'emotion_estimator'

_log = logging.getLogger(__name__)


class AssetError(RuntimeError):
    """A file that cannot be had; the message says which, where it was sought and what to do."""


@dataclass(frozen=True)
class Asset:
    """
    A file that the project uses but does not contain.

    :param name: file name.
    :param sha256: checksum of the one version that is accepted.
    :param url: where it is published.
    :param licence: its licence.
    """

    name: str
    sha256: str
    url: str
    licence: str


FACE_LANDMARKER = Asset(
    name='face_landmarker.task',
    sha256='64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff',
    url='https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/'
    'float16/1/face_landmarker.task',
    licence='Apache-2.0',
)
FACE_DETECTOR = Asset(
    name='yunet_n_dynamic.onnx',
    sha256='104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12',
    url='https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/master/onnx/'
    'yunet_n_dynamic.onnx',
    licence='Apache-2.0',
)


def find_asset(asset: Asset, timeout_s: float = 30.0) -> Path:
    """
    Find an asset on this machine, or download it once into the cache.

    Sought in the folder that EMOTION_ESTIMATOR_ASSETS names (and its `models` folder), then in
    the cache. A file with another checksum is not used.

    :param asset: the asset.
    :param timeout_s: longest wait for the server, in seconds.
    :returns: path of the verified file.
    :raises AssetError: when it is not on this machine and cannot be downloaded.
    """
    cached = _cache_folder() / asset.name
    candidates = [*(folder / asset.name for folder in _asset_folders()), cached]
    for path in candidates:
        if path.is_file():
            if sha256_of(path) == asset.sha256:
                return path
            _log.warning('%s is not the published %s: checksum differs.', path, asset.name)
    _log.info('Downloading %s from %s', asset.name, asset.url)
    try:
        with urllib.request.urlopen(asset.url, timeout=timeout_s) as response:
            content = response.read()
    except OSError as error:
        raise AssetError(
            f'{asset.name} is in none of {", ".join(map(str, candidates))} and cannot be '
            f'downloaded from {asset.url} ({error}); fetch it on a machine with a network and '
            f'put it into a folder that {ASSETS_VARIABLE} names.'
        ) from error
    if hashlib.sha256(content).hexdigest() != asset.sha256:
        raise AssetError(
            f'{asset.url} sent {len(content)} bytes with another checksum than '
            f'{asset.sha256}; nothing was kept. Try again, or fetch the file by hand.'
        )
    write_whole(cached, content)
    return cached


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


def _cache_folder() -> Path:
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / PACKAGE


def _asset_folders() -> list[Path]:
    named = os.environ.get(ASSETS_VARIABLE)
    return [Path(named) / 'models', Path(named)] if named else []


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
    """Find one of several things that ship, or one of the user's own, told by a path."""
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
