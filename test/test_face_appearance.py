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

"""A small network tells what a crop shows, whatever the light."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from encoding_samples import landmarks_of, shipped_network
from hypothesis import given
from hypothesis import strategies as st
from media import NEUTRAL, frames

from emotion_estimator.emotion.emotion_model import read_metadata
from emotion_estimator.faces.face_appearance import FAINT, AppearanceNetwork, evened
from emotion_estimator.faces.face_crop import CROP_PX
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.files import find_encoding, find_model


def noise(seed, blur_px=0.0):
    grey = np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX), np.uint8)
    return cv2.GaussianBlur(grey, (0, 0), blur_px) if blur_px else grey


@pytest.fixture(scope='module')
def network():
    return AppearanceNetwork(shipped_network().tobytes())


@given(st.integers(0, 1000), st.floats(0.05, 1), st.floats(0, 1))
def test_evened_crops_have_mean_0_and_a_deviation_just_below_1(seed, contrast, brightness):
    crop = (noise(seed) * contrast + 255 * (1 - contrast) * brightness).astype(np.uint8)
    values = evened(crop)
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=1e-5)
    assert values.std() == pytest.approx(crop.std() / (crop.std() + FAINT), abs=1e-4)


@pytest.mark.parametrize('grey', [0, 77, 255])
def test_an_even_crop_stays_even(grey):
    np.testing.assert_array_equal(evened(np.full((CROP_PX, CROP_PX), grey, np.uint8)), 0)


def test_many_crops_are_evened_each_by_itself():
    crops = np.stack([noise(0), noise(1, 2.0), noise(2) // 3])
    for crop, values in zip(crops, evened(crops)):
        np.testing.assert_allclose(values, evened(crop), atol=1e-5)


def test_many_crops_are_described_as_each_alone(network):
    crops = np.stack([noise(seed, 2.0) for seed in range(4)])
    found = network(crops)
    assert found.shape == (4, network.count)
    assert found.dtype == np.float32
    for crop, numbers in zip(crops, found):
        np.testing.assert_array_equal(network(crop[None])[0], numbers)
    assert found.std(axis=0).min() > 0


def test_a_mirrored_crop_has_the_same_numbers(network):
    crops = np.stack([noise(seed, 2.0) for seed in range(4)])
    np.testing.assert_allclose(network(crops[:, :, ::-1]), network(crops), atol=1e-4)


def test_no_crops_give_no_numbers(network):
    empty = np.empty((0, CROP_PX, CROP_PX), np.uint8)
    assert network(empty).shape == (0, network.count)


def test_threads_that_share_a_network_get_their_own_numbers(network):
    crops = [noise(seed, 2.0)[None] for seed in range(8)]
    alone = [network(crop) for crop in crops]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(network, crops * 20))
    for number, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[number % 8])


def test_light_and_contrast_change_little_and_a_smile_changes_much(media, landmarker_path):
    encoding = read_encoding(find_encoding(DEFAULT_VERSION))
    clip, _ = frames(media(NEUTRAL))
    neutral, smiling = (
        encoding.crop(image, landmarks_of(image))
        for image in (cv2.cvtColor(clip[i], cv2.COLOR_BGR2RGB) for i in (0, -1))
    )
    dim = (60 + 0.4 * neutral).astype(np.uint8)
    usual, in_other_light, other = encoding.appearance(np.stack([neutral, dim, smiling]))
    change = np.linalg.norm(other - usual)
    assert np.linalg.norm(in_other_light - usual) < 0.35 * change


@pytest.mark.parametrize('content', [b'', b'TFL3', bytes(range(200))])
def test_what_is_no_network_is_refused(content):
    with pytest.raises(ValueError):
        AppearanceNetwork(content)


def test_a_network_for_something_else_is_refused_with_its_shapes():
    folder = find_model('basic7')
    content = (folder / read_metadata(folder).network).read_bytes()
    with pytest.raises(ValueError, match=r'it takes \[1, 30, .*not \[1, 48, 48, 1\]'):
        AppearanceNetwork(content)
