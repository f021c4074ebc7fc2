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

"""Unpacks files of bags that zstd packed, and adds to SQLite files what their logs hold."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from emotion_estimator.replay.recordings import RecordingError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Unpacker:
    """
    Unpacks files into a folder of its own, which goes with it.

    :param problems: gets sentences that say what cannot be unpacked.
    :param hints: gets sentences that say what was read too.
    """

    def __init__(self, problems: list[str], hints: list[str]) -> None:
        self._problems, self._hints = problems, hints
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def unpack(self, path: Path, name: str, logs: Sequence[Path]) -> Path:
        """
        Unpack a file that zstd packed, or add to an SQLite file the log that stands beside.

        :param path: the file.
        :param name: of what is made of it.
        :param logs: that stand beside an SQLite file; none where the file is packed.
        :returns: the file to read in its place.
        :raises RecordingError: when there is no room for it.
        """
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory()
            target = Path(self._folder.name) / name
            if logs:
                for file in (path, *logs):
                    shutil.copyfile(file, target.with_name(file.name))
                self._add_logs(path, target, logs)
            else:
                self._unzip(path, target)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT):
                raise
            raise RecordingError(
                f'{path} must be unpacked before it can be read, and the folder for temporary '
                f'files has no room for it ({error.strerror or error}); let TMPDIR name a folder '
                'with more room.'
            ) from error
        return target

    def _add_logs(self, path: Path, target: Path, logs: Sequence[Path]) -> None:
        try:
            with closing(sqlite3.connect(target)) as base:
                base.execute('PRAGMA journal_mode=DELETE')
        except sqlite3.Error as error:
            self._problems.append(
                f'{path}: {logs[0].name}, which its recorder left, cannot be read ({error}).'
            )
            for log in logs:
                target.with_name(log.name).unlink(missing_ok=True)
            shutil.copyfile(path, target)
        else:
            self._hints.append(
                f'{path} was not closed by its recorder; {logs[0].name} was read too.'
            )

    def _unzip(self, path: Path, target: Path) -> None:
        try:
            with zstd.open(path, 'rb') as source, target.open('wb') as file:
                # `read` would lose what it has gathered where the file breaks off.
                file.writelines(iter(source.read1, b''))
        except (EOFError, zstd.ZstdError) as error:
            self._problems.append(f'{path} cannot be unpacked to its end ({error}).')

    def close(self) -> None:
        """Remove what was unpacked."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
