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

"""What the package states of itself agrees with itself."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from emotion_estimator import files
from emotion_estimator.files import (
    LEAST_FREE_BYTES,
    AssetError,
    OutputError,
    check_output,
    find_encoding,
    find_model,
    find_shared_file,
    sha256_of,
    write_whole,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def manifest():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def test_name_version_and_maintainer_are_the_same_everywhere(manifest):
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    version = manifest.findtext('version')
    assert f"version='{version}'" in setup
    assert manifest.findtext('name') == 'emotion_estimator'
    assert manifest.find('maintainer').get('email') == 'maintainers@example.com'
    changelog = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    assert re.search(rf'^{re.escape(version)}|^Forthcoming', changelog, re.MULTILINE)


def test_dependencies_are_named_once_and_every_imported_package_is_there(manifest):
    names = [element.text for element in manifest.iter('exec_depend')]
    assert len(names) == len(set(names))
    assert {'rclpy', 'vision_msgs', 'hri_msgs', 'python3-mediapipe-pip', 'cv_bridge'} <= set(names)


def test_the_build_type_is_ament_python(manifest):
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert (ROOT / 'resource' / 'emotion_estimator').is_file()


# What `make setup` installs is pinned down to the checksum, for every environment.


REQUIREMENTS = {
    'kilted': ('dev/requirements.txt', 'dev/requirements-kilted.txt'),
    'jazzy': ('dev/requirements.txt', 'dev/requirements-jazzy.txt'),
    'training': ('training/requirements.txt',),
    'uv': ('dev/requirements-uv.txt',),
}
LOCKED = re.compile(r'([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)')


def read_lock(name: str) -> list[str]:
    """
    Read a lock.

    :param name: of its environment.
    :returns: a line for each package, without comments.
    """
    text = (ROOT / f'dev/locked-{name}.txt').read_text()
    text = re.sub(r'\\\n *', '', re.sub(r'^ *#.*\n', '', text, flags=re.MULTILINE))
    return text.splitlines()


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_lock_holds_what_the_requirements_ask_for(name: str) -> None:
    """A pin that was changed without `make lock` would not be installed."""
    locked = {line.partition(' ')[0] for line in read_lock(name)}
    text = ''.join((ROOT / file).read_text() for file in REQUIREMENTS[name])
    wanted = re.sub(r'#.*|\[.*?\]', '', text).lower().split()
    assert wanted
    assert [pin for pin in wanted if pin not in locked] == []


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_every_locked_package_has_a_checksum(name: str) -> None:
    """One version with its sums a package, none twice, from no index of somebody's own."""
    matches = [LOCKED.fullmatch(line) for line in read_lock(name)]
    assert all(matches)
    names = [match.group(1) for match in matches if match]
    assert len(names) == len(set(names))
    assert '/' not in ''.join(read_lock(name))


# What ships is found by name and path; files are written whole or not at all.


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
        with pytest.raises(AssetError, match=r'There is no face encoding .*there: v1, v2\.'):
            find_encoding(name)


def test_an_installed_package_finds_its_files_through_the_ament_prefix(tmp_path, monkeypatch):
    installed = tmp_path / 'share' / 'emotion_estimator' / 'config' / 'emotion_estimator.yaml'
    write_whole(installed, b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}')
    monkeypatch.setattr(files, '__file__', str(tmp_path / 'lib' / 'emotion_estimator' / 'x.py'))
    assert find_shared_file('config/emotion_estimator.yaml') == installed
    with pytest.raises(AssetError, match=r'nowhere\.yaml'):
        find_shared_file('nowhere.yaml')


def test_a_checkout_uses_its_own_files_whatever_is_installed(tmp_path, monkeypatch):
    """Else an old build would lend its models to the code that was edited since."""
    checkout = tmp_path / 'checkout'
    for path in (checkout / 'package.xml', checkout / 'config' / 'a.yaml'):
        write_whole(path, b'')
    write_whole(tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml', b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(checkout / 'emotion_estimator' / 'files.py'))
    assert find_shared_file('config/a.yaml') == checkout / 'config' / 'a.yaml'


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left_there(tmp_path):
    (tmp_path / 'file').write_text('no folder')
    for place in (tmp_path / 'file', tmp_path / 'file' / 'run'):
        with pytest.raises(OutputError, match='file is a file, not a folder') as caught:
            check_output(place)
        assert str(caught.value).startswith(f'{place} cannot be written: ')
    with pytest.raises(OutputError, match='cannot be written: Is a directory'):
        write_whole(tmp_path, b'content')
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST_FREE_BYTES // 2, limit[1]))
    try:
        with pytest.raises(OutputError, match='out/run cannot be written: File too large'):
            check_output(tmp_path / 'out' / 'run')
        with pytest.raises(OutputError, match=r'a\.bin cannot be written: File too large'):
            write_whole(tmp_path / 'made' / 'a.bin', bytes(LEAST_FREE_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ['file']
    check_output(tmp_path / 'out' / 'run')
    assert list((tmp_path / 'out').iterdir()) == [tmp_path / 'out' / 'run']


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'file'
    write_whole(path, b'first')
    with pytest.raises(TypeError):
        write_whole(path, 'no bytes')
    assert path.read_bytes() == b'first'
    assert [p.name for p in tmp_path.iterdir()] == ['file']
    assert sha256_of(path) == hashlib.sha256(b'first').hexdigest()


# The ament linters, where ROS has them.


FOLDERS = ['emotion_estimator', 'test', 'launch']
ARGUMENTS = {
    'ament_copyright': FOLDERS,
    'ament_flake8': ['--config', 'setup.cfg', *FOLDERS],
    # ruff asks for the imperative mood too, but not of properties; names keep their capitals.
    'ament_pep257': [*FOLDERS, '--add-ignore', 'D401', 'D403'],
    'ament_xmllint': ['package.xml'],
}


@pytest.mark.linter
@pytest.mark.parametrize('name', ARGUMENTS)
def test_an_ament_linter_has_nothing_to_say(name):
    linter = pytest.importorskip(f'{name}.main', reason=f'{name} is not installed; ROS has it.')
    assert linter.main(argv=ARGUMENTS[name]) == 0


@pytest.mark.skipif(shutil.which('make') is None, reason='needs make')
def test_make_hands_a_path_with_an_apostrophe_on_as_it_is():
    given = ['VIDEO=it\'s "me" & you.mp4', "MODEL=it's"]
    printed = subprocess.run(
        ['make', '-n', 'demo', *given], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    command = printed[printed.index('--video') :]
    words = subprocess.run(
        ['sh', '-c', f'printf "%s\\n" {command}'],
        env={**os.environ, **dict(one.split('=', 1) for one in given)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words == ['--video', 'it\'s "me" & you.mp4', '--model', "it's"]
