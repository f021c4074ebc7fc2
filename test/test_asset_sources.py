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

"""Assets are fetched; a source that does not give what it should costs a sentence, little time."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from helpers.asset_servers import (
    PROXIES,
    closed_url,
    dripping,
    environment,
    isolate,
    patience,
    sending,
    serving,
    silent,
    write_wheel,
)

from emotion_estimator import asset_sources, assets
from emotion_estimator.asset_sources import SourceError, Wheel, download, read_wheel
from emotion_estimator.assets import Asset, find_asset
from emotion_estimator.files import AssetError, write_whole

CONTENT = b'a model' * 1000
LONGEST_S = 15.0  # within which every source must have given a sentence
MEMBER = 'made/model.bin'


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No other folder, index or proxy counts."""
    isolate(monkeypatch, tmp_path)


@pytest.fixture(autouse=True)
def in_time():
    """No test may take longer than a source."""
    start_s = time.monotonic()
    yield
    assert time.monotonic() - start_s < LONGEST_S * patience()


def sum_of(content):
    return hashlib.sha256(content).hexdigest()


def wheel_of(path):
    return Wheel('made==1.0', sum_of(path.read_bytes()), 'none')


@pytest.fixture
def links(monkeypatch, tmp_path):
    """Let pip look into a folder in the place of an index."""
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path / 'links'))
    return tmp_path / 'links'


def test_what_the_publisher_sends_is_downloaded():
    with serving(sending(CONTENT)) as publisher:
        assert download(publisher.url) == CONTENT


@pytest.mark.parametrize(
    'behave, sentence',
    [
        (silent, 'nothing came for 0.4 s'),
        (dripping, 'nothing came for 0.6 s'),
        (sending(b'', length=5), ''),
    ],
)
def test_a_publisher_that_does_not_send_is_given_up(behave, sentence):
    with serving(behave) as publisher:
        try:
            # 3.11 takes an answer that ends early for a short one; its checksum tells.
            assert download(publisher.url, connect_s=0.4, stall_s=0.6) == b''
        except SourceError as error:
            assert sentence in str(error)
            assert '\n' not in str(error)


@pytest.mark.parametrize('answer', [b'HTTP/1.1 404 Gone\r\n\r\n', b'SSH-2.0-x\r\n', b'\x00', b''])
def test_an_answer_that_is_no_file_is_reported(answer):
    def behave(server, connection):
        connection.recv(1 << 16)
        connection.sendall(answer)

    with serving(behave) as publisher, pytest.raises(SourceError) as raised:
        download(publisher.url)
    assert str(raised.value)


@pytest.mark.parametrize('url', ['', 'nowhere', 'nonsense://x', 'http://', 'http://127.0.0.1:x'])
def test_an_address_that_is_none_is_reported(url):
    with pytest.raises(SourceError) as raised:
        download(url)
    assert str(raised.value)


@pytest.mark.parametrize(
    'proxy', ['http://nonsense.invalid', 'nonsense://x.invalid', 'http:/', 'http://127.0.0.1:1']
)
def test_a_proxy_that_is_none_is_reported_by_both_sources(monkeypatch, proxy):
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    monkeypatch.setenv('PIP_INDEX_URL', 'https://index.invalid/simple')
    wheel = Wheel('made==1.0', '0' * 64, 'none')
    wanted = Asset('m.bin', '0' * 64, 'none', 'https://publisher.invalid/m.bin', wheel, MEMBER)
    with pytest.raises(AssetError) as raised:
        find_asset(wanted)
    assert is_one_sentence(raised.value)
    assert 'https://publisher.invalid/m.bin: ' in str(raised.value)
    assert 'made==1.0 of the package index: pip: ' in str(raised.value)


def is_one_sentence(error):
    said = str(error)
    return '\n' not in said and 'Traceback' not in said and len(said) < 1500


def test_files_of_a_wheel_are_read_and_nothing_of_it_is_kept(links, tmp_path):
    path = write_wheel(links, {MEMBER: CONTENT, 'made/other': b'other'})
    found = read_wheel(wheel_of(path), [MEMBER, 'made/other'])
    assert found == {MEMBER: CONTENT, 'made/other': b'other'}
    assert list((tmp_path / 'tmp').iterdir()) == []


def test_another_wheel_than_the_expected_is_not_used(links):
    write_wheel(links, {MEMBER: CONTENT})
    with pytest.raises(SourceError, match=r'made-1\.0-.* has another checksum than 000'):
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER])


def test_a_truncated_wheel_is_reported(links):
    path = write_wheel(links, {MEMBER: CONTENT})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match='made') as raised:
        read_wheel(wheel_of(path), [MEMBER])
    assert is_one_sentence(raised.value)


def test_a_wheel_that_lacks_the_file_is_reported(links):
    path = write_wheel(links, {'made/another.bin': CONTENT})
    with pytest.raises(SourceError, match=r"made-1\.0-.*no item named 'made/model\.bin'"):
        read_wheel(wheel_of(path), [MEMBER])


def test_a_file_of_the_wheel_with_another_checksum_is_not_kept(links, tmp_path):
    path = write_wheel(links, {MEMBER: b'something else'})
    wanted = Asset('model.bin', sum_of(CONTENT), 'none', '', wheel_of(path), MEMBER)
    with pytest.raises(AssetError, match=r'its made/model\.bin has another checksum'):
        find_asset(wanted)
    assert not list(tmp_path.rglob('model.bin'))


def test_where_the_publisher_fails_the_wheel_gives_the_file(links):
    path = write_wheel(links, {MEMBER: CONTENT})
    with serving(sending(b'something else')) as publisher:
        wanted = Asset('model.bin', sum_of(CONTENT), 'none', publisher.url, wheel_of(path), MEMBER)
        assert find_asset(wanted).read_bytes() == CONTENT
        assert publisher.count == 1


def test_an_index_that_is_not_there_is_reported(monkeypatch):
    monkeypatch.setenv('PIP_INDEX_URL', f'{closed_url()}/simple')
    with pytest.raises(SourceError, match=r'^pip: .*http://127\.0\.0\.1.* refused') as raised:
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER])
    assert is_one_sentence(raised.value)


@pytest.mark.parametrize('behave', [silent, dripping])
def test_an_index_that_says_nothing_is_given_up(monkeypatch, behave, tmp_path):
    with serving(behave) as index:
        monkeypatch.setenv('PIP_INDEX_URL', f'{index.url}/simple')
        with pytest.raises(SourceError, match='pip') as raised:
            read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER], stall_s=3.0)
    assert is_one_sentence(raised.value)
    assert list((tmp_path / 'tmp').iterdir()) == []


def test_where_all_sources_say_nothing_one_sentence_names_both_and_the_way_out(monkeypatch):
    with serving(silent) as server:
        monkeypatch.setenv('PIP_INDEX_URL', f'{server.url}/simple')
        wheel = Wheel('made==1.0', '0' * 64, 'none')
        wanted = Asset('m.bin', '0' * 64, 'none', f'{server.url}/m.bin', wheel, MEMBER)
        with pytest.raises(AssetError) as raised:
            find_asset(wanted)
    assert is_one_sentence(raised.value)
    for part in (f'{server.url}/m.bin: nothing came for 3 s', 'made==1.0', 'fetch_assets --to'):
        assert part in str(raised.value)


@pytest.fixture
def python(monkeypatch, tmp_path):
    """Let a shell script run in the place of Python and pip; its folder is pip's."""

    def stub(script):
        path = tmp_path / 'python'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setattr(sys, 'executable', str(path))

    return stub


def test_a_pip_that_takes_long_to_start_is_waited_for(python, tmp_path):
    path = write_wheel(tmp_path, {MEMBER: CONTENT})
    python(f'sleep 1.5; echo Looking; cp {path} wheel/')
    assert read_wheel(wheel_of(path), [MEMBER], stall_s=0.7) == {MEMBER: CONTENT}


def test_a_pip_that_hangs_is_given_up(python):
    python('echo Looking; exec sleep 60')
    with pytest.raises(SourceError, match=r'got nothing from the package index for 0\.7 s'):
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER], stall_s=0.7)


def test_a_python_without_pip_says_how_to_get_it(monkeypatch, tmp_path):
    subprocess.run(
        [sys.executable, '-m', 'venv', '--without-pip', tmp_path / 'bare'], check=True, timeout=60
    )
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'bare' / 'bin' / 'python'))
    monkeypatch.delenv('PYTHONPATH', raising=False)
    with pytest.raises(SourceError, match=r'bare/bin/python has no pip; install it'):
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER])


@pytest.mark.parametrize('executable', ['/nowhere/python', '', None])
def test_a_python_that_cannot_be_run_is_reported(monkeypatch, executable):
    monkeypatch.setattr(sys, 'executable', executable)
    with pytest.raises(SourceError, match='pip'):
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER])


@pytest.mark.parametrize('wrong', ['[global]\nindex-url', 'no section', '[global]\ntimeout = x'])
def test_a_pip_configuration_that_is_wrong_is_reported(monkeypatch, tmp_path, wrong):
    (tmp_path / 'pip.conf').write_text(wrong)
    monkeypatch.setenv('PIP_CONFIG_FILE', str(tmp_path / 'pip.conf'))
    with pytest.raises(SourceError, match=r'^pip: \w') as raised:
        read_wheel(Wheel('made==1.0', '0' * 64, 'none'), [MEMBER])
    assert is_one_sentence(raised.value)


def test_without_room_for_a_wheel_a_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'nowhere'))
    monkeypatch.setattr(assets, 'read_wheel', partial(read_wheel, stall_s=2.0))
    wanted = Asset('m.bin', '0' * 64, 'none', '', Wheel('made==1.0', '0' * 64, 'none'), MEMBER)
    with pytest.raises(AssetError, match='nowhere') as raised:
        find_asset(wanted)
    assert is_one_sentence(raised.value)


# The command `fetch_assets`: what it says, where it puts what, and its exit status.


NAMES = ('landmarker', 'detector', 'clip')


@pytest.fixture
def all_published(tmp_path, monkeypatch):
    """Publish small files in the place of the real ones; gives the assets by name."""
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
            sha256=sum_of(name.encode()),
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


@pytest.mark.parametrize(
    ('lost', 'status', 'complaint', 'fetched', 'elsewhere'),
    [
        ('landmarker', 1, 'landmarker is not', 'detector ', 'fetch_assets --to'),
        ('detector', 0, 'Far faces are not found. detector is', 'landmarker ', 'assets --to'),
        ('clip', 1, 'clip is not on this', 'landmarker ', 'fetch_assets --demo --to'),
    ],
)
def test_what_cannot_be_fetched_is_reported_and_the_rest_fetched(
    all_published, tmp_path, capsys, lost, status, complaint, fetched, elsewhere
):
    """Without the landmarker nothing works; without the detector far faces are lost."""
    (tmp_path / 'published' / lost).unlink()
    assert assets.main(['--demo']) == status
    said = capsys.readouterr()
    complaints = [line for line in said.err.splitlines() if not line.startswith('[INFO]')]
    assert len(complaints) == 1
    assert complaints[0].startswith(complaint) and elsewhere in complaints[0]
    assert said.out.startswith(fetched)


def test_a_folder_that_cannot_be_written_is_reported(all_published, tmp_path, capsys):
    (tmp_path / 'file').write_text('no folder')
    (tmp_path / 'models' / assets.FACE_DETECTOR.name).mkdir(parents=True)
    for to, reason in ((tmp_path / 'file', 'file is a file, not'), (tmp_path, 'it is a folder')):
        assert assets.main(['--to', str(to)]) == 2
        said = capsys.readouterr()
        assert said.err.startswith(str(to)) and reason in said.err and said.out == ''


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


def test_folders_that_pip_removes_meanwhile_are_passed_over(tmp_path):
    loop = f'while :; do mkdir -p {tmp_path}/a/b; rm -r {tmp_path}/a; done'
    with subprocess.Popen(['sh', '-c', loop]) as pip:
        try:
            assert {asset_sources._stored_bytes(tmp_path) for _ in range(20_000)} == {0}
        finally:
            pip.kill()
