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

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

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
