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

"""The search's ranges and networks; its trials, resumable and seeded; its table and file."""

from __future__ import annotations

import json

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow
from rich.console import Console

from training import random_search, sources
from training.commands.search import main
from training.datasets.pictures import DataError
from training.random_search import (
    OBJECTIVE,
    SoftLabelF1,
    SoftLabelPrecision,
    SoftLabelRecall,
    best_trials_table,
    build,
    described,
    observed_face,
    search,
    search_space,
)

SHAPE, CLASSES = (4, 6), 3


def chosen(**values):
    choice = search_space()
    choice.values.update(values)
    choice.ensure_active_values()
    return choice


def drawn(name, extended=False, count=200):
    space = {entry.name: entry for entry in search_space(extended).space}
    return [space[name].random_sample(seed) for seed in range(count)]


@pytest.mark.parametrize(
    ('name', 'low', 'high'),
    [
        ('learning_rate', 1e-6, 1e-3),
        ('kernel_l2', 1e-10, 1e-5),
        ('weight_decay', 1e-10, 9e-4),
    ],
)
def test_the_reports_ranges_are_drawn_by_their_logarithm(name, low, high):
    values = np.log(drawn(name))
    assert values.min() >= np.log(low)
    assert values.max() <= np.log(high)
    spread = (values - np.log(low)) / np.log(high / low)
    quarters = np.histogram(spread, 4, (0, 1))[0]
    assert quarters.min() > 30  # of 200; evenly spread ones have 50 each


def test_layers_have_the_reports_units():
    assert set(drawn('layer_units')) == {10, 14, 18, 22, 26, 30}


def test_the_reports_activations_and_optimisers_are_drawn():
    assert set(drawn('activation')) == {'selu', 'tanh', 'relu', 'leaky_relu'}
    assert set(drawn('optimiser')) == {'adamw', 'sgd'}
    assert set(drawn('network')) == {'lstm', 'dense'}


def test_rates_above_the_reports_are_drawn_only_when_asked_for():
    assert max(drawn('learning_rate')) <= 1e-3
    rates = drawn('learning_rate', extended=True)
    assert 1e-3 < max(rates) <= 1e-2
    assert min(rates) < 1e-5


def test_a_setting_that_does_not_apply_is_not_chosen():
    assert 'momentum' not in chosen(optimiser='adamw').values
    assert 'observed' not in chosen(network='lstm').values
    assert chosen(optimiser='sgd').get('momentum') in {0.0, 0.5, 0.9, 0.99}
    assert chosen(network='dense').get('observed') in {'last', 'mean'}


def test_an_lstm_is_built_as_chosen():
    model = build(
        chosen(network='lstm', layers=2, layer_units=14, activation='selu', kernel_l2=2e-6),
        SHAPE,
        CLASSES,
    )
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    assert [layer.units for layer in layers] == [14, 14]
    assert [layer.return_sequences for layer in layers] == [True, False]
    assert all(layer.activation is keras.activations.selu for layer in layers)
    assert all(float(layer.kernel_regularizer.l2) == pytest.approx(2e-6) for layer in layers)
    assert model.output_shape == (None, CLASSES)


@pytest.mark.parametrize('activation', ['selu', 'tanh', 'relu', 'leaky_relu'])
@pytest.mark.parametrize('network', ['lstm', 'dense'])
def test_every_activation_gives_a_distribution(network, activation):
    model = build(chosen(network=network, activation=activation), SHAPE, CLASSES)
    shares = np.asarray(model(np.random.default_rng(2).random((3, *SHAPE), np.float32)))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_optimisers_are_made_as_chosen():
    adamw, sgd = (
        build(
            chosen(network='dense', optimiser=name, learning_rate=3e-4, weight_decay=5e-5, **more),
            SHAPE,
            CLASSES,
        ).optimizer
        for name, more in (('adamw', {}), ('sgd', {'momentum': 0.9}))
    )
    assert isinstance(adamw, keras.optimizers.AdamW)
    assert adamw.amsgrad  # as in the seed report's best model
    assert isinstance(sgd, keras.optimizers.SGD)
    assert sgd.momentum == 0.9
    for optimiser in (adamw, sgd):
        assert float(optimiser.learning_rate) == pytest.approx(3e-4)
        assert optimiser.weight_decay == 5e-5
        assert optimiser.global_clipnorm == 1


@pytest.mark.parametrize('network', ['lstm', 'dense'])
def test_what_stands_in_unobserved_steps_does_not_matter(network):
    model = build(chosen(network=network), SHAPE, CLASSES)
    windows = np.random.default_rng(3).random((1, *SHAPE), np.float32)
    windows[..., -1] = [1, 0, 1, 0]
    other = windows.copy()
    other[:, [1, 3], :-1] = 5
    np.testing.assert_array_equal(np.asarray(model(windows)), np.asarray(model(other)))


@pytest.mark.parametrize('network', ['lstm', 'dense'])
def test_a_network_comes_back_from_its_file_compiled(network, tmp_path):
    model = build(chosen(network=network), SHAPE, CLASSES)
    windows = np.random.default_rng(4).random((6, *SHAPE), np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    model.save(tmp_path / 'network.keras')
    loaded = keras.models.load_model(tmp_path / 'network.keras')
    np.testing.assert_array_equal(np.asarray(loaded(windows)), np.asarray(model(windows)))
    measured = loaded.evaluate(windows, targets, verbose=0, return_dict=True)
    names = 'loss categorical_crossentropy categorical_accuracy f1 precision recall'
    assert set(measured) == set(names.split())
    probabilities = np.asarray(model(windows))
    expected = -np.log(probabilities[np.arange(6), targets.argmax(axis=1)]).mean()
    assert measured['categorical_crossentropy'] == pytest.approx(expected, rel=1e-5)


def test_a_share_of_a_tenth_is_no_right_answer():
    shares = np.array([[0.1, 0.6, 0.3], [0.2, 0.0, 0.8]], np.float32)
    answers = np.array([[0.9, 0.1, 0.0], [0.0, 0.3, 0.7]], np.float32)
    # One of two answers is right; Keras's own Precision would call the first right as well.
    for metric in (SoftLabelPrecision(), SoftLabelRecall()):
        metric.update_state(shares, answers)
        assert float(metric.result()) == pytest.approx(0.5)
    f1 = SoftLabelF1(average='macro')
    f1.update_state(shares, answers)
    assert float(f1.result()) == pytest.approx(1 / 3, abs=1e-5)  # 0, 0 and 1


FIRST, LAST, UNSEEN = [0.1, 0.9, 1], [0.3, 0.5, 1], [8, 8, 0]


@pytest.mark.parametrize(
    ('observed', 'steps', 'expected'),
    [
        ('last', [FIRST, UNSEEN, LAST, UNSEEN], [0.3, 0.5]),
        ('mean', [FIRST, UNSEEN, LAST, UNSEEN], [0.2, 0.7]),
        ('last', [FIRST, LAST], [0.3, 0.5]),
        ('last', [UNSEEN, UNSEEN], [0, 0]),
        ('mean', [UNSEEN, UNSEEN], [0, 0]),
    ],
)
def test_the_dense_network_sees_only_observed_steps(observed, steps, expected):
    found = np.asarray(observed_face(np.array([steps], np.float32), observed))
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_a_dense_network_is_built_as_chosen():
    model = build(
        chosen(network='dense', layers=2, layer_units=14, activation='tanh', kernel_l2=2e-6),
        SHAPE,
        CLASSES,
    )
    # 5 features to 14, to 14, to 3 classes, each with biases
    assert model.count_params() == (5 * 14 + 14) + (14 * 14 + 14) + (14 * 3 + 3)
    hidden = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][:-1]
    assert [layer.activation.__name__ for layer in hidden] == ['tanh', 'tanh']
    assert [float(layer.kernel_regularizer.l2) for layer in hidden] == pytest.approx([2e-6] * 2)


# Trials: what is chosen, kept and shown.


@pytest.fixture(autouse=True)
def fast_trials(monkeypatch):
    """Leave out what takes long and decides nothing here: LSTM layers, tracing of graphs."""

    def dense_only(extended=False):
        space = search_space(extended)
        space.values.update(network='dense', layers=1)
        fixed = keras_tuner.HyperParameters()
        fixed.Fixed('network', 'dense')
        fixed.Fixed('layers', 1)
        fixed.Choice('observed', ['last', 'mean'])
        fixed.merge([each for each in space.space if each.name not in fixed.values])
        return fixed

    monkeypatch.setattr(random_search, 'search_space', dense_only)
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


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
    return {each['number']: (each['settings'], each['metrics'][OBJECTIVE]) for each in results}


def test_a_search_in_two_parts_finds_what_one_at_once_does(tmp_path):
    first = search(tiny_data(), tmp_path / 'in_two', 2, 1, seed=1)
    assert [sorted(outcomes(first))] == [[0, 1]]
    second = search(tiny_data(), tmp_path / 'in_two', 3, 1, seed=1)
    assert {**outcomes(second), **outcomes(first)} == outcomes(second)
    at_once = outcomes(search(tiny_data(), tmp_path / 'at_once', 3, 1, seed=1))
    for number, (settings, objective) in outcomes(second).items():
        assert at_once[number][0] == settings
        assert at_once[number][1] == pytest.approx(objective, rel=1e-5)


@pytest.mark.parametrize('broken_trial', [0, 1])
def test_a_trial_that_was_broken_off_is_trained_again(tmp_path, monkeypatch, broken_trial):
    whole = outcomes(search(tiny_data(), tmp_path / 'whole', 2, 1, seed=1))
    train, trained = keras_tuner.RandomSearch.run_trial, []

    def interrupted(tuner, trial, *args, **kwargs):
        trained.append(int(trial.trial_id))
        if trained == [*range(broken_trial), broken_trial]:
            raise KeyboardInterrupt
        return train(tuner, trial, *args, **kwargs)

    monkeypatch.setattr(keras_tuner.RandomSearch, 'run_trial', interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(tiny_data(), tmp_path / 'broken', 2, 1, seed=1)
    found = outcomes(search(tiny_data(), tmp_path / 'broken', 2, 1, seed=1))
    assert trained == [*range(broken_trial + 1), *range(broken_trial, 2)]
    for number, (settings, objective) in whole.items():
        assert found[number] == (settings, pytest.approx(objective, rel=1e-5))


def test_an_error_ends_the_search_with_its_cause(tmp_path, monkeypatch):
    def failing(tuner, trial, *args, **kwargs):
        raise MemoryError('no memory left')

    monkeypatch.setattr(keras_tuner.RandomSearch, 'run_trial', failing)
    with pytest.raises(
        keras_tuner.errors.FatalError, match=r'Trial 0 broke off \(no memory left\)'
    ):
        search(tiny_data(), tmp_path, 2, 1, seed=1)


@pytest.mark.filterwarnings('ignore:All-NaN')
def test_diverged_trials_are_results_that_come_last(tmp_path, monkeypatch):
    def diverging(tuner, trial, *args, **kwargs):
        return {OBJECTIVE: 0.5 if trial.trial_id == '4' else float('nan')}

    monkeypatch.setattr(keras_tuner.RandomSearch, 'run_trial', diverging)
    results = search(tiny_data(), tmp_path, 5, 1, seed=1)
    assert [each['number'] for each in results] == [4, 0, 1, 2, 3]
    content = json.loads((tmp_path / 'results.json').read_text())
    assert [each['metrics'][OBJECTIVE] for each in content['trials']] == [0.5, *[None] * 4]


def test_a_seed_decides_what_is_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(
        keras_tuner.RandomSearch, 'run_trial', lambda tuner, trial, *args, **kwargs: 1.0
    )
    chosen = [
        [each['settings'] for each in search(tiny_data(), tmp_path / name, 4, 1, seed)]
        for name, seed in (('first', 0), ('second', 1), ('third', 0))
    ]
    assert chosen[0] == chosen[2]
    rates = {settings['learning_rate'] for run in chosen for settings in run}
    assert len(rates) == 8


def test_a_project_that_was_cut_off_is_refused(tmp_path):
    search(tiny_data(), tmp_path, 1, 1, seed=1)
    state = tmp_path / 'trials' / 'oracle.json'
    state.write_text(state.read_text()[:100])
    with pytest.raises(DataError, match=r'cut off .* delete it and search again'):
        search(tiny_data(), tmp_path, 2, 1, seed=1)


def test_the_command_leaves_a_table_and_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    np.savez(tmp_path / 'tiny.npz', **tiny_data())
    asked = ['--data', str(tmp_path / 'tiny.npz'), '--trials', '2', '--epochs', '2']
    assert main([*asked, '--extended']) == 0
    assert 'best 2 of 2 trials' in capsys.readouterr().out
    [folder] = (tmp_path / 'search').glob('tiny-*')
    content = json.loads((folder / 'results.json').read_text())
    assert content['plan'] == {'epochs': 2, 'seed': 1, 'patience': 10, 'extended': True}
    for trial in content['trials']:
        assert {'loss', 'precision', 'recall', 'val_f1'} <= set(trial['metrics'])
        assert trial['metrics']['best_epoch'] in {1, 2}
        assert (folder / 'trials' / f'trial_{trial["number"]}' / 'checkpoint.weights.h5').exists()


def test_each_plan_and_data_has_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    monkeypatch.setattr(
        keras_tuner.RandomSearch, 'run_trial', lambda tuner, trial, *args, **kwargs: 1.0
    )
    np.savez(tmp_path / 'tiny.npz', **tiny_data())
    asked = ['--data', str(tmp_path / 'tiny.npz'), '--trials', '1']
    for more in ([], ['--seed', '2'], ['--epochs', '3'], ['--extended'], []):
        assert main([*asked, *more]) == 0
    assert len(list((tmp_path / 'search').iterdir())) == 4
    np.savez(tmp_path / 'tiny.npz', **tiny_data(seed=6))
    assert main(asked) == 0
    assert len(list((tmp_path / 'search').iterdir())) == 5


def test_the_command_says_what_is_wrong_with_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    assert main(['--data', str(tmp_path / 'absent.npz')]) == 1
    assert 'absent.npz cannot be read' in capsys.readouterr().err
    assert not (tmp_path / 'search').exists()


@pytest.mark.parametrize('flag', ['--trials', '--epochs', '--patience', '--steps'])
def test_the_command_refuses_numbers_that_make_no_sense(capsys, flag):
    with pytest.raises(SystemExit):
        main([flag, '0'])
    assert f'{flag} is 0; it must be at least 1' in capsys.readouterr().err


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


def test_a_choice_is_described_in_a_few_words():
    dense = {**LSTM, 'network': 'dense', 'observed': 'mean', 'optimiser': 'sgd', 'momentum': 0.9}
    assert described(LSTM) == '2 x lstm 18 tanh, adamw 1.2e-04'
    assert described(dense) == '2 x dense of mean 18 tanh, sgd 1.2e-04 momentum 0.9'


def test_the_table_shows_the_best_rows():
    metrics = {OBJECTIVE: 0.5, 'val_categorical_accuracy': 0.625, 'val_f1': None, 'best_epoch': 3}
    results = [{'number': n, 'settings': LSTM, 'metrics': metrics} for n in (4, 2, 0)]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(best_trials_table(results, rows=2))
    lines = [line for line in captured.get().splitlines() if 'lstm' in line]
    assert len(lines) == 2
    assert 'best 2 of 3 trials' in captured.get()
    cells = [cell.strip() for cell in lines[0].strip('│').split('│')]
    assert cells == ['4', '2 x lstm 18 tanh, adamw 1.2e-04', '0.5', '0.625', '-', '3']
