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

import fcntl
import glob
import hashlib
import math
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

PACKAGE = 'emotion_estimator'
DEFAULT_ENCODING = 'v5'
"""Face encoding that this package's models were trained on."""
MOST_BYTES = 64 << 20
"""Of a file that is loaded whole: a hundred times what ships."""
MOST_TEXT_BYTES = 1 << 20
"""Of a text file that is parsed."""
_MOST_NUMBERS = 50_000_000  # in a network's tensors; that of the landmarks has 14 million


class AssetError(RuntimeError):
    """A file that cannot be had; the message says which, where it was sought and what to do."""


class FileError(ValueError):
    """A file that is not read; the message says why, as the end of a sentence."""


def find_model(name: str) -> Path:
    """
    Find a model folder by name or path.

    :param name: a folder's path, or the name of a model that ships, such as 'basic7'.
    :raises AssetError: naming where it was sought and which models are there.
    """
    return _find_shipped('model', 'models', name, '', Path.is_dir)


def find_encoding(name: str) -> Path:
    """
    Find a face encoding by name or path.

    :param name: an .npz file's path, or the name of an encoding that ships, such as 'v2'.
    :raises AssetError: naming where it was sought and which encodings are there.
    """
    return _find_shipped('face encoding', 'face_encodings', name, '.npz', Path.is_file)


def find_shared_file(relative: str) -> Path:
    """
    Find a file that the package installs into its share folder.

    :param relative: path below the share folder, such as 'config/emotion_estimator.yaml'.
    :raises AssetError: when it is in none of the share folders.
    """
    folders = _share_folders()
    for folder in folders:
        if (folder / relative).exists():
            return folder / relative
    raise AssetError(f'{relative} is in none of {", ".join(map(str, folders))}.')


def read_file(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """
    Read a regular file whole, within bounds: a path may be anything, also a FIFO or a device.

    :param most_bytes: a larger one is not read.
    :raises FileError: when it is not there, no regular file, too large or cannot be read.
    """
    try:
        # Looked at before it is opened, which some devices act on, and again when it is open.
        _check_regular(path.stat(), most_bytes)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, 'rb') as file:
            _check_regular(os.fstat(handle), most_bytes)
            content = file.read(most_bytes + 1) or b''
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(getattr(error, 'strerror', None) or str(error)) from error
    if len(content) > most_bytes:  # it grows, or a file system of the kernel does not know
        raise FileError(f'it is larger than {_size(most_bytes)}')
    return content


def read_text(path: Path) -> str:
    """
    Read a text file in UTF-8 whole, of at most `MOST_TEXT_BYTES`.

    :raises FileError: see `read_file`.
    """
    try:
        return read_file(path, MOST_TEXT_BYTES).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise FileError(f'it is no text in UTF-8: {error}') from error


def check_shapes(shapes: Iterable[Iterable[int]]) -> None:
    """
    Refuse a network before memory is taken for its tensors, which a few bytes may make vast.

    :param shapes: of its tensors.
    :raises FileError: when they hold more numbers than any network here needs.
    """
    count = sum(abs(math.prod(map(int, shape))) for shape in shapes)
    if count > _MOST_NUMBERS:
        raise FileError(f'its tensors hold {count:,} numbers; at most {_MOST_NUMBERS:,} may be')


def _check_regular(status: os.stat_result, most_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileError('it is a folder')
    if not stat.S_ISREG(status.st_mode):
        raise FileError('it is no regular file but a pipe, socket or device')
    if status.st_size > most_bytes:
        raise FileError(f'it has {_size(status.st_size)}; at most {_size(most_bytes)} are read')


def _size(count: int) -> str:
    return f'{count / 2**20:,.0f} MB'


def sha256_of(path: Path) -> str:
    """Compute a file's SHA-256, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class OutputError(OSError):
    """A place that cannot be written; the message says which, why and what to do."""


LEAST_FREE_BYTES = 1 << 20
"""Less room than this is taken for a full disk."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """
    Say of what goes wrong in the block that a place cannot be written.

    :raises OutputError: instead of another OSError, or FileError.
    """
    try:
        yield
    except OutputError:
        raise
    except (OSError, FileError) as error:
        reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
        for each in (path, *path.parents):
            if isinstance(error, (FileExistsError, NotADirectoryError)) and each.is_file():
                reason = f'{each} is a file, not a folder'
        raise OutputError(
            f'{path} cannot be written: {reason}. Make room there, or name another place.'
        ) from error


def check_output(*folders: Path) -> None:
    """
    See that folders can be written, before there is work that would be lost; leave nothing there.

    :param folders: they need not exist.
    :raises OutputError: naming the folder and the reason.
    """
    for folder in folders:
        # Whether there is room shows only where it is taken.
        with writing(folder), _made(folder) as made:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(LEAST_FREE_BYTES))
                file.flush()
                os.fsync(file.fileno())
            _remove_empty(made)


def check_files(*paths: Path, read: Mapping[Path, str] | None = None) -> None:
    """
    See that files can be written, as `check_output` does of folders.

    :param read: what the work reads, and words for it; it need not exist.
    :raises OutputError: naming the file and the reason, such as that another one has its place.
    """
    places = {os.path.realpath(path): words for path, words in (read or {}).items()}
    for path in paths:
        place = os.path.realpath(path)
        if place in places:
            raise OutputError(
                f'{path} would be written in the place of {places[place]}; name another place.'
            )
        places[place] = 'another output'
        WholeFile(path).close()
    check_output(*{path.parent for path in paths})


@contextmanager
def _made(folder: Path) -> Iterator[list[Path]]:
    """Make a folder; gives those that were not there, which go again where the block fails."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield made
    except BaseException:
        _remove_empty(made)
        raise


def _remove_empty(folders: Iterable[Path]) -> None:
    for each in folders:
        with suppress(OSError):
            each.rmdir()


_UNFINISHED = '.part'
_NEW = '.made'  # not locked yet, so that nobody may take it for abandoned


class Unfinished:
    """
    A hidden file or folder beside a place, for what is not whole yet.

    It is locked while its process lives; what a killed one left goes by `remove_abandoned`.

    :param path: the place; its folder is there.
    :param folder: whether to make a folder rather than a file.
    """

    def __init__(self, path: Path, folder: bool = False) -> None:
        remove_abandoned(path)
        if folder:
            made = tempfile.mkdtemp(_NEW, f'.{path.name}.', path.parent)
        else:
            handle, made = tempfile.mkstemp(_NEW, f'.{path.name}.', path.parent)
            os.close(handle)
        self._lock: int | None = os.open(made, os.O_RDONLY)
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = Path(made).rename(made.removesuffix(_NEW) + _UNFINISHED)

    def remove(self) -> None:
        """Remove it, unless it has been moved to its place."""
        _remove(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_abandoned(path: Path, save: Callable[[Path], object] = lambda left: None) -> None:
    """Remove what killed processes left of what was to stand at a path; `save` gets it before."""
    for left in path.parent.glob(f'.{glob.escape(path.name)}.????????{_UNFINISHED}'):
        with suppress(OSError):  # its process lives, or it is somebody else's
            lock = os.open(left, os.O_RDONLY | os.O_NONBLOCK)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                save(left)
                _remove(left)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class WholeFile:
    """
    A file that stands under its name when all of it is written, and not before.

    As a context manager it gives the open file; it finishes it, or drops it where the block fails.

    :param path: the file; its folder is made.
    :param text: whether text is written, in UTF-8, with line ends as they come, or bytes.
    :raises OutputError: naming the file and the reason; also when it is finished.
    """

    def __init__(self, path: Path, text: bool = False) -> None:
        self._path = path
        with writing(path), _made(path.parent) as self._made:
            if path.exists():
                _check_regular(path.stat(), sys.maxsize)
            self._unfinished = Unfinished(path)
        made = self._unfinished.path
        self.file: IO[Any] = (
            made.open('w', encoding='utf-8', newline='') if text else made.open('wb')
        )
        """Open to be written."""

    def finish(self) -> None:
        """Put the file in its place."""
        try:
            with writing(self._path):
                self.file.close()
                self._unfinished.path.chmod(0o644)
                self._unfinished.path.replace(self._path)
            self._made = []
        finally:
            self.close()

    def close(self) -> None:
        """Drop what is unfinished; nothing, where the file is in its place."""
        with suppress(OSError):  # on a full disk, what was not yet written
            self.file.close()
        self._unfinished.remove()
        _remove_empty(self._made)

    def __enter__(self) -> IO[Any]:
        """Give the open file."""
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish it, or drop it."""
        if kind is None:
            self.finish()
        self.close()


def write_whole(path: Path, content: bytes) -> None:
    """
    Write a file whole or not at all.

    :param path: the file; its folder is made.
    :raises OutputError: naming the file and the reason.
    """
    with writing(path), WholeFile(path) as file:
        file.write(content)


def write_all(descriptor: int, content: bytes) -> None:
    """Write bytes to an open file or pipe, which may take a part at a time."""
    while content:
        content = content[os.write(descriptor, content) :]


def _share_folders() -> list[Path]:
    """Tell where shared files are: a checkout uses its own, an installed package its prefix's."""
    source = Path(__file__).resolve().parent.parent
    if (source / 'package.xml').is_file():
        return [source]
    # pip sets no AMENT_PREFIX_PATH: they lie beside lib/python3.X/site-packages, or in the folder
    # of `pip install --target`. Of colcon's, the same prefix stands in both.
    own = [source] if (source / 'share' / PACKAGE).is_dir() else source.parents[2:3]
    prefixes = [*map(str, own), *os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)]
    return [Path(prefix) / 'share' / PACKAGE for prefix in dict.fromkeys(prefixes) if prefix]


def _find_shipped(
    what: str, kept_in: str, name: str, suffix: str, exists: Callable[[Path], bool]
) -> Path:
    """Find one of several things that ship, or one of the user's own, given by a path."""
    try:
        as_path = Path(name).expanduser()
        exists(as_path)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise AssetError(f'The {what} {name[:200]!r} cannot be sought: {reason}.') from error
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
    ship = ', '.join(sorted(name.removesuffix(suffix) for name in found)) or 'none'
    sought = 'sought as a path'
    if os.sep not in name:
        sought = f'sought in {", ".join(map(str, folders))}'
        if name and exists(as_path):
            sought += f'; for the one in the working directory write .{os.sep}{name}'
    raise AssetError(
        f'There is no {what} {name!r}: {sought}. {what.capitalize()}s that ship: {ship}.'
    )
