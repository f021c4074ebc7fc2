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

"""What `make evaluate` prints and records, and what it keeps of earlier calls."""

import pytest

from training.commands.evaluate import known_scores, others_beside, print_tables


def test_scores_keep_their_names_and_figures_beside_many_methods(capsys):
    metric = {'value': 0.7143, 'low': 0.4286, 'high': 0.8571}
    name = 's_false_switches_per_s_hysteresis_as_trained'
    print_tables({'public': {f'{n}_methodically': {name: metric} for n in range(14)}})
    out = capsys.readouterr().out
    assert name in out and '…' not in out and out.count('0.7143') == 14


@pytest.mark.parametrize('content', ['{"a": ', '[1]', '', None])
def test_damaged_scores_of_earlier_calls_are_said_and_left(tmp_path, capsys, content):
    path = tmp_path / 'evaluate.json'
    if content is not None:
        path.write_text(content)
    assert known_scores(path) == {}
    assert capsys.readouterr().out.count('is damaged') == (content is not None)
    path.write_text('{"public": {"basic7": {}}}')
    assert known_scores(path) == {'public': {'basic7': {}}}


def test_beside_a_model_stand_the_baselines_that_see_what_it_sees():
    known = {'basic7': 1, 'basic7_blendshapes': 2, 'fer': 3, 'lstm_mean_pooled': 4}
    methods = {**known, 'constant': 5, 'constant_of_blendshapes': 6, 'happy_unknown_sad': 7}
    of_all = {'basic7_blendshapes': 2, 'fer': 3, 'lstm_mean_pooled': 4, 'constant': 5}
    assert others_beside('basic7', methods) == of_all
    of_blendshapes = {'basic7': 1, 'fer': 3, 'constant': 6}
    assert others_beside('basic7_blendshapes', methods) == of_blendshapes
    assert others_beside('basic7_blendshapes', of_blendshapes) == of_blendshapes
