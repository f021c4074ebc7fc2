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

"""The report in a real browser: it loads without a word on the console, and figures are there."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers.bags import START_NS, STEP_NS, replay

from dev.browser import NAMES, OPTIONS, find_chromium
from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.report.write import write_comparison, write_report


def segment(start, end, label, face=''):
    return Segment(START_NS + start * STEP_NS, START_NS + end * STEP_NS, face, label)


HOSTILE = (
    '</script><script>console.error("broke out")</script>"\'<img src=x onerror=console.error(1)>'
    '&amp;' + '\x00' * (sys.version_info >= (3, 11))
    # Python 3.10 writes it into no table.
)
PAGE_TRUTH = {'walk': [segment(0, 30, 'happy'), segment(30, 60, 'sad')]}
PAGE_WALK = replay(
    'happy ' * 28 + 'unknown ' * 4 + 'sad ' * 28, '- ' * 10 + 'neutral ' * 20 + '- ' * 30
)
DRAWN = ('--window-size=1160,4000', '--virtual-time-budget=20000')


class Browser:
    """
    Chromium, without a window and without a network.

    :param program: its path.
    :param profile: a folder of its own.
    """

    def __init__(self, program, profile):
        self._command = [
            program,
            *OPTIONS,
            f'--user-data-dir={profile}',
            # No host can be reached: a page that needs one shows it.
            '--host-resolver-rules=MAP * ~NOTFOUND',
            '--enable-logging=stderr',
        ]

    def open(self, path, *options):
        """Load a page; gives its document after scripts ran, and the console's lines."""
        done = subprocess.run(
            [*self._command, *options, '--dump-dom', path.as_uri()],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        return done.stdout, re.findall(r'CONSOLE.*', done.stderr)


def find_browser(folder):
    """Find a browser; skips where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip(f'There is none of {", ".join(NAMES)} on this machine.')
    return Browser(program, folder)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    return find_browser(tmp_path_factory.mktemp('browser'))


def count(dom, what):
    return len(re.findall(what, dom))


def with_script(page, code):
    """Run code in a page once its first figure is drawn."""
    wait = f"""<script>
      const waiting = setInterval(() => {{
        const plot = document.getElementById('plot-1');
        if (!plot.querySelector('.nsewdrag')) return;
        clearInterval(waiting);
        {code}
      }}, 50);
    </script></body>"""
    page.write_text(page.read_text().replace('</body>', wait))
    return page


def test_figures_are_drawn_the_pointer_is_answered_and_the_console_is_silent(browser, tmp_path):
    page = write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH)
    moved = """
      const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
      for (const kind of ['mouseover', 'mousemove'])
        plot.querySelector('.nsewdrag').dispatchEvent(new MouseEvent(kind, {
          bubbles: true, clientX: box.left + box.width * 0.2, clientY: box.top + 10}));
      setTimeout(() => {
        const rows = [...plot.querySelectorAll('.hoverlayer text')].map(one => one.textContent);
        document.body.dataset.hover = rows.join('|');
      }, 500);"""
    dom, console = browser.open(with_script(page, moved), *DRAWN)
    assert console == []
    # Two faces, confusion, reliability, risk against coverage.
    assert count(dom, 'class="plot [^"]*js-plotly-plot"') == 5
    assert count(dom, '<svg class="main-svg"') >= 5
    # Three classes and three angles of two faces.
    assert count(dom, '<g class="trace scatter') >= 12
    (hover,) = re.findall('data-hover="([^"]*)"', dom)
    rows = hover.split('|')
    assert re.fullmatch(r'1\.[12]\d s', rows[0])
    assert rows[1:3] == ['shown : happy', 'label : happy']
    assert 'happy : 80%' in rows
    assert rows[-1].startswith('yaw : ')


def test_zooming_leaves_the_part_that_was_chosen_and_places_thumbnails_anew(browser, tmp_path):
    pictures = {(START_NS + i * STEP_NS, 'abc'): b'' for i in (0, 28, 29, 32)}
    page = write_report(tmp_path, [replace(PAGE_WALK, thumbnails=pictures)], PAGE_TRUTH)
    zoomed = """
      const seen = () => plot.layout.images.filter(one => one.visible).length;
      const before = seen();
      Plotly.relayout(plot, {'xaxis.range': [2.7, 3.3]}).then(() => setTimeout(() => {
        document.body.dataset.zoom = [before, seen(), plot.layout.xaxis.range].join('|');
      }, 300));"""
    dom, _ = browser.open(with_script(page, f'setTimeout(() => {{ {zoomed} }}, 500);'), *DRAWN)
    assert re.findall('data-zoom="([^"]*)"', dom) == ['3|3|2.7,3.3']


def test_dark_ground_has_colours_of_its_own(browser, tmp_path):
    page = write_report(tmp_path, [PAGE_WALK], PAGE_TRUTH)
    dark, console = browser.open(page, *DRAWN, '--blink-settings=preferredColorScheme=0')
    light, _ = browser.open(page, *DRAWN, '--blink-settings=preferredColorScheme=1')
    assert console == []
    for dom, sad in ((light, 'rgb(51, 34, 136)'), (dark, 'rgb(124, 108, 224)')):
        assert f'fill: {sad}' in dom
    assert 'fill: rgb(51, 34, 136)' not in dark


def test_a_silent_console_means_something(browser, tmp_path):
    page = tmp_path / 'loud.html'
    page.write_text('<!doctype html><script>console.error("loud")</script>')
    _, console = browser.open(page)
    assert len(console) == 1
    assert 'loud' in console[0]


@pytest.mark.parametrize('name', [HOSTILE, '<script>alert(1)</script>.mp4', "\"><b>'quoted'</b>"])
def test_names_that_are_code_stay_text(browser, tmp_path, name):
    run = replay('happy ' * 20, 'sad ' * 20, name=name, faces=[name, '<b>two</b>'],
                 problems=[name], model=name, labels=('happy', 'sad', name))  # fmt: skip
    page = write_report(tmp_path, [run], {name: [segment(0, 20, name)]})
    dom, console = browser.open(page, *DRAWN)
    assert console == []
    assert '<b>two</b>' not in dom
    assert count(dom, '<img') == 0
    # Two faces and three figures of quality, dark colours, library, the page's own script.
    assert count(dom, '<script') == 8
    # Plotly, which has markup of its own, shows the name of the label as it is too.
    labels = re.findall('<text[^>]*class="bartext[^>]*>(.*?)</text>', dom)
    assert html.escape(name.replace('\x00', '\ufffd'), quote=False) in labels


def test_two_runs_stand_side_by_side(browser, tmp_path):
    other = replay('happy ' * 30 + 'sad ' * 30, model='other 2.0.0')
    dom, console = browser.open(
        write_comparison(tmp_path, [PAGE_WALK], [other], PAGE_TRUTH), *DRAWN
    )
    assert console == []
    # Two faces of the first run, one of the second.
    assert count(dom, 'class="plot [^"]*js-plotly-plot"') == 3
    assert 'other 2.0.0 against made 1.0.0 in 1 recording' in dom
    assert '<th scope="col">B - A</th>' in dom
