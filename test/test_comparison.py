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

"""Two runs are held against each other unit by unit, and read back from their folders."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_replays import START_NS, STEP_NS, replay

from emotion_estimator.evaluation.finished_run import RunError, read_run
from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.metrics.intervals import Interval
from emotion_estimator.evaluation.replay_command import main
from emotion_estimator.evaluation.replay_files import write_replay
from emotion_estimator.evaluation.report import write_comparison, write_report
from emotion_estimator.evaluation.report.comparison_page import sentences, verdict
from emotion_estimator.evaluation.scoring.comparison import compare
from emotion_estimator.evaluation.scoring.measures import MEASURES

TRUTH = {
    'walk': [
        Segment(START_NS + 20 * i * STEP_NS, START_NS + 20 * (i + 1) * STEP_NS, '', label)
        for i, label in enumerate(('happy', 'sad') * 3)
    ]
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
    assert sentences(found)[0] == (
        'B (half 1.0.0) is right in 75 % of the labelled frames, A (made 1.0.0) in 100 %: '
        'more than chance (95 % interval -42 to -8 points).'
    )


def test_a_run_against_itself_differs_by_nothing():
    found = compare([RIGHT], [RIGHT], TRUTH)
    assert {one.value for one in found.differences.values()} == {0}
    assert found.agreement == Interval(1, 1, 1)


def test_verdicts():
    by_name = {measure.name: measure for measure in MEASURES}
    more, less, none = Interval(1, 0.5, 2), Interval(-1, -2, -0.5), Interval(0.1, -1, 1)
    assert verdict(by_name['accuracy'], more) == 'B better'
    assert verdict(by_name['cross_entropy'], more) == 'A better'
    assert verdict(by_name['cross_entropy'], less) == 'B better'
    assert verdict(by_name['face_share'], less) == 'A more'
    assert verdict(by_name['accuracy'], none) == 'no clear difference'
    assert verdict(by_name['accuracy'], Interval(1, float('nan'), float('nan'))) == '\u2013'


def test_recordings_of_one_run_alone_are_left_out_and_told():
    found = compare([RIGHT, replace(RIGHT, recording='sit')], [HALF], TRUTH)
    assert [one.replay.recording for one in found.first.recordings] == ['walk']
    assert found.problems == ('sit: only one of the runs has it; it is left out.',)
    with pytest.raises(ValueError, match='no recording in common: walk against none'):
        compare([RIGHT], [], TRUTH)


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
    pages = [write_comparison(tmp_path / name, [RIGHT], [HALF], TRUTH) for name in 'ab']
    first, second = ((page.parent / 'comparison.json').read_bytes() for page in pages)
    assert first == second
    found = json.loads(first)
    assert found['differences']['accuracy']['value'] == -0.25
    assert found['second']['model'] == 'half 1.0.0'
    assert found['agreement']['value'] == 0.75


def test_a_finished_run_is_read_back_without_replays_of_other_settings(tmp_path):
    folder = keep(tmp_path, [RIGHT], TRUTH)
    write_replay(folder / 'kept' / 'walk-zzz.json', HALF)
    found = read_run(folder)
    assert found.replays == (RIGHT,)
    assert {name: list(one) for name, one in found.truth.items()} == TRUTH


def test_the_command_prints_the_page(tmp_path, capsys):
    one, other = keep(tmp_path / 'a', [RIGHT], TRUTH), keep(tmp_path / 'b', [HALF], {})
    assert main(['--compare', str(one), str(other), '-o', str(tmp_path / 'c')]) == 0
    assert capsys.readouterr().out.strip().endswith('c/comparison.html')
    found = json.loads((tmp_path / 'c' / 'comparison.json').read_text())
    assert found['differences']['accuracy']['value'] == -0.25


def test_recordings_and_two_runs_are_not_given_together(capsys):
    for arguments in ([], ['walk', '--compare', 'a', 'b']):
        with pytest.raises(SystemExit):
            main(arguments)
        assert 'give recordings, or two folders after --compare' in capsys.readouterr().err


def test_a_folder_without_a_run_is_told(tmp_path, capsys):
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
