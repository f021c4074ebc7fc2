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

import json
import math
import sys
from dataclasses import replace

import pytest
from helpers.bags import LABELS, REPLAY_RATE_HZ, answer, replay, segment
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.alignment import (
    common_vocabulary,
    judge,
    matched,
    problems_of_truth,
    unusable_labels,
)
from emotion_estimator.evaluation.cli import main
from emotion_estimator.evaluation.labels import (
    EXPRESSIONS,
    HAPPY_UNKNOWN_SAD,
    LabelError,
    known_name,
)
from emotion_estimator.evaluation.measures import count, differences, figures
from emotion_estimator.evaluation.report.text import comparison_sentences
from emotion_estimator.evaluation.report.write import write_comparison, write_report
from emotion_estimator.evaluation.runs import RunError, compare, read_run
from emotion_estimator.evaluation.segment_statistics import Interval
from emotion_estimator.replay.predictions import write_replay


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


def test_a_segment_that_ends_wrong_has_not_settled():
    found = values(replay('happy happy sad'), truth=[segment(0, 3, 'happy')])
    assert found['settled_share'] == 0
    assert math.isnan(found['onset_to_stable_s'])
    assert found['segment_accuracy'] == 1


def test_a_label_of_the_very_face_counts_before_one_of_any_face():
    run = replay('happy ' * 10, 'sad ' * 10)
    truth = [segment(0, 10, 'happy'), segment(0, 5, 'sad', 'def')]
    assert values(run, truth=truth)['accuracy'] == pytest.approx(15 / 20)
    # Behind it the one of any face begins anew: the answer follows by 0.2 s, as at its start.
    truth = [segment(0, 60, 'happy'), segment(20, 40, 'sad', 'abc')]
    found = values(replay('sad sad' + ' happy' * 18 + ' sad' * 22 + ' happy' * 18), truth=truth)
    assert (found['onset_to_stable_s'], found['false_switches_per_s']) == (pytest.approx(0.2), 0)


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
    assert figures(count([judged]))['accuracy'].value == 0.5
    assert figures(count([judged]))['answer_share'].value == 0.5


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


# Two runs are held against each other unit by unit, and read back from their folders.


TRUTH = {
    'walk': [segment(20 * i, 20 * i + 20, label) for i, label in enumerate(('happy', 'sad') * 3)]
}
RIGHT = replay(('happy ' * 20 + 'sad ' * 20) * 3)
HALF = replay(('happy ' * 20 + 'sad ' * 10 + 'neutral ' * 10) * 3, model='half 1.0.0')


def keep(folder, runs, truth):
    for index, run in enumerate(runs):
        write_replay(folder / 'kept' / f'{run.recording}-{index}.json', run)
    return write_report(folder, runs, truth).parent


def test_differences_are_second_less_first():
    found = compare([RIGHT], [HALF], TRUTH)
    assert found.differences['accuracy'].value == pytest.approx(-0.25)
    assert found.differences['accuracy'].high < 0
    assert found.agreement.value == pytest.approx(0.75)
    assert comparison_sentences(found)[0] == (
        'B (half 1.0.0) is right in 75 % of the labelled frames, A (made 1.0.0) in 100 %: '
        'more than chance (95 % interval -42 to -8 points).'
    )


def test_a_run_against_itself_differs_by_nothing():
    found = compare([RIGHT], [RIGHT], TRUTH)
    assert {one.value for one in found.differences.values()} == {0}
    assert found.agreement == Interval(1, 1, 1)


def test_recordings_of_one_run_alone_are_left_out_and_reported(tmp_path, capsys):
    found = compare([RIGHT, replace(RIGHT, recording='sit')], [HALF], TRUTH)
    assert [one.replay.recording for one in found.first.recordings] == ['walk']
    assert found.problems == ('sit: only one of the runs has it; it is left out.',)
    with pytest.raises(ValueError, match='no recording in common: walk against none'):
        compare([RIGHT], [], TRUTH)
    more = keep(tmp_path / 'a', [RIGHT, replace(RIGHT, recording='sit')], TRUTH)
    less = keep(tmp_path / 'b', [HALF], TRUTH)
    assert main(['--compare', str(more), str(less), '-o', str(tmp_path / 'c')]) == 1
    assert 'sit: only one of the runs has it' in capsys.readouterr().err


PART = {'from_s': 1.0, **HALF.settings}


@pytest.mark.parametrize(
    'changes, alike',
    [
        ({'stamps_ns': RIGHT.stamps_ns[:16]}, False),
        ({'stamps_ns': RIGHT.stamps_ns[10:], 'settings': PART}, True),
        ({'stamps_ns': tuple(one + 1 for one in RIGHT.stamps_ns), 'settings': PART}, False),
        ({'first_ns': RIGHT.stamps_ns[0] - 1}, False),
    ],
)
def test_recordings_of_one_name_whose_images_differ_are_left_out(changes, alike):
    sit = replace(RIGHT, recording='sit', first_ns=RIGHT.stamps_ns[0])
    found = compare([RIGHT, sit], [HALF, replace(sit, model=HALF.model, **changes)], TRUTH)
    assert [one.replay.recording for one in found.first.recordings] == ['walk', 'sit'][: 1 + alike]
    said = 'sit: the runs did not look at the same images (120 and'
    assert [one.startswith(said) for one in found.left_out] == [True] * (not alike)


def test_models_of_other_classes_are_judged_in_what_they_share():
    three = replay(('happy ' * 20 + 'unknown ' * 20) * 3, model='three 1.0.0')
    three = replace(three, labels=('happy', 'unknown', 'sad'))
    found = compare([RIGHT], [three], TRUTH)
    assert found.first.vocabulary.names == ('happy', 'unknown', 'sad')
    assert found.differences['accuracy'].value == pytest.approx(-0.5)
    assert found.agreement.value == pytest.approx(0.5)
    with pytest.raises(ValueError, match='no classes in common'):
        compare([RIGHT], [replace(three, labels=('bored', 'unknown', 'x'))], TRUTH)


def test_comparison_json_is_the_same_again(tmp_path):
    written = [write_comparison(tmp_path / name, [RIGHT], [HALF], TRUTH) for name in 'ab']
    first, second = ((one.page.parent / 'comparison.json').read_bytes() for one in written)
    assert first == second
    found = json.loads(first)
    assert found['differences']['accuracy']['value'] == -0.25
    assert found['second']['model'] == 'half 1.0.0'
    assert found['agreement']['value'] == 0.75


def test_a_finished_run_is_read_back_without_replays_of_others(tmp_path):
    folder = keep(tmp_path, [RIGHT], TRUTH)
    for name, other in (('y', replay('sad ' * 9)), ('z', HALF)):
        write_replay(folder / 'kept' / f'walk-{name}.json', other)
    found = read_run(folder)
    assert found.replays == (RIGHT,)
    assert {name: list(one) for name, one in found.truth.items()} == TRUTH


def test_the_command_prints_the_page(tmp_path, capsys):
    one, other = keep(tmp_path / 'a', [RIGHT], TRUTH), keep(tmp_path / 'b', [HALF], {})
    assert main(['--compare', str(one), str(other), '-o', str(tmp_path / 'c')]) == 0
    assert capsys.readouterr().out.strip().endswith('c/comparison.html')
    found = json.loads((tmp_path / 'c' / 'comparison.json').read_text())
    assert found['differences']['accuracy']['value'] == -0.25


def test_the_command_says_which_library_a_page_lacks(tmp_path, capsys, monkeypatch):
    folder = keep(tmp_path / 'a', [RIGHT], TRUTH)
    monkeypatch.delitem(sys.modules, 'emotion_estimator.evaluation.report.pages')
    monkeypatch.setitem(sys.modules, 'plotly', None)
    assert main(['--compare', str(folder), str(folder), '-o', str(tmp_path / 'c')]) == 1
    assert 'which is not installed: pip install' in ' '.join(capsys.readouterr().err.split())
    assert (tmp_path / 'c' / 'comparison.json').is_file()


def test_recordings_and_two_runs_are_not_given_together(capsys):
    wrong = {'': 'give recordings, or two', 'walk --compare a b': 'give recordings, or two'}
    wrong |= {f'--compare a b {one}=3': f'{one} does nothing' for one in ('--labels', '--from')}
    for arguments, said in wrong.items():
        with pytest.raises(SystemExit):
            main(arguments.split())
        assert said in ' '.join(capsys.readouterr().err.split())


def test_a_folder_without_a_run_is_reported(tmp_path, capsys):
    assert main(['--compare', str(tmp_path), str(tmp_path)]) == 2
    assert 'holds no finished run' in ' '.join(capsys.readouterr().err.split())
    folder = keep(tmp_path / 'a', [RIGHT], TRUTH)
    (folder / 'kept' / 'walk-0.json').write_text('{')
    with pytest.raises(RunError, match=r'walk-0\.json'):
        read_run(folder)
    (folder / 'kept' / 'walk-0.json').unlink()
    with pytest.raises(RunError, match='keeps no replay'):
        read_run(folder)
    (folder / 'metrics.json').write_text('{"schema": 99}')
    with pytest.raises(RunError, match='schema 99'):
        read_run(folder)
    (folder / 'metrics.json').write_text('[]')
    with pytest.raises(RunError, match='holds no finished run'):
        read_run(folder)


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
