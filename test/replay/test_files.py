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

"""Which recordings lie in a folder, and which files of a bag are read, whole or not."""

import shutil
import struct
from pathlib import Path

import cv2
import pytest
from helpers.bags import (
    RAW,
    ROS2,
    assert_same,
    camera_bag,
    noise,
    problem,
    raw_image,
    reported,
    stamps,
    write_bag,
)

from emotion_estimator.replay import bag_reader
from emotion_estimator.replay.bag_reader import is_bag_folder
from emotion_estimator.replay.files import recordings_in


def test_a_folder_of_recordings_gives_each_of_them(tmp_path):
    day = tmp_path / 'day'
    first, second = (camera_bag(day / name, noise(2)) for name in ('a_10', 'b_11'))
    loose = day / 'robot'
    loose.mkdir()
    for number in (1, 3):
        shutil.copy(first / 'a_10.mcap', loose / f'take_{number}.mcap')
    (day / 'notes.txt').write_text('no recording')
    (day / 'gone.mcap').symlink_to(tmp_path / 'nowhere.mcap')
    (day / 'clip.MKV').write_bytes(b'')
    expected = [first, second, day / 'clip.MKV', loose / 'take_1.mcap', loose / 'take_3.mcap']
    assert recordings_in(day) == expected
    assert not is_bag_folder(loose)
    assert recordings_in(first) == [first]
    assert f'5 recordings; give them by name, such as {first}' in problem(day)
    cv2.imwrite(str(day / 'photo.png'), noise(1)[0])
    images, _, hints = reported(day)
    assert len(images) == 1
    assert f'its pictures are read; give {first} by name if it is meant, and 4 more' in hints[0]


def test_one_bag_file_hides_no_other_recording(tmp_path):
    bag = camera_bag(tmp_path / 'bag', noise(1))
    (day := tmp_path / 'day').mkdir()
    loose = shutil.copy(bag / 'bag.mcap', day / 'loose.mcap')
    for name in ('loose.csv', 'notes.txt', '.clip.mp4'):
        (day / name).touch()
    assert recordings_in(day) == [day]
    assert len(reported(day)[0]) == 1
    more = camera_bag(day / 'monday' / 'bag', noise(1))
    assert recordings_in(day) == [loose, more]
    (day / 'clip.mp4').touch()
    assert recordings_in(day) == [day / 'clip.mp4', loose, more]
    assert '3 recordings; give them by name' in problem(day)
    cv2.imwrite(str(day / 'photo.png'), noise(1)[0])
    assert f'give {day / "clip.mp4"} by name if it is meant, and 2 more' in reported(day)[2][0]


def test_recordings_are_found_however_deep_they_lie(tmp_path):
    day = tmp_path / 'day'
    deep = day / 'monday' / 'lab' / 'left'
    bag = camera_bag(deep / 'bag', noise(1))
    clips = [day / 'a.mp4', day / 'monday' / 'b.mp4', deep / 'c.mp4']
    for clip in clips:
        clip.touch()
    assert recordings_in(day) == [clips[0], clips[1], bag, clips[2]]
    loose = shutil.copy(bag / 'bag.mcap', day / 'monday' / 'loose.mcap')
    assert recordings_in(day / 'monday') == [clips[1], bag, clips[2], loose]


def test_links_to_a_folder_above_give_no_recording_twice(tmp_path):
    (tmp_path / 'day' / 'lab').mkdir(parents=True)
    (tmp_path / 'day' / 'lab' / 'clip.mp4').touch()
    (tmp_path / 'day' / 'lab' / 'again').symlink_to('..')
    (tmp_path / 'day' / 'lab' / 'self').symlink_to('.')
    assert recordings_in(tmp_path / 'day') == [tmp_path / 'day' / 'lab' / 'clip.mp4']


def test_a_folder_that_cannot_be_read_hides_no_other_recording(tmp_path, monkeypatch):
    whole = Path.iterdir

    def iterdir(path):
        if path.name == 'lost+found':
            raise PermissionError(13, 'Permission denied')
        return whole(path)

    monkeypatch.setattr(Path, 'iterdir', iterdir)
    (tmp_path / 'lab' / 'lost+found').mkdir(parents=True)
    (tmp_path / 'clip.mp4').touch()
    assert recordings_in(tmp_path) == [tmp_path / 'clip.mp4', tmp_path / 'lab' / 'lost+found']
    assert 'lost+found cannot be read: Permission denied' in problem(tmp_path / 'lab/lost+found')


def test_a_file_that_cannot_be_read_hides_no_other_recording(tmp_path, monkeypatch):
    whole = Path.open

    def opened(path, *options):
        if path.stem == 'locked':
            raise PermissionError(13, 'Permission denied')
        return whole(path, *options)

    bag = camera_bag(tmp_path / 'bag', noise(1))
    loose = shutil.copy(bag / 'bag.mcap', tmp_path / 'loose.mcap')
    for name in ('locked.mcap', 'locked.txt'):
        (tmp_path / name).touch()
    monkeypatch.setattr(Path, 'open', opened)
    assert recordings_in(tmp_path) == [bag, tmp_path / 'locked.mcap', loose]
    assert 'locked.mcap cannot be read: Permission denied' in problem(tmp_path / 'locked.mcap')


def test_photographs_of_kinds_that_are_not_read_are_told_beside_those_that_are(tmp_path):
    cv2.imwrite(str(tmp_path / 'IMG_1.jpg'), noise(1)[0])
    for name in ('IMG_1.HEIC', '._IMG_2.heic', 'IMG_2.mov.txt'):
        (tmp_path / name).touch()
    assert reported(tmp_path)[1] == []
    for name in ('IMG_4.avif', 'IMG_3.HEIC'):
        (tmp_path / name).touch()
    images, (sentence,), _ = reported(tmp_path)
    assert len(images) == 1
    assert sentence == (
        f'{tmp_path}: 2 pictures are of kinds that are not read (.avif, .heic, .heif, .jxl), '
        'the first: IMG_3.HEIC; save them as JPEG.'
    )


def test_recordings_beside_a_bag_with_metadata_are_told(tmp_path):
    bag = camera_bag(tmp_path / 'bag', noise(2))
    assert reported(bag)[1:] == ([], [])
    deeper = camera_bag(bag / 'more' / 'deep', noise(1))
    (bag / 'clip.mp4').touch()
    assert recordings_in(bag) == [bag]
    images, problems, hints = reported(bag)
    assert len(images) == 2
    assert problems == []
    clip = bag / 'clip.mp4'
    assert hints == [f'{bag}: its bag is read; give {clip} by name if it is meant, and 1 more.']
    clip.unlink()
    assert reported(bag)[2] == [f'{bag}: its bag is read; give {deeper} by name if it is meant.']


# Of a packed file that breaks off all that can be read is read.


def test_a_packed_file_that_is_cut_off_is_unpacked_to_its_last_byte(tmp_path):
    pictures = noise(100, (48, 64))
    whole = (camera_bag(tmp_path / 'bag', pictures) / 'bag.mcap').read_bytes()
    packed = bag_reader.zstd.compress(whole)
    file = tmp_path / 'cut.mcap.zstd'
    file.write_bytes(packed[: len(packed) // 2])
    unpacked = bag_reader.zstd.ZstdDecompressor().decompress(file.read_bytes())
    images, problems, _ = reported(file)
    assert_same(images, [picture for picture in pictures if picture.tobytes() in unpacked])
    assert f'it ends unfinished after {len(unpacked):,} bytes' in problems[1]
    file.write_bytes(packed[:20])
    assert f'{file} cannot be unpacked to its end' in problem(file)


# Metadata that is older than the files beside it.


def with_old_metadata(folder, pictures, storage, names):
    """Write a bag's parts of two images each, under these names, and metadata of the first."""
    suffix = {'mcap': 'mcap', 'sqlite3': 'db3'}[storage]
    images = list(zip(stamps(len(pictures)), pictures))
    for number, name in enumerate(names):
        recorded = [
            ('/camera', ns, raw_image(ROS2, bgr, ns)) for ns, bgr in images[2 * number :][:2]
        ]
        made = write_bag(folder.with_name(f'made_{number}'), recorded, storage=storage)
        if not number:
            shutil.copytree(made, folder)
            metadata = folder / 'metadata.yaml'
            metadata.write_text(metadata.read_text().replace('made_0.', f'{name}.'))
            (folder / f'made_0.{suffix}').unlink()
        shutil.copy(made / f'made_{number}.{suffix}', folder / f'{name}.{suffix}')
    return folder


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_parts_that_go_on_behind_those_of_the_metadata_are_read(tmp_path, storage):
    pictures = noise(6)
    bag = with_old_metadata(tmp_path / 'bag', pictures, storage, ('run_0', 'run_1', 'run_2'))
    images, problems, (hint,) = reported(bag)
    assert_same(images, pictures)
    assert problems == []
    assert f'{bag / "metadata.yaml"} does not name run_1.' in hint
    assert '1 more files; the numbers go on: used too' in hint


@pytest.mark.parametrize('names', [('run_0', 'run_2'), ('run_0', 'walk_1'), ('run', 'run_1')])
def test_other_files_beside_those_of_the_metadata_are_told_and_not_read(tmp_path, names):
    pictures = noise(4)
    images, problems, (hint,) = reported(
        with_old_metadata(tmp_path / 'bag', pictures, 'mcap', names)
    )
    assert_same(images, pictures[:2])
    assert problems == []
    assert f'does not name {names[1]}.mcap; give such a file by name' in hint


def test_where_metadata_names_no_files_those_beside_it_are_read(tmp_path):
    pictures = noise(2)
    metadata = camera_bag(tmp_path / 'bag', pictures) / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('paths:\n  - bag.mcap', 'paths: []'))
    images, problems, (hint,) = reported(tmp_path / 'bag')
    assert_same(images, pictures)
    assert problems == []
    assert 'it names no files' in hint


# MCAP files as other programs write them: without index, beside other programs' topics.


def prefixed(words):
    content = words if isinstance(words, bytes) else words.encode()
    return struct.pack('<I', len(content)) + content


def record(kind, *parts):
    content = b''.join(parts)
    return struct.pack('<BQ', kind, len(content)) + content


def channel(number, topic, kind, form, schema, encoding):
    """Make the records of a schema and of the channel that has it."""
    number = struct.pack('<H', number)
    return record(3, number, *map(prefixed, (kind, form, schema))) + record(
        4, number, number, *map(prefixed, (topic, encoding, ''))
    )


def camera_messages(pictures):
    """Make the records of one camera's images, on channel 1."""
    return [
        record(
            5,
            struct.pack('<HIQQ', 1, 0, ns, ns),
            bytes(ROS2.serialize_cdr(raw_image(ROS2, bgr, ns), RAW)),
        )
        for bgr, ns in zip(pictures, stamps(len(pictures)))
    ]


def unindexed(path, *records):
    """Write a file that was ended, without an index behind its data."""
    magic = b'\x89MCAP0\r\n'
    begin = magic + record(1, prefixed('ros2'), prefixed('test'))
    end = record(15, bytes(4)) + record(2, bytes(20)) + magic
    path.write_bytes(begin + b''.join(records) + end)
    return path


DEFINITION = ROS2.generate_msgdef(RAW, ros_version=2)[0]
CAMERA = channel(1, '/camera', RAW, 'ros2msg', DEFINITION, 'cdr')


def test_images_are_read_beside_topics_of_protocol_buffers(tmp_path):
    pictures = noise(3)
    other = channel(2, '/scene', 'foxglove.SceneUpdate', 'protobuf', b'\n\xff\x80', 'protobuf')
    file = unindexed(tmp_path / 'mixed.mcap', other, CAMERA, *camera_messages(pictures))
    images, problems, hints = reported(file)
    assert_same(images, pictures)
    assert problems == hints == []


def test_without_an_index_images_that_were_received_out_of_order_are_read(tmp_path):
    pictures = noise(6)
    first, *others = camera_messages(pictures)
    file = unindexed(tmp_path / 'fast.mcap', CAMERA, first, *reversed(others))
    images, problems, hints = reported(file)
    assert_same(sorted(images, key=lambda image: image[0]), pictures)
    assert [ns for ns, _ in images] == [stamps(6)[n] for n in (0, 5, 4, 3, 2, 1)]
    assert problems == hints == []
