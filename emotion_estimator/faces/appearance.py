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
What the crop of a face shows: its skin, in few numbers, and what of it is covered.

Wrinkles beside nose and eyes, lips and teeth, which neither blendshapes nor landmarks tell, are
seen here by a small convolutional network. LiteRT runs it, as it runs the models.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

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
            self._interpreter.invoke()  # some damage shows in use alone
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
        if {taken['dtype'], given['dtype']} != {np.float32}:
            raise ValueError('its input or output is quantised, not float32')
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


# Whether mouth, eyes and skin of a face are there to be seen, and whether it is upright.
#
# Landmarks come for a covered mouth too, as it might be, and are laid upright on a face that is
# upside down. A small network that has seen covers of many kinds tells them from the face's crop.
# And what is covered by something plain has no edges: lips, teeth and lids run across the face, so
# that fewer edges cross than elsewhere in the same face. Skin shades everywhere, while a drawing
# is flat between its lines.


VISIBLE_NAMES: tuple[str, ...] = (
    'visible.mouth',
    'visible.eyes',
    'visible.skin',
    'visible.upright',
)
"""Names of what `FaceVisibility` returns."""
VISIBILITY_LOGITS = 3
"""How many answers its network gives."""

_MOUTH = (61, 291, 0, 17)  # its corners, its upper and lower edge
_EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
_MOUTH_MARGIN_PX, _EYE_MARGIN_PX = 1.5, 2.0

_COVERED = np.array([0.20, 0.30, 0.02])
_SEEN = np.array([0.40, 0.45, 0.05])
"""
Gradients that count as nothing and as all to be seen, of mouth, eyes and skin.

Of 240 photographs of FER2013's training split 98 % lie above `_SEEN`, and above twice that of
skin. A cartoon's and a line drawing's skin have 0. For mouths and eyes that were painted over see
`dev.bench.covered_faces`.
"""
_FLAT = 5  # skin is judged by the fifth of it that has the weakest gradients
_EXPOSED = (4, 249)
"""Grey values between which a camera still tells shades apart; beyond, skin is flat too."""
_LEAST_EXPOSED = 0.4
"""
Share of the face that must lie between them, or all of it counts.

Of faces so bright that half of the skin is white, .46 and more do (nine of CK+48); of a line
drawing on white paper hardly any.
"""

_LOGITS_COVERED = np.array([-2.0, -2.0, 0.5])
_LOGITS_SEEN = np.array([0.0, 0.0, 2.5])
"""
The network's answers that count as nothing and as all to be seen: mouth, eyes, upright.

Chosen on photographs of FER2013's PublicTest, see `training.encoding.visibility`.
"""


class FaceVisibility:
    """
    Tells how much of a face is seen, and whether it is upright in its crop.

    :param template: the face on which crops are laid, in face units, shape [478, 3].
    :param network: its answers are the logits that mouth and eyes are seen and that the mesh
        lies right, see `training.encoding.visibility`; None leaves it at the gradients.
    """

    def __init__(
        self, template: NDArray[np.float32], network: AppearanceNetwork | None = None
    ) -> None:
        places = template[:MESH, :2] - template[:MESH, :2].mean(axis=0)
        places = (places / (2 * HALF_WIDTH) + 0.5) * CROP_PX - 0.5
        self._mouth = _ellipse(places[list(_MOUTH)], _MOUTH_MARGIN_PX)
        self._eyes = np.logical_or(*(_ellipse(places[list(e)], _EYE_MARGIN_PX) for e in _EYES))
        face = np.zeros((CROP_PX, CROP_PX), np.uint8)
        hull = cv2.convexHull(np.rint(places).astype(np.int32))
        self._face = cv2.fillConvexPoly(face, hull, 1) > 0
        self._network = network

    def of(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """
        Look at one face.

        :param crop: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
        :returns: a value for each of `VISIBLE_NAMES`, 0 where nothing is seen, 1 where all is.
        """
        across = cv2.Sobel(crop, cv2.CV_32F, 1, 0)
        down = cv2.Sobel(crop, cv2.CV_32F, 0, 1)
        strength = np.asarray(cv2.magnitude(across, down), np.float32)
        in_face, skin = strength[self._face], self._skin(crop, strength)
        edges = np.abs(down)
        seen = np.array(
            [
                edges[self._mouth].mean(),
                edges[self._eyes].mean(),
                np.partition(skin, len(skin) // _FLAT)[len(skin) // _FLAT],
            ]
        )
        # The 1 keeps a crop of one colour from being divided by 0.
        share = (seen / (in_face.mean() + 1) - _COVERED) / (_SEEN - _COVERED)
        share = np.append(share, 1.0)
        if self._network is not None:
            logits = self._network(crop[None])[0]
            reported = (logits - _LOGITS_COVERED) / (_LOGITS_SEEN - _LOGITS_COVERED)
            share[[0, 1, 3]] = np.minimum(share[[0, 1, 3]], reported)
        return np.asarray(np.clip(share, 0, 1), np.float32)

    def _skin(self, crop: NDArray[np.uint8], strength: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the gradients by which skin is judged: not where light has wiped them out."""
        exposed = self._face & (crop >= _EXPOSED[0]) & (crop <= _EXPOSED[1])
        if exposed.sum() < _LEAST_EXPOSED * self._face.sum():
            exposed = self._face  # a drawing on white paper has nothing else
        return strength[exposed]


def _ellipse(points: NDArray[np.float32], margin_px: float) -> NDArray[np.bool_]:
    """Mark the pixels in an ellipse that reaches a margin beyond some points."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = np.ptp(points, axis=0) / 2 + margin_px
    y, x = np.mgrid[0:CROP_PX, 0:CROP_PX]
    inside: NDArray[np.bool_] = np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1]) < 1
    return inside


# Whether a camera hangs upside down.


_TURNED_OVER_RAD = 0.75 * np.pi


class UprightWatch:
    """
    Counts faces that are upside down in their images, and hints at a camera that hangs so.

    Threads may share it.

    :param least: so many faces must have been seen before it hints.
    :param most: so many of the latest faces count; None counts all.
    """

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self._least = least
        self._over: deque[bool] = deque(maxlen=most)

    def see(self, values: Mapping[str, float]) -> None:
        """
        Count a face.

        :param values: of its features by name; what is not known counts as upright.
        """
        over = abs(values.get('head.roll', 0.0)) > _TURNED_OVER_RAD
        self._over.append(over or values.get('visible.upright', 1.0) < 0.5)

    def hints(self) -> list[str]:
        """
        Tell of a camera that hangs upside down.

        :returns: a sentence when more than half of the faces are upside down, else none.
        """
        over = list(self._over)
        if len(over) < self._least or 2 * sum(over) <= len(over):
            return []
        return [
            f'{sum(over)} of {len(over)} faces look upside down, and their expression is unknown '
            'then: where the camera hangs so, turn its pictures with the parameter rotate '
            '(replay: --rotate 180).'
        ]
