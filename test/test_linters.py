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

"""The ament linters, where ROS has them."""

import pytest

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
