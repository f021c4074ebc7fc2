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

"""Between this package's dataclasses and ROS messages."""

from emotion_estimator.faces.face_description import FACE_FRAME_PREFIX
from emotion_estimator.messages.emotions import emotion_message, expression_message
from emotion_estimator.messages.faces import (
    facs_message,
    landmarks_message,
    picture_message,
    roi_message,
    tracked_message,
)
from emotion_estimator.messages.features import (
    FaceFeatures,
    MessageError,
    blendshapes_message,
    face_features,
    is_face_id,
)
from emotion_estimator.messages.frames import frames_message
from emotion_estimator.messages.times import nanoseconds, time_message

__all__ = [
    'FACE_FRAME_PREFIX',
    'FaceFeatures',
    'MessageError',
    'blendshapes_message',
    'emotion_message',
    'expression_message',
    'face_features',
    'facs_message',
    'frames_message',
    'is_face_id',
    'landmarks_message',
    'nanoseconds',
    'picture_message',
    'roi_message',
    'time_message',
    'tracked_message',
]
