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

"""Jobs of several recordings: where outputs go, the table of features, a cluster's workers."""

import csv
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.bags import START_NS, blank_bag
from helpers.calls import DaskCluster, stopped
from helpers.faces import frames

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.evaluation.cli import main
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding, find_model
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.jobs import (
    Finished,
    Job,
    Settings,
    recordings_to_replay,
    run_job,
    run_jobs,
    with_absolute_paths,
)
from emotion_estimator.replay.predictions import FeatureTable, table_columns
from emotion_estimator.replay.recordings import Selection, file_names

pytestmark = pytest.mark.usefixtures('landmarker_path')
LABELS = 'start_s,end_s,face,emotion\n0,0.5,,happy\n'


@pytest.mark.parametrize(
    'bag, written, arguments',
    [
        ('walk', 'emotions.csv', ('--labels', 'emotions.csv')),
        ('walk', 'emotions.csv', ('--labels', 'link.csv')),
        ('walk', 'features/walk.csv', ('--features', '--labels', 'features/walk.csv')),
        ('walk', 'metrics.json', ('--params-file', 'metrics.json')),
        ('walk', 'replay.log', ('--labels', 'replay.log')),
        ('emotions', 'emotions.csv', ()),
        ('emotions', 'emotions.csv', ('--labels-topic', '/truth')),
        ('report.html', 'report.html', ()),
    ],
)
def test_nothing_that_is_read_is_written_over(
    tmp_path, monkeypatch, capfd, bag, written, arguments
):
    monkeypatch.chdir(tmp_path)
    blank_bag(tmp_path / bag)
    (tmp_path / 'features').mkdir()
    (tmp_path / 'link.csv').symlink_to('emotions.csv')
    content = 'emotion_node:\n  ros__parameters: {}\n' if '--params-file' in arguments else LABELS
    if written != bag:
        (tmp_path / written).write_text(content)
    before = sorted(tmp_path.rglob('*'))
    assert main([bag, '-o', '.', *arguments]) == 2
    said = capfd.readouterr().err
    assert f'{written} would be written in the place of ' in said
    assert sorted(tmp_path.rglob('*')) == before
    assert written == bag or (tmp_path / written).read_text() == content


@pytest.mark.parametrize(
    'record', ['out', 'out/report.html', 'out/kept', 'out/report.html/a.mcap']
)
def test_a_bag_takes_the_place_of_no_other_output(tmp_path, monkeypatch, capfd, record):
    monkeypatch.chdir(tmp_path)
    bag = blank_bag(tmp_path / 'walk')
    assert main([str(bag), '-o', 'out', '--record', record]) == 2
    assert f'--record would write {record} over the output out/' in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['walk']


@pytest.mark.parametrize('name', ['report.html', 'emotions.csv', 'replay.log', 'comparison.json'])
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_done(tmp_path, capfd, name):
    bag, output = str(blank_bag(tmp_path / 'walk')), tmp_path / 'out'
    (output / name).mkdir(parents=True)
    arguments = ['--compare', bag, bag] if name.startswith('comparison') else [bag]
    assert main([*arguments, '-o', str(output)]) == 2
    assert f'{output / name} cannot be written: it is a folder.' in capfd.readouterr().err
    assert [path.name for path in output.iterdir()] == [name]


def test_an_output_that_would_be_taken_for_labels_is_refused_from_the_first_time(tmp_path, capfd):
    bag = blank_bag(tmp_path / 'emotions')
    for output in (tmp_path, bag):
        assert main([str(bag), '-o', str(output)]) == 2
        assert 'in the place of the labels of emotions; name' in capfd.readouterr().err
    assert main([str(bag), '-o', str(tmp_path / 'out')]) == 0


def test_a_name_as_long_as_names_may_be_costs_no_recording(tmp_path):
    names = ['n' * 240 + one for one in ('a', 'b')] + ['\u6b69' * 80]
    bags = [str(blank_bag(tmp_path / name)) for name in names]
    output, record = tmp_path / 'out', tmp_path / 'bags'
    arguments = ('-o', str(output), '--jobs', '1', '--features', '--record', str(record))
    assert main([*bags, *arguments]) == 0
    short = sorted(['n' * 150, 'n' * 150 + '_2', '\u6b69' * 50])
    assert sorted(path.stem for path in (output / 'features').iterdir()) == short
    assert sorted(path.stem for path in record.iterdir()) == short
    kept = sorted(path.stem.rpartition('-')[0] for path in (output / 'kept').iterdir())
    assert kept == ['n' * 150, 'n' * 150, '\u6b69' * 50]
    assert sorted(json.loads((output / 'metrics.json').read_text())['recordings']) == names


def test_names_that_are_cut_keep_bytes_that_are_no_text():
    name = os.fsdecode(b'\xff' * 160)
    assert file_names([name, name]) == [name[:150], f'{name[:150]}_2']


def test_a_scheduler_that_is_not_there_is_stated_in_a_sentence(tmp_path, capfd):
    pytest.importorskip('distributed')
    bag, output = blank_bag(tmp_path / 'bag'), tmp_path / 'out'
    assert main([str(bag), '-o', str(output), '--scheduler', 'nowhere']) == 2
    assert "No Dask scheduler answers at 'nowhere'" in ' '.join(capfd.readouterr().err.split())
    assert not [path for path in output.rglob('*') if path.is_file()]


# The table that `replay --features` writes: a row for each face and each image without one.


FRAME_NS = 33_333_333


@pytest.fixture
def folder(tmp_path, media):
    """Two pictures of a face, and one of nothing between them, named by their stamps."""
    shown, _ = frames(media('single_face.mp4'), 2)
    pictures = [shown[0], np.zeros_like(shown[0]), shown[1]]
    path = tmp_path / 'walk'
    path.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(path / f'{START_NS + number * FRAME_NS}.png'), picture)
    return path


def replayed(folder, output, *arguments):
    assert main([str(folder), '-o', str(output), '--jobs', '1', *arguments]) == 0
    with (output / 'features' / 'walk.csv').open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_every_image_has_a_row_with_what_was_measured(folder, tmp_path):
    rows = replayed(folder, tmp_path / 'out', '--features')
    assert list(rows[0]) == table_columns(landmarks=False)
    assert [int(row['stamp_ns']) for row in rows] == [START_NS + i * FRAME_NS for i in range(3)]
    assert all(row['file'].endswith('.png') for row in rows)
    nobody = rows[1]
    assert set(nobody) - {key for key, value in nobody.items() if not value} == {
        'stamp_ns',
        'file',
    }
    (kept,) = (tmp_path / 'out' / 'kept').glob('*.json')
    answers = json.loads(kept.read_text())['answers']
    for row, answer in zip((rows[0], rows[2]), answers, strict=True):
        stamp_ns, face_id, label, confidence = answer[:4]
        assert (int(row['stamp_ns']), row['face_id'], row['expression']) == (
            *(stamp_ns, face_id, label),
        )
        assert float(row['confidence']) == pytest.approx(confidence, abs=1e-6)
        assert [float(row[name]) for name in ('head.roll', 'head.pitch', 'head.yaw')] == (
            pytest.approx(answer[7], abs=1e-6)
        )
        assert all(0 <= float(row[name]) <= 1 for name in NAMES)
        assert float(row['AU26']) == float(row['jawOpen'])
        assert abs(float(row['gaze.yaw'])) < 0.6


def test_a_picture_whose_name_is_no_unicode_has_its_row(folder, tmp_path):
    for path in sorted(folder.iterdir()):
        path.rename(folder / os.fsdecode(b'face_\xff_' + os.fsencode(path.name[-6:])))
    rows = replayed(folder, tmp_path / 'out', '--features')
    assert [row['file'] for row in rows] == ['face_?_00.png', 'face_?_33.png', 'face_?_66.png']


def test_landmarks_come_on_request_and_lie_in_the_face_s_box(folder, tmp_path):
    output = tmp_path / 'out'
    without = replayed(folder, output, '--features')
    row = replayed(folder, output, '--features', '--landmarks')[0]
    assert 'landmark.0.x' not in without[0]
    x, y = (np.array([float(row[f'landmark.{n}.{axis}']) for n in range(478)]) for axis in 'xy')
    assert float(row['box.x_min']) <= np.median(x) <= float(row['box.x_max'])
    assert float(row['box.y_min']) <= np.median(y) <= float(row['box.y_max'])


def test_a_table_that_was_removed_is_written_again(folder, tmp_path):
    first = replayed(folder, tmp_path / 'out', '--features')
    (tmp_path / 'out' / 'features' / 'walk.csv').unlink()
    assert replayed(folder, tmp_path / 'out', '--features') == first


def test_a_table_that_is_not_finished_leaves_nothing(tmp_path):
    FeatureTable(tmp_path / 'new' / 'walk.csv', landmarks=False).close()
    assert list(tmp_path.iterdir()) == []


def test_recordings_whose_names_differ_by_folders_alone_have_files_of_their_own(tmp_path):
    counts = {'a/b_c': 2, 'q/b_c': 3, 'a_b/c': 4}
    for name, count in counts.items():
        blank_bag(tmp_path / name, count)
    bags, output = tmp_path / 'bags', tmp_path / 'out'
    paths = [str(tmp_path / name) for name in counts]
    arguments = ('-o', str(output), '--jobs', '1', '--features', '--record', str(bags))
    assert main([*paths, *arguments]) == 0
    rows = {path.stem: len(path.read_text().splitlines()) - 1 for path in output.rglob('a_*.csv')}
    assert rows == {'a_b_c': 2, 'a_b_c_2': 4}
    assert sorted(path.name for path in bags.iterdir()) == [
        *('a_b_c.mcap', 'a_b_c_2.mcap', 'q_b_c.mcap'),
    ]


def test_a_recording_is_replayed_again_where_it_is_called_otherwise(tmp_path):
    one, other = (str(blank_bag(tmp_path / folder / 'walk')) for folder in 'ab')
    for bags, kept in (([one], 1), ([one, other], 3), ([other], 4), ([one], 4)):
        assert main([*bags, '-o', str(tmp_path / 'out'), '--jobs', '1']) == 0
        assert len(list((tmp_path / 'out' / 'kept').iterdir())) == kept


def test_labels_and_outputs_in_a_recording_s_folder_make_no_other_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(blank_bag(tmp_path / 'walk'))
    for labels in ('', LABELS, LABELS.replace('happy', 'sad')):
        if labels:
            Path('walk.csv').write_text(labels)
        assert main(['.', '-o', 'out', '--jobs', '1']) == 0
        assert len(list(Path('out', 'kept').iterdir())) == 1
    (bag,) = Path().glob('*.mcap')
    os.utime(bag, ns=(START_NS, START_NS))
    assert main(['.', '-o', 'out', '--jobs', '1']) == 0
    assert len(list(Path('out', 'kept').iterdir())) == 2


@pytest.mark.parametrize('names', [['walk_0'], ['walk_0', 'walk_1']])
def test_what_was_recorded_into_the_folder_is_no_recording_of_it(tmp_path, capfd, names):
    day = tmp_path / 'day'
    bags = [blank_bag(day / name) for name in names]
    assert recordings_to_replay(day) == bags
    for record in ('day/rec.mcap', 'day/rec.mcap', 'day/rec'):
        arguments = ('-o', str(day), '--record', str(tmp_path / record), '--with-input')
        assert main([str(day), '--jobs', '1', *arguments]) == 0
    assert recordings_to_replay(day) == bags
    assert recordings_to_replay(day / 'rec') == [day / 'rec']


def test_a_bag_file_and_a_folder_of_the_same_name_are_recorded_into_two_files():
    assert file_names(['walk', 'walk']) == ['walk', 'walk_2']
    assert file_names(['walk_2', 'walk', 'walk']) == ['walk_2', 'walk', 'walk_3']


def test_landmarks_without_the_table_are_refused(folder, tmp_path, capfd):
    assert main([str(folder), '-o', str(tmp_path / 'out'), '--landmarks']) == 2
    assert 'give --features too' in capfd.readouterr().err


# Recordings replayed by a cluster's workers are those that this machine replays.


def test_a_worker_in_another_folder_finds_every_file_that_parameters_name(
    tmp_path, monkeypatch, landmarker_path
):
    for file in find_encoding(DEFAULT_ENCODING).parent.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / 'mine').symlink_to(find_model('basic7'))
    (tmp_path / 'lm.task').symlink_to(landmarker_path)
    monkeypatch.chdir(blank_bag(tmp_path / 'walk').parent)
    named = {'model': './mine', 'encoding': f'./{DEFAULT_ENCODING}.npz', 'landmarker': 'lm.task'}
    values = {**named, 'detector': 'not_sought.onnx', 'detection_rate_hz': 0.0}
    settings = Settings(read_parameters().changed(values), Selection(), '', 30.0)
    here = Job('walk', Path('walk'), settings, Path('here.json'))
    there = with_absolute_paths(replace(here, kept=Path('there.json')))
    expected = run_job(here)
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run_job(there) == expected
    assert there.kept.read_bytes() == (tmp_path / 'here.json').read_bytes()
    assert list(elsewhere.iterdir()) == []
    assert there.settings.parameters.blendshape_node['detector'] == (
        str(tmp_path / 'not_sought.onnx')
    )
    shipped = replace(here, settings=replace(settings, parameters=read_parameters()))
    assert with_absolute_paths(shipped).settings.parameters == read_parameters()


@pytest.fixture
def mortal_cluster(tmp_path):
    """Two workers without nannies: one that is killed does not come back."""
    folder = tmp_path / 'dask'
    folder.mkdir()
    with DaskCluster(folder, 2, nanny=False) as two:
        yield two


def jobs_of(paths, folder):
    settings = Settings(read_parameters(), Selection(), '', 30.0)
    return [
        Job(p.name, p, settings, folder / f'{p.name}.json', folder / f'{p.name}.mcap')
        for p in paths
    ]


@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_costs_no_recording(mortal_cluster, tmp_path, media, monkeypatch):
    blank_bag(tmp_path / 'long', 300)
    (tmp_path / 'clip.mp4').symlink_to(media('single_face.mp4'))
    # The workers run in another folder, where these paths mean nothing.
    monkeypatch.chdir(tmp_path)
    paths = [Path(name) for name in ('long', 'clip.mp4')]
    here, there = (jobs_of(paths, tmp_path / name) for name in ('here', 'there'))
    events = run_jobs(here, 2, tmp_path / 'log')
    assert [event.problem for event in events if isinstance(event, Finished)] == ['', '']
    finished, read, killed = [], [], None
    for event in run_jobs(there, 2, tmp_path / 'log', mortal_cluster.address):
        if isinstance(event, Finished):
            finished.append((event.job.name, event.problem))
            continue
        read.append(event.read)
        if killed is None and event.read:
            killed = mortal_cluster.pids()[0]
            os.kill(killed, signal.SIGKILL)
    assert sorted(finished) == [('clip.mp4', ''), ('long', '')]
    assert killed not in mortal_cluster.pids()
    assert max(read) > 0
    for one, other in zip(here, there):
        assert one.kept.read_bytes() == other.kept.read_bytes()
        assert one.record.read_bytes() == other.record.read_bytes()


@pytest.mark.timeout(600)
def test_ctrl_c_keeps_what_the_workers_have_finished(tmp_path):
    output, folder = tmp_path / 'out', tmp_path / 'dask'
    folder.mkdir()
    bags = [str(blank_bag(tmp_path / 'short', 1)), str(blank_bag(tmp_path / 'long', 6000))]
    with DaskCluster(folder, 1) as cluster:
        (worker,) = cluster.pids()
        command = [sys.executable, '-m', 'emotion_estimator.evaluation.cli', *bags, '--features']
        # One recording is done, and the worker has begun the table of the other one.
        status, said = stopped(
            [*command, '--scheduler', cluster.address, '-o', str(output)],
            lambda: (
                list((output / 'kept').glob('*.json'))
                and list((output / 'features').glob('.long*'))
            ),
        )
        assert status == 130
        assert '1 of 2 recordings are finished and kept' in said
        deadline_s = time.monotonic() + 30
        while worker in cluster.pids():
            assert time.monotonic() < deadline_s, 'the worker goes on with what nobody awaits'
            time.sleep(0.1)  # no event tells of a process


@pytest.mark.timeout(600)
def test_a_disk_that_is_not_shared_is_stated(mortal_cluster, tmp_path):
    (job,) = jobs_of([blank_bag(tmp_path / 'bag', 2)], tmp_path / 'out')
    # Names another place in each process.
    elsewhere = replace(job, kept=Path('/proc/self/cwd/kept-elsewhere.json'))
    *_, last = run_jobs([elsewhere], 1, tmp_path / 'log', mortal_cluster.address)
    assert 'must lie on a disk that it shares with this machine' in last.problem
