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
Why nothing arrives on a topic, as far as the ROS graph shows it.

A file of its own because an image that arrives never passes through it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage, Image

from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S

_COMPRESSED = '/compressed'  # what image_transport adds to a topic
_NAMELESS = '_NODE_NAME_UNKNOWN_'  # rmw_dds_common's, until the graph has told


def node_of(end: TopicEndpointInfo) -> str:
    """
    Name the node of a publisher or subscription.

    :returns: its full name; '' as long as the graph has not told it.
    """
    if end.node_name in ('', _NAMELESS):
        return ''
    return f'{end.node_namespace.rstrip("/")}/{end.node_name}'


def silence_problems(
    node: Node,
    subscription: Subscription[Any],
    may_pause: bool,
    timeout_s: float = INPUT_TIMEOUT_S,
) -> list[str]:
    """
    Tell why nothing arrives on a topic, as far as the graph shows it.

    :param subscription: the silent subscription.
    :param may_pause: whether a fitting publisher of which nothing arrives is all right.
    :param timeout_s: for how long it has been silent, in seconds.
    :returns: a sentence that names the resolved topic and what to do, or none.
    """
    topic = subscription.topic_name
    head = f'Nothing arrived on {topic} for {timeout_s:.2g} s:'
    publishers = node.get_publishers_info_by_topic(topic)
    kind = _type_name(subscription.msg_type)
    sent = _sent_topics(node)
    hint = _transport_hint(sent, topic, kind)
    if not publishers:
        own = {publisher.topic_name for publisher in node.publishers}
        same = {name for name, types in sent.items() if kind in types}
        others = ', '.join(sorted(same - own)) or 'none'
        advice = hint or f'Remap it; other topics of type {kind}: {others}.'
        return [f'{head} nobody publishes it. {advice}']
    for publisher in publishers:
        name = node_of(publisher) or 'a node'
        if publisher.topic_type != kind:
            wrong = f'{name} publishes {publisher.topic_type}, not {kind}.'
            return [f'{head} {wrong} {hint}'.rstrip()]
        asked: QoSProfile = subscription.qos_profile
        compatibility, reason = qos_check_compatible(publisher.qos_profile, asked)
        if compatibility == QoSCompatibility.ERROR:
            return [
                f'{head} the QoS of {name} does not fit ({reason}); set '
                f'qos_overrides.{topic}.subscription.reliability to best_effort.'
            ]
    if may_pause:
        return []
    name = node_of(publishers[0]) or 'a node'
    return [
        f'{head} {name} is there but sends nothing, or all of it is lost on the way: look at its '
        'log, and at "When few frames arrive" in config/README.md.'
    ]


def _sent_topics(node: Node) -> dict[str, list[str]]:
    """List the topics that somebody publishes, with their types."""
    topics = node.get_topic_names_and_types()
    return {name: types for name, types in topics if node.count_publishers(name)}


def _transport_hint(sent: Mapping[str, Collection[str]], topic: str, kind: str) -> str:
    """Say how to take images that are there, but raw where compressed are asked for, or so."""
    image, compressed = map(_type_name, (Image, CompressedImage))
    if kind not in (image, compressed):
        return ''
    camera = topic
    while camera.endswith(_COMPRESSED):
        camera = camera.removesuffix(_COMPRESSED)
    for transport, suffix, its_kind in (
        ('raw', '', image),
        ('compressed', _COMPRESSED, compressed),
    ):
        name = camera + suffix
        if its_kind in sent.get(name, ()):
            return (
                f'{name} carries {its_kind}: launch with camera:={camera} '
                f'image_transport:={transport}, or set image_transport of blendshape_node to '
                f'{transport} and remap image{suffix} to {name}.'
            )
    return ''


def _type_name(message_type: type) -> str:
    package = message_type.__module__.split('.')[0]
    return f'{package}/msg/{message_type.__name__}'
