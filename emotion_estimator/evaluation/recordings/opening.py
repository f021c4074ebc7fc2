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


"""Opens whatever a path names: a bag, a video, a folder of pictures."""

from __future__ import annotations

from pathlib import Path

from emotion_estimator.evaluation.recordings import bag, picture_folder, video
from emotion_estimator.evaluation.recordings.recording import Recording, RecordingError


def open_recording(
    path: Path, topic: str = '', picture_rate_hz: float = picture_folder.DEFAULT_RATE_HZ
) -> Recording:
    """
    Open a recording.

    :param path: a rosbag2 folder, an .mcap, .db3 or .bag file, a video, or a folder of pictures.
    :param topic: the camera's topic in a bag; empty takes the only one that there is.
    :param picture_rate_hz: frames a second of pictures whose names are no stamps.
    :returns: the recording, to be closed.
    :raises RecordingError: when there is none, or none that can be read.
    """
    if not path.exists():
        raise RecordingError(f'{path} does not exist; check the path.')
    if path.is_dir():
        held = {entry.suffix.lower() for entry in path.iterdir()}
        if (path / bag.METADATA_FILE).is_file() or held & set(bag.SUFFIXES):
            return bag.Bag(path, topic)
        if held & set(picture_folder.SUFFIXES):
            return picture_folder.PictureFolder(path, picture_rate_hz)
        raise RecordingError(
            f'{path} is neither a rosbag2 folder ({bag.METADATA_FILE} is missing) nor a folder '
            f'of pictures ({", ".join(picture_folder.SUFFIXES)}).'
        )
    suffix = path.suffix.lower()
    if suffix in bag.SUFFIXES:
        return bag.Bag(path, topic)
    if suffix in video.SUFFIXES:
        return video.Video(path)
    raise RecordingError(
        f'{path} is of no kind that is read: bags ({", ".join(bag.SUFFIXES)}, or a rosbag2 '
        f'folder), videos ({", ".join(video.SUFFIXES)}) and folders of pictures.'
    )
