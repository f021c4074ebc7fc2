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

"""The linter ament_pep257, where ROS has it."""

import pytest

linter = pytest.importorskip(
    'ament_pep257.main', reason='ament_pep257 is not installed; ROS has it.'
)

# ruff asks for the imperative mood, but of properties; names keep their capitals.
# ruff asks for the imperative mood too, but not of properties; names keep their capitals.
OTHERWISE = ('D401', 'D403')


@pytest.mark.linter
def test_pep257():
    folders = ['emotion_estimator', 'test', 'launch']
    assert linter.main(argv=[*folders, '--add-ignore', *OTHERWISE]) == 0
