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

"""An emotion estimation as the parameters of emotion_node describe it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from emotion_estimator.emotion.emotion_estimation import EmotionEstimation
from emotion_estimator.emotion.emotion_model import EmotionModel, ModelMetadata
from emotion_estimator.emotion.trust import Trust


class EstimationParameters(Protocol):
    """Values by the names that emotion_node gives them: a node's parameters, or a dict."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a parameter's value."""


def assemble_estimation(
    parameters: EstimationParameters, folder: Path
) -> tuple[EmotionEstimation, ModelMetadata]:
    """
    Put an emotion estimation together.

    :param parameters: `min_confidence`, `hysteresis`, `max_gap_s`, `max_yaw_deg` and
        `max_pitch_deg`, see config/emotion_estimator.yaml.
    :param folder: of the model.
    :returns: the estimation, and what its model states of itself.
    :raises ValueError: when the model or a parameter cannot be used.
    """
    model = EmotionModel(folder)
    estimation = EmotionEstimation(
        model,
        float(parameters['min_confidence']),
        float(parameters['hysteresis']),
        float(parameters['max_gap_s']),
        Trust(float(parameters['max_yaw_deg']), float(parameters['max_pitch_deg'])),
    )
    return estimation, model.metadata
