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

"""Which of a bag's topics is the camera, when its images were taken, and how they are packed."""

import sys

import cv2
import numpy as np
import pytest
from helpers.bags import (
    COMPRESSED,
    ROS1,
    ROS2,
    START_NS,
    assert_same,
    header,
    noise,
    png_image,
    problem,
    raw_image,
    read,
    reported,
    stamps,
    text,
    write_bag,
    write_ros1_bag,
)
from helpers.faces import NEUTRAL, frames, media_path
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.replay.bag import PACKET, VIDEO, video_types
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'


def test_time_is_the_headers_not_the_recorders(tmp_path):
    image = raw_image(ROS2, noise(1)[0], START_NS)
    bag = write_bag(tmp_path / 'bag', [('/camera', START_NS + NS_PER_S, image)])
    (frame,) = open_recording(bag).frames()
    assert (frame.stamp_ns, frame.recorded_ns) == (START_NS, START_NS + NS_PER_S)
    assert frame.frame_id == 'camera'


def test_raw_and_compressed_of_one_camera_are_one(tmp_path):
    pictures = noise(2)
    messages = []
    for bgr, ns in zip(pictures, stamps(2)):
        messages.append(('/camera/image/compressed', ns, png_image(ROS2, bgr, ns)))
        messages.append(('/camera/image', ns, raw_image(ROS2, bgr, ns)))
        messages.append(('/chatter', ns, text(ROS2, 'hello')))
    bag = write_bag(tmp_path / 'bag', messages)
    assert open_recording(bag).topic == '/camera/image'
    assert open_recording(bag, topic='/camera/image/compressed').image_count == 2


def test_several_cameras_are_listed_and_one_is_chosen_by_name(tmp_path):
    left, right = noise(2)
    messages = [
        ('/left/image', START_NS, raw_image(ROS2, left, START_NS)),
        ('/right/image', START_NS, raw_image(ROS2, right, START_NS)),
    ]
    bag = write_bag(tmp_path / 'bag', messages)
    said = problem(bag)
    assert '--topic' in said
    assert '/left/image (sensor_msgs/msg/Image, 1), /right/image' in said
    assert_same(read(bag, topic='/right/image'), [right])
    assert '/nowhere' in problem(bag, topic='/nowhere')


# When images were taken.


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
def test_receive_times_stand_for_stamps_that_are_none(tmp_path, stamp_ns):
    pictures = noise(4)
    images = [raw_image(ROS2, bgr, stamp_ns) for bgr in pictures]
    messages = [('/camera', ns, image) for ns, image in zip(stamps(4), images)]
    images, problems, hints = reported(write_bag(tmp_path / 'bag', messages))
    assert_same(images, pictures)
    assert problems == []
    assert 'the times at which they were recorded are used' in hints[0]


# Which topic the camera's is.


def named(topic, kind=raw_image, encoding=None):
    def message(store, bgr, ns):
        if encoding is None:
            return kind(store, bgr, ns)
        grey = np.zeros((24, 32), np.uint16 if '16' in encoding else np.uint8)
        data, step = grey.view(np.uint8).reshape(-1), grey.strides[0]
        return raw_image(store, bgr, ns, encoding=encoding, data=data, step=step)

    return topic, message


def packed_image(form):
    def message(store, bgr, ns):
        data = np.frombuffer(ZSTD_MAGIC + bytes(40), np.uint8)
        return store.types[COMPRESSED](header=header(store, ns), format=form, data=data)

    return message


@pytest.mark.parametrize(
    'topics, expected',
    [
        (
            (
                named('/image_raw'),
                named('/image_raw/compressed', png_image),
                named('/image_raw/zstd', packed_image('bgr8; zstd')),
                named('/image_raw/compressedDepth', packed_image('bgr8; compressedDepth')),
            ),
            '/image_raw',
        ),
        (
            (named('/cam/zstd', packed_image('zstd')), named('/cam/compressed', png_image)),
            '/cam/compressed',
        ),
        (
            (
                named('/annotated_image'),
                named('/robot/humans/faces/ab/cropped'),
                named('/humans/bodies/x/cropped/compressed', png_image),
                named('/image'),
            ),
            '/image',
        ),
        ((named('/Depth_0/image/data', encoding='mono16'), named('/color')), '/color'),
        ((named('/stereo/image', encoding='32FC1'), named('/color')), '/color'),
        (
            (named('/infra1/image_rect_raw', encoding='mono8'), named('/color/image')),
            '/color/image',
        ),
        ((named('/cam/image_rect_color'), named('/cam/image_color')), '/cam/image_color'),
    ],
)
def test_the_cameras_topic_is_clear_beside_what_is_none(tmp_path, topics, expected):
    picture = noise(1)[0]
    messages = [(topic, START_NS, make(ROS2, picture, START_NS)) for topic, make in topics]
    assert open_recording(write_bag(tmp_path / 'bag', messages)).topic == expected


def test_pictures_that_are_no_camera_s_are_read_where_they_are_named(tmp_path):
    (picture,) = noise(1)
    image = raw_image(ROS2, picture, START_NS)
    path = write_bag(tmp_path / 'bag', [('/robot/annotated_image', START_NS, image)])
    assert "no camera's images, unless --topic names one" in problem(path)
    assert_same(read(path, topic='robot/annotated_image'), [picture])


@pytest.mark.parametrize('topic', ['camera/image', '/camera/image', '/camera/image/'])
def test_topics_are_found_with_and_without_a_slash(tmp_path, topic):
    pictures = noise(2)
    images = [
        ('camera/image', ns, raw_image(ROS1, bgr, ns)) for bgr, ns in zip(pictures, stamps(2))
    ]
    assert_same(read(write_ros1_bag(tmp_path / 'robot.bag', images), topic=topic), pictures)


def test_packed_images_that_cannot_be_read_are_reported_with_a_remedy(tmp_path):
    messages = [('/image_raw/zstd', START_NS, packed_image('zstd')(ROS2, None, START_NS))]
    said = problem(write_bag(tmp_path / 'bag', messages))
    assert 'republish zstd raw' in said


# Messages that hold video.


def video_message(kind, ns, data):
    store = video_types()
    if kind == COMPRESSED:
        return store.types[kind](header(ROS2, ns), 'h264', data)
    if kind == PACKET:
        return store.types[kind](header(ROS2, ns), 640, 360, 'libx264', 0, 0, False, data)
    stamp = header(ROS2, ns).stamp
    return store.types[kind](stamp, 'camera', data, 'h264')


def video_bag(path, kind, skipped=0):
    """Put the packets of a clip into messages, without the first ones."""
    capture = cv2.VideoCapture(str(media_path(NEUTRAL)), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    store = video_types()
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection('/camera/video', kind, typestore=store)
        for number, ns in enumerate(stamps(20)):
            data = np.ascontiguousarray(capture.read()[1].reshape(-1))
            if number >= skipped:
                message = store.serialize_cdr(video_message(kind, ns, data), kind)
                writer.write(camera, ns, message)
    return path


@pytest.mark.parametrize('kind', [COMPRESSED, PACKET, VIDEO])
def test_video_in_messages_is_decoded_where_pyav_is(tmp_path, kind):
    pytest.importorskip('av')
    images, problems, _ = reported(video_bag(tmp_path / 'bag', kind))
    expected, _ = frames(media_path(NEUTRAL), 20)
    assert [ns for ns, _ in images] == stamps(20)
    for (_, rgb), bgr in list(zip(images, expected))[:16]:
        assert np.abs(rgb.astype(int) - bgr[..., ::-1]).mean() < 3
    assert problems == []


@pytest.mark.parametrize('kind', [COMPRESSED, PACKET, VIDEO])
def test_video_in_messages_is_reported_with_a_remedy_where_pyav_is_not(
    tmp_path, kind, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(
        RecordingError, match=r'/camera/video \(\w+/msg/\w+\) holds h264 video.*pip install av'
    ):
        open_recording(video_bag(tmp_path / 'bag', kind))
