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
What a face's skin shows, in few numbers, by a small convolutional network.

Wrinkles beside nose and eyes, lips and teeth, which neither blendshapes nor landmarks tell, are
seen here. LiteRT runs the network, as it runs the models.
"""

from __future__ import annotations

import threading

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from emotion_estimator.faces.face_crop import CROP_PX

FAINT = 8.0
"""Contrast in grey levels below which a crop is not raised to that of others, lest noise is."""


def evened(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """
    Take light and contrast out of crops.

    :param crops: grey, shape [..., CROP_PX, CROP_PX], see `crop_face`.
    :returns: each of mean 0 and of deviation up to 1, less where there is hardly any contrast;
        the same shape.
    """
    values = crops.astype(np.float32)
    values -= values.mean(axis=(-2, -1), keepdims=True)
    values /= values.std(axis=(-2, -1), keepdims=True) + np.float32(FAINT)
    return values


class AppearanceNetwork:
    """
    Turns faces' crops into few numbers; threads may share it and then wait for each other.

    :param content: of a LiteRT file whose network takes one evened crop, shape
        [1, CROP_PX, CROP_PX, 1], and returns numbers, shape [1, K].
    :raises ValueError: when it is no such file; the message says why.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(f'LiteRT cannot run it: {error}') from error
        (taken,) = self._interpreter.get_input_details()
        (given,) = self._interpreter.get_output_details()
        takes, gives = ([int(n) for n in part['shape']] for part in (taken, given))
        if takes != [1, CROP_PX, CROP_PX, 1] or len(gives) != 2 or gives[0] != 1:
            raise ValueError(
                f'it takes {takes} and gives {gives}, not [1, {CROP_PX}, {CROP_PX}, 1] and '
                '[1, any]'
            )
        self._input, self._output = int(taken['index']), int(given['index'])
        self._lock = threading.Lock()
        self.count = gives[1]
        """How many numbers it makes of a crop."""

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """
        Describe faces' crops.

        :param crops: grey, shape [N, CROP_PX, CROP_PX], see `crop_face`.
        :returns: shape [N, count].
        """
        found = np.empty((len(crops), self.count), np.float32)
        for row, crop in zip(found, crops):
            values = evened(crop)[None, :, :, None]
            with self._lock:
                self._interpreter.set_tensor(self._input, values)
                self._interpreter.invoke()
                row[:] = self._interpreter.get_tensor(self._output)[0]
        return found
