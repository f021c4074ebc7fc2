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


"""A small picture of a face, for the report."""

from __future__ import annotations

import cv2
import numpy as np

from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.faces.face_picture import face_picture
from emotion_estimator.faces.image_decoding import Rgb

SIDE_PX = 96
_JPEG_QUALITY = 85  # of 100


def face_thumbnail(image: Rgb, box: Box) -> bytes:
    """
    Cut out a face.

    :param image: the pixels.
    :param box: where the face is.
    :returns: a JPEG file of `SIDE_PX` x `SIDE_PX` pixels; what lies outside the image is black.
    """
    crop = face_picture(image, box)
    if crop is None:
        crop = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    small = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return jpeg.tobytes()
