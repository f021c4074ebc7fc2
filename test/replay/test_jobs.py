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

"""Where outputs of several recordings are put: over nothing that is read, each under its name."""

import json
import os

import numpy as np
import pytest
from helpers.bags import camera_bag

from emotion_estimator.evaluation.cli import main
from emotion_estimator.replay.recordings import file_names

pytestmark = pytest.mark.usefixtures('landmarker_path')
LABELS = 'start_s,end_s,face,emotion\n0,0.5,,happy\n'


def blank_bag(path, count=2):
    return camera_bag(path, [np.full((32, 32, 3), 90, np.uint8)] * count)


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
    said = capfd.readouterr().err
    assert said.startswith(f'{output / name} cannot be written: it is a folder.')
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
