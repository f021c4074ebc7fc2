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

"""The data of a search: what does not fit is told by name."""

from __future__ import annotations

import numpy as np
import pytest

from training.datasets.labels import DataError
from training.search.search_data import SearchData, read_data


def arrays(**changed):
    rng = np.random.default_rng(5)
    found = {}
    for part, count in (('train', 6), ('validation', 4)):
        found[f'{part}_windows'] = rng.random((count, 3, 5), np.float32)
        found[f'{part}_targets'] = np.eye(2, dtype=np.float32)[rng.integers(0, 2, count)]
    return {**found, **changed}


def test_a_file_comes_back_as_it_was_written(tmp_path):
    written = arrays()
    np.savez(tmp_path / 'data.npz', **written)
    data = read_data(tmp_path / 'data.npz')
    assert (data.shape, data.classes) == ((3, 5), 2)
    for name, array in written.items():
        np.testing.assert_array_equal(getattr(data, name), array)


def test_doubles_become_float32(tmp_path):
    wide = arrays()
    np.savez(tmp_path / 'data.npz', **{k: v.astype(np.float64) for k, v in wide.items()})
    assert read_data(tmp_path / 'data.npz').train_windows.dtype == np.float32


def test_a_missing_array_is_told_by_name(tmp_path):
    written = arrays()
    del written['validation_targets']
    np.savez(tmp_path / 'data.npz', **written)
    with pytest.raises(DataError, match=r'data\.npz lacks validation_targets; it has train_'):
        read_data(tmp_path / 'data.npz')


@pytest.mark.parametrize('content', [b'', b'windows', b'PK\x03\x04 cut off'])
def test_a_file_that_is_no_npz_is_told_by_name(tmp_path, content):
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(DataError, match=r'data\.npz cannot be read as a \.npz file'):
        read_data(tmp_path / 'data.npz')


def test_a_single_array_is_told_by_name(tmp_path):
    np.save(tmp_path / 'data.npy', np.zeros(3, np.float32))
    with pytest.raises(DataError, match=r'data\.npy cannot .* \(it holds a single array\)'):
        read_data(tmp_path / 'data.npy')


def test_a_missing_file_is_told_by_name(tmp_path):
    with pytest.raises(DataError, match=r'absent\.npz cannot be read'):
        read_data(tmp_path / 'absent.npz')


@pytest.mark.parametrize(
    ('changed', 'told'),
    [
        ({'train_windows': np.zeros((6, 5), np.float32)}, r'train_windows has shape \(6, 5\)'),
        ({'train_targets': np.ones((5, 2), np.float32)}, r'train_targets has shape \(5, 2\)'),
        (
            {
                'train_windows': np.zeros((0, 3, 5), np.float32),
                'train_targets': np.zeros((0, 2), np.float32),
            },
            'at least one',
        ),
        (
            {'validation_targets': np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]},
            r'train_targets has rows of shape \(2,\), validation_targets of shape \(3,\)',
        ),
        (
            {'validation_windows': np.zeros((4, 2, 5), np.float32)},
            r'train_windows has rows of shape \(3, 5\), validation_windows of shape \(2, 5\)',
        ),
    ],
)
def test_shapes_that_do_not_fit_are_told(changed, told):
    with pytest.raises(DataError, match=told):
        SearchData(**arrays(**changed))


@pytest.mark.parametrize('row', [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0]])
def test_targets_that_are_no_shares_are_told_by_row(row):
    targets = arrays()['train_targets']
    targets[4] = row
    with pytest.raises(DataError, match='train_targets, row 4, is'):
        SearchData(**arrays(train_targets=targets))


def test_a_value_that_is_not_finite_is_told_by_row():
    windows = arrays()['validation_windows']
    windows[2, 1, 1] = np.inf
    with pytest.raises(DataError, match='validation_windows, row 2, has a value that is not'):
        SearchData(**arrays(validation_windows=windows))


def test_the_digest_changes_with_any_value():
    data, other = arrays(), arrays()
    assert SearchData(**data).digest() == SearchData(**other).digest()
    other['validation_windows'][3, 2, 4] += 1e-3
    assert SearchData(**data).digest() != SearchData(**other).digest()
