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

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from emotion_estimator.faces.geometry import MESH
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import check_shapes

# The face as a small grey picture, upright and always of the same size.


HALF_WIDTH = 1.75
"""From the middle of a crop of `CROP_PX` to its edge, in face units of the template."""

CROP_PX = 48
"""Side of the crop that a network sees: that of FER2013's photographs."""


def crop_face(
    image: Rgb, outline: NDArray[np.float32], template: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """
    Cut a face out, rotated and scaled so that its mesh lies on the template's (least squares).

    :param image: RGB, shape [height, width, 3].
    :param outline: x and y of the landmarks in pixels, shape [478, 2].
    :param template: shape [478, 3], face units.
    :returns: grey, shape [CROP_PX, CROP_PX]; pixels outside the image repeat its edge.
    """
    flat = template[:MESH, 0] + 1j * template[:MESH, 1]
    flat = flat - flat.mean()
    seen = outline[:MESH, 0] + 1j * outline[:MESH, 1]
    middle = complex(seen.mean())
    # As complex numbers the similarity that takes the template to the face is one factor.
    turn = complex((flat.conj() * (seen - middle)).sum() / (abs(flat) ** 2).sum())
    step = turn * 2 * HALF_WIDTH / CROP_PX
    near, shrink, origin = _near(image, middle, abs(step))
    step, middle = step / shrink, (middle - origin) / shrink
    matrix = np.array([[step.real, -step.imag, 0.0], [step.imag, step.real, 0.0]])
    # The middle of a pixel lies half a pixel from its edge.
    matrix[:, 2] = np.array([middle.real - 0.5, middle.imag - 0.5]) - matrix[:, :2].sum(1) * (
        (CROP_PX - 1) / 2
    )
    crop = cv2.warpAffine(
        near,
        matrix,
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


def _near(image: Rgb, middle: complex, step: float) -> tuple[NDArray[np.uint8], int, complex]:
    """Take what lies round the face, grey, reduced by a whole factor where pixels are to spare."""
    height, width = image.shape[:2]
    shrink = max(1, min(int(step), width, height))
    # A turned square reaches as far as its diagonal.
    reach = step * CROP_PX * 0.75 + shrink
    left, right = _within(middle.real - reach, middle.real + reach, shrink, width)
    above, below = _within(middle.imag - reach, middle.imag + reach, shrink, height)
    near = cv2.cvtColor(image[above:below, left:right], cv2.COLOR_RGB2GRAY)
    if shrink > 1:
        size = ((right - left) // shrink, (below - above) // shrink)
        near = cv2.resize(near, size, interpolation=cv2.INTER_AREA)
    return np.asarray(near, np.uint8), shrink, complex(left, above)


def _within(first: float, last: float, factor: int, length: int) -> tuple[int, int]:
    """Round a range to one inside an axis, a multiple of the factor long and never empty."""
    start = round(min(max(first, 0), length - factor))
    end = round(min(max(last, start + factor), length))
    return start, end - (end - start) % factor


FAINT = 8.0
"""Contrast in grey levels below which a crop is not raised to that of others, to spare noise."""


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
            check_shapes(part['shape'] for part in self._interpreter.get_tensor_details())
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
