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

"""The search's trials, resumable and seeded, and its file; the data that it searches on."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import keras_tuner
import numpy as np
import pytest
import tensorflow

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.files import OutputError, sha256_of
from training import random_search, sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, Dynamics
from training.commands import search as module
from training.commands.search import TuningSizes, main, read_data, tuning_data
from training.datasets.pictures import LABELS, DataError
from training.fitting import Material
from training.random_search import (
    OBJECTIVE,
    search,
    search_space,
)
from training.settings import Settings
from training.stills import Stills, Targets
from training.windows import Composition


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


@pytest.mark.parametrize(
    'cause, told', [(MemoryError, keras_tuner.errors.FatalError), (OSError, OutputError)]
)
def test_an_error_ends_the_search_with_its_cause(tmp_path, monkeypatch, cause, told):
    def failing(tuner, trial, *args, **kwargs):
        raise cause('no room left')

    monkeypatch.setattr(keras_tuner.RandomSearch, 'run_trial', failing)
    with pytest.raises(told, match=r'Trial 0 broke off \(no room left\)'):
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


@pytest.mark.parametrize('file', ['oracle.json', 'trial_0/trial.json'])
def test_a_project_that_is_damaged_is_refused(tmp_path, file):
    search(tiny_data(), tmp_path, 1, 1, seed=1)
    kinds = {b'{"seed": ': 'JSONDecode', b'{}': 'Key', b'[]': 'Type', b'\xff': 'UnicodeDecode'}
    for content, kind in kinds.items():
        (tmp_path / 'trials' / file).write_bytes(content)
        with pytest.raises(DataError, match=rf'damaged \({kind}Error: .* delete it and search'):
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


# The data: composed once for what decides it; what does not fit is refused.


def arrays(**changed):
    rng = np.random.default_rng(5)
    found = {}
    for part, count in (('train', 6), ('validation', 4)):
        found[f'{part}_windows'] = rng.random((count, 3, 5), np.float32)
        found[f'{part}_targets'] = np.eye(2, dtype=np.float32)[rng.integers(0, 2, count)]
    return {**found, **changed}


@pytest.fixture
def refused(tmp_path):
    """Write arrays, and return the sentence with which their file is refused."""

    def of(**found):
        np.savez(tmp_path / 'data.npz', **found)
        with pytest.raises(DataError) as raised:
            read_data(tmp_path / 'data.npz')
        assert 'data.npz' in str(raised.value)
        return str(raised.value)

    return of


def test_a_file_comes_back_as_it_was_written_in_float32(tmp_path):
    written = arrays()
    np.savez(tmp_path / 'data.npz', **{k: v.astype(np.float64) for k, v in written.items()})
    data = read_data(tmp_path / 'data.npz')
    for name, array in written.items():
        assert data[name].dtype == np.float32
        np.testing.assert_array_equal(data[name], array)


def test_a_missing_array_is_named(refused):
    written = arrays()
    del written['validation_targets']
    assert 'validation_targets is not a file in the archive' in refused(**written)


def single_array():
    content = io.BytesIO()
    np.save(content, np.zeros(3, np.float32))
    return content.getvalue()


@pytest.mark.parametrize('content', [b'', b'windows', b'PK\x03\x04 cut off', single_array()])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(DataError, match=r'data\.npz cannot be read as a \.npz file'):
        read_data(tmp_path / 'data.npz')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r'absent\.npz cannot be read'):
        read_data(tmp_path / 'absent.npz')


@pytest.mark.parametrize(
    ('changed', 'sentence'),
    [
        ({'train_windows': np.zeros((6, 5), np.float32)}, 'train_windows has shape (6, 5)'),
        ({'train_targets': np.ones((5, 2), np.float32)}, 'train_targets (5, 2)'),
        (
            {
                'train_windows': np.zeros((0, 3, 5), np.float32),
                'train_targets': np.zeros((0, 2), np.float32),
            },
            'N at least 1',
        ),
        (
            {'validation_targets': np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]},
            'a training row has (3, 5, 2) steps, columns and classes, a validation row (3, 5, 3)',
        ),
        (
            {'validation_windows': np.zeros((4, 2, 5), np.float32)},
            'a training row has (3, 5, 2) steps, columns and classes, a validation row (2, 5, 2)',
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(refused, changed, sentence):
    assert sentence in refused(**arrays(**changed))


@pytest.mark.parametrize('row', [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0]])
def test_targets_that_are_no_shares_are_refused_by_row(refused, row):
    found = arrays()
    found['train_targets'][4] = row
    assert 'train_targets, row 4, is' in refused(**found)


def test_a_value_that_is_not_finite_is_refused_by_row(refused):
    found = arrays()
    found['validation_windows'][2, 1, 1] = np.inf
    assert 'validation_windows, row 2, has a value that is not finite' in refused(**found)


HELD = Composition(
    constant=1.0,
    mixing=0.0,
    other_views=0.0,
    jitter=0.0,
    speech=0.0,
    noise=0.0,
    blinks_per_s=0.0,
)
SETTINGS = Settings(groups=(), composition=HELD)
SIZES = TuningSizes(training=700, validation=30, steps=3)


def made(value):
    """Make photographs that all look alike, and cannot be read in their second half."""
    count = 2 * len(LABELS)
    readable = np.ones((count, 2), bool)
    readable[len(LABELS) :] = False
    return Stills(
        features=(*NAMES, 'geometry.v1.00'),
        views=np.where(readable[..., None], np.float32(value), 0) * np.ones(53, np.float32),
        readable=readable,
        labels=np.arange(count) % len(LABELS),
        votes=np.tile(10 * np.eye(len(LABELS), dtype=np.float32), (2, 1)),
        other_votes=np.zeros((count, 3), np.float32),
        rows=np.arange(count),
    )


@pytest.fixture
def material(tmp_path, monkeypatch):
    """Material as the training has it, and clips in which nothing moves."""
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    asked = []

    def read_dynamics(clips, encoding, features):
        asked.append(clips)
        shape = (60, len(features))
        return Dynamics(np.zeros(shape), np.zeros(shape), np.zeros((0, 31, len(features))))

    monkeypatch.setattr(module, 'read_dynamics', read_dynamics)
    training = made(0.2)
    found = Material(training.select(training.readable[:, 0]), made(0.8), tmp_path / 'v1.npz')
    yield found
    assert asked in (
        [],
        [TRAINING_CLIPS, EVALUATION_CLIPS],
        2 * [TRAINING_CLIPS, EVALUATION_CLIPS],
    )


def test_there_is_what_was_asked_for(material):
    data = read_data(tuning_data(SETTINGS, material, SIZES))
    assert data['train_windows'].shape == (700, 3, 53)
    assert data['validation_windows'].shape == (30, 3, 53)
    assert data['train_targets'].shape == (700, len(LABELS))
    # Each in more than one part, and no two parts alike.
    assert not np.array_equal(data['train_targets'][:188], data['train_targets'][512:])


def test_validation_is_of_publictest_s_readable_photographs(material):
    data = read_data(tuning_data(SETTINGS, material, SIZES))
    for windows, value in ((data['train_windows'], 0.2), (data['validation_windows'], 0.8)):
        observed = windows[..., -1] == 1
        assert observed.any()
        assert windows[observed][:, :-1] == pytest.approx(value, abs=1e-5)


def test_the_same_is_made_once(material):
    path = tuning_data(SETTINGS, material, SIZES)
    written_ns = path.stat().st_mtime_ns
    assert tuning_data(SETTINGS, material, SIZES) == path
    assert path.stat().st_mtime_ns == written_ns
    assert path.parent == sources.OUT / 'search'


@pytest.mark.parametrize(
    ('settings', 'sizes'),
    [
        (replace(SETTINGS, seed=2), SIZES),
        (replace(SETTINGS, targets=Targets('happy_unknown_sad')), SIZES),
        (SETTINGS, replace(SIZES, steps=4)),
    ],
)
def test_other_choices_give_other_data(material, settings, sizes):
    first, second = (
        tuning_data(s, material, z) for s, z in ((SETTINGS, SIZES), (settings, sizes))
    )
    assert first != second
    assert sha256_of(first) != sha256_of(second)


def test_a_model_with_geometry_gets_it(material):
    data = read_data(tuning_data(replace(SETTINGS, groups=('geometry',)), material, SIZES))
    assert data['train_windows'].shape[1:] == (3, 54)
