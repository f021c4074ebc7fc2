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

"""What is known of a face beside its blendshapes: encoding, visibility."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.face_encoding import FaceEncoding
from emotion_estimator.faces.face_visibility import VISIBLE_NAMES, FaceVisibility
from emotion_estimator.faces.image_decoding import Rgb


class FaceFeatures:
    """
    Computes the features that follow a face's blendshapes.

    :param encoding: the face encoding, whose template also tells what is visible; None gives no
        features.
    """

    def __init__(self, encoding: FaceEncoding | None) -> None:
        self._encoding = encoding
        self.names: tuple[str, ...] = ()
        if encoding is not None:
            self._visibility = FaceVisibility(encoding.template)
            self.names = (*encoding.names, *VISIBLE_NAMES)

    def of(self, image: Rgb, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Compute one face's features.

        :param image: that the face was found in.
        :param landmarks: shape [478, 3], see `FaceArrays`.
        :returns: a value for each of `names`.
        """
        if self._encoding is None:
            return np.zeros(0, np.float32)
        crop = self._encoding.crop(image, landmarks)
        encoded = self._encoding.encode(image, landmarks, crop)
        return np.concatenate([encoded, self._visibility.of(crop)])
