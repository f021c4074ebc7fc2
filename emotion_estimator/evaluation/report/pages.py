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

"""Fills the templates of report.html and comparison.html; a page needs nothing beside itself."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from emotion_estimator.colours import Shades, shades
from emotion_estimator.evaluation.comparison import Comparison
from emotion_estimator.evaluation.measures import MEASURES, Measure
from emotion_estimator.evaluation.report import text
from emotion_estimator.evaluation.report.figures import (
    THEME,
    confusion_matrix,
    on_dark,
    reliability_diagram,
    risk_coverage_figure,
)
from emotion_estimator.evaluation.report.timeline import (
    MOST_POINTS,
    MOST_THUMBNAILS,
    FaceTrack,
    timeline,
)
from emotion_estimator.evaluation.runs import (
    FaceSummary,
    Figures,
    RecordingSummary,
    Summary,
)
from emotion_estimator.evaluation.segment_statistics import Interval, image_durations_s
from emotion_estimator.stamps import NS_PER_S

MOST_FACES_DRAWN = 6
MOST_FACES_LISTED = 8
POINTS_OF_PAGE = 30_000
THUMBNAILS_OF_PAGE = 800
"""All timelines of a page share its points and thumbnails, so that a page stays small."""

_TILES = (
    'accuracy',
    'segment_accuracy',
    'onset_to_stable_s',
    'false_switches_per_s',
    'answer_share_of_face_time',
)
_TILES_WITHOUT_LABELS = ('face_share', 'answer_share_of_face_time', 'switches_per_s')
_COLUMNS = (
    'face_share',
    'answer_share_of_face_time',
    'switches_per_s',
    'accuracy',
    'segment_accuracy',
    'macro_f1',
    'onset_to_stable_s',
)
_BY_NAME = {measure.name: measure for measure in MEASURES}
_NO_INTERVAL = Interval(math.nan, math.nan, math.nan)


def report_page(summary: Summary) -> bytes:
    """
    Write report.html.

    :returns: HTML in UTF-8.
    """
    plots = _Plots([summary])
    metrics = summary.figures
    columns = [
        _BY_NAME[name]
        for name in _COLUMNS
        if any(name in one.figures for one in summary.recordings)
    ]
    tiles = _TILES if summary.labelled else _TILES_WITHOUT_LABELS
    return _page(
        plots,
        comparison=False,
        title=text.title(summary),
        sentences=text.sentences(summary),
        summary=summary,
        tiles=[(_BY_NAME[name], metrics[name]) for name in tiles if name in metrics],
        recordings=[plots.recording(one) for one in summary.recordings],
        quality=_quality(summary, plots),
        metrics=[(one, metrics[one.name]) for one in MEASURES if one.name in metrics],
        how_drawn=text.how_drawn(summary.counted, summary.judged_by),
        columns=columns,
        rows=list(_rows(summary, columns)),
    )


def comparison_page(found: Comparison) -> bytes:
    """
    Write comparison.html.

    :returns: HTML in UTF-8.
    """
    first, second = found.first, found.second
    plots = _Plots([first, second])
    return _page(
        plots,
        comparison=True,
        title=f'{second.model} against {first.model} in '
        + text.counted(len(first.recordings), 'recording', 'recordings'),
        sentences=text.comparison_sentences(found),
        problems=found.problems,
        models=(first.model, second.model),
        rows=[
            {
                'measure': one,
                'first': found.figures[0][one.name].value,
                'second': found.figures[1][one.name].value,
                'difference': found.differences[one.name],
                'verdict': text.verdict(one, found.differences[one.name]),
            }
            for one in MEASURES
            if one.name in found.differences
        ],
        how_drawn=text.how_drawn(found.common[0], first.judged_by),
        recordings=[
            (plots.recording(one), plots.recording(other))
            for one, other in zip(first.recordings, second.recordings)
        ],
        settings=[
            (name, first.settings.get(name), second.settings.get(name))
            for name in sorted({*first.settings, *second.settings})
        ],
    )


def _quality(summary: Summary, plots: _Plots) -> dict[str, _Plot] | None:
    if not summary.labelled:
        return None
    confusion = summary.confusion
    columns = len(summary.vocabulary.names) + 1
    sums = summary.counted.segments.sums
    named, frames = sums['named'].sum(), sums['frames'].sum()
    right = summary.figures['accuracy_of_answers'].value
    return {
        'confusion': plots.add(
            confusion_matrix(confusion, summary.vocabulary.names), 96 + 88 * columns
        ),
        'reliability': plots.add(reliability_diagram(summary.bins)),
        'risk_coverage': plots.add(
            risk_coverage_figure(summary.risk_coverage(), float(named / frames), right)
        ),
    }


@dataclass(frozen=True)
class _Row:
    """
    One line of the table of recordings and faces.

    :param name: of the recording or face.
    :param length_s: how long it is, or was seen.
    :param cells: metrics in the order of the columns.
    :param is_face: whether it is a face of the recording above.
    :param more_faces: faces that are not listed below this last one.
    """

    name: str
    length_s: float
    cells: Sequence[tuple[Measure, Interval]]
    is_face: bool = False
    more_faces: int = 0


def _rows(summary: Summary, columns: Sequence[Measure]) -> Iterator[_Row]:
    def cells(found: Figures) -> list[tuple[Measure, Interval]]:
        return [(one, found.get(one.name, _NO_INTERVAL)) for one in columns]

    time = summary.counted.time
    seen_s: dict[str, float] = {}
    for (name, _), seconds in zip(time.units, time.sums['image_s'].tolist()):
        seen_s[name] = seen_s.get(name, 0.0) + seconds
    for one in summary.recordings:
        name = one.replay.recording
        yield _Row(name, _length_s(one), cells(one.figures))
        if len(one.faces) < 2:
            continue
        listed = one.faces[:MOST_FACES_LISTED]
        for face in listed:
            length_s = face.figures['face_share'].value * seen_s.get(name, 0.0)
            more = len(one.faces) - len(listed) if face is listed[-1] else 0
            yield _Row(f'face {face.face_id}', length_s, cells(face.figures), True, more)


def _length_s(recording: RecordingSummary) -> float:
    """Give the time from the first image to the end of the last, as faces' times count it."""
    lasting_s = image_durations_s(recording.judged.image_ns, recording.judged.longest_gap_s)
    return recording.duration_s + float(lasting_s[-1]) if len(lasting_s) else 0.0


# The figures of a page.


@dataclass(frozen=True)
class _Plot:
    """
    One figure as templates take it.

    :param div_id: of its element, the same in every run.
    :param height_px: of the figure.
    :param max_width_px: 0 for none.
    :param json: the figure, safe within a script element.
    """

    div_id: str
    height_px: int
    max_width_px: int
    json: Markup


@dataclass
class _Plots:
    """
    Makes the figures of one page.

    :param summaries: the runs on the page.
    """

    summaries: Sequence[Summary]
    colours: Mapping[str, Shades] = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        recordings = [one for summary in self.summaries for one in summary.recordings]
        labels: list[str] = []
        for one in recordings:
            labels += [*one.judged.labels, *(each.label for each in one.judged.segments)]
        self.colours = shades(labels, {name for one in recordings for name in one.replay.labels})
        timelines = sum(min(len(one.faces), MOST_FACES_DRAWN) for one in recordings) or 1
        self._most_points = min(MOST_POINTS, max(500, POINTS_OF_PAGE // timelines))
        self._most_thumbnails = min(MOST_THUMBNAILS, max(15, THUMBNAILS_OF_PAGE // timelines))

    def add(self, figure: go.Figure, max_width_px: int = 0) -> _Plot:
        self._count += 1
        height_px = math.ceil(figure.layout.height)
        written = Markup(figure.to_json(engine='json').replace('<', '\\u003c'))
        return _Plot(f'plot-{self._count}', height_px, max_width_px, written)

    def recording(self, one: RecordingSummary) -> dict[str, Any]:
        """Gather what the section of one recording over time needs."""
        return {
            'name': one.replay.recording,
            'length_s': _length_s(one),
            'face_count': len(one.faces),
            'faces': [
                {'face_id': face.face_id, 'figure': self._timeline(one, face)}
                for face in one.faces[:MOST_FACES_DRAWN]
            ],
        }

    def _timeline(self, recording: RecordingSummary, face: FaceSummary) -> _Plot:
        track = face_track(recording, face)
        return self.add(timeline(track, self.colours, self._most_points, self._most_thumbnails))


def face_track(recording: RecordingSummary, face: FaceSummary) -> FaceTrack:
    """
    Gather one face of a recording for its figure.

    :param recording: with at least one image.
    :param face: one of its faces.
    :returns: the face over time.
    """
    judged, replay = recording.judged, recording.replay
    rows = judged.of_face(face.index)
    answers = [replay.predictions[row] for row in rows.tolist()]
    labels = tuple(dict.fromkeys((*judged.labels, *(one.label for one in judged.segments))))
    # The last is that of no segment, which is -1.
    of_segment = np.array([*(labels.index(one.label) for one in judged.segments), -1], np.int64)
    zero_ns = replay.zero_ns
    # An only image stands for no time.
    frame_s = float(image_durations_s(judged.image_ns, judged.longest_gap_s)[-1]) or 0.1
    return FaceTrack(
        at_s=(judged.stamps_ns[rows] - zero_ns) / NS_PER_S,
        labels=labels,
        shown=judged.shown[rows],
        truth=of_segment[judged.segment[rows]],
        wrong=(judged.truth[rows] >= 0) & (judged.truth[rows] != judged.decided[rows]),
        classes=replay.labels,
        probabilities=np.array([one.probabilities for one in answers], np.float64),
        head=np.array([one.head or (math.nan,) * 3 for one in answers], np.float64),
        thumbnails=tuple(
            ((stamp_ns - zero_ns) / NS_PER_S, jpeg)
            for (stamp_ns, face_id), jpeg in replay.thumbnails.items()
            if face_id == face.face_id
        ),
        length_s=_length_s(recording) or frame_s,
        longest_gap_s=judged.longest_gap_s,
        frame_s=frame_s,
        start_s=(replay.stamps_ns[0] - zero_ns) / NS_PER_S,
    )


# The templates.


def _page(plots: _Plots, **context: Any) -> bytes:
    # The library's own text holds no end of a script; a new version's must not either.
    library = get_plotlyjs().replace('</script', '<\\/script')
    written = (
        _environment()
        .get_template('page.html.j2')
        .render(
            theme=THEME,
            colours=plots.colours,
            dark_partners=on_dark(plots.colours),
            style=_file('style.css'),
            script=_file('page.js'),
            library=Markup(library),
            **context,
        )
    )
    return f'{written}\n'.encode()


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader('emotion_estimator.evaluation.report'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters.update(_FILTERS)
    return environment


def _file(name: str) -> Markup:
    loader = _environment().loader
    assert loader is not None
    return Markup(loader.get_source(_environment(), name)[0].strip())


def _printable(value: Any) -> Any:
    return text.printable(value) if type(value) is str else value


def _setting(value: float | str | None) -> str:
    if value is None:
        return text.NOTHING
    return value if isinstance(value, str) else f'{value:g}'


_FILTERS: dict[str, Callable[..., Any]] = {
    'counted': text.counted,
    'duration': text.duration,
    'has_interval': text.has_interval,
    'heading': {'share': ' %', 's': ' s', '1/s': ' / s', 'nat': ''}.__getitem__,
    'interval': text.interval,
    'number': text.number,
    'quantity': text.quantity,
    'script_json': lambda value: Markup(json.dumps(value).replace('<', '\\u003c')),
    'setting': _setting,
    'signed': text.signed,
    'signed_interval': functools.partial(text.interval, write=text.signed),
}
