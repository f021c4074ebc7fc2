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

"""The page of a report: what it holds and loads; in a real browser, what is drawn and said."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.bags import START_NS, STEP_NS, replay, segment
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_estimator.colours import COLOURS, hexadecimal, shades
from emotion_estimator.evaluation.report.pages import report_page
from emotion_estimator.evaluation.report.write import write_comparison, write_report
from emotion_estimator.evaluation.runs import summarise

TRUTH = {'walk': [segment(0, 20, 'happy'), segment(20, 40, 'sad')]}
WALK = replay('happy ' * 25 + 'unknown ' * 5 + 'sad ' * 10)


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
    assert values(curves[0]['x']) == pytest.approx([i / 10 for i in range(41)])
    assert values(curves[0]['y'])[0] == pytest.approx(0.8)
    shown, label = traces(figure, hovertemplate='<b>%{text}</b>')
    assert shown['text'] == ['happy'] * 25 + ['unknown'] * 5 + ['sad'] * 11
    assert label['text'] == ['happy'] * 20 + ['sad'] * 21
    assert [one['name'] for one in traces(figure, yaxis='y3')] == ['roll', 'pitch', 'yaw']
    # Those of the longest-lasting labels first.
    images = [(one['x'], one['source']) for one in figure['layout']['images']]
    assert images == [
        (0, 'data:image/jpeg;base64,Zmlyc3Q='),
        (2.5, 'data:image/jpeg;base64,c2Vjb25k'),
    ]


@pytest.mark.parametrize('before_s, unit, zero', [(100, 1, 0), (3600, 1000, 946_684_800_000)])
def test_the_figure_of_a_part_has_the_times_of_the_recording(before_s, unit, zero):
    pictures = {(START_NS + i * STEP_NS, 'abc'): b'picture' for i in (0, 10, 35)}
    first_ns = START_NS - before_s * 1_000_000_000
    part = replace(WALK, thumbnails=pictures, first_ns=first_ns)
    figure = Page(report_page(summarise([part], TRUTH))).figures['plot-1']
    axis = [
        figure['layout']['xaxis']['range'],
        values(traces(figure, stackgroup='probability')[0]['x']),
    ]
    begin, end = zero + unit * before_s, zero + unit * (before_s + 4)
    assert [(one[0], one[-1]) for one in axis] == [pytest.approx((begin, end), abs=1e-3)] * 2
    starts = [one['x'] for one in figure['layout']['images']]
    # That of the longest first: 2.5 s, 1 s, 0.5 s.
    assert starts == [pytest.approx(zero + unit * (before_s + s), abs=1e-3) for s in (1, 0, 3.5)]


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


def test_where_unknown_is_a_class_it_is_no_answer_in_the_figure_of_risk():
    run, truth = replay('neutral neutral happy unknown'), {'walk': [segment(0, 4, 'neutral')]}
    page = Page(report_page(summarise([run], truth, 'happy_unknown_sad')))
    (point,) = traces(page.figures['plot-4'], mode='markers+text')
    assert (point['x'], point['y']) == ([0.75], [pytest.approx(1 / 3)])


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
    assert max(len(values(one['x'])) for one in figure['data']) <= 10_002
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


@pytest.mark.parametrize('run', [replay('- - - -'), replay(), replay('happy')])
def test_little_or_nothing_to_show_is_a_page_too(run):
    page = Page(report_page(summarise([run], {})))
    assert 'No labels were given' in ' '.join(page.texts)
    assert bool(page.figures) == bool(run.predictions)


def test_an_answer_of_one_image_is_drawn_as_long_as_that_lasts():
    photographs = summarise([replay('happy -', '- sad')], {})
    for number, start_s in ((1, 0.0), (2, 0.1)):
        figure = Page(report_page(photographs)).figures[f'plot-{number}']
        assert figure['layout']['xaxis']['range'] == pytest.approx([0, 0.2])
        (shown,) = traces(figure, type='bar')
        assert [*shown['base'], *shown['x']] == pytest.approx([start_s, 0.1])
        for curve in traces(figure, stackgroup='probability'):
            assert values(curve['x']) == pytest.approx([start_s, start_s + 0.1])


def test_labels_that_are_not_known_get_colours_of_their_own():
    found = shades(['happy', 'bored', 'positive', 'tired', 'bored'])
    assert list(found) == ['happy', 'bored', 'positive', 'tired']
    assert found['happy'] == found['positive']
    assert len({one.light for one in found.values()}) == 3


# In a browser: a page loads without a word on the console, and its figures are there.


HOSTILE = (
    '</script><script>console.error("broke out")</script>"\'<img src=x onerror=console.error(1)>'
    '&amp;' + '\x00' * (sys.version_info >= (3, 11))
    # Python 3.10 writes it into no table.
)
PAGE_TRUTH = {'walk': [segment(0, 30, 'happy'), segment(30, 60, 'sad')]}
PAGE_WALK = replay(
    'happy ' * 28 + 'unknown ' * 4 + 'sad ' * 28, '- ' * 10 + 'neutral ' * 20 + '- ' * 30
)
FIGURES = '[...document.querySelectorAll(".plot")]'
DRAWN = f'{FIGURES}.length && {FIGURES}.every((one) => one.querySelector(".nsewdrag"))'
SEEN = 'document.getElementById("plot-1").layout.images.map((one) => one.visible)'
TIMEOUT_S = 60.0


def until(page, condition):
    """Wait until a page fulfils a condition, in JavaScript; gives its value."""
    deadline_s = time.monotonic() + TIMEOUT_S
    look = f'new Promise((done) => requestAnimationFrame(() => done({condition})))'
    while not (value := page.run(look)):
        assert time.monotonic() < deadline_s, f'Waited {TIMEOUT_S:g} s in vain for {condition}.'
    return value


def drawn(browser, path):
    """Open a page and wait for its figures, all of which are in the window."""
    page = browser.open(path.as_uri(), 1160, 4000)
    until(page, DRAWN)
    return page


def document(page):
    return page.run('document.documentElement.outerHTML')


def count(dom, what):
    return len(re.findall(what, dom))


def test_figures_are_drawn_the_pointer_is_answered_and_the_console_is_silent(browser, tmp_path):
    page = drawn(browser, write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH))
    dom = document(page)
    # Two faces, confusion, reliability, risk against coverage.
    assert count(dom, 'class="plot [^"]*js-plotly-plot"') == 5
    assert count(dom, '<svg class="main-svg"') >= 5
    # Three classes and three angles of two faces.
    assert count(dom, '<g class="trace scatter') >= 12
    box = page.run('document.querySelector("#plot-1 .nsewdrag").getBoundingClientRect().toJSON()')
    place = {'x': box['x'] + box['width'] * 0.2, 'y': box['y'] + 10}
    page.ask('Input.dispatchMouseEvent', type='mouseMoved', **place)
    told = '[...document.querySelectorAll("#plot-1 .hoverlayer text")]'
    rows = until(page, f'{told}.length && {told}.map((one) => one.textContent)')
    assert re.fullmatch(r'1\.[12]\d s', rows[0])
    assert rows[1:3] == ['shown : happy', 'label : happy']
    assert 'happy : 80%' in rows
    assert rows[-1].startswith('yaw : ')
    assert page.errors == []


@pytest.mark.parametrize(
    ('before_h', 'first'), [(23, '23:00:00.0'), (24, 'day 2, 0:00:00'), (30, 'day 2, 6:00:00')]
)
def test_times_after_a_whole_day_are_told_with_the_day(browser, tmp_path, before_h, first):
    part = replace(PAGE_WALK, first_ns=START_NS - before_h * 3_600_000_000_000)
    page = drawn(browser, write_report(tmp_path, [part], {}))
    ticks = '[...document.querySelectorAll("#plot-1 .xtick text")].map((one) => one.textContent)'
    assert page.run(ticks)[0] == first


def test_zooming_leaves_the_part_that_was_chosen_and_places_thumbnails_anew(browser, tmp_path):
    pictures = {(START_NS + i * STEP_NS, 'abc'): b'' for i in (0, 28, 29, 32)}
    run = replace(PAGE_WALK, thumbnails=pictures)
    page = drawn(browser, write_report(tmp_path, [run], PAGE_TRUTH))
    until(page, f'({SEEN}).filter(Boolean).length === 3')
    before = page.run(SEEN)
    page.run('Plotly.relayout("plot-1", {"xaxis.range": [2.7, 3.3]}).then(() => true)')
    until(page, f'JSON.stringify({SEEN}) !== {json.dumps(json.dumps(before))}')
    assert sum(page.run(SEEN)) == 3
    assert page.run('document.getElementById("plot-1").layout.xaxis.range') == [2.7, 3.3]


def test_dark_ground_has_colours_of_its_own(browser, tmp_path):
    page = drawn(browser, write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH))
    light, dark = 'fill: rgb(51, 34, 136)', 'fill: rgb(124, 108, 224)'
    for on, shown, other in ((False, light, dark), (True, dark, light)):
        page.dark(on)
        has = 'document.documentElement.outerHTML.includes'
        until(page, f'{has}("{shown}") && !{has}("{other}")')
    assert page.errors == []


def test_a_phone_shows_tables_and_the_confusion_matrix_as_wide_as_they_are_read(browser, tmp_path):
    page = browser.open(write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH).as_uri(), 320, 8000)
    until(page, DRAWN)
    drawn_px = 'document.querySelector(".confusion svg").getBoundingClientRect().width'
    assert page.run(drawn_px) == pytest.approx(358, abs=1)
    cells = '[...document.querySelectorAll("td.meaning")].map((one) => one.clientHeight)'
    assert max(page.run(cells)) < 120
    # Both are scrolled sideways in boxes of their own; the page is not.
    assert page.run('document.documentElement.scrollWidth') == 320


def test_a_silent_console_means_something(browser, tmp_path):
    path = tmp_path / 'loud.html'
    path.write_text('<!doctype html><script>console.error("loud")</script>')
    page = browser.open(path.as_uri())
    until(page, 'document.readyState === "complete" && location.protocol === "file:"')
    assert page.errors == ['loud']


@pytest.mark.parametrize('name', [HOSTILE, '<script>alert(1)</script>.mp4', "\"><b>'quoted'</b>"])
def test_names_that_are_code_stay_text(browser, tmp_path, name):
    run = replay('happy ' * 20, 'sad ' * 20, name=name, faces=[name, '<b>two</b>'],
                 problems=[name], model=name, labels=('happy', 'sad', name))  # fmt: skip
    page = drawn(browser, write_report(tmp_path, [run], {name: [segment(0, 20, name)]}))
    dom = document(page)
    assert page.errors == []
    assert '<b>two</b>' not in dom
    assert count(dom, '<img') == 0
    # Two faces and three figures of quality, dark colours, library, the page's own script.
    assert count(dom, '<script') == 8
    # Plotly, which has markup of its own, shows the name of the label as it is too.
    labels = re.findall('<text[^>]*class="bartext[^>]*>(.*?)</text>', dom)
    assert html.escape(name.replace('\x00', '\ufffd'), quote=False) in labels


def test_two_runs_stand_side_by_side(browser, tmp_path):
    other = replay('happy ' * 30 + 'sad ' * 30, model='other 2.0.0')
    path = write_comparison(tmp_path, [PAGE_WALK], [other], PAGE_TRUTH).page
    page = drawn(browser, path)
    dom = document(page)
    assert page.errors == []
    # Two faces of the first run, one of the second.
    assert count(dom, 'class="plot [^"]*js-plotly-plot"') == 3
    assert 'other 2.0.0 against made 1.0.0 in 1 recording' in dom
    assert '<th scope="col">B - A</th>' in dom
