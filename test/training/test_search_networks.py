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

"""The networks of the search, as it may choose them; they need TensorFlow."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from rich.console import Console

from training.random_search import (
    OBJECTIVE,
    SoftLabelF1,
    SoftLabelPrecision,
    SoftLabelRecall,
    best_trials_table,
    build,
    described,
    observed_face,
    search_space,
)

SHAPE, CLASSES = (4, 6), 3


def chosen(**values):
    choice = search_space()
    choice.values.update(values)
    choice.ensure_active_values()
    return choice


def built(**values):
    return build(chosen(**values), SHAPE, CLASSES)


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
    model = built(network='lstm', layers=2, layer_units=14, activation='selu', kernel_l2=2e-6)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    assert [layer.units for layer in layers] == [14, 14]
    assert [layer.return_sequences for layer in layers] == [True, False]
    assert all(layer.activation is keras.activations.selu for layer in layers)
    assert all(float(layer.kernel_regularizer.l2) == pytest.approx(2e-6) for layer in layers)
    assert model.output_shape == (None, CLASSES)


@pytest.mark.parametrize('activation', ['selu', 'tanh', 'relu', 'leaky_relu'])
@pytest.mark.parametrize('network', ['lstm', 'dense'])
def test_every_activation_gives_a_distribution(network, activation):
    model = built(network=network, activation=activation)
    shares = np.asarray(model(np.random.default_rng(2).random((3, *SHAPE), np.float32)))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_optimisers_are_made_as_chosen():
    adamw, sgd = (
        built(
            network='dense', optimiser=name, learning_rate=3e-4, weight_decay=5e-5, **more
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
    model = built(network=network)
    windows = np.random.default_rng(3).random((1, *SHAPE), np.float32)
    windows[..., -1] = [1, 0, 1, 0]
    other = windows.copy()
    other[:, [1, 3], :-1] = 5
    np.testing.assert_array_equal(np.asarray(model(windows)), np.asarray(model(other)))


@pytest.mark.parametrize('network', ['lstm', 'dense'])
def test_a_network_comes_back_from_its_file_compiled(network, tmp_path):
    model = built(network=network)
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
    model = built(network='dense', layers=2, layer_units=14, activation='tanh', kernel_l2=2e-6)
    # 5 features to 14, to 14, to 3 classes, each with biases
    assert model.count_params() == (5 * 14 + 14) + (14 * 14 + 14) + (14 * 3 + 3)
    hidden = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][:-1]
    assert [layer.activation.__name__ for layer in hidden] == ['tanh', 'tanh']
    assert [float(layer.kernel_regularizer.l2) for layer in hidden] == pytest.approx([2e-6] * 2)


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
