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

"""The Plotly figure of one face over time: thumbnails, labels, probabilities, head pose."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emotion_estimator.colours import Shades
from emotion_estimator.evaluation.report.figures import (
    Floats,
    Integers,
    Stretch,
    empty_figure,
    light,
    plain,
    points,
    stretches,
)

MOST_POINTS = 10_000
MOST_THUMBNAILS = 300
MOST_STRETCHES = 2_000
"""
Bars of a row. Of more, those that begin within the same short time are drawn as one bar: of what
lasts longest among them, as long as all of them last, up to where the last of them ends.
"""

THUMBNAIL_PX = 54
LONG_S, _DAY_S = 120, 86_400
"""From these times on the time axis shows hours, minutes and seconds, and the day too."""
_ROW_PX, _CURVES_PX, _HEAD_PX, _SPACE_PX, _AXIS_PX = 23, 120, 64, 8, 24
_LEAST_BAR_S = 0.02
_NONE = '\u2013'


@dataclass(frozen=True)
class FaceTrack:
    """
    One face over time: N frames, K classes of the model.

    :param at_s: time of each frame since the recording's first image, ascending, shape [N], N > 0.
    :param labels: names that `shown` and `truth` count.
    :param shown: the label shown, shape [N].
    :param truth: the label given, shape [N]; -1 where there is none.
    :param wrong: whether both differ, shape [N].
    :param classes: names of the probabilities.
    :param probabilities: shape [N, K].
    :param head: roll, pitch and yaw in radians, shape [N, 3]; nan where they are not measured.
    :param thumbnails: time in seconds and JPEG of the face where the label shown changes.
    :param length_s: from the first image that was looked at to the end of the last, above 0.
    :param longest_gap_s: see `stretches`, as `frame_s`.
    :param start_s: time of the first image that was looked at.
    """

    at_s: Floats
    labels: tuple[str, ...]
    shown: Integers
    truth: Integers
    wrong: NDArray[np.bool_]
    classes: tuple[str, ...]
    probabilities: Floats
    head: Floats
    thumbnails: tuple[tuple[float, bytes], ...]
    length_s: float
    longest_gap_s: float
    frame_s: float
    start_s: float = 0.0


def timeline(
    track: FaceTrack,
    colours: Mapping[str, Shades],
    most_points: int = MOST_POINTS,
    most_thumbnails: int = MOST_THUMBNAILS,
) -> go.Figure:
    """
    Draw one face over the whole recording, all parts above one time axis.

    :param colours: of all its labels and classes.
    :param most_points: of each curve.
    :param most_thumbnails: those of the longest-lasting labels; the page resolves overlaps.
    """
    return _Timeline(track, colours, most_points, most_thumbnails).figure


class _Timeline:
    """Builds the figure of `timeline`, part by part from top to bottom."""

    def __init__(
        self, track: FaceTrack, colours: Mapping[str, Shades], points: int, thumbnails: int
    ) -> None:
        self._track, self._colours, self._most_points = track, colours, points
        # Long recordings have a time axis of dates, in milliseconds. It begins in 2000, not in
        # 1970: Plotly takes numbers of up to four digits for years.
        self._end_s = track.start_s + track.length_s
        self._unit, self._zero = (1000, 946_684_800_000) if self._end_s >= LONG_S else (1, 0)
        labelled, wrong = bool((track.truth >= 0).any()), bool(track.wrong.any())
        head = bool(np.isfinite(track.head).any())
        parts = {
            'thumbnails': (THUMBNAIL_PX + 2) * bool(track.thumbnails),
            'rows': _ROW_PX * (1 + labelled) + _SPACE_PX * wrong,
            'curves': _CURVES_PX,
            'head': _HEAD_PX * head,
        }
        self._plot_px = sum(parts.values()) + _SPACE_PX * (1 + head)
        self._top_px = 0.0
        self.figure = empty_figure(
            self._plot_px + _AXIS_PX + 4,
            margin={'l': 92, 'r': 12, 't': 4, 'b': _AXIS_PX},
            barmode='overlay',
            hovermode='x unified',
            hoversubplots='axis',
            uniformtext={'mode': 'hide', 'minsize': 11},
            dragmode='zoom',
        )
        self._thumbnails(sorted(track.thumbnails), thumbnails)
        self._top_px += parts['thumbnails']
        self._rows(labelled, wrong, parts['rows'])
        self._probabilities(parts['curves'])
        if head:
            self._head(parts['head'])
        self._time_axis('y3' if head else 'y2')

    def _axis(self, number: int, height_px: float, ticks: dict[float, str], **more: Any) -> None:
        """Add a part of the given height below the last one; its ticks are its captions."""
        top = 1 - self._top_px / self._plot_px
        bottom = max(top - height_px / self._plot_px, 0.0)
        axis = {
            'domain': [bottom, top],
            'tickvals': list(ticks),
            'ticktext': list(ticks.values()),
            'fixedrange': True,
            'showgrid': False,
            'zeroline': False,
            'ticklabelstandoff': 8,
            **more,
        }
        self.figure.update_layout({f'yaxis{number}': axis})
        if number > 1:
            frame = {'xref': 'paper', 'x0': 0, 'x1': 1, 'yref': 'paper', 'y0': bottom, 'y1': top}
            line = {'width': 1, 'color': light('line')}
            self.figure.add_shape(**frame, layer='below', line=line)
        self._top_px += height_px + _SPACE_PX

    def _time_axis(self, lowest: str) -> None:
        day, most = ('day %-j, ', 7) if self._end_s >= _DAY_S else ('', 13)
        second = f'{day}%-H:%M:%S'
        clock = {
            'type': 'date',
            'tickformatstops': [
                {'dtickrange': [None, 999], 'value': f'{second}.%2f'},
                {'dtickrange': [1000, None], 'value': second},
            ],
            'hoverformat': f'{second}.%2f',
        }
        self.figure.update_xaxes(
            range=[self._zero + self._unit * at_s for at_s in (self._track.start_s, self._end_s)],
            anchor=lowest,
            showgrid=False,
            zeroline=False,
            ticks='outside',
            ticklen=4,
            tickcolor=light('line'),
            nticks=most,
            showspikes=True,
            spikemode='across',
            spikesnap='cursor',
            spikethickness=1,
            spikedash='solid',
            spikecolor=light('text'),
            **(clock if self._unit > 1 else {'ticksuffix': ' s', 'hoverformat': '.2f'}),
        )

    def _thumbnails(self, pictures: list[tuple[float, bytes]], most: int) -> None:
        ends_s = [*(at_s for at_s, _ in pictures[1:]), self._end_s]
        longest = sorted(zip(pictures, ends_s), key=lambda one: one[0][0] - one[1])
        self.figure.update_layout(
            images=[
                {
                    'source': 'data:image/jpeg;base64,' + base64.b64encode(jpeg).decode(),
                    'xref': 'x',
                    'yref': 'paper',
                    'x': round(self._zero + self._unit * at_s, 3),
                    'y': 1,
                    'xanchor': 'left',
                    'yanchor': 'top',
                    # Wider than it can get: its height limits it, however far one zooms in.
                    'sizex': self._unit * self._track.length_s,
                    'sizey': THUMBNAIL_PX / self._plot_px,
                    'sizing': 'contain',
                }
                for (at_s, jpeg), _ in longest[:most]
            ]
        )

    def _rows(self, labelled: bool, wrong: bool, height_px: float) -> None:
        """Draw bars of the label shown, the label given, and where they differ."""
        track, width = self._track, 20 / _ROW_PX
        ticks = {1.5: 'shown'}
        self._bars(self._joined(track.shown), 1.5, width)
        if labelled:
            ticks[0.5] = 'label'
            self._bars(self._joined(track.truth), 0.5, width)
        if wrong:
            ticks[-0.17] = 'wrong'
            self._bar(self._joined(np.where(track.wrong, 0, -1)), -0.17, 0.22, light('bad'))
        self._axis(1, height_px, ticks, range=[2 - height_px / _ROW_PX, 2])

    def _joined(self, what: Integers) -> list[Stretch]:
        track = self._track
        found = stretches(track.at_s, what, track.longest_gap_s, track.frame_s)
        if len(found) <= MOST_STRETCHES:
            return found
        least_s = track.length_s / MOST_STRETCHES
        short_times = groupby(found, lambda one: (one.start_s - track.start_s) // least_s)
        return [_as_one(list(several)) for _, several in short_times]

    def _bars(self, found: list[Stretch], row: float, width: float) -> None:
        for index, label in enumerate(self._track.labels):
            if of_label := [one for one in found if one.what == index]:
                self._bar(of_label, row, width, self._colours[label].light, plain(label))

    def _bar(
        self, found: list[Stretch], row: float, width: float, colour: str, text: str = ''
    ) -> None:
        """Draw bars of one colour; each names its label where the reader's zoom leaves room."""
        starts_s, ends_s = np.array([(one.start_s, one.end_s) for one in found]).T
        lengths_s = (ends_s - starts_s).clip(_LEAST_BAR_S)
        self.figure.add_bar(
            orientation='h',
            base=(self._zero + self._unit * starts_s).round(3).tolist(),
            x=(self._unit * lengths_s).round(3).tolist(),
            y=[row] * len(found),
            width=width,
            marker={'color': colour, 'line': {'width': 0}},
            text=text,
            textposition='inside',
            insidetextanchor='middle',
            textangle=0,
            hoverinfo='skip',
        )

    def _probabilities(self, height_px: float) -> None:
        """Stack the probabilities of all classes; labels shown and given join their numbers."""
        track = self._track
        at_s, values = self._points(track.at_s, track.probabilities, 0.0)
        held = np.searchsorted(track.at_s, at_s, 'right').clip(1) - 1
        names = np.array([*map(plain, track.labels), _NONE])
        for row, (name, what) in enumerate((('shown', track.shown), ('label', track.truth))):
            if (what >= 0).any():
                self.figure.add_scatter(
                    x=self._times(at_s),
                    y=np.full(len(at_s), 1.5 - row, np.float32),
                    text=names[what[held]].tolist(),
                    name=name,
                    legendrank=300 - row,
                    mode='lines',
                    line={'width': 0, 'color': light('soft')},
                    hovertemplate='<b>%{text}</b>',
                )
        # Where points are denser than pixels, lines between the areas would cover them.
        edge_px = 0.5 if len(at_s) < 1_000 else 0
        for index, label in enumerate(track.classes):
            self.figure.add_scatter(
                x=self._times(at_s),
                y=values[:, index].astype(np.float32),
                name=plain(label),
                # Under the pointer higher ranks come first: listed as stacked, the last on top.
                legendrank=100 + index,
                yaxis='y2',
                stackgroup='probability',
                mode='lines',
                line={'width': edge_px, 'color': light('ground')},
                fillcolor=self._colours[label].light,
                hovertemplate='%{y:.0%}',
            )
        self._axis(2, height_px, {0.5: 'probability<br>of each'}, range=[0, 1])

    def _head(self, height_px: float) -> None:
        track = self._track
        known = np.isfinite(track.head).all(axis=1)
        head_s, degrees = track.at_s[known], np.degrees(track.head[known])
        at_s, values = self._points(head_s, degrees, math.nan)
        most = max(20.0, math.ceil(float(np.nanmax(np.abs(values))) / 10) * 10.0)
        for index, (name, shift_px) in enumerate((('roll', 8), ('pitch', 38), ('yaw', 76))):
            self.figure.add_scatter(
                x=self._times(at_s),
                y=values[:, index].astype(np.float32),
                name=name,
                legendrank=3 - index,
                yaxis='y3',
                mode='lines',
                line={'width': 1.6, 'color': light(name)},
                hovertemplate='%{y:.0f}°',
            )
            self.figure.add_annotation(
                text=f'<b>{name}</b>',
                xref='paper',
                x=0,
                xanchor='left',
                xshift=shift_px,
                yref='y3 domain',
                y=1,
                yanchor='top',
                showarrow=False,
                font={'color': light(name)},
            )
        ticks = {most: f'{most:.0f}°', 0.0: 'head', -most: f'-{most:.0f}°'}
        line = light('line')
        self._axis(3, height_px, ticks, range=[-most, most], zeroline=True, zerolinecolor=line)

    def _points(self, at_s: Floats, values: Floats, filler: float) -> tuple[Floats, Floats]:
        track, most = self._track, self._most_points
        width_s = track.length_s / most if len(at_s) > most else 0.0
        return points(at_s, values, filler, width_s, track.longest_gap_s, track.frame_s)

    def _times(self, at_s: Floats) -> NDArray[np.floating]:
        values = self._zero + self._unit * at_s
        return values if self._zero else values.astype(np.float32)


def _as_one(several: list[Stretch]) -> Stretch:
    """Join stretches, in the order of time; times in which nothing was do not count."""
    if len(several) == 1:
        return several[0]
    lasting_s: dict[int, float] = {}
    for one in several:
        lasting_s[one.what] = lasting_s.get(one.what, 0.0) + one.end_s - one.start_s
    # Only the last one can reach beyond the short time: its end stays where it is.
    end_s = several[-1].end_s
    longest = max(lasting_s, key=lasting_s.__getitem__)
    return Stretch(end_s - sum(lasting_s.values()), end_s, longest)
