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

import pytest

from emotion_estimator.assets import Asset, find_asset
from emotion_estimator.files import (
    AssetError,
    write_whole,
)

CONTENT = b'a model'


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publish an asset by a file address; assets folder and cache are empty folders."""
    source = tmp_path / 'published' / 'model.bin'
    write_whole(source, CONTENT)
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path / 'assets'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
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
