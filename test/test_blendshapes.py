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

"""Names and pairs of the blendshapes."""

from emotion_estimator import blendshapes


def test_there_are_52_distinct_names_in_mediapipes_order():
    assert len(set(blendshapes.NAMES)) == 52
    assert blendshapes.NAMES[0] == '_neutral'
    assert blendshapes.INDEX['jawOpen'] == 25
    assert blendshapes.INDEX['mouthSmileLeft'] == 44
    assert blendshapes.NAMES[51] == 'noseSneerRight'


def test_mirroring_swaps_sides_and_keeps_what_has_none():
    assert blendshapes.mirrored_name('mouthSmileLeft') == 'mouthSmileRight'
    assert blendshapes.mirrored_name('jawRight') == 'jawLeft'
    assert blendshapes.mirrored_name('jawOpen') == 'jawOpen'
    assert [blendshapes.MIRROR[i] for i in blendshapes.MIRROR] == list(range(52))
