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
Plotly figures of quality: confusion, reliability, risk and coverage; what all figures share.

All colours are those of light pages; whoever shows a figure on dark ground replaces each colour by
its partner in `on_dark`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emotion_estimator.colours import Shades
from emotion_estimator.evaluation.classification_metrics import RiskCoverage, Sums
from emotion_estimator.evaluation.labels import UNKNOWN
from emotion_estimator.evaluation.report.text import printable

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

THEME = {
    'ground': Shades('#ffffff', '#0e1116'),
    'card': Shades('#f5f6f8', '#171b22'),
    'chart': Shades('#fbfcfd', '#12161c'),
    'line': Shades('#d9dde3', '#2c333d'),
    'text': Shades('#16191d', '#e6e8eb'),
    'soft': Shades('#59626f', '#9aa4b2'),
    'accent': Shades('#1f6f9f', '#5fb0dd'),
    'bad': Shades('#c2374b', '#f0697c'),
    'roll': Shades('#8d96a3', '#8d96a3'),
    'pitch': Shades('#cf8a1e', '#cf8a1e'),
    'yaw': Shades('#1f6f9f', '#5fb0dd'),
}
"""Colours of pages and of what no label names; a page's style sheet takes them too."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


def on_dark(colours: Mapping[str, Shades]) -> dict[str, str]:
    """
    List the dark partner of every colour that figures use.

    :param colours: of labels.
    :returns: the colour on dark ground by the one on light ground.
    """
    return {one.light: one.dark for one in (*THEME.values(), *colours.values())}


def light(name: str) -> str:
    """Look up a colour of `THEME` on light ground."""
    return THEME[name].light


def plain(text: str) -> str:
    """Escape what Plotly would take for markup."""
    return html.escape(printable(text), quote=False)


def empty_figure(height_px: float, **layout: object) -> go.Figure:
    """
    Make a figure in the looks that all share.

    :param height_px: with its margins; the width is the page's.
    :param layout: Plotly's, over what is shared.
    """
    font = {'family': FONT, 'size': 12, 'color': light('soft')}
    return go.Figure(
        layout={
            'template': go.layout.Template(),
            'height': height_px,
            'font': font,
            'paper_bgcolor': light('ground'),
            'plot_bgcolor': light('chart'),
            'hoverlabel': {
                'bgcolor': light('card'),
                'bordercolor': light('line'),
                'namelength': -1,
                'font': {**font, 'color': light('text')},
            },
            'showlegend': False,
            # The reader's zoom survives a change between light and dark.
            'uirevision': 'kept',
            **layout,
        }
    )


# Downsampling: bars for what stays the same, means over equal times for curves.


@dataclass(frozen=True)
class Stretch:
    """
    A time in which something stayed the same.

    :param start_s: seconds since the recording's first image, as `end_s`.
    :param what: number of what it was.
    """

    start_s: float
    end_s: float
    what: int


def stretches(at_s: Floats, what: Integers, longest_gap_s: float, frame_s: float) -> list[Stretch]:
    """
    Join neighbouring frames that have the same number.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param what: number of each frame, shape [N]; negative ones are left out.
    :param longest_gap_s: between frames that belong together.
    :param frame_s: how long a frame lasts where the next comes late, or none.
    :returns: in the order of time.
    """
    near = np.diff(at_s) <= longest_gap_s
    ends_s = np.append(np.where(near, at_s[1:], at_s[:-1] + frame_s), at_s[-1] + frame_s)
    begins = np.flatnonzero(np.append(True, ~near | (np.diff(what) != 0)))
    lasts = np.append(begins[1:], len(at_s)) - 1
    return [
        Stretch(float(at_s[first]), float(ends_s[last]), int(what[first]))
        for first, last in zip(begins, lasts)
        if what[first] >= 0
    ]


def points(
    at_s: Floats,
    values: Floats,
    filler: float,
    width_s: float,
    longest_gap_s: float,
    frame_s: float,
) -> tuple[Floats, Floats]:
    """
    Average frames that fall into the same of equally long times, for curves.

    :param at_s: time of each frame, ascending, shape [N], N at least 1.
    :param values: shape [N, K].
    :param filler: value of one more point on either side of a time without the face.
    :param width_s: of those times; 0 makes each frame a point.
    :param longest_gap_s: see `stretches`, as `frame_s`: so long the last values hold.
    :returns: times and values of the points, shapes [P] and [P, K].
    """
    if width_s:
        _, place = np.unique(np.floor(at_s / width_s), return_inverse=True)
        counts = np.bincount(place)
        values = np.stack([np.bincount(place, column) / counts for column in values.T], axis=1)
        at_s = np.bincount(place, at_s) / counts
    gaps = np.flatnonzero(np.diff(at_s) > longest_gap_s + width_s) + 1
    ends_s, nothing = at_s[gaps - 1] + frame_s, np.full_like(values[gaps], filler)
    edges_s = np.stack([ends_s, ends_s, at_s[gaps]], axis=1).ravel()
    held = np.stack([values[gaps - 1], nothing, nothing], axis=1).reshape(-1, values.shape[1])
    places = np.append(np.repeat(gaps, 3), len(at_s))
    times_s = np.insert(at_s, places, np.append(edges_s, at_s[-1] + frame_s))
    return times_s, np.insert(values, places, np.append(held, values[-1:], axis=0), axis=0)


# How good a run is.


def confusion_matrix(confusion: Sums, classes: tuple[str, ...]) -> go.Figure:
    """
    Draw which labels got which predictions: a row for each label that occurs.

    :param confusion: frames by label and prediction, the last prediction being none, shape
        [classes, classes + 1].
    :param classes: names.
    :returns: the figure; hits are blue, misses red.
    """
    rows = [index for index in range(len(classes)) if confusion[index].sum()]
    columns = list(range(len(classes) + bool(confusion[:, -1].any())))
    names = [plain(name) for name in (*classes, UNKNOWN)]
    counts = confusion[np.ix_(rows, columns)]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / totals
    hits = np.array([[column == row for column in columns] for row in rows])
    texts = np.where(counts > 0, np.char.mod('%.0f %%', 100 * shares), '·')
    figure = empty_figure(52 + 40 * len(rows), margin={'l': 92, 'r': 4, 't': 48, 'b': 4})
    figure.update_layout(plot_bgcolor=light('line'))
    figure.add_heatmap(
        z=np.where(hits, shares, -shares).round(4).tolist(),
        text=texts.tolist(),
        customdata=[
            [f'{count:.0f} of {total:.0f}' for count in row]
            for row, (total,) in zip(counts.tolist(), totals.tolist())
        ],
        texttemplate='%{text}',
        textfont={'size': 13},
        hovertemplate='%{y} taken for %{x}: %{customdata} frames<extra></extra>',
        colorscale=[[0, light('bad')], [0.5, light('chart')], [1, light('accent')]],
        zmin=-1,
        zmax=1,
        xgap=1,
        ygap=1,
        showscale=False,
    )
    # Positions with names as ticks: two classes may be written alike.
    axis = {
        'showgrid': False,
        'zeroline': False,
        'fixedrange': True,
        'ticks': '',
        'tickfont': {'size': 13},
    }
    figure.update_xaxes(side='top', title={'text': 'prediction', 'standoff': 6}, **axis)
    figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=[names[i] for i in columns])
    figure.update_yaxes(
        autorange='reversed', automargin=True, title={'text': 'label', 'standoff': 6}, **axis
    )
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[names[i] for i in rows])
    return figure


def _square(x_title: str, y_title: str) -> go.Figure:
    figure = empty_figure(330, margin={'l': 56, 'r': 24, 't': 12, 'b': 44})
    axis = {
        'range': [0, 1.005],
        'tickvals': [0, 0.25, 0.5, 0.75, 1],
        'tickformat': '.0%',
        'gridcolor': light('line'),
        'zeroline': False,
    }
    figure.update_xaxes(title={'text': x_title, 'standoff': 8}, **axis)
    figure.update_yaxes(title={'text': y_title, 'standoff': 8}, **axis)
    return figure


def reliability_diagram(bins: Sums) -> go.Figure:
    """
    Draw accuracy by confidence; on the diagonal both are equal.

    :param bins: frames, sum of confidence and right ones, shape [bins, 3].
    :returns: the figure; bars are faint where a bin holds few frames.
    """
    figure = _square('confidence', 'accuracy')
    filled = np.flatnonzero(bins[:, 0])
    counts, confidence, right = bins[filled].T
    accuracy, confidence = right / counts, confidence / counts
    figure.add_bar(
        x=((filled + 0.5) / len(bins)).tolist(),
        y=accuracy.tolist(),
        width=0.94 / len(bins),
        customdata=np.stack([counts, confidence], axis=1).tolist(),
        marker={
            'color': light('accent'),
            'opacity': (0.25 + 0.75 * np.sqrt(counts / counts.max())).tolist(),
        },
        hovertemplate='%{customdata[0]} frames: confidence %{customdata[1]:.0%}, '
        'accuracy %{y:.0%}<extra></extra>',
    )
    dashes = {'color': light('soft'), 'width': 1.2, 'dash': 'dash'}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode='lines', line=dashes, hoverinfo='skip')
    figure.add_scatter(
        x=confidence.tolist(),
        y=accuracy.tolist(),
        mode='lines',
        line={'color': light('accent'), 'width': 2.2},
        hoverinfo='skip',
    )
    return figure


def risk_coverage_figure(curve: RiskCoverage, answered: float, right: float) -> go.Figure:
    """
    Draw the share of wrong predictions over the share of frames answered, the surest first.

    :param curve: of the probabilities before the decision.
    :param answered: share of the frames where an expression is named at the thresholds in use.
    :param right: share of right ones among these; nan where there are none.
    """
    figure = _square('frames answered', 'wrong among them')
    kept = np.unique(np.linspace(0, len(curve.risk) - 1, 400).astype(np.int64))
    figure.add_scatter(
        x=curve.coverage[kept].tolist(),
        y=curve.risk[kept].tolist(),
        mode='lines' if len(kept) > 1 else 'markers',  # all may be equally sure
        line={'color': light('accent'), 'width': 2.2},
        hovertemplate='%{x:.0%} answered, %{y:.1%} of them wrong<extra></extra>',
    )
    if math.isfinite(right):
        figure.add_scatter(
            x=[answered],
            y=[1 - right],
            mode='markers+text',
            text=['as shown'],
            textposition=f'{"bottom" if right < 0.1 else "top"} '
            f'{"left" if answered > 0.7 else "right"}',
            marker={
                'color': light('accent'),
                'size': 10,
                'line': {'width': 1.5, 'color': light('ground')},
            },
            cliponaxis=False,
            hovertemplate='as shown: %{x:.0%} answered, %{y:.1%} of them wrong<extra></extra>',
        )
    return figure
