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

"""A face in few named numbers, by an encoding that is kept in one file; the face cut out."""

import io

import cv2
import numpy as np
import pytest
from helpers.faces import (
    NEUTRAL,
    PEOPLE,
    encoding_parts,
    landmarks_of,
    mirrored,
    photograph,
    points_of,
    random_face,
    shipped_network,
    upright_template,
    write_encoding,
)
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.appearance import (
    CROP_PX,
    HALF_WIDTH,
    AppearanceNetwork,
    crop_face,
)
from emotion_estimator.faces.encoding import (
    NETWORK,
    FaceEncodingError,
    read_encoding,
)
from emotion_estimator.faces.geometry import MESH, POSE_NAMES, align, head_angles
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding


@pytest.fixture
def encoding(landmarker_path, media, tmp_path):
    """Make an encoding whose template is a real face that looks straight ahead."""
    template = upright_template(photograph(media(PEOPLE[0])))
    return read_encoding(write_encoding(tmp_path / 'v7.npz', template))


def values_of(encoding, image):
    return dict(zip(encoding.names, encoding.encode(image, landmarks_of(image)).tolist()))


def through(values, projection):
    """Compute a projection by its definition."""
    units = np.clip(values @ projection.hidden + projection.bias, 0, None)
    return units @ projection.directions + projection.offset


def test_every_value_has_a_name_and_the_version_stands_in_it(tmp_path):
    encoding = read_encoding(write_encoding(tmp_path / 'v7.npz'))
    assert encoding.version == 'v7'
    assert encoding.names == (
        'head.roll',
        'head.pitch',
        'head.yaw',
        'geometry.v7.00',
        'geometry.v7.01',
        'geometry.v7.02',
        'geometry.v7.03',
        *(f'appearance.v7.{number:02d}' for number in range(encoding.appearance.count)),
    )


def test_what_is_read_is_what_was_written(tmp_path):
    encoding = read_encoding(write_encoding(tmp_path / 'v7.npz'))
    written = encoding_parts(encoding.template)
    for name, found in vars(encoding.geometry).items():
        np.testing.assert_array_equal(found, written[f'geometry_{name}'])
        assert found.dtype == np.float32


def test_a_face_is_pose_then_projected_landmarks_then_what_the_network_tells(encoding, media):
    image = photograph(media(PEOPLE[1]))
    landmarks = landmarks_of(image)
    found = encoding.encode(image, landmarks)
    assert found.dtype == np.float32
    aligned, rotations = align(points_of(image)[None], encoding.template)
    np.testing.assert_allclose(found[:3], head_angles(rotations)[0], atol=1e-6)
    offset = (aligned[0] - encoding.template).ravel()
    np.testing.assert_allclose(found[3:7], through(offset, encoding.geometry), atol=1e-5)
    crop = crop_face(image, landmarks[:, :2] * image.shape[0], encoding.template)
    network = AppearanceNetwork(shipped_network().tobytes())
    np.testing.assert_allclose(found[7:], network(crop[None])[0], atol=1e-5)


def test_many_faces_are_encoded_as_each_alone(encoding, media):
    images = [photograph(media(name)) for name in PEOPLE]
    outlines = [landmarks_of(image)[:, :2] * image.shape[0] for image in images]
    crops = [
        crop_face(image, outline, encoding.template) for image, outline in zip(images, outlines)
    ]
    points = np.stack([points_of(image) for image in images])
    together = encoding.encode_many(points, np.stack(crops))
    alone = [encoding.encode(image, landmarks_of(image)) for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.isfinite(together).all()
    assert together.std(axis=0).min() > 0


def test_in_a_mirror_roll_and_yaw_change_sign(encoding, media):
    image = photograph(media(PEOPLE[2]))
    turned = cv2.getRotationMatrix2D((240, 240), 20, 0.8)
    image = cv2.warpAffine(image, turned, (480, 480), borderMode=cv2.BORDER_REPLICATE)
    seen, in_mirror = values_of(encoding, image), values_of(encoding, mirrored(image))
    # Turned against the clock in the image: the head leans to the person's right.
    assert seen['head.roll'] == pytest.approx(np.radians(20), abs=0.1)
    assert abs(seen['head.yaw']) > 0.03
    for name, sign in (('head.roll', -1), ('head.pitch', 1), ('head.yaw', -1)):
        assert in_mirror[name] == pytest.approx(sign * seen[name], abs=0.05)


@pytest.mark.parametrize('left, above', [(0, 0), (37, 160)])
def test_where_the_face_is_in_the_image_does_not_matter(encoding, media, left, above):
    image = photograph(media(PEOPLE[1]), 360)
    landmarks = landmarks_of(image)
    larger = cv2.copyMakeBorder(image, above, 0, left, 300 - left, cv2.BORDER_REPLICATE)
    height, width = larger.shape[:2]
    moved = (landmarks * 360 + [left, above, 0]) / [width, height, width]
    found = encoding.encode(larger, moved.astype(np.float32))
    expected = encoding.encode(image, landmarks)
    np.testing.assert_allclose(found[:7], expected[:7], atol=1e-4)
    np.testing.assert_allclose(found[7:], expected[7:], atol=0.05)


@pytest.mark.parametrize('side_px', [200, 1100])
def test_the_size_of_the_face_in_the_image_matters_little(encoding, media, side_px):
    landmarks = landmarks_of(photograph(media(PEOPLE[1])))
    usual, other = (
        encoding.encode(photograph(media(PEOPLE[1]), size), landmarks) for size in (480, side_px)
    )
    person = photograph(media(PEOPLE[0]))
    someone_else = encoding.encode(person, landmarks_of(person))
    np.testing.assert_allclose(other[:7], usual[:7], atol=1e-5)
    change = np.linalg.norm(other[7:] - usual[7:])
    assert change < 0.25 * np.linalg.norm(someone_else[7:] - usual[7:])


def npz(**parts):
    content = io.BytesIO()
    np.savez(content, **parts)
    return content.getvalue()


def npy():
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


@pytest.mark.parametrize(
    'changed, sentence',
    [
        ({'template': None}, 'cannot be read .*template'),
        ({'schema': None}, 'cannot be read .*schema'),
        ({'schema': 1}, 'has schema 1, but this package reads schema 3'),
        ({'schema': 1, 'template': None}, 'has schema 1'),
        ({'schema': np.arange(2)}, 'cannot be read'),
        ({'template': np.ones((468, 3))}, r'template has shape \[468, 3\], not \[478, 3\]'),
        ({'geometry_hidden': np.ones(1434)}, r'shape \[1434\], not \[1434, any\]'),
        ({'geometry_bias': np.ones(5)}, 'sizes of geometry do not fit'),
        ({'geometry_mean': np.full(1434, np.inf)}, 'geometry_mean holds what is no'),
        ({NETWORK: None}, f'cannot be read .*{NETWORK}'),
        ({NETWORK: np.zeros(0, np.uint8)}, f'{NETWORK} cannot be used'),
        ({NETWORK: np.arange(200, dtype=np.uint8)}, f'{NETWORK} cannot be used'),
        ({'template': np.zeros((478, 3))}, 'template has mean square distance 0'),
        ({'geometry_mean': np.full(1434, 'a')}, 'cannot be read'),
        ({'geometry_mean': np.full(1434, None)}, 'cannot be read'),
    ],
)
def test_wrong_contents_are_reported_by_name(tmp_path, changed, sentence):
    path = write_encoding(tmp_path / 'v7.npz', **changed)
    with pytest.raises(FaceEncodingError, match=sentence) as caught:
        read_encoding(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    'content',
    [b'', b'schema: 1', b'PK\x03\x04', npz(schema=1)[:-30], npy()],
    ids=['empty', 'text', 'head of a zip', 'truncated', 'one array'],
)
def test_a_file_that_is_no_encoding_is_reported(tmp_path, content):
    path = tmp_path / 'v7.npz'
    path.write_bytes(content)
    with pytest.raises(FaceEncodingError, match=r'v7\.npz cannot be read'):
        read_encoding(path)


def test_a_missing_file_and_a_folder_are_reported(tmp_path):
    for path in (tmp_path / 'v7.npz', tmp_path):
        with pytest.raises(FaceEncodingError, match='cannot be read'):
            read_encoding(path)


@pytest.fixture(scope='module')
def packed(tmp_path_factory):
    """Write a compressed encoding of few bytes; gives its path and bytes."""
    path = tmp_path_factory.mktemp('packed') / 'v7.npz'
    parts = {name: np.round(part, 1) for name, part in encoding_parts(HALVES, 1).items()}
    np.savez_compressed(path, **parts)
    return path, path.read_bytes()


HALVES = np.zeros((478, 3), np.float32)
HALVES[:, 0] = np.where(np.arange(478) % 2, 1, -1)


@given(st.data())
def test_damage_anywhere_is_reported_or_harmless(packed, data):
    path, content = packed
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(1, 255))
    damaged = bytearray(content)
    damaged[place] ^= value
    path.write_bytes(damaged)
    try:
        np.testing.assert_array_equal(read_encoding(path).template, HALVES)
    except FaceEncodingError as error:
        assert 'v7.npz' in str(error)


def test_the_encoding_that_ships_reads_faces_that_look_straight_ahead(landmarker_path, media):
    encoding = read_encoding(find_encoding(DEFAULT_ENCODING))
    assert encoding.version == DEFAULT_ENCODING
    assert encoding.names[:3] == POSE_NAMES
    assert len(set(encoding.names)) == len(encoding.names)
    for name in PEOPLE:
        values = encoding.encode(photograph(media(name)), landmarks_of(photograph(media(name))))
        assert np.isfinite(values).all()
        assert np.abs(values[:3]).max() < 0.35


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
