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

"""Draws what the nodes said over time as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from emotion_estimator.colours import COLOURS, colour_of, hexadecimal, ink_on
from emotion_estimator.files import write_whole

MOST_FACES = 4
LONGEST_GAP_S = 0.5
"""A face unseen for longer leaves a gap in its curve, in seconds."""


@dataclass(frozen=True)
class Moment:
    """
    What was said of one face at one time.

    :param time_s: time since the first image in seconds.
    :param face_id: the face.
    :param label: the expression decided on.
    :param scores: score by label, summing to 1.
    """

    time_s: float
    face_id: str
    label: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Thumbnail:
    """
    A small picture of one frame.

    :param time_s: time since the first image in seconds.
    :param rgb: pixels of shape [height, width, 3].
    """

    time_s: float
    rgb: NDArray[np.uint8]


def draw_timeline(
    moments: Sequence[Moment], thumbnails: Sequence[Thumbnail], path: Path, title: str
) -> None:
    """
    Draw probabilities over time, the decided expression below, thumbnails above.

    :param moments: in the order of time, of any number of faces; the most seen are drawn.
    :param thumbnails: in the order of time; may be empty.
    :param path: PNG file to write.
    :param title: headline.
    :raises ValueError: when there are no moments.
    """
    if not moments:
        raise ValueError('There is nothing to draw: no face was estimated.')
    of_face: dict[str, list[Moment]] = {}
    for moment in moments:
        of_face.setdefault(moment.face_id, []).append(moment)
    faces = sorted(of_face.values(), key=len, reverse=True)[:MOST_FACES]
    end_s = max(0.1, *(m.time_s for m in moments))
    strip = [1.1] if thumbnails else []
    heights = strip + [2.4, 0.35] * len(faces)
    figure = Figure(figsize=(12, 1.2 + sum(heights)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    figure.suptitle(title, parse_math=False)
    if thumbnails:
        _draw_thumbnails(axes.pop(0), thumbnails, end_s)
    labels = sorted({name for m in moments for name in m.scores}, key=list(COLOURS).index)
    for face in faces:
        _draw_scores(axes.pop(0), face, labels)
        strip_axis = axes.pop(0)
        _draw_decisions(strip_axis, face)
    strip_axis.set_xlabel('time of the image in s')
    strip_axis.set_xlim(0, end_s)
    handles, names = figure.axes[1 if thumbnails else 0].get_legend_handles_labels()
    figure.legend(handles, names, loc='outside lower center', ncols=len(names), frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format='png', dpi=100)
    write_whole(path, png.getvalue())


def _colour(label: str) -> str:
    return hexadecimal(colour_of(label))


def _draw_scores(axis, face: list[Moment], labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    times_s = np.array([m.time_s for m in face])
    scores = np.array([[m.scores.get(label, 0.0) for label in labels] for m in face]).T
    # A gap is drawn as one: a row of nothing on either side of it.
    gaps = np.flatnonzero(np.diff(times_s) > LONGEST_GAP_S) + 1
    at = np.repeat(gaps, 2)
    edges_s = np.stack([times_s[gaps - 1], times_s[gaps]], axis=1).ravel()
    times_s = np.insert(times_s, at, edges_s)
    scores = np.insert(scores, at, 0.0, axis=1)
    axis.stackplot(times_s, scores, labels=labels, colors=[_colour(label) for label in labels])
    axis.set_ylim(0, 1)
    axis.set_ylabel(f'face_{face[0].face_id}\nprobability')


def _draw_decisions(axis, face: list[Moment]) -> None:  # type: ignore[no-untyped-def]
    start = 0
    for i in range(1, len(face) + 1):
        ends = i == len(face)
        gap = not ends and face[i].time_s - face[i - 1].time_s > LONGEST_GAP_S
        if ends or gap or face[i].label != face[start].label:
            until_s = face[i - 1].time_s if ends or gap else face[i].time_s
            width_s = until_s - face[start].time_s
            label = face[start].label
            axis.broken_barh([(face[start].time_s, width_s)], (0, 1), color=_colour(label))
            if width_s > 0.05 * max(face[-1].time_s, 1e-9):
                middle_s = face[start].time_s + width_s / 2
                axis.text(
                    middle_s,
                    0.5,
                    label,
                    ha='center',
                    va='center',
                    color=hexadecimal(ink_on(colour_of(label))),
                )
            start = i
    axis.set_yticks([])
    axis.set_ylabel('shown', rotation=0, ha='right', va='center')


def _draw_thumbnails(axis, thumbnails: Sequence[Thumbnail], end_s: float) -> None:  # type: ignore[no-untyped-def]
    height, width, _ = thumbnails[0].rgb.shape
    # As many as fit side by side without being squeezed.
    box = axis.get_position()
    figure_width, figure_height = axis.figure.get_size_inches()
    ratio = box.width * figure_width / (box.height * figure_height)
    count = max(1, min(round(ratio * height / width), len(thumbnails)))
    slot_s = end_s / count
    times_s = np.array([t.time_s for t in thumbnails])
    for slot in range(count):
        middle_s = (slot + 0.5) * slot_s
        nearest = thumbnails[int(np.abs(times_s - middle_s).argmin())]
        left_s, right_s = slot * slot_s, (slot + 1) * slot_s
        axis.imshow(nearest.rgb, extent=(left_s, right_s, 0, 1), aspect='auto')
    axis.set_xlim(0, end_s)
    axis.set_ylim(0, 1)
    axis.axis('off')
