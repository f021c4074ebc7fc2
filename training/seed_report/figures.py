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

"""Figures: confusion (section 6), reliability, pages of many small photographs with captions."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.evaluation.classification_metrics import (
    BINS,
    Confusion,
    calibration_error,
    reliability_bins,
)
from emotion_estimator.files import write_whole
from training import sources
from training.datasets.pictures import LABELS, PictureError, Pictures
from training.extraction.views import AUGMENTED, X4_PAD25, View
from training.stills import HAPPY_UNKNOWN_SAD

DPI = 100  # of every picture, so that a figure's size in inches says its pixels


# Colours of Paul Tol's "muted" scheme, made for colour-blind readers.
TEAL, ROSE, INDIGO, CYAN = '#44AA99', '#CC6677', '#332288', '#88CCEE'


def write_figure(figure: Figure, path: Path) -> None:
    """
    Write a figure as a PNG, whole or not at all.

    :param figure: the figure, made without pyplot.
    :param path: the file; its folder is made.
    """
    FigureCanvasAgg(figure)
    png = io.BytesIO()
    figure.savefig(png, format='png', dpi=DPI)
    write_whole(path, png.getvalue())


REPORT_CONFUSION = Confusion(
    names=HAPPY_UNKNOWN_SAD.names,
    counts=np.array([[251, 35, 5], [110, 850, 150], [21, 140, 84]]),
    unanswered=np.zeros(3, np.int64),
)
"""The seed report's final model on its 1,646 readable test photographs (section 6)."""


def class_table(found: Confusion, title: str) -> Table:
    """
    Lay each class's scores out for a terminal.

    :returns: a table with a line for each class, and one with their means.
    """
    table = Table(title=title, caption=f'accuracy {found.accuracy:.4f}')
    table.add_column('class')
    for heading in ('photographs', 'precision', 'recall', 'F1'):
        table.add_column(heading, justify='right')
    for index, name in enumerate(found.names):
        scores = (found.precision[index], found.recall[index], found.f1[index])
        table.add_row(name, str(found.support[index]), *map(_score, scores))
    table.add_section()
    table.add_row('mean', str(found.support.sum()), *map(_score, found.means))
    return table


def draw_confusion(found: Confusion, path: Path, title: str) -> None:
    """
    Draw the matrix: colour and number are the share of the truth's line, the count is below.

    :param path: PNG to write.
    """
    columns, counts = list(found.names), found.counts
    if found.unanswered.any():
        columns.append('no answer')
        counts = np.column_stack([counts, found.unanswered])
    shares = counts / np.maximum(found.support, 1)[:, None]
    size = 3 + 0.85 * len(columns), 2.2 + 0.75 * len(found.names)
    figure = Figure(figsize=size, layout='constrained')
    axis = figure.subplots()
    image = axis.imshow(shares, cmap='Blues', vmin=0, vmax=1, aspect='auto')
    for (line, column), share in np.ndenumerate(shares):
        axis.text(
            column,
            line,
            f'{share:.2f}\n{counts[line, column]}',
            ha='center',
            va='center',
            fontsize=9,
            color='white' if share > 0.6 else 'black',
        )
    axis.set_xticks(range(len(columns)), columns, rotation=30, ha='right', rotation_mode='anchor')
    lines = [f'{name} ({count})' for name, count in zip(found.names, found.support)]
    axis.set_yticks(range(len(lines)), lines)
    axis.set_xlabel('answer')
    axis.set_ylabel('truth')
    figure.suptitle(f'{title}\naccuracy {found.accuracy:.3f}, mean F1 {found.means[2]:.3f}')
    figure.colorbar(image, ax=axis, label='share of the truth')
    write_figure(figure, path)


def _score(score: float) -> str:
    return '-' if np.isnan(score) else f'{score:.3f}'


def draw_reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], path: Path, title: str
) -> None:
    """
    Draw accuracy over confidence with the counts below; the title states the error.

    :param probabilities: shape [N, classes].
    :param truth: class indices, shape [N].
    :param path: PNG to write.
    """
    bins = reliability_bins(probabilities, truth)
    middles = (np.arange(BINS) + 0.5) / BINS
    error = calibration_error(probabilities, truth, BINS)
    figure = Figure(figsize=(6, 7), layout='constrained')
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.bar(middles, bins.accuracy, 1 / BINS, color=CYAN, edgecolor='white', label='accuracy')
    above.plot(
        bins.confidence, bins.accuracy, 'o', color=ROSE, label='mean confidence and accuracy'
    )
    above.plot((0, 1), (0, 1), color='black', linewidth=0.8, linestyle='--', label='calibrated')
    above.set_ylabel('share of right answers')
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.legend(loc='upper left', frameon=False)
    bars = below.bar(middles, bins.counts, 1 / BINS, color=CYAN, edgecolor='white')
    below.bar_label(bars, fontsize=7, padding=1)
    below.margins(y=0.15)
    below.set_ylabel('photographs')
    below.set_xlabel('confidence: highest probability')
    figure.suptitle(f'{title}\nECE {error:.3f} over {BINS} bins, {len(truth)} photographs')
    figure.align_ylabels()
    write_figure(figure, path)


# Pages of many small photographs: of wrong answers, of augmentation, of any.


GAP_PX = 8
LINE_PX = 15
TITLE_PX = 36
POINTS_PER_INCH = 72
UNREAD = np.full((1, 1), 200, np.uint8)
"""Stands for a photograph whose file cannot be read."""


@dataclass(frozen=True)
class Cell:
    """
    One photograph of a sheet.

    :param picture: grey [height, width] or RGB [height, width, 3].
    :param caption: lines under it.
    :param dots: x and y in pixels of the picture, shape [dots, 2 or more]; None for no dots. Those
        outside the picture are not drawn.
    """

    picture: NDArray[np.uint8]
    caption: str
    dots: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Layout:
    """
    Measures of a page.

    :param columns: photographs side by side.
    :param rows: photographs one below the other.
    :param side_px: longer side of every photograph as drawn, in pixels.
    :param caption_lines: lines under each.
    """

    columns: int
    rows: int
    side_px: int
    caption_lines: int

    @property
    def step_px(self) -> tuple[int, int]:
        """Distance of two photographs' corners, downwards and to the right, in pixels."""
        caption_px = self.caption_lines * LINE_PX
        return self.side_px + caption_px + GAP_PX, self.side_px + GAP_PX


def cell_of(
    pictures: Pictures, index: int, caption: str, dots: NDArray[np.float32] | None = None
) -> Cell:
    """
    Read one photograph for a sheet; one that cannot be read is drawn as a grey field.

    :param caption: lines under it.
    :param dots: as in `Cell`.
    """
    try:
        return Cell(pictures.read(index), caption, dots)
    except PictureError:
        return Cell(UNREAD, caption)


def write_pages(cells: Iterable[Cell], layout: Layout, path: Path, title: str) -> list[Path]:
    """
    Write the sheet's pages; inside the checkout only under `out/`, which git ignores.

    :param cells: the photographs, taken a page at a time.
    :param layout: measures of a page.
    :param path: PNG; page 3 of `errors.png` is `errors-3.png`.
    :returns: the pages written, none for no cells; more that an earlier call left are removed.
    :raises ValueError: when the path is in the checkout but not under `out/`.
    """
    where = path.resolve()
    if where.is_relative_to(sources.REPOSITORY) and not where.is_relative_to(sources.OUT):
        raise ValueError(
            f'{path} would put photographs where git finds them: write the sheet under '
            f'{sources.OUT}, or outside the checkout.'
        )
    left = iter(cells)
    written: list[Path] = []
    while page := list(itertools.islice(left, layout.columns * layout.rows)):
        written.append(path.with_name(f'{path.stem}-{len(written) + 1}.png'))
        write_figure(_page(page, layout, f'{title}, page {len(written)}'), written[-1])
    for stale in {*path.parent.glob('*-*.png')} - {*written}:
        if stale.stem.removeprefix(f'{path.stem}-').isdecimal():  # and not of another sheet
            stale.unlink()
    return written


def _page(cells: Sequence[Cell], layout: Layout, title: str) -> Figure:
    down_px, right_px = layout.step_px
    height_px = TITLE_PX + -(-len(cells) // layout.columns) * down_px
    width_px = GAP_PX + layout.columns * right_px
    figure = Figure(figsize=(width_px / DPI, height_px / DPI))
    # One picture of all photographs: an axis for each would take seconds a page.
    axis = figure.add_axes((0, 0, 1, 1))
    canvas = np.full((height_px, width_px, 3), 255, np.uint8)
    font_pt = LINE_PX * POINTS_PER_INCH / DPI / 1.35
    for place, cell in enumerate(cells):
        row, column = divmod(place, layout.columns)
        top, left = TITLE_PX + row * down_px, GAP_PX + column * right_px
        drawn, scale = _scaled(cell.picture, layout.side_px)
        height, width = drawn.shape[:2]
        # In the middle of its square field, whatever its shape.
        y, x = top + (layout.side_px - height) // 2, left + (layout.side_px - width) // 2
        canvas[y : y + height, x : x + width] = drawn
        if cell.dots is not None:
            dots = cell.dots[:, :2] * scale
            inside = ((dots >= 0) & (dots <= (width, height))).all(axis=1)
            axis.scatter(
                x + dots[inside, 0],
                y + dots[inside, 1],
                s=2.5,
                c='#33EE66',
                linewidths=0,
            )
        axis.text(
            left + layout.side_px / 2,
            top + layout.side_px + 2,
            cell.caption,
            ha='center',
            va='top',
            fontsize=font_pt,
            linespacing=1.1,
        )
    axis.text(GAP_PX, TITLE_PX / 2, title, va='center', fontsize=1.3 * font_pt)
    axis.imshow(canvas, extent=(0, width_px, height_px, 0), interpolation='nearest', zorder=-1)
    axis.set_xlim(0, width_px)
    axis.set_ylim(height_px, 0)
    axis.axis('off')
    return figure


def _scaled(picture: NDArray[np.uint8], side_px: int) -> tuple[NDArray[np.uint8], float]:
    scale = side_px / max(picture.shape[:2])
    size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    drawn = cv2.resize(picture, size, interpolation=way)
    if drawn.ndim == 2:
        drawn = cv2.cvtColor(drawn, cv2.COLOR_GRAY2RGB)
    return np.asarray(drawn, np.uint8), scale


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
