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

"""Scores of answers whose right values are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emotion_estimator.evaluation.metrics import scores

TRUTH = np.array([0, 0, 1, 1, 2])
ANSWERS = np.array([0, 1, 1, 1, -1])


def test_recalls():
    np.testing.assert_allclose(scores.recalls(ANSWERS, TRUTH, 4), [0.5, 1.0, 0.0, np.nan])


def test_macro_f1():
    # F1: class 0 2/3, class 1 4/5, class 2 0.
    assert scores.macro_f1(ANSWERS, TRUTH, 3) == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_cross_entropy():
    chances = np.array([[0.5, 0.5], [0.25, 0.75]])
    shares = np.array([[1, 0], [0, 1]], np.float32)
    expected = -(np.log(0.5) + np.log(0.75)) / 2
    assert scores.cross_entropy(chances, shares) == pytest.approx(expected)


def test_calibration_error():
    chances = np.array([[0.8, 0.2]] * 10)
    assert scores.calibration_error(chances, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert scores.calibration_error(chances, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3)


def test_unsure_answers_leave_coverage_and_risk():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.8, 0.2]])
    labels = np.array([0, 0, 1, 1])
    assert scores.risk_coverage(probabilities, labels, 0.0) == (1.0, 0.5)
    assert scores.risk_coverage(probabilities, labels, 0.6) == (0.75, pytest.approx(1 / 3))
    answered, right = scores.risk_coverage(probabilities, labels, 0.95)
    assert answered == 0
    assert math.isnan(right)
