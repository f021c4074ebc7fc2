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
Faces that are covered or upside down: whether that is noticed, and nothing else; drawn.

The covers are others than those that the network of `visible.*` has learned from. With folders as
arguments the pictures in them, which should show uncovered faces, are counted instead.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Union

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from dev.bench.pictures import Photograph, photographs, study
from emotion_estimator.commands import place
from emotion_estimator.emotion.decision import UNKNOWN, VISIBLE_PARTS
from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.replay.files import pictures_in
from training.painting import EYES, LIPS, FacePlaces, Mask, Place, Scene

WIDTHS_PX = (60, 200)
"""Widths of the faces that are covered, in pixels."""
MOUTH = (LIPS,)
COLOURS = {'skin': (200, 160, 140), 'black': (20, 20, 20), 'white': (235, 235, 235)}
_AROUND = 0.15  # of the face's width that is covered around the part too

Colour = tuple[float, float, float]
Paint = Union[Colour, NDArray[Any]]


def cover(
    picture: Rgb,
    landmarks: NDArray[np.float32],
    parts: tuple[tuple[int, ...], ...],
    colour: Colour,
) -> Rgb:
    """
    Paint over parts of a face, and over some skin around them.

    :param picture: the pixels, left as they are.
    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param parts: landmarks round each part.
    :param colour: RGB.
    """
    size = np.array([picture.shape[1], picture.shape[0]])
    places = landmarks[:, :2] * size
    around = _AROUND * np.ptp(places[:, 0])
    covered = picture.copy()
    for part in parts:
        corners = places[list(part)]
        left, top = np.rint(corners.min(axis=0) - around).astype(int).tolist()
        right, bottom = np.rint(corners.max(axis=0) + around).astype(int).tolist()
        covered[top:bottom, left:right] = colour
    return covered


class _Pen(Scene):
    """Draws with places that count from one of the face's: the eyes' distance right and down."""

    def oval(self, middle: Place, half: tuple[float, float], power: float = 1.0) -> Mask:
        """Mark an ellipse; with a power below 1 it comes near a rectangle."""
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        across, down = (np.sign(f) * np.abs(f) ** power for f in (np.cos(angles), np.sin(angles)))
        return self.shape(middle, zip(half[0] * across, half[1] * down))

    def shape(self, middle: Place, corners: Iterable[tuple[float, float]]) -> Mask:
        """Mark an area."""
        return self.area([self.face.at(middle, *corner) for corner in corners])

    def fill(self, mask: Mask, paint: Paint, share: float = 1.0) -> None:
        """Lay a colour, or a picture, over a marked area."""
        self.lay(mask, np.asarray(paint, np.float64), share)

    def stroke(
        self, middle: Place, ends: Iterable[tuple[float, float]], wide: float, colour: Colour
    ) -> None:
        """Draw a line through places."""
        points = [self.face.at(middle, *end) for end in ends]
        for a, b in pairwise(points):
            self.line(a, b, colour, max(1, round(wide * self.face.unit)))

    def from_mouth(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give every pixel's place below and right of the mouth's middle."""
        y, x = np.mgrid[0 : self.pixels.shape[0], 0 : self.pixels.shape[1]].astype(np.float64)
        away = np.stack([x, y], axis=-1) - self.face.mouth
        return (away @ self.face.down) / self.face.unit, (away @ self.face.right) / self.face.unit


_CLOTH = [(-1.05, -0.62), (-0.5, -0.72), (0, -0.8), (0.5, -0.72), (1.05, -0.62), (0.95, 0.1)]
_CLOTH += [(0.6, 0.62), (0, 0.86), (-0.6, 0.62), (-0.95, 0.1)]


def _medical_mask(pen: _Pen) -> None:
    down, _ = pen.from_mouth()
    folds = np.where(np.abs((down / 0.34) % 1 - 0.5) < 0.09, 0.72, 1.0)
    pen.fill(pen.shape(pen.face.mouth, _CLOTH), folds[..., None] * (150, 190, 215))
    pen.stroke(pen.face.mouth, [(-1.0, -0.55), (-1.35, -0.8)], 0.03, (230, 230, 230))
    pen.stroke(pen.face.mouth, [(1.0, -0.55), (1.35, -0.8)], 0.03, (230, 230, 230))


def _filter_mask(pen: _Pen) -> None:
    _, right = pen.from_mouth()
    pen.fill(pen.shape(pen.face.mouth, _CLOTH), (245 - 45 * np.abs(right))[..., None] * (1, 1, 1))
    pen.stroke(pen.face.mouth, [(0, -0.78), (0, 0.84)], 0.03, (190, 190, 190))
    pen.fill(pen.oval(pen.face.at(pen.face.mouth, 0.4, 0.1), (0.2, 0.2)), (205, 205, 205))


def _printed_mask(pen: _Pen) -> None:
    """Draw a mask with a laughing mouth printed on it."""
    mouth = pen.face.mouth
    pen.fill(pen.shape(mouth, _CLOTH), (240, 236, 225))
    pen.fill(pen.shape(mouth, [(-0.5, -0.12), (0, -0.02), (0.5, -0.12), (0.3, 0.22), (0, 0.32),
                              (-0.3, 0.22)]), (190, 40, 50))  # fmt: skip
    pen.fill(pen.shape(mouth, [(-0.4, -0.05), (0, 0.03), (0.4, -0.05), (0.22, 0.13), (0, 0.18),
                              (-0.22, 0.13)]), (250, 250, 250))  # fmt: skip


def _patterned_mask(pen: _Pen) -> None:
    """Draw a mask with leaves of three colours."""
    drawn = pen.rng
    cloth = np.zeros_like(pen.pixels)
    cloth[:] = (40, 90, 60)
    for right, down, turn, tint in drawn.uniform(size=(120, 4)):
        colour = ((230, 225, 200), (200, 90, 60), (20, 40, 30))[int(3 * tint)]
        place = np.rint(pen.face.at(pen.face.mouth, 2.4 * right - 1.2, 2 * down - 0.9))
        size = np.rint(np.array([0.11, 0.04]) * pen.face.unit).astype(int)
        cv2.ellipse(cloth, place.astype(int).tolist(), np.maximum(size, 1).tolist(), 180 * turn,
                    0, 360, colour, -1, cv2.LINE_AA)  # fmt: skip
    pen.fill(pen.shape(pen.face.mouth, _CLOTH), cloth)


def _scarf(pen: _Pen) -> None:
    down, right = pen.from_mouth()
    knit = 25 * np.sin(2 * np.pi * (down / 0.12 + 0.35 * np.abs((right / 0.1) % 2 - 1)))
    area = [(-3, -0.1), (-1, -0.3), (0, -0.34), (1, -0.26), (3, -0.1), (3, 4), (-3, 4)]
    pen.fill(pen.shape(pen.face.mouth, area), knit[..., None] + (120, 45, 55))


def _hand(pen: _Pen) -> None:
    """Draw four fingers and the ball of the thumb, in the colour of the person's own brow."""
    skin = pen.pixels[tuple(np.rint(pen.face.points[9]).astype(int)[::-1])].astype(np.float64)
    dark, mouth = (skin * 0.55).astype(int).tolist(), pen.face.mouth
    for number in range(4):
        low = -0.34 + 0.23 * number
        middle = pen.face.at(mouth, -0.12 + 0.05 * number, low)
        pen.fill(pen.oval(middle, (1.02, 0.14), 0.6), np.array(dark, np.float64))
        pen.fill(pen.oval(middle, (1.0, 0.115), 0.6), skin * (0.98 - 0.04 * number))
        pen.fill(pen.oval(pen.face.at(middle, 0.88, 0), (0.07, 0.06)), skin * 1.15)
    pen.fill(pen.oval(pen.face.at(mouth, -1.25, 0.3), (0.5, 0.55)), skin * 0.9)


def _cup(pen: _Pen) -> None:
    mouth = pen.face.mouth
    pen.fill(pen.oval(pen.face.at(mouth, 0.68, 0.35), (0.25, 0.3)), (150, 30, 30))
    pen.fill(pen.shape(mouth, [(-0.55, -0.2), (0.55, -0.2), (0.45, 0.95), (-0.45, 0.95)]),
             (185, 45, 40))  # fmt: skip
    pen.fill(pen.oval(pen.face.at(mouth, 0, -0.2), (0.55, 0.09)), (235, 225, 215))


def _sunglasses(pen: _Pen) -> None:
    """Draw aviators: large drops, lighter below, with a streak of light."""
    down, _ = pen.from_mouth()
    for eye, outward in zip(pen.face.eyes, (-1, 1)):
        drop = [(-0.42, -0.2), (0.42, -0.2), (0.44, 0.1), (0.2, 0.42), (-0.15, 0.42), (-0.4, 0.15)]
        lens = pen.shape(eye, [(outward * -x, y) for x, y in drop])
        pen.fill(lens, (60 + 40 * (down + 1))[..., None] * (0.8, 0.7, 0.6))
        streak = pen.shape(eye, [(-0.2, -0.15), (-0.08, -0.15), (-0.22, 0.3), (-0.3, 0.3)])
        pen.fill(np.minimum(lens, streak), (235, 240, 245), 0.6)
        pen.stroke(eye, [(outward * 0.4, -0.15), (outward * 0.75, -0.2)], 0.03, (180, 150, 60))
    pen.stroke(pen.face.between, [(-0.15, -0.12), (0.15, -0.12)], 0.04, (180, 150, 60))


def _narrow_sunglasses(pen: _Pen) -> None:
    for eye in pen.face.eyes:
        pen.fill(pen.oval(eye, (0.42, 0.2), 0.5), (15, 15, 18))
        pen.fill(pen.oval(pen.face.at(eye, -0.15, -0.08), (0.1, 0.03)), (210, 215, 220))
    pen.stroke(pen.face.between, [(-1.0, -0.08), (1.0, -0.08)], 0.06, (15, 15, 18))


def _ski_goggles(pen: _Pen) -> None:
    down, right = pen.from_mouth()
    middle = pen.face.at(pen.face.between, 0, -0.03)
    pen.fill(pen.shape(middle, [(-3, -0.2), (3, -0.2), (3, 0.15), (-3, 0.15)]), (30, 30, 35))
    pen.fill(pen.oval(middle, (1.1, 0.5), 0.6), (235, 235, 235))
    colours = np.stack([160 + 70 * right, 90 - 60 * (down + 1), 60 - 60 * right], axis=-1)
    pen.fill(pen.oval(middle, (1.0, 0.42), 0.6), colours)


def _spectacles(pen: _Pen) -> None:
    for eye in pen.face.eyes:
        angles = np.linspace(0, 2 * np.pi, 30)
        ring = zip(0.38 * np.cos(angles), 0.05 + 0.3 * np.sin(angles))
        pen.stroke(eye, ring, 0.03, (40, 30, 25))
    pen.stroke(pen.face.between, [(-0.13, 0), (0.13, 0)], 0.03, (40, 30, 25))


def _beard(pen: _Pen) -> None:
    drawn = pen.rng
    lips = pen.oval(pen.face.mouth, (0.42, 0.17))
    before = pen.pixels.copy()
    for right, down, slant, shade in drawn.uniform(-1, 1, (5000, 4)):
        if right**2 + max(down, 0) ** 2 < 1 and (down > -0.35 or abs(right) > 0.8):
            start = (0.85 * right, (0.95 if down > 0 else 0.6) * down)
            end = (start[0] + 0.04 * slant, start[1] + 0.07)
            grey = round(45 + 25 * shade)
            pen.stroke(pen.face.mouth, [start, end], 0.012, (grey + 8, grey, grey - 6))
    pen.fill(lips, before)


COVERS: dict[str, dict[str, Callable[[_Pen], None]]] = {
    'mouth': {
        'medical mask': _medical_mask,
        'filter mask': _filter_mask,
        'mask, printed mouth': _printed_mask,
        'mask, pattern': _patterned_mask,
        'scarf': _scarf,
        'hand': _hand,
        'cup': _cup,
    },
    'eyes': {
        'aviators': _sunglasses,
        'narrow sunglasses': _narrow_sunglasses,
        'ski goggles': _ski_goggles,
    },
    'nothing': {'spectacles': _spectacles},
    'beard': {'beard': _beard},
}
"""What is drawn onto faces, by what it hides."""


def drawn(picture: Rgb, landmarks: NDArray[np.float32], name: str) -> Rgb:
    """
    Draw a cover onto a face.

    :param picture: the pixels, left as they are.
    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param name: of one of `COVERS`.
    """
    (draw,) = (covers[name] for covers in COVERS.values() if name in covers)
    size = np.array([picture.shape[1], picture.shape[0]], np.float32)
    pen = _Pen(picture, FacePlaces(landmarks[:, :2] * size), np.random.default_rng(2), ())
    draw(pen)
    return pen.finished()


def upside_down(picture: Rgb) -> Rgb:
    """Turn a picture by 180 degrees."""
    return np.ascontiguousarray(picture[::-1, ::-1])


def scenes(photograph: Photograph, width_px: int) -> Iterator[tuple[str, str, Rgb]]:
    """
    Make all pictures of one photograph.

    :param width_px: width of its face in them.
    :returns: yields what is hidden, as in `COVERS` or 'upright', the cover's name and the
        picture; first the photograph as it is.
    """
    box, picture = photograph.box, photograph.picture
    scale = width_px / ((box.x_max - box.x_min) * picture.shape[1])
    small = np.asarray(
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )
    yield 'nothing', 'as it is', small
    for hidden, covers in COVERS.items():
        for name in covers:
            yield hidden, name, drawn(small, photograph.landmarks, name)
    for hidden, parts in (('mouth', MOUTH), ('eyes', EYES)):
        for name, colour in COLOURS.items():
            yield hidden, f'{hidden} {name}', cover(small, photograph.landmarks, parts, colour)
    yield 'upright', 'upside down', upside_down(small)


Decided = list[tuple[str, str, str, str]]
"""What was hidden, the cover, what the face was decided to show before it and with it."""


def decide_covered_faces(model: str = 'basic7') -> Decided:
    """Decide on each scene of each photograph, a row each; a face not found is 'unknown'."""
    found: Decided = []
    with ExpressionEstimator(model, max_faces=1) as estimator:
        for photograph in (*photographs('neutral'), *photographs('smiling')):
            for width_px in WIDTHS_PX:
                before = ''
                for hidden, name, picture in scenes(photograph, width_px):
                    faces = estimator.estimate_picture(picture)
                    label = faces[0].expression if faces else UNKNOWN
                    before = before or label
                    found.append((hidden, name, before, label))
    return found


def measure_covered_faces(decided: Decided | None = None) -> dict[str, float]:
    """
    Measure what is decided of covered faces, of uncovered ones and of those upside down.

    :param decided: of `decide_covered_faces`; None makes it.
    :returns: shares of faces decided 'unknown', `unknown_...`, and of those decided neither so
        nor as when uncovered, `misled_...`.
    """
    decided = decide_covered_faces() if decided is None else decided
    figures = {}
    for hidden, name in (
        ('nothing', 'uncovered'),
        ('mouth', 'mouth_covered'),
        ('eyes', 'eyes_covered'),
        ('upright', 'upside_down'),
        ('beard', 'bearded'),
    ):
        pairs = [(before, after) for what, _, before, after in decided if what == hidden]
        unknown = [after == UNKNOWN for _, after in pairs]
        misled = [after not in (before, UNKNOWN) for before, after in pairs]
        figures[f'unknown_{name}'] = float(np.mean(unknown))
        figures[f'misled_{name}'] = float(np.mean(misled))
    return figures


def _table(decided: Decided) -> Table:
    """List what faces are decided to show under each cover."""
    table = Table('hides', 'cover', 'decided (uncovered: ...)')
    for name in dict.fromkeys(name for _, name, _, _ in decided):
        rows = [row for row in decided if row[1] == name]
        counts = Counter(after if after == was else f'{after} ({was})' for *_, was, after in rows)
        table.add_row(
            rows[0][0], name, ', '.join(f'{what} {n}' for what, n in counts.most_common())
        )
    return table


_COUNTED = ('pictures', 'no face', UNKNOWN, *VISIBLE_PARTS)


def _count(folder: Path, model: str) -> list[str]:
    """Count what is decided of the pictures in a folder, and which parts count as covered."""
    counts: Counter[str] = Counter()
    with ExpressionEstimator(model, max_faces=1) as estimator:
        for path in sorted(pictures_in(folder)):
            if (bgr := cv2.imread(str(path))) is None:
                continue
            faces = estimator.estimate_picture(np.asarray(bgr[:, :, ::-1], np.uint8))
            counts.update(['pictures'] if faces else ['pictures', 'no face'])
            for face in faces:
                seen = face.face.named_values()
                counts.update(name for name in VISIBLE_PARTS if seen[name] < 1)
                counts.update([UNKNOWN] if face.expression == UNKNOWN else [])
    return [str(folder), *(str(counts[name]) for name in _COUNTED)]


@study
def main() -> None:
    """Print what covered faces are decided to show, or count what folders of pictures give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folders', nargs='*', type=place, help='of pictures of uncovered faces')
    parser.add_argument('--model', default='basic7', help='that decides; default basic7')
    arguments = parser.parse_args()
    for folder in arguments.folders:
        if not folder.is_dir() or not pictures_in(folder):
            parser.error(f'{folder} is no folder of pictures.')
    console = Console(width=140)
    if arguments.folders:
        table = Table('folder', *(f'{name} < 1' if '.' in name else name for name in _COUNTED))
        for folder in arguments.folders:
            table.add_row(*_count(folder, arguments.model))
        console.print(table)
        return
    decided = decide_covered_faces(arguments.model)
    console.print(_table(decided))
    for name, value in measure_covered_faces(decided).items():
        console.print(f'{name} {value:.3f}')


if __name__ == '__main__':
    raise SystemExit(main())
