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

from helpers.bags import assert_same, camera_bag, noise, reported

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
