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

"""Photographs are counted by class and split as in the report."""

import numpy as np
import pytest

from training.datasets import fer2013
from training.datasets.class_counts import class_counts
from training.datasets.labels import LABELS, NO_LABEL, assets_folder
from training.datasets.pictures import ArrayPictures, LabelledPictures
from training.report.class_count_table import REPORT_COUNTS

REAL = assets_folder() / 'fer2013' / 'fer2013.npz'


def counted(labels, splits):
    nothing = np.zeros(len(labels), np.float32)
    return class_counts(
        LabelledPictures(
            name='made',
            pictures=ArrayPictures(np.zeros((len(labels), 2, 2), np.uint8), 'made'),
            labels=np.array(labels, np.int64),
            splits=np.array(splits, np.int64),
            votes=np.zeros((len(labels), 7), np.float32),
            other_votes=nothing,
        )
    )


def test_classes_are_counted_by_split_without_what_has_no_label():
    counts = counted([3, 3, 3, 6, NO_LABEL], [0, 0, 2, 1, 0])
    assert counts.shape == (7, 3)
    assert counts[LABELS.index('happy')].tolist() == [2, 0, 1]
    assert counts[LABELS.index('neutral')].tolist() == [0, 1, 0]
    assert counts.sum() == 4


@pytest.mark.skipif(not REAL.is_file(), reason=f'{REAL} is not on this machine')
def test_the_counts_of_the_photographs_are_those_of_the_report():
    counts = class_counts(fer2013.read(REAL))
    assert {name: tuple(counts[LABELS.index(name)]) for name in LABELS} == REPORT_COUNTS
