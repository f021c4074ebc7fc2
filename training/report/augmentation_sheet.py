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

"""Photographs beside what augmentation makes of them: the report's section 4.5 and fig. 6."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.pictures import Pictures
from training.extraction.views import AUGMENTED, X4_PAD25, View
from training.report.contact_sheet import Cell, Layout, write_pages

CHANGES = 7
LAYOUT = Layout(columns=CHANGES + 1, rows=8, side_px=128, caption_lines=1)


def augmentation_sheet(
    pictures: Pictures, rows: NDArray[np.int64], path: Path, view: View = AUGMENTED
) -> list[Path]:
    """
    Draw photographs, each as it is and then changed with several seeds.

    :param pictures: all photographs.
    :param rows: indices of those to draw, one a line.
    :param path: PNG; page 3 of `augmented.png` is `augmented-3.png`.
    :param view: the changes; the training's own have the caption 'used'.
    :returns: the pages written.
    :raises ValueError: when the path is in the checkout but not under `out/`.
    """
    views = [replace(view, seed=view.seed + number) for number in range(CHANGES)]
    captions = ['used', *(f'seed {each.seed}' for each in views[1:])]
    cells = []
    for row in rows.tolist():
        picture = pictures.read(row)
        cells.append(Cell(X4_PAD25.picture(picture), str(row)))
        cells += [Cell(v.picture(picture), text) for v, text in zip(views, captions)]
    return write_pages(cells, LAYOUT, path, 'photographs as prepared, and augmented')
