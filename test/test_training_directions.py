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

"""The bottleneck finds what tells classes apart, and the runtime computes the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from training.datasets.labels import one_hot
from training.encoding.directions import Bottleneck, SeenFaces, learn_directions

SMALL = Bottleneck(
    numbers=2, hidden=8, units=(16,), epochs=30, batch=64, dropout=0.1, learning_rate=3e-3
)


def faces(seed):
    """Make faces: a landmark tells of one vocabulary's two classes, another of another's."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(2, 400))
    points = np.zeros((400, 478 * 3), np.float16)
    points[:, :20] = rng.normal(0, 0.1, (400, 20))
    points[:, 7] += labels[0].astype(np.float16)
    points[:, 11] += labels[1].astype(np.float16)
    shapes = np.full((400, 52), 0.3, np.float32)
    return SeenFaces(np.ones(400, bool), shapes, points), labels


@pytest.fixture(scope='module')
def learned():
    seen, labels = faces(0)
    return seen, learn_directions([seen, seen], [one_hot(part) for part in labels], SMALL)


def test_the_numbers_tell_the_classes_apart_on_faces_not_seen_before(learned):
    _, projection = learned
    fresh, truth = faces(1)
    found = projection(fresh.points.astype(np.float32))
    assert found.shape == (400, 2)
    for classes in truth:
        apart = np.abs(found[classes == 0].mean(axis=0) - found[classes == 1].mean(axis=0))
        assert apart.max() > 0.8


def test_the_numbers_have_mean_zero_and_deviation_one_on_what_was_learned_from(learned):
    seen, projection = learned
    found = projection(seen.points.astype(np.float32))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-2)
