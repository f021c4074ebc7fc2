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

"""What the live view's page draws, in a real browser: names in the picture and the last minute."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
from helpers.live_nodes import View

from emotion_estimator.colours import shades

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


@pytest.fixture
def page(live, browser, tmp_path):
    view = View(live, tmp_path)
    page = view.open(browser, live)
    # What it says once it has looked for the nodes moves all that is below.
    says = [f'"No {name} is there"' for name in ('blendshape_node', 'emotion_node')]
    said = f'[{", ".join(says)}].every((each) => document.body.innerText.includes(each))'
    live.until(lambda: page.run(said), 'that no node is there')
    yield page
    # Tests read what is drawn more often than a page does.
    assert [each for each in page.errors if 'willReadFrequently' not in each] == []
    page.close()
    view.close()


def turn(page, dark):
    """Have light or dark ground, and wait for it."""
    page.dark(dark)
    page.run(
        'new Promise((done) => { const look = () => '
        f'document.body.classList.contains("body--dark") === {json.dumps(dark)} '
        '? requestAnimationFrame(done) : requestAnimationFrame(look); look(); })'
    )


HAPPY_COLUMNS = """
(async () => {
  const { drawTimeline } = await import("/view/timeline.js");
  const { colourOf } = await import("/view/colours.js");
  const place = document.body.appendChild(document.createElement("div"));
  place.style.width = "600px";
  const moments = [];
  for (let t = 0; t < 60.01; t += STEP) {
    const here = t < 20 || t > 40;
    const person = { id: "every STEP s", label: "happy", scores: { happy: 1 } };
    moments.push({ t, people: here ? [person] : [] });
  }
  drawTimeline(place, moments, null, 60);
  const canvas = place.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const drawn = pen.getImageData(0, 10, canvas.width, 1).data;
  pen.fillStyle = colourOf("happy");
  pen.fillRect(0, 0, 1, 1);
  const happy = pen.getImageData(0, 0, 1, 1).data;
  let columns = 0;
  for (let i = 0; i < drawn.length; i += 4) {
    columns += [0, 1, 2].every((k) => drawn[i + k] === happy[k]);
  }
  place.remove();
  return columns / canvas.width;
})()
"""


NAMES_SEEN = """
(async () => {
  const { drawPicture } = await import("/view/picture.js");
  const { colourOf } = await import("/view/colours.js");
  const labels = ["happy", "surprised", "scared", "sad", "neutral"];
  const people = labels.map((label, i) => (
    { id: "face", label, confidence: 1, box: [0.3 + 0.08 * i, TOP, 0.36 + 0.08 * i, TOP + 0.2] }));
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const pen = canvas.getContext("2d");
  const count = (shown, label) => {
    drawPicture(canvas, null, { people: shown });
    const drawn = pen.getImageData(0, 0, 640, 480).data;
    const colour = [1, 3, 5].map((i) => parseInt(colourOf(label, true).slice(i, i + 2), 16));
    let pixels = 0;
    for (let i = 0; i < drawn.length; i += 4) pixels += colour.every((c, k) => drawn[i + k] === c);
    return pixels;
  };
  return people.map((one) => count(people, one.label) / count([one], one.label));
})()
"""


def test_names_of_people_side_by_side_hide_no_other_one(page):
    shares = [page.run(NAMES_SEEN.replace('TOP', str(top))) for top in (0.02, 0.4, 0.75)]
    # Only edges of boxes may be hidden.
    assert [round(min(each), 1) for each in shares] == [1.0, 1.0, 1.0]


def test_the_last_minute_is_drawn_whole_whatever_the_camera_s_rate(page):
    shares = [page.run(HAPPY_COLUMNS.replace('STEP', str(step_s))) for step_s in (0.1, 0.7, 1.82)]
    # A third of it the face was away; at its ends a step is missing.
    assert shares == [pytest.approx(2 / 3, abs=step) for step in (0.02, 0.04, 0.08)]


MINUTE = """
(async () => {
  const { drawTimeline } = await import("/view/timeline.js");
  const place = document.getElementById("view-timeline");
  const moments = [];
  for (let t = 0; t < 60.01; t += 0.2) {
    const label = ["happy", "sad", "neutral"][Math.floor(t / 7) % 3];
    const people = Array.from({ length: PEOPLE }, (_, i) => (
      { id: `id_${i}`, label, scores: { happy: 0.4, sad: 0.3, neutral: 0.3 } }));
    moments.push({ t, people });
  }
  drawTimeline(place, moments, null, 60);
  const box = place.getBoundingClientRect();
  const marks = [...place.querySelectorAll(".view-ago")].map((mark) => {
    const word = mark.querySelector("span");
    const { left, right, top, bottom } = word.getBoundingClientRect();
    const share = (mark.getBoundingClientRect().left - box.left) / box.width;
    const at = [left, right, top, bottom].map(Math.round);
    return [word.innerText, share, at];
  });
  const more = place.querySelector(".view-more");
  const above = [...place.querySelectorAll(".view-row")].every((row) => (
    row.getBoundingClientRect().bottom <= more.getBoundingClientRect().top));
  return [marks, place.querySelectorAll(".view-row").length, more.innerText, above];
})()
"""


LEGEND = """
(async () => {
  const { showCards } = await import("/view/cards.js");
  const place = document.getElementById("view-people");
  const person = {
    id: "abc", label: "happy", confidence: 1, scores: { happy: 1, sad: 0, unknown: 0 }, reason: "",
    sure: "", looks: "", head: null, gaze: null, affect: [0, 0], units: [], distance: null };
  showCards(place, { t: 1, people: [person] }, [], false);
  return [...place.querySelectorAll(".view-bar")].map((bar) => {
    const key = bar.querySelector(".view-bar-key");
    const { width, height } = key.getBoundingClientRect();
    return [bar.querySelector(".view-bar-name").innerText, getComputedStyle(key).backgroundColor,
      width > 8 && height > 8];
  });
})()
"""


@pytest.mark.parametrize('dark', [False, True])
def test_a_card_names_the_colour_of_each_class_also_where_its_bar_is_empty(page, dark):
    turn(page, dark)
    found = {
        name: (tuple(map(int, re.findall(r'\d+', colour))), large)
        for name, colour, large in page.run(LEGEND)
    }
    known = shades(['happy', 'sad', 'unknown'])
    assert found == {
        label: (tuple(bytes.fromhex((one.dark if dark else one.light)[1:])), True)
        for label, one in known.items()
    }


def test_the_timeline_says_how_long_ago_and_who_has_no_row(page):
    for width, dark in ((1400, False), (420, True), (420, False), (1400, True)):
        page.size(width, 900)
        turn(page, dark)
        marks, rows, more, below = page.run(MINUTE.replace('PEOPLE', '6'))
        assert [word for word, _, _ in marks] == ['15 s ago', '30 s ago', '45 s ago']
        assert [share for _, share, _ in marks] == pytest.approx([0.75, 0.5, 0.25], abs=0.005)
        # No word reaches the next mark.
        assert max(right - left for _, _, (left, right, *_) in marks) < 0.2 * (width - 24)
        assert (rows, more, below) == (4, 'and 2 more', True)
        png = base64.b64decode(page.ask('Page.captureScreenshot', format='png')['data'])
        shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(int)
        for _, _, (left, right, top, bottom) in marks:
            # Dark on light or light on dark, whatever colour lies below.
            word = shown[top + 2 : bottom - 2, left + 2 : right - 2]
            usual = np.median(word, axis=(0, 1))
            assert usual.max() < 60 if dark else usual.min() > 240
            assert np.abs(word - usual).max() > 120
            beside = shown[top:bottom, left - 5 : left]
            line = beside.min(axis=2) > 200 if dark else beside.max(axis=2) < 80
            assert line.all(axis=0).any()
    _, rows, more, _ = page.run(MINUTE.replace('PEOPLE', '4'))
    assert (rows, more) == (4, '')
