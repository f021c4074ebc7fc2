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

"""Raw and compressed images, right and wrong."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.image_decoding import (
    ENCODINGS,
    EncodingError,
    ImageError,
    decode_compressed,
    decode_image,
)

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
SMOOTH = cv2.resize(
    np.random.default_rng(1).integers(40, 216, (4, 5, 3), np.uint8),
    (32, 24),
    interpolation=cv2.INTER_CUBIC,
)
ALPHA = np.full((4, 6, 1), 9, np.uint8)


@pytest.mark.parametrize(
    'encoding, pixels',
    [
        ('rgb8', RGB),
        ('bgr8', RGB[..., ::-1]),
        ('8UC3', RGB[..., ::-1]),
        ('rgba8', np.dstack([RGB, ALPHA])),
        ('bgra8', np.dstack([RGB[..., ::-1], ALPHA])),
        ('8UC4', np.dstack([RGB[..., ::-1], ALPHA])),
    ],
)
@pytest.mark.parametrize('padding', [0, 5])
def test_colour_encodings_are_exact_with_and_without_padding(encoding, pixels, padding):
    rows = pixels.reshape(4, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    found = decode_image(encoding, 4, 6, padded.shape[1], padded.tobytes())
    np.testing.assert_array_equal(found, RGB)
    assert found.flags.c_contiguous


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_gives_three_equal_channels(encoding):
    grey = RGB[..., 0]
    found = decode_image(encoding, 4, 6, 6, grey.tobytes())
    np.testing.assert_array_equal(found, np.dstack([grey] * 3))


def yuv_rows(encoding):
    """Encode SMOOTH by ITU-R BT.601 (video range), independently of the decoder."""
    r, g, b = np.moveaxis(SMOOTH.astype(float), 2, 0)
    y = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256
    u = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256
    v = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256
    y, u, v = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, u, v))
    if encoding in ('nv12', 'nv21'):
        chroma = (u, v) if encoding == 'nv12' else (v, u)
        pairs = np.stack([plane[::2, ::2] for plane in chroma], axis=2)
        return np.vstack([y, pairs.reshape(12, 32)])
    chroma = np.where(
        np.arange(32) % 2 == 0, np.repeat(u[:, ::2], 2, 1), np.repeat(v[:, ::2], 2, 1)
    )
    order = (chroma, y) if encoding in ('uyvy', 'yuv422') else (y, chroma)
    return np.stack(order, axis=2).reshape(24, 64)


@pytest.mark.parametrize('encoding', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv12', 'nv21'])
@pytest.mark.parametrize('padding', [0, 4])
def test_yuv_encodings_come_close_to_the_picture_they_were_made_of(encoding, padding):
    rows = np.pad(yuv_rows(encoding), ((0, 0), (0, padding)))
    found = decode_image(encoding, 24, 32, rows.shape[1], rows.tobytes())
    error = np.abs(found.astype(int) - SMOOTH)
    assert np.median(error) <= 3


@pytest.mark.parametrize(
    'encoding, pattern',
    [
        ('bayer_rggb8', 'RGGB'),
        ('bayer_bggr8', 'BGGR'),
        ('bayer_gbrg8', 'GBRG'),
        ('bayer_grbg8', 'GRBG'),
    ],
)
def test_bayer_encodings_name_the_first_two_rows(encoding, pattern):
    colour = {'R': 200, 'G': 120, 'B': 40}
    tile = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (8, 8))
    found = decode_image(encoding, 16, 16, 16, mosaic.tobytes())
    assert found[8, 8].tolist() == [200, 120, 40]


def test_an_rgb_image_without_padding_is_not_copied():
    data = bytearray(RGB.tobytes())
    found = decode_image('rgb8', 4, 6, 18, data)
    data[0] ^= 255
    assert found[0, 0, 0] == data[0]


def test_a_4k_image_is_decoded():
    assert decode_image('bgr8', 2160, 3840, 3840 * 3, bytes(2160 * 3840 * 3)).shape == (
        2160,
        3840,
        3,
    )


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        (('rgb8', 4, 6, 17, bytes(72)), 'step is 17 bytes, but a row of 6 pixels'),
        (('rgb8', 4, 6, 0, bytes(72)), 'step is 0 bytes'),
        (('rgb8', 4, 6, 18, bytes(71)), 'data holds 71 bytes'),
        (('rgb8', 4, 6, 18, b''), 'data holds 0 bytes'),
        (('rgb8', 0, 6, 18, b''), 'empty'),
        (('rgb8', 4, 0, 0, b''), 'empty'),
        (('yuyv', 4, 5, 10, bytes(40)), 'even width'),
        (('nv12', 3, 6, 6, bytes(40)), 'even width and height'),
        (('nv12', 4, 6, 6, bytes(24)), 'data holds 24 bytes'),
    ],
)
def test_fields_that_do_not_fit_are_told(arguments, sentence):
    with pytest.raises(ImageError, match=sentence):
        decode_image(*arguments)


@pytest.mark.parametrize(
    'encoding, sentence',
    [('RGB8', "'rgb8' is"), ('8uc3', "'8UC3' is"), ('', 'known are rgb8'), ('16UC1', 'not known')],
)
def test_an_encoding_that_is_not_known_is_told(encoding, sentence):
    with pytest.raises(EncodingError, match=sentence):
        decode_image(encoding, 4, 6, 18, bytes(72))


@given(
    st.sampled_from(ENCODINGS),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 40),
    st.binary(max_size=400),
)
def test_any_fields_give_a_picture_of_that_size_or_a_sentence(encoding, height, width, step, data):
    try:
        assert decode_image(encoding, height, width, step, data).shape == (height, width, 3)
    except ImageError as error:
        assert str(error)


def compressed(extension, picture=SMOOTH[..., ::-1]):
    return cv2.imencode(extension, picture)[1].tobytes()


def test_png_is_exact_and_jpeg_is_close():
    np.testing.assert_array_equal(decode_compressed(compressed('.png')), SMOOTH)
    found = decode_compressed(compressed('.jpg')).astype(int)
    assert np.abs(found - SMOOTH).mean() < 8


def test_a_grey_jpeg_gives_three_equal_channels():
    found = decode_compressed(compressed('.jpg', SMOOTH[..., 0]))
    assert found.shape == SMOOTH.shape
    assert (found[..., 0] == found[..., 2]).all()


def test_padding_behind_a_jpeg_does_no_harm():
    assert decode_compressed(compressed('.jpg') + bytes(100)).shape == SMOOTH.shape


@pytest.mark.parametrize(
    'data, sentence',
    [
        (b'', 'empty'),
        (b'garbage' * 20, 'neither JPEG nor PNG'),
        (compressed('.jpg')[:-2], 'JPEG image is truncated'),
        (compressed('.jpg')[:300], 'JPEG image is truncated'),
        (compressed('.png')[:-12], 'PNG image is truncated'),
        (compressed('.jpg')[:30] + b'\xff\xd9', 'JPEG image of 32 bytes is damaged'),
    ],
)
def test_a_wrong_file_is_told(data, sentence):
    with pytest.raises(ImageError, match=sentence):
        decode_compressed(data, 'jpeg')
