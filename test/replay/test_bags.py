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

"""Bags as robots leave them give the images of their camera, and say what is missing."""

import errno
import shutil
import sqlite3

import numpy as np
import pytest
from helpers.bags import (
    COMPRESSED,
    ROS1,
    ROS2,
    START_NS,
    assert_same,
    camera_bag,
    camera_images,
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
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.replay import bag_reader
from emotion_estimator.replay.files import open_recording

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_is_read_whatever_its_name(tmp_path, storage):
    pictures = noise(3)
    made = camera_bag(tmp_path / 'made', pictures, storage=storage)
    images, problems, hints = reported(made.rename(tmp_path / 'no UTF-8 \udcff, 100 % #1?'))
    assert_same(images, pictures)
    assert problems == hints == []


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_raw_images_of_a_rosbag2(tmp_path, storage):
    pictures = noise(4)
    bag = camera_bag(tmp_path / 'bag', pictures, storage=storage)
    assert_same(read(bag), pictures)
    (file,) = (path for path in bag.iterdir() if path.suffix in ('.mcap', '.db3'))
    assert_same(read(file), pictures)


def test_compressed_images_of_a_rosbag2(tmp_path):
    pictures = noise(3)
    messages = camera_images(pictures, '/camera/image_raw/compressed', png_image)
    assert_same(read(write_bag(tmp_path / 'bag', messages)), pictures)


@pytest.mark.parametrize('image', [raw_image, png_image])
def test_images_of_a_ros1_bag(tmp_path, image):
    pictures = noise(3)
    messages = camera_images(pictures, image=image, store=ROS1)
    assert_same(read(write_ros1_bag(tmp_path / 'robot.bag', messages)), pictures)


# What is whole in a bag that is not.


def large(count):
    """Make pictures each of which fills a chunk of a megabyte, which packs well."""
    return [np.tile(picture, (10, 10, 1)) for picture in noise(count, (60, 80))]


def assert_whole(path, pictures, count):
    """Compare the first so many images; one sentence says what of which file is missing."""
    images, problems, _ = reported(path)
    assert_same(images, pictures[:count])
    (sentence,) = problems
    assert 'damaged or was not recorded to its end' in sentence
    return sentence


@pytest.mark.parametrize('packed', ['', 'storage'])
def test_of_a_recording_that_was_broken_off_the_whole_images_are_read(tmp_path, packed):
    pictures = large(4)
    bag = camera_bag(tmp_path / 'bag', pictures, packed=packed)
    file = bag / 'bag.mcap'
    content = file.read_bytes()
    last = content.rindex(ZSTD_MAGIC) + 40 if packed else len(content) * 7 // 8
    file.write_bytes(content[:last])
    (bag / 'metadata.yaml').unlink()
    for path in (bag, file):
        sentence = assert_whole(path, pictures, 3)
        assert f'{file} is damaged' in sentence
        assert '3 messages over 0.1 s are whole' in sentence


def test_a_recording_that_lacks_its_index_alone_is_read_to_its_end(tmp_path):
    pictures = noise(3)
    bag = camera_bag(tmp_path / 'bag', pictures)
    file = bag / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-200])
    assert_whole(bag, pictures, 3)


@pytest.mark.parametrize('packed', ['', 'storage'])
def test_images_before_and_behind_a_damaged_chunk_are_read(tmp_path, packed):
    pictures = large(4)
    bag = camera_bag(tmp_path / 'bag', pictures, packed='storage')
    file = bag / 'bag.mcap'
    content = file.read_bytes()
    places = [at for at in range(len(content)) if content.startswith(ZSTD_MAGIC, at)]
    assert len(places) == 4
    file.write_bytes(content[: places[1]] + bytes(8) + content[places[1] + 8 :])
    images, problems, _ = reported(bag)
    assert [ns for ns, _ in images] == [ns for n, ns in enumerate(stamps(4)) if n != 1]
    assert 'are damaged' in problems[0]
    assert '3 messages' in problems[0]


def test_a_database_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    pictures = noise(40)
    bag = camera_bag(tmp_path / 'bag', pictures, storage='sqlite3')
    file = bag / 'bag.db3'
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    images, problems, _ = reported(bag)
    assert_same(images, pictures[: len(images)])
    assert 15 <= len(images) <= 20
    assert f'{file} is damaged' in problems[0]


def test_the_log_beside_a_database_is_read_and_left_as_it_is(tmp_path):
    pictures = noise(6)
    made = camera_bag(tmp_path / 'made', pictures, storage='sqlite3') / 'made.db3'
    recorder = sqlite3.connect(made)
    rows = recorder.execute('SELECT topic_id, timestamp, data FROM messages').fetchall()
    recorder.execute('DELETE FROM messages')
    recorder.commit()
    recorder.execute('PRAGMA journal_mode=WAL')
    recorder.executemany('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)', rows)
    recorder.commit()
    left = tmp_path / 'left'
    left.mkdir()
    for end in ('', '-wal'):
        shutil.copy(f'{made}{end}', left / f'bag_0.db3{end}')
    recorder.close()
    before = {path.name: path.read_bytes() for path in left.iterdir()}
    images, problems, hints = reported(left)
    assert_same(images, pictures)
    assert problems == []
    assert 'bag_0.db3-wal was read too' in hints[0]
    assert {path.name: path.read_bytes() for path in left.iterdir()} == before


def test_a_damaged_database_is_recovered_without_the_log_beside_it(tmp_path):
    pictures = noise(20)
    file = camera_bag(tmp_path / 'bag', pictures, storage='sqlite3') / 'bag.db3'
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    expected, alone, _ = reported(file)
    file.with_name('bag.db3-wal').write_bytes(b'no log')
    images, problems, hints = reported(file)
    assert_same(images, pictures[: len(expected)])
    assert 'bag.db3-wal, which its recorder left, cannot be read' in problems[0]
    assert (len(problems), hints, len(images) > 5) == (1 + len(alone), [], True)


@pytest.mark.parametrize('name', ['robot.bag', 'robot.bag.active'])
def test_a_ros1_bag_that_was_broken_off_is_read_as_far_as_it_goes(tmp_path, name):
    pictures = noise(3)
    images = camera_images(pictures, store=ROS1)
    bag = write_ros1_bag(tmp_path / 'made.bag', images).rename(tmp_path / name)
    content = bag.read_bytes()
    bag.write_bytes(content[: content.index(pictures[2].tobytes()) + 100])
    assert_whole(bag, pictures, 2)


def test_of_a_split_bag_the_whole_parts_are_read(tmp_path):
    pictures = noise(6)
    bag = camera_bag(tmp_path / 'bag', pictures[:4])
    second = write_bag(tmp_path / 'second', camera_images(pictures)[4:]) / 'second.mcap'
    content = second.read_bytes()
    metadata = bag / 'metadata.yaml'
    listed = metadata.read_text().replace(
        '- bag.mcap', '- bag.mcap\n  - second.mcap\n  - third.mcap'
    )
    metadata.write_text(listed)
    (bag / 'second.mcap').write_bytes(content)
    images, problems, _ = reported(bag)
    assert_same(images, pictures)
    assert problems == [f'{bag / "third.mcap"} is missing, though metadata.yaml names it.']
    metadata.write_text(listed.replace('\n  - third.mcap', ''))
    (bag / 'second.mcap').write_bytes(content[: content.index(pictures[5].tobytes())])
    assert str(bag / 'second.mcap') in assert_whole(bag, pictures, 5)
    (bag / 'second.mcap').write_bytes(bytes(100))
    images, problems, _ = reported(bag)
    assert_same(images, pictures[:4])
    assert f'{bag / "second.mcap"} cannot be read as a bag (it is empty)' in problems[0]


def test_a_message_that_is_none_costs_itself_alone(tmp_path):
    pictures = noise(3)
    with Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection('/camera', 'sensor_msgs/msg/Image', typestore=ROS2)
        for number, (bgr, ns) in enumerate(zip(pictures, stamps(3))):
            raw = ROS2.serialize_cdr(raw_image(ROS2, bgr, ns), 'sensor_msgs/msg/Image')
            writer.write(camera, ns, raw if number != 1 else raw[:60])
    images, problems, _ = reported(tmp_path / 'bag')
    assert [ns for ns, _ in images] == [stamps(3)[0], stamps(3)[2]]
    assert '1 messages on /camera are damaged' in problems[0]


# Healthy bags that look strange.


def changed_metadata(old, new):
    def change(bag):
        metadata = bag / 'metadata.yaml'
        assert old in metadata.read_text()
        metadata.write_text(metadata.read_text().replace(old, new))
        return bag

    return change


def without_metadata(bag):
    (bag / 'metadata.yaml').unlink()
    return bag


def file_alone(bag):
    (file,) = (path for path in bag.iterdir() if path.suffix != '.yaml')
    return file


def moved_to(name):
    return lambda bag: bag.rename(bag.parent / name)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize(
    'packed, change',
    [
        ('', changed_metadata('storage_identifier: ', "storage_identifier: '' # ")),
        ('', changed_metadata('storage_identifier: ', 'storage_identifier: [')),
        ('', changed_metadata('message_count', 'count')),
        ('', without_metadata),
        ('', moved_to("100%25 of it's #1?")),
        ('file', lambda bag: bag),
        ('file', without_metadata),
        ('file', file_alone),
        ('message', file_alone),
    ],
)
def test_whole_bags_are_read_whatever_stands_beside_them(tmp_path, storage, packed, change):
    if packed == 'message' and storage == 'sqlite3':
        packed = 'file'
    pictures = noise(4)
    bag = change(camera_bag(tmp_path / 'bag', pictures, storage=storage, packed=packed))
    images, problems, _ = reported(bag)
    assert_same(images, pictures)
    assert problems == []


def test_a_full_disk_for_what_is_unpacked_is_reported(tmp_path, monkeypatch):
    file = file_alone(camera_bag(tmp_path / 'bag', noise(3), packed='file'))

    def full(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(bag_reader.zstd, 'open', full)
    said = problem(file)
    assert str(file) in said
    assert 'No space left on device' in said
    assert 'TMPDIR' in said


# Which topic is the camera's.


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
    images = camera_images(pictures, 'camera/image', store=ROS1)
    assert_same(read(write_ros1_bag(tmp_path / 'robot.bag', images), topic=topic), pictures)


def test_packed_images_that_cannot_be_read_are_reported_with_a_remedy(tmp_path):
    messages = [('/image_raw/zstd', START_NS, packed_image('zstd')(ROS2, None, START_NS))]
    said = problem(write_bag(tmp_path / 'bag', messages))
    assert 'republish zstd raw' in said
