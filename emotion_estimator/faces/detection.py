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

"""Where faces are in an image, also small ones and many: YuNet, or MediaPipe's over tiles."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_DETECTOR, find_asset
from emotion_estimator.faces.image_decoding import Rgb, quiet_opencv
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.networks import REGION_SCALE, FaceNetworks
from emotion_estimator.files import AssetError, FileError, read_file

_OVERLAP = 0.3  # intersection over union above which two boxes are one face; YuNet's own default
_MOST_BOXES = 5000  # before boxes of one face are joined; YuNet's default too


RUNS_YUNET = int(cv2.__version__.partition('.')[0]) >= 5
"""Whether OpenCV can read YuNet: version 4 reads no network that takes images of any size."""
SEARCHED_PX = 500_000
"""
Most pixels that are searched; a larger image is scaled down to so many, 943 x 530 or 816 x 612.

So the search costs the same at any size.
"""
_USUAL_PX = 640 * 480
_TRIED_PX = 256
TILES_PX = (480, 160)
"""Sides of the squares that MediaPipe's detector looks at, in pixels, the largest first."""
TILES_SHARE = 0.3
"""Share of a tile that the next one shows too."""
_MOST_A_TILE = 5


def find_yunet(fetch: bool = True) -> Path:
    """
    Find the published network of `FaceDetector`.

    :param fetch: whether the network may be asked.
    :raises AssetError: when it is not there, or this OpenCV cannot read it.
    """
    if not RUNS_YUNET:
        raise AssetError(f'OpenCV {cv2.__version__} cannot read YuNet; OpenCV 5 can.')
    return find_asset(FACE_DETECTOR, fetch)


class FaceDetector:
    """
    Finds boxes of faces, from some 10 pixels of width up as they are searched.

    YuNet (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector, Machine Intelligence
    Research 20, 2023) as `cv2.FaceDetectorYN`.

    :param model_path: yunet_n_dynamic.onnx, see `assets.FACE_DETECTOR`.
    :param min_confidence: least confidence of a face, in [0, 1].
    :raises ValueError: when the model file cannot be used.
    """

    def __init__(self, model_path: Path, min_confidence: float = 0.6) -> None:
        self._size = (0, 0)
        self.cost = 1.0
        try:
            network = _tried(model_path)
            # OpenCV 5 warns of a target that nobody asked for.
            with quiet_opencv():
                self._detector = _read(
                    model_path, network, (0, 0), min_confidence, _OVERLAP, _MOST_BOXES
                )
            # Another network is found out by use alone.
            self.find(np.zeros((_TRIED_PX, _TRIED_PX, 3), np.uint8))
        except (FileError, cv2.error) as error:
            # OpenCV's own message names files and lines of its source too.
            reason = getattr(error, 'err', error)
            raise ValueError(f'OpenCV cannot use {model_path}: {reason}') from error

    def find(self, image: Rgb) -> list[Box]:
        """
        Find the faces of an image.

        :returns: their boxes, the largest first.
        """
        image, self.cost = _bounded(image)
        height, width = image.shape[:2]
        if self._size != (width, height):
            self._detector.setInputSize((width, height))
            self._size = (width, height)
        _, found = self._detector.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        rows = cast('NDArray[np.float32] | None', found)  # OpenCV's stub leaves the None out
        if rows is None:
            return []
        # A row: x, y, width, height, five points, confidence.
        corners = sorted(rows[:, :4].tolist(), key=lambda row: row[2] * row[3], reverse=True)
        return [
            Box(x / width, y / height, (x + box_width) / width, (y + box_height) / height)
            for x, y, box_width, box_height in corners
        ]


# Damaged networks have divided by zero in OpenCV, which ends the process.
_TRY_IT = """
import sys, cv2, numpy
network = numpy.fromfile(sys.argv[1], numpy.uint8)
try:
    detector = cv2.FaceDetectorYN.create('onnx', network, network[:0], (256, 256))
except TypeError:
    detector = cv2.FaceDetectorYN.create(sys.argv[1], '', (256, 256))
detector.detect(numpy.zeros((256, 256, 3), numpy.uint8))
"""
_TRIAL_S = 20.0


def _read(path: Path, content: bytes, *settings: Any) -> cv2.FaceDetectorYN:
    """Read a network by its content: OpenCV ends the process where a name is no UTF-8."""
    network = np.frombuffer(content, np.uint8)
    try:
        return cv2.FaceDetectorYN.create('onnx', network, network[:0], *settings)
    except TypeError:  # OpenCV 4.6 knows names alone
        name = str(path)
        if name.encode(errors='replace') != os.fsencode(path):
            raise FileError('its name is no UTF-8; rename it') from None
        return cv2.FaceDetectorYN.create(name, '', *settings)


def _tried(path: Path) -> bytes:
    """
    Read a network; one that is not the published one is tried in a process of its own.

    :raises FileError: when it cannot be read, ends that process, or keeps it busy for long.
    """
    content = read_file(path)
    if hashlib.sha256(content).hexdigest() == FACE_DETECTOR.sha256:
        return content
    command = [sys.executable, '-c', _TRY_IT, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TRIAL_S)
    except subprocess.TimeoutExpired as error:
        raise FileError(f'it keeps OpenCV busy for more than {_TRIAL_S:g} s') from error
    if done.returncode < 0:
        raise FileError(f'it ends the process that tries it (signal {-done.returncode})')
    return content


class Detector(Protocol):
    """Finds boxes of faces in one image."""

    cost: float
    """Of the latest search, as a multiple of that of 640 x 480 pixels; at least 1."""

    def find(self, image: Rgb) -> list[Box]:
        """
        Find the faces of an image.

        :returns: their boxes, the largest first.
        """


class TiledDetector:
    """
    Finds boxes of faces from some 24 pixels of width up, where YuNet is not there.

    MediaPipe's own detector looks at 128 x 128 pixels, in which it misses faces below some 15. So
    it is shown overlapping squares of the image, of two sizes. What it finds is to be looked at
    again from close, see `sure_from_close`.

    :param networks: hold the detector.
    :param min_confidence: least confidence of a face, in [0, 1].
    """

    def __init__(self, networks: FaceNetworks, min_confidence: float = 0.5) -> None:
        self._networks = networks
        self._min_confidence = min_confidence
        self.cost = 1.0

    def find(self, image: Rgb) -> list[Box]:
        """
        Find the faces of an image.

        :returns: their boxes, the largest first.
        """
        image, self.cost = _bounded(image)
        height, width = image.shape[:2]
        found: list[Box] = []
        for side in TILES_PX:
            for top in _starts(height, side):
                for left in _starts(width, side):
                    tile = image[top : top + side, left : left + side]
                    for region in self._networks.detect(tile, self._min_confidence, _MOST_A_TILE):
                        across, down = (
                            side / (2 * REGION_SCALE) for side in (region.width, region.height)
                        )
                        x, y = left + region.x, top + region.y
                        box = Box(
                            (x - across) / width,
                            (y - down) / height,
                            (x + across) / width,
                            (y + down) / height,
                        )
                        if not any(box.is_of_same_face(other) for other in found):
                            found.append(box)
        return sorted(
            found, key=lambda box: (box.x_max - box.x_min) * (box.y_max - box.y_min), reverse=True
        )


def sure_from_close(min_confidence: float) -> float:
    """
    Tell how sure MediaPipe's detector must be, from close, of what it found over tiles.

    So many squares show it knots of wood and letters that it takes for faces, and its landmark
    network with it. From close it is less sure of these, and as sure as before of far faces.

    :param min_confidence: least confidence over the tiles, in [0, 1].
    :returns: in [0, 1], .725 for .5.
    """
    return min_confidence + 0.45 * (1 - min_confidence)


def _bounded(image: Rgb) -> tuple[Rgb, float]:
    """Scale an image down to the pixels that are searched; tell what the search costs."""
    height, width = image.shape[:2]
    share = math.sqrt(SEARCHED_PX / (width * height))
    if share < 1:
        width, height = (max(round(side * share), 1) for side in (width, height))
        image = np.asarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return image, max(width * height / _USUAL_PX, 1.0)


def _starts(length: int, side: int) -> list[int]:
    """Tell where tiles begin in one direction, the first and the last at the edges."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - TILES_SHARE))) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]
