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

"""The benchmark measures what it can, says what it leaves out, and ends as a shell expects."""

import io
import json
import os
import subprocess

import pytest
from helpers.live_nodes import DOMAINS as TEST_DOMAINS
from rich.console import Console

from dev.bench import covered_faces, py_feat, run, small_faces, turned_faces
from dev.bench.many_faces import CROSSING_RATE_HZ, ids_kept, random_crossings
from dev.bench.parts import TOO_SLOW, Need, Part, Plan, choose, every_part
from dev.bench.pictures import SIZE, landscape, new_finder
from dev.bench.run import (
    Results,
    TimeLeft,
    clock_text,
    exit_status,
    is_met,
    measure,
    table_of,
    write_results,
)
from dev.bench.speed import DOMAINS, of_rounds
from emotion_estimator.files import AssetError, OutputError
from emotion_estimator.stamps import NS_PER_S


def missing():
    raise AssetError('There is none here.')


THERE = Need('a clip', lambda: 'clip.mp4')
NOT_THERE = Need('a photograph', missing)


def table_text(results):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table_of(results))
    return console.export_text()


def raising(error):
    def part(*_):
        raise error

    return part


def a_plan(*parts):
    return Plan(parts, {}, {})


def measured(plan):
    console = Console(width=100, record=True, file=io.StringIO())
    return measure(plan, console), console.export_text()


def test_a_part_whose_need_is_missing_is_left_out_with_its_reason():
    parts = [Part('speed', dict, (THERE,)), Part('people', dict, (THERE, NOT_THERE))]
    plan = choose(parts, quick=False)
    assert [part.name for part in plan.parts] == ['speed']
    assert plan.left_out == {'people': 'needs a photograph'}
    assert plan.missing == {'a photograph': 'There is none here.'}


def test_what_several_parts_need_is_sought_once():
    sought = []
    needs = (
        Need('first', lambda: sought.append('first')),
        Need('second', lambda: (sought.append('second'), missing())),
    )
    choose([Part(name, dict, needs) for name in 'abc'], quick=False)
    assert sought == ['first', 'second']


def test_slow_parts_are_left_out_of_a_quick_run_and_nothing_is_fetched_for_them():
    slow = Part('people', dict, (NOT_THERE,), slow=True)
    plan = choose([Part('speed', dict), slow], quick=True)
    assert [part.name for part in plan.parts] == ['speed']
    assert plan.left_out == {'people': TOO_SLOW}
    assert plan.missing == {}


def test_only_the_parts_that_are_asked_for_are_measured():
    parts = [Part('speed', dict), Part('people', dict, (NOT_THERE,)), Part('replay', dict)]
    plan = choose(parts, quick=False, asked=['replay'])
    assert [part.name for part in plan.parts] == ['replay']
    assert plan.left_out == plan.missing == {}


def test_a_quick_run_is_estimated_below_two_minutes_and_a_full_one_measures_all():
    quick = [part for part in every_part(True, run.QUICK_LATENCY_S) if not part.slow]
    full = every_part(False, run.LATENCY_S)
    assert sum(part.about_s for part in quick) < 110
    assert [part.name for part in quick] == [part.name for part in full if not part.slow]
    assert {'throughput', 'latency', 'replay', 'crossings'} <= {part.name for part in full}


def test_a_part_that_finds_an_asset_missing_is_left_out_and_the_others_go_on():
    results, said = measured(
        a_plan(
            Part('first', raising(AssetError('It is not there.'))),
            Part('second', raising(FileNotFoundError('gone.mp4'))),
            Part('third', lambda: {'rss_mb': 3.0}),
        )
    )
    assert results.left_out == {'first': 'It is not there.', 'second': 'gone.mp4'}
    assert results.metrics == {'rss_mb': 3.0}
    assert exit_status(results) == 0
    assert 'first is left out: It is not there.' in said


def test_a_part_that_fails_is_reported_and_the_others_go_on(capsys):
    results, _ = measured(
        a_plan(Part('first', raising(RuntimeError('broken'))), Part('second', lambda: {'a': 1}))
    )
    assert results.failed == {'first': 'RuntimeError: broken'}
    assert results.metrics == {'a': 1}
    assert exit_status(results) == 1
    assert 'Traceback' in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_measured():
    results, _ = measured(
        a_plan(
            Part('first', lambda: {'a': 1}),
            Part('second', raising(KeyboardInterrupt())),
            Part('third', lambda: {'b': 1}),
        )
    )
    assert results.metrics == {'a': 1}
    assert results.stopped
    assert exit_status(results) == 130


def test_each_part_is_reported_with_its_place():
    _, said = measured(a_plan(Part('speed', dict, about_s=60), Part('people', dict, about_s=30)))
    assert '1 of 2: speed; about 1:30 left in all' in said
    assert '2 of 2: people; about ' in said


def test_the_time_that_is_left_follows_the_machine_s_speed():
    now_s = [0.0]
    left = TimeLeft([10, 20, 30], lambda: now_s[0])
    assert left.seconds() == 60
    left.begin()
    now_s[0] = 4
    assert left.seconds() == 56
    now_s[0] = 20
    left.begin()
    assert left.seconds() == 100  # all takes twice as long as estimated
    now_s[0] = 70
    assert left.seconds() == 60  # longer than thought, but never less than what follows
    left.begin()
    now_s[0] = 1000
    assert left.seconds() == 0


@pytest.mark.parametrize('seconds, text', [(0, '0:00'), (59.6, '1:00'), (187, '3:07')])
def test_a_time_is_written_in_minutes_and_seconds(seconds, text):
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    'name, value, met',
    [
        ('pipeline_fps_ratio', 1.25, True),
        ('pipeline_fps_ratio', 1.24, False),
        ('frames_lost', 0, True),
        ('frames_lost', 1, False),
        ('has_no_limit', 1e9, True),
    ],
)
def test_a_metric_is_held_to_its_limit(name, value, met):
    assert is_met(name, value) is met
    assert exit_status(Results({name: value})) == (0 if met else 1)


def test_a_limit_whose_metric_is_left_out_is_not_missed():
    assert exit_status(Results({}, {'replay': 'needs a clip'})) == 0


def test_the_table_shows_limits_parts_left_out_and_failures():
    rows = table_text(
        Results(
            {'frames_lost': 2, 'rss_mb': 240.4, 'mediapipe_ms_p50': 5.9},
            {'replay': 'needs a clip'},
            {'latency': 'TimeoutError: no answer'},
        )
    ).splitlines()
    (lost,) = (row for row in rows if 'frames_lost' in row)
    assert '<= 0' in lost and 'NOT MET' in lost
    (memory,) = (row for row in rows if 'rss_mb' in row)
    assert '<= 260' in memory and '200' in memory and ' met' in memory
    (mediapipe,) = (row for row in rows if 'mediapipe_ms_p50' in row)
    assert '5.9' in mediapipe and 'met' not in mediapipe.lower()
    (replay,) = (row for row in rows if 'replay' in row)
    assert 'left out' in replay and 'needs a clip' in replay
    (latency,) = (row for row in rows if 'latency' in row)
    assert 'FAILED' in latency and 'no answer' in latency


def test_rounds_are_summed_up_and_shown_in_one_row():
    metrics = of_rounds('pipeline_fps_ratio', [1.5, 1.2, 1.4])
    assert metrics == {
        'pipeline_fps_ratio': 1.4,
        'pipeline_fps_ratio_least': 1.2,
        'pipeline_fps_ratio_most': 1.5,
    }
    (row,) = (row for row in table_text(Results(metrics)).splitlines() if 'pipeline' in row)
    assert '1.4' in row and '1.2 to 1.5' in row and '>= 1.25' in row


def test_every_goal_is_beyond_its_limit():
    for name, goal in run.GOALS.items():
        sign, limit = run.LIMITS[name]
        assert goal > limit if sign == '>=' else goal < limit


def test_names_of_metrics_are_whole_in_a_narrow_terminal():
    console = Console(width=80, record=True, file=io.StringIO())
    reason = 'needs yunet_n_dynamic.onnx and the London photographs'
    name = 'latency_over_mediapipe_ms_p50'
    console.print(table_of(Results({name: 1.0}, {'small faces': reason})))
    assert name in console.export_text()


def test_the_file_holds_the_metrics_by_name_and_what_was_left_out(tmp_path):
    path = tmp_path / 'bench.json'
    write_results(path, Results({'rss_mb': 3.0}, {'replay': 'needs a clip'}, {'a': 'b'}))
    of_parts = {'left_out': {'replay': 'needs a clip'}, 'failed': {'a': 'b'}}
    assert json.loads(path.read_text()) == {'rss_mb': 3.0, **of_parts}


def test_what_the_file_says_of_parts_that_were_not_asked_for_stays(tmp_path):
    path = tmp_path / 'bench.json'
    write_results(path, Results({'rss_mb': 3.0, 'a': 1.0}, {'replay': 'slow', 'people': 'none'}))
    write_results(path, Results({'a': 2.0}, {}, {'people': 'broken'}), asked=['people'])
    assert json.loads(path.read_text()) == {
        'rss_mb': 3.0,
        'a': 2.0,
        'left_out': {'replay': 'slow'},
        'failed': {'people': 'broken'},
    }
    path.write_text('{"rss_mb": ')
    write_results(path, Results({'a': 2.0}), asked=['people'])
    assert json.loads(path.read_text())['a'] == 2


@pytest.fixture
def bench(monkeypatch, tmp_path, capsys):
    """Run the command on made-up parts; gives its exit status, its words and its file."""

    def command(*parts, options=()):
        out = tmp_path / 'bench.json'
        monkeypatch.setenv('ROS_DOMAIN_ID', '')  # so that what the command sets is undone
        monkeypatch.setattr(run, 'LOG', tmp_path / 'bench.log')
        monkeypatch.setattr(run, 'every_part', lambda quick, latency_s: parts)
        monkeypatch.setattr('sys.argv', ['run', '--out', str(out), *options])
        status = run.main()
        said = ' '.join(capsys.readouterr().out.split())
        return status, said, json.loads(out.read_text()) if out.exists() else None

    return command


def test_the_command_measures_what_it_can_and_says_what_it_leaves_out(bench):
    status, said, written = bench(
        Part('speed', lambda: {'rss_mb': 3.0}), Part('people', dict, (NOT_THERE,))
    )
    assert status == 0
    assert said.startswith('Left out, needs a photograph: people. There is none here.')
    assert written == {'rss_mb': 3.0, 'left_out': {'people': 'needs a photograph'}, 'failed': {}}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(bench, tmp_path):
    (tmp_path / 'bench.json').mkdir()
    with pytest.raises(OutputError, match=r'bench\.json cannot be written: it is a folder'):
        bench(Part('speed', lambda: pytest.fail('It is measured.')))


def test_a_stopped_command_writes_no_file_and_shows_what_was_measured(bench):
    status, said, written = bench(
        Part('speed', lambda: {'rss_mb': 3.0}), Part('people', raising(KeyboardInterrupt()))
    )
    assert status == 130
    assert 'rss_mb' in said
    assert 'Stopped; the table shows what was measured so far.' in said
    assert written is None


def test_the_command_measures_named_parts_and_refuses_other_names(bench, capsys):
    parts = (Part('speed', lambda: {'rss_mb': 3.0}), Part('people', lambda: {'a': 1.0}))
    status, _, written = bench(*parts, options=['--parts', 'people'])
    assert status == 0
    assert written == {'a': 1.0, 'left_out': {}, 'failed': {}}
    with pytest.raises(SystemExit):
        bench(*parts, options=['--parts', 'people,sped'])
    assert "there is no part 'sped'; there are: speed, people" in capsys.readouterr().err


@pytest.mark.parametrize('seconds', ['0', '-1', 'nan', 'inf'])
def test_the_command_refuses_a_latency_run_of_no_length(bench, capsys, seconds):
    with pytest.raises(SystemExit) as ended:
        bench(Part('speed', lambda: {'rss_mb': 3.0}), options=['--seconds', seconds])
    assert ended.value.code == 2
    assert f'--seconds must be a number above 0, not {seconds}.' in capsys.readouterr().err


def test_the_command_keeps_to_a_domain_of_its_own(bench):
    domains = []
    bench(Part('speed', lambda: domains.append(int(os.environ['ROS_DOMAIN_ID'])) or {}))
    assert domains[0] in DOMAINS
    assert not set(DOMAINS) & {0, *TEST_DOMAINS}


def test_why_py_feat_cannot_be_measured_is_said_by_its_process():
    with subprocess.Popen(['echo', 'unable: no weights'], stdout=-1, text=True) as child:
        for error, said in ((AssetError, 'no weights'), (RuntimeError, 'has ended')):
            with pytest.raises(error, match=said):
                py_feat._answer(child)


# People of real photographs who cross, through the real networks.


@pytest.mark.parametrize('module', [small_faces, turned_faces, covered_faces])
def test_a_study_without_its_photographs_says_so(module, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, 'photographs', raising(AssetError('There are none here.')))
    monkeypatch.setattr('sys.argv', ['study'])
    monkeypatch.chdir(tmp_path)  # where its drawing would go
    assert module.main() == 1
    # Behind what is said of a detector that cannot be had.
    assert capsys.readouterr().err.splitlines()[-1] == 'There are none here.'


@pytest.mark.parametrize('module', [small_faces, turned_faces])
def test_a_drawing_that_cannot_be_written_is_told_first(module, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr('sys.argv', ['study', '--plot', str(tmp_path)])
    assert module.main() == 2
    assert f'{tmp_path} cannot be written: it is a folder.' in capsys.readouterr().err


def test_a_folder_that_is_not_there_or_without_pictures_is_refused(monkeypatch, capsys, tmp_path):
    for folder in ('nowhere', str(tmp_path)):
        monkeypatch.setattr('sys.argv', ['study', folder])
        with pytest.raises(SystemExit):
            covered_faces.main()
        assert f'{folder} is no folder of pictures.' in capsys.readouterr().err


@pytest.fixture
def finder(media, landmarker_path, detector_path):
    media('london_001_neutral.jpg')
    made = new_finder(max_faces=2)
    yield made
    made.close()


@pytest.mark.parametrize('overlapping', [False, True])
def test_two_people_who_cross_keep_their_ids(finder, overlapping):
    (crossing,) = random_crossings(1, overlapping)
    sightings = [
        finder.find(picture, NS_PER_S + number * NS_PER_S // CROSSING_RATE_HZ).faces
        for number, picture in enumerate(crossing.frames(landscape()))
    ]
    assert crossing.apart.all() != overlapping
    assert ids_kept(crossing, sightings)
    lost = [faces if n < len(sightings) // 2 else () for n, faces in enumerate(sightings)]
    assert not ids_kept(crossing, lost)


@pytest.mark.assets
def test_crossings_repeat_and_stay_in_the_picture(media):
    media('london_001_neutral.jpg')
    first, again = ([*random_crossings(3, overlapping=True)] for _ in range(2))
    for crossing, same in zip(first, again):
        assert (crossing.ways == same.ways).all()
        assert (crossing.ways >= 0).all()
        assert (crossing.ways <= SIZE).all()
        assert crossing.apart[0]
        assert crossing.apart[-1]
        assert not crossing.apart.all()
