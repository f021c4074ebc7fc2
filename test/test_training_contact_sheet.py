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

"""A sheet shows pictures of any size, unread ones too, in their places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.datasets.pictures import FilePictures
from training.report.contact_sheet import (
    GAP_PX,
    LINE_PX,
    TITLE_PX,
    Cell,
    Layout,
    cell_of,
    write_pages,
)

LAYOUT = Layout(columns=2, rows=2, side_px=40, caption_lines=1)


def pages(cells, tmp_path):
    written = write_pages(cells, LAYOUT, tmp_path / 'sheet.png', 'title')
    return [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in written]


def field(page, place):
    row, column = divmod(place, LAYOUT.columns)
    top = TITLE_PX + row * (LAYOUT.side_px + LINE_PX + GAP_PX)
    left = GAP_PX + column * (LAYOUT.side_px + GAP_PX)
    return page[top : top + LAYOUT.side_px, left : left + LAYOUT.side_px]


def test_every_picture_stands_in_its_place_on_its_page(tmp_path):
    cells = [Cell(np.full((5, 5), 10 * grey, np.uint8), 'x') for grey in range(1, 6)]
    first, second = pages(cells, tmp_path)
    assert [field(first, place).mean() for place in range(4)] == [10, 20, 30, 40]
    assert field(second, 0).mean() == 50
    assert second.shape[0] < first.shape[0], 'the last page ends with its last line'


def test_a_wide_picture_keeps_its_shape(tmp_path):
    rgb = np.zeros((10, 20, 3), np.uint8)
    rgb[..., 0] = 200
    (page,) = pages([Cell(rgb, 'x')], tmp_path)
    drawn = field(page, 0)
    assert (drawn[10:30] == (200, 0, 0)).all()
    assert (drawn[:10] == 255).all()
    assert (drawn[30:] == 255).all()


def test_dots_stand_on_the_pixels_they_name(tmp_path):
    dots = np.array([[5, 2.5, 0.1], [-3, 2.5, 0], [2, 11, 0]], np.float32)
    (page,) = pages([Cell(np.zeros((10, 10), np.uint8), '', dots)], tmp_path)
    green = field(page, 0)[..., 1].astype(float)
    ys, xs = np.nonzero(green)
    # The picture is drawn four times as large; a pixel's middle is half a pixel off its corner.
    assert np.average(xs + 0.5, weights=green[ys, xs]) == pytest.approx(20, abs=0.5)
    assert np.average(ys + 0.5, weights=green[ys, xs]) == pytest.approx(10, abs=0.5)
    around = page.copy()
    field(around, 0)[:] = 255
    assert not ((around[..., 1] > around[..., 0]).any()), 'dots outside are not drawn'


def test_a_picture_that_cannot_be_read_does_not_stop_the_sheet(tmp_path):
    good = tmp_path / 'good.png'
    cv2.imwrite(str(good), np.full((4, 4), 90, np.uint8))
    pictures = FilePictures([tmp_path / 'missing.png', good])
    dots = np.zeros((1, 2), np.float32)
    (page,) = pages([cell_of(pictures, index, str(index), dots[:0]) for index in (0, 1)], tmp_path)
    assert field(page, 0).mean() == 200
    assert field(page, 1).mean() == 90


def test_no_pictures_make_no_page(tmp_path):
    assert pages([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []
