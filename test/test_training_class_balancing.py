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

"""Classes get the counts, numbers and columns of the report."""

from __future__ import annotations

import numpy as np
import pytest

from training.datasets.labels import LABELS, NO_LABEL
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.report.class_balancing import balanced_rows

# FER2013's training split, by the report's chapter 3: angry to neutral.
COUNTS = (3995, 436, 4097, 7215, 4830, 3171, 4965)
SHUFFLED = np.random.default_rng(3).permutation(np.repeat(np.arange(7), COUNTS))


@pytest.mark.parametrize('seed', [0, 1, None])
def test_each_class_gets_what_the_report_gave_it(seed):
    rows = balanced_rows(SHUFFLED, seed)
    assert np.bincount(SHUFFLED[rows]).tolist() == [1500, 436, 1500, 4000, 4000, 1500, 1500]
    assert np.bincount(HAPPY_UNKNOWN_SAD.labels(SHUFFLED[rows])).tolist() == [4000, 6436, 4000]
    assert (np.diff(rows) > 0).all()


def test_without_a_seed_the_first_are_taken():
    rows = balanced_rows(SHUFFLED, None)
    happy = np.flatnonzero(LABELS.index('happy') == SHUFFLED)
    np.testing.assert_array_equal(rows[SHUFFLED[rows] == 3], happy[:4000])


def test_a_seed_draws_the_same_rows_again_and_another_seed_others():
    np.testing.assert_array_equal(balanced_rows(SHUFFLED, 5), balanced_rows(SHUFFLED, 5))
    assert not np.array_equal(balanced_rows(SHUFFLED, 5), balanced_rows(SHUFFLED, 6))


def test_rows_without_a_label_are_never_chosen():
    assert balanced_rows(np.array([NO_LABEL, 3, NO_LABEL, 4])).tolist() == [1, 3]
