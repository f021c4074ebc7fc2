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

"""The data of a search: composed once for what decides it; what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.files import sha256_of
from training import sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, Dynamics
from training.commands import search as module
from training.commands.search import TuningSizes, read_data, tuning_data
from training.datasets.pictures import LABELS, DataError
from training.fitting import Material
from training.settings import Settings
from training.stills import Stills, Targets
from training.windows import Composition


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


@pytest.mark.parametrize('content', [b'', b'windows', b'PK\x03\x04 cut off'])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(DataError, match=r'data\.npz cannot be read as a \.npz file'):
        read_data(tmp_path / 'data.npz')


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / 'data.npz').open('wb') as file:
        np.save(file, np.zeros(3, np.float32))
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
