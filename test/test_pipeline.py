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

"""Both nodes over real topics: a clip in, expressions out."""

import cv2
from hri_msgs.msg import IdsList
from live_nodes import START_NS, image_message
from media import frames
from vision_msgs.msg import Classification

from emotion_estimator.faces.face_presence import LISTED_S
from emotion_estimator.messages import nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


def play(live, landmarker_path, pictures, rate_hz):
    """Send frame after frame, each when the one before has been dealt with."""
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1)
    emotion_node = live.add(EmotionNode)
    emotions = live.listen(Classification, '/emotion', 100)
    shapes = live.listen(Classification, '/blendshapes', 100)
    tracked = live.listen(IdsList, '/humans/faces/tracked', 100)
    camera = live.camera()
    live.until(lambda: emotion_node.count_subscribers('/emotion') == 1, 'the listener')
    live.until(lambda: node.count_subscribers('/blendshapes') == 2, 'the emotion node')
    stamps_ns = []
    for i, picture in enumerate(pictures):
        stamps_ns.append(START_NS + round(i * NS_PER_S / rate_hz))
        camera.publish(image_message(picture, stamps_ns[-1]))
        live.until(lambda: len(tracked) == len(stamps_ns), 'the frame')
    live.until(lambda: len(emotions) == len(shapes), 'the last emotion')
    return stamps_ns, shapes, emotions, tracked


def test_a_clip_from_neutral_to_a_smile(live, landmarker_path, media):
    pictures, rate_hz = frames(media('single_face.mp4'))
    stamps_ns, _, emotions, _ = play(live, landmarker_path, pictures, rate_hz)
    assert [nanoseconds(message.header.stamp) for message in emotions] == stamps_ns
    assert len({message.header.frame_id for message in emotions}) == 1
    labels = [message.results[0].class_id for message in emotions]
    assert labels[-1] == 'happy'
    assert labels[len(labels) // 6] != 'happy'
    assert emotions[-1].results[0].score > 0.6


def test_no_emotion_without_a_face(live, landmarker_path, media):
    pictures, rate_hz = frames(media('face_noface.mov'))
    small = [cv2.resize(picture, (480, 270)) for picture in pictures[50:130]]
    stamps_ns, shapes, emotions, tracked = play(live, landmarker_path, small, rate_hz)
    assert tracked[0].ids
    assert tracked[-1].ids == []
    with_face = [nanoseconds(message.header.stamp) for message in shapes]
    assert [nanoseconds(message.header.stamp) for message in emotions] == with_face
    assert with_face[-1] < stamps_ns[-20]
    listed = [nanoseconds(message.header.stamp) for message in tracked if message.ids]
    assert 0 <= listed[-1] - with_face[-1] <= LISTED_S * NS_PER_S
