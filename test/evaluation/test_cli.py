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

"""`replay` on several recordings: broken ones cost a line, finished ones are kept."""

from __future__ import annotations

import csv
import json
import multiprocessing
import resource
import signal
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import pytest
from helpers.bags import ROS2, START_NS, blank_bag, raw_image, stamps, write_bag
from helpers.calls import stopped
from helpers.faces import NEUTRAL, SERIOUS, SMILING, photograph

from emotion_estimator import ExpressionEstimator, assets
from emotion_estimator.asset_sources import SourceError
from emotion_estimator.evaluation.cli import main
from emotion_estimator.faces import detection
from emotion_estimator.files import OutputError
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.jobs import Advanced, Finished, Job, Settings, run_jobs
from emotion_estimator.replay.recordings import Selection, named_apart
from emotion_estimator.stamps import NS_PER_S

COMMAND = (sys.executable, '-m', 'emotion_estimator.evaluation.cli')
# A process a recording, each of which loads MediaPipe.
pytestmark = [
    pytest.mark.usefixtures('landmarker_path'),
    pytest.mark.timeout(600),
]


def kept(output):
    return {path.name: path.stat().st_mtime_ns for path in (output / 'kept').glob('*.json')}


def test_broken_bags_cost_a_line_each_and_a_second_call_keeps_the_rest(tmp_path, capfd):
    output = tmp_path / 'out'
    good, broken = tmp_path / 'good', tmp_path / 'broken.mcap'
    blank_bag(good, 3)
    broken.write_text('no bag')
    arguments = [*map(str, (good, broken)), '-o', str(output)]
    assert main(arguments) == 1
    said = capfd.readouterr()
    assert 'good: 3 images, 0 answers on 0 faces.' in said.err
    assert f'{broken} cannot be read as a bag' in said.err
    assert said.out.strip() == str(output / 'report.html')
    metrics = json.loads((output / 'metrics.json').read_text())
    assert sorted(metrics['recordings']) == ['broken.mcap', 'good']
    assert (output / 'emotions.csv').read_text().startswith('recording,')
    first = kept(output)
    assert len(first) == 1
    broken.unlink()
    blank_bag(tmp_path / 'more', 4)
    assert main([*map(str, (good, tmp_path / 'more')), '-o', str(output)]) == 0
    assert 'more: 4 images' in capfd.readouterr().err
    second = kept(output)
    assert len(second) == 2
    assert first.items() <= second.items()
    (whole,) = (output / 'kept').glob('more-*')
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    assert main([*map(str, (good, tmp_path / 'more')), '-o', str(output)]) == 0
    assert 'more: 4 images' in capfd.readouterr().err
    assert whole.read_bytes() == content


def test_an_engine_that_is_not_there_is_said_once(tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mediapipe', None)
    (tmp_path / 'a.yaml').write_text('blendshape_node: {ros__parameters: {engine: mediapipe}}')
    bag = str(blank_bag(tmp_path / 'bag', 1))
    assert main([bag, '-o', str(tmp_path / 'out'), '--params-file', str(tmp_path / 'a.yaml')]) == 2
    assert 'needs the Python package mediapipe (it is not installed)' in capfd.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_missing_detector_is_reported_once_and_the_recordings_are_replayed(
    tmp_path, capfd, monkeypatch, landmarker_path
):
    def unreachable(url):
        raise SourceError('no network')

    models = tmp_path / 'assets'
    models.mkdir()
    (models / landmarker_path.name).symlink_to(landmarker_path)
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(models))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(assets, 'download', unreachable)
    bags = [str(blank_bag(tmp_path / name, 2)) for name in ('first', 'second')]
    assert main([*bags, '-o', str(tmp_path / 'out')]) == 0
    said = capfd.readouterr().err
    assert said.count(assets.FACE_DETECTOR.loss) == 1
    if detection.RUNS_YUNET:
        assert 'no network' in said and 'fetch_assets' in said
    for name in ('first', 'second'):
        assert f'{name}: 2 images, 0 answers on 0 faces.' in said


def test_labels_beside_a_bag_are_judged_by_and_two_runs_compared(tmp_path, capfd):
    bag = tmp_path / 'walk'
    blank_bag(bag, 3)
    bag.with_suffix('.csv').write_text('start_s,end_s,emotion\n0,0.1,happy\n')
    runs = [tmp_path / name for name in ('mild', 'strict')]
    for run, confidence in zip(runs, (0.1, 0.6)):
        parameters = tmp_path / f'{run.name}.yaml'
        stated = {'min_confidence': confidence, 'hysteresys': 1.0}  # JSON is YAML
        parameters.write_text(json.dumps({'emotion_node': {'ros__parameters': stated}}))
        assert main([str(bag), '-o', str(run), '--params-file', str(parameters)]) == 0
    found = json.loads((runs[0] / 'metrics.json').read_text())['recordings']['walk']
    assert found['labels'][0]['label'] == 'happy'
    assert main(['--compare', *map(str, runs), '-o', str(tmp_path / 'both')]) == 0
    out, err = capfd.readouterr()
    assert out.strip().endswith('both/comparison.html') and err.count("mean 'hysteresis'?") == 2
    settings = (tmp_path / 'both' / 'comparison.json').read_text()
    assert '0.1' in settings and '0.6' in settings


def test_labels_that_do_not_fit_are_counted_and_the_report_does_not_deny_them(tmp_path, capfd):
    bag = tmp_path / 'walk'
    blank_bag(bag, 3)
    table = tmp_path / 'labels.csv'
    table.write_text('start_s;end_s;emotion\n3600,0;3600,1;happy\n0;0,1;bored\n')
    arguments = [str(bag), '-o', str(tmp_path / 'out'), '--labels', str(table)]
    assert main(arguments) == 1
    said = capfd.readouterr().err
    assert said.count("1 of 2 labels cannot be read: labels.csv, line 3: 'bored'") == 2
    assert said.index("'bored'") < said.index('walk: 3 images')
    assert 'labels.csv, walk: 1 of 1 labels lie outside' in said
    assert 'They are 3,600 s off: another time zone?' in said
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'None of the labels given (2) could be used' in page
    assert 'No labels were given' not in page


def test_seconds_of_labels_count_from_the_recording_not_from_the_part(tmp_path, capfd):
    blank_bag(tmp_path / 'walk', 6)
    (tmp_path / 'walk.csv').write_text('start_s,end_s,emotion\n0,0.05,sad\n0.1,0.3,happy\n')
    arguments = [str(tmp_path / 'walk'), '-o', str(tmp_path / 'out'), '--from', '0.05']
    arguments += ['--to', 'inf']
    assert main(arguments) == 0
    found = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    (label,) = found['recordings']['walk']['labels']
    assert (label['start_ns'] - START_NS, label['label']) == (NS_PER_S // 10, 'happy')
    assert 'None of 1 labels is judged' in capfd.readouterr().err  # nobody is in the pictures


def test_images_whose_stamps_come_again_are_counted(tmp_path, capfd):
    picture = np.full((32, 32, 3), 90, np.uint8)
    images = [raw_image(ROS2, picture, ns) for ns in stamps(15, 1) * 2]
    bag = write_bag(tmp_path / 'bag', [('/image', START_NS + n, i) for n, i in enumerate(images)])
    for _ in ('replayed', 'kept'):
        assert main([str(bag), '-o', str(tmp_path / 'out')]) == 0
        assert 'bag: 30 images, 0 answers' in capfd.readouterr().err


def test_a_process_that_dies_twice_costs_its_own_recording_alone(tmp_path, monkeypatch):
    (temporary := tmp_path / 'tmp').mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(temporary))
    settings = Settings(read_parameters(), Selection(), '', 30.0)
    (output := tmp_path / 'out').mkdir()
    jobs = [
        Job(
            name,
            blank_bag(tmp_path / name, count, packed='file'),
            *(settings, output / f'{name}.json'),
            record=output / f'{name}.mcap',
        )
        for name, count in (('dies', 2000), ('lives', 2))
    ]
    finished, killed = [], 0
    for event in run_jobs(jobs, 1, tmp_path / 'log'):
        if isinstance(event, Advanced) and event.job.name == 'dies' and event.read:
            assert list(temporary.glob('*/*/*.mcap'))
            (process,) = multiprocessing.active_children()
            process.kill()
            killed += 1
        elif isinstance(event, Finished):
            finished.append((event.job.name, event.problem))
    assert killed == 2
    assert [name for name, _ in finished] == ['lives', 'dies']
    assert finished[0][1] == ''
    assert 'failed 2 times, at last: its process ended by itself' in finished[1][1]
    assert 'exit status -9' in finished[1][1]
    assert [job.done for job in jobs] == [False, True]
    assert sorted(path.name for path in output.iterdir()) == ['lives.json', 'lives.mcap']
    assert not list(temporary.rglob('*.mcap'))


def test_a_recording_is_reported_the_same_whatever_its_process_replayed_before(tmp_path, media):
    settings = Settings(read_parameters(), Selection(), '', 30.0)
    clip = media('single_face.mp4')
    jobs = [Job('clip', clip, settings, tmp_path / f'{number}.json') for number in range(2)]
    events = run_jobs(jobs, 1, tmp_path / 'log')
    assert [event.problem for event in events if isinstance(event, Finished)] == ['', '']
    assert jobs[0].kept.read_bytes() == jobs[1].kept.read_bytes()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_that_is_not(tmp_path, number):
    output, bags = tmp_path / 'out', tmp_path / 'bags'
    paths = [str(blank_bag(tmp_path / 'short', 1)), str(blank_bag(tmp_path / 'long', 6000))]
    status, said = stopped(
        [*COMMAND, *paths, '--jobs', '1', '-o', str(output), '--features', '--record', str(bags)],
        lambda: kept(output) and list((output / 'features').glob('.long.csv.*')),
        number,
    )
    assert status == 130
    assert '1 of 2 recordings are finished and kept' in said
    (name,) = kept(output)
    assert name.startswith('short-')
    assert [path.name for path in (output / 'features').iterdir()] == ['short.csv']
    assert [path.name for path in bags.iterdir()] == ['short.mcap']


@pytest.mark.parametrize('module', ['rich.console', 'numpy', 'ai_edge_litert.interpreter'])
def test_ctrl_c_while_python_imports_ends_it_quietly(tmp_path, module):
    process = subprocess.Popen(
        [sys.executable, '-X', 'importtime', *COMMAND[1:], str(tmp_path), '-o', str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = ['']
    while said[-1].rpartition('|')[2].strip() != module:
        said.append(process.stderr.readline())
        assert said[-1], said[-3:]
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert [line for line in said[1:] if not line.startswith('import time:')] == []


@pytest.mark.parametrize(
    'arguments, said',
    [
        (['--model', 'none_such'], 'none_such'),
        (['--rate-hz', '-1'], '--rate-hz must be a number of 0 or more, not -1'),
        (['--rate-hz', 'inf'], '--rate-hz must be a number of 0 or more, not inf'),
        (['--from', 'nan'], '--from must be a number of 0 or more, not nan'),
        (['--to', 'nan'], '--to must be a number of 0 or more, not nan'),
        (['--picture-rate-hz', 'inf'], 'must lie between 0.001 and 1e+06, not inf'),
        (['--picture-rate-hz', '1e-300'], 'must lie between 0.001 and 1e+06, not 1e-300'),
        (['--from', '3', '--to', '2'], '--to 2 must lie behind --from 3'),
        (['--with-input'], 'give --record too'),
        (['--params-file', 'nowhere.yaml'], 'nowhere.yaml'),
        (['--labels', 'nowhere.csv'], 'The labels nowhere.csv cannot be read: there is no such'),
        (['--labels-from-folders'], 'no folder above it is named after an expression'),
        (['--max-faces', '0'], 'max_faces must lie between 1 and 10, not 0'),
    ],
)
def test_wrong_arguments_are_reported_before_anything_is_done(tmp_path, capfd, arguments, said):
    assert main([str(tmp_path), '-o', str(tmp_path / 'out'), *arguments]) == 2
    assert said in ' '.join(capfd.readouterr().err.split())
    assert not (tmp_path / 'out').exists()


def test_an_output_that_cannot_be_written_is_reported_before_anything_is_done(tmp_path, capfd):
    bag = blank_bag(tmp_path / 'walk', 2)
    (tmp_path / 'file').write_text('no folder')
    below, output = tmp_path / 'file' / 'out', tmp_path / 'out'
    for arguments in (['-o', below], ['-o', output, '--record', below / 'a.mcap']):
        assert main([str(bag), *map(str, arguments)]) == 2
        said = capfd.readouterr()
        assert 'cannot be written' in said.err and 'file is a file, not a folder' in said.err
        assert 'walk: ' not in said.err
    assert main([str(bag), '-o', str(output), '--record', str(tmp_path)]) == 2
    assert f'would write {tmp_path} over the recording {bag}' in capfd.readouterr().err
    assert main(['--compare', str(bag), str(bag), '-o', str(below)]) == 2
    assert 'cannot be written' in capfd.readouterr().err
    done = subprocess.run(
        [*COMMAND, str(bag), '-o', str(output)],
        stderr=subprocess.PIPE,
        text=True,
        # Stands in for a disk that is full.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14)),
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        f'{output} cannot be written: File too large. Make room there, or name another place.\n'
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ['file', 'walk']


def test_a_replay_that_cannot_be_kept_is_not_blamed_on_its_recording(tmp_path):
    (tmp_path / 'file').write_text('no folder')
    settings = Settings(read_parameters(), Selection(), '', 30.0)
    bag, kept = blank_bag(tmp_path / 'walk', 2), tmp_path / 'file' / 'walk.json'
    jobs = [
        Job('walk', bag, settings, kept),
        Job('walk', bag, settings, tmp_path / 'walk.json', record=tmp_path / 'file' / 'a.mcap'),
    ]
    for job, place in zip(jobs, (kept, tmp_path / 'file' / 'a.mcap')):
        with pytest.raises(OutputError, match=f'^{place} cannot be written: '):
            list(run_jobs([job], 1, tmp_path / 'log'))


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['walk', '--compare', 'a', 'b'],
        ['walk', '--labels', 'a.csv', '--labels-topic', '/said'],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments, capfd):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert 'usage: replay' in capfd.readouterr().err


def test_recordings_of_the_same_name_are_kept_apart(tmp_path):
    monday, tuesday = tmp_path / 'monday' / 'bag', tmp_path / 'tuesday' / 'bag'
    assert named_apart([monday]) == {monday: 'bag'}
    assert named_apart([monday, tuesday]) == {monday: 'monday/bag', tuesday: 'tuesday/bag'}
    again = tmp_path / 'tuesday' / '..' / 'monday' / 'bag'
    assert named_apart([monday, again]) == {monday: 'bag'}


def test_a_recording_is_called_as_its_user_calls_it_through_a_symbolic_link_too(tmp_path, capfd):
    blank_bag(tmp_path / '2026-05-04_rosbag', 2)
    (tmp_path / 'walk').symlink_to(tmp_path / '2026-05-04_rosbag')
    assert main([str(tmp_path / 'walk'), '-o', str(tmp_path / 'out')]) == 0
    assert 'walk: 2 images' in capfd.readouterr().err
    assert (tmp_path / 'out' / 'emotions.csv').read_text().count('\nwalk,') == 2


def test_photographs_are_each_answered_alone_and_by_the_name_of_their_file(tmp_path, media):
    pictures = tmp_path / 'stills'
    pictures.mkdir()
    for number, name in enumerate((SERIOUS, SMILING, NEUTRAL), start=8):
        rgb = photograph(media(name), 300 + number)
        cv2.imwrite(str(pictures / f'{number} {name}.png'), rgb[..., ::-1])
    output = tmp_path / 'out'
    assert main([str(pictures), '-o', str(output), '--stills']) == 0
    rows = list(csv.DictReader((output / 'emotions.csv').read_text().splitlines()))
    assert [row['file'][:2] for row in rows] == ['8 ', '9 ', '10']
    assert len({row['face'] for row in rows}) == 3
    with ExpressionEstimator() as estimator:
        for row in rows:
            bgr = cv2.imread(str(pictures / row['file']))
            (alone,) = estimator.estimate_picture(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
            assert (row['emotion'], float(row['confidence'])) == (
                alone.expression,
                pytest.approx(alone.confidence, abs=1e-4),
            )
    assert 'A face was found in 3 of 3 pictures' in (output / 'report.html').read_text()
    part = ('--stills', '--from', '0.03', '--to', '0.05')
    assert main([str(pictures), '-o', str(output), *part]) == 0
    assert 'A face was found in 1 of 1 picture;' in (output / 'report.html').read_text()


def test_people_beside_those_followed_and_a_change_of_size_give_a_hint(tmp_path, media, capfd):
    pictures = tmp_path / 'film'
    pictures.mkdir()
    people = [photograph(media(name), 320) for name in (SERIOUS, SMILING)]
    for number, side in ((1, 320), (2, 300)):
        both = np.hstack([cv2.resize(one, (side, side)) for one in people])
        cv2.imwrite(str(pictures / f'{number}.png'), both[..., ::-1])
    output = str(tmp_path / 'out')
    assert main([str(pictures), '-o', output]) == 0
    said = capfd.readouterr().err
    assert 'film: 2 images, 4 answers on 2 faces.' in said
    assert 'film: its pictures have 2 sizes; if they are no film, --stills' in said
    assert 'further faces' not in said
    assert main([str(pictures), '-o', output, '--max-faces', '1']) == 0
    said = capfd.readouterr().err
    assert 'film: 2 images, 2 answers on 1 faces.' in said
    assert 'further faces were left out, up to 1 in an image, first at 0.00 s: max_faces' in said


def test_the_command_needs_no_ros():
    code = (
        'import sys; import emotion_estimator.evaluation.cli; '
        'print([name for name in sys.modules if name in ("rclpy", "std_msgs", "hri_msgs")])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
