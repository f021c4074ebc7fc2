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

"""Definitions of the messages that the nodes publish, for bags that are written without ROS."""

from __future__ import annotations

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

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
HEADER = 'std_msgs/msg/Header'
TIME = 'builtin_interfaces/msg/Time'

_WORDS = [
    'neutral',
    'angry',
    'sad',
    'happy',
    'surprised',
    'disgusted',
    'scared',
    'pleading',
    'vulnerable',
    'despaired',
    'guilty',
    'disappointed',
    'embarrassed',
    'horrified',
    'skeptical',
    'annoyed',
    'furious',
    'suspicious',
    'rejected',
    'bored',
    'tired',
    'asleep',
    'confused',
    'amazed',
    'excited',
]

DEFINITIONS: dict[str, str] = {
    OBJECT_HYPOTHESIS: 'string class_id\nfloat64 score\n',
    CLASSIFICATION: 'std_msgs/Header header\nvision_msgs/ObjectHypothesis[] results\n',
    REGION: 'std_msgs/Header header\n'
    + ''.join(f'float32 {name}\n' for name in ('xmin', 'ymin', 'xmax', 'ymax', 'c')),
    ACTION_UNITS: 'std_msgs/Header header\nfloat32[99] intensity\nfloat32[99] confidence\n',
    POINT_OF_INTEREST: 'float32 x\nfloat32 y\nfloat32 c\n',
    LANDMARKS: 'std_msgs/Header header\nhri_msgs/NormalizedPointOfInterest2D[70] landmarks\n'
    'uint32 height\nuint32 width\n',
    IDS_LIST: 'std_msgs/Header header\nstring[] ids\n',
    EXPRESSION: ''.join(f'string {word.upper()}={word}\n' for word in _WORDS)
    + 'std_msgs/Header header\nstring expression\nfloat32 valence\nfloat32 arousal\n'
    'float32 confidence\n',
}
"""Type to definition, field by field as vision_msgs and hri_msgs publish them."""


def standard_types() -> Typestore:
    """
    Give the definitions of the message types that come with ROS 2.

    :returns: a new store, which further types can be registered in.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


def published_types() -> Typestore:
    """
    Give the definitions of all that the nodes publish.

    :returns: a new store with them beside the standard types.
    """
    store = standard_types()
    for name, definition in DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store
