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

"""How long and how wide things are on the page of a report."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.bags import replay

from emotion_estimator.colours import shades
from emotion_estimator.evaluation.report.figures import points, stretches
from emotion_estimator.evaluation.report.pages import report_page
from emotion_estimator.evaluation.report.timeline import MOST_STRETCHES, FaceTrack, timeline
from emotion_estimator.evaluation.runs import summarise

LABELS = ('happy', 'scared', 'sad')
FRAME_S, GAP_S = 0.1, 0.5


def bars(at_s, shown, row=1.5):
    """Draw a face that is right only where it is 'happy'; gives the row's bars by label."""
    frames, length_s = len(at_s), at_s[-1] + FRAME_S - at_s[0]
    track = FaceTrack(
        at_s=at_s,
        labels=LABELS,
        shown=shown,
        truth=np.full(frames, -1),
        wrong=shown > 0,
        classes=LABELS,
        probabilities=np.eye(3)[shown],
        head=np.full((frames, 3), np.nan),
        thumbnails=(),
        length_s=length_s,
        longest_gap_s=GAP_S,
        frame_s=FRAME_S,
        start_s=at_s[0],
    )
    return {
        one.text: np.stack([one.base, np.add(one.base, one.x)], axis=1) / 1000 - 946_684_800
        for one in timeline(track, shades(LABELS)).data
        if one.type == 'bar' and one.y[0] == row
    }


def seconds(drawn):
    return {name: float(np.diff(found).sum()) for name, found in drawn.items()}


def test_a_flicker_does_not_take_the_time_of_what_follows_it():
    shown = np.array(([0] * 20 + [1] + [0] * 9 + [2] + [0] * 89) * 1000)
    drawn = bars(np.arange(len(shown)) * FRAME_S, shown)
    # Short times are 6 s: both flickers begin in one with a short and a long stretch of 'happy'.
    assert seconds(drawn) == pytest.approx({'happy': 12_000}, abs=0.1)


def test_right_times_between_two_errors_are_not_drawn_as_wrong():
    shown = np.array(([1] + [0] * 2 + [1] + [0] * 56) * 1200)
    drawn = bars(np.arange(len(shown)) * FRAME_S, shown, -0.17)
    assert seconds(drawn) == pytest.approx({'': 240}, abs=0.1)


@pytest.mark.parametrize('longest', [1, 3, 10, 30, 100, 300])
def test_what_lasts_is_drawn_as_it_is_among_any_flicker(longest):
    rng = np.random.default_rng(longest)
    frames = np.exp(rng.uniform(0, np.log(longest), 4000)).astype(int)
    shown = np.repeat(rng.integers(0, 3, 4000), frames)
    at_s = 50 + np.cumsum(np.where(rng.random(len(shown)) < 0.05, 1.0, FRAME_S))
    found = stretches(at_s, shown, GAP_S, FRAME_S)
    drawn = bars(at_s, shown)
    least_s = (at_s[-1] + FRAME_S - at_s[0]) / MOST_STRETCHES
    assert sum(map(len, drawn.values())) <= MOST_STRETCHES < len(found)
    for one in found:
        if one.end_s - one.start_s > least_s:
            of_label = drawn[LABELS[one.what]]
            starts_s = of_label[np.abs(of_label[:, 1] - one.end_s) < 1e-3, 0]
            assert one.start_s - least_s - 1e-3 < starts_s <= one.start_s + 1e-3
    every_s = np.sort(np.concatenate([*drawn.values()]), axis=0)
    assert (every_s[1:, 0] > every_s[:-1, 1] - 1e-3).all()
    assert sum(seconds(drawn).values()) == pytest.approx(
        sum(one.end_s - one.start_s for one in found), abs=0.1
    )


def test_stretches_end_where_the_face_was_lost():
    at_s = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    found = stretches(at_s, np.array([1, 1, 2, 2, -1]), 0.5, 0.1)
    ends = [(one.start_s, one.end_s, one.what) for one in found]
    assert ends == [(0, 0.2, 1), (0.2, pytest.approx(0.3), 2), (2, 2.1, 2)]
    times_s, found = points(at_s, np.arange(5.0)[:, None], -1, 0, 0.5, 0.1)
    assert found[:, 0].tolist() == [0, 1, 2, 2, -1, -1, 3, 4, 4]
    assert times_s.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.3, 2.0, 2.0, 2.1, 2.2])
    slow = stretches(np.arange(4.0), np.array([1, 1, 2, 2]), 1.5, 1.0)
    assert [(one.start_s, one.end_s) for one in slow] == [(0, 2), (2, 4)]


def test_points_are_means_over_equal_times():
    at_s = np.arange(1000) / 100
    _, found = points(at_s, at_s[:, None], np.nan, 1.0, 0.5, 0.01)
    assert found[:, 0].tolist() == pytest.approx([*(i + 0.495 for i in range(10)), 9.495])


def test_no_face_is_seen_for_longer_than_its_recording_lasts():
    quick = replay('happy ' * 5, '- sad - - -')
    slow = replace(
        quick,
        recording='slow',
        stamps_ns=tuple(5 * stamp_ns for stamp_ns in quick.stamps_ns),
        predictions=tuple(replace(one, stamp_ns=5 * one.stamp_ns) for one in quick.predictions),
    )
    runs = [quick, slow, replay('happy', name='one'), replay(name='none')]
    page = report_page(summarise(runs, {})).decode()
    rows = re.findall(r'<th scope="row">([^<]*)</th><td class="number">([^<]*)<', page)
    assert rows[-8:] == [
        ('walk', '0.5 s'),
        ('face abc', '0.5 s'),
        ('face def', '0.1 s'),
        ('slow', '2.5 s'),
        ('face abc', '2.5 s'),
        ('face def', '0.5 s'),
        ('one', '0.0 s'),
        ('none', '0.0 s'),
    ]
    assert re.findall('<summary>(.*)</summary>', page) == [
        'walk: 0.5 s, 2 faces',
        'slow: 2.5 s, 2 faces',
        'one: 0.0 s, 1 face',
        'none: 0.0 s, 0 faces',
    ]
