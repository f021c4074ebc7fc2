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
