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

"""The callbacks of a training, and what they leave."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.search import tuner as module
from training.search.tuner import TwoBestCheckpoints, saved_checkpoints, training_callbacks


def test_tensorboard_logs_only_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'tensorboard_is_installed', lambda: True)
    kinds = [type(callback) for callback in training_callbacks(tmp_path, 3)]
    assert kinds == [
        TwoBestCheckpoints,
        keras.callbacks.EarlyStopping,
        keras.callbacks.TensorBoard,
    ]
    monkeypatch.setattr(module, 'tensorboard_is_installed', lambda: False)
    kinds = [type(callback) for callback in training_callbacks(tmp_path, 3)]
    assert kinds == [TwoBestCheckpoints, keras.callbacks.EarlyStopping]


def test_all_monitor_the_same_metric_in_the_same_direction(tmp_path):
    checkpoints, stopping, *_ = training_callbacks(tmp_path, 3, 'val_f1', 'max')
    assert (checkpoints.monitor, checkpoints.mode) == ('val_f1', 'max')
    assert (stopping.monitor, stopping.mode, stopping.patience) == ('val_f1', 'max', 3)


def test_a_training_that_gets_worse_ends_with_its_best_weights(tmp_path):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, 'softmax')])
    model.compile('sgd', 'categorical_crossentropy', jit_compile=False)
    seen = np.random.default_rng(1).random((8, 2), np.float32)
    # Validated on the opposite answers: every epoch is worse than the one before.
    history = model.fit(
        seen,
        np.eye(2, dtype=np.float32)[[0] * 8],
        epochs=50,
        verbose=0,
        validation_data=(seen, np.eye(2, dtype=np.float32)[[1] * 8]),
        callbacks=training_callbacks(tmp_path, 2, 'val_loss'),
    ).history
    assert len(history['val_loss']) == 3
    best, second = sorted((tmp_path / module.CHECKPOINTS).iterdir())
    assert best.name.startswith('epoch-0001-val_loss-')
    assert second.name.startswith('epoch-0002-val_loss-')
    np.testing.assert_array_equal(
        np.asarray(model(seen)), np.asarray(keras.models.load_model(best)(seen))
    )


# Two best checkpoints: what is on disk after every epoch, break and restart.


METRIC = 'val_categorical_crossentropy'


@pytest.fixture
def tiny_model():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, 'softmax')])


def trained(model, folder, values, mode='min', first_epoch=0, metric=METRIC):
    callback = TwoBestCheckpoints(folder, metric, mode)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values, first_epoch):
        callback.on_epoch_end(epoch, {metric: value, 'loss': 0.0})
    return callback


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_only_the_two_best_are_kept(tiny_model, tmp_path):
    callback = trained(tiny_model, tmp_path, [0.9, 0.5, 0.7, 0.6, 0.8])
    assert names(tmp_path) == [
        f'epoch-0002-{METRIC}-0.500000.keras',
        f'epoch-0004-{METRIC}-0.600000.keras',
    ]
    assert [(saved.epoch, saved.value) for saved in callback.kept] == [(2, 0.5), (4, 0.6)]


def test_the_greatest_are_kept_where_more_is_better(tiny_model, tmp_path):
    callback = trained(tiny_model, tmp_path, [0.3, 0.9, 0.1, 0.5], 'max', metric='val_f1')
    assert [(saved.epoch, saved.value) for saved in callback.kept] == [(2, 0.9), (4, 0.5)]


def test_two_files_are_there_from_the_second_epoch_on(tiny_model, tmp_path):
    for epoch, value in enumerate([0.9, 0.8, 0.7, 0.6]):
        trained(tiny_model, tmp_path, [value], first_epoch=epoch)
        assert len(names(tmp_path)) == min(epoch + 1, 2)


def test_of_equal_epochs_the_earlier_ones_stay(tiny_model, tmp_path):
    callback = trained(tiny_model, tmp_path, [0.5, 0.5, 0.5, 0.50000001])
    assert [saved.epoch for saved in callback.kept] == [1, 2]


def test_a_file_holds_the_model_of_its_epoch(tiny_model, tmp_path):
    folder = tmp_path / 'made'
    seen = np.random.default_rng(1).random((4, 2), np.float32)
    trained(tiny_model, folder, [0.5])
    expected = np.asarray(tiny_model(seen))
    tiny_model.set_weights([weight + 1 for weight in tiny_model.get_weights()])
    [saved] = saved_checkpoints(folder, METRIC, 'min')
    np.testing.assert_array_equal(np.asarray(keras.models.load_model(saved.path)(seen)), expected)


def test_a_restarted_run_goes_on_with_what_is_there(tiny_model, tmp_path):
    trained(tiny_model, tmp_path, [0.9, 0.4, 0.6])
    callback = trained(tiny_model, tmp_path, [0.7, 0.5], first_epoch=3)
    assert [(saved.epoch, saved.value) for saved in callback.kept] == [(2, 0.4), (5, 0.5)]


def test_what_a_broken_run_left_is_cleared_away(tiny_model, tmp_path):
    (tmp_path / f'unfinished-epoch-0003-{METRIC}-0.100000.keras').write_bytes(b'half')
    for epoch, value in ((1, 0.9), (2, 0.8), (3, 0.7)):  # broken between saving and removing
        tiny_model.save(tmp_path / f'epoch-{epoch:04d}-{METRIC}-{value:.6f}.keras')
    trained(tiny_model, tmp_path, [])
    assert names(tmp_path) == [
        f'epoch-0002-{METRIC}-0.800000.keras',
        f'epoch-0003-{METRIC}-0.700000.keras',
    ]


def test_a_save_that_breaks_off_leaves_the_best_so_far(tiny_model, tmp_path, monkeypatch):
    callback = trained(tiny_model, tmp_path, [0.9, 0.8])
    before = names(tmp_path)

    def cut_off(path):
        path.write_bytes(b'half')
        raise OSError('No space left on device')

    monkeypatch.setattr(tiny_model, 'save', cut_off)
    with pytest.raises(OSError, match='No space left'):
        callback.on_epoch_end(2, {METRIC: 0.1})
    assert names(tmp_path) == before


def test_other_files_in_the_folder_are_left_alone(tiny_model, tmp_path):
    others = ['epoch-0001-val_f1-0.100000.keras', 'last.keras', 'notes.txt']
    for name in others:
        (tmp_path / name).write_bytes(b'other')
    trained(tiny_model, tmp_path, [0.9, 0.8, 0.7])
    assert [name for name in names(tmp_path) if METRIC not in name] == others


def test_an_epoch_that_diverged_is_not_saved(tiny_model, tmp_path):
    callback = trained(tiny_model, tmp_path, [float('nan'), 0.5, float('inf')])
    assert [saved.epoch for saved in callback.kept] == [2]


def test_a_metric_that_is_not_measured_is_told_with_those_that_are(tiny_model, tmp_path):
    callback = TwoBestCheckpoints(tmp_path, 'val_f1')
    callback.set_model(tiny_model)
    callback.on_train_begin()
    with pytest.raises(ValueError, match=r'val_f1 is not measured; .* measures loss, val_loss'):
        callback.on_epoch_end(0, {'loss': 1.0, 'val_loss': 1.0})


def test_keras_calls_it_after_every_epoch_of_a_training(tiny_model, tmp_path):
    tiny_model.compile('sgd', 'categorical_crossentropy', jit_compile=False)
    rng = np.random.default_rng(1)
    seen, truth = rng.random((8, 2), np.float32), np.eye(2, dtype=np.float32)[[0, 1] * 4]
    callback = TwoBestCheckpoints(tmp_path, 'val_loss')
    history = tiny_model.fit(
        seen, truth, epochs=4, verbose=0, validation_data=(seen, truth), callbacks=[callback]
    ).history['val_loss']
    best = sorted(range(4), key=history.__getitem__)[:2]
    assert [saved.epoch for saved in callback.kept] == [epoch + 1 for epoch in best]
    assert [saved.value for saved in callback.kept] == pytest.approx(
        [history[epoch] for epoch in best], abs=1e-6
    )
