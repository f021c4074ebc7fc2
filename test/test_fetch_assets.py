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

"""The command `fetch_assets`: what it says, where it puts what, and its exit status."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest
from asset_servers import environment, isolate, serving, silent

from emotion_estimator import fetch_assets
from emotion_estimator.assets import Asset, find_asset
from emotion_estimator.files import write_whole

NAMES = ('landmarker', 'detector', 'clip')


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publish small files in the place of the real ones; gives the assets by name."""
    isolate(monkeypatch, tmp_path)
    made = {}
    for name in NAMES:
        write_whole(tmp_path / 'published' / name, name.encode())
        folder, loss = {
            'landmarker': ('models', ''),
            'detector': ('models', 'Far faces are not found.'),
            'clip': ('media/clips', ''),
        }[name]
        made[name] = Asset(
            name=name,
            sha256=hashlib.sha256(name.encode()).hexdigest(),
            licence=f'licence of {name}',
            url=(tmp_path / 'published' / name).as_uri(),
            folder=folder,
            loss=loss,
        )
    monkeypatch.setattr(fetch_assets, 'FACE_LANDMARKER', made['landmarker'])
    monkeypatch.setattr(fetch_assets, 'FACE_DETECTOR', made['detector'])
    monkeypatch.setattr(fetch_assets, 'MEDIA', {'clip': made['clip']})
    monkeypatch.setattr(fetch_assets, 'log_to_terminal', lambda: None)
    return made


def test_it_names_each_file_its_licence_and_where_it_came_from(published, tmp_path, capsys):
    cache = tmp_path / 'cache' / 'emotion_estimator'
    assert fetch_assets.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f'{name} (licence of {name}): {cache / name}, from {published[name].url}'
        for name in NAMES[:2]
    ]
    assert fetch_assets.main(['--demo']) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.endswith(f'{cache}/landmarker, from {cache}/landmarker')
    assert second.endswith(f'{cache}/detector, from {cache}/detector')
    assert third.endswith(f'{cache}/clip, from {published["clip"].url}')


def test_a_folder_that_it_filled_serves_a_machine_without_a_network(
    published, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / 'stick'
    assert fetch_assets.main(['--to', str(folder), '--demo']) == 0
    said = capsys.readouterr().out
    there = ('models/landmarker', 'models/detector', 'media/clips/clip')
    assert all(f'{folder / path}, from file:' in said for path in there)
    for name in NAMES:
        (tmp_path / 'published' / name).unlink()
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(folder))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'another'))
    assert [find_asset(published[name]) for name in NAMES] == [folder / path for path in there]


def test_without_the_landmarker_it_fails_and_still_fetches_the_rest(published, tmp_path, capsys):
    (tmp_path / 'published' / 'landmarker').unlink()
    assert fetch_assets.main([]) == 1
    said = capsys.readouterr()
    complaints = [line for line in said.err.splitlines() if not line.startswith('[INFO]')]
    assert len(complaints) == 1
    assert complaints[0].startswith('landmarker is not on this machine')
    assert said.out.startswith('detector ')


def test_without_the_detector_it_says_what_is_lost_and_succeeds(published, tmp_path, capsys):
    (tmp_path / 'published' / 'detector').unlink()
    assert fetch_assets.main([]) == 0
    said = capsys.readouterr()
    complaints = [line for line in said.err.splitlines() if not line.startswith('[INFO]')]
    assert len(complaints) == 1
    assert complaints[0].startswith('Far faces are not found. detector is not on this machine')
    assert said.out.startswith('landmarker ')


def test_a_folder_that_cannot_be_written_is_told(published, tmp_path, capsys):
    (tmp_path / 'file').write_text('no folder')
    assert fetch_assets.main(['--to', str(tmp_path / 'file')]) == 2
    said = capsys.readouterr()
    assert 'file/models/landmarker cannot be written: ' in said.err
    assert 'give another --to' in said.err
    assert said.out == ''


def test_a_wrong_argument_is_refused(published, capsys):
    with pytest.raises(SystemExit) as ended:
        fetch_assets.main(['--too'])
    assert ended.value.code == 2
    assert 'usage: ' in capsys.readouterr().err


def test_ctrl_c_during_a_download_ends_it_with_a_sentence(tmp_path):
    with serving(silent) as server:
        process = subprocess.Popen(
            [sys.executable, '-m', 'emotion_estimator.fetch_assets'],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                **environment(tmp_path, server.url),
                'https_proxy': server.url,
                'HTTPS_PROXY': server.url,
            },
            # Tests that a shell runs in the background inherit that the signal is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert server.asked.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said == 'Stopped; what was fetched is kept.\n'
