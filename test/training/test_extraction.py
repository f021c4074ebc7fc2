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

"""Faces of pictures are found once, kept by what decides them, and found again when it changes."""

from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from distributed import LocalCluster
from helpers.media import NEUTRAL, PEOPLE, SERIOUS, SMILING, media_path, photograph

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.blendshapes import INDEX
from emotion_estimator.parallel import cluster
from emotion_estimator.parallel.engine import Advanced, Finished, Progress
from training.datasets.labels import DataError
from training.datasets.pictures import ArrayPictures, FilePictures
from training.extraction import extraction
from training.extraction.extraction import extract
from training.extraction.face_reader import read_again, read_faces, read_table, write_table
from training.extraction.views import AUGMENTED, NATIVE, X4_PAD25, ViewedPictures

FACES = (NEUTRAL, PEOPLE[1], SERIOUS, SMILING)
SMILE = [INDEX['mouthSmileLeft'], INDEX['mouthSmileRight']]


@pytest.fixture(scope='module')
def scheduler():
    """One worker for all tests, since it takes seconds until it has MediaPipe."""
    find_asset(FACE_LANDMARKER)
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def pictures(tmp_path):
    """People who are serious and smile by turns, as small pictures in files."""
    paths = []
    for number, name in enumerate(FACES):
        paths.append(tmp_path / f'{number}.png')
        cv2.imwrite(str(paths[-1]), photograph(media_path(name), 200)[..., ::-1])
    return FilePictures(paths)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Two pictures in a block."""
    monkeypatch.setattr(extraction, 'BLOCK', 2)


def test_faces_are_found_and_differ(pictures, tmp_path, scheduler):
    table, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    assert complaints == ()
    assert table.readable.tolist() == [True] * 4
    smiles = table.blendshapes[:, SMILE].mean(axis=1)
    assert smiles[[1, 3]].min() > smiles[[0, 2]].max() + 0.2
    assert len(list((tmp_path / 'kept').iterdir())) == 2


def test_outlines_lie_on_the_face_in_the_prepared_picture(pictures, tmp_path, scheduler):
    table, _ = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    shown = ViewedPictures(pictures, X4_PAD25)
    height, width = shown.read(0).shape[:2]
    outline = table.outlines()[0]
    assert ((outline > 0) & (outline < (width, height))).all()
    # The tip of the nose is below the forehead and above the chin.
    assert outline[10, 1] < outline[1, 1] < outline[152, 1]


def test_kept_blocks_are_taken(pictures, tmp_path, scheduler):
    first, _ = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    for path in (tmp_path / 'kept').iterdir():
        block = read_table(path)
        write_table(path, replace(block, blendshapes=block.blendshapes + 1))
    second, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept', 'nobody: not asked')
    assert complaints == ()
    assert np.array_equal(second.blendshapes, first.blendshapes + 1)


def test_a_block_alone_is_found_again(pictures, tmp_path, scheduler):
    first, _ = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    damaged, whole = sorted((tmp_path / 'kept').iterdir())
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    written_ns = whole.stat().st_mtime_ns
    second, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    assert complaints == ()
    assert np.array_equal(second.points, first.points)
    assert damaged.read_bytes() == content
    assert whole.stat().st_mtime_ns == written_ns


def test_a_broken_file_is_reported_by_name_and_the_others_are_read(pictures, tmp_path, scheduler):
    broken = pictures.paths[1]
    broken.write_bytes(broken.read_bytes()[:100])
    table, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    assert table.readable.tolist() == [True, False, True, True]
    assert not table.blendshapes[1].any()
    assert len(complaints) == 1
    assert str(broken) in complaints[0]
    # What is incomplete is not kept, so that it is reported again.
    assert len(list((tmp_path / 'kept').iterdir())) == 1
    assert extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)[1] == complaints


def test_a_missing_file_is_reported_by_name(pictures, tmp_path, scheduler):
    pictures.paths[3].unlink()
    table, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    assert table.readable.tolist() == [True, True, True, False]
    assert str(pictures.paths[3]) in complaints[0]


def test_a_replaced_file_is_looked_at_again(pictures, tmp_path, scheduler):
    first, _ = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    shutil.copy(pictures.paths[1], pictures.paths[0])
    second, _ = extract(pictures, X4_PAD25, tmp_path / 'kept', scheduler)
    assert np.array_equal(second.blendshapes[0], first.blendshapes[1])
    assert len(list((tmp_path / 'kept').iterdir())) == 3


def keys(pictures, view, read=read_faces):
    blocks = [pictures.part([0, 1]), pictures.part([2, 3])]
    return list(extraction._keys(blocks, view, read))


def test_another_view_is_another_key(pictures):
    views = (NATIVE, X4_PAD25, AUGMENTED, replace(AUGMENTED, seed=2))
    found = {key for view in views for key in keys(pictures, view)}
    assert len(found) == 2 * len(views)
    assert keys(pictures, X4_PAD25) == keys(pictures, X4_PAD25)


def test_a_second_look_is_another_key(pictures):
    assert set(keys(pictures, X4_PAD25, read_again)).isdisjoint(keys(pictures, X4_PAD25))


def test_another_mediapipe_is_another_key(pictures, monkeypatch):
    before = keys(pictures, X4_PAD25)
    monkeypatch.setattr(extraction.metadata, 'version', lambda _: '99')
    assert set(keys(pictures, X4_PAD25)).isdisjoint(before)


def test_what_is_no_face_is_not_readable(tmp_path, scheduler):
    grey = ArrayPictures(np.full((3, 48, 48), 128, np.uint8), 'grey')
    table, complaints = extract(grey, NATIVE, tmp_path / 'kept', scheduler)
    assert complaints == ()
    assert not table.readable.any()
    assert len(table) == 3


def test_viewed_pictures_are_prepared_while_they_are_read(pictures):
    shown = ViewedPictures(pictures, X4_PAD25)
    assert len(shown) == 4
    assert np.array_equal(shown.read(2), X4_PAD25.picture(pictures.read(2)))
    part = shown.part([2])
    assert part.name(0) == pictures.name(2)
    assert np.array_equal(part.read(0), shown.read(2))
    assert set(shown.content()).isdisjoint(ViewedPictures(pictures, NATIVE).content())


def test_processes_of_this_machine_and_a_cluster_find_the_same(pictures, tmp_path, scheduler):
    extract(pictures, X4_PAD25, tmp_path / 'there', scheduler)
    table, complaints = extract(pictures, X4_PAD25, tmp_path / 'here', workers=2)
    assert complaints == ()
    assert table.readable.all()
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ('here', 'there')
    )
    assert here == there


def test_a_task_that_nobody_could_do_is_reported_by_name(pictures, tmp_path, monkeypatch):
    def run_all(read, tasks, _):
        yield Advanced(0, Progress())
        yield Finished(1, read(*tasks[1]))
        yield Finished(0, None, 'failed 3 times, at last: broken')

    monkeypatch.setattr(extraction, 'run_all', run_all)
    table, complaints = extract(pictures, X4_PAD25, tmp_path / 'kept')
    assert table.readable.tolist() == [False, False, True, True]
    names = f'{pictures.name(0)} to {pictures.name(1)}'
    assert complaints == (f'{names} were left out: the task failed 3 times, at last: broken.',)
    # It is not kept, so that it is tried again.
    assert len(list((tmp_path / 'kept').iterdir())) == 1


@pytest.mark.parametrize('address', ['tcp://127.0.0.1:1', 'nowhere'])
def test_a_scheduler_that_does_not_answer_is_named(pictures, tmp_path, address, monkeypatch):
    monkeypatch.setattr(cluster, 'CONNECT_S', 0.5)
    with pytest.raises(DataError, match=rf'{address}.*dask'):
        extract(pictures, NATIVE, tmp_path / 'kept', address)
