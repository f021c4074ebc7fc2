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

"""Recordings of all kinds give the images that went in; broken ones are reported in a sentence."""

import cv2
import numpy as np
import pytest
from helpers.bags import (
    ROS2,
    START_NS,
    assert_same,
    header,
    noise,
    problem,
    raw_image,
    read,
    reported,
    stamps,
    text,
    write_bag,
)
from helpers.faces import frames, yuv_rows
from hypothesis import given
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.bag import PACKET, video_types
from emotion_estimator.replay.files import open_film, open_recording
from emotion_estimator.replay.picture_names import stamps_of_names
from emotion_estimator.replay.recordings import FIRST_STAMP_NS, Selection
from emotion_estimator.replay.replay import replay
from emotion_estimator.stamps import NS_PER_S

# When images were taken: by the names of pictures, by the stamps or receive times of a bag.


@pytest.mark.parametrize(
    'names, expected_ns',
    [
        (('f_9.png', 'f_10.png', 'f_12.png'), [0, NS_PER_S // 10, 3 * NS_PER_S // 10]),
        (('a.png', 'b.png', 'c.png'), [0, NS_PER_S // 10, 2 * NS_PER_S // 10]),
        (
            ('1700000000000.png', '1700000000100.png', '1700000000150.png'),
            [START_NS, START_NS + 100_000_000, START_NS + 150_000_000],
        ),
        (
            ('cam_1700000000.5.png', 'cam_1700000000.25.png', 'cam_1700000001.000000001.png'),
            [START_NS + 250_000_000, START_NS + 500_000_000, START_NS + NS_PER_S + 1],
        ),
        (
            ('1700000000000000000.png', '1700000000000000007.png', '1700000000000000009.png'),
            [START_NS, START_NS + 7, START_NS + 9],
        ),
    ],
)
def test_picture_names_are_stamps_or_numbers(tmp_path, names, expected_ns):
    for name in names:
        cv2.imwrite(str(tmp_path / name), noise(1)[0])
    first_ns = FIRST_STAMP_NS if expected_ns[0] == 0 else 0
    frames = read(tmp_path, picture_rate_hz=10)
    assert [ns for ns, _ in frames] == [first_ns + ns for ns in expected_ns]


MS = NS_PER_S // 1000
TEN_O_CLOCK_NS = 1_714_557_600 * NS_PER_S
"""2024-05-01, 10:00:00 UTC."""


@pytest.mark.parametrize(
    'names, since_ten_ns',
    [
        # Across a minute: 59.95 s, then 0.05 s of the next one.
        (('PXL_20240501_100059950.jpg', 'PXL_20240501_100100050.jpg'), (59_950 * MS, 60_050 * MS)),
        (('PXL_20240501_100000123.MP.jpg', 'PXL_20240501_100000223~2.jpg'), (123 * MS, 223 * MS)),
        (('IMG_20240501_100000_123.jpg', 'IMG_20240501_100000_456.jpg'), (123 * MS, 456 * MS)),
        (('2024-05-01T10:00:00.5Z.png', '2024-05-01T10:00:01.png'), (500 * MS, 1000 * MS)),
        (('2024-05-01T12:00:00.5+02:00.png', '20240501T153001+0530.png'), (500 * MS, 1000 * MS)),
        (('2024-05-01T10:00:00-00:00.png', '2024-05-01T05:30:02-04:30.png'), (0, 2000 * MS)),
        (
            ('snap-2024-05-01-10h00m00s123.png', 'snap-2024-05-01-10h00m01s5.png'),
            (123 * MS, 1500 * MS),
        ),
        (('at 2024-05-01 10.00.01.png', 'at 2024-05-01 10.00.03.png'), (1000 * MS, 3000 * MS)),
        (('20240501100000250_left.png', '20240501100000500_left.png'), (250 * MS, 500 * MS)),
        (('1714557600.png', '1714557601.png'), (0, 1000 * MS)),
        (('1714557600123_left.png', '1714557600456_left.png'), (123 * MS, 456 * MS)),
        (('f1714557600_5000000.png', 'f1714557600_123456789.png'), (5 * MS, 123_456_789)),
        (('1714557600_500000000.png', '1714557600_600000000.png'), (500 * MS, 600 * MS)),
    ],
)
def test_times_in_names_of_pictures_are_their_stamps(names, since_ten_ns):
    found = stamps_of_names(names)
    assert [ns - TEN_O_CLOCK_NS for ns in found.stamps_ns] == list(since_ten_ns)
    assert found.hint == ''


@pytest.mark.parametrize(
    'names, frames',
    [
        (('frame (10).jpg', 'frame (9).jpg', 'frame (6).jpg'), (4, 3, 0)),
        (('frame10_640x360.jpg', 'frame8_640x360.jpg'), (2, 0)),
        (('Frame_2.jpg', 'frame_1.jpg', 'frame_10.JPG'), (1, 0, 2)),
        (('take2_frame1.png', 'take10_frame1.png', 'take2_frame11.png'), (0, 2, 1)),
        (('scene_01.png', 'scene_1.png', 'scene_2.png'), (0, 1, 2)),
        (('IMG-20240501-WA0003.jpg', 'IMG-20240501-WA0001.jpg'), (2, 0)),
        (('20240501_000012.png', '20240501_000010.png'), (2, 0)),
        (('7f3a.png', '0012345678901234567890.png', 'e5.png'), (0, 1, 2)),
        (('1000000000000000000000.png', '1.png', '2.png'), (2, 0, 1)),
    ],
)
def test_pictures_follow_each_other_as_a_person_counts(names, frames):
    found = stamps_of_names(names, rate_hz=10)
    assert [ns - FIRST_STAMP_NS for ns in found.stamps_ns] == [n * 100 * MS for n in frames]
    assert found.hint == ''


@pytest.mark.parametrize(
    'names, frames, said',
    [
        # A burst is counted behind its second, or not distinguished at all.
        (('IMG_20240501_100000_001.jpg', 'IMG_20240501_100000_002.jpg'), (0, 1), 'share their'),
        (('IMG_20240501_100000.jpg', 'IMG_20240501_100000 (1).jpg'), (0, 1), 'share their time'),
        (('IMG_20240501_100000.jpg', 'other.jpg'), (0, 1), '1 of 2 pictures have no time'),
        (('DSC_0001.jpg', 'DSC_0011.jpg'), (0, 10), 'leap by up to 10, which is 1 s'),
    ],
)
def test_names_that_tell_no_sure_time_give_a_hint(names, frames, said):
    found = stamps_of_names(names, rate_hz=10)
    assert [ns - FIRST_STAMP_NS for ns in found.stamps_ns] == [n * 100 * MS for n in frames]
    assert said in found.hint


@given(st.lists(st.text(st.characters(codec='utf-8'), max_size=30), min_size=1, unique=True))
def test_whatever_pictures_are_called_each_has_a_stamp_of_its_own(names):
    stamps_ns = stamps_of_names(names).stamps_ns
    assert len(set(stamps_ns)) == len(names)
    assert all(0 < stamp_ns < 2**63 for stamp_ns in stamps_ns)


def test_time_is_the_headers_not_the_recorders(tmp_path):
    image = raw_image(ROS2, noise(1)[0], START_NS)
    bag = write_bag(tmp_path / 'bag', [('/camera', START_NS + NS_PER_S, image)])
    (frame,) = open_recording(bag).frames()
    assert (frame.stamp_ns, frame.recorded_ns) == (START_NS, START_NS + NS_PER_S)
    assert frame.frame_id == 'camera'


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize(
    'received_ns',
    [
        (0, 0, 0, 0),
        (7, 7, 7, 7),
        (1, 2, 3, 4),
        tuple(2**62 + number * NS_PER_S for number in range(4)),
        (0, 0, *stamps(4)[2:]),
        (START_NS, 2**62, 5, 1),
    ],
)
def test_stamps_stand_for_receive_times_that_cannot_be_right(tmp_path, storage, received_ns):
    pictures = noise(4)
    images = [raw_image(ROS2, bgr, ns) for bgr, ns in zip(pictures, stamps(4))]
    messages = [('/camera', ns, image) for ns, image in zip(received_ns, images)]
    path = write_bag(tmp_path / 'bag', messages, storage=storage)
    recording = open_recording(path)
    found = list(recording.frames())
    assert [frame.recorded_ns for frame in found] == stamps(4)
    assert_same([(frame.stamp_ns, frame.decode()) for frame in found], pictures)
    assert 'cannot be right' in recording.hints[0]
    assert recording.problems == []


@pytest.mark.parametrize('stamp_ns', [0, START_NS + 5])
@pytest.mark.parametrize('count', [4, 14])
def test_receive_times_stand_for_stamps_that_are_none(tmp_path, stamp_ns, count):
    pictures = noise(count)
    images = [raw_image(ROS2, bgr, stamp_ns) for bgr in pictures]
    messages = [('/camera', ns, image) for ns, image in zip(stamps(count), images)]
    images, problems, hints = reported(write_bag(tmp_path / 'bag', messages))
    assert_same(images, pictures)
    assert problems == []
    assert 'the times at which they were recorded are used' in hints[0]


@pytest.mark.parametrize('stamp_ns', [0, START_NS])
def test_stamps_that_begin_to_be_filled_in_late_count(tmp_path, stamp_ns):
    stamps_ns = [stamp_ns] * 12 + stamps(14)[12:]
    messages = [
        ('/camera', at_ns + 5, raw_image(ROS2, bgr, ns))
        for bgr, ns, at_ns in zip(noise(14), stamps_ns, stamps(14))
    ]
    recording = open_recording(write_bag(tmp_path / 'bag', messages))
    assert [frame.stamp_ns for frame in recording.frames()] == stamps_ns
    assert recording.hints == []


# What is a recording, and what is none.


def test_what_systems_put_beside_pictures_is_passed_over(tmp_path):
    (picture,) = noise(1)
    cv2.imwrite(str(tmp_path / 'frame_1.png'), picture)
    for name in ('._frame_1.png', '.hidden.png', '._old.mcap', 'Thumbs.db', 'desktop.ini'):
        (tmp_path / name).write_bytes(b'\0\5\x16\7')
    (frame,) = read(tmp_path)
    np.testing.assert_array_equal(frame[1], picture[..., ::-1])


def test_one_photograph_is_a_recording(tmp_path):
    (picture,) = noise(1)
    cv2.imwrite(str(tmp_path / 'me.png'), picture)
    recording = open_recording(tmp_path / 'me.png')
    (frame,) = recording.frames()
    assert (recording.name, frame.file, recording.image_count) == ('me.png', 'me.png', 1)
    np.testing.assert_array_equal(frame.decode(), picture[..., ::-1])


def wrong_type(tmp_path):
    path = tmp_path / 'notes.txt'
    path.write_text('no recording')
    return path


def wrong_content(tmp_path):
    path = tmp_path / 'notes.mcap'
    path.write_text('no recording')
    return path


def without_images(tmp_path):
    return write_bag(tmp_path / 'bag', [('/chatter', START_NS, text(ROS2, 'hello'))])


def without_frames(tmp_path):
    return write_bag(tmp_path / 'bag', [])


def of_ros1_in_mcap(tmp_path):
    """Write what `mcap convert` makes of a ROS 1 bag."""
    with Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        kind = {'msgdef': 'uint32 height\n', 'rihs01': 'none', 'serialization_format': 'ros1'}
        writer.write(writer.add_connection('/image', 'sensor_msgs/Image', **kind), 0, bytes(4))
    return tmp_path / 'bag' / 'bag.mcap'


def empty_folder(tmp_path):
    path = tmp_path / 'empty'
    path.mkdir()
    return path


def missing(tmp_path):
    return tmp_path / 'nothing'


def damaged_video(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_bytes(b'\0\0\0\x18ftypmp42' + bytes(100))
    return path


@pytest.mark.parametrize(
    'make, said',
    [
        (wrong_type, 'no kind that is read'),
        (wrong_content, 'of another kind'),
        (without_images, '/chatter (std_msgs/msg/String, 1)'),
        (without_frames, 'no images; topics there: none'),
        (of_ros1_in_mcap, 'no images; topics there: /image (sensor_msgs/Image, 1)'),
        (of_ros1_in_mcap, 'messages of ROS 1 in an MCAP file, which are not read: give the .bag'),
        (empty_folder, 'neither a rosbag2 folder'),
        (missing, 'does not exist'),
        (damaged_video, 'cannot be opened as a video'),
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_what_is_broken_is_reported_with_its_path(tmp_path, make, said):
    path = make(tmp_path)
    sentence = problem(path)
    assert str(path) in sentence
    assert said in sentence


def test_one_photograph_is_shown_as_a_film_that_holds_still(tmp_path):
    first, second = noise(2)
    cv2.imwrite(str(tmp_path / 'frame 2.png'), first)
    shown = list(open_film(tmp_path / 'frame 2.png').pictures())
    assert [ns for ns, _ in shown] == [round(n * NS_PER_S / 30) for n in range(90)]
    np.testing.assert_array_equal(shown[-1][1], first)
    cv2.imwrite(str(tmp_path / 'frame 10.png'), second)
    (tmp_path / 'frame 11.png').write_text('no picture')
    film = open_film(tmp_path)
    shown = list(film.pictures())
    assert [ns for ns, _ in shown] == [0, round(8 * NS_PER_S / 30)]
    np.testing.assert_array_equal(shown[1][1], second)
    assert 'frame 11.png' in film.problems[0]


def test_pictures_of_a_camera_upside_down_are_turned(tmp_path, landmarker_path, media):
    (picture,), _ = frames(media('single_face.mp4'), 1)
    for name, image in (('upright', picture), ('hanging', cv2.rotate(picture, cv2.ROTATE_180))):
        (tmp_path / name).mkdir()
        for number in range(3):
            cv2.imwrite(str(tmp_path / name / f'{number}.png'), image)
    reported, expected = (
        replay(
            open_recording(tmp_path / name),
            read_parameters().changed({'rotate': rotate}),
            Selection(),
        )
        for name, rotate in (('hanging', 180), ('upright', 0))
    )
    assert len(reported.predictions) == 3
    for mine, theirs in zip(reported.predictions, expected.predictions):
        assert mine.label == theirs.label
        assert mine.confidence == pytest.approx(theirs.confidence, abs=0.01)
        assert mine.head == pytest.approx(theirs.head, abs=0.02)
        left, top, right, bottom = theirs.box
        assert mine.box == pytest.approx((1 - right, 1 - bottom, 1 - left, 1 - top), abs=0.01)
    small, upright = (
        ImageDecoder().decode_file(one.thumbnails[min(one.thumbnails)])
        for one in (reported, expected)
    )
    assert np.abs(small.astype(int) - upright).mean() < 10


def test_a_wrong_step_and_swapped_luma_are_hinted_at_and_no_image_is_lost(tmp_path, media):
    (picture,), _ = frames(media('single_face.mp4'), 1)
    yuyv = yuv_rows('yuyv', picture[..., ::-1]).reshape(360, 640, 2)
    images = [
        raw_image(ROS2, yuyv, START_NS + n, encoding='yuv422', step=1280 + 8 * (n == 1))
        for n in range(3)
    ]
    bag = write_bag(
        tmp_path / 'bag', [('/image', START_NS + n, image) for n, image in enumerate(images)]
    )
    recording = open_recording(bag)
    decoded = [frame.decode() for frame in recording.frames()]
    recording.close()
    assert [image.shape for image in decoded] == [(360, 640, 3)] * 3
    said = ' '.join(recording.hints)
    assert said.count('bag: step is 1288 bytes') == 1 and 'whole with 1280' in said
    assert said.count('labelled yuv422, but look like yuyv') == 1


@pytest.mark.parametrize('are_a_film', [True, False])
def test_deep_pictures_have_the_range_of_their_film_or_each_its_own(tmp_path, are_a_film):
    picture = noise(1)[0].astype(np.uint16)
    cv2.imwrite(str(tmp_path / '1.png'), picture * 257)
    cv2.imwrite(str(tmp_path / '2.png'), picture * 4)
    recording = open_recording(tmp_path)
    recording.are_a_film = are_a_film
    bright, dark = (frame.decode() for frame in recording.frames())
    np.testing.assert_array_equal(bright, picture[..., ::-1])
    np.testing.assert_array_equal(dark, bright // 64 if are_a_film else bright)


@pytest.mark.parametrize('stated', ['mjpeg', 'mjpeg;yuvj420p;bgr8;bgr8', 'MJPEG;yuvj420p'])
def test_the_codec_of_a_packet_stands_before_its_pixel_formats(tmp_path, stated):
    pytest.importorskip('av')
    store, greys = video_types(), [40, 120, 200]
    with Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection('/camera/ffmpeg', PACKET, typestore=store)
        for ns, grey in zip(stamps(3), greys):
            jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), grey, np.uint8))[1].reshape(-1)
            message = store.types[PACKET](header(ROS2, ns), 64, 48, stated, 0, 1, False, jpeg)
            writer.write(camera, ns, store.serialize_cdr(message, PACKET))
    images, problems, hints = reported(tmp_path / 'bag')
    assert [ns for ns, _ in images] == stamps(3)
    assert [rgb.mean() for _, rgb in images] == pytest.approx(greys, abs=2)
    assert problems == hints == []
