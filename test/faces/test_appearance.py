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
from helpers.faces import (
    NEUTRAL,
    frames,
    landmarks_of,
    mirrored,
    photograph,
    points_of,
    random_face,
    shipped_network,
)
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.emotion.model import read_metadata
from emotion_estimator.faces.appearance import (
    CROP_PX,
    FAINT,
    HALF_WIDTH,
    AppearanceNetwork,
    crop_face,
    evened,
)
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import MESH
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding, find_model


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
    encoding = read_encoding(find_encoding(DEFAULT_ENCODING))
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


# A face is cut out where it is, upright, of one size, and free of what is too fine to show.


TEMPLATE = random_face()
MIDDLE = TEMPLATE[:MESH, :2].mean(axis=0)


def outline_at(x, y, step, angle=0.0):
    """Lay the template into an image: its middle, pixels of the image for one of the crop."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    unit_px = step * CROP_PX / (2 * HALF_WIDTH)
    return ((TEMPLATE[:, :2] - MIDDLE) @ turn * unit_px + [x, y]).astype(np.float32)


def ramp(width, height, per_px):
    """Make an image whose grey tells x."""
    grey = np.clip((np.arange(width) + 0.5) * per_px, 0, 255).round().astype(np.uint8)
    return np.repeat(np.tile(grey, (height, 1))[..., None], 3, axis=2)


def smooth_noise(width, height, blur_px, seed=0):
    """Make an image of blotches of some size."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    blurred = cv2.GaussianBlur(noise, (0, 0), blur_px)
    return np.clip(128 + 60 * blurred / blurred.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize('step', [0.3, 1.0, 1.7, 2.0, 3.5, 7.2, 15.9])
@pytest.mark.parametrize('along', ['x', 'y'])
def test_each_pixel_shows_the_place_that_it_stands_for(step, along):
    width = round(80 * step) + 40
    per_px = 250 / width
    image = ramp(width, width, per_px)
    if along == 'y':
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    middle = width / 2 + 0.3
    crop = crop_face(image, outline_at(middle, middle, step), TEMPLATE)
    assert crop.shape == (CROP_PX, CROP_PX)
    places = middle + step * (np.arange(CROP_PX) + 0.5 - CROP_PX / 2)
    shown = crop if along == 'x' else crop.T
    expected = np.tile(places * per_px, (CROP_PX, 1))
    np.testing.assert_allclose(shown, expected, atol=1.5)


@given(st.floats(-3.1, 3.1), st.sampled_from([0.7, 1.9, 2.4]))
def test_a_leaning_head_is_cut_out_upright(angle, step):
    """Ramps stay ramps when turned: the crop of a turned ramp is that of the straight one."""
    size = round(90 * step)
    middle = size / 2
    x, y = np.meshgrid(np.arange(size) + 0.5 - middle, np.arange(size) + 0.5 - middle)
    along = x * np.cos(angle) + y * np.sin(angle)
    grey = np.clip(128 + along * 100 / middle, 0, 255).round().astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    crop = crop_face(image, outline_at(middle, middle, step, angle), TEMPLATE)
    places = step * (np.arange(CROP_PX) + 0.5 - CROP_PX / 2)
    expected = np.tile(128 + places * 100 / middle, (CROP_PX, 1))
    np.testing.assert_allclose(crop, expected, atol=2)


@pytest.mark.parametrize('turns', [1, 2, 3])
@pytest.mark.parametrize('side_px', [160, 480])
def test_a_photograph_turned_by_quarters_gives_nearly_the_same_crop(
    landmarker_path, media, turns, side_px
):
    image = photograph(media(NEUTRAL), side_px)
    template = points_of(image)
    outline = landmarks_of(image)[:, :2] * side_px
    upright = crop_face(image, outline, template)
    turned = outline
    for _ in range(turns):
        turned = np.stack([turned[:, 1], side_px - turned[:, 0]], axis=1)
    crop = crop_face(np.ascontiguousarray(np.rot90(image, turns)), turned, template)
    difference = np.abs(crop.astype(int) - upright)
    assert upright.std() > 30
    assert difference.mean() < 2.5


def test_a_mirrored_photograph_gives_the_mirrored_crop(landmarker_path, media):
    image = photograph(media(NEUTRAL), 240)
    template = points_of(image)
    outline = landmarks_of(image)[:, :2] * 240
    opposite = template * np.array([-1, 1, 1], np.float32)
    turned_over = (np.array([240, 0]) + outline * [-1, 1]).astype(np.float32)
    crop = crop_face(image, outline, template)
    in_mirror = crop_face(mirrored(image), turned_over, opposite)
    assert np.abs(in_mirror[:, ::-1].astype(int) - crop).mean() < 2.5


@pytest.mark.parametrize('factor', [2, 5, 12])
def test_a_large_image_shows_what_its_small_version_shows(factor):
    small = smooth_noise(140, 120, blur_px=4)
    large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    crops = [
        crop_face(image, outline_at(71 * scale, 58 * scale, 1.2 * scale), TEMPLATE)
        for image, scale in ((small, 1), (large, factor))
    ]
    np.testing.assert_allclose(crops[1].astype(int), crops[0], atol=6)


@pytest.mark.parametrize('step', [4.0, 6.5, 12.3])
def test_what_is_finer_than_a_crop_s_pixel_leaves_no_pattern(step):
    size = round(70 * step)
    image = np.random.default_rng(0).integers(0, 256, (size, size, 1), np.uint8)
    image = np.repeat(image, 3, axis=2)
    crop = crop_face(image, outline_at(size / 2, size / 2, step), TEMPLATE)
    # The mean of n independent pixels spreads by the square root of n less.
    assert crop.std() < 1.2 * image.std() / int(step)
    assert crop.mean() == pytest.approx(image.mean(), abs=2)


@pytest.mark.parametrize('step', [0.8, 1.5, 3.0])
def test_beyond_the_image_its_edge_goes_on(step):
    image = ramp(200, 200, per_px=1.0)
    crop = crop_face(image, outline_at(2, 198, step), TEMPLATE).astype(int)
    assert (crop[:, : CROP_PX // 2 - 5] <= step).all()
    assert crop[:, -1].std() < 1
    assert (np.diff(crop[CROP_PX // 2]) >= -1).all()
    assert crop[0, -1] == pytest.approx(2 + step * (CROP_PX - 1) / 2, abs=2 + step)


@given(
    st.floats(-3000, 3000),
    st.floats(-3000, 3000),
    st.floats(0.01, 100),
    st.floats(-3.1, 3.1),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_wherever_a_face_is_there_is_a_crop(x, y, step, angle, width, height):
    image = np.full((height, width, 3), 77, np.uint8)
    crop = crop_face(image, outline_at(x, y, step, angle), TEMPLATE)
    assert crop.shape == (CROP_PX, CROP_PX)
    assert crop.dtype == np.uint8
    assert (crop == 77).all()


def test_an_image_that_may_not_be_written_and_is_a_part_of_another_is_read():
    image = smooth_noise(400, 300, blur_px=3)
    part = image[50:250, 100:300]
    part.flags.writeable = False
    expected = crop_face(part.copy(), outline_at(100, 100, 2.5), TEMPLATE)
    found = crop_face(part, outline_at(100, 100, 2.5), TEMPLATE)
    np.testing.assert_array_equal(found, expected)
