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


"""Two runs held against each other unit by unit, and read back from their folders."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from helpers.bags import replay, segment

from emotion_estimator.evaluation.cli import main
from emotion_estimator.evaluation.report.text import comparison_sentences
from emotion_estimator.evaluation.report.write import write_comparison, write_report
from emotion_estimator.evaluation.runs import RunError, compare, read_run
from emotion_estimator.evaluation.segment_statistics import Interval
from emotion_estimator.replay.predictions import write_replay

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


def test_what_one_run_alone_saw_is_in_no_difference_and_that_is_said():
    # Sad was all wrong; this run saw nobody then.
    less = replay('happy ' * 20 + '- ' * 100, model='less 1.0.0')
    half = replay('happy ' * 120)
    found = compare([half], [less], TRUTH)
    assert [one.figures['accuracy'].value for one in (found.first, found.second)] == [0.5, 1]
    assert found.differences['accuracy'].value == 0
    said = (
        'Labelled segments in which one run alone saw a face: 5; the differences leave them out.'
    )
    assert said in found.problems
    assert not [one for one in compare([half], [half], TRUTH).problems if 'alone' in one]


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
