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

"""What is counted of each labelled segment does not depend on how the truth is written."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.bags import LABELS, replay, segment

from emotion_estimator.evaluation.alignment import common_vocabulary, judge, problems_of_truth
from emotion_estimator.evaluation.comparison import agreement
from emotion_estimator.evaluation.labels import HAPPY_UNKNOWN_SAD
from emotion_estimator.evaluation.measures import count, figures
from emotion_estimator.evaluation.report.pages import face_track
from emotion_estimator.evaluation.runs import summarise
from emotion_estimator.evaluation.segment_statistics import RESAMPLES, bootstrap_sums
from emotion_estimator.stamps import longest_gap_s

COARSE = HAPPY_UNKNOWN_SAD.names


def counted(run, truth):
    """Count a run in the classes of `HAPPY_UNKNOWN_SAD`."""
    names = {one.label for one in truth}
    vocabulary = common_vocabulary(run.labels, names, HAPPY_UNKNOWN_SAD.name)
    return count([judge(run, truth, vocabulary)])


@pytest.mark.parametrize('shown', ['unknown', '-'])
def test_an_onset_is_of_the_class_that_is_judged_whatever_its_labels_are_called(shown):
    # Each answer comes a second late; of the labels behind happy's each is unknown.
    begin = 'unknown ' * 10 + 'happy ' * 50 + 'unknown ' * 40
    run = replay(f'{begin}{f"{shown} " * 50}{"unknown " * 50}', labels=COARSE)
    names = ('happy', 'angry', 'neutral', 'scared')
    fine = [segment(50 * i, 50 * i + 50, name) for i, name in enumerate(names)]
    coarse = [replace(one, label=HAPPY_UNKNOWN_SAD(one.label)) for one in fine]
    for truth in (fine, coarse):
        found = counted(run, truth)
        assert [delay_s for _, delay_s in found.segments.delays_s] == [1.0, 1.0]
        assert figures(found)['onset_to_stable_s'].value == 1.0


@pytest.mark.parametrize(
    'truth',
    [
        [segment(0, 100, 'happy', 'abc')],
        [segment(0, 50, 'happy', 'abc'), segment(50, 100, 'happy', 'abc')],
        [segment(0, 50, 'happy', 'abc'), segment(0, 100, 'happy')],
        [segment(0, 50, 'happy', 'abc'), segment(50, 100, 'happy')],
        [segment(0, 50, 'happy'), segment(50, 100, 'happy', 'abc')],
        [segment(0, 100, 'happy'), segment(40, 60, 'happy', 'abc')],
    ],
)
def test_nothing_begins_where_a_label_of_another_kind_says_the_same(truth):
    found = counted(replay('neutral ' * 10 + 'happy ' * 90), truth)
    assert [delay_s for _, delay_s in found.segments.delays_s] == [1.0]


@pytest.mark.parametrize('unseen, onsets', [(2, [1.0]), (20, [1.0, 0.0])])
def test_a_face_that_was_unseen_for_long_begins_anew_under_another_label(unseen, onsets):
    truth = [segment(0, 70, 'happy', 'abc'), segment(60 + unseen, 100, 'happy')]
    shown = 'neutral ' * 10 + 'happy ' * 50 + '- ' * unseen + 'happy ' * (40 - unseen)
    found = counted(replay(shown), truth)
    assert [delay_s for _, delay_s in found.segments.delays_s] == onsets


def test_a_label_of_any_face_that_gives_way_to_faces_own_was_not_unseen():
    vocabulary = common_vocabulary(LABELS, {'happy', 'sad'})
    own = segment(0, 4, 'happy', 'abc')
    for truth, unseen in (([segment(0, 4, 'sad'), own], 0), ([segment(4, 8, 'sad'), own], 1)):
        judged = judge(replay('happy happy happy happy - - - -'), truth, vocabulary)
        problems = problems_of_truth(judged, vocabulary)
        assert ['1 of 2 labels (0.4 s) hold while no face' in one for one in problems] == (
            [True] * unseen
        )


def test_of_photographs_each_is_drawn_for_what_needs_no_labels_too():
    photographs = replay('happy ' * 50 + '- ' * 50, settings={'stills': 1.0})
    found = counted(photographs, [])
    assert len(found.time.units) == 100
    assert found.units_drawn('picture') == 'pictures'
    film = counted(replay('happy ' * 50 + '- ' * 50), [])
    assert len(film.time.units) == 2
    assert film.units_drawn('segment') == 'segments or stretches of five seconds'


@pytest.mark.parametrize(
    'stills, ends', [((0, 0), (0, 1)), ((1, 1), (0.43, 0.57)), ((1, 0), (0.5, 0.5))]
)
def test_agreement_draws_stretches_or_photographs_or_else_recordings(stills, ends):
    ways = [{'stills': 1.0} if one else {} for one in stills]
    shown = ('happy ' * 50 + 'sad ' * 50, 'happy ' * 100)
    first, second = (replay(each, settings=settings) for each, settings in zip(shown, ways))
    found = agreement([(first, second)] * 2, {}, {})
    assert found.value == 0.5
    # Of 4 stretches, 200 photographs (a binomial distribution) and 2 recordings, half.
    assert (found.low, found.high) == pytest.approx(ends, abs=0.01)


@pytest.mark.parametrize('adding', [np.arange(30) % 7 == 0, np.arange(30) >= 0])
def test_sums_of_what_is_drawn_leave_out_only_what_adds_nothing(adding):
    tally, sums = np.outer(adding, [0.5, 0.25]), []
    bootstrap_sums(lambda drawn: sums.append(drawn) or drawn[:, 0], [tally])
    often = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), size=RESAMPLES)
    np.testing.assert_allclose(sums[1], often @ tally)


def test_how_far_apart_images_may_be_is_found_once_a_recording(monkeypatch):
    found = []

    def counting(stamps_ns):
        found.append(longest_gap_s(stamps_ns))
        return found[-1]

    # Wherever the evaluation knows it by its name.
    for name, module in list(sys.modules.items()):
        if name.startswith('emotion_estimator.evaluation') and hasattr(module, 'longest_gap_s'):
            monkeypatch.setattr(module, 'longest_gap_s', counting)
    shown = [f'{"- " * 10 * i}{"happy " * 5}{"sad " * 5}' for i in range(20)]
    run = replay(*shown, faces=[f'face{i}' for i in range(20)])
    summary = summarise([run], {run.recording: [segment(0, 200, 'happy')]})
    (one,) = summary.recordings
    tracks = [face_track(one, face) for face in one.faces]
    assert [track.longest_gap_s for track in tracks] == [0.5] * 20
    assert [face.figures['switches_per_s'].value for face in one.faces] == (
        pytest.approx([1 / 0.9] * 20)
    )
    assert found == [0.5]
