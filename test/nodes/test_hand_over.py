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

"""What one node hands over to the other in one process is answered as messages are."""

from contextlib import closing
from functools import partial

import cv2
import pytest
from helpers.faces import frames
from helpers.live_nodes import START_NS, LiveNodes, image_message
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.messages import ROS, NamedFeatures
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode, HandOver
from emotion_estimator.stamps import NS_PER_S

COUNT = 12
FRAME_NS = NS_PER_S // 30
LISTENED = range(4, 8)
"""Frames during which somebody else listens."""


class Counted(HandOver):
    """Keeps how each face went: whether it was handed over."""

    def __init__(self):
        super().__init__()
        self.handed_over = []

    def offer(self, publisher, face, header):
        """See `HandOver`."""
        self.handed_over.append(super().offer(publisher, face, header))
        return self.handed_over[-1]


class Pair:
    """Both nodes in one process with a camera and a listener."""

    def __init__(self, live, landmarker_path, hand_over=None, remap=()):
        self.live = live
        self.faces = live.add(
            partial(BlendshapeNode, hand_over and hand_over.offer),
            landmarker=str(landmarker_path),
            face_id_seed=1,
        )
        self.emotion = live.add(partial(EmotionNode, hand_over), remap=remap)
        self.emotions = live.listen(Classification, '/emotion', 100)
        self.camera = live.camera()
        live.until(lambda: self.emotion.count_subscribers('/emotion') == 1, 'the listener')
        live.until(lambda: self.emotion._emotion.get_subscription_count() == 1, 'the listener')
        self.sent = 0

    def look_at(self, picture, answered=True):
        """Send a picture and wait until it is answered, or looked at."""
        answers, looked_at = len(self.emotions), self.faces.statistics._published
        self.camera.publish(image_message(picture, START_NS + self.sent * FRAME_NS))
        self.sent += 1
        self.live.until(lambda: self.faces.statistics._published > looked_at, 'the look')
        if answered:
            self.live.until(lambda: len(self.emotions) > answers, 'the emotion')


@pytest.fixture(scope='module')
def pictures(media):
    """Read pictures of one person."""
    read, _ = frames(media('single_face.mp4'))
    return [cv2.resize(picture, (480, 270)) for picture in read[20 : 20 + 2 * COUNT : 2]]


@pytest.fixture(scope='module')
def as_messages(pictures, landmarker_path):
    """Answers of two nodes that know nothing of each other."""
    with closing(LiveNodes()) as live:
        pair = Pair(live, landmarker_path)
        for picture in pictures:
            pair.look_at(picture)
        return pair.emotions


def test_faces_that_are_handed_over_give_the_same_emotions(
    live, landmarker_path, pictures, as_messages
):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    for picture in pictures:
        pair.look_at(picture)
    assert hand_over.handed_over == [True] * COUNT
    assert pair.emotions == as_messages
    report = pair.emotion.statistics.report()
    assert (report.received, report.published, report.refused) == (COUNT, COUNT, 0)


def test_who_listens_meanwhile_hears_the_faces_and_changes_no_emotion(
    live, landmarker_path, pictures, as_messages
):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    heard, topic = [], pair.faces._blendshapes
    listener = None
    for number, picture in enumerate(pictures):
        if number == LISTENED.start:
            listener = live.tester.create_subscription(
                Classification, '/blendshapes', heard.append, 10
            )
        elif number == LISTENED.stop:
            live.until(lambda: len(heard) == len(LISTENED), 'the listener')
            live.tester.destroy_subscription(listener)
        listeners = 1 + (number in LISTENED)
        live.until(lambda n=listeners: topic.get_subscription_count() == n, 'the listeners')
        pair.look_at(picture)
    assert hand_over.handed_over == [number not in LISTENED for number in range(COUNT)]
    assert [message.header for message in heard] == [
        as_messages[number].header for number in LISTENED
    ]
    assert pair.emotions == as_messages
    assert pair.emotion.statistics.report().refused == 0


def test_a_message_on_its_way_comes_before_what_is_handed_over(live):
    taken = []
    hand_over = HandOver()
    publisher = live.publisher(Classification, '/blendshapes')
    hand_over.open('/blendshapes', lambda face, header: taken.append(face))
    face = NamedFeatures('a', START_NS, {})
    first, second = (Header(stamp=ROS.time(START_NS + n), frame_id='face_a') for n in (0, 1))
    assert not hand_over.offer(publisher, face, first)  # nobody listens yet
    live.listen(Classification, '/blendshapes')
    live.until(lambda: publisher.get_subscription_count() == 1, 'the listener')
    assert not hand_over.offer(publisher, face, second)
    hand_over.hear(first)
    assert not hand_over.offer(publisher, face, second)
    hand_over.hear(second)
    assert hand_over.offer(publisher, face, second)
    assert taken == [face]


def test_a_node_that_listens_elsewhere_is_handed_nothing(live, landmarker_path, pictures):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over, remap=('blendshapes:=other',))
    pair.look_at(pictures[0], answered=False)
    assert hand_over.handed_over == [False]
    assert pair.emotion.statistics.report().received == 0


def test_a_node_that_is_not_active_is_handed_nothing(live, landmarker_path, pictures):
    hand_over = Counted()
    pair = Pair(live, landmarker_path, hand_over)
    pair.look_at(pictures[0])
    assert live.change(pair.emotion, 'deactivate')
    pair.look_at(pictures[1], answered=False)
    assert live.change(pair.emotion, 'activate')
    topic = pair.faces._blendshapes
    live.until(lambda: topic.get_subscription_count() == 1, 'the subscription')
    pair.look_at(pictures[2])
    assert hand_over.handed_over == [True, False, True]
    assert len(pair.emotions) == 2
