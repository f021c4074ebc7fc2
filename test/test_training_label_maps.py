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

"""Coarser classes gather the labels and probabilities of the finer ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.datasets.labels import LABELS, NO_LABEL
from training.label_maps import HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE, LabelMap

# angry, disgusted, scared, happy, sad, surprised, neutral
EVERY = np.arange(7)


def test_labels_get_the_reports_numbers():
    assert HAPPY_UNKNOWN_SAD.names == ('happy', 'unknown', 'sad')
    assert HAPPY_UNKNOWN_SAD.labels(EVERY).tolist() == [1, 1, 1, 0, 2, 1, 1]
    assert POSITIVE_NEGATIVE.names == ('positive', 'negative')
    assert POSITIVE_NEGATIVE.labels(EVERY).tolist() == [1, 1, 1, 0, 1, 0, 0]


def test_no_label_stays_no_label():
    labels = np.array([[NO_LABEL, 3], [4, NO_LABEL]])
    assert HAPPY_UNKNOWN_SAD.labels(labels).tolist() == [[NO_LABEL, 0], [2, NO_LABEL]]


def test_probabilities_are_summed():
    chances = np.array([[0.1, 0.05, 0.05, 0.3, 0.2, 0.1, 0.2]])
    np.testing.assert_allclose(HAPPY_UNKNOWN_SAD.probabilities(chances), [[0.3, 0.5, 0.2]])
    np.testing.assert_allclose(POSITIVE_NEGATIVE.probabilities(chances), [[0.6, 0.4]])


@given(arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=32)))
def test_rows_keep_their_sum_and_type(chances):
    for label_map in (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE):
        summed = label_map.probabilities(chances)
        assert summed.dtype == np.float32
        np.testing.assert_allclose(summed.sum(axis=1), chances.sum(axis=1), rtol=1e-5)


@given(st.integers(0, 6))
def test_a_sure_answer_stays_sure_in_the_class_of_its_label(label):
    for label_map in (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE):
        sure = label_map.probabilities(np.eye(len(LABELS))[[label]])
        assert sure.argmax() == label_map.labels(np.array([label]))[0]
        assert sure.max() == 1


@pytest.mark.parametrize('of', [(0, 1), (0,) * 7, (0, 1, 2, 0, 1, 0, 1), (0, -1, 1, 1, 1, 1, 1)])
def test_a_map_that_is_none_is_refused(of):
    with pytest.raises(ValueError, match='one of the numbers 0 to 1'):
        LabelMap(('positive', 'negative'), of)
