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

"""Looks again at pictures without a face: turned, softened, smaller, with less asked."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_landmarker import FaceLandmarker, LandmarkedFace
from training.datasets.pictures import Pictures
from training.extraction.face_reader import read_each
from training.extraction.face_table import FaceTable
from training.extraction.views import View


@dataclass(frozen=True)
class Attempt:
    """
    One way of looking again at a prepared picture.

    :param turn_deg: by how much it is turned, counter-clockwise.
    :param blur_px: deviation of the Gaussian that softens it; 0 leaves it.
    :param room: side of the square it is put into, as a multiple of its longer side, at least 1.
    :param least_confidence: asked of MediaPipe's detector and of its landmarks.
    """

    turn_deg: float = 0.0
    blur_px: float = 0.0
    room: float = 1.0
    least_confidence: float = 0.5


# The confident ones first: what is found there lies better.
ATTEMPTS: tuple[Attempt, ...] = (
    Attempt(turn_deg=20, room=1.33),
    Attempt(turn_deg=-20, room=1.33),
    Attempt(blur_px=3.2),
    Attempt(room=1.33),
    Attempt(least_confidence=0.1),
    Attempt(turn_deg=20, room=1.33, least_confidence=0.1),
    Attempt(turn_deg=-20, room=1.33, least_confidence=0.1),
)


def read_again(
    pictures: Pictures, rows: list[int], view: View
) -> tuple[FaceTable, tuple[str, ...]]:
    """
    Find the face of each picture at the first attempt that finds one.

    :param pictures: the data set's pictures.
    :param rows: which of them.
    :param view: how they were looked at in vain.
    :returns: a row for each, in the pixels of the view's own picture, and a sentence for each
        picture that could not be read as one.
    """
    return read_each(pictures, rows, view, _look_again)


def _look_again(picture: NDArray[np.uint8]) -> tuple[LandmarkedFace, NDArray[np.float32]] | None:
    height, width = picture.shape[:2]
    for attempt in ATTEMPTS:
        shown, moved = show(picture, attempt)
        faces = _landmarker(find_asset(FACE_LANDMARKER), attempt.least_confidence).find(shown)
        if faces:
            side = shown.shape[1]
            return faces[0], move_back(faces[0].landmarks, moved, side, width, height)
    return None


def show(
    picture: NDArray[np.uint8], attempt: Attempt
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """
    Make the picture of an attempt; black where the prepared picture ends.

    :param picture: the prepared picture, RGB [height, width, 3].
    :param attempt: how to look at it.
    :returns: RGB, square; and the affine map from the prepared picture's pixels to its, [2, 3].
    """
    height, width = picture.shape[:2]
    side = round(max(height, width) * attempt.room)
    moved = cv2.getRotationMatrix2D((width / 2, height / 2), attempt.turn_deg, 1.0)
    moved[:, 2] += (side - width) / 2, (side - height) / 2
    if attempt.blur_px:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), attempt.blur_px), np.uint8)
    return np.asarray(cv2.warpAffine(picture, moved, (side, side)), np.uint8), moved


def move_back(
    landmarks: NDArray[np.float32], moved: NDArray[np.float64], side: int, width: int, height: int
) -> NDArray[np.float32]:
    """
    Tell where landmarks of an attempt's picture lie in the prepared picture.

    :param landmarks: shape [478, 3], see `FaceArrays`.
    :param moved: see `show`.
    :param side: of the attempt's picture in pixels.
    :param width: of the prepared picture in pixels.
    :param height: likewise.
    :returns: the same for the prepared picture; depth, which turning leaves, is scaled alone.
    """
    back = cv2.invertAffineTransform(moved)
    x_y = landmarks[:, :2] * side @ back[:, :2].T + back[:, 2]
    depth = landmarks[:, 2] * side
    scaled = np.column_stack([x_y[:, 0] / width, x_y[:, 1] / height, depth / width])
    return np.asarray(scaled, np.float32)


@functools.cache
def _landmarker(model: Path, least_confidence: float) -> FaceLandmarker:
    """Load MediaPipe once a process and threshold."""
    return FaceLandmarker(
        model,
        stills=True,
        min_detection_confidence=least_confidence,
        min_presence_confidence=least_confidence,
    )
