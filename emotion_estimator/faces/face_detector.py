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

"""YuNet over one image: where faces are, also small ones and many."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.faces.image_decoding import Rgb

_OVERLAP = 0.3  # intersection over union above which two boxes are one face; YuNet's own default
_MOST_BOXES = 5000  # before boxes of one face are joined; likewise


class FaceDetector:
    """
    Finds boxes of faces, from some 10 pixels of width up.

    YuNet (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector, Machine Intelligence
    Research 20, 2023) as `cv2.FaceDetectorYN`.

    :param model_path: yunet_n_dynamic.onnx, see `assets.FACE_DETECTOR`.
    :param min_confidence: least confidence of a face, in [0, 1].
    :raises ValueError: when the model file cannot be used.
    """

    def __init__(self, model_path: Path, min_confidence: float = 0.6) -> None:
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(model_path), '', (0, 0), min_confidence, _OVERLAP, _MOST_BOXES
            )
        except cv2.error as error:
            raise ValueError(f'OpenCV cannot use {model_path}: {error}') from error
        self._size = (0, 0)

    def find(self, image: Rgb) -> list[Box]:
        """
        Find the faces of an image.

        :param image: the pixels.
        :returns: their boxes, the largest first.
        """
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
