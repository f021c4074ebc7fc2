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

"""The fully connected network sees one face of a window."""

from __future__ import annotations

import numpy as np
import pytest

from training.search.dense_network import ObservedFace, build


def window(*steps):
    return np.array([steps], np.float32)


@pytest.mark.parametrize(
    ('observed', 'expected'),
    [('last', [0.3, 0.5]), ('mean', [0.2, 0.7])],
)
def test_only_observed_steps_are_seen(observed, expected):
    seen = window([0.1, 0.9, 1], [8, 8, 0], [0.3, 0.5, 1], [9, 9, 0])
    found = np.asarray(ObservedFace(observed)(seen))
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_the_last_step_is_seen_when_all_are_observed():
    seen = window([0.1, 0.9, 1], [0.3, 0.5, 1])
    np.testing.assert_allclose(np.asarray(ObservedFace('last')(seen)), [[0.3, 0.5]])


@pytest.mark.parametrize('observed', ['last', 'mean'])
def test_a_window_without_a_face_is_zero(observed):
    assert (np.asarray(ObservedFace(observed)(window([3, 3, 0], [4, 4, 0]))) == 0).all()


def test_another_face_than_last_or_mean_is_refused():
    with pytest.raises(ValueError, match="observed is 'first'; it must be 'last' or 'mean'"):
        ObservedFace('first')


def test_the_network_has_the_layers_asked_for():
    model = build((4, 6), 3, (12, 10), 'tanh', 1e-3, 'mean')
    assert model.output_shape == (None, 3)
    # 5 features to 12, to 10, to 3 classes, each with biases
    assert model.count_params() == (5 * 12 + 12) + (12 * 10 + 10) + (10 * 3 + 3)
    layers = [model.get_layer('dense_0'), model.get_layer('dense_1')]
    assert [layer.activation.__name__ for layer in layers] == ['tanh', 'tanh']
    assert [float(layer.kernel_regularizer.l2) for layer in layers] == [1e-3, 1e-3]
    assert model.get_layer('face').observed == 'mean'


def test_the_answer_is_a_distribution_over_the_classes():
    shares = np.asarray(build((4, 6), 3, (8,))(np.random.default_rng(0).random((5, 4, 6))))
    assert (shares > 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
