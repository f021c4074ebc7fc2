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

"""The report in a real browser: it loads without a word on the console, and curves are there."""

from __future__ import annotations

import re

import pytest
from browser import find_browser
from made_replays import START_NS, STEP_NS, replay

from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.report import write_comparison, write_report

HOSTILE = (
    '</script><script>console.error("broke out")</script>"\'<img src=x onerror=console.error(1)>'
    '&amp;\x00'
)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    return find_browser(tmp_path_factory.mktemp('browser'))


def segment(start, end, label, face=''):
    return Segment(START_NS + start * STEP_NS, START_NS + end * STEP_NS, face, label)


TRUTH = {'walk': [segment(0, 30, 'happy'), segment(30, 60, 'sad')]}
WALK = replay(
    'happy ' * 28 + 'unknown ' * 4 + 'sad ' * 28, '- ' * 10 + 'neutral ' * 20 + '- ' * 30
)


def count(dom, what):
    return len(re.findall(what, dom))


def test_curves_are_there_the_pointer_is_answered_and_the_console_is_silent(browser, tmp_path):
    page = write_report(tmp_path, [WALK], TRUTH)
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
    dom, console = browser.open(write_comparison(tmp_path, [WALK], [other], TRUTH))
    assert console == []
    # Two faces of the first run, one of the second, three classes each.
    assert count(dom, '<path d="M[^"]{20,}"[^>]*class="area k') == 9
    assert 'other 2.0.0 against made 1.0.0 in 1 recording' in dom
