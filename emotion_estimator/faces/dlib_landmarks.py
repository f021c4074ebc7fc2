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

"""
The 70 landmarks of REP-155 among MediaPipe's 478.

REP-155 takes the 68 points of dlib's shape predictor (C. Sagonas et al., "300 Faces in-the-Wild
Challenge", ICCV Workshops 2013) and both pupils. MediaPipe's mesh has no points of its own for
them: brows, eyes and lips have points on the same contours; of the oval those are taken that lie
nearest to dlib's even spacing from ear to chin, of the nose those along bridge and base.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SELLION = 168
"""Deepest point of the root of the nose, between the eyes; REP-155's number 27."""
RIGHT_PUPIL = 468
"""Middle of the person's right iris."""
LEFT_PUPIL = 473
"""Middle of the person's left iris."""

# Right and left are the person's own; the numbers in front are REP-155's.
INDICES: tuple[int, ...] = (
    # 0 to 16: from the right ear along the jaw, over the chin (8), to the left ear
    *(127, 234, 132, 58, 172, 136, 150, 176),
    152,
    *(400, 379, 365, 397, 288, 361, 454, 356),
    # 17 to 21: right brow from outside; 22 to 26: left brow from inside
    *(70, 63, 105, 66, 107),
    *(336, 296, 334, 293, 300),
    # 27 to 30: bridge of the nose downward; 31 to 35: its base from right to left
    *(SELLION, 197, 5, 4),
    *(98, 97, 2, 326, 327),
    # 36 to 41: right eye from its outer corner over the upper lid; 42 to 47: left from its inner
    *(33, 160, 158, 133, 153, 144),
    *(362, 385, 387, 263, 373, 380),
    # 48 to 59: outer edge of the lips from the right corner over the upper lip
    *(61, 39, 37, 0, 267, 269),
    *(291, 405, 314, 17, 84, 181),
    # 60 to 67: inner edge, likewise
    *(78, 81, 13, 311),
    *(308, 402, 14, 178),
    # 68 and 69: pupils
    *(RIGHT_PUPIL, LEFT_PUPIL),
)
"""MediaPipe's index by REP-155's number, 70 of them."""

_INDICES = np.array(INDICES)


def dlib_landmarks(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Pick REP-155's landmarks.

    :param landmarks: shape [478, 3], see `FaceArrays`.
    :returns: x and y as fractions of the image's width and height, shape [70, 2].
    """
    picked: NDArray[np.float32] = landmarks[_INDICES, :2]
    return picked
