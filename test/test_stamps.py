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

"""How stamps follow each other."""

import pytest

from emotion_estimator.stamps import NS_PER_S, Step, step_between


@pytest.mark.parametrize(
    'previous_ns, stamp_ns, expected',
    [
        (None, 5, Step.FIRST),
        (5, 6, Step.FORWARD),
        (5, 5, Step.REPEATED),
        (5, 4, Step.BACK),
        (0, 2 * NS_PER_S, Step.FORWARD),
        (0, 2 * NS_PER_S + 1, Step.JUMP),
    ],
)
def test_a_step_is_named(previous_ns, stamp_ns, expected):
    assert step_between(previous_ns, stamp_ns, 2.0) is expected


def test_only_steps_back_and_jumps_restart():
    assert {step for step in Step if step.restarts} == {Step.BACK, Step.JUMP}
