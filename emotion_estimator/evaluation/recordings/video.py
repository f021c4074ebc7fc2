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


"""Video files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.evaluation.recordings.recording import (
    FIRST_STAMP_NS,
    Calibration,
    Frame,
    RecordingError,
)
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.stamps import NS_PER_S

SUFFIXES = ('.avi', '.gif', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ogv', '.webm')
FALLBACK_RATE_HZ = 30.0
_NS_PER_MS = 1_000_000
_CUT_SHORT = 0.9
"""Some containers only estimate their number of frames: fewer than this share is a fault."""


class Video:
    """
    A video file; its stamps are the frames' times from the start.

    :param path: the file.
    :raises RecordingError: when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise RecordingError(
                f'{path} cannot be opened as a video ({path.stat().st_size} bytes): it is '
                'truncated, damaged or of a kind that OpenCV does not read; try to play it.'
            )
        self._rate_hz = self._capture.get(cv2.CAP_PROP_FPS) or FALLBACK_RATE_HZ
        self.image_count = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def frames(self) -> Iterator[Frame]:
        """
        Read frame by frame; a time that does not go forward is replaced by the frame rate's.

        :raises RecordingError: when the file ends before the frames that it states.
        """
        count, time_ns = 0, 0
        while True:
            read, bgr = self._capture.read()
            if not read:
                break
            stated_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * _NS_PER_MS)
            if count:
                forward = stated_ns > time_ns
                time_ns = stated_ns if forward else time_ns + round(NS_PER_S / self._rate_hz)
            count += 1
            stamp_ns = FIRST_STAMP_NS + time_ns
            yield Frame(stamp_ns, stamp_ns, '', partial(_rgb, np.asarray(bgr, np.uint8)))
        if count < _CUT_SHORT * self.image_count:
            raise RecordingError(
                f'{self._path} ends after {count} of {self.image_count} frames: it is truncated '
                'or damaged there.'
            )

    def calibrations(self) -> Iterator[Calibration]:
        """Videos hold none."""
        return iter(())

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


def _rgb(bgr: NDArray[np.uint8]) -> Rgb:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
