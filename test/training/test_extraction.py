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

"""Faces of pictures are found once, looked for again, and kept whole or not at all."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from distributed import LocalCluster
from helpers.faces import NEUTRAL, PEOPLE, SERIOUS, SMILING, media_path, photograph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.blendshapes import INDEX
from emotion_estimator.faces.geometry import LANDMARKS, in_face_units
from emotion_estimator.parallel import workers
from emotion_estimator.parallel.engine import Advanced, Finished, Progress
from training import still_features
from training.datasets.pictures import ArrayPictures, DataError, FilePictures
from training.extraction import face_reader
from training.extraction.face_reader import (
    ATTEMPTS,
    Attempt,
    empty_table,
    joined,
    move_back,
    read_again,
    read_faces,
    read_table,
    show,
    write_table,
)
from training.extraction.views import AUGMENTED, NATIVE, X4_PAD25, ViewedPictures
from training.still_features import extract

FACES = (NEUTRAL, PEOPLE[1], SERIOUS, SMILING)
SMILE = [INDEX['mouthSmileLeft'], INDEX['mouthSmileRight']]


@pytest.fixture(scope='module')
def scheduler():
    """One worker for all tests, since it takes seconds until it has MediaPipe."""
    find_asset(FACE_LANDMARKER)
    quiet = {'dashboard_address': None, 'memory_limit': 0, 'silence_logs': 50}
    with LocalCluster(n_workers=1, threads_per_worker=1, **quiet) as cluster:
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
    """Two pictures in a block, one behind the other."""

    def blocks(pictures):
        rows = [*range(len(pictures))]
        return [rows[start : start + 2] for start in rows[::2]]

    monkeypatch.setattr(still_features, 'blocks_of', blocks)


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
    return list(still_features._keys(blocks, view, read))


def test_another_view_is_another_key(pictures):
    views = (NATIVE, X4_PAD25, AUGMENTED, replace(AUGMENTED, seed=2))
    found = {key for view in views for key in keys(pictures, view)}
    assert len(found) == 2 * len(views)
    assert keys(pictures, X4_PAD25) == keys(pictures, X4_PAD25)


def test_a_second_look_is_another_key(pictures):
    assert set(keys(pictures, X4_PAD25, read_again)).isdisjoint(keys(pictures, X4_PAD25))


def test_another_mediapipe_is_another_key(pictures, monkeypatch):
    before = keys(pictures, X4_PAD25)
    monkeypatch.setattr(still_features.metadata, 'version', lambda _: '99')
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


def test_a_task_that_nobody_could_do_ends_it_once_others_are_kept(pictures, tmp_path, monkeypatch):
    """Else models would be trained without these photographs, with a status of 0."""

    def run_all(read, tasks, _):
        yield Advanced(0, Progress(1, 2))
        yield Finished(0, None, 'failed 3 times, at last: broken')
        yield Finished(1, read(*tasks[1]))

    monkeypatch.setattr(still_features, 'run_all', run_all)
    said = '2 pictures were not looked at: the task failed 3 times, at last: broken, at or soon '
    said += f'after {pictures.name(1)}. The'
    with pytest.raises(DataError, match=re.escape(said)):
        extract(pictures, X4_PAD25, tmp_path / 'kept')
    (kept,) = (tmp_path / 'kept').iterdir()
    assert read_table(kept).readable.tolist() == [True, True]


@pytest.mark.parametrize('address', ['tcp://127.0.0.1:1', 'nowhere'])
def test_a_scheduler_that_does_not_answer_is_named(pictures, tmp_path, address, monkeypatch):
    monkeypatch.setattr(workers, 'CONNECT_S', 0.5)
    with pytest.raises(DataError, match=rf'{address}.*dask'):
        extract(pictures, NATIVE, tmp_path / 'kept', address)


# Faces as rows of one file: taken back as they were, or not at all.


def made(count, seed=1):
    """Make a table in which every second picture has a face."""
    rng = np.random.default_rng(seed)
    table = empty_table(count)
    table.readable[::2] = True
    table.blendshapes[::2] = rng.uniform(0, 1, table.blendshapes[::2].shape)
    table.points[::2] = rng.normal(0, 1, table.points[::2].shape)
    table.places[::2] = rng.uniform(10, 200, table.places[::2].shape)
    return table


def equal(table, other):
    return all(
        np.array_equal(getattr(table, f.name), getattr(other, f.name)) for f in fields(table)
    )


def test_a_table_is_read_as_it_was_written(tmp_path):
    table = made(5)
    write_table(tmp_path / 'kept.npz', table)
    found = read_table(tmp_path / 'kept.npz')
    assert equal(found, table)
    kinds = [getattr(found, f.name).dtype for f in fields(found)]
    assert kinds == [np.bool_, np.float32, np.float16, np.float32]


def test_an_empty_table_has_no_face():
    table = empty_table(3)
    assert len(table) == 3
    assert not table.readable.any()
    assert table.points.shape == (3, LANDMARKS, 3)
    assert not table.points.any()


def test_what_is_not_there_or_lacks_an_array_is_none(tmp_path):
    assert read_table(tmp_path / 'nothing.npz') is None
    (tmp_path / 'folder.npz').mkdir()
    assert read_table(tmp_path / 'folder.npz') is None
    np.savez(tmp_path / 'kept.npz', schema=face_reader.SCHEMA, readable=np.ones(2, bool))
    assert read_table(tmp_path / 'kept.npz') is None


def test_another_schema_is_made_again(tmp_path, monkeypatch):
    write_table(tmp_path / 'kept.npz', made(2))
    monkeypatch.setattr(face_reader, 'SCHEMA', 2)
    assert read_table(tmp_path / 'kept.npz') is None


@pytest.mark.parametrize('share', [0.0, 0.3, 0.99])
def test_a_file_that_was_cut_off_is_made_again(tmp_path, share):
    path = tmp_path / 'kept.npz'
    write_table(path, made(3))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert read_table(path) is None


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_damaged_file_never_gives_other_faces(tmp_path, where, bit):
    path, table = tmp_path / 'kept.npz', empty_table(1)
    write_table(path, table)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(bytes(content))
    found = read_table(path)
    assert found is None or equal(found, table)


@pytest.mark.parametrize('position', ['flag', 'method', 'header'])
def test_damage_that_other_readers_stumble_over_is_found(tmp_path, position):
    path = tmp_path / 'kept.npz'
    write_table(path, made(1))
    content = bytearray(path.read_bytes())
    central = content.index(b'PK\x01\x02')
    # Encrypted, compressed in an unknown way, and a header that is no Python any more.
    at, bits = {
        'flag': (central + 8, 0x01),
        'method': (central + 10, 0x80),
        'header': (content.index(b"{'descr'"), 0x53),
    }[position]
    content[at] ^= bits
    path.write_bytes(bytes(content))
    assert read_table(path) is None


def test_rows_are_kept_by_mask_and_by_index():
    table = made(6)
    some = table.select(np.array([4, 0]))
    assert some.readable.tolist() == [True, True]
    assert np.array_equal(some.blendshapes, table.blendshapes[[4, 0]])
    assert equal(table.select(table.readable), table.select(np.array([0, 2, 4])))


def test_tables_are_joined_in_their_order():
    first, second = made(3, seed=1), made(2, seed=2)
    whole = joined([first, second])
    assert equal(whole.select(np.arange(3)), first)
    assert equal(whole.select(np.arange(3, 5)), second)
    assert len(joined([])) == 0


@pytest.mark.parametrize(('width', 'height'), [(288, 288), (640, 480)])
def test_outlines_are_the_landmarks_in_pixels(width, height):
    rng = np.random.default_rng(3)
    landmarks = rng.uniform(0.2, 0.8, (LANDMARKS, 3)).astype(np.float32)
    points, place = in_face_units(landmarks, width, height)
    table = replace(empty_table(1), points=points[None].astype(np.float16))
    table.places[:] = place
    expected = landmarks[:, :2] * [width, height]
    # Half precision costs a tenth of a pixel.
    assert np.abs(table.outlines()[0] - expected).max() < 0.2


# What a first look misses a second may find; its landmarks lie on the prepared picture.


@given(st.floats(-90, 90), st.floats(1, 2), st.integers(40, 300), st.integers(40, 300))
def test_landmarks_are_moved_back_to_where_they_were(turn_deg, room, width, height):
    picture = np.zeros((height, width, 3), np.uint8)
    shown, moved = show(picture, Attempt(turn_deg=turn_deg, room=room))
    side = shown.shape[0]
    rng = np.random.default_rng(1)
    there = rng.random((478, 3)).astype(np.float32)
    pixels = there[:, :2] * (width, height) @ moved[:, :2].T + moved[:, 2]
    seen = np.column_stack([pixels / side, there[:, 2] * width / side]).astype(np.float32)
    assert shown.shape == (side, side, 3)
    assert side == round(max(width, height) * room)
    np.testing.assert_allclose(move_back(seen, moved, side, width, height), there, atol=1e-4)


def test_the_confident_attempts_come_first():
    asked = [attempt.least_confidence for attempt in ATTEMPTS]
    assert asked == sorted(asked, reverse=True)


@pytest.fixture(scope='module')
def small_faces():
    """Show a face in 48 pixels, and nothing."""
    find_asset(FACE_LANDMARKER)
    upright = cv2.cvtColor(photograph(media_path(PEOPLE[1]), 48), cv2.COLOR_RGB2GRAY)
    return ArrayPictures(np.stack([upright, np.zeros_like(upright)]), 'made')


def test_a_face_lies_where_the_first_look_saw_it(small_faces):
    first, _ = read_faces(small_faces, [0, 1], X4_PAD25)
    second, complaints = read_again(small_faces, [0, 1], X4_PAD25)
    assert complaints == ()
    assert first.readable.tolist() == second.readable.tolist() == [True, False]
    way_px = np.abs(first.outlines()[0] - second.outlines()[0])
    # Of a face some 150 pixels wide; it was seen turned by 20 degrees.
    assert np.median(way_px) < 5


def test_faces_found_again_stand_in_the_place_of_those_missed(small_faces):
    found, _ = read_faces(small_faces, [0, 0, 0], X4_PAD25)
    rows = np.array([1])
    changed, _ = read_faces(small_faces, [1], X4_PAD25)
    table = found.replaced(rows, changed)
    assert table.readable.tolist() == [True, False, True]
    assert found.readable.all()
    np.testing.assert_array_equal(table.blendshapes[[0, 2]], found.blendshapes[[0, 2]])
