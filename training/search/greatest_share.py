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

"""Metrics of Keras that need one right class, for targets that are shares of several."""

from __future__ import annotations

from typing import Any

import keras


class _GreatestShare:
    """
    Takes the class with the greatest share as the right one.

    `Precision` and `Recall` of Keras turn every share above 0 into a right answer, so that each
    class that one voter in ten named would be right.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """
        Count a batch.

        :param y_true: shares of the classes, shape [N, classes].
        :param y_pred: probabilities, same shape.
        :param sample_weight: as in Keras.
        :returns: as in Keras.
        """
        ops = keras.ops
        right = ops.one_hot(ops.argmax(y_true, axis=-1), ops.shape(y_true)[-1])
        return super().update_state(right, y_pred, sample_weight)  # type: ignore[misc]


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestSharePrecision(_GreatestShare, keras.metrics.Precision):
    """Share of the answers above a probability that are right, over all classes together."""


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestShareRecall(_GreatestShare, keras.metrics.Recall):
    """Share of the faces whose right class is answered above a probability."""


@keras.saving.register_keras_serializable('emotion_estimator')
class GreatestShareF1(_GreatestShare, keras.metrics.F1Score):
    """
    F1 of the most probable class, 2 P R / (P + R).

    The report (section 5.3) prints P R / (P + R), which is half of it.
    """
