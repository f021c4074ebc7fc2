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

"""What a search found, as a table and as a file."""

from __future__ import annotations

import json
import math

import pytest

pytest.importorskip('rich', reason='rich is in the environments of training and tests')
from rich.console import Console

from training.search.search_results import (
    TrialResult,
    best_first,
    best_trials_table,
    described,
    write_results,
)

OBJECTIVE = 'val_categorical_crossentropy'
LSTM = {
    'network': 'lstm',
    'layers': 2,
    'layer_units': 18,
    'activation': 'tanh',
    'kernel_l2': 2e-6,
    'optimiser': 'adamw',
    'learning_rate': 1.2e-4,
    'weight_decay': 3e-5,
}


def result(number, crossentropy, settings=LSTM):
    return TrialResult(
        number,
        settings,
        {
            OBJECTIVE: crossentropy,
            'val_categorical_accuracy': 0.625,
            'val_f1': 0.5,
            'best_epoch': 3.0,
            'epochs': 8.0,
        },
    )


def test_the_least_objective_comes_first_and_diverged_trials_last():
    found = best_first(
        [result(0, None), result(1, 1.5), result(2, 0.5), result(3, None)], OBJECTIVE
    )
    assert [each.number for each in found] == [2, 1, 0, 3]


def test_a_metric_that_was_not_measured_is_not_a_number():
    assert math.isnan(result(0, None).value(OBJECTIVE))
    assert math.isnan(result(0, 1.0).value('val_recall'))


def test_the_file_holds_every_trial_in_valid_json(tmp_path):
    write_results(
        tmp_path / 'results.json', [result(1, 0.5), result(0, None)], OBJECTIVE, {'seed': 3}
    )
    content = json.loads((tmp_path / 'results.json').read_text())
    assert content['objective'] == OBJECTIVE
    assert content['plan'] == {'seed': 3}
    assert [each['number'] for each in content['trials']] == [1, 0]
    assert [each['metrics'][OBJECTIVE] for each in content['trials']] == [0.5, None]
    assert content['trials'][0]['settings'] == LSTM


def test_a_choice_is_described_in_a_few_words():
    dense = {**LSTM, 'network': 'dense', 'observed': 'mean', 'optimiser': 'sgd', 'momentum': 0.9}
    assert described(LSTM) == '2 x lstm 18 tanh, adamw 1.2e-04'
    assert described(dense) == '2 x dense of mean 18 tanh, sgd 1.2e-04 momentum 0.9'


def test_the_table_shows_the_best_rows_with_their_figures():
    results = [result(4, 0.5), result(2, 0.75), result(0, None)]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(best_trials_table(results, rows=2))
    lines = [line for line in captured.get().splitlines() if 'lstm' in line]
    assert len(lines) == 2
    assert 'best 2 of 3 trials' in captured.get()
    cells = [cell.strip() for cell in lines[0].strip('│').split('│')]
    assert cells == ['4', '2 x lstm 18 tanh, adamw 1.2e-04', '0.5000', '0.625', '0.500', '3/8']
