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

"""Mutual information tells a shape that knows the class from one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from emotion_estimator.blendshapes import INDEX
from training.datasets.labels import LABELS
from training.report.mutual_information import information, measure_relevance
from training.report.relevance import names_where

SAD = LABELS.index('sad')


def test_a_shape_that_tells_the_class_has_its_entropy_and_another_nothing():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 2
    noise = rng.random(1000)
    # Millionths of a shape's range: what the report's threshold cannot see.
    told = 1e-6 * (labels + 0.1 * noise)
    found = information(np.column_stack([told, rng.random(1000)]).astype(np.float32), labels)
    assert found[0] == pytest.approx(np.log(2), abs=0.03)
    assert found[1] < 0.03


def test_the_estimate_is_the_same_each_time():
    blends = np.random.default_rng(1).random((200, 3)).astype(np.float32)
    labels = np.arange(200) % 3
    np.testing.assert_array_equal(information(blends, labels), information(blends, labels))


def test_a_small_shape_that_tells_sad_is_overlooked_by_the_rule():
    rng = np.random.default_rng(2)
    labels = np.arange(350) % 7
    blends = np.zeros((350, 52), np.float32)
    blends[:, INDEX['jawOpen']] = 0.41 + 0.5 * rng.random(350)
    blends[:, INDEX['mouthFrownLeft']] = 0.01 * (labels == SAD) + 0.001 * rng.random(350)
    relevance = measure_relevance(blends, labels)
    assert names_where(relevance.kept) == ('jawOpen',)
    assert 'mouthFrownLeft' in names_where(relevance.overlooked)
    assert relevance.about_sad.argmax() == INDEX['mouthFrownLeft']
