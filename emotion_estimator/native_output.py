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

"""What native libraries write to stderr: kept out of the terminal, or listened to."""

from __future__ import annotations

import ctypes
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

# MediaPipe, LiteRT and OpenCV write to the process's stderr before any of their switches is read.
_START_UP = re.compile(
    rb"""
    INFO:\ Created\ TensorFlow\ Lite\ XNNPACK\ delegate
    | WARNING:\ (Logging\ before\ InitGoogle|All\ log\ messages\ before\ absl::InitializeLog)
    | I\d{4}\ [\d:.]+\s+\d+\ [\w./-]+:\d+\]\                # what absl calls information
    | W\d{4}\ [\d:.]+\s+\d+\ (
        face_landmarker_graph\.cc:\d+\]\ Sets\ FaceBlendshapesGraph\ acceleration
        | inference_feedback_manager\.cc:\d+\]\ Feedback\ manager\ requires
        | landmark_projection_calculator\.cc:\d+\]\ Using\ NORM_RECT\ without
      )
    | \[\ WARN:\d+@[\d.]+\]\ global\ \S+\ setPreferableTarget\b
    """,
    re.VERBOSE,
)
_BLOCK = 1 << 16


def is_start_up(line: bytes) -> bool:
    """
    Tell whether a line is one that a native library writes at its start, good for nothing.

    :param line: one line of stderr.
    :returns: whether; errors and unknown lines are none.
    """
    return _START_UP.match(line) is not None


class StartUpSieve:
    """
    A pipe for the stderr of processes: start-up lines go to a file, all others are passed on.

    To be entered; `subprocess` takes it as `stderr`. Once it is left, nothing is passed on.

    :param log: file that start-up lines are added to.
    :param pass_on: takes each other line, its end included; called in a thread of the sieve.
    """

    def __init__(self, log: Path, pass_on: Callable[[bytes], None]) -> None:
        self._log = log
        self._pass_on = pass_on
        self._reads, self._writes = os.pipe()
        # A process that outlives the sieve would keep the pipe open: its end shows on another.
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._pump, daemon=True)

    def fileno(self) -> int:
        """Return the descriptor to write to."""
        return self._writes

    def __enter__(self) -> StartUpSieve:
        """Begin to read."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Pass on what was written until now, and end."""
        os.close(self._writes)
        os.close(self._end)
        self._thread.join()
        os.close(self._reads)
        os.close(self._ended)

    def _pump(self) -> None:
        rest = b''
        with self._log.open('ab', buffering=0) as log:
            for block in self._blocks():
                *lines, rest = (rest + block).split(b'\n')
                for line in lines:
                    self._give(line + b'\n', log.write)
            if rest:
                self._give(rest, log.write)

    def _blocks(self) -> Iterator[bytes]:
        """Read until all writers or the sieve have ended, and what is left then."""
        os.set_blocking(self._reads, False)
        while True:
            ready, _, _ = select.select([self._reads, self._ended], [], [])
            try:
                block = os.read(self._reads, _BLOCK)
            except BlockingIOError:
                if self._ended in ready:
                    return
                continue
            if not block:
                return
            yield block

    def _give(self, line: bytes, keep: Callable[[bytes], object]) -> None:
        (keep if is_start_up(line) else self._pass_on)(line)


@contextmanager
def own_stderr_sieved(log: Path) -> Iterator[None]:
    """
    Let this process's own stderr, and its children's, go through a sieve.

    :param log: file that start-up lines are added to.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with StartUpSieve(log, lambda line: _write(terminal, line)) as sieve:
            os.dup2(sieve.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(terminal, 2)
    finally:
        os.close(terminal)


def to_stderr(line: bytes) -> None:
    """
    Write a line where Python's stderr goes now: above a view of rich's, while there is one.

    :param line: the line, its end included.
    """
    sys.stderr.write(line.decode(errors='replace'))
    sys.stderr.flush()


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


# What a library says of the work of one call.


Result = TypeVar('Result')
_OF_DECODERS = re.compile(
    rb'Corrupt JPEG|Premature end|Inconsistent progression|Invalid |Unknown |Unsupported |'
    rb'Warning: |libpng |TIFF|Application transferred'
)


_LISTENING = threading.Lock()


class _Ear:
    """
    Takes the place of the C library's stderr, and is never closed: a thread may still write to it.

    :raises AttributeError: where the C library keeps stderr otherwise.
    :raises OSError: where files in memory cannot be made.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        _ = library.gnu_get_libc_version  # elsewhere stderr may not be written to
        library.fdopen.restype = ctypes.c_void_p
        self.place = ctypes.c_void_p.in_dll(library, 'stderr')
        self.file = os.memfd_create('stderr', os.MFD_CLOEXEC)
        self.stream = library.fdopen(self.file, b'a')
        # Without a buffer, as stderr is.
        library.setvbuf(ctypes.c_void_p(self.stream), None, 2, 0)


@cache
def _ear() -> _Ear | None:
    try:
        return _Ear()
    except (AttributeError, OSError, ValueError):
        return None


def overheard(work: Callable[[], Result]) -> tuple[Result, str]:
    """
    Do some work, and tell what libjpeg, libpng and libtiff said meanwhile.

    They write to C's stderr and tell nobody else. What others write there in that time is passed
    on. Where C's stderr cannot be replaced (other systems than Linux) nothing is heard.

    :param work: what to do.
    :returns: its result, and the lines.
    """
    with _LISTENING:
        ear = _ear()
    if ear is None:
        return work(), ''
    with _LISTENING:
        stderr = ear.place.value
        ear.place.value = ear.stream
        try:
            result = work()
        finally:
            ear.place.value = stderr
            size = os.fstat(ear.file).st_size
            lines = os.pread(ear.file, size, 0).splitlines(keepends=True) if size else []
            if size:
                os.ftruncate(ear.file, 0)
            _write(2, b''.join(line for line in lines if not _OF_DECODERS.match(line)))
    said = b''.join(line for line in lines if _OF_DECODERS.match(line))
    return result, said.decode(errors='replace')
