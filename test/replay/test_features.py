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

"""The table that `replay --features` writes: a row for each face and each image without one."""

import csv
import json

import cv2
import numpy as np
import pytest
from helpers.bags import START_NS, camera_bag
from helpers.faces import frames

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.evaluation.cli import main
from emotion_estimator.replay.predictions import FeatureTable, table_columns
from emotion_estimator.replay.recordings import file_names

pytestmark = pytest.mark.usefixtures('landmarker_path')
FRAME_NS = 33_333_333


@pytest.fixture
def folder(tmp_path, media):
    """Two pictures of a face, and one of nothing between them, named by their stamps."""
    shown, _ = frames(media('single_face.mp4'), 2)
    pictures = [shown[0], np.zeros_like(shown[0]), shown[1]]
    path = tmp_path / 'walk'
    path.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(path / f'{START_NS + number * FRAME_NS}.png'), picture)
    return path


def replayed(folder, output, *arguments):
    assert main([str(folder), '-o', str(output), '--jobs', '1', *arguments]) == 0
    with (output / 'features' / 'walk.csv').open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_every_image_has_a_row_with_what_was_measured(folder, tmp_path):
    rows = replayed(folder, tmp_path / 'out', '--features')
    assert list(rows[0]) == table_columns(landmarks=False)
    assert [int(row['stamp_ns']) for row in rows] == [START_NS + i * FRAME_NS for i in range(3)]
    assert all(row['file'].endswith('.png') for row in rows)
    nobody = rows[1]
    assert set(nobody) - {key for key, value in nobody.items() if not value} == {
        'stamp_ns',
        'file',
    }
    (kept,) = (tmp_path / 'out' / 'kept').glob('*.json')
    answers = json.loads(kept.read_text())['answers']
    for row, answer in zip((rows[0], rows[2]), answers, strict=True):
        stamp_ns, face_id, label, confidence = answer[:4]
        assert (int(row['stamp_ns']), row['face_id'], row['expression']) == (
            *(stamp_ns, face_id, label),
        )
        assert float(row['confidence']) == pytest.approx(confidence, abs=1e-6)
        assert [float(row[name]) for name in ('head.roll', 'head.pitch', 'head.yaw')] == (
            pytest.approx(answer[7], abs=1e-6)
        )
        assert all(0 <= float(row[name]) <= 1 for name in NAMES)
        assert float(row['AU26']) == float(row['jawOpen'])
        assert abs(float(row['gaze.yaw'])) < 0.6


def test_landmarks_come_on_request_and_lie_in_the_face_s_box(folder, tmp_path):
    output = tmp_path / 'out'
    without = replayed(folder, output, '--features')
    row = replayed(folder, output, '--features', '--landmarks')[0]
    assert 'landmark.0.x' not in without[0]
    x, y = (np.array([float(row[f'landmark.{n}.{axis}']) for n in range(478)]) for axis in 'xy')
    assert float(row['box.x_min']) <= np.median(x) <= float(row['box.x_max'])
    assert float(row['box.y_min']) <= np.median(y) <= float(row['box.y_max'])


def test_a_table_that_was_removed_is_written_again(folder, tmp_path):
    first = replayed(folder, tmp_path / 'out', '--features')
    (tmp_path / 'out' / 'features' / 'walk.csv').unlink()
    assert replayed(folder, tmp_path / 'out', '--features') == first


def test_a_table_that_is_not_finished_leaves_nothing(tmp_path):
    FeatureTable(tmp_path / 'new' / 'walk.csv', landmarks=False).close()
    assert list(tmp_path.iterdir()) == []


def test_recordings_whose_names_differ_by_folders_alone_have_files_of_their_own(tmp_path):
    counts = {'a/b_c': 2, 'q/b_c': 3, 'a_b/c': 4}
    for name, count in counts.items():
        camera_bag(tmp_path / name, [np.full((32, 32, 3), 90, np.uint8)] * count)
    bags, output = tmp_path / 'bags', tmp_path / 'out'
    paths = [str(tmp_path / name) for name in counts]
    arguments = ('-o', str(output), '--jobs', '1', '--features', '--record', str(bags))
    assert main([*paths, *arguments]) == 0
    rows = {path.stem: len(path.read_text().splitlines()) - 1 for path in output.rglob('a_*.csv')}
    assert rows == {'a_b_c': 2, 'a_b_c_2': 4}
    assert sorted(path.name for path in bags.iterdir()) == [
        *('a_b_c.mcap', 'a_b_c_2.mcap', 'q_b_c.mcap'),
    ]


def test_a_bag_file_and_a_folder_of_the_same_name_are_recorded_into_two_files():
    assert file_names(['walk', 'walk']) == ['walk', 'walk_2']
    assert file_names(['walk_2', 'walk', 'walk']) == ['walk_2', 'walk', 'walk_3']


def test_landmarks_without_the_table_are_refused(folder, tmp_path, capfd):
    assert main([str(folder), '-o', str(tmp_path / 'out'), '--landmarks']) == 2
    assert 'give --features too' in capfd.readouterr().err
