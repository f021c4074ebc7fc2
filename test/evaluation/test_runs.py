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

"""A run's report, and two runs held against each other unit by unit."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.bags import LABELS, START_NS, answer, replay, segment

from emotion_estimator.evaluation.cli import main
from emotion_estimator.evaluation.comparison import compare
from emotion_estimator.evaluation.label_files import LabelSource, check_labels
from emotion_estimator.evaluation.labels import LabelError
from emotion_estimator.evaluation.measures import MEASURES
from emotion_estimator.evaluation.report.pages import report_page
from emotion_estimator.evaluation.report.text import (
    comparison_sentences,
    duration,
    quantity,
    sentences,
    verdict,
)
from emotion_estimator.evaluation.report.write import (
    MissingLibraryError,
    write_comparison,
    write_labelled_report,
    write_report,
)
from emotion_estimator.evaluation.runs import RunError, labels_of, read_run, summarise
from emotion_estimator.evaluation.segment_statistics import Interval
from emotion_estimator.replay.predictions import write_replay

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
    write_report(tmp_path, [replace(WALK, again=2)], TRUTH)
    found = json.loads((tmp_path / 'metrics.json').read_text())
    assert [found[k] for k in ('schema', 'model', 'classes')] == [1, 'made 1.0.0', [*LABELS]]
    assert found['figures']['accuracy']['value'] == 0.75
    assert found['confusion'] == {
        'frames': [[20, 0, 0], [5, 10, 0], [0, 0, 0]],
        'no_answer': [0, 5, 0],
    }
    assert sum(one['frames'] for one in found['reliability']) == 40
    walk = found['recordings']['walk']
    assert walk['images'] - 2 == walk['answers'] == walk['faces']['abc']['answers'] == 40
    assert list(labels_of(walk)) == TRUTH['walk']


def test_what_cannot_be_reported_is_null(tmp_path):
    write_report(tmp_path, [replay('- -')], {})
    found = json.loads((tmp_path / 'metrics.json').read_text())
    assert found['confusion'] is None
    assert found['figures']['switches_per_s'] == {'value': None, 'low': None, 'high': None}


def test_one_picture_of_several_people_has_a_report(tmp_path):
    people = tuple(answer(START_NS, label, face) for face, label in (('a', 'happy'), ('b', 'sad')))
    write_report(tmp_path, [replace(replay('happy'), predictions=people)], {})
    page = (tmp_path / 'report.html').read_text()
    assert 'A face was found in 1 of 1 picture; an expression was named for 2 of 2 faces.' in page


def test_emotions_have_a_line_an_answer(tmp_path):
    write_report(tmp_path, [WALK], TRUTH)
    lines = list(csv.DictReader(io.StringIO((tmp_path / 'emotions.csv').read_text())))
    assert len(lines) == 40
    assert (lines[26]['emotion'], lines[26]['truth']) == ('unknown', 'sad')
    assert [line['truth'] for line in lines] == ['happy'] * 20 + ['sad'] * 20


def test_times_of_a_part_count_from_the_first_image_of_the_recording(tmp_path):
    part = replace(WALK, first_ns=WALK.stamps_ns[0] - 2_500_000_000)
    write_report(tmp_path, [part], TRUTH)
    lines = list(csv.DictReader(io.StringIO((tmp_path / 'emotions.csv').read_text())))
    assert [lines[i]['time_s'] for i in (0, 1, 39)] == ['2.500', '2.600', '6.400']


def test_without_a_label_the_truth_stays_empty(tmp_path):
    write_report(tmp_path, [WALK], {'walk': [segment(0, 20, 'happy')]})
    lines = list(csv.DictReader(io.StringIO((tmp_path / 'emotions.csv').read_text())))
    assert [line['truth'] for line in lines] == ['happy'] * 20 + [''] * 20


def test_problems_are_listed_where_they_are_seen():
    run = replace(WALK, problems=('walk: 3 images cannot be decoded.',))
    summary = summarise([run], TRUTH, reported=['labels.csv, line 2: late.'])
    assert summary.problems == ('labels.csv, line 2: late.', 'walk: 3 images cannot be decoded.')
    text = report_page(summary).decode()
    assert '2 warnings' in text
    assert text.index('line 2: late') < text.index('Over time')


def test_the_headline_says_what_matters():
    said = sentences(summarise([WALK], TRUTH))
    assert said[0].startswith('75 % of 40 labelled frames got the right answer')
    assert said[1] == (
        'The most common mistake: faces labelled sad were called happy, 25 % of their frames.'
    )
    assert (
        'right for good 0.00 s after a label starts for a face in view (median); 100 % of the'
        in said[2]
    )
    assert 'Its confidence is too low' not in ' '.join(said)
    assert said[-1].startswith('These metrics rest on 2 labelled segments only')
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


def test_with_an_old_plotly_the_files_for_programs_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr('plotly.__version__', '5.15.0')  # that of Ubuntu 24.04
    (tmp_path / 'report.html').write_text('of other recordings')
    with pytest.raises(MissingLibraryError, match=r'plotly 5\.23, and 5\.15\.0 is installed'):
        write_report(tmp_path, [WALK], TRUTH)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['emotions.csv', 'metrics.json']


def test_neither_nodes_nor_a_replay_import_what_draws_pages():
    code = (
        'import sys, emotion_estimator.evaluation.cli, emotion_estimator.nodes.both_nodes;'
        'print(sorted({"plotly", "jinja2"} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


def test_numbers_in_words():
    assert quantity(0.784, 'share') == '78 %'
    assert quantity(0.0312, 'share') == '3.1 %'
    assert quantity(float('nan'), 'share') == '\u2013'
    assert quantity(0.5, '1/s') == '0.50 / s'
    assert [duration(one) for one in (4.25, 200, 7260)] == ['4.2 s', '3 min 20 s', '2 h 1 min']
    assert duration(float('nan')) == '\u2013'


def test_verdicts():
    by_name = {measure.name: measure for measure in MEASURES}
    more, less, none = Interval(1, 0.5, 2), Interval(-1, -2, -0.5), Interval(0.1, -1, 1)
    assert verdict(by_name['accuracy'], more) == 'B better'
    assert verdict(by_name['cross_entropy'], more) == 'A better'
    assert verdict(by_name['cross_entropy'], less) == 'B better'
    assert verdict(by_name['face_share'], less) == 'A higher'
    assert verdict(by_name['accuracy'], none) == 'no clear difference'
    assert verdict(by_name['accuracy'], Interval(1, float('nan'), float('nan'))) == '\u2013'


# Labels of a table or folders reach the report.


HALVES = replay('happy ' * 20 + 'sad ' * 20)


@pytest.mark.parametrize('bag, table', [('', '.csv'), ('', '/t.csv'), ('/t.mcap.zst', '/t.csv')])
def test_a_table_beside_a_bag_is_found_and_an_empty_recording_harms_nothing(tmp_path, bag, table):
    (tmp_path / 'walk').mkdir()
    (tmp_path / 'walk' / 't.mcap.zst').touch()
    (tmp_path / f'walk{table}').write_text('start_s,end_s,emotion\n0,4,happy\n')
    paths = {'walk': tmp_path / f'walk{bag}', 'none': tmp_path / 'none'}
    runs = [HALVES, replay(name='none', problems=['none: cannot be read.'])]
    write_labelled_report(tmp_path / 'out', paths, runs, LabelSource())
    found = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert found['figures']['accuracy']['value'] == 0.5
    assert found['problems'] == ['none: cannot be read.']


@pytest.mark.parametrize('from_folders', [False, True])
def test_a_recording_that_is_given_as_the_folder_above_has_its_labels(
    tmp_path, monkeypatch, from_folders
):
    (tmp_path / 'happy' / 'walk' / 'sub').mkdir(parents=True)
    (tmp_path / 'happy' / 'walk.csv').write_text('start_s,end_s,emotion\n0,4,happy\n')
    monkeypatch.chdir(tmp_path / 'happy' / 'walk' / 'sub')
    source = LabelSource(from_folders=from_folders)
    write_labelled_report(tmp_path / 'out', {'walk': Path('..')}, [HALVES], source)
    found = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert found['figures']['accuracy']['value'] == 0.5


def test_a_folder_whose_name_leaves_no_room_for_a_table_s_has_no_labels(tmp_path):
    (tmp_path / ('n' * 255)).mkdir()
    paths = {'walk': tmp_path / ('n' * 255)}
    assert check_labels(LabelSource(), paths, HALVES.labels) == ()
    assert write_labelled_report(tmp_path, paths, [HALVES], LabelSource()).losses == ()


@pytest.mark.parametrize('label, lost', [('positive', 1), ('unknown', 0)])
def test_labels_of_classes_that_the_model_lacks_are_lost(tmp_path, label, lost):
    table = tmp_path / 'labels.csv'
    table.write_text(f'start_s,end_s,emotion\n0,4,{label}\n')
    run = replace(HALVES, labels=('happy', 'unsure', 'sad'))
    report = write_labelled_report(tmp_path, {'walk': tmp_path}, [run], LabelSource(table))
    said = 'labels positive are not judged: the model knows happy, unsure, sad.'
    assert [said in loss for loss in report.losses] == [True] * lost
    assert report.hints[-1].startswith('None of 1 labels is judged')


def test_labels_come_from_one_source(tmp_path):
    source = LabelSource(topic='/truth', from_folders=True)
    with pytest.raises(LabelError, match='not from several'):
        write_labelled_report(tmp_path, {'walk': tmp_path}, [HALVES], source)


# Two runs held against each other, and read back from their folders.


TURNS = {
    'walk': [segment(20 * i, 20 * i + 20, label) for i, label in enumerate(('happy', 'sad') * 3)]
}
RIGHT = replay(('happy ' * 20 + 'sad ' * 20) * 3)
HALF = replay(('happy ' * 20 + 'sad ' * 10 + 'neutral ' * 10) * 3, model='half 1.0.0')


def keep(folder, runs, truth):
    for index, run in enumerate(runs):
        write_replay(folder / 'kept' / f'{run.recording}-{index}.json', run)
    return write_report(folder, runs, truth).parent


def test_differences_are_second_less_first():
    found = compare([RIGHT], [HALF], TURNS)
    assert found.differences['accuracy'].value == pytest.approx(-0.25)
    assert found.differences['accuracy'].high < 0
    assert found.agreement.value == pytest.approx(0.75)
    said, caution, _, _ = comparison_sentences(found)
    assert said == (
        'B (half 1.0.0) is right in 75 % of the labelled frames, A (made 1.0.0) in 100 %: '
        'more than chance (95 % interval -42 to -8 points).'
    )
    assert caution.startswith('These metrics rest on 6 labelled segments only')


def test_a_run_against_itself_differs_by_nothing():
    found = compare([RIGHT], [RIGHT], TURNS)
    assert {one.value for one in found.differences.values()} == {0}
    assert found.agreement == Interval(1, 1, 1)


def test_what_one_run_alone_saw_is_in_no_difference_and_that_is_said():
    # Sad was all wrong; this run saw nobody then.
    less = replay('happy ' * 20 + '- ' * 100, model='less 1.0.0')
    half = replay('happy ' * 120)
    found = compare([half], [less], TURNS)
    assert [one.figures['accuracy'].value for one in (found.first, found.second)] == [0.5, 1]
    assert found.differences['accuracy'].value == 0
    assert [one['accuracy'].value for one in found.figures] == [1, 1]
    assert comparison_sentences(found)[0].startswith('B (less 1.0.0) is right in 100 % of')
    said = 'Labelled segments in which one run alone saw a face: 5; '
    assert f'{said}the differences leave them out.' in found.problems
    assert not [one for one in compare([half], [half], TURNS).problems if 'alone' in one]


def test_recordings_of_one_run_alone_are_left_out_and_reported(tmp_path, capsys):
    found = compare([RIGHT, replace(RIGHT, recording='sit')], [HALF], TURNS)
    assert [one.replay.recording for one in found.first.recordings] == ['walk']
    assert found.problems == ('sit: only one of the runs has it; it is left out.',)
    with pytest.raises(ValueError, match='no recording in common: walk against none'):
        compare([RIGHT], [], TURNS)
    more = keep(tmp_path / 'a', [RIGHT, replace(RIGHT, recording='sit')], TURNS)
    less = keep(tmp_path / 'b', [HALF], TURNS)
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
    found = compare([RIGHT, sit], [HALF, replace(sit, model=HALF.model, **changes)], TURNS)
    assert [one.replay.recording for one in found.first.recordings] == ['walk', 'sit'][: 1 + alike]
    said = 'sit: the runs did not look at the same images (120 and'
    assert [one.startswith(said) for one in found.left_out] == [True] * (not alike)


def test_models_of_other_classes_are_judged_in_what_they_share():
    three = replay(('happy ' * 20 + 'unknown ' * 20) * 3, model='three 1.0.0')
    three = replace(three, labels=('happy', 'unknown', 'sad'))
    found = compare([RIGHT], [three], TURNS)
    assert found.first.vocabulary.names == ('happy', 'unknown', 'sad')
    assert found.differences['accuracy'].value == pytest.approx(-0.5)
    assert found.agreement.value == pytest.approx(0.5)
    with pytest.raises(ValueError, match='no classes in common'):
        compare([RIGHT], [replace(three, labels=('bored', 'unknown', 'x'))], TURNS)


def test_comparison_json_is_the_same_again(tmp_path):
    written = [write_comparison(tmp_path / name, [RIGHT], [HALF], TURNS) for name in 'ab']
    first, second = ((one.page.parent / 'comparison.json').read_bytes() for one in written)
    assert first == second
    found = json.loads(first)
    assert found['differences']['accuracy']['value'] == -0.25
    assert found['second']['in_common']['accuracy']['value'] == 0.75
    assert (found['second']['model'], found['agreement']['value']) == ('half 1.0.0', 0.75)


def test_a_finished_run_is_read_back_without_replays_of_others(tmp_path):
    no_unicode = replace(RIGHT, recording=os.fsdecode(b'zu\xff'))
    folder = keep(tmp_path, [RIGHT, no_unicode], TURNS)
    for other in (replay('sad ' * 9), HALF):
        write_replay(folder / 'kept' / f'{other.model}.json', other)
    found = read_run(folder)
    assert (found.replays, list(found.truth['walk'])) == ((RIGHT, no_unicode), TURNS['walk'])
    (folder / 'kept' / 'walk-0.json').unlink()
    with pytest.raises(RunError, match='keeps no replay of walk with'):
        read_run(folder)


def test_the_command_prints_the_page(tmp_path, capsys):
    one, other = keep(tmp_path / 'a', [RIGHT], TURNS), keep(tmp_path / 'b', [HALF], {})
    assert main(['--compare', str(one), str(other), '-o', str(tmp_path / 'c')]) == 0
    assert capsys.readouterr().out.strip().endswith('c/comparison.html')
    found = json.loads((tmp_path / 'c' / 'comparison.json').read_text())
    assert found['differences']['accuracy']['value'] == -0.25


def test_the_command_says_which_library_a_page_lacks(tmp_path, capsys, monkeypatch):
    folder = keep(tmp_path / 'a', [RIGHT], TURNS)
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
    folder = keep(tmp_path / 'a', [RIGHT], TURNS)
    (folder / 'kept' / 'walk-0.json').write_text('{')
    with pytest.raises(RunError, match=r'walk-0\.json'):
        read_run(folder)
    (folder / 'metrics.json').write_text('{"schema": 99}')
    with pytest.raises(RunError, match='schema 99'):
        read_run(folder)
    (folder / 'metrics.json').write_text('[]')
    with pytest.raises(RunError, match='holds no finished run'):
        read_run(folder)
