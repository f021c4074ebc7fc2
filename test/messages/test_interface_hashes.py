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

"""The message types in use are those that the rest of ROS uses: same RIHS01 hash, same words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

PUBLISHED = {
    'vision_msgs/msg/Classification': (
        'f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143'
    ),
    'vision_msgs/msg/ObjectHypothesis': (
        '51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90'
    ),
    'hri_msgs/msg/Expression': (
        '411b88e0604397d44775d8ec6a4bc69398fb0dfbfe864c33a40fa99ee85f1b00'
    ),
    'hri_msgs/msg/IdsList': '7e0812d1ac945c98fd3e393568d581ad0ab567f37b24eff633eab778c1bfe62d',
    'hri_msgs/msg/NormalizedRegionOfInterest2D': (
        '2e50c93f1ca166ee77af9a5424dc951ae4e452b740162a7f83c082d917dcaff5'
    ),
    'hri_msgs/msg/FacialActionUnits': (
        '43f431104624b6ff7f84350f1faa3747efc8a9330dee942b717a08830a267ed3'
    ),
    'hri_msgs/msg/FacialLandmarks': (
        'f1d6b0ba159f4d6be1632e5dfc9cb79ce5e35da73888da2a4789bd9b35112a63'
    ),
    'hri_msgs/msg/NormalizedPointOfInterest2D': (
        'cc1d2f720c82afeb850ff1dbf66f41ecb7caf19f842987f1247e66160cf03953'
    ),
}

EXPRESSIONS = (
    'neutral angry sad happy surprised disgusted scared pleading vulnerable despaired guilty '
    'disappointed embarrassed horrified skeptical annoyed furious suspicious rejected bored tired '
    'asleep confused amazed excited'
)


def type_hash(type_name: str) -> str:
    """
    Read a type's hash from the description that its package installs.

    :param type_name: such as 'hri_msgs/msg/IdsList'.
    :returns: the hash of the first package found, in the order in which ROS looks.
    """
    package = type_name.partition('/')[0]
    for prefix in filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)):
        share = Path(prefix, 'share')
        description = share / f'{type_name}.json'
        if description.is_file():
            hashes = json.loads(description.read_text())['type_hashes']
            return str(next(h['hash_string'] for h in hashes if h['type_name'] == type_name))
        if (share / package).is_dir():
            pytest.skip(f'{package} in {prefix} was built before ROS had type hashes')
    pytest.fail(
        f'{package} is in no prefix of AMENT_PREFIX_PATH: source ROS after installing its '
        'package, or run through dev/with_ros after `make setup`'
    )


@pytest.mark.parametrize('type_name', PUBLISHED)
def test_type_has_the_published_hash(type_name: str) -> None:
    """A node built against the real packages understands this one."""
    assert type_hash(type_name) == f'RIHS01_{PUBLISHED[type_name]}'


def test_expression_has_the_published_words() -> None:
    """Constants are no part of the hash, so they are compared by themselves."""
    from hri_msgs.msg import Expression

    for word in EXPRESSIONS.split():
        assert getattr(Expression, word.upper()) == word


def test_tf_message_is_a_list_of_transforms() -> None:
    """No hash is at hand for /tf's type, so its fields are compared."""
    from tf2_msgs.msg import TFMessage

    fields = TFMessage.get_fields_and_field_types()
    assert fields == {'transforms': 'sequence<geometry_msgs/TransformStamped>'}
