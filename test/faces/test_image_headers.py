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

"""Sizes are known, and refused, before a native decoder sees the bytes; what it says is heard."""

import ctypes
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.faces.image_decoding import ImageDecoder, ImageError
from emotion_estimator.faces.image_headers import overheard, quiet_opencv

EXTENSIONS = ('.png', '.webp', '.tiff', '.bmp', '.ppm', '.gif', '.jpg')
GREY_LEVELS = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
PICTURE = np.dstack([GREY_LEVELS, GREY_LEVELS * 2, 255 - GREY_LEVELS])


def compressed(extension, picture=PICTURE):
    if not cv2.haveImageWriter(extension):
        pytest.skip(f'OpenCV {cv2.__version__} cannot write {extension}.')
    return cv2.imencode(extension, picture)[1].tobytes()


def png_of(width, height):
    """Make a PNG file that states a size; its pixels are missing."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    start = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
    return start + chunk(b'IDAT', zlib.compress(bytes(10))) + chunk(b'IEND', b'')


def jpeg_of(width, height):
    """Make a JPEG file that states another size than it has."""
    content = compressed('.jpg')
    at = content.index(b'\xff\xc0') + 5
    return content[:at] + struct.pack('>HH', height, width) + content[at + 4 :]


def tiff_of(width, height, order='<', tile=(1, 1)):
    """Make a TIFF file that states a size; its pixels are missing."""
    tags = [(256, width), (257, height), (322, tile[0]), (323, tile[1])]
    entries = b''.join(struct.pack(order + 'HHII', tag, 4, 1, value) for tag, value in tags)
    start = {'<': b'II*\0', '>': b'MM\0*'}[order]
    return start + struct.pack(order + 'IH', 8, len(tags)) + entries + bytes(4)


def webp_of(width, height):
    """Make an animated WebP file that states a size; its frames are missing."""
    size = (width - 1).to_bytes(3, 'little') + (height - 1).to_bytes(3, 'little')
    return b'RIFF' + struct.pack('<I', 22) + b'WEBPVP8X' + struct.pack('<II', 10, 2) + size


def bmp_of(width, height):
    """Make a BMP file that states a size; its pixels are missing."""
    return b'BM' + bytes(12) + struct.pack('<IiiHHIIIIII', 40, width, -height, 1, 24, *[0] * 6)


def gif_of(width, height):
    """Make a GIF file that states a size; its frames are missing."""
    return b'GIF89a' + struct.pack('<HH', width, height) + bytes(3)


def pnm_of(width, height):
    """Make a PGM file that states a size; its pixels are missing."""
    return b'P5\n# a comment\n%d %d\n255\n' % (width, height)


LARGE = [(32_767, 1), (1, 32_767), (8_001, 8_001), (30_000, 30_000)]


@pytest.mark.parametrize('width, height', LARGE)
@pytest.mark.parametrize('make', [png_of, jpeg_of, tiff_of, webp_of, bmp_of, gif_of, pnm_of])
def test_a_picture_that_states_a_huge_size_is_refused_by_its_header(make, width, height):
    sentence = rf'{width} x {height} pixels; at most 32766 a side and 64 million'
    with pytest.raises(ImageError, match=sentence):
        ImageDecoder().decode_file(make(width, height))


@pytest.mark.parametrize(
    'content, width, height',
    [
        (tiff_of(65_536, 65_536, '>'), 65_536, 65_536),
        (tiff_of(64, 64, tile=(2**16, 2**16)), 65_536, 65_536),
        (png_of(0, 5), 0, 5),
        (jpeg_of(32, 0), 32, 0),
    ],
)
def test_so_is_one_of_huge_tiles_or_without_pixels(content, width, height):
    with pytest.raises(ImageError, match=f'image is {width} x {height} pixels'):
        ImageDecoder().decode_file(content)


def test_a_png_file_whose_parts_state_more_bytes_than_it_has_is_refused():
    content = compressed('.png')
    at = content.index(b'IDAT')
    stated = content[: at - 4] + b'\x7f\xff\xff\x00' + content[at:]
    with pytest.raises(ImageError, match='PNG image is truncated'):
        ImageDecoder().decode_file(stated)
    with pytest.raises(ImageError, match='its header is missing'):
        ImageDecoder().decode_file(content[:8] + content[33:])


def test_the_size_that_counts_is_not_that_of_a_preview_within_the_file():
    preview = b'\xff\xe1' + struct.pack('>H', len(compressed('.jpg')) + 2) + compressed('.jpg')
    content = jpeg_of(40_000, 100)
    with pytest.raises(ImageError, match='40000 x 100'):
        ImageDecoder().decode_file(content[:2] + preview + content[2:])
    with pytest.raises(ImageError, match='states no size'):
        ImageDecoder().decode_file(b'\xff\xd8' + preview + b'\xff\xd9')


@pytest.mark.parametrize('width, height', LARGE)
def test_a_raw_image_of_a_huge_size_is_refused(width, height):
    with pytest.raises(ImageError, match=f'{width} x {height} pixels; at most'):
        ImageDecoder().decode_raw('mono8', height, width, width, bytes(9))


@pytest.mark.parametrize('extension', [*EXTENSIONS, '.pgm'])
@pytest.mark.parametrize('shape', [(1, 300), (300, 1), (24, 32)])
def test_pictures_of_all_formats_have_the_size_that_their_header_states(extension, shape):
    picture = np.full((*shape, 3), 200, np.uint8)
    if extension == '.pgm':
        picture = picture[..., 0]
    found = ImageDecoder().decode_file(compressed(extension, picture))
    assert found.shape == (*shape, 3)
    # GIF has 256 colours, which take turns.
    assert abs(found.mean() - 200) <= 20


def test_a_format_that_opencv_lacks_is_named_and_not_called_damaged():
    gif = b'GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;'
    if cv2.haveImageWriter('.gif'):
        assert ImageDecoder().decode_file(gif).tolist() == [[[255, 255, 255]]]
    else:
        with pytest.raises(ImageError, match=f'OpenCV {cv2.__version__} reads no GIF; send JPEG'):
            ImageDecoder().decode_file(gif)


@given(st.sampled_from(list(filter(cv2.haveImageWriter, EXTENSIONS))), st.data())
def test_any_change_of_a_picture_file_gives_a_picture_or_a_sentence(extension, data):
    content = bytearray(compressed(extension))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        assert ImageDecoder().decode_file(bytes(content)).ndim == 3
    except ImageError as error:
        assert str(error)


NOISE = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
FILM = b'\0\0\0\x18ftypmp42' + NOISE.tobytes() + bytes(500) + b'\0\0\1\0moov'
FILMS = {'long': FILM, 'ends like a picture': FILM + b'\xff\xd9' + bytes(100) + b'free'}
FILMS['short'] = FILM[:6000].replace(b'\xff', b'\xfe')
KINDS = {
    'plain': [],
    'progressive': [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    'restarts': [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


def with_preview(content):
    preview = compressed('.jpg')
    segment = b'\xff\xe1' + struct.pack('>H', len(preview) + 8) + b'Exif\0\0' + preview
    return content[:2] + segment + content[2:]


@pytest.mark.parametrize('film', FILMS)
@pytest.mark.parametrize('kind', KINDS)
def test_what_a_phone_appends_to_a_picture_is_left_out(film, kind):
    picture = cv2.imencode('.jpg', NOISE, KINDS[kind])[1].tobytes()
    expected = ImageDecoder().decode_file(picture)
    assert np.abs(expected[..., ::-1].astype(int) - NOISE).mean() < 60
    for content in (picture, with_preview(picture)):
        decoder = ImageDecoder()
        for _ in range(2):
            np.testing.assert_array_equal(decoder.decode_file(content + FILMS[film]), expected)
        with pytest.raises(ImageError, match=r'is (truncated|damaged)'):
            decoder.decode_file(content[: len(content) * 2 // 3] + FILMS[film])


def turned_by_exif(orientation, order='<'):
    """Make a JPEG file that says how it must be turned to be upright."""
    content = compressed('.jpg')
    start = {'<': b'II*\0', '>': b'MM\0*'}[order]
    tiff = start + struct.pack(order + 'IHHHIHHI', 8, 1, 0x112, 3, 1, orientation, 0, 0)
    segment = b'\xff\xe1' + struct.pack('>H', len(tiff) + 8) + b'Exif\0\0' + tiff
    return content[:2] + segment + content[2:]


@pytest.mark.parametrize('orientation, degrees', [(1, 0), (3, 180), (6, 90), (8, 270)])
@pytest.mark.parametrize('order', ['<', '>'])
def test_pixels_of_messages_stay_as_they_lie_and_photographs_are_turned(
    orientation, degrees, order
):
    content = turned_by_exif(orientation, order)
    said = []
    decoder = ImageDecoder('/camera', said.append)
    lying = cv2.imdecode(np.frombuffer(compressed('.jpg'), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    message = SimpleNamespace(data=content, format='jpeg')
    for _ in range(2):
        np.testing.assert_array_equal(decoder.decode(message), lying)
    assert [f'by {degrees} degrees' in sentence for sentence in said] == [True] * bool(degrees)
    upright = np.rot90(lying, -degrees // 90)
    np.testing.assert_array_equal(ImageDecoder().decode_file(content), upright)


@pytest.mark.skipif(cv2.__version__ < '4.7', reason='OpenCV 4.6 prints past its own log.')
@pytest.mark.parametrize('extension', ['.ppm', '.bmp', '.tiff', '.gif'])
def test_of_a_broken_file_opencv_prints_nothing_itself(extension, capfd):
    with pytest.raises(ImageError):
        ImageDecoder().decode_file(compressed(extension)[:60])
    assert capfd.readouterr().err == ''


def test_what_decoders_say_is_heard_and_what_others_say_is_passed_on(capfd):
    library = ctypes.CDLL(None)
    stderr = ctypes.c_void_p.in_dll(library, 'stderr')

    def say():
        for line in (b'Corrupt JPEG data: bad Huffman code\n', b'a robot speaks\n'):
            library.fputs(line, stderr)
        return 3

    assert overheard(say) == (3, 'Corrupt JPEG data: bad Huffman code\n')
    assert overheard(lambda: 4) == (4, '')
    library.fputs(b'all is as before\n', stderr)
    assert capfd.readouterr().err == 'a robot speaks\nall is as before\n'


def test_after_a_call_that_fails_stderr_is_as_before(capfd):
    with pytest.raises(ZeroDivisionError):
        overheard(lambda: 1 // 0)
    ctypes.CDLL(None).fputs(b'heard\n', ctypes.c_void_p.in_dll(ctypes.CDLL(None), 'stderr'))
    assert capfd.readouterr().err == 'heard\n'


def test_threads_that_decode_at_once_leave_opencvs_level_of_logging_as_it_was():
    log = cv2 if hasattr(cv2, 'setLogLevel') else cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(2)
    first, second = quiet_opencv(), quiet_opencv()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert log.getLogLevel() == 0
    second.__exit__(None, None, None)
    assert log.setLogLevel(before) == 2
