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

"""
Classes of message types by name: rclpy's where ROS is, those of rosbags where it is not.

Definitions of the types that no package registry has stand in dev/interfaces alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_estimator.files import find_shared_file

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

TypeOf = Callable[[str], Any]
"""Gives the class of a message type by its name, such as 'std_msgs/msg/Header'."""

CLASSIFICATION = 'vision_msgs/msg/Classification'
OBJECT_HYPOTHESIS = 'vision_msgs/msg/ObjectHypothesis'
EXPRESSION = 'hri_msgs/msg/Expression'
IDS_LIST = 'hri_msgs/msg/IdsList'
REGION = 'hri_msgs/msg/NormalizedRegionOfInterest2D'
ACTION_UNITS = 'hri_msgs/msg/FacialActionUnits'
LANDMARKS = 'hri_msgs/msg/FacialLandmarks'
POINT_OF_INTEREST = 'hri_msgs/msg/NormalizedPointOfInterest2D'
TF = 'tf2_msgs/msg/TFMessage'
TRANSFORM_STAMPED = 'geometry_msgs/msg/TransformStamped'
TRANSFORM = 'geometry_msgs/msg/Transform'
VECTOR3 = 'geometry_msgs/msg/Vector3'
QUATERNION = 'geometry_msgs/msg/Quaternion'
IMAGE = 'sensor_msgs/msg/Image'
HEADER = 'std_msgs/msg/Header'
TIME = 'builtin_interfaces/msg/Time'

RESTATED = (
    *(OBJECT_HYPOTHESIS, CLASSIFICATION),
    *(REGION, ACTION_UNITS, POINT_OF_INTEREST, LANDMARKS, IDS_LIST, EXPRESSION),
)
"""Types of vision_msgs and hri_msgs, those that others consist of first."""


@cache
def ros_type(name: str) -> Any:
    """
    Give rclpy's class of a message type.

    :param name: such as 'std_msgs/msg/Header'.
    :returns: the class.
    :raises ImportError: when its package is not installed.
    """
    package, folder, kind = name.split('/')
    return getattr(import_module(f'{package}.{folder}'), kind)


def standard_types() -> Typestore:
    """
    Give the definitions of the message types that come with ROS 2.

    :returns: a new store, which further types can be registered in.
    """
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_HUMBLE)


def bag_types() -> Typestore:
    """
    Give the definitions of all that the nodes publish; its `types` are a `TypeOf`.

    :returns: a new store with them beside the standard types.
    """
    from rosbags.typesys import get_types_from_msg

    store = standard_types()
    for name in RESTATED:
        definition = find_shared_file(f'dev/interfaces/{name}.msg').read_text(encoding='utf-8')
        store.register(get_types_from_msg(definition, name))
    return store
