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

"""The network, its export and its training; needs TensorFlow, which the runtime never has."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.model import SCHEMA, EmotionModel
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import DEFAULT_ENCODING
from training import export, fitting, network, sources
from training.clips import Dynamics
from training.datasets.pictures import LABELS
from training.settings import Phase, Settings, run_key
from training.stills import HAPPY_UNKNOWN_SAD, Stills
from training.windows import RATE_HZ, STEPS, WINDOW_S, constant_windows

SMALL = network.Architecture(dense_units=(8, 6), lstm_units=6)


@pytest.fixture
def untrained():
    import keras

    keras.utils.set_random_seed(3)
    return network.build(SMALL, [-2.0] * 52, [1.5] * 52, 7)


def partly_seen_windows(count):
    windows = np.random.default_rng(1).random((count, STEPS, 53), np.float32)
    windows[..., -1] = 1
    windows[: count // 2, :20] = 0
    return windows


def test_unobserved_steps_are_zero_whatever_the_mean(untrained):
    found = np.asarray(untrained.get_layer('normalisation')(partly_seen_windows(2)))
    assert (found[0, :20] == 0).all()
    assert np.abs(found[0, 20:, :-1]).max() > 0
    assert (found[0, 20:, -1] == 1).all()


def test_normalisation_standardises_logits(untrained):
    window = np.full((1, STEPS, 53), 1 / (1 + np.exp(2.0 - 1.5)), np.float32)
    window[..., -1] = 1
    found = np.asarray(untrained.get_layer('normalisation')(window))
    # A logit of -0.5 lies one deviation of 1.5 above the mean of -2.
    np.testing.assert_allclose(found, 1, atol=1e-5)


def facts():
    return {
        'schema': SCHEMA,
        'version': '0.0.1',
        'labels': LABELS,
        'features': NAMES,
        'rate_hz': RATE_HZ,
        'window_s': WINDOW_S,
        'normalisation': network.DESCRIPTION,
        'temperature': 1.0,
        'data': 'none',
        'licence': 'Apache-2.0',
    }


def test_the_exported_network_equals_the_trained_one(untrained, tmp_path):
    content = export.to_litert([untrained])
    model = export.write_model(tmp_path / 'tiny', content, facts())
    assert model.metadata.name == 'tiny'
    windows = partly_seen_windows(6)
    logits = untrained.predict(windows, verbose=0).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_large_weights_are_kept_in_eight_bits_and_answers_hardly_change(tmp_path):
    import keras

    keras.utils.set_random_seed(5)
    large = network.build(network.Architecture(), [-2.0] * 52, [1.5] * 52, 7)
    content = export.to_litert([large])
    assert len(content) < 2 * large.count_params()  # four bytes each as they are learned
    model = export.write_model(tmp_path / 'large', content, facts())
    windows = partly_seen_windows(6)
    logits = large.predict(windows, verbose=0).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_of_several_networks_the_mean_of_their_logits_is_exported(untrained, tmp_path):
    import keras

    keras.utils.set_random_seed(4)
    other = network.build(SMALL, [-1.0] * 52, [1.0] * 52, 7)
    model = export.write_model(tmp_path / 'two', export.to_litert([untrained, other]), facts())
    windows = partly_seen_windows(6)
    logits = np.mean([one.predict(windows, verbose=0) for one in (untrained, other)], axis=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_exported_network_sums_its_last_answers_in_coarser_classes(tmp_path):
    import keras

    keras.utils.set_random_seed(3)
    asked_twice = network.build(SMALL, [-2.0] * 52, [1.5] * 52, 14)
    content = export.to_litert([asked_twice], HAPPY_UNKNOWN_SAD)
    names = HAPPY_UNKNOWN_SAD.names
    model = export.write_model(tmp_path / 'three', content, {**facts(), 'labels': names})
    windows = partly_seen_windows(6)
    second = asked_twice.predict(windows, verbose=0)[:, 7:].astype(np.float64)
    seven = np.exp(second) / np.exp(second).sum(axis=1, keepdims=True)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, HAPPY_UNKNOWN_SAD.probabilities(seven), atol=1e-4)


def test_a_temperature_softens_the_last_answers_alone(untrained):
    windows = partly_seen_windows(6)
    before = untrained.predict(windows, verbose=0)
    export.soften(untrained, 4, 2.5)
    after = untrained.predict(windows, verbose=0)
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    np.testing.assert_allclose(after[:, 4:], before[:, 4:] / 2.5, atol=1e-5)


def test_a_network_above_two_megabytes_is_not_exported():
    wide = network.build(network.Architecture((64,), 900), [0.0] * 52, [1.0] * 52, 7)
    with pytest.raises(export.ExportError, match='make it narrower'):
        export.to_litert([wide])


@pytest.fixture
def made_data(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    count = 70
    labels = np.arange(count) % 7
    stills = Stills(
        features=NAMES,
        views=rng.random((count, 2, 52)).astype(np.float32),
        readable=np.ones((count, 2), bool),
        labels=labels,
        votes=10 * np.eye(7, dtype=np.float32)[labels],
        other_votes=np.zeros((count, 3), np.float32),
        rows=np.arange(count),
    )
    still = np.zeros((100, 52), np.float32)
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    monkeypatch.setattr(fitting, 'VALIDATION_WINDOWS', 32)
    monkeypatch.setattr(
        fitting, 'read_dynamics', lambda *_: Dynamics(still, still, np.zeros((0, 31, 52)))
    )
    return fitting.Material(stills, stills, tmp_path / 'v1.npz')


def test_a_broken_run_goes_on_where_it_stopped(made_data, monkeypatch):
    settings = Settings(
        phases=(Phase(2, 4, 16), Phase(1, STEPS, 8)), batches_per_epoch=2, architecture=SMALL
    )
    composed = fitting._batches

    def breaks(composer, settings, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return composed(composer, settings, epoch)

    monkeypatch.setattr(fitting, '_batches', breaks)
    with pytest.raises(KeyboardInterrupt):
        fitting.trained_network(settings, made_data)
    monkeypatch.setattr(fitting, '_batches', composed)
    fitting.trained_network(settings, made_data)
    histories = list(made_data.encoding.parent.glob('training/*/history.json'))
    assert len(histories) == 1
    history = json.loads(histories[0].read_text())
    assert len(history) == 3
    monkeypatch.setattr(fitting, '_batches', None)  # a finished run composes nothing
    fitting.trained_network(settings, made_data)


def test_other_settings_and_other_data_are_another_run(made_data):
    settings, stills = Settings(), made_data.training
    known = run_key(settings, stills, stills)
    assert known == run_key(Settings(), dataclasses.replace(stills), stills)
    reported_otherwise = dataclasses.replace(settings, members=2, summed_in='happy_unknown_sad')
    assert known == run_key(reported_otherwise, stills, stills)
    revoted = dataclasses.replace(stills, votes=np.roll(stills.votes, 1, axis=1))
    fewer = stills.select(np.arange(len(stills) - 1))
    others = [
        run_key(dataclasses.replace(settings, seed=2), stills, stills),
        run_key(settings, fewer, stills),
        run_key(settings, stills, fewer),
        run_key(settings, revoted, stills),
    ]
    assert known not in others


# The models that ship: what they state is what they are, and what was measured.


RESOURCE = Path(__file__).resolve().parents[2] / 'resource'
CLASSES = {
    'basic7': LABELS,
    'basic7_blendshapes': LABELS,
    'happy_unknown_sad': HAPPY_UNKNOWN_SAD.names,
}


@pytest.fixture(params=CLASSES)
def model(request):
    return EmotionModel(RESOURCE / 'models' / request.param)


def test_it_states_what_the_training_uses(model):
    metadata = model.metadata
    assert metadata.labels == CLASSES[metadata.name]
    assert (metadata.rate_hz, metadata.window_s) == (RATE_HZ, WINDOW_S)
    assert metadata.licence == 'Apache-2.0'
    assert 'composed' in metadata.data and 'FER2013' in metadata.data


def test_its_features_are_those_that_faces_are_published_with(model):
    encoding = read_encoding(RESOURCE / 'face_encodings' / f'{DEFAULT_ENCODING}.npz')
    published = (*NAMES, *encoding.names)
    alone = model.metadata.name.endswith('_blendshapes')
    assert model.metadata.features == (NAMES if alone else published)
    assert len(encoding.names) <= 47


def test_it_is_small(model):
    network = RESOURCE / 'models' / model.metadata.name / model.metadata.network
    assert network.stat().st_size < 2_000_000


def test_a_broad_smile_is_happy(model):
    face = np.zeros(len(model.metadata.features), np.float32)
    face[: len(NAMES)] = 0.02
    for name in ('mouthSmile', 'eyeSquint', 'mouthUpperUp'):
        face[[NAMES.index(f'{name}Left'), NAMES.index(f'{name}Right')]] = 0.8
    chances = model.probabilities(constant_windows(face[None])[0])
    assert model.metadata.labels[int(chances.argmax())] == 'happy'
    assert chances.sum() == pytest.approx(1)
