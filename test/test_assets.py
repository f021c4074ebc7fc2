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

"""Files are found, verified, downloaded once, and written whole or not at all."""

import hashlib
import logging
import os
import signal
import subprocess
import sys
import tempfile

import pytest
from helpers.asset_servers import environment, isolate, sending, serving, silent

from emotion_estimator import assets
from emotion_estimator.assets import Asset, find_asset, find_media, obtain
from emotion_estimator.files import AssetError, write_whole

CONTENT = b'a model'


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publish an asset by a file address; assets folder and cache are empty folders."""
    source = tmp_path / 'published' / 'model.bin'
    write_whole(source, CONTENT)
    isolate(monkeypatch, tmp_path)
    return Asset('model.bin', hashlib.sha256(CONTENT).hexdigest(), 'none', source.as_uri())


def test_an_asset_is_downloaded_once_into_the_cache(published, tmp_path):
    path = find_asset(published)
    assert path == tmp_path / 'cache' / 'emotion_estimator' / 'model.bin'
    (tmp_path / 'published' / 'model.bin').unlink()
    assert find_asset(published) == path


@pytest.mark.parametrize('folder', ['assets', 'assets/models'])
def test_the_assets_folder_comes_before_the_cache(published, tmp_path, folder):
    find_asset(published)
    write_whole(tmp_path / folder / 'model.bin', CONTENT)
    assert find_asset(published) == tmp_path / folder / 'model.bin'


def test_a_file_with_another_sum_is_not_used(published, tmp_path):
    write_whole(tmp_path / 'assets' / 'model.bin', CONTENT[:3])
    assert find_asset(published) == tmp_path / 'cache' / 'emotion_estimator' / 'model.bin'


def test_a_download_with_another_sum_is_not_kept(published, tmp_path):
    write_whole(tmp_path / 'published' / 'model.bin', b'something else')
    with pytest.raises(AssetError, match='another checksum'):
        find_asset(published)
    assert not list((tmp_path / 'cache').rglob('*.bin'))


def test_without_the_file_and_the_network_a_sentence_says_what_to_do(published, tmp_path):
    (tmp_path / 'published' / 'model.bin').unlink()
    with pytest.raises(AssetError, match=r'fetch_assets --to FOLDER'):
        find_asset(published)


def test_where_it_was_found_or_came_from_is_reported(published, tmp_path):
    assert obtain(published).source == published.url
    kept = tmp_path / 'cache' / 'emotion_estimator' / 'model.bin'
    assert obtain(published).source == str(kept)


def test_without_leave_the_network_is_not_asked(published):
    with pytest.raises(AssetError, match='`ros2 run emotion_estimator fetch_assets` fetches it'):
        find_asset(published, fetch=False)


def test_a_damaged_file_in_the_cache_is_fetched_again_and_replaced(published, tmp_path, caplog):
    kept = tmp_path / 'cache' / 'emotion_estimator' / 'model.bin'
    write_whole(kept, CONTENT[:3])
    assert find_asset(published) == kept
    assert kept.read_bytes() == CONTENT
    assert f'{kept} is not the published model.bin: its checksum differs' in caplog.text


def test_what_lies_in_the_place_of_a_file_and_is_none_is_passed_over(published, tmp_path):
    (tmp_path / 'assets' / 'model.bin').mkdir(parents=True)
    (tmp_path / 'assets' / 'models').mkdir()
    os.mkfifo(tmp_path / 'assets' / 'models' / 'model.bin')
    assert find_asset(published) == tmp_path / 'cache' / 'emotion_estimator' / 'model.bin'


def unwritable(tmp_path):
    """Name folders that nobody can make, not even root."""
    (tmp_path / 'file').write_text('no folder')
    return [tmp_path / 'file', tmp_path / ('long' * 100), '/proc/self']


@pytest.mark.parametrize('which', range(3))
def test_a_cache_that_cannot_be_written_costs_a_warning(
    published, tmp_path, monkeypatch, caplog, which
):
    monkeypatch.setenv('XDG_CACHE_HOME', str(unwritable(tmp_path)[which]))
    path = find_asset(published)
    assert path.parent.parent == tmp_path / 'tmp'
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_bytes() == CONTENT
    assert caplog.text.count('The cache cannot be written') == 1
    (tmp_path / 'published' / 'model.bin').unlink()
    assert find_asset(published) == path


def test_a_temporary_folder_that_is_taken_is_not_used(published, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(unwritable(tmp_path)[0]))
    taken = tmp_path / 'tmp' / f'emotion_estimator-{os.getuid()}'
    (tmp_path / 'elsewhere').mkdir()
    taken.symlink_to(tmp_path / 'elsewhere')
    path = find_asset(published)
    assert path.read_bytes() == CONTENT
    assert path.parent != taken
    assert not list((tmp_path / 'elsewhere').iterdir())
    taken.unlink()
    taken.write_text('no folder')
    assert find_asset(published).read_bytes() == CONTENT


def test_where_nothing_can_be_written_a_sentence_says_so(published, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(unwritable(tmp_path)[0]))
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'nowhere'))
    with pytest.raises(AssetError, match=r'cannot be fetched: .*nowhere'):
        find_asset(published)


def test_a_machine_without_a_temporary_folder_finds_what_is_there(published, monkeypatch):
    def none():
        raise FileNotFoundError('No usable temporary directory found')

    monkeypatch.setattr(tempfile, 'gettempdir', none)
    path = find_asset(published)
    assert find_asset(published, fetch=False) == path


def test_two_processes_that_want_the_same_file_fetch_it_once(tmp_path):
    seeking = [
        sys.executable,
        '-c',
        'import sys\n'
        'from emotion_estimator.assets import Asset, find_asset\n'
        'print("seeking", flush=True)\n'
        'print(find_asset(Asset("model.bin", sys.argv[1], "none", sys.argv[2])), flush=True)\n',
        hashlib.sha256(CONTENT).hexdigest(),
    ]
    sent = sending(CONTENT)
    processes = []

    def start(url):
        process = subprocess.Popen(
            [*seeking, url],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment(tmp_path, 'http://127.0.0.1:1')},
        )
        processes.append(process)
        assert process.stdout.readline() == 'seeking\n'

    def behave(server, connection):
        # The second one seeks while the first one downloads.
        if len(processes) == 1:
            start(server.url)
        sent(server, connection)

    with serving(behave) as server:
        start(server.url)
        found = [processes[0].communicate(timeout=30)[0]]
        found.append(processes[1].communicate(timeout=30)[0])
        assert server.count == 1
    assert found == 2 * [f'{tmp_path}/cache/emotion_estimator/model.bin\n']
    assert [process.returncode for process in processes] == [0, 0]


def test_a_medium_that_no_index_holds_is_sought_in_the_assets_folder(published, tmp_path):
    with pytest.raises(AssetError, match=r'mine\.jpg is in no package index'):
        find_media('mine.jpg')
    write_whole(tmp_path / 'assets' / 'media' / 'deep' / 'mine.jpg', CONTENT)
    assert find_media('mine.jpg') == tmp_path / 'assets' / 'media' / 'deep' / 'mine.jpg'


def test_what_cannot_be_fetched_ahead_is_logged_more_softly_where_it_may_be_missing(
    published, tmp_path, caplog
):
    (tmp_path / 'published' / 'model.bin').unlink()
    other = Asset('other.bin', '0' * 64, 'none', loss='Far faces are not found.')
    with caplog.at_level(logging.INFO):
        assets.fetch_missing([published, other])
    assert [record.levelname for record in caplog.records] == ['WARNING', 'INFO']
    assert [record.message.split()[0] for record in caplog.records] == ['model.bin', 'other.bin']


# The command `fetch_assets`: what it says, where it puts what, and its exit status.


NAMES = ('landmarker', 'detector', 'clip')


@pytest.fixture
def all_published(tmp_path, monkeypatch):
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
    monkeypatch.setattr(assets, 'FACE_LANDMARKER', made['landmarker'])
    monkeypatch.setattr(assets, 'FACE_DETECTOR', made['detector'])
    monkeypatch.setattr(assets, 'MEDIA', {'clip': made['clip']})
    monkeypatch.setattr(assets, 'log_to_terminal', lambda: None)
    return made


def test_it_names_each_file_its_licence_and_where_it_came_from(all_published, tmp_path, capsys):
    cache = tmp_path / 'cache' / 'emotion_estimator'
    assert assets.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f'{name} (licence of {name}): {cache / name}, from {all_published[name].url}'
        for name in NAMES[:2]
    ]
    assert assets.main(['--demo']) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.endswith(f'{cache}/landmarker, from {cache}/landmarker')
    assert second.endswith(f'{cache}/detector, from {cache}/detector')
    assert third.endswith(f'{cache}/clip, from {all_published["clip"].url}')


def test_a_folder_that_it_filled_serves_a_machine_without_a_network(
    all_published, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / 'stick'
    assert assets.main(['--to', str(folder), '--demo']) == 0
    said = capsys.readouterr().out
    there = ('models/landmarker', 'models/detector', 'media/clips/clip')
    assert all(f'{folder / path}, from file:' in said for path in there)
    for name in NAMES:
        (tmp_path / 'published' / name).unlink()
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(folder))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'another'))
    assert [find_asset(all_published[name]) for name in NAMES] == [folder / path for path in there]


def test_without_the_landmarker_it_fails_and_still_fetches_the_rest(
    all_published, tmp_path, capsys
):
    (tmp_path / 'published' / 'landmarker').unlink()
    assert assets.main([]) == 1
    said = capsys.readouterr()
    complaints = [line for line in said.err.splitlines() if not line.startswith('[INFO]')]
    assert len(complaints) == 1
    assert complaints[0].startswith('landmarker is not on this machine')
    assert said.out.startswith('detector ')


def test_without_the_detector_it_says_what_is_lost_and_succeeds(all_published, tmp_path, capsys):
    (tmp_path / 'published' / 'detector').unlink()
    assert assets.main([]) == 0
    said = capsys.readouterr()
    complaints = [line for line in said.err.splitlines() if not line.startswith('[INFO]')]
    assert len(complaints) == 1
    assert complaints[0].startswith('Far faces are not found. detector is not on this machine')
    assert said.out.startswith('landmarker ')


def test_a_folder_that_cannot_be_written_is_reported(all_published, tmp_path, capsys):
    (tmp_path / 'file').write_text('no folder')
    assert assets.main(['--to', str(tmp_path / 'file')]) == 2
    said = capsys.readouterr()
    assert f'{tmp_path / "file"} cannot be written: ' in said.err
    assert 'is a file, not a folder' in said.err
    assert said.out == ''


def test_a_wrong_argument_is_refused(all_published, capsys):
    with pytest.raises(SystemExit) as ended:
        assets.main(['--too'])
    assert ended.value.code == 2
    assert 'usage: ' in capsys.readouterr().err


def test_ctrl_c_during_a_download_ends_it_with_a_sentence(tmp_path):
    with serving(silent) as server:
        process = subprocess.Popen(
            [sys.executable, '-m', 'emotion_estimator.assets'],
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
