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

"""Paints onto a picture of a face, in the face's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""A picture in RGB, 0 to 255, shape [height, width, 3]."""
Mask = NDArray[np.uint8]
"""What is marked of a picture, 0 to 255, shape [height, width]."""
Place = NDArray[np.float64]
"""x and y in pixels."""
LIPS = (61, 291, 0, 17)  # their corners, their upper and lower edge
EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
CHEEKS = (50, 280)


class FacePlaces:
    """
    Where the parts of a face lie in a picture, whichever way it is turned in its plane.

    :param outline: x and y of the landmarks in pixels, shape [478, 2].
    """

    def __init__(self, outline: NDArray[np.float32]) -> None:
        self.points = outline.astype(np.float64)
        self.eyes = [self.points[list(eye)].mean(axis=0) for eye in EYES]
        self.between = (self.eyes[0] + self.eyes[1]) / 2
        self.mouth = self.points[[61, 291, 13, 14]].mean(axis=0)
        apart = self.eyes[1] - self.eyes[0]
        self.unit = float(np.hypot(*apart)) + 1e-6
        """Distance of the eyes' middles in pixels."""
        self.right = apart / self.unit
        """Direction from the left eye in the picture to the right one."""
        self.down = np.array([-self.right[1], self.right[0]])
        """Direction towards the chin."""
        if (self.points[152] - self.points[10]) @ self.down < 0:
            self.down = -self.down

    def at(self, middle: Place, right: float, down: float) -> Place:
        """
        Go from a place along the face's own axes.

        :param middle: from where.
        :param right: how far to the right, in `unit`.
        :param down: how far towards the chin, in `unit`.
        :returns: where that is.
        """
        return np.asarray(middle + self.unit * (right * self.right + down * self.down))


class Scene:
    """
    A picture that is drawn on, and the chance that draws.

    :param picture: RGB, left as it is.
    :param face: where the face is.
    :param rng: source of chance; the same state draws the same.
    :param donors: other pictures, grey or RGB, parts of which serve as cloth.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        face: FacePlaces,
        rng: np.random.Generator,
        donors: Sequence[NDArray[np.uint8]],
    ) -> None:
        self.pixels: Pixels = picture.astype(np.float32)
        self.face = face
        self.rng = rng
        self._donors = donors
        self._height, self._width = picture.shape[:2]

    def chance(self, share: float) -> bool:
        """Draw whether something is so, which it is in a share of cases."""
        return bool(self.rng.random() < share)

    def grey(self, least: float = 0, most: float = 255) -> list[float]:
        """Draw a grey."""
        return [float(self.rng.uniform(least, most))] * 3

    def blank(self) -> Mask:
        """Mark nothing."""
        return np.zeros((self._height, self._width), np.uint8)

    def area(self, points: Sequence[Place] | NDArray[np.float64]) -> Mask:
        """Mark what lies between some corners."""
        mask = self.blank()
        cv2.fillPoly(
            mask, [np.rint(np.asarray(points) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4
        )
        return mask

    def blob(
        self, middle: Place, half: tuple[float, float], rough: float = 0.15, turn: float = 0.0
    ) -> Mask:
        """Mark what lies between an ellipse and a rectangle, with an uneven edge."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        noise = np.convolve(np.tile(self.rng.normal(0, 1, 24), 3), np.ones(5) / 5, 'same')[24:48]
        power = self.rng.uniform(0.5, 1.0)
        across, down = (
            np.sign(f) * np.abs(f) ** power * size * (1 + rough * noise)
            for f, size in ((np.cos(angles), half[0]), (np.sin(angles), half[1]))
        )
        c, s = np.cos(turn), np.sin(turn)
        return self.area(
            [self.face.at(middle, c * a - s * b, s * a + c * b) for a, b in zip(across, down)]
        )

    def lay(
        self, mask: Mask, paint: Pixels | NDArray[np.float64] | float, share: float = 1.0
    ) -> None:
        """Lay something over the picture where a mask is set, with a soft edge."""
        soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), self.rng.uniform(0.4, 1.6))
        weight = np.asarray(soft, np.float32)[..., None] * np.float32(share)
        self.pixels = np.asarray(self.pixels * (1 - weight) + paint * weight, np.float32)

    def line(self, a: Place, b: Place, colour: Sequence[float], thick: int) -> None:
        """Draw a straight line, so many pixels thick."""
        ends = [np.rint(end).astype(int).tolist() for end in (a, b)]
        cv2.line(self.pixels, ends[0], ends[1], colour, thick, cv2.LINE_AA)

    def finished(self) -> NDArray[np.uint8]:
        """Return the picture with all that was drawn."""
        return np.asarray(np.clip(np.rint(self.pixels), 0, 255), np.uint8)

    def clouds(self, most: int) -> Pixels:
        """Make light and dark that change slowly, of deviation about 1."""
        few = self.rng.normal(0, 1, (int(self.rng.integers(2, most)),) * 2).astype(np.float32)
        large = cv2.resize(few, (self._width, self._height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large, np.float32)[..., None]

    def skin(self) -> Pixels:
        """Paint with the colour of the face's own cheek."""
        x, y = self.face.points[int(self.rng.choice(CHEEKS))].astype(int)
        x, y = np.clip(x, 0, self._width - 1), np.clip(y, 0, self._height - 1)
        reach = max(2, int(self.face.unit * 0.12))
        patch = self.pixels[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
        colour = patch.mean(axis=(0, 1)) if patch.size else np.float32(128)
        paint = colour * self.rng.uniform(0.75, 1.2) + self.rng.uniform(3, 22) * self.clouds(12)
        return np.asarray(np.clip(paint, 0, 255), np.float32)

    def cloth(self) -> Pixels:
        """Paint with one colour, a pattern, folds, or a part of another picture."""
        rng, unit = self.rng, max(self._height, self._width)
        kind = rng.choice(
            ['plain', 'shaded', 'dots', 'stripes', 'checks', 'pleats', 'grain', 'picture'],
            p=[0.1, 0.26, 0.14, 0.13, 0.06, 0.13, 0.06, 0.12],
        )
        coloured = self.chance(0.5)

        def colour() -> NDArray[np.float32]:
            drawn = rng.integers(0, 256, 3) if coloured else np.full(3, rng.integers(0, 256))
            return np.asarray(drawn, np.float32)

        paint = np.empty_like(self.pixels)
        paint[:] = colour()
        y, x = np.mgrid[0 : self._height, 0 : self._width].astype(np.float32)
        angle = rng.uniform(0, np.pi)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        period = unit * rng.uniform(0.01, 0.12)
        if kind == 'dots':
            self._dots(paint, [colour().tolist() for _ in range(rng.integers(1, 4))])
        elif kind == 'stripes':
            paint[np.sin(2 * np.pi * along / period) > rng.uniform(-0.7, 0.7)] = colour()
        elif kind == 'checks':
            squares = np.sin(2 * np.pi * along / period) * np.sin(2 * np.pi * across / period) > 0
            paint[squares] = colour()
        elif kind == 'pleats':
            wave = np.sin(2 * np.pi * y / (unit * rng.uniform(0.03, 0.12)) + rng.uniform(0, 6))
            folds = np.sign(wave) * np.abs(wave) ** rng.uniform(0.3, 3)
            paint += (rng.uniform(5, 45) * folds)[..., None]
        elif kind == 'grain':
            grain = rng.normal(0, 60, self.pixels.shape[:2]).astype(np.float32)
            paint += np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.7, 3)))[..., None]
        elif kind == 'picture':
            paint[:] = self._other_picture()
        if kind in ('shaded', 'pleats') or self.chance(0.3):
            paint += rng.uniform(5, 40) * self.clouds(14)
        if self.chance(0.6):
            paint += (rng.uniform(-60, 60) * (along / unit - 0.5))[..., None]
        return np.asarray(np.clip(paint, 0, 255), np.float32)

    def _dots(self, paint: Pixels, inks: list[list[float]]) -> None:
        unit = max(self._height, self._width)
        for _ in range(int(self.rng.integers(20, 500))):
            middle = [int(self.rng.integers(0, n)) for n in (self._width, self._height)]
            size = 1 + int(unit * self.rng.uniform(0.004, 0.05))
            flat = size if self.chance(0.5) else max(1, size // 3)
            ink, turn = inks[int(self.rng.integers(len(inks)))], float(self.rng.uniform(0, 180))
            cv2.ellipse(paint, middle, (size, flat), turn, 0, 360, ink, -1, cv2.LINE_AA)

    def _other_picture(self) -> Pixels:
        """Enlarge a square of another picture, turned by quarters."""
        donor = self._donors[int(self.rng.integers(len(self._donors)))]
        side = int(self.rng.integers(12, min(donor.shape[:2]) + 1))
        top, left = (int(self.rng.integers(0, n - side + 1)) for n in donor.shape[:2])
        part = np.rot90(donor[top : top + side, left : left + side], int(self.rng.integers(4)))
        large = cv2.resize(np.ascontiguousarray(part), (self._width, self._height))
        return np.asarray(large if large.ndim == 3 else large[..., None], np.float32)
