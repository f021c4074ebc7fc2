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

"""Figures of made-up replays are what is counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from helpers.bags import LABELS, REPLAY_RATE_HZ, answer, replay, segment
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.alignment import (
    common_vocabulary,
    judge,
    problems_of_truth,
    unusable_labels,
)
from emotion_estimator.evaluation.comparison import compare, matched
from emotion_estimator.evaluation.labels import (
    EXPRESSIONS,
    HAPPY_UNKNOWN_SAD,
    LabelError,
    known_name,
)
from emotion_estimator.evaluation.measures import count, differences, figures, in_common, unpaired


def counted(*runs, truth=()):
    names = {one.label for one in truth}
    vocabulary = common_vocabulary(LABELS, names)
    return count([judge(run, truth, vocabulary) for run in runs])


def values(*runs, truth=()):
    return {name: one.value for name, one in figures(counted(*runs, truth=truth)).items()}


def test_without_labels_only_what_needs_none_is_reported():
    found = values(replay('- - happy happy unknown sad - - - -'))
    assert found == pytest.approx(
        {
            'face_share': 0.4,
            'answer_share': 0.3,
            'answer_share_of_face_time': 0.75,
            'switches_per_s': 2 / 0.3,
        }
    )


@pytest.mark.parametrize('apart_s', [0.1, 100.0, 9000.0])
def test_each_photograph_counts_alike_whenever_it_was_taken(apart_s):
    run = replay('happy happy unknown - -')
    first, second, *_ = run.stamps_ns
    moved = [second + round(apart_s * i * 1e9) for i in (1, 3, 4)]
    stamps_ns = (first, second, *moved)
    moves = dict(zip(run.stamps_ns, stamps_ns))
    answers = tuple(replace(one, stamp_ns=moves[one.stamp_ns]) for one in run.predictions)
    run = replace(run, predictions=answers, stamps_ns=stamps_ns, settings={'stills': 1.0})
    found = figures(counted(run))
    shares = [found[name] for name in ('face_share', 'answer_share', 'answer_share_of_face_time')]
    assert [one.value for one in shares] == pytest.approx([3 / 5, 2 / 5, 2 / 3])
    assert [(one.low, one.high) for one in shares] == [(0.2, 1), (0, 0.8), (0, 1)]  # binomial
    other = replay('happy - ', name='other', settings={'stills': 1.0})
    assert values(run, other)['face_share'] == pytest.approx(4 / 7)
    assert values(replay(settings={'stills': 1.0})) == {}


def test_a_perfect_answer():
    run = replay('happy ' * 20 + 'sad ' * 20)
    found = values(run, truth=[segment(0, 20, 'happy'), segment(20, 40, 'sad')])
    assert found['accuracy'] == found['macro_f1'] == found['segment_accuracy'] == 1
    assert found['onset_to_stable_s'] == found['false_switches_per_s'] == 0
    assert found['cross_entropy'] == pytest.approx(-math.log(0.8))
    assert found['calibration_error'] == pytest.approx(0.2)


def test_a_late_answer_that_flickers():
    shown = 'happy ' * 15 + 'unknown happy happy happy happy ' + 'happy ' * 5 + 'sad ' * 15
    run = replay(shown)
    found = values(run, truth=[segment(0, 20, 'happy'), segment(20, 40, 'sad')])
    assert found['accuracy'] == pytest.approx(34 / 40)
    assert found['accuracy_of_answers'] == pytest.approx(34 / 39)
    assert found['segment_accuracy'] == 1
    # 1.6 s after the first start, 0.5 s after the second: the lower of two is the median.
    assert found['onset_to_stable_s'] == pytest.approx(0.5)
    assert found['settled_share'] == 1
    # To unknown and back, in the last second of two seconds that are ten frames long each.
    assert found['false_switches_per_s'] == pytest.approx(2 / 1.8)


def test_a_face_that_comes_while_a_label_holds_begins_as_it_is_seen():
    found = values(replay('- ' * 30 + 'sad sad happy happy'), truth=[segment(0, 34, 'happy')])
    assert found['onset_to_stable_s'] == pytest.approx(0.2)


def test_a_segment_that_ends_wrong_has_not_settled():
    found = values(replay('happy happy sad'), truth=[segment(0, 3, 'happy')])
    assert found['settled_share'] == 0
    assert math.isnan(found['onset_to_stable_s'])
    assert found['segment_accuracy'] == 1


@pytest.mark.parametrize('label', LABELS)
@pytest.mark.parametrize('other', [*LABELS, 'unknown'])
def test_what_is_shown_as_long_as_another_answer_is_not_shown_most_of_the_time(label, other):
    found = values(replay(f'{label} {other}'), truth=[segment(0, 2, label)])
    assert found['segment_accuracy'] == (label == other)


def test_a_label_of_the_very_face_counts_before_one_of_any_face():
    run = replay('happy ' * 10, 'sad ' * 10)
    truth = [segment(0, 10, 'happy'), segment(0, 5, 'sad', 'def')]
    assert values(run, truth=truth)['accuracy'] == pytest.approx(15 / 20)
    # Behind it the one of any face begins anew: the answer follows by 0.2 s, as at its start.
    truth = [segment(0, 60, 'happy'), segment(20, 40, 'sad', 'abc')]
    found = values(replay('sad sad' + ' happy' * 18 + ' sad' * 22 + ' happy' * 18), truth=truth)
    assert (found['onset_to_stable_s'], found['false_switches_per_s']) == (pytest.approx(0.2), 0)
    # So it does where the own label comes first, as though each were the face's own.
    own = [segment(0, 20, 'sad', 'abc'), segment(20, 60, 'happy', 'abc')]
    for truth in ([own[0], segment(0, 60, 'happy')], own):
        found = values(replay('sad ' * 22 + 'happy ' * 38), truth=truth)
        assert (found['settled_share'], found['false_switches_per_s']) == (1, 0)


def test_figures_of_one_face():
    vocabulary = common_vocabulary(LABELS, {'happy'})
    whole = judge(replay('happy ' * 10, '- - - - - sad sad sad sad sad'), [], vocabulary)
    found = figures(count([whole.only(1)]))
    assert found['face_share'].value == pytest.approx(0.5)
    assert found['switches_per_s'].value == 0


def test_unknown_is_right_where_it_is_the_label():
    labels = ('happy', 'unknown', 'sad')
    run = replace(replay('happy unknown sad unknown'), labels=labels)
    vocabulary = common_vocabulary(labels, {'angry'})
    judged = judge(run, [segment(0, 4, 'angry')], vocabulary)
    found = figures(count([judged]))
    assert found['accuracy'].value == 0.5
    assert found['answer_share'].value == 0.5
    # Of the two that were named, happy and sad, none is right.
    assert found['accuracy_of_answers'].value == 0


def test_an_expression_that_a_label_map_calls_unknown_is_named_all_the_same():
    run = replay('neutral neutral happy unknown')
    vocabulary = common_vocabulary(LABELS, {'neutral'}, HAPPY_UNKNOWN_SAD.name)
    found = figures(count([judge(run, [segment(0, 4, 'neutral')], vocabulary)]))
    assert found['accuracy'].value == pytest.approx(3 / 4)
    assert found['accuracy_of_answers'].value == pytest.approx(2 / 3)


def test_an_empty_recording_and_one_without_faces():
    none = {'face_share': 0, 'answer_share': 0}
    none |= dict.fromkeys(('answer_share_of_face_time', 'switches_per_s'), math.nan)
    assert values(replay('- - - -')) == pytest.approx(none, nan_ok=True)
    assert values(replay()) == {}


@pytest.mark.parametrize('stills, frames', [(False, 10), (True, 1)])
def test_intervals_draw_segments_or_photographs_and_hold_the_value(stills, frames):
    run = replay(('happy ' * frames + 'sad ' * frames) * 3)
    truth = [segment(10 * i, 10 * i + 10, 'happy') for i in range(6)]
    if stills:
        run = replace(run, settings={'stills': 1.0})
    found = figures(counted(run, truth=truth))
    assert math.isnan(found['onset_to_stable_s'].value) == stills
    found = found['accuracy']
    assert found.value == 0.5
    # Six segments of which three are right: 1/6 to 5/6 but for draws rarer than 2.5 %.
    assert found.low == pytest.approx(1 / 6)
    assert found.high == pytest.approx(5 / 6)


def test_from_eight_recordings_on_they_are_drawn():
    runs = [replay('happy ' * 10 if i % 2 else '- ' * 10, name=f'bag{i}') for i in range(8)]
    found = figures(counted(*runs))['face_share']
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((1 / 8, 7 / 8), abs=0.01)


def test_few_labelled_recordings_among_many_are_drawn_by_segment():
    truth = [segment(10 * i, 10 * i + 10, 'happy') for i in range(12)]
    runs = [replay(('happy ' * 10 + 'sad ' * 10) * 6, name=f'bag{i}') for i in range(8)]
    vocabulary = common_vocabulary(LABELS, {'happy'})
    judged = [judge(run, truth if i < 2 else [], vocabulary) for i, run in enumerate(runs)]
    mixed, two = count(judged), count(judged[:2])
    assert figures(mixed)['accuracy'] == figures(two)['accuracy']
    assert figures(mixed)['accuracy'].low < 0.4
    assert mixed.units_drawn('segment') == 'segments or recordings'
    assert two.units_drawn('segment') == 'segments or stretches of five seconds'
    labelled = count([judge(run, truth, vocabulary) for run in runs])
    assert labelled.units_drawn('segment') == 'recordings'
    found = differences(mixed, mixed)
    assert (found['accuracy'].value, found['accuracy'].low, found['accuracy'].high) == (0, 0, 0)


def test_a_part_of_a_recording_is_held_against_the_same_part_of_the_whole():
    # Both answer alike; the whole is wrong where the part has no images.
    whole = replay('sad ' * 20 + 'happy ' * 10)
    settings = {**whole.settings, 'from_s': 1.0}
    part = replace(
        whole,
        settings=settings,
        stamps_ns=whole.stamps_ns[10:],
        predictions=whole.predictions[10:],
    )
    truth = {'walk': [segment(0, 5, 'happy'), segment(5, 30, 'happy')]}
    found = compare([whole], [part], truth)
    assert {one.value for one in found.differences.values()} == {0}
    assert [one['accuracy'].value for one in found.figures] == [0.5, 0.5]
    assert found.problems == ()


def test_a_label_begins_where_the_time_begins_that_both_looked_at():
    whole = replay('happy ' * 40)
    part = replace(
        whole,
        settings={**whole.settings, 'from_s': 1.0},
        stamps_ns=whole.stamps_ns[10:],
        predictions=replay('sad ' * 13 + 'happy ' * 27).predictions[10:],
    )
    truth = {'walk': [segment(0, 40, 'happy')]}
    found, turned = compare([whole], [part], truth), compare([part], [whole], truth)
    # Within its first second a label's answers may still change.
    for comparison in (found, turned):
        assert [one['false_switches_per_s'].value for one in comparison.figures] == [0, 0]
    assert {name: -one.value for name, one in found.differences.items()} == {
        name: one.value for name, one in turned.differences.items()
    }


def test_photographs_and_a_film_of_them_are_compared_by_recording():
    def run(shown, **settings):
        recordings = [replay(shown, name=name, settings=settings) for name in ('one', 'two')]
        return counted(*recordings, truth=[segment(0, 4, 'happy')])

    photographs = run('happy sad sad happy', stills=1.0)
    film = run('happy happy happy sad')
    found = differences(*in_common(photographs, film))
    accuracy = found['accuracy']
    assert (accuracy.value, accuracy.low, accuracy.high) == (0.25, 0.25, 0.25)
    assert found['cross_entropy'].value == pytest.approx(
        figures(film)['cross_entropy'].value - figures(photographs)['cross_entropy'].value
    )
    assert unpaired(photographs, film, 'picture') == []
    common, _ = in_common(photographs, film)
    assert (common.units_drawn('picture'), len(common.time.units)) == ('recordings', 2)
    unseen = run('- - - -')
    assert 'accuracy' not in differences(*in_common(photographs, unseen))
    assert unpaired(photographs, unseen, 'picture') == [
        'Labelled recordings in which one run alone saw a face: 2; the differences leave them out.'
    ]


@pytest.mark.parametrize('step_s', [0.1, 0.5, 1.0, 2.0])
def test_a_slow_camera_s_time_and_switches_count_as_any_other_s(step_s):
    slow = replay('happy happy happy happy sad sad sad sad ' * 5)
    start_ns = slow.stamps_ns[0]

    def later(stamp_ns):
        return start_ns + round((stamp_ns - start_ns) * 10 * step_s)

    slow = replace(
        slow,
        stamps_ns=tuple(map(later, slow.stamps_ns)),
        predictions=tuple(replace(one, stamp_ns=later(one.stamp_ns)) for one in slow.predictions),
    )
    found = counted(slow)
    assert found.time.sums['image_s'].sum() == pytest.approx(40 * step_s)
    assert figures(found)['switches_per_s'].value == pytest.approx(9 / (39 * step_s))


def test_what_is_one_class_where_it_is_judged_is_no_switch():
    truth = [segment(0, 40, 'neutral')]
    run = replay('angry neutral ' * 20, labels=('angry', 'neutral', 'happy'))
    vocabulary = common_vocabulary(run.labels, {'neutral'}, HAPPY_UNKNOWN_SAD.name)
    found = figures(count([judge(run, truth, vocabulary)]))
    assert found['accuracy'].value == 1
    assert found['switches_per_s'].value == found['false_switches_per_s'].value == 0


def test_a_run_differs_from_itself_by_nothing():
    shown = ('happy ' * 20 + 'sad unknown ' * 10) * 3
    truth = [segment(20 * i, 20 * i + 20, 'happy') for i in range(6)]
    one = counted(replay(shown), truth=truth)
    for name, found in differences(one, one).items():
        assert (found.value, found.low, found.high) == (0, 0, 0), name


def test_a_run_that_is_always_right_is_better_in_each_draw():
    truth = [segment(20 * i, 20 * i + 20, 'happy') for i in range(6)]
    wrong = counted(replay(('happy ' * 10 + 'sad ' * 5 + 'happy ' * 5) * 6), truth=truth)
    right = counted(replay('happy ' * 120), truth=truth)
    found = differences(wrong, right)
    assert found['accuracy'].value == pytest.approx(0.25)
    assert found['accuracy'].low == pytest.approx(0.25)
    # In the second second of each label: to sad falls on its first frame, so one back counts.
    assert found['false_switches_per_s'].value == pytest.approx(-1 / 0.9)
    assert found['switches_per_s'].value == pytest.approx(-12 / 11.9)


def test_labels_that_judge_nothing_are_reported():
    truth = [segment(0, 2, 'angry'), segment(2, 4, 'happy', 'xyz'), segment(4, 9, 'happy')]
    truth.append(segment(9, 10, 'unknown'))
    vocabulary = common_vocabulary(LABELS, {'angry', 'happy', 'unknown'})
    judged = judge(replay('happy happy happy happy - - - - - -'), truth, vocabulary)
    reported = problems_of_truth(judged, vocabulary)
    assert reported[0].startswith(
        'walk: labels angry are not judged: the model knows happy, sad, neutral. Take a --model'
    )
    assert 'no face with the id xyz was seen, which labels name; seen were abc' in reported[1]
    assert reported[2] == 'walk: 1 labels say unknown; they are not judged.'
    assert '2 of 4 labels (0.7 s) hold while no face' in reported[3]
    assert unusable_labels(judged, vocabulary) == reported[:2]


def test_faces_are_paired_by_id_then_by_box():
    near, far = (0.21, 0.1, 0.6, 0.7), (0.7, 0.1, 0.9, 0.7)
    first = replace(replay(), predictions=(answer(0, 'happy', 'a'), answer(0, 'sad', 'b')))
    theirs = ('sad', 'b', far), ('happy', 'x', near), ('happy', 'y', far)
    answers = (replace(answer(0, label, face), box=box) for label, face, box in theirs)
    second = replace(replay(), predictions=tuple(answers))
    pairs = [(one.face_id, other.face_id) for one, other in matched(first, second)]
    assert pairs == [('b', 'b'), ('a', 'x')]


FRAMES = st.lists(st.sampled_from([*LABELS, 'unknown', '-']), min_size=1, max_size=40)


@given(FRAMES, FRAMES, st.lists(st.integers(0, 40), min_size=2, max_size=2, unique=True))
def test_figures_stay_in_their_ranges_and_do_not_depend_on_order_or_names(one, two, ends):
    start, end = sorted(ends)
    truth = [segment(start, end, 'happy')]
    runs = [replay(' '.join(one), name='a'), replay(' '.join(two), name='b')]
    found = values(*runs, truth=truth)
    for name, value in found.items():
        if not math.isnan(value):
            assert 0 <= value <= (1 if 'share' in name or 'accuracy' in name else math.inf)
            assert 'switches' not in name or value <= REPLAY_RATE_HZ + 1e-6
    assert values(*reversed(runs), truth=truth) == pytest.approx(found, nan_ok=True)
    renamed = [
        replay(' '.join(shown), faces=['zzz'], name=n) for shown, n in ((one, 'a'), (two, 'b'))
    ]
    assert values(*renamed, truth=truth) == pytest.approx(found, nan_ok=True)


# In which classes is judged.


def test_names_of_other_data_sets_and_of_the_models_own_classes():
    meant = {' Fear ': 'scared', 'SURPRISE': 'surprised', 'joy': 'happy', 'none': 'unknown'}
    meant |= {'positive': 'positive', 'bored': None}
    assert {name: known_name(name) for name in meant} == meant
    assert known_name('Bored', ('Bored',)) == 'Bored'


def test_seven_classes_are_judged_in_three_where_the_labels_are_three():
    found = common_vocabulary(EXPRESSIONS, {'happy', 'unknown'})
    assert found.names == ('happy', 'unknown', 'sad')
    assert found.of_model['angry'] == 'unknown'
    assert common_vocabulary(EXPRESSIONS, {'happy', 'sad'}).names == EXPRESSIONS
    found = common_vocabulary(EXPRESSIONS, {'negative'})
    assert found.names == ('positive', 'negative')
    assert found.of_model['neutral'] == 'positive'


def test_labels_of_seven_classes_are_mapped_for_a_model_of_three():
    found = common_vocabulary(HAPPY_UNKNOWN_SAD.names, {'angry', 'happy'})
    assert found.of_truth == {'angry': 'unknown', 'happy': 'happy'}


def test_unknown_beside_the_seven_is_not_judged():
    found = common_vocabulary(EXPRESSIONS, {'unknown', 'angry'})
    assert found.names == EXPRESSIONS
    assert found.of_truth == {'angry': 'angry'}


def test_a_wanted_map_must_exist_and_fit():
    found = common_vocabulary(EXPRESSIONS, {'angry'}, 'happy_unknown_sad')
    assert found.of_truth == {'angry': 'unknown'}
    with pytest.raises(LabelError, match="no label map 'x'"):
        common_vocabulary(EXPRESSIONS, set(), 'x')
    with pytest.raises(LabelError, match='no place for all'):
        common_vocabulary(('bored',), set(), 'positive_negative')
