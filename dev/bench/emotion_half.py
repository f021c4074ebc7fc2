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

"""Time of the emotion node's part of one face and frame: message in, messages out."""

from __future__ import annotations

import time

import numpy as np
from rclpy.parameter import Parameter

from dev.bench.clip import Rgb
from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.face_finder import FaceFinder
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.files import find_encoding
from emotion_estimator.messages import blendshapes_message, time_message
from emotion_estimator.nodes.emotion_node import EmotionNode

REPEATS = 3000
WARM_UP = 100
FRAME_NS = 33_333_333


def measure_emotion_half(frames: list[Rgb], repeats: int = REPEATS) -> dict[str, float]:
    """
    Hand real blendshapes messages to a real, active emotion node.

    :param frames: frames with a face.
    :param repeats: how many messages count.
    :returns: median and 99th percentile in milliseconds.
    """
    finder = FaceFinder(
        FaceLandmarker(find_asset(FACE_LANDMARKER)),
        FaceTracker(seed=1),
        read_encoding(find_encoding(DEFAULT_VERSION)),
    )
    sightings = [finder.find(frame, (i + 1) * FRAME_NS) for i, frame in enumerate(frames)]
    finder.close()
    faces = [face for sighting in sightings for face in sighting.faces]
    node = EmotionNode(parameter_overrides=[Parameter('autostart', value=False)])
    node.trigger_configure()
    node.trigger_activate()
    times_s = []
    for i in range(repeats + WARM_UP):
        stamp = time_message(time.time_ns() + i * FRAME_NS)
        message = blendshapes_message(faces[i % len(faces)], stamp)
        start_s = time.perf_counter()
        node._on_blendshapes(message)
        times_s.append(time.perf_counter() - start_s)
    published = node.statistics.report().published
    node.close()
    node.destroy_node()
    if published != repeats + WARM_UP:
        raise RuntimeError(f'Only {published} of {repeats + WARM_UP} messages gave an emotion.')
    times_ms = np.array(times_s[WARM_UP:]) * 1000
    return {
        'emotion_half_ms_p50': float(np.percentile(times_ms, 50)),
        'emotion_half_ms_p99': float(np.percentile(times_ms, 99)),
    }
