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

"""People far away and many: which are found, whether their expression is; drawn with --plot."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from dev.bench.pictures import (
    SIZE,
    Photograph,
    held_expression,
    landscape,
    new_finder,
    photographs,
    read_frames,
    read_picture,
    study,
    write_plot,
)
from emotion_estimator.commands import place
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.finder import Face, FaceFinder
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.files import check_files, find_model
from emotion_estimator.stamps import NS_PER_S

WIDTHS_PX = (16, 24, 32, 40, 48, 96, 192)
PLACES = 3
LABELS = {'smiling': 'happy', 'neutral': 'neutral'}
LOST = 'lost'
GROUP, NO_FACE = 'multi_face.jpg', 'no_face.mp4'
_SEED = 1
_MARGIN = 0.6  # of the face's box kept around it in a composite
_MAX_FACES = 10


@dataclass(frozen=True)
class SmallFace:
    """
    One face in a composite.

    :param name: of the photograph.
    :param expression: that it shows, of `LABELS`.
    :param width_px: of the face.
    :param decided: what basic7 calls it; `LOST` where it is not found.
    :param invented: how many faces were found beside it.
    """

    name: str
    expression: str
    width_px: int
    decided: str
    invented: int

    @property
    def right(self) -> bool:
        """Whether it is called what it shows."""
        return self.decided == LABELS[self.expression]


class _Looks:
    """Looks at pictures that have nothing to do with each other."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._numbers = count(1)

    def __call__(self, picture: Rgb) -> tuple[Face, ...]:
        number = next(self._numbers)
        return self._finder.find(picture, number * NS_PER_S, line=number).faces


def small_faces(yunet: bool = True) -> list[SmallFace]:
    """
    Look at photographs of one face, made small, at random places of a landscape.

    :param yunet: see `new_finder`.
    :returns: `PLACES` of each photograph and width.
    :raises AssetError: when a picture cannot be had.
    """
    finder = new_finder(_MAX_FACES, yunet=yunet)
    look, model, background = _Looks(finder), EmotionModel(find_model('basic7')), landscape()
    found = []
    for width_px in WIDTHS_PX:
        random = np.random.default_rng([_SEED, width_px])
        for expression in LABELS:
            for photograph in photographs(expression) * PLACES:
                composite, (x, y) = _composite(background, photograph, width_px, random)
                faces = look(composite)
                here = [face for face in faces if _distance_px(face.box, x, y) < width_px / 2]
                decided = held_expression(here[0], model, min_confidence=0).label if here else LOST
                invented = len(faces) - len(here)
                found.append(SmallFace(photograph.name, expression, width_px, decided, invented))
    finder.close()
    return found


def measure_group_and_nobody(yunet: bool = True) -> dict[str, float]:
    """
    Look at a group, at a landscape and at a clip that show no face.

    :param yunet: see `new_finder`.
    :returns: `multi_face_found`, of five; `faces_invented` where there is none.
    :raises AssetError: when a picture cannot be had.
    """
    finder = new_finder(_MAX_FACES, yunet=yunet)
    look = _Looks(finder)
    found = len(look(read_picture(GROUP)))
    invented = len(look(landscape()))
    invented += sum(len(look(picture)) for picture in read_frames(NO_FACE))
    finder.close()
    return {'multi_face_found': float(found), 'faces_invented': float(invented)}


def measure_small_faces(seen: list[SmallFace] | None = None) -> dict[str, float]:
    """
    Count what is seen of small faces.

    :param seen: see `small_faces`; None looks again.
    :returns: by the faces' width `recall_<px>px`, and the shares of smiling and neutral faces
        that basic7 calls so, `smiling_right_<px>px` and `neutral_right_<px>px`, a lost face
        counting as wrong; `faces_invented_beside` them.
    :raises AssetError: when a picture cannot be had.
    """
    seen = small_faces() if seen is None else seen
    found = {}
    for width_px, faces in _by_width(seen):
        for expression in LABELS:
            right = [face.right for face in faces if face.expression == expression]
            found[f'{expression}_right_{width_px}px'] = float(np.mean(right))
        found[f'recall_{width_px}px'] = float(np.mean([face.decided != LOST for face in faces]))
    return {**found, 'faces_invented_beside': float(sum(face.invented for face in seen))}


def _by_width(seen: list[SmallFace]) -> Iterator[tuple[int, list[SmallFace]]]:
    for width_px in WIDTHS_PX:
        yield width_px, [face for face in seen if face.width_px == width_px]


def _composite(
    background: Rgb, photograph: Photograph, width_px: int, random: np.random.Generator
) -> tuple[Rgb, tuple[float, float]]:
    """Put a face of some width at a random place; the picture and the face's centre there."""
    picture, box = photograph.picture, photograph.box
    height, width = picture.shape[:2]
    x_min, x_max = box.x_min * width, box.x_max * width
    y_min, y_max = box.y_min * height, box.y_max * height
    margin = _MARGIN * (x_max - x_min)
    left, top = (max(round(value - margin), 0) for value in (x_min, y_min))
    cut = picture[top : round(y_max + margin), left : round(x_max + margin)]
    scale = width_px / (x_max - x_min)
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x = int(random.integers(0, SIZE[0] - small.shape[1]))
    y = int(random.integers(0, SIZE[1] - small.shape[0]))
    composite = background.copy()
    composite[y : y + small.shape[0], x : x + small.shape[1]] = small
    centre = (x_min + x_max) / 2 - left, (y_min + y_max) / 2 - top
    return composite, (x + centre[0] * scale, y + centre[1] * scale)


def _distance_px(box: Box, x: float, y: float) -> float:
    centre_x, centre_y = (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
    return float(np.hypot(centre_x * SIZE[0] - x, centre_y * SIZE[1] - y))


def _table(seen: list[SmallFace]) -> Table:
    """List what each photograph is called at each width."""
    table = Table('photograph', *(f'{width_px} px' for width_px in WIDTHS_PX))
    for name in dict.fromkeys(face.name for face in seen):
        cells = []
        for _, faces in _by_width(seen):
            decided = Counter(face.decided for face in faces if face.name == name)
            cells.append(', '.join(f'{label} {count}' for label, count in decided.most_common()))
        table.add_row(name, *cells)
    return table


@study
def main() -> None:
    """Print what each photograph is called, and draw the shares by width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--plot', type=place, default=Path('out/small_faces.png'), help='PNG file')
    parser.add_argument('--without-yunet', action='store_true', help="with MediaPipe's detector")
    options = parser.parse_args()
    path = options.plot
    check_files(path)
    seen = small_faces(not options.without_yunet)
    Console(width=140).print(_table(seen))
    figures = measure_small_faces(seen)
    found = ', '.join(f'{w} px {figures[f"recall_{w}px"]:.2f}' for w in WIDTHS_PX)
    Console().print(f'Found: {found}.', highlight=False)
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, plot = pyplot.subplots(figsize=(6, 3.4), layout='constrained')
    for name, label, style in (
        ('recall', 'found', 'k:'),
        ('smiling_right', 'smiling, decided happy', 'C1o-'),
        ('neutral_right', 'neutral, decided neutral', 'C0x-'),
    ):
        plot.plot(WIDTHS_PX, [figures[f'{name}_{w}px'] for w in WIDTHS_PX], style, label=label)
    plot.set_xscale('log')
    plot.set_xticks(WIDTHS_PX, [str(width_px) for width_px in WIDTHS_PX], minor=False)
    plot.minorticks_off()
    plot.set_ylim(0, 1.05)
    plot.set_xlabel('width of the face in pixels')
    plot.set_ylabel(f'share of {PLACES * len(photographs("smiling"))} composites')
    plot.grid(alpha=0.3)
    plot.legend(loc='lower right', fontsize=8)
    write_plot(figure, path)


if __name__ == '__main__':
    raise SystemExit(main())
