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

"""Of bags that are not whole, or not as their metadata says, all that can be read is read."""

import struct

from helpers.bags import RAW, ROS2, assert_same, camera_bag, noise, raw_image, reported, stamps

from emotion_estimator.replay import bag_reader


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
