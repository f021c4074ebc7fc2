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

from training.search import training_callbacks as module
from training.search.training_callbacks import training_callbacks
from training.search.two_best_checkpoints import TwoBestCheckpoints


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
