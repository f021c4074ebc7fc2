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

"""Answers are scored only where they reach a probability."""

import math

import numpy as np
import pytest

from training.scores import risk_coverage


def test_unsure_answers_leave_coverage_and_risk():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.8, 0.2]])
    labels = np.array([0, 0, 1, 1])
    assert risk_coverage(probabilities, labels, 0.0) == (1.0, 0.5)
    assert risk_coverage(probabilities, labels, 0.6) == (0.75, pytest.approx(1 / 3))
    answered, right = risk_coverage(probabilities, labels, 0.95)
    assert answered == 0
    assert math.isnan(right)
