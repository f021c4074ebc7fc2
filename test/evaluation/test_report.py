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

"""What a report's files say of made-up replays, without a browser."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.bags import START_NS, STEP_NS, answer, replay
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_estimator.colours import COLOURS, hexadecimal, shades
from emotion_estimator.evaluation.labels import LabelError, Segment
from emotion_estimator.evaluation.report.pages import report_page
from emotion_estimator.evaluation.report.text import duration, quantity, sentences
from emotion_estimator.evaluation.report.timeline import points, stretches
from emotion_estimator.evaluation.report.write import MissingLibraryError, write_report
from emotion_estimator.evaluation.runs import labels_of, summarise


def segment(start, end, label, face=''):
    return Segment(START_NS + start * STEP_NS, START_NS + end * STEP_NS, face, label)


TRUTH = {'walk': [segment(0, 20, 'happy'), segment(20, 40, 'sad')]}
WALK = replay('happy ' * 25 + 'unknown ' * 5 + 'sad ' * 10)


def test_the_three_files_and_their_bytes_are_the_same_again(tmp_path):
    first = write_report(tmp_path / 'a', [WALK], TRUTH)
    second = write_report(tmp_path / 'b', [WALK], TRUTH)
    assert sorted(path.name for path in first.parent.iterdir()) == [
        'emotions.csv',
        'metrics.json',
        'report.html',
    ]
    for path in first.parent.iterdir():
        assert path.read_bytes() == (second.parent / path.name).read_bytes()


def test_metrics_of_a_run(tmp_path):
    write_report(tmp_path, [WALK], TRUTH)
    found = json.loads((tmp_path / 'metrics.json').read_text())
    assert found['schema'] == 1
    assert found['model'] == 'made 1.0.0'
    assert found['classes'] == ['happy', 'sad', 'neutral']
    assert found['figures']['accuracy']['value'] == 0.75
    assert found['confusion'] == {
        'frames': [[20, 0, 0], [5, 10, 0], [0, 0, 0]],
        'no_answer': [0, 5, 0],
    }
    assert sum(one['frames'] for one in found['reliability']) == 40
    walk = found['recordings']['walk']
    assert walk['images'] == walk['answers'] == walk['faces']['abc']['answers'] == 40
    assert list(labels_of(walk)) == TRUTH['walk']


def test_what_cannot_be_reported_is_null(tmp_path):
    write_report(tmp_path, [replay('- -')], {})
    found = json.loads((tmp_path / 'metrics.json').read_text())
    assert found['confusion'] is None
    assert found['figures']['switches_per_s'] == {'value': None, 'low': None, 'high': None}


def test_one_picture_of_several_people_has_a_report(tmp_path):
    people = tuple(answer(START_NS, label, face) for face, label in (('a', 'happy'), ('b', 'sad')))
    write_report(tmp_path, [replace(replay('happy'), predictions=people)], {})
    page = (tmp_path / 'report.html').read_text()
    assert 'A face was found in 1 of 1 picture; an expression was named for 2 of 2 faces.' in page


def test_emotions_have_a_line_an_answer(tmp_path):
    write_report(tmp_path, [WALK], TRUTH)
    lines = list(csv.DictReader(io.StringIO((tmp_path / 'emotions.csv').read_text())))
    assert len(lines) == 40
    assert (lines[26]['emotion'], lines[26]['truth']) == ('unknown', 'sad')
    assert [line['truth'] for line in lines] == ['happy'] * 20 + ['sad'] * 20


def test_without_a_label_the_truth_stays_empty(tmp_path):
    write_report(tmp_path, [WALK], {'walk': [segment(0, 20, 'happy')]})
    lines = list(csv.DictReader(io.StringIO((tmp_path / 'emotions.csv').read_text())))
    assert [line['truth'] for line in lines] == ['happy'] * 20 + [''] * 20


def test_problems_are_listed_where_they_are_seen():
    run = replace(WALK, problems=('walk: 3 images cannot be decoded.',))
    summary = summarise([run], TRUTH, reported=['labels.csv, line 2: late.'])
    assert summary.problems == ('labels.csv, line 2: late.', 'walk: 3 images cannot be decoded.')
    text = report_page(summary).decode()
    assert '2 warnings' in text
    assert text.index('line 2: late') < text.index('Over time')


def test_the_headline_says_what_matters():
    said = sentences(summarise([WALK], TRUTH))
    assert said[0].startswith('75 % of 40 labelled frames got the right answer')
    assert said[1] == (
        'The most common mistake: faces labelled sad were called happy, 25 % of their frames.'
    )
    assert 'right for good 0.00 s after a label starts (median); 100 % of the' in said[2]
    assert 'Its confidence is too low' not in ' '.join(said)
    assert said[-1].startswith('These metrics rest on 2 labelled segments only')
    (none, shares) = (sentences(summarise([WALK], {}))[i] for i in (0, -1))
    assert none.startswith('No labels were given')
    assert shares == 'Shown most: happy (62 %), sad (25 %), unknown (12 %).'


def test_replays_of_two_models_are_refused():
    with pytest.raises(ValueError, match=r'made 1.0.0 .* and other 2.0.0'):
        summarise([WALK, replace(WALK, model='other 2.0.0')], {})
    with pytest.raises(ValueError, match='none'):
        summarise([], {})
    with pytest.raises(LabelError, match='no label map'):
        summarise([WALK], {}, 'x')


# The page as bytes: what it holds, and what it does not load.


class Page(HTMLParser):
    """Gathers the elements, texts and figures of a page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.figures, self._plot, self._script = [], [], {}, None, None
        self.feed(page.decode())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        if 'plot' in found.get('class', '').split():
            self._plot = found['id']
        self._script = found if tag == 'script' else None

    def handle_data(self, data):
        if self._script is None:
            self.texts.append(data)
        elif self._script.get('type') == 'application/json' and 'id' not in self._script:
            self.figures[self._plot] = json.loads(data)

    def handle_endtag(self, tag):
        self._script = None


def values(array):
    """Read one of Plotly's arrays, which are lists or base64."""
    if isinstance(array, dict):
        return np.frombuffer(base64.b64decode(array['bdata']), f'<{array["dtype"]}').tolist()
    return array


def traces(figure, **wanted):
    """List the traces that have these values."""
    return [
        one
        for one in figure['data']
        if all(one.get(key) == value for key, value in wanted.items())
    ]


def test_the_figure_of_a_face_holds_what_was_said_of_it():
    pictures = {(START_NS, 'abc'): b'first', (START_NS + 25 * STEP_NS, 'abc'): b'second'}
    page = Page(report_page(summarise([replace(WALK, thumbnails=pictures)], TRUTH)))
    assert list(page.figures) == ['plot-1', 'plot-2', 'plot-3', 'plot-4']
    figure = page.figures['plot-1']
    bars = {
        (one['y'][0], one.get('text', ''), one['marker']['color']): [
            (start, round(start + length, 3)) for start, length in zip(one['base'], one['x'])
        ]
        for one in traces(figure, type='bar')
    }
    happy, sad, unknown = (hexadecimal(COLOURS[name]) for name in ('happy', 'sad', 'unknown'))
    assert bars == {
        (1.5, 'happy', happy): [(0, 2.5)],
        (1.5, 'sad', sad): [(3, 4)],
        (1.5, 'unknown', unknown): [(2.5, 3)],
        (0.5, 'happy', happy): [(0, 2)],
        (0.5, 'sad', sad): [(2, 4)],
        (-0.17, '', '#c2374b'): [(2, 3)],
    }
    curves = traces(figure, stackgroup='probability')
    assert [(one['name'], one['fillcolor']) for one in curves] == [
        (name, hexadecimal(COLOURS[name])) for name in ('happy', 'sad', 'neutral')
    ]
    assert values(curves[0]['x']) == pytest.approx([i / 10 for i in range(40)])
    assert values(curves[0]['y'])[0] == pytest.approx(0.8)
    shown, label = traces(figure, hovertemplate='<b>%{text}</b>')
    assert shown['text'] == ['happy'] * 25 + ['unknown'] * 5 + ['sad'] * 10
    assert label['text'] == ['happy'] * 20 + ['sad'] * 20
    assert [one['name'] for one in traces(figure, yaxis='y3')] == ['roll', 'pitch', 'yaw']
    # Those of the longest-lasting labels first.
    images = [(one['x'], one['source']) for one in figure['layout']['images']]
    assert images == [
        (0, 'data:image/jpeg;base64,Zmlyc3Q='),
        (2.5, 'data:image/jpeg;base64,c2Vjb25k'),
    ]


def test_the_figures_of_quality_hold_the_metrics():
    page = Page(report_page(summarise([WALK], TRUTH)))
    confusion, reliability, risk = (page.figures[f'plot-{i}'] for i in (2, 3, 4))
    (cells,) = confusion['data']
    assert cells['z'] == [[1, 0, 0, 0], [-0.25, 0.5, 0, -0.25]]
    assert cells['text'] == [['100 %', '·', '·', '·'], ['25 %', '50 %', '·', '25 %']]
    assert cells['customdata'][1][0] == '5 of 20'
    assert confusion['layout']['xaxis']['ticktext'] == ['happy', 'sad', 'neutral', 'unknown']
    (bars,) = traces(reliability, type='bar')
    assert sum(frames for frames, _ in bars['customdata']) == 40
    (point,) = traces(risk, mode='markers+text')
    assert (point['x'], point['y']) == ([0.875], [pytest.approx(1 / 7)])


def test_what_needs_labels_is_left_out_without_them():
    page = Page(report_page(summarise([WALK], {})))
    assert list(page.figures) == ['plot-1']
    assert [one['y'][0] for one in traces(page.figures['plot-1'], type='bar')] == [1.5] * 3
    assert 'How good it is' not in ' '.join(page.texts)
    assert 'Switches' in ' '.join(page.texts)


def test_a_long_recording_stays_small():
    shown = ' '.join('happy' if i % 7 else 'sad' for i in range(100_000))
    written = report_page(summarise([replay(shown)], {}))
    # Plotly's library, once, is nearly five of them.
    assert len(written) < 8_000_000
    figure = Page(written).figures['plot-1']
    assert max(len(values(one['x'])) for one in figure['data']) <= 10_001
    first = values(traces(figure, stackgroup='probability')[0]['x'])
    # Milliseconds since the year 2000: the axis is a clock.
    assert 946_684_800_000 <= first[0] < 946_684_802_000
    assert figure['layout']['xaxis']['type'] == 'date'


def test_many_faces_share_the_points_of_a_page():
    runs = [replay(*['happy ' * 2_000] * 3, name=f'walk{i}') for i in range(10)]
    written = report_page(summarise(runs, {}))
    assert len(written) < 12_000_000
    assert len(Page(written).figures) == 30


def test_a_page_loads_nothing():
    written = report_page(summarise([WALK], TRUTH))
    for tag, attributes in Page(written).elements:
        assert not {'src', 'href', 'action'} & set(attributes), tag
    without_library = b''.join(
        re.split(rb'<script>/\*\*\n\* plotly.*?</script>', written, flags=re.S)
    )
    assert len(without_library) < 100_000
    assert re.findall(rb'https?:|@import|url\(', without_library) == []
    assert b"default-src 'none'" in written


@settings(max_examples=20, deadline=None)
@given(
    st.text(
        st.characters(codec='utf-8', exclude_categories=['Cc', 'Cn', 'Co']),
        min_size=1,
        max_size=40,
    ).filter(lambda text: text not in COLOURS)  # a label of the model's own is judged otherwise
)
def test_any_name_stays_text(text):
    run = replay('happy ' * 3, name=text, model=text)
    page = Page(report_page(summarise([run], {text: [segment(0, 3, text)]}, reported=[text])))
    plain = Page(
        report_page(
            summarise([replay('happy ' * 3)], {'walk': [segment(0, 3, 'x')]}, reported=['x'])
        )
    )
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert text in page.texts
    assert f'What {text} saw in {text}' in page.texts


def test_control_characters_do_not_reach_the_page():
    written = report_page(summarise([replay('happy', name='a\x00b')], {}))
    assert b'\x00' not in written
    assert 'What made 1.0.0 saw in a\ufffdb'.encode() in written


def test_without_plotly_the_files_for_programs_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, 'emotion_estimator.evaluation.report.pages')
    monkeypatch.setitem(sys.modules, 'jinja2', None)
    with pytest.raises(MissingLibraryError, match='needs jinja2, which is not installed'):
        write_report(tmp_path, [WALK], TRUTH)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['emotions.csv', 'metrics.json']


def test_neither_nodes_nor_a_replay_import_what_draws_pages():
    code = (
        'import sys, emotion_estimator.evaluation.cli, emotion_estimator.nodes.both_nodes;'
        'print(sorted({"plotly", "jinja2"} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


def test_labels_that_are_not_known_get_colours_of_their_own():
    found = shades(['happy', 'bored', 'positive', 'tired', 'bored'])
    assert list(found) == ['happy', 'bored', 'positive', 'tired']
    assert found['happy'] == found['positive']
    assert len({one.light for one in found.values()}) == 3


def test_stretches_end_where_the_face_was_lost():
    at_s = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    found = stretches(at_s, np.array([1, 1, 2, 2, -1]))
    ends = [(one.start_s, one.end_s, one.what) for one in found]
    assert ends == [(0, 0.2, 1), (0.2, pytest.approx(0.3), 2), (2, 2.1, 2)]
    times_s, found = points(at_s, np.arange(5.0)[:, None], 2.1, 10, -1)
    assert found[:, 0].tolist() == [0, 1, 2, -1, -1, 3, 4]
    assert times_s.tolist() == [0.0, 0.1, 0.2, 0.2, 2.0, 2.0, 2.1]


@pytest.mark.parametrize('run', [replay('- - - -'), replay(), replay('happy')])
def test_little_or_nothing_to_show_is_a_page_too(run):
    page = Page(report_page(summarise([run], {})))
    assert 'No labels were given' in ' '.join(page.texts)
    assert bool(page.figures) == bool(run.predictions)


def test_points_are_means_over_equal_times():
    at_s = np.arange(1000) / 100
    _, found = points(at_s, at_s[:, None], 10.0, 10, np.nan)
    assert found[:, 0].tolist() == pytest.approx([i + 0.495 for i in range(10)])


def test_numbers_in_words():
    assert quantity(0.784, 'share') == '78 %'
    assert quantity(0.0312, 'share') == '3.1 %'
    assert quantity(float('nan'), 'share') == '\u2013'
    assert quantity(0.5, '1/s') == '0.50 / s'
    assert [duration(one) for one in (4.25, 200, 7260)] == ['4.2 s', '3 min 20 s', '2 h 1 min']
    assert duration(float('nan')) == '\u2013'
