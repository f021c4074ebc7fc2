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

"""What the emotion node says of a face."""

from __future__ import annotations

from hri_msgs.msg import Expression
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.emotion_estimation import EmotionEstimate


def emotion_message(estimate: EmotionEstimate, header: Header) -> Classification:
    """
    Make the message with all classes and their scores, the decided one first.

    :param estimate: the estimate.
    :param header: header of the blendshapes message.
    :returns: the message.
    """
    return Classification(
        header=header,
        results=[ObjectHypothesis(class_id=name, score=score) for name, score in estimate.scores],
    )


def expression_message(estimate: EmotionEstimate, header: Header) -> Expression:
    """
    Make the REP-155 message; 'unknown' is the empty expression with confidence 0.

    :param estimate: the estimate.
    :param header: header of the blendshapes message.
    :returns: the message.
    """
    known = estimate.label != UNKNOWN
    return Expression(
        header=header,
        expression=estimate.label if known else '',
        valence=estimate.valence,
        arousal=estimate.arousal,
        confidence=estimate.confidence if known else 0.0,
    )
