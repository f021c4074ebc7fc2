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

"""Pictures of one's own, large and odd ones too, are read block by block."""

from contextvars import copy_context

import numpy as np

from emotion_estimator.parallel.engine import set_reporter
from training.datasets.pictures import ArrayPictures
from training.extraction.face_reader import read_each
from training.extraction.views import NATIVE


def test_each_picture_of_a_block_is_a_sign_of_life():
    """Else a block of large pictures would be taken for one that hangs."""
    pictures, said = ArrayPictures(np.zeros((2, 8, 8), np.uint8), 'black'), []

    def read():
        set_reporter(lambda *progress: said.append(progress))
        read_each(pictures, [0, 1], NATIVE, lambda _: said.append('looked'))

    copy_context().run(read)
    assert said == [(0, 2), 'looked', (1, 2), 'looked']
