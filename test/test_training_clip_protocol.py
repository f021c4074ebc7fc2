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

"""How steady answers on clips are: the right numbers for models whose answers are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from training.clip_protocol import clip_scores

NAMES = ('a',)


class Follows:
    """Answers with the newest value of its one feature: 1 is yes, 0 is no."""

    metadata = SimpleNamespace(
        name='follows', features=NAMES, labels=('yes', 'no'), window_s=2.0, rate_hz=15.0
    )

    def probabilities(self, window):
        """Answer for one window."""
        return np.array([window[-1, 0], 1 - window[-1, 0]])


def test_a_face_that_changes_twice_in_four_seconds():
    values = np.repeat([1.0, 0.0, 1.0], [40, 40, 40])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], NAMES, 0.0, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.5)
    assert found['c_agreement_15_fps']['value'] == 1
    assert found['c_agreement_10_fps']['value'] == 1


def test_an_unsure_answer_counts_as_one_of_its_own():
    values = np.repeat([0.9, 0.55], [60, 60])[:, None].astype(np.float32)
    found = clip_scores(Follows(), [(values, 30.0)], NAMES, 0.6, 1.0)
    assert found['c_switches_per_s']['value'] == pytest.approx(0.25)
