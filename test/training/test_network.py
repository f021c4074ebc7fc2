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

"""The network, its export and training; they need TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import resource

import keras
import numpy as np
import pytest

from emotion_estimator.blendshapes import INDEX, NAMES
from emotion_estimator.emotion.decision import ClassPrior
from emotion_estimator.emotion.model import SCHEMA, VOTES, read_metadata, softmax
from emotion_estimator.files import OutputError
from training import export, facial_actions, fitting, network, sources, still_features
from training.clips import Dynamics
from training.datasets.pictures import LABELS, DataError, Split, one_hot
from training.extraction.face_reader import empty_table
from training.protocols.sequences import compose_tracks
from training.scoring import frame_classifiers
from training.settings import MODELS, VERSIONS, Phase, Settings, class_prior, run_key
from training.still_features import read_stills
from training.stills import FER2013, HAPPY_UNKNOWN_SAD, Stills, Targets
from training.windows import RATE_HZ, STEPS, WINDOW_S, constant_windows

SMALL = network.Architecture(dense_units=(8, 6), lstm_units=6)


@pytest.fixture
def untrained():
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


def test_in_training_some_windows_are_shown_without_the_appearance():
    layer = network.LeftOut([1, 3], 0.25)
    windows = np.random.default_rng(2).random((2000, 3, 5), np.float32) + 0.1
    found = np.asarray(layer(windows, training=True))
    drawn = (found == 0).any(axis=(1, 2))
    assert drawn.mean() == pytest.approx(0.25, abs=0.06)
    left = windows * np.array([1, 0, 1, 0, 1], np.float32)
    np.testing.assert_array_equal(found, np.where(drawn[:, None, None], left, windows))
    np.testing.assert_array_equal(layer(windows, training=False), windows)


def test_the_loss_sums_the_questions_by_their_weights():
    logits = np.random.default_rng(4).normal(size=(2, 5)).astype(np.float32)
    targets = np.array([[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]], np.float32)
    found = network.AnswersLoss([2, 3], [1.0, 0.25], 0.0).call(targets, logits)
    first, second = np.log(softmax(logits[:, :2])), np.log(softmax(logits[:, 2:]))
    by_hand = [-first[0, 0] - 0.25 * second[0, 2], -first[1, 1] - 0.25 * second[1, 0]]
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)


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


# Large weights are kept in eight bits.
@pytest.mark.parametrize(
    ('architecture', 'most_bytes', 'within'),
    [(SMALL, 80_000, 1e-4), (network.Architecture(), 300_000, 0.005)],
)
def test_the_exported_network_equals_the_trained_one(tmp_path, architecture, most_bytes, within):
    keras.utils.set_random_seed(5)
    trained = network.build(architecture, [-2.0] * 52, [1.5] * 52, 7)
    content = export.to_litert([trained])
    assert len(content) < most_bytes
    model = export.write_model(tmp_path / 'tiny', content, facts())
    windows = partly_seen_windows(6)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, softmax(trained.predict(windows, verbose=0)), atol=within)


def test_of_several_networks_the_mean_of_their_logits_is_exported(untrained, tmp_path):
    other = network.build(SMALL, [-1.0] * 52, [1.0] * 52, 7)
    model = export.write_model(tmp_path / 'two', export.to_litert([untrained, other]), facts())
    windows = partly_seen_windows(6)
    logits = np.mean([one.predict(windows, verbose=0) for one in (untrained, other)], axis=0)
    found = [model.probabilities(window) for window in windows]
    np.testing.assert_allclose(found, softmax(logits), atol=1e-4)


def test_the_exported_network_sums_its_last_answers_in_coarser_classes(tmp_path):
    keras.utils.set_random_seed(3)
    asked_twice = network.build(SMALL, [-2.0] * 52, [1.5] * 52, 14)
    content = export.to_litert([asked_twice], HAPPY_UNKNOWN_SAD)
    three = {**facts(), 'labels': HAPPY_UNKNOWN_SAD.names}
    model = export.write_model(tmp_path / 'three', content, three)
    windows = partly_seen_windows(6)
    found = [model.probabilities(window) for window in windows]
    seven = softmax(asked_twice.predict(windows, verbose=0)[:, 7:])
    np.testing.assert_allclose(found, HAPPY_UNKNOWN_SAD.probabilities(seven), atol=1e-4)


def test_the_exported_network_does_what_a_rule_says_to_its_first_answer_alone(tmp_path):
    keras.utils.set_random_seed(3)
    asked_twice = network.build(SMALL, [-2.0] * 52, [1.5] * 52, 14)
    rule = facial_actions.IN_FULL
    content = export.to_litert([asked_twice], rule=rule)
    further = [f'votes.{label}' for label in LABELS]
    model = export.write_model(tmp_path / 'ruled', content, {**facts(), 'further_labels': further})
    sides = ('Left', 'Right')
    shown = [INDEX[f'{name}{side}'] for name in ('mouthSmile', 'eyeBlink') for side in sides]
    smiles = [(0.3, 0), (0.5, 0), (0.45, 0), (0.9, 0.5), (0.9, 1), (0.9, 0)]
    measured = np.array(smiles, np.float32)
    measured = measured.repeat(2, axis=1)
    windows = np.repeat(partly_seen_windows(1), len(smiles), axis=0)
    windows[:, -export.RULED_STEPS :, shown] = measured[:, None]
    # Neither what one image alone shows counts, nor a face that is seen only now.
    windows[2, -1, shown[:2]] = 0.9
    windows[5, : -export.RULED_STEPS + 1] = 0
    first, votes = np.split(softmax_of(asked_twice, windows), 2, axis=1)
    held = np.zeros((len(smiles), 52), np.float32)
    held[:-1, shown] = measured[:-1]
    expected = facial_actions.corrected(first, held, rules=(rule,))
    moved = (expected - first)[:, LABELS.index('happy')] / first[:, LABELS.index('neutral')]
    np.testing.assert_allclose(moved, [0, 0.5, 0.25, 0.4, 0, 0], atol=1e-6)
    uniform = ClassPrior('uniform', LABELS, (1 / 7,) * 7)
    found = [model.probabilities(window, uniform) for window in windows]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    found = [model.further(window, VOTES) for window in windows]
    np.testing.assert_allclose(found, votes, atol=1e-4)


def softmax_of(trained, windows):
    logits = trained.predict(windows, verbose=0).astype(np.float64)
    return np.concatenate([softmax(part) for part in np.split(logits, 2, axis=1)], axis=1)


def test_a_temperature_softens_the_answers_asked_alone(untrained):
    windows = partly_seen_windows(6)
    before = untrained.predict(windows, verbose=0)
    export.soften(untrained, slice(4, 6), 2.5)
    after = untrained.predict(windows, verbose=0)
    np.testing.assert_allclose(after, before / [1, 1, 1, 1, 2.5, 2.5, 1], atol=1e-5)


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


@pytest.mark.parametrize('where', ['between epochs', 'before the network is kept', 'and damaged'])
def test_a_broken_run_goes_on_as_though_it_had_not_been(made_data, monkeypatch, tmp_path, where):
    settings = Settings(
        phases=(Phase(2, 4, 16), Phase(1, STEPS, 8)), batches_per_epoch=2, architecture=SMALL
    )
    composed, kept_whole = fitting._batches, fitting.save_whole

    def breaks(composer, settings, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return composed(composer, settings, epoch)

    def breaks_off(model, path):
        if path.name == 'last.keras' and path.is_file():
            raise KeyboardInterrupt
        kept_whole(model, path)

    monkeypatch.setattr(sources, 'OUT', tmp_path / 'unbroken')
    expected = fitting.trained_network(settings, made_data).get_weights()
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'broken')
    if where == 'before the network is kept':
        monkeypatch.setattr(fitting, 'save_whole', breaks_off)
    else:
        monkeypatch.setattr(fitting, '_batches', breaks)
    with pytest.raises(KeyboardInterrupt):
        fitting.trained_network(settings, made_data)
    monkeypatch.setattr(fitting, '_batches', composed)
    monkeypatch.setattr(fitting, 'save_whole', kept_whole)
    (folder,) = (tmp_path / 'broken' / 'training').iterdir()
    if where == 'and damaged':
        (folder / 'last.keras').write_bytes(b'cut off')
    found = fitting.trained_network(settings, made_data).get_weights()
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)
    assert len(json.loads((folder / 'history.json').read_text())) == 3
    monkeypatch.setattr(fitting, '_batches', None)  # a finished run composes nothing
    fitting.trained_network(settings, made_data)
    (folder / 'best.keras').write_bytes(b'cut off')
    with pytest.raises(DataError, match=r'best\.keras is damaged'):
        fitting.trained_network(settings, made_data)


def test_a_network_that_cannot_be_kept_is_named_and_leaves_nothing(untrained, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OutputError, match=r'last\.keras cannot be written: .*Make room'):
            network.save_whole(untrained, tmp_path / 'last.keras')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())


def test_other_settings_and_other_data_are_another_run(made_data):
    settings, stills = Settings(), made_data.training
    known = run_key(settings, stills, stills)
    assert known == run_key(Settings(), dataclasses.replace(stills), stills)
    reported_otherwise = dataclasses.replace(
        settings, members=2, always_see=1, summed_in='happy_unknown_sad'
    )
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


@pytest.mark.parametrize('name', MODELS)
def test_a_model_that_ships_states_version_and_prior_as_training_would(name):
    metadata = read_metadata(sources.MODELS / name)
    shares = list(metadata.class_shares)
    assert metadata.class_prior == class_prior(name, metadata.labels, shares)
    assert metadata.version == VERSIONS[name]


def test_the_disgusted_keep_more_of_their_share_in_the_prior_of_basic7():
    labels, shares = ('neutral', 'disgusted', 'happy'), [0.64, 0.04, 0.32]
    stated = class_prior('basic7', labels, shares)
    assert stated == 'neutral=0.369,disgusted=0.274,happy=0.357'
    assert class_prior('happy_unknown_sad', labels, shares) == 'training'


def test_the_last_of_the_networks_always_see_the_appearance():
    settings = Settings(seed=3, members=4, always_see=2)
    members = [settings.member(number) for number in range(settings.members)]
    assert [member.seed for member in members] == [3, 4, 5, 6]
    assert [member.architecture.unseen for member in members] == [0.15, 0.15, 0.0, 0.0]


def test_each_answer_of_the_exported_network_has_a_temperature_of_its_own(made_data, tmp_path):
    stills = made_data.training
    asked = Targets(votes_weight=1.0, second_weight=0.5)
    keras.utils.set_random_seed(3)
    trained = network.build(SMALL, *network.statistics(stills.values), 21)
    layer = trained.get_layer('logits')
    layer.set_weights([part * np.repeat([4, 5, 6], 7) for part in layer.get_weights()])
    logits = trained.predict(constant_windows(stills.values), verbose=0).astype(np.float64)
    parts = np.split(logits, 3, axis=1)
    # Two of three photographs show what the sum of the answers says.
    right = np.where(np.arange(len(stills)) % 3 == 0, stills.labels, sum(parts).argmax(axis=1))
    stills = dataclasses.replace(stills, labels=right, votes=10 * one_hot(right))
    fitted = [fitting.fit_temperature(part, right) for part in parts]
    assert len(set(fitted)) == 3 and max(fitted) < fitting.BOUNDS[1]
    settings = Settings(groups=(), targets=asked)
    exported = export.export_answers([trained], settings, stills, stills)
    assert exported.temperature == fitted[0]
    told = {**facts(), 'further_labels': exported.further_labels, 'temperature': fitted[0]}
    model = export.write_model(tmp_path / 'three', exported.network, told)
    window = constant_windows(stills.values[:1])[0]
    expected = [softmax(part[0] / by) for part, by in zip(parts, fitted)]
    found = [model.probabilities(window, ClassPrior('uniform', LABELS, (1 / 7,) * 7))]
    found += [model.further(window, vocabulary) for vocabulary in (VOTES, FER2013)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_where_nobody_voted_labels_choose_the_temperature_and_are_named(made_data):
    voted = made_data.training
    stills = dataclasses.replace(voted, votes=np.zeros_like(voted.votes))
    settings = Settings(groups=(), targets=Targets(correction=2.0))
    trained = network.build(SMALL, *network.statistics(stills.values), 7)
    told = [export.export_answers([trained], settings, s, s) for s in (stills, voted)]
    assert told[0].temperature == told[1].temperature  # they voted for the labels
    assert [each.teachers[:9] for each in told] == ['one label', 'the votes']
    shares = export.class_shares(settings, stills)
    assert tuple(shares) == LABELS and sum(shares.values()) == pytest.approx(1, abs=1e-3)


def test_data_from_which_nothing_can_be_learned_is_refused(made_data, monkeypatch):
    voted = made_data.training
    few = voted.select(voted.labels != LABELS.index('sad'))
    with pytest.raises(DataError, match='shows sad, so that no model can tell it'):
        export.class_shares(Settings(targets=Targets(second_weight=1.0)), few)
    unvoted = dataclasses.replace(voted, votes=np.zeros_like(voted.votes))
    with pytest.raises(DataError, match=f'Of the {len(voted)} photographs 0 show'):
        compose_tracks(unvoted, None, 1, seed=1)
    for split in ('train', 'val'):
        (folder := made_data.encoding.parent / 'fer2013' / split / 'sad').mkdir(parents=True)
        (folder / '1.png').write_bytes(b'no picture')
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(folder.parents[1]))
    with pytest.raises(DataError, match=r'No face is found in the 1 .* of FER2013, split public'):
        read_stills(Split.PUBLIC)
    folder.rename(folder.with_name('bored'))
    with pytest.raises(DataError, match='FER2013 has no photograph of the split public'):
        sources.read_to_learn_from()


def test_no_encoding_is_learned_from_fewer_photographs_than_a_batch(made_data, monkeypatch):
    monkeypatch.setattr(sources, 'read_to_learn_from', lambda: (made_data.training, 70))
    monkeypatch.setattr(still_features, '_tables', lambda *_: [])
    monkeypatch.setattr(still_features, 'read_faces', lambda *_: empty_table(70))
    monkeypatch.setattr(still_features, '_stills', lambda *_: made_data.training)
    monkeypatch.setattr(still_features, 'rows_to_learn_from', lambda *_: np.arange(69))
    with pytest.raises(DataError, match=r'69 of the 70 photographs .* needs 128: add some'):
        still_features.fit_shipped_encoding()


@pytest.mark.parametrize('count', [60, 12])
def test_baselines_answer_in_all_classes_whatever_they_learned(made_data, count):
    stills = made_data.training
    sad = LABELS.index('sad')
    stills = stills.select(np.flatnonzero(stills.labels != sad)[:count])
    for name, classify in frame_classifiers(stills.values, stills.labels).items():
        found = classify(stills.values)
        assert found.shape == (len(stills), len(LABELS)) and not found[:, sad].any(), name
        right = (found.argmax(axis=1) == stills.labels).mean()
        assert name != 'gradient_boosting' or count < 60 or right > 0.9


def test_baselines_are_fitted_again_where_what_was_kept_is_damaged(made_data):
    stills = made_data.training.select(np.arange(60))
    before = frame_classifiers(stills.values, stills.labels)
    (kept,) = (sources.OUT / 'training').glob('baselines-*.pickle')
    kept.write_bytes(kept.read_bytes()[:1000])
    for name, classify in frame_classifiers(stills.values, stills.labels).items():
        np.testing.assert_array_equal(classify(stills.values), before[name](stills.values))
