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

"""The picture of one face that others may look at."""

from __future__ import annotations

from emotion_estimator.faces.close_up import enlarged_crop
from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.faces.image_decoding import Rgb

MARGIN = 1.5
"""Side of the picture as a multiple of the longer side of the face's box."""


def face_picture(image: Rgb, box: Box) -> Rgb | None:
    """
    Cut a face out, square, at a size that does not change.

    :param image: that the face was found in.
    :param box: where it is.
    :returns: the face in the middle, black where that reaches outside the image; None where all
        of it does.
    """
    height, width = image.shape[:2]
    side = MARGIN * max((box.x_max - box.x_min) * width, (box.y_max - box.y_min) * height)
    side_px = max(round(side), 1)
    left = round((box.x_min + box.x_max) / 2 * width - side_px / 2)
    top = round((box.y_min + box.y_max) / 2 * height - side_px / 2)
    return enlarged_crop(image, left, top, side_px)
