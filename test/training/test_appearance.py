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

"""A network learns what crops show, goes on where it was broken off, and runs in the runtime."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.appearance import CROP_PX, AppearanceNetwork, evened
from training.datasets.labels import one_hot
from training.encoding.appearance import (
    AppearanceSettings,
    CropChanges,
    SeenCrops,
    changed_crop,
    learn_appearance,
    litert_of,
)

SMALL = AppearanceSettings(
    numbers=3, widths=(4, 4, 8), units=8, epochs=16, warm_up=1, batch=32, learning_rate=1e-2
)


def crops(seed, count=320):
    """Make crops: one vocabulary is told by a bright mouth, another by dark brows."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(2, count))
    made = rng.integers(90, 160, (count, CROP_PX, CROP_PX), np.uint8)
    made[labels[0] == 1, 32:38, 14:34] = 240
    made[labels[1] == 1, 8:12, 8:40] = 20
    return SeenCrops(np.ones(count, bool), made), labels


def learned(folder, how=SMALL):
    seen, labels = crops(0)
    return learn_appearance([seen, seen], [one_hot(part) for part in labels], how, folder)


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    return learned(tmp_path_factory.mktemp('learned'))


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


def test_a_run_that_was_broken_off_goes_on_and_a_finished_one_is_taken(tmp_path, capsys):
    folder = tmp_path / 'kept'
    learned(folder)
    first = capsys.readouterr().out
    assert first.count('appearance: epoch') == SMALL.epochs
    (folder / 'history.json').write_text(str([1.0] * (SMALL.epochs - 2)))
    learned(folder)
    assert capsys.readouterr().out.count('appearance: epoch') == 2
    learned(folder)
    assert capsys.readouterr().out == ''


def test_a_face_that_a_view_does_not_show_is_taken_from_the_first(tmp_path):
    seen, labels = crops(0)
    nothing = SeenCrops(np.zeros(320, bool), np.zeros_like(seen.crops))
    targets = [one_hot(part) for part in labels]
    network = learn_appearance([seen, nothing, nothing, nothing], targets, SMALL, tmp_path)
    found = network.predict(evened(seen.crops)[..., None], verbose=0)
    apart = np.abs(found[labels[0] == 0].mean(axis=0) - found[labels[0] == 1].mean(axis=0))
    assert apart.max() > 0.8


def test_crops_of_another_size_are_an_error_and_no_hang(tmp_path):
    seen, labels = crops(0)
    wrong = SeenCrops(seen.readable, seen.crops[:, :40])
    with pytest.raises(ValueError, match='could not broadcast'):
        learn_appearance([wrong], [one_hot(part) for part in labels], SMALL, tmp_path)


# Crops are changed within bounds, and the same chance changes them likewise.


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
