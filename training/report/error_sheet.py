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

"""Photographs that were answered wrongly, to look at: the report's sections 4.4 and 7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.labels import LABELS
from training.datasets.pictures import Pictures
from training.report.contact_sheet import Cell, Layout, cell_of, write_pages

COLUMNS = 8
SIDE_PX = 192
CAPTION_LINES = 3


def error_order(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Find the wrong answers, the surest first.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N]; rows without a label (-1) are left out.
    :returns: positions in [0, N); equally sure ones in their order.
    """
    wrong = np.flatnonzero((truth >= 0) & (probabilities.argmax(axis=1) != truth))
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind='stable')]


def error_sheet(
    pictures: Pictures,
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    landmarks: NDArray[np.float32],
    path: Path,
    names: tuple[str, ...] = LABELS,
    per_page: int = 32,
) -> list[Path]:
    """
    Draw the wrongly answered photographs, the surest first, with the landmarks found.

    Under each: its index, the truth and the answer with the probability of either.

    :param pictures: all photographs.
    :param rows: index into `pictures` of each of the N answers, shape [N].
    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param landmarks: x and y in pixels of the photograph, shape [N, 478, 3]; a face with any
        that is not finite gets no dots.
    :param path: PNG; page 3 of `errors.png` is `errors-3.png`.
    :param names: the classes.
    :param per_page: photographs on a page, at least 1; more than eight make whole lines of eight.
    :returns: the pages written, none when all answers are right.
    :raises ValueError: when the path is in the checkout but not under `out/`.
    """
    order = error_order(probabilities, truth)
    layout = Layout(
        columns=min(COLUMNS, per_page),
        rows=-(-per_page // COLUMNS),
        side_px=SIDE_PX,
        caption_lines=CAPTION_LINES,
    )

    def cells() -> Iterator[Cell]:
        for position in order:
            chances = probabilities[position]
            true, answer = int(truth[position]), int(chances.argmax())
            caption = (
                f'{rows[position]}\n'
                f'truth {names[true]} {chances[true]:.2f}\n'
                f'answer {names[answer]} {chances[answer]:.2f}'
            )
            dots = landmarks[position]
            shown = dots if np.isfinite(dots).all() else None
            yield cell_of(pictures, int(rows[position]), caption, shown)

    title = f'{len(order)} of {len(truth)} answers are wrong, the surest first'
    return write_pages(cells(), layout, path, title)
