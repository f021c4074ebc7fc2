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

"""Opens whatever a path names: a bag, a video, a photograph, a folder of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError
from emotion_estimator.replay.bag import Bag
from emotion_estimator.replay.bag_reader import (
    METADATA_FILE,
    NAME,
    SUFFIXES,
    is_bag_file,
    is_bag_folder,
    may_be_of_a_bag,
    storage_files,
)
from emotion_estimator.replay.picture_names import DEFAULT_RATE_HZ, stamps_of_names
from emotion_estimator.replay.recordings import (
    Calibration,
    Frame,
    Recording,
    RecordingError,
)
from emotion_estimator.replay.videos import VIDEO_SUFFIXES, Video
from emotion_estimator.stamps import NS_PER_S

# Pictures as a recording: a photograph, or a folder whose names are stamps or numbers.


PICTURE_SUFFIXES = (
    *('.bmp', '.jfif', '.jpe', '.jpeg', '.jpg', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff'),
    '.webp',
)
_UNREAD_SUFFIXES = ('.avif', '.heic', '.heif', '.jxl')
"""Names of photographs that OpenCV does not read."""
HELD_S = 3.0
"""How long one photograph is shown as a film, in seconds: longer than models look back."""


def pictures_in(folder: Path) -> list[Path]:
    """
    List the pictures of a folder.

    :returns: its picture files; without what systems put beside them under a hidden name,
        such as macOS's '._NAME.jpg'.
    """
    named = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return [path for path in named if path.name[0] != '.' and path.is_file()]


class Pictures:
    """
    A photograph, or a folder of pictures: JPEG, PNG, WebP, TIFF, BMP or PNM files.

    Where every name holds a time (see `_times`) these are the stamps. Otherwise the names
    are put into the order in which a person would count them. Where they differ in one number
    alone it is the number of the frame, else the place in that order is.

    :param path: the folder, or the file.
    :param rate_hz: frames a second where the names hold no times, above 0.
    :raises RecordingError: when there is no picture in it.
    """

    def __init__(self, path: Path, rate_hz: float = DEFAULT_RATE_HZ) -> None:
        self.name = path.name
        self.problems: list[str] = []
        self.hints: list[str] = []
        files = pictures_in(path) if path.is_dir() else [path]
        if not files:
            raise RecordingError(f'{path} holds no pictures ({", ".join(PICTURE_SUFFIXES)}).')
        self.problems += _unread(path, files) if path.is_dir() else ()
        named = stamps_of_names([file.name for file in files], rate_hz)
        if named.hint:
            self.hints.append(f'{self.name}: {named.hint}')
        self.rate_hz = rate_hz
        self.are_a_film = True
        """Whether all are of one camera, so that deep ones have one range of values."""
        self._stamped = sorted(zip(named.stamps_ns, files))
        self.image_count = len(files)

    def frames(self) -> Iterator[Frame]:
        """Read picture by picture."""
        decoder = ImageDecoder()
        for stamp_ns, path in self._stamped:
            decoder = decoder if self.are_a_film else ImageDecoder()
            yield Frame(stamp_ns, stamp_ns, '', partial(decoder.read, path), path.name)

    def pictures(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """
        Show picture by picture, as a camera does; one alone is held for `HELD_S`.

        :returns: yields nanoseconds since the first one, and the pixels in BGR.
        """
        first_ns = self._stamped[0][0]
        for frame in self.frames():
            try:
                bgr = np.asarray(cv2.cvtColor(frame.decode(), cv2.COLOR_RGB2BGR), np.uint8)
            except ImageError as error:
                self.problems.append(f'{self.name}: {error}')
                continue
            for number in range(round(HELD_S * self.rate_hz) if self.image_count == 1 else 1):
                yield frame.stamp_ns - first_ns + round(number * NS_PER_S / self.rate_hz), bgr

    def calibrations(self) -> Iterator[Calibration]:
        """Pictures hold none."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


def _unread(folder: Path, files: Collection[Path]) -> Iterator[str]:
    """Tell of photographs in a folder that are of other kinds, and of which none is a copy."""
    stems = {file.stem for file in files}
    unread = (one for one in folder.iterdir() if one.suffix.lower() in _UNREAD_SUFFIXES)
    others = sorted(one.name for one in unread if one.stem not in stems and one.name[0] != '.')
    if others:
        yield (
            f'{folder}: {len(others)} pictures are of kinds that are not read '
            f'({", ".join(_UNREAD_SUFFIXES)}), the first: {others[0]}; save them as JPEG.'
        )


# What a path names.


def may_be_read(file: Path) -> bool:
    """Tell by its name whether a file in a recording's folder may be part of it."""
    stored = re.sub(r'-(wal|shm|journal)$', '', file.name)
    pictures = (*PICTURE_SUFFIXES, *_UNREAD_SUFFIXES)
    return (
        file.name == METADATA_FILE
        or NAME.match(stored) is not None
        or file.suffix.lower() in pictures
    )


def open_recording(
    path: Path, topic: str = '', picture_rate_hz: float = DEFAULT_RATE_HZ
) -> Recording:
    """
    Open a recording.

    :param path: a rosbag2 folder, an .mcap, .db3 or .bag file, a video, a photograph, or a
        folder of pictures.
    :param topic: the camera's topic in a bag; empty takes the only one that there is.
    :param picture_rate_hz: frames a second of pictures whose names are no stamps.
    :returns: the recording, to be closed.
    :raises RecordingError: when there is none, or none that can be read.
    """
    if not path.exists():
        raise RecordingError(f'{path} does not exist; check the path.')
    try:
        if path.is_dir():
            return _open_folder(path, topic, picture_rate_hz)
        if path.is_file():
            return _open_file(path, topic, picture_rate_hz)
    except OSError as error:
        raise RecordingError(f'{path} cannot be read: {error.strerror or error}.') from error
    raise RecordingError(f'{path} is neither a file nor a folder.')


def recordings_in(path: Path) -> list[Path]:
    """
    List the recordings in a folder that is none itself, however deep they lie in it.

    :param path: what the user names.
    :returns: bags, videos and folders of pictures in the order of their names, and folders that
        cannot be read; the path itself where it is a recording, or nothing is found in it.
    """
    return _in_folder(path) or [path]


def _in_folder(folder: Path, above: Collection[str] = ()) -> list[Path]:
    try:
        if is_bag(folder) or pictures_in(folder):
            return [folder]
        return _held(folder, above)
    except OSError:  # said where it is opened
        return [folder]


def _held(folder: Path, above: Collection[str] = ()) -> list[Path]:
    """List what lies in a folder, but not by links to the folders that it lies in, `above`."""
    above = {*above, os.path.realpath(folder)}
    found: list[Path] = []
    for one in sorted(folder.iterdir()):
        if one.name.startswith('.'):
            continue
        if one.is_dir():
            found += _in_folder(one, above) if os.path.realpath(one) not in above else []
        elif one.suffix.lower() in VIDEO_SUFFIXES or may_be_of_a_bag(one):
            found.append(one)
    return found


def is_bag(folder: Path) -> bool:
    """Tell a bag from a folder where a bag's file lies among other recordings or pictures."""
    if (folder / METADATA_FILE).is_file() or not is_bag_folder(folder):
        return is_bag_folder(folder)
    return not pictures_in(folder) and set(_held(folder)) <= set(storage_files(folder))


def _with_hint(recording: Recording, what: str, more: list[Path]) -> Recording:
    """Let a recording tell of others that lie beside or below it."""
    if more:
        others = f', and {len(more) - 1} more' if len(more) > 1 else ''
        recording.hints.append(f'{what}; give {more[0]} by name if it is meant{others}.')
    return recording


def _open_folder(path: Path, topic: str, picture_rate_hz: float) -> Recording:
    more = _held(path)
    if is_bag(path):
        own = storage_files(path)
        more = [one for one in more if one not in own]
        return _with_hint(Bag(path, topic), f'{path}: its bag is read', more)
    if pictures_in(path):
        pictures = Pictures(path, picture_rate_hz)
        return _with_hint(pictures, f'{path}: its pictures are read', more)
    if more:
        raise RecordingError(
            f'{path} is a folder of {len(more)} recordings; give them by name, such as {more[0]}.'
        )
    raise RecordingError(
        f'{path} is neither a rosbag2 folder ({METADATA_FILE} and files ending in '
        f'{", ".join(SUFFIXES)} are missing) nor a folder of pictures '
        f'({", ".join(PICTURE_SUFFIXES)}).'
    )


def _open_file(path: Path, topic: str, picture_rate_hz: float) -> Recording:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return Pictures(path, picture_rate_hz)
    if is_bag_file(path):
        return Bag(path, topic)
    try:
        return Video(path)
    except RecordingError:
        if suffix in VIDEO_SUFFIXES or path.stat().st_size == 0:
            raise
    raise RecordingError(
        f'{path} is of no kind that is read: bags ({", ".join(SUFFIXES)}, or a rosbag2 folder), '
        f'videos that OpenCV opens, pictures ({", ".join(PICTURE_SUFFIXES)}) and folders of these.'
    )


def open_film(path: Path) -> Video | Pictures:
    """
    Open what can be shown as a camera shows it.

    :param path: a video, a photograph or a folder of pictures.
    :returns: the film, to be closed.
    :raises RecordingError: when there is none, or none that can be read.
    """
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return Pictures(path)
    return Video(path)
