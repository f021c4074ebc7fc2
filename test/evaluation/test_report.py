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

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.bags import START_NS, STEP_NS, replay
from helpers.browser import find_browser
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.report.downsampling import points, stretches
from emotion_estimator.evaluation.report.html import data, document, element
from emotion_estimator.evaluation.report.pages import page
from emotion_estimator.evaluation.report.run_files import labels_of
from emotion_estimator.evaluation.report.text import duration, quantity, sentences
from emotion_estimator.evaluation.report.write import write_comparison, write_report
from emotion_estimator.evaluation.segments import LabelError, Segment
from emotion_estimator.evaluation.summary import summarise


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


def test_what_cannot_be_told_is_null(tmp_path):
    write_report(tmp_path, [replay('- -')], {})
    found = json.loads((tmp_path / 'metrics.json').read_text())
    assert found['confusion'] is None
    assert found['figures']['switches_per_s'] == {'value': None, 'low': None, 'high': None}


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
    summary = summarise([run], TRUTH, told=['labels.csv, line 2: late.'])
    assert summary.problems == ('labels.csv, line 2: late.', 'walk: 3 images cannot be decoded.')
    text = page(summary).decode()
    assert '2 things to know of' in text
    assert text.index('line 2: late') < text.index('Over time')


def test_the_headline_says_what_matters():
    said = sentences(summarise([WALK], TRUTH))
    assert said[0].startswith('75 % of 40 labelled frames got the right answer')
    assert said[1] == (
        'The most common mistake: faces labelled sad were called happy, 25 % of their frames.'
    )
    assert 'right for good 0.00 s after a label starts (median); 100 % of the' in said[2]
    assert 'Its confidence is too low' not in ' '.join(said)
    assert said[-1].startswith('These figures rest on 2 labelled segments only')
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


def test_a_long_recording_stays_small():
    shown = ' '.join('happy' if i % 7 else 'sad' for i in range(18_000))
    text = page(summarise([replay(shown)], {}))
    assert len(text) < 1_500_000


def test_a_page_asks_for_nothing():
    text = page(summarise([WALK], TRUTH)).decode()
    assert re.findall(r'(?:src|href|url|@import)\W+(?:https?:)?//', text) == []
    assert "default-src 'none'" in text


class Texts(HTMLParser):
    """Gathers tags and texts of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.texts += [value for _, value in attributes]

    def handle_data(self, data):
        self.texts.append(data)


@given(st.text(st.characters(codec='utf-8', exclude_categories=['Cc', 'Cn', 'Co']), max_size=40))
def test_any_text_stays_text(text):
    root = element('p', text, element('b', text), text, title=text)
    parser = Texts()
    parser.feed(document(root).decode().removeprefix('<!doctype html>\n').removesuffix('\n'))
    assert parser.tags == ['p', 'b']
    assert parser.texts[0] == text
    assert ''.join(parser.texts[1:]) == text * 3


@given(st.text(max_size=40))
def test_data_for_the_script_comes_back_as_it_was(text):
    written = document(data({text: [text]})).decode()
    (inside,) = re.findall(r'<script[^>]*>(.*)</script>', written)
    assert json.loads(inside) == {text: [text]}
    assert '<' not in inside


def test_control_characters_do_not_reach_the_page():
    assert b'a\xef\xbf\xbdb' in document(element('p', 'a\x00b'))


def test_stretches_end_where_the_face_was_lost():
    at_s = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    found = stretches(at_s, np.array([1, 1, 2, 2, -1]))
    ends = [(one.start_s, one.end_s, one.what) for one in found]
    assert ends == [(0, 0.2, 1), (0.2, pytest.approx(0.3), 2), (2, 2.1, 2)]
    pieces = points(at_s, np.arange(5.0)[:, None], 2.1).pieces()
    assert [values[:, 0].tolist() for _, values in pieces] == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize('run', [replay('- - - -'), replay(), replay('happy')])
def test_little_or_nothing_to_show_is_a_page_too(run):
    text = page(summarise([run], {})).decode()
    assert 'No labels were given' in text
    assert ('class="timeline"' in text) == bool(run.answers)


def test_points_are_means_over_equal_times():
    at_s = np.arange(1000) / 100
    found = points(at_s, at_s[:, None], 10.0, most=10)
    assert found.values[:, 0].tolist() == pytest.approx([i + 0.495 for i in range(10)])
    assert found.starts.tolist() == [True] + [False] * 9


def test_numbers_in_words():
    assert quantity(0.784, 'share') == '78 %'
    assert quantity(0.0312, 'share') == '3.1 %'
    assert quantity(float('nan'), 'share') == '\u2013'
    assert quantity(0.5, '1/s') == '0.50 / s'
    assert [duration(one) for one in (4.25, 200, 7260)] == ['4.2 s', '3 min 20 s', '2 h 1 min']


# The report in a real browser: it loads without a word on the console, and curves are there.


HOSTILE = (
    '</script><script>console.error("broke out")</script>"\'<img src=x onerror=console.error(1)>'
    '&amp;\x00'
)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    return find_browser(tmp_path_factory.mktemp('browser'))


PAGE_TRUTH = {'walk': [segment(0, 30, 'happy'), segment(30, 60, 'sad')]}
PAGE_WALK = replay(
    'happy ' * 28 + 'unknown ' * 4 + 'sad ' * 28, '- ' * 10 + 'neutral ' * 20 + '- ' * 30
)


def count(dom, what):
    return len(re.findall(what, dom))


def test_curves_are_there_the_pointer_is_answered_and_the_console_is_silent(browser, tmp_path):
    page = write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH)
    moved = """<script>
      const svg = document.querySelector('svg.timeline'), box = svg.getBoundingClientRect();
      const x = box.left + box.width * 0.2;
      svg.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: box.top + 60}));
    </script></body>"""
    page.write_text(page.read_text().replace('</body>', moved))
    dom, console = browser.open(page, '--window-size=1100,900')
    assert console == []
    assert count(dom, '<svg[^>]*class="timeline"') == 2
    # Three classes of two faces.
    assert count(dom, '<path d="M[^"]{20,}"[^>]*class="area k') == 6
    assert count(dom, 'class="line (?:roll|pitch|yaw)"') == 6
    assert count(dom, 'class="chart confusion"') == 1
    assert count(dom, 'class="line found"') == 2
    (tip,) = re.findall(r'<div class="tip"[^>]*>([^<]*)</div>', dom)
    lines = tip.split('\n')
    assert re.fullmatch(r'\d\.\d\d s', lines[0])
    assert lines[1:4] == ['shown  happy', 'label  happy', ' 80 %  happy']


def test_a_silent_console_means_something(browser, tmp_path):
    page = tmp_path / 'loud.html'
    page.write_text('<!doctype html><script>console.error("loud")</script>')
    _, console = browser.open(page)
    assert len(console) == 1
    assert 'loud' in console[0]


def test_names_that_are_code_stay_text(browser, tmp_path):
    run = replay('happy ' * 20, 'sad ' * 20, name=HOSTILE, faces=[HOSTILE, '<b>two</b>'],
                 problems=[HOSTILE], model=HOSTILE)  # fmt: skip
    page = write_report(tmp_path, [run], {HOSTILE: [segment(0, 20, HOSTILE)]})
    dom, console = browser.open(page)
    assert console == []
    assert '<b>two</b>' not in dom
    assert count(dom, '<img') == 0
    # The data of two faces and the page's own script.
    assert count(dom, '<script') == 3


def test_two_runs_stand_side_by_side(browser, tmp_path):
    other = replay('happy ' * 30 + 'sad ' * 30, model='other 2.0.0')
    dom, console = browser.open(write_comparison(tmp_path, [PAGE_WALK], [other], PAGE_TRUTH))
    assert console == []
    # Two faces of the first run, one of the second, three classes each.
    assert count(dom, '<path d="M[^"]{20,}"[^>]*class="area k') == 9
    assert 'other 2.0.0 against made 1.0.0 in 1 recording' in dom
