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

"""Files are found, and written whole or not at all."""

import hashlib
import resource

import pytest

from emotion_estimator import files
from emotion_estimator.files import (
    LEAST_FREE_BYTES,
    AssetError,
    OutputError,
    WholeFile,
    check_output,
    find_encoding,
    find_model,
    find_shared_file,
    sha256_of,
    write_whole,
)


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


def test_what_pip_installed_has_its_files_in_the_same_environment(tmp_path, monkeypatch):
    package = tmp_path / 'lib' / 'python3.12' / 'site-packages' / 'emotion_estimator'
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
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'file'
    write_whole(path, b'first')
    with pytest.raises(TypeError):
        write_whole(path, 'no bytes')
    assert path.read_bytes() == b'first'
    assert [p.name for p in tmp_path.iterdir()] == ['file']
    assert sha256_of(path) == hashlib.sha256(b'first').hexdigest()


def test_a_file_that_grows_stands_under_its_name_when_it_is_finished(tmp_path):
    path = tmp_path / 'new' / 'table.csv'
    whole = WholeFile(path, text=True)
    whole.file.write('Gr\u00fc\u00dfe\r\n')
    assert not path.exists()
    whole.finish()
    whole.close()
    assert path.read_bytes() == b'Gr\xc3\xbc\xc3\x9fe\r\n'
    assert path.stat().st_mode & 0o777 == 0o644
    dropped = WholeFile(tmp_path / 'dropped' / 'table.csv', text=True)
    dropped.file.write('half of it')
    dropped.close()
    assert [p.name for p in tmp_path.iterdir()] == ['new']
    assert [p.name for p in path.parent.iterdir()] == ['table.csv']
