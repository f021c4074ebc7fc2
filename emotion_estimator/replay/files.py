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

from pathlib import Path

from emotion_estimator.replay.bag import Bag
from emotion_estimator.replay.bag_reader import METADATA_FILE, SUFFIXES, is_bag_folder
from emotion_estimator.replay.bag_recovery import is_bag_file
from emotion_estimator.replay.pictures import (
    DEFAULT_RATE_HZ,
    PICTURE_SUFFIXES,
    Pictures,
    pictures_in,
)
from emotion_estimator.replay.recordings import Recording, RecordingError
from emotion_estimator.replay.videos import VIDEO_SUFFIXES, Video


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


def recordings_in(path: Path, levels: int = 2) -> list[Path]:
    """
    List the recordings in a folder that is none itself.

    :param path: what the user names.
    :param levels: how many folders deep they are looked for.
    :returns: bags, videos and folders of pictures in the order of their names; the path itself
        where it is a recording, or nothing is found in it.
    """
    try:
        if not path.is_dir() or is_bag_folder(path) or pictures_in(path):
            return [path]
        return _held(path, levels) or [path]
    except OSError:  # said where it is opened
        return [path]


def _held(folder: Path, levels: int) -> list[Path]:
    found: list[Path] = []
    for one in sorted(folder.iterdir()):
        if one.name.startswith('.'):
            continue
        if one.is_dir():
            if is_bag_folder(one) or pictures_in(one):
                found.append(one)
            elif levels > 1:
                found += _held(one, levels - 1)
        elif one.suffix.lower() in VIDEO_SUFFIXES or (one.is_file() and is_bag_file(one)):
            found.append(one)
    return found


def _open_folder(path: Path, topic: str, picture_rate_hz: float) -> Recording:
    if is_bag_folder(path):
        return Bag(path, topic)
    more = _held(path, levels=2)
    if pictures_in(path):
        pictures = Pictures(path, picture_rate_hz)
        if more:
            pictures.hints.append(
                f'{path}: its pictures are read; give {more[0]} by name if it is meant'
                f'{f", and {len(more) - 1} more" if len(more) > 1 else ""}.'
            )
        return pictures
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
