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

"""What ships is found by name and path; files are written whole or not at all."""

import hashlib

import pytest

from emotion_estimator import files
from emotion_estimator.files import (
    AssetError,
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


def test_a_checkout_uses_its_own_files_whatever_is_installed(tmp_path, monkeypatch):
    """Else an old build would lend its models to the code that was edited since."""
    checkout = tmp_path / 'checkout'
    for path in (checkout / 'package.xml', checkout / 'config' / 'a.yaml'):
        write_whole(path, b'')
    write_whole(tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml', b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(checkout / 'emotion_estimator' / 'files.py'))
    assert find_shared_file('config/a.yaml') == checkout / 'config' / 'a.yaml'


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'file'
    write_whole(path, b'first')
    with pytest.raises(TypeError):
        write_whole(path, 'no bytes')
    assert path.read_bytes() == b'first'
    assert [p.name for p in tmp_path.iterdir()] == ['file']
    assert sha256_of(path) == hashlib.sha256(b'first').hexdigest()
