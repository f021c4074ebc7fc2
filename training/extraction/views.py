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

"""What is looked at of each picture: a preparation, and for some views an augmentation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.pictures import Pictures

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """
    How strongly photographs are changed; shares are of the photographs.

    :param flipped: share mirrored left to right (report, section 4.5).
    :param rotation_rad: standard deviation of the rotation.
    :param max_rotation_rad: largest rotation; 0.2 pi as in the seed report, section 4.5.
    :param scale: smallest and largest factor of the size.
    :param shift: largest shift as a share of the side.
    :param blurred: share out of focus or moved.
    :param noisy: share with a sensor's noise.
    :param lit: share with other light or contrast.
    :param compressed: share coded as JPEG.
    :param occluded: share with a bar or patch over part of the face.
    :param reduced: smallest and largest factor by which a picture is made smaller, as a face far
        away is, before noise and coding, and enlarged again after; (1, 1) leaves it.
    """

    flipped: float = 0.5
    rotation_rad: float = 0.17
    max_rotation_rad: float = 0.2 * np.pi
    scale: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.035
    blurred: float = 0.3
    noisy: float = 0.25
    lit: float = 0.4
    compressed: float = 0.25
    occluded: float = 0.0
    reduced: tuple[float, float] = (1.0, 1.0)


def augmented(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """
    Change one photograph as it could have been taken otherwise, by a robot's camera.

    :param picture: prepared, RGB [height, width, 3].
    :param rng: source of chance; the same state gives the same picture.
    :returns: RGB, the same shape.
    """
    if rng.random() < how.flipped:
        picture = flipped(picture)
    picture = moved(picture, how, rng)
    if rng.random() < how.blurred:
        picture = _uint8(cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.0, 4.0)))
    if rng.random() < how.lit:
        picture = _lit(picture, rng)
    height, width = picture.shape[:2]
    if how.reduced != (1.0, 1.0):
        factor = rng.uniform(*how.reduced)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = _uint8(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    if rng.random() < how.noisy:
        noise = rng.normal(0, rng.uniform(2, 12), picture.shape[:2])[..., None]
        picture = _uint8(picture + noise)
    if rng.random() < how.occluded:
        picture = _occluded(picture, rng)
    if rng.random() < how.compressed:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
        coded = cv2.imencode('.jpg', picture, quality)[1]
        picture = _uint8(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    if picture.shape[:2] != (height, width):
        picture = _uint8(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))
    return picture


def flipped(picture: Picture) -> Picture:
    """
    Mirror left to right.

    :param picture: [height, width] or [height, width, 3].
    :returns: the same shape.
    """
    return np.ascontiguousarray(picture[:, ::-1])


def moved(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """
    Rotate, scale and shift about the middle.

    :param picture: RGB [height, width, 3].
    :returns: the same shape.
    """
    height, width = picture.shape[:2]
    bound = how.max_rotation_rad
    angle = float(np.clip(rng.normal(0, how.rotation_rad), -bound, bound))
    turn = np.asarray(
        cv2.getRotationMatrix2D(
            (width / 2, height / 2), float(np.degrees(angle)), rng.uniform(*how.scale)
        ),
        np.float64,
    )
    turn[:, 2] += rng.uniform(-how.shift, how.shift, 2) * (width, height)
    return _uint8(cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR))


def _lit(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change gamma, contrast and brightness through one table."""
    levels = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.3))
    table = (levels - 0.5) * rng.uniform(0.6, 1.3) + 0.5 + rng.uniform(-0.1, 0.1)
    return _uint8(cv2.LUT(picture, _uint8(255 * table)))


def _occluded(picture: Picture, rng: np.random.Generator) -> Picture:
    """Lay a patch of one grey level over up to a third of the face."""
    height, width = picture.shape[:2]
    size = (rng.uniform(0.08, 0.33, 2) * (height, width)).astype(int)
    y, x = (rng.uniform(0.2, 0.8, 2) * (height, width) - size / 2).astype(int)
    covered = picture.copy()
    covered[max(0, y) : y + size[0], max(0, x) : x + size[1]] = rng.integers(0, 256)
    return covered


def _uint8(values: NDArray[Any] | None) -> Picture:
    assert values is not None, 'what was just encoded can be decoded'
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


ENLARGED_PX = 192
"""Wanted length of the shorter side, met as nearly as a whole factor can: FER2013's times four."""

MOST_PX = 4000
"""Greatest length of the longer side before there is a border; longer ones fill the memory."""

BORDER = 0.25
"""Width of the black border as a share of the prepared side."""


def native(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Give the photograph as it is, as the seed report does (section 4.2).

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: RGB.
    """
    return _rgb(picture)


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Enlarge a small photograph by a whole factor, reduce a huge one, and give it a border.

    MediaPipe's detector looks for whole heads with something round them: photographs cut at chin
    and forehead, as FER2013's, are found far more often with a border.

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: RGB.
    """
    height, width = picture.shape[:2]
    if (longer := max(height, width)) > MOST_PX:
        size = round(width * MOST_PX / longer), round(height * MOST_PX / longer)
        picture = _uint8(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    factor = max(1, round(ENLARGED_PX / min(picture.shape[:2])))
    if factor > 1:
        picture = np.asarray(
            cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC),
            np.uint8,
        )
    height, width = picture.shape[:2]
    above, beside = round(height * BORDER), round(width * BORDER)
    bordered = cv2.copyMakeBorder(picture, above, above, beside, beside, cv2.BORDER_CONSTANT)
    return _rgb(np.asarray(bordered, np.uint8))


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.ndim == 3:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)


@dataclass(frozen=True)
class View:
    """
    One way of looking at every picture of a data set.

    :param name: what its results are called.
    :param enlarge: whether `enlarged` prepares, rather than `native`.
    :param augmentation: how pictures are changed; None leaves them as they are.
    :param seed: of the changes.
    """

    name: str
    enlarge: bool = True
    augmentation: Augmentation | None = None
    seed: int = 0

    def picture(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """
        Prepare one picture.

        :param picture: grey [height, width] or RGB [height, width, 3].
        :returns: RGB; changed by chance that the picture itself seeds, so always the same.
        """
        prepared = enlarged(picture) if self.enlarge else native(picture)
        if self.augmentation is None:
            return prepared
        digest = hashlib.sha256(np.ascontiguousarray(picture).data).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(digest[:8], 'little')])
        return augmented(prepared, self.augmentation, rng)


NATIVE = View('native', enlarge=False)
X4_PAD25 = View('x4_pad25')
AUGMENTED = View('augmented', augmentation=Augmentation(), seed=1)
FAR = View('far', augmentation=Augmentation(reduced=(0.15, 0.25)), seed=2)
"""Photographs 29 to 48 px wide: FER2013's are enlarged by 4, so .25 is their own size."""


@dataclass(frozen=True)
class ViewedPictures:
    """Pictures of a data set, prepared while they are read."""

    pictures: Pictures
    view: View

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Read and prepare one picture.

        :param index: which, in [0, len).
        :returns: RGB [height, width, 3].
        :raises PictureError: when it cannot be read.
        """
        return self.view.picture(self.pictures.read(index))

    def name(self, index: int) -> str:
        """
        Name one picture.

        :returns: its name in the data set.
        """
        return self.pictures.name(index)

    def part(self, indices: Sequence[int]) -> ViewedPictures:
        """
        Keep some pictures.

        :returns: those, in that order.
        """
        return replace(self, pictures=self.pictures.part(indices))

    def content(self) -> Iterator[bytes]:
        """
        Give what stands for each picture.

        :returns: yields the view's settings before the bytes of each picture in the data set.
        """
        yield from (repr(self.view).encode() + each for each in self.pictures.content())


# As the runtime is shown pictures in protocol X.


SMALL_PX = 100
ENLARGED = 4
BORDER_PX = 48


def framed(picture: Picture) -> Picture:
    """
    Prepare one picture: one less than 100 px high is enlarged and given a black border.

    :param picture: grey [height, width] or RGB [height, width, 3].
    :returns: RGB.
    """
    if len(picture) < SMALL_PX:
        picture = np.asarray(
            cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC),
            np.uint8,
        )
        border = (BORDER_PX,) * 4
        picture = np.asarray(cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT), np.uint8)
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return picture


class _Framed(View):
    """What the runtime looks at of each picture."""

    def picture(self, picture: Picture) -> Picture:
        """Prepare one picture, see `framed`."""
        return framed(picture)


FRAMED = _Framed('framed')
