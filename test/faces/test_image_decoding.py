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

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.faces import yuv_rows
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces import image_decoding
from emotion_estimator.faces.image_decoding import (
    ENCODINGS,
    EncodingError,
    ImageDecoder,
    ImageError,
)

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
_COARSE = np.random.default_rng(1).integers(40, 216, (4, 5, 3), np.uint8)
SMOOTH = cv2.resize(_COARSE, (32, 24), interpolation=cv2.INTER_CUBIC)
ALPHA = np.full((4, 6, 1), 9, np.uint8)


def decode_image(*fields):
    """Decode one raw image by itself."""
    return ImageDecoder().decode_raw(*fields)


def decode_compressed(*fields):
    """Decode one compressed image by itself."""
    return ImageDecoder().decode_file(*fields)


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


@pytest.mark.parametrize('encoding', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv12', 'nv21'])
@pytest.mark.parametrize('padding', [0, 4])
def test_yuv_encodings_come_close_to_the_picture_they_were_made_of(encoding, padding):
    rows = np.pad(yuv_rows(encoding, SMOOTH), ((0, 0), (0, padding)))
    found = decode_image(encoding, 24, 32, rows.shape[1], rows.tobytes())
    error = np.abs(found.astype(int) - SMOOTH)
    assert np.median(error) <= 3


def test_bayer_patterns_go_by_the_names_that_ubuntu_22_04_s_opencv_has():
    """Which is 4.5.4; COLOR_BayerRGGB2RGB and the like are newer."""
    source = Path(image_decoding.__file__).read_text(encoding='utf-8')
    names = set(re.findall(r'cv2\.COLOR_Bayer(\w+)2RGB', source))
    assert names == {'BG', 'GB', 'RG', 'GR'}


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
        (('rgb8', 4, 6, 17, bytes(71)), 'step is 17 bytes, but a row of 6 pixels'),
        (('rgb8', 4, 6, 0, bytes(71)), 'step is 0 bytes'),
        (('rgb8', 4, 6, 18, bytes(71)), 'data holds 71 bytes'),
        (('rgb8', 4, 6, 18, b''), 'data holds 0 bytes'),
        (('rgb8', 0, 6, 18, b''), 'empty'),
        (('rgb8', 4, 0, 0, b''), 'empty'),
        (('yuyv', 4, 5, 10, bytes(40)), 'even width'),
        (('nv12', 3, 6, 6, bytes(40)), 'even width and height'),
        (('nv12', 4, 6, 6, bytes(24)), 'data holds 24 bytes'),
    ],
)
def test_fields_that_do_not_fit_are_reported(arguments, sentence):
    with pytest.raises(ImageError, match=sentence):
        decode_image(*arguments)


@pytest.mark.parametrize(
    'encoding, sentence',
    [('RGB8', "'rgb8' is"), ('8uc3', "'8UC3' is"), ('', 'known are rgb8'), ('nv24', 'not known')],
)
def test_an_encoding_that_is_not_known_is_reported(encoding, sentence):
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
    assert found.shape == SMOOTH.shape and (found[..., 0] == found[..., 2]).all()


def test_padding_behind_a_jpeg_does_no_harm():
    padded = [compressed('.jpg') + padding * 10_000 for padding in (b'\0', b'\xff')]
    assert {*(decode_compressed(content).shape for content in padded)} == {SMOOTH.shape}


@pytest.mark.parametrize(
    'data, sentence',
    [
        (b'', 'empty'),
        (b'garbage' * 20, 'neither JPEG nor PNG'),
        (compressed('.jpg')[:-2], 'JPEG image is truncated'),
        (compressed('.jpg')[:300] + bytes(9000), 'JPEG image is truncated'),
        (compressed('.png')[:-12], 'PNG image is truncated'),
        (compressed('.jpg')[:30] + b'\xff\xd9', 'JPEG image is truncated after 32 bytes, in its'),
    ],
)
def test_a_wrong_file_is_reported(data, sentence):
    with pytest.raises(ImageError, match=sentence):
        decode_compressed(data, 'jpeg')


# Pictures of more than 8 bits.


def deep_pixels(encoding, factor):
    """Lay RGB out as an encoding of 16 bits, each value so many times what it has in 8 bits."""
    wide = RGB.astype(np.uint16) * factor
    alpha = np.full((4, 6, 1), 65535, np.uint16)
    layouts = {
        'mono16': wide[..., :1],
        '16UC1': wide[..., :1],
        'rgb16': wide,
        'bgr16': wide[..., ::-1],
        '16UC3': wide[..., ::-1],
        'rgba16': np.dstack([wide, alpha]),
        'bgra16': np.dstack([wide[..., ::-1], alpha]),
        '16UC4': np.dstack([wide[..., ::-1], alpha]),
    }
    return layouts[encoding]


@pytest.mark.parametrize('factor', [1, 4, 16, 64, 257])
@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize(
    'encoding', ['mono16', '16UC1', 'rgb16', 'bgr16', '16UC3', 'rgba16', 'bgra16', '16UC4']
)
def test_values_of_16_bits_are_scaled_by_their_own_range_in_either_byte_order(
    encoding, big, factor
):
    pixels = deep_pixels(encoding, factor).astype('>u2' if big else '<u2')
    rows = np.pad(pixels.view(np.uint8).reshape(4, -1), ((0, 0), (0, 5)), constant_values=255)
    found = ImageDecoder().decode_raw(encoding, 4, 6, rows.shape[1], rows.tobytes(), big)
    grey = encoding in ('mono16', '16UC1')
    expected = np.repeat(RGB[..., :1], 3, axis=2) if grey else RGB
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('pattern', ['RGGB', 'BGGR', 'GBRG', 'GRBG'])
def test_bayer_patterns_of_12_bits_give_their_colours(pattern, big):
    colour = {'R': 3200, 'G': 1920, 'B': 640}
    tile = np.array([colour[letter] for letter in pattern], '>u2' if big else '<u2').reshape(2, 2)
    data = np.tile(tile, (8, 8)).tobytes()
    found = ImageDecoder().decode_raw(f'bayer_{pattern.lower()}16', 16, 16, 32, data, big)
    assert found[8, 8].tolist() == [200, 120, 40]


@pytest.mark.parametrize('kind', ['.png', '.jpg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_a_mosaic_that_image_transport_compressed_gives_its_colours(kind, bits):
    colour = {'R': 200, 'G': 120, 'B': 40}
    tile = [[colour[letter] for letter in row] for row in ('GR', 'BG')]
    mosaic = np.tile(np.array(tile, np.uint8), (8, 8))
    deep = mosaic if bits == 8 or kind == '.jpg' else mosaic.astype(np.uint16) * 16
    stated = f'bayer_grbg{bits}; {kind[1:].replace("jpg", "jpeg")} compressed '
    found = decode_compressed(compressed(kind, deep), stated)
    np.testing.assert_allclose(found[8, 8].astype(int), [200, 120, 40], atol=12)
    # In colour already.
    np.testing.assert_array_equal(decode_compressed(compressed('.png'), stated), SMOOTH)


def test_the_range_of_a_stream_only_grows_so_that_brightness_does_not_flicker():
    decoder = ImageDecoder()
    found = []
    for greatest in (1000, 100, 4000, 1000, 100):
        data = np.array([[greatest, 64]], '<u2').tobytes()
        found.append(decoder.decode_raw('mono16', 1, 2, 4, data)[0, :, 0].tolist())
    # 10 bits, then 12.
    assert found == [[250, 16], [25, 16], [250, 4], [62, 4], [6, 4]]


@pytest.mark.parametrize('extension', ['.png', '.tiff'])
@pytest.mark.parametrize('factor', [4, 16, 257])
def test_picture_files_of_more_than_8_bits_are_as_bright_as_those_of_8(extension, factor):
    deep = cv2.imencode(extension, SMOOTH[..., ::-1].astype(np.uint16) * factor)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(deep, '16UC3; png compressed '), SMOOTH)
    grey = cv2.imencode(extension, SMOOTH[..., 0].astype(np.uint16) * factor)[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(grey)[..., 1], SMOOTH[..., 0])


@pytest.mark.parametrize(
    'topic, encoding',
    [
        ('', '32FC1'),
        ('/camera/infra1/image_rect_raw', '16SC1'),
        ('/camera/depth/image_rect_raw', '16UC1'),
        ('/camera/aligned_depth_to_color/image_raw', '16UC1'),
    ],
)
def test_distances_are_no_picture(topic, encoding):
    decoder = ImageDecoder(topic)
    with pytest.raises(ImageError, match=rf'{encoding}.* carries distances .* infrared'):
        decoder.decode_raw(encoding, 4, 6, 24, bytes(96))
    png = compressed('.png', np.full((4, 6), 900, np.uint16))
    with pytest.raises(ImageError, match='carries distances'):
        decoder.decode_file(png, f'{encoding}; png compressed ')
    with pytest.raises(ImageError, match=r'compressedDepth.* carries distances'):
        ImageDecoder().decode_file(bytes(12) + png, '16UC1; compressedDepth png')


@pytest.mark.parametrize(
    'topic', ['/camera/infra1/image_rect_raw', '/depth_cam/ir/image', '/depth_cam/color/image']
)
def test_16uc1_of_an_infrared_camera_is_a_picture(topic):
    data = np.full((4, 6), 1023, '<u2').tobytes()
    assert ImageDecoder(topic).decode_raw('16UC1', 4, 6, 12, data).min() == 255


# A step that cannot be right.


@pytest.mark.parametrize('step, padding', [(12, 0), (0, 0), (12, 14), (6, 46), (40, 0)])
def test_a_wrong_step_of_whole_data_is_replaced_and_reported_once(step, padding):
    rows = np.pad(RGB.reshape(4, -1), ((0, 0), (0, padding)))
    reported = []
    decoder = ImageDecoder(tell=reported.append)
    for _ in range(3):
        found = decoder.decode_raw('rgb8', 4, 6, step, rows.tobytes())
        np.testing.assert_array_equal(found, RGB)
    (sentence,) = reported
    assert f'step is {step} bytes' in sentence
    assert f'whole with {18 + padding}' in sentence


def test_a_wrong_step_of_deep_data_is_replaced():
    data = deep_pixels('mono16', 4).astype('<u2').tobytes()
    found = ImageDecoder().decode_raw('mono16', 4, 6, 6, data)
    np.testing.assert_array_equal(found[..., 0], RGB[..., 0])


# Luma where chroma is expected.


@pytest.mark.parametrize('sent', ['yuyv', 'uyvy'])
@pytest.mark.parametrize('label', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2'])
def test_luma_in_the_place_of_chroma_is_suspected(sent, label):
    decoder = ImageDecoder()
    # Skin before a wall, say: light and shade, and little colour.
    picture = (SMOOTH.mean(axis=2, keepdims=True) * [1.1, 0.9, 0.8]).clip(0, 255)
    decoder.decode_raw(label, 24, 32, 64, yuv_rows(sent, picture).tobytes())
    order = 'yuyv' if label in ('yuyv', 'yuv422_yuy2') else 'uyvy'
    if order == sent:
        assert not decoder.suspicion
    else:
        assert f'labelled {label}, but look like {sent}' in decoder.suspicion


def test_an_image_without_contrast_raises_no_suspicion():
    decoder = ImageDecoder()
    for value in (0, 16, 128, 255):
        decoder.decode_raw('uyvy', 24, 32, 64, bytes([128, value] * 32 * 24))
        assert not decoder.suspicion


# Damaged pixels.


@pytest.fixture(scope='module')
def photograph_jpeg():
    """Make a JPEG with much to decode."""
    noise = np.random.default_rng(2).integers(0, 256, (30, 40, 3), np.uint8)
    return compressed('.jpg', cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize('hole', [bytes(500), bytes([255, 0] * 250), b''])
def test_a_jpeg_with_a_hole_in_its_middle_is_refused(photograph_jpeg, hole, capfd):
    middle = len(photograph_jpeg) // 2
    broken = photograph_jpeg[:middle] + hole + photograph_jpeg[middle + 500 :]
    with pytest.raises(ImageError, match=r'JPEG image of \d+ bytes is damaged \(.'):
        decode_compressed(broken)
    assert capfd.readouterr().err == ''  # the sentence takes the place of libjpeg's own line


def test_a_jpeg_cut_short_is_refused_though_an_end_marker_stands_behind_it(photograph_jpeg):
    with pytest.raises(ImageError, match='premature end of data segment'):
        decode_compressed(photograph_jpeg[: len(photograph_jpeg) // 2] + b'\xff\xd9')


@pytest.mark.parametrize('filled', [bytes(3), bytes(40), b'\xff' * 9])
def test_bytes_that_a_camera_fills_up_before_the_end_do_no_harm(photograph_jpeg, filled):
    padded = photograph_jpeg[:-2] + filled + photograph_jpeg[-2:]
    np.testing.assert_array_equal(decode_compressed(padded), decode_compressed(photograph_jpeg))


def test_a_png_with_other_bytes_in_its_middle_is_refused():
    content = compressed('.png')
    middle = len(content) // 2
    with pytest.raises(ImageError, match=r'PNG image of .* is damaged'):
        decode_compressed(content[:middle] + bytes(20) + content[middle + 20 :])


def test_a_file_is_named_in_what_is_said_of_it(tmp_path):
    path = tmp_path / 'frame 7.png'
    path.write_bytes(compressed('.png')[:-12])
    with pytest.raises(ImageError, match=r'frame 7\.png: The PNG image is truncated'):
        ImageDecoder().read(path)
    with pytest.raises(ImageError, match='it is no file'):
        ImageDecoder().read(tmp_path)
