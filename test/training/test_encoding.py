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

"""The bottleneck finds what tells classes apart, and the runtime computes the same numbers."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from emotion_estimator.faces.appearance import CROP_PX, AppearanceNetwork, evened
from emotion_estimator.faces.geometry import LANDMARKS, MESH
from training import sources
from training.commands import extraction_speed, seed_report, train
from training.datasets.pictures import one_hot
from training.encoding import appearance
from training.encoding.appearance import (
    AppearanceSettings,
    CropChanges,
    SeenCrops,
    changed_crop,
    learn_appearance,
    litert_of,
    side_by_side,
)
from training.encoding.fitting import (
    Bottleneck,
    SeenFaces,
    learn_directions,
    mean_face,
    mirror_order,
    mirrored,
)

SMALL = Bottleneck(
    numbers=2, hidden=8, units=(16,), epochs=30, batch=64, dropout=0.1, learning_rate=3e-3
)


def faces(seed):
    """Make faces: a landmark tells of one vocabulary's two classes, another of another's."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(2, 400))
    points = np.zeros((400, 478 * 3), np.float16)
    points[:, :20] = rng.normal(0, 0.1, (400, 20))
    points[:, 7] += labels[0].astype(np.float16)
    points[:, 11] += labels[1].astype(np.float16)
    shapes = np.full((400, 52), 0.3, np.float32)
    return SeenFaces(np.ones(400, bool), shapes, points), labels


@pytest.fixture(scope='module')
def learned():
    seen, labels = faces(0)
    return seen, learn_directions([seen, seen], [one_hot(part) for part in labels], SMALL)


def test_the_numbers_tell_the_classes_apart_on_faces_not_seen_before(learned):
    _, projection = learned
    fresh, truth = faces(1)
    found = projection(fresh.points.astype(np.float32))
    assert found.shape == (400, 2)
    for classes in truth:
        apart = np.abs(found[classes == 0].mean(axis=0) - found[classes == 1].mean(axis=0))
        assert apart.max() > 0.8


def test_the_numbers_have_mean_zero_and_deviation_one_on_what_was_learned_from(learned):
    seen, projection = learned
    found = projection(seen.points.astype(np.float32))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-2)


# The template is the faces' mean: frontal, symmetric, and mirrored as a mirror does.


FLIP = np.array([-1, 1, 1])
MIDDLE = 8
"""Landmarks of the made face that lie on its middle line."""


def symmetric_face(seed):
    """Make a face of pairs of landmarks and some on the middle line, in a random order."""
    rng = np.random.default_rng(seed)
    parts = []
    for count, middle in ((MESH, MIDDLE), (LANDMARKS - MESH, 0)):
        half = rng.uniform(0.05, 1, ((count - middle) // 2, 3))
        line = rng.uniform(-1, 1, (middle, 3)) * [0, 1, 1]
        part = np.concatenate([half, half * FLIP, line])
        parts.append(part[rng.permutation(count)])
    face = np.concatenate(parts)
    centred = face - face[:MESH].mean(axis=0)
    return (centred / np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())).astype(np.float32)


def turned(face, yaws, seed=0, noise=0.0):
    """Turn a face by angles about the vertical axis, in radians."""
    rng = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(np.outer(yaws, [0, 1, 0])).as_matrix()
    faces = np.matmul(face, rotations) + rng.normal(0, noise, (len(yaws), LANDMARKS, 3))
    return faces.astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_undoes_itself(seed):
    order = mirror_order(symmetric_face(seed))
    assert np.array_equal(order[order], np.arange(LANDMARKS))


def test_each_landmark_s_partner_is_where_the_mirror_shows_it():
    face = symmetric_face(1)
    order = mirror_order(face)
    assert face[order] * FLIP == pytest.approx(face, abs=1e-5)
    assert (order == np.arange(LANDMARKS)).sum() == MIDDLE


def test_skin_and_irises_stay_among_themselves():
    order = mirror_order(symmetric_face(2))
    assert order[:MESH].max() < MESH <= order[MESH:].min()


def test_a_face_that_is_not_quite_symmetric_has_the_same_order():
    face = symmetric_face(3)
    distances = np.linalg.norm(face[:, None] - face[None], axis=2)
    nearest = np.min(distances + 9 * np.eye(LANDMARKS))
    noise = np.random.default_rng(3).normal(0, nearest / 10, face.shape)
    order = mirror_order((face + noise).astype(np.float32))
    assert np.array_equal(order, mirror_order(face))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_mirrored_twice_is_as_it_was(seed):
    rng = np.random.default_rng(seed)
    faces = rng.normal(0, 1, (3, LANDMARKS, 3)).astype(np.float32)
    order = mirror_order(symmetric_face(seed))
    once = mirrored(faces, order)
    assert once.shape == faces.shape
    assert not np.array_equal(once, faces)
    assert np.array_equal(mirrored(once, order), faces)


def test_a_turned_face_is_mirrored_to_one_turned_the_other_way():
    face = symmetric_face(4)
    left, right = turned(face, [0.4, -0.4])
    assert mirrored(left, mirror_order(face)) == pytest.approx(right, abs=1e-5)


def test_the_mean_of_faces_turned_to_both_sides_looks_straight_ahead():
    face = symmetric_face(5)
    found = mean_face(turned(face, [0.5, 0.3, -0.1, -0.3, -0.35]))
    assert found == pytest.approx(face, abs=0.01)


def test_the_mean_face_is_symmetric_and_in_face_units():
    faces = turned(symmetric_face(6), np.linspace(-0.5, 0.7, 12), seed=6, noise=0.002)
    found = mean_face(faces)
    assert found.dtype == np.float32
    assert mirrored(found, mirror_order(found)) == pytest.approx(found, abs=1e-5)
    assert found[:MESH].mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-5)
    assert (found[:MESH] ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-4)


# A network learns what crops show, goes on where it was broken off, and runs in the runtime.


SMALL_NETWORK = AppearanceSettings(
    numbers=3, widths=(4, 4, 8), units=8, epochs=16, warm_up=1, batch=32, learning_rate=1e-2
)


def crops(seed, count=320):
    """Make crops: one vocabulary shows in a bright mouth, another in dark brows."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(2, count))
    made = rng.integers(90, 160, (count, CROP_PX, CROP_PX), np.uint8)
    made[labels[0] == 1, 32:38, 14:34] = 240
    made[labels[1] == 1, 8:12, 8:40] = 20
    return SeenCrops(np.ones(count, bool), made), labels


def learned_network(folder, how=SMALL_NETWORK):
    seen, labels = crops(0)
    return learn_appearance([seen, seen], [one_hot(part) for part in labels], how, folder)


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    return learned_network(tmp_path_factory.mktemp('learned'))


def test_the_numbers_tell_the_classes_apart_on_crops_not_seen_before(network):
    fresh, truth = crops(1)
    found = network.predict(evened(fresh.crops)[..., None], verbose=0)
    assert found.shape == (320, 3)
    for classes in truth:
        apart = np.abs(found[classes == 0].mean(axis=0) - found[classes == 1].mean(axis=0))
        assert apart.max() > 0.8


def test_the_runtime_gets_the_numbers_that_keras_gets(network):
    fresh, _ = crops(2, 64)
    content = litert_of(network)
    assert content[4:8] == b'TFL3'
    found = AppearanceNetwork(content)(fresh.crops)
    expected = network.predict(evened(fresh.crops)[..., None], verbose=0)
    # Eight bits a weight: rounding shows, but hardly beside what tells crops apart.
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.03 * expected.std()


def test_a_mirrored_crop_has_the_same_numbers(network):
    fresh, _ = crops(3, 8)
    values = evened(fresh.crops)[..., None]
    found, in_mirror = (network.predict(v, verbose=0) for v in (values, values[:, :, ::-1]))
    np.testing.assert_allclose(found, in_mirror, atol=1e-4)
    assert found.std(axis=0).min() > 0.01


def test_networks_side_by_side_give_their_numbers_one_behind_the_other():
    layers = keras.layers
    one, other = (
        keras.Sequential(
            [keras.Input((CROP_PX, CROP_PX, 1)), layers.MaxPool2D(24), layers.Flatten(), last]
        )
        for last in (layers.Dense(3), layers.Dense(2))
    )
    fresh, _ = crops(4, 16)
    values = evened(fresh.crops)[..., None]
    expected = np.hstack([np.asarray(network(values)) for network in (one, other)])
    both = side_by_side([one, other])
    np.testing.assert_allclose(np.asarray(both(values)), expected, atol=1e-4)
    assert AppearanceNetwork(litert_of(both))(fresh.crops) == pytest.approx(expected, abs=0.1)
    assert side_by_side([other]) is other


def test_a_run_that_was_broken_off_goes_on_and_a_finished_one_is_taken(
    tmp_path, capsys, monkeypatch
):
    folder, kept_whole = tmp_path / 'kept', appearance.save_whole
    how = replace(SMALL_NETWORK, epochs=4)
    expected = learned_network(tmp_path / 'unbroken', how).get_weights()

    def breaks_off(model, path):
        if len(json.loads((folder / 'history.json').read_text())) == 2:
            raise KeyboardInterrupt
        kept_whole(model, path)

    monkeypatch.setattr(appearance, 'save_whole', breaks_off)
    with pytest.raises(KeyboardInterrupt):
        learned_network(folder, how)
    monkeypatch.setattr(appearance, 'save_whole', kept_whole)
    capsys.readouterr()
    found = learned_network(folder, how).get_weights()
    # The second epoch, whose network was not kept, comes again.
    assert capsys.readouterr().out.count('appearance: epoch') == 3
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)
    learned_network(folder, how)
    assert capsys.readouterr().out == ''


def test_a_face_that_a_view_does_not_show_is_taken_from_the_first(tmp_path):
    seen, labels = crops(0)
    nothing = SeenCrops(np.zeros(320, bool), np.zeros_like(seen.crops))
    targets = [one_hot(part) for part in labels]
    network = learn_appearance([seen, nothing, nothing, nothing], targets, SMALL_NETWORK, tmp_path)
    found = network.predict(evened(seen.crops)[..., None], verbose=0)
    apart = np.abs(found[labels[0] == 0].mean(axis=0) - found[labels[0] == 1].mean(axis=0))
    assert apart.max() > 0.8


def test_crops_of_another_size_are_an_error_and_no_hang(tmp_path):
    seen, labels = crops(0)
    wrong = SeenCrops(seen.readable, seen.crops[:, :40])
    with pytest.raises(ValueError, match='could not broadcast'):
        learn_appearance([wrong], [one_hot(part) for part in labels], SMALL_NETWORK, tmp_path)


# Crops are changed within bounds, and the same chance changes them in the same way.


NONE = replace(
    CropChanges(),
    **{part.name: 0.0 for part in fields(CropChanges) if not part.name.endswith(('_px', 'noise'))},
    shift_px=0.0,
)


def crop(seed=0):
    grey = np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX), np.uint8)
    return cv2.GaussianBlur(grey, (0, 0), 2)


def changed(how, seed=0, of=None):
    return changed_crop(crop() if of is None else of, how, np.random.default_rng(seed))


def test_no_change_leaves_the_evened_crop():
    np.testing.assert_allclose(changed(NONE), evened(crop()), atol=1e-4)


@given(st.integers(0, 1000))
def test_the_same_chance_gives_the_same_values_and_all_are_finite(seed):
    found = changed(CropChanges(), seed)
    np.testing.assert_array_equal(found, changed(CropChanges(), seed))
    assert found.shape == (CROP_PX, CROP_PX)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_mirrored_crop_is_the_evened_crop_from_right_to_left():
    found = changed(replace(NONE, mirrored=1.0))
    np.testing.assert_allclose(found, evened(crop())[:, ::-1], atol=0.05)


@pytest.mark.parametrize('seed', range(5))
def test_a_coarse_crop_loses_what_is_fine_and_keeps_what_is_not(seed):
    how = replace(NONE, coarse=1.0, coarse_px=(12.0, 12.5))
    fine = np.where(np.indices((CROP_PX, CROP_PX)).sum(axis=0) % 2, 255, 0).astype(np.uint8)
    assert np.abs(changed(how, seed, fine)).max() < 0.2
    halves = np.zeros((CROP_PX, CROP_PX), np.uint8)
    halves[:, CROP_PX // 2 :] = 200
    found = changed(how, seed, halves)
    np.testing.assert_allclose(found[:, :20], evened(halves)[:, :20], atol=0.05)


@pytest.mark.parametrize('seed', range(20))
def test_what_is_hidden_is_even_and_at_most_a_rectangle_of_the_given_size(seed):
    found = changed(replace(NONE, hidden=1.0), seed)
    rows, columns = np.nonzero(np.abs(found - evened(crop())) > 1e-3)
    assert len(rows)
    assert np.ptp(rows) < CropChanges().hidden_px[1]
    assert np.ptp(columns) < CropChanges().hidden_px[1]
    np.testing.assert_allclose(found[rows, columns], 0, atol=1e-6)


@pytest.mark.parametrize('seed', range(5))
def test_what_is_bright_of_an_overexposed_crop_is_white_and_what_is_dark_is_not(seed):
    ramp = np.tile(np.linspace(0, 255, CROP_PX, dtype=np.uint8), (CROP_PX, 1))
    found = changed(replace(NONE, overexposed=1.0, exposure=(1.6, 2.0)), seed, ramp)[0]
    white = CROP_PX * 2 // 3
    assert np.ptp(found[white:]) < 1e-3
    assert (np.diff(found[: CROP_PX // 2 - 2]) > 0.05).all()


def test_a_shift_moves_by_about_as_many_pixels():
    dot = np.zeros((CROP_PX, CROP_PX), np.uint8)
    dot[23:25, 23:25] = 255
    places = []
    for seed in range(200):
        found = changed(replace(NONE, shift_px=1.5), seed, dot)
        found = found - found.min()
        places.append(
            [(found.sum(axis=a) * np.arange(CROP_PX)).sum() / found.sum() for a in (0, 1)]
        )
    assert np.mean(places) == pytest.approx(23.5, abs=0.2)
    assert np.std(places, axis=0) == pytest.approx(1.5, abs=0.3)


def test_too_few_photographs_and_no_scheduler_are_told_with_a_sentence(
    tmp_path, monkeypatch, capsys
):
    for split in ('train', 'val'):
        (folder := tmp_path / split / 'sad').mkdir(parents=True)
        cv2.imwrite(str(folder / '1.png'), np.zeros((48, 48), np.uint8))
        (folder / '0.png').write_bytes(b'no picture')
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'out')
    assert extraction_speed.main([]) == 1
    assert 'training has 2 photographs; 8 are the least' in capsys.readouterr().err
    assert train.main(['--visibility', 'learn']) == 1
    said = capsys.readouterr()
    assert 'train/sad/0.png' in said.out and said.out.count('left out') == 2
    assert '1 photographs of FER2013 give 0 crops of faces' in said.err
    assert seed_report.main([]) == 1
    assert 'No two faces of one expression are found' in capsys.readouterr().err
    monkeypatch.setenv(sources.SCHEDULER_VARIABLE, 'nobody')
    assert train.main(['--visibility', 'table']) == 1
    assert "No Dask scheduler answers at 'nobody'" in capsys.readouterr().err
