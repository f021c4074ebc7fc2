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

"""The random search: resumable, seeded, told in lines, table and file."""

from __future__ import annotations

import json
import math

import keras_tuner
import numpy as np
import pytest
import tensorflow
from rich.console import Console

from training.datasets.labels import DataError
from training.search import space
from training.search import tuner as seeded_search
from training.search.data import SearchData
from training.search.random_search import main, search
from training.search.results import (
    TrialResult,
    best_first,
    best_trials_table,
    described,
    write_results,
)

OBJECTIVE = 'val_categorical_crossentropy'


@pytest.fixture(autouse=True)
def fast_trials(monkeypatch):
    """Leave out what takes long and decides nothing here: LSTM layers, tracing of graphs."""
    monkeypatch.setitem(space.SEARCH_SPACE, 'network', space.Choices(('dense',), 'tests'))
    monkeypatch.setitem(space.SEARCH_SPACE, 'layers', space.Choices((1,), 'tests'))
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def built(monkeypatch):
    """Count the networks that are built, and so the trials that are trained."""
    chosen = []

    def counted(values, shape, classes):
        chosen.append(dict(values.values))
        return space.build(values, shape, classes)

    monkeypatch.setattr(seeded_search, 'build', counted)
    return chosen


@pytest.fixture
def untrained(monkeypatch):
    """Train nothing; tell which trials were to be trained, with their settings."""
    asked = []

    def answered(tuner, folder, trial):
        asked.append((int(trial.trial_id), dict(trial.hyperparameters.values)))
        return {OBJECTIVE: 1 / len(asked)}

    monkeypatch.setattr(seeded_search.SeededSearch, '_trained', answered)
    return asked


def tiny_data(seed=5):
    rng = np.random.default_rng(seed)
    found = {}
    for part, count in (('train', 24), ('validation', 12)):
        labels = rng.integers(0, 3, count)
        windows = rng.random((count, 3, 4), np.float32)
        windows[..., 0] += labels[:, None]
        windows[..., -1] = 1
        found[f'{part}_windows'] = windows
        found[f'{part}_targets'] = np.eye(3, dtype=np.float32)[labels]
    return found


def outcomes(results):
    return {each.number: (each.settings, each.value(OBJECTIVE)) for each in results}


def test_a_search_goes_on_where_it_ended(tmp_path, built):
    data = SearchData(**tiny_data())
    first = search(data, 2, 1, tmp_path / 'in_two', seed=1)
    assert len(built) == 2
    second = search(data, 3, 1, tmp_path / 'in_two', seed=1)
    assert len(built) == 3
    assert sorted(each.number for each in second) == [0, 1, 2]
    assert {**outcomes(second), **outcomes(first)} == outcomes(second)
    # In one go it finds the same.
    at_once = outcomes(search(data, 3, 1, tmp_path / 'at_once', seed=1))
    for number, (settings, objective) in outcomes(second).items():
        assert at_once[number][0] == settings
        assert at_once[number][1] == pytest.approx(objective, rel=1e-5)


@pytest.mark.parametrize('broken_trial', [0, 1])
def test_a_trial_that_was_broken_off_is_trained_again(
    tmp_path, monkeypatch, untrained, broken_trial
):
    data, train = SearchData(**tiny_data()), seeded_search.SeededSearch._trained

    def interrupted(tuner, folder, trial):
        if len(untrained) == broken_trial:
            (folder / 'begun').touch()
            raise KeyboardInterrupt
        return train(tuner, folder, trial)

    monkeypatch.setattr(seeded_search.SeededSearch, '_trained', interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(data, 2, 1, tmp_path, seed=1)
    assert (tmp_path / 'trials' / f'trial_{broken_trial}' / 'begun').exists()
    monkeypatch.setattr(seeded_search.SeededSearch, '_trained', train)
    results = search(data, 2, 1, tmp_path, seed=1)
    assert [number for number, _ in untrained] == [0, 1]
    assert [each.value(OBJECTIVE) for each in results] == [0.5, 1.0]


def test_an_error_ends_the_search_with_its_cause(tmp_path, monkeypatch):
    def failing(values, shape, classes):
        raise MemoryError('no memory left')

    monkeypatch.setattr(seeded_search, 'build', failing)
    with pytest.raises(
        keras_tuner.errors.FatalError, match=r'Trial 0 broke off \(no memory left\)'
    ):
        search(SearchData(**tiny_data()), 2, 1, tmp_path, seed=1)


@pytest.mark.filterwarnings('ignore:All-NaN')
def test_diverged_trials_are_results_that_come_last(tmp_path, monkeypatch):
    def diverging(tuner, folder, trial):
        return {OBJECTIVE: 0.5 if trial.trial_id == '4' else float('nan')}

    monkeypatch.setattr(seeded_search.SeededSearch, '_trained', diverging)
    results = search(SearchData(**tiny_data()), 5, 1, tmp_path, seed=1)
    assert [each.number for each in results] == [4, 0, 1, 2, 3]
    content = json.loads((tmp_path / 'results.json').read_text())
    assert [each['metrics'][OBJECTIVE] for each in content['trials']] == [0.5, *[None] * 4]


def test_a_seed_decides_what_is_chosen(tmp_path, untrained):
    data = SearchData(**tiny_data())
    for folder, seed in (('first', 0), ('second', 1), ('third', 0)):
        search(data, 4, 1, tmp_path / folder, seed=seed)
    assert untrained[:4] == untrained[8:]
    rates = {settings['learning_rate'] for _, settings in untrained}
    assert len(rates) == 8


@pytest.mark.parametrize(
    ('changed', 'told'),
    [
        ({'seed': 2}, r'seed 1 \(now 2\)'),
        ({'epochs': 3}, r'epochs 1 \(now 3\)'),
        ({'extended': True}, r'extended False \(now True\)'),
        ({'data': SearchData(**tiny_data(seed=6))}, 'data_sha256'),
    ],
)
def test_a_folder_holds_one_search_only(tmp_path, untrained, changed, told):
    asked = {
        'data': SearchData(**tiny_data()),
        'trials': 1,
        'epochs': 1,
        'folder': tmp_path,
        'seed': 1,
    }
    search(**asked)
    with pytest.raises(DataError, match=told):
        search(**{**asked, **changed})
    assert len(untrained) == 1


def test_state_that_was_cut_off_is_told(tmp_path, untrained):
    data = SearchData(**tiny_data())
    search(data, 1, 1, tmp_path, seed=1)
    state = tmp_path / 'trials' / 'oracle.json'
    state.write_text(state.read_text()[:100])
    with pytest.raises(DataError, match=r'cut off .* delete the folder'):
        search(data, 2, 1, tmp_path, seed=1)


def test_the_command_tells_every_trial_the_best_and_the_file(tmp_path, capsys):
    np.savez(tmp_path / 'data.npz', **tiny_data())
    output = tmp_path / 'found'
    asked = [str(tmp_path / 'data.npz'), '--trials', '2', '--epochs', '2', '--seed', '4']
    assert main([*asked, '--output', str(output), '--extended']) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith('trial ')]
    assert len(lines) == 2
    assert lines[0].startswith('trial 0 (1 of 2): 1 x dense of ')
    assert 'best 2 of 2 trials' in printed
    content = json.loads((output / 'results.json').read_text())
    assert content['plan']['extended'] is True
    for trial in content['trials']:
        assert set(space.SEARCH_SPACE) - set(trial['settings']) <= {'momentum'}
        assert {'loss', 'precision', 'recall', 'val_f1', 'epochs'} <= set(trial['metrics'])
        kept = (output / 'trials' / f'trial_{trial["number"]}' / 'checkpoints').iterdir()
        epochs = {path.name[:10]: path.name for path in kept}
        assert set(epochs) == {'epoch-0001', 'epoch-0002'}
        best = epochs[f'epoch-{trial["metrics"]["best_epoch"]:04.0f}']
        assert f'{trial["metrics"][OBJECTIVE]:.6f}' in best


def test_the_command_tells_what_is_wrong_with_the_data(tmp_path, capsys):
    assert main([str(tmp_path / 'absent.npz'), '--output', str(tmp_path / 'found')]) == 1
    assert 'absent.npz cannot be read' in capsys.readouterr().err
    assert not (tmp_path / 'found').exists()


@pytest.mark.parametrize('flag', ['--trials', '--epochs', '--patience'])
def test_the_command_refuses_numbers_that_make_no_sense(tmp_path, capsys, flag):
    with pytest.raises(SystemExit):
        main(['data.npz', '--output', str(tmp_path), flag, '0'])
    assert f'{flag} is 0; it must be at least 1' in capsys.readouterr().err


# What a search found, as a table and as a file.


pytest.importorskip('rich', reason='rich is in the environments of training and tests')


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
