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

"""What the emotion half says of one face that is held."""

from __future__ import annotations

from emotion_estimator.emotion.decision import DEFAULT_MIN_CONFIDENCE
from emotion_estimator.emotion.emotion_estimation import EmotionEstimate, EmotionEstimation
from emotion_estimator.emotion.emotion_model import EmotionModel
from emotion_estimator.emotion.trust import Trust
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.stamps import NS_PER_S

_STEPS = 31
_RATE_HZ = 15


def held_expression(
    face: Face,
    model: EmotionModel,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    trust: Trust | None = None,
) -> EmotionEstimate:
    """
    Tell the expression of a face that is held for two seconds.

    :param face: the face.
    :param model: the model.
    :param min_confidence: see `Decider`; 0 tells the likeliest expression, never 'unknown'.
    :param trust: see `EmotionEstimation`.
    :returns: the last estimate.
    """
    estimation = EmotionEstimation(model, min_confidence, trust=trust)
    features = face.named_values()
    for step in range(_STEPS):
        stamp_ns = NS_PER_S + step * NS_PER_S // _RATE_HZ
        estimate = estimation.estimate(face.face_id, stamp_ns, features)
    assert estimate is not None  # the stamps only go forward
    return estimate
