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

"""Pictures of one's own, large and odd ones too, are read block by block; errors in them drawn."""

from contextvars import copy_context
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from helpers.faces import media_path

from emotion_estimator.faces.appearance import CROP_PX
from emotion_estimator.faces.geometry import LANDMARKS
from emotion_estimator.parallel.engine import Finished, set_reporter
from training import sources, still_features
from training.commands import studies
from training.datasets.pictures import (
    LABELS,
    ArrayPictures,
    DataError,
    FilePictures,
    JoinedPictures,
)
from training.encoding import visibility
from training.encoding.visibility import donor_of, fit_shipped_visibility
from training.extraction.covered_faces import SeenParts
from training.extraction.face_reader import ATTEMPTS, empty_table, read_each, read_faces, show
from training.extraction.views import NATIVE, X4_PAD25, enlarged
from training.painting import FacePlaces, Scene
from training.protocols.other_people import HeldFaces, find_held_faces
from training.sources import BLOCK, blocks_of, pixels_of
from training.still_features import (
    _keys,
    _stills,
    extract,
    rows_to_learn_from,
    stand_in_a_test_split,
)


def test_each_picture_of_a_block_is_a_sign_of_life():
    """Else a block of large pictures would be taken for one that hangs."""
    pictures, said = ArrayPictures(np.zeros((2, 8, 8), np.uint8), 'black'), []

    def read():
        set_reporter(lambda *progress: said.append(progress))
        read_each(pictures, [0, 1], NATIVE, lambda _: said.append('looked'))

    copy_context().run(read)
    assert said == [(0, 2), 'looked', (1, 2), 'looked']


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def saved(path, pixels, compression=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression])
    return path


@pytest.mark.parametrize('shape', [(48, 48), (48, 40, 3)])
def test_what_is_tested_is_not_learned_from_however_it_was_saved(tmp_path, monkeypatch, shape):
    tested = saved(tmp_path / 'val' / 'sad' / '1.png', noise(1, *shape), compression=9)
    again = saved(tmp_path / 'train' / 'sad' / '1.png', noise(1, *shape), compression=0)
    assert again.read_bytes() != tested.read_bytes()
    saved(tmp_path / 'train' / 'sad' / '2.png', noise(2, *shape))
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(tmp_path))
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path / 'nothing'))
    found, _ = sources.read_to_learn_from()
    stills = _stills(found, (), np.zeros((2, 1, 0), np.float32), np.ones((2, 1), np.bool_))
    assert [found.pictures.name(row)[-5:] for row in rows_to_learn_from(stills)] == ['2.png']
    assert stand_in_a_test_split().tolist() == [True, False]


def test_a_file_shows_the_same_as_an_array(tmp_path):
    images = noise(3, 2, 48, 48)
    files = FilePictures(
        [saved(tmp_path / f'{row}.png', image) for row, image in enumerate(images)]
    )
    seen = list(pixels_of(files))
    assert seen == list(pixels_of(ArrayPictures(images, 'arrays')))
    assert seen[0] != seen[1]
    # Other shapes and colours of the same bytes are other pictures; what is none has its name.
    assert [*pixels_of(ArrayPictures(images.reshape(2, 24, 96), 'arrays'))] != seen
    files.paths[1].write_bytes(b'no picture')
    assert list(pixels_of(files)) == [seen[0], str(files.paths[1]).encode()]


@pytest.mark.parametrize(('height', 'width'), [(1, 300), (170, 10)])
def test_a_picture_too_narrow_for_a_face_is_named_and_the_others_are_read(tmp_path, height, width):
    narrow = saved(tmp_path / 'narrow.png', noise(7, height, width))
    rest = [saved(tmp_path / f'{long}.png', noise(8, long, 8)) for long in (128, 8)]
    pictures, seen = FilePictures([narrow, *rest]), []
    table, complaints = read_each(
        pictures, [0, 1, 2], X4_PAD25, lambda picture: seen.append(picture.shape[:2])
    )
    said = f'{narrow}: {width} x {height} pixels are too narrow to show a face.'
    assert complaints == (said,)
    assert len(table) == 3
    # Each is enlarged by 24 and has its border.
    assert seen == [(288 * 16, 288), (288, 288)]


def test_a_huge_picture_is_reduced_before_it_is_looked_at():
    column = np.arange(8000, dtype=np.float32) / 8000 * 255
    huge = np.tile(column.astype(np.uint8), (400, 1))
    prepared = X4_PAD25.picture(huge)
    assert prepared.shape == (300, 6000, 3)
    inside = prepared[50:-50, 1000:-1000, 0]
    np.testing.assert_allclose(inside.astype(float), np.tile(column[::2], (200, 1)), atol=2)
    # A second look takes a square of the longer side.
    assert show(prepared, ATTEMPTS[0])[0].nbytes < 200_000_000


def test_a_picture_of_a_camera_is_not_reduced():
    picture = noise(9, 300, 4000, 3)
    np.testing.assert_array_equal(enlarged(picture)[75:-75, 1000:-1000], picture)


# Parts of them serve as cloth that covers faces.


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [
        ((48, 48), (48, 48)),
        ((192, 300, 3), (192, 300, 3)),
        ((8, 12), (48, 72)),
        ((1, 4, 3), (48, 192, 3)),
        ((3000, 4000, 3), (192, 256, 3)),
    ],
)
def test_a_donor_is_of_a_size_of_which_parts_can_be_cut(shape, expected):
    picture = noise(4, *shape)
    donor = donor_of(picture)
    assert donor.shape == expected
    assert donor.dtype == np.uint8
    assert (donor is picture) == (shape == expected)
    face = FacePlaces(noise(5, LANDMARKS, 2).astype(np.float32))
    scene = Scene(np.zeros((60, 80, 3), np.uint8), face, np.random.default_rng(1), [donor])
    assert scene._other_picture().shape[:2] == (60, 80)


def test_all_donors_are_brought_to_size(tmp_path, monkeypatch):
    sizes = {'train': [(8, 12), (400, 200)], 'val': [(60, 60)]}
    for split, shapes in sizes.items():
        for shape in shapes:
            saved(tmp_path / split / 'sad' / f'{shape[0]}.png', noise(6, *shape))
    given = []

    def every_part(pictures, donors, *_):
        given.append(sorted(donor.shape for donor in donors))
        none = np.zeros((0, CROP_PX, CROP_PX), np.uint8)
        return SeenParts(none, np.zeros((0, 3), np.bool_), np.zeros(0, np.str_))

    monkeypatch.setattr(visibility, 'every_part', every_part)
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path / 'nothing'))
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match='give 0 crops'):
        fit_shipped_visibility(learn=False)
    assert given == [[(48, 72, 3), (384, 192, 3)]]


# What is found is kept in blocks, which the pictures' content chooses.


def block_keys(pictures):
    blocks = [pictures.part(rows) for rows in blocks_of(pictures)]
    return _keys(blocks, X4_PAD25, read_faces)


def test_one_picture_less_or_more_costs_one_block(tmp_path):
    paths = [tmp_path / f'{number}.png' for number in range(2000)]
    for path in paths:
        path.write_text(path.name)
    before = block_keys(FilePictures(paths))
    assert len(before) == 8
    for number in (0, 700, 1999):
        after = block_keys(FilePictures(paths[:number] + paths[number + 1 :]))
        assert len(set(before) - set(after)) == len(set(after) - set(before)) == 1
        # Found under another name, at another place, it is all the same to the others.
        moved = block_keys(FilePictures([*paths[:number], *paths[number + 1 :], paths[number]]))
        assert len(set(before) - set(moved)) <= 1


@pytest.mark.parametrize('count', [0, 1, BLOCK, 5000])
def test_every_picture_is_in_one_block_of_about_the_same_size(count):
    blocks = blocks_of(ArrayPictures(noise(10, count, 4, 4), 'arrays'))
    assert sorted(row for rows in blocks for row in rows) == list(range(count))
    assert all(rows == sorted(rows) for rows in blocks)
    assert all(BLOCK / 2 < len(rows) < 2 * BLOCK for rows in blocks if count > BLOCK)


def test_what_is_found_is_in_the_order_of_the_pictures(tmp_path, monkeypatch):
    images = noise(11, 40, 4, 4)
    pictures = JoinedPictures((ArrayPictures(images[:30], 'a'), ArrayPictures(images[30:], 'b')))
    work = []

    def run_all(read, tasks, _):
        for index, (block, rows, _) in enumerate(tasks):
            table = empty_table(len(rows))
            table.places[:, 0] = [block.read(row)[0, 0] for row in rows]
            table.places[:, 1] = [block.read(row)[0, 1] for row in rows]
            work.append(len(rows))
            yield Finished(index, (table, ()))

    monkeypatch.setattr(sources, 'BLOCK', 10)
    monkeypatch.setattr(still_features, 'run_all', run_all)
    for _ in range(2):
        found, _ = extract(pictures, X4_PAD25, tmp_path)
        np.testing.assert_array_equal(found.places[:, :2], images[:, 0, :2])
    assert len(work) == 4 and sum(work) == 40
    extract(pictures.part(range(1, 40)), X4_PAD25, tmp_path)
    assert len(work) == 5
    assert len(extract(pictures.part([]), X4_PAD25, tmp_path)[0]) == 0


def test_faces_of_other_people_are_looked_for_where_it_was_broken_off(tmp_path, monkeypatch):
    """Whole blocks are kept; put together they say what one block says."""
    face = cv2.imread(str(media_path('single_face.jpg')))
    pixels = (face, np.zeros_like(face), face[:, ::-1])
    paths = [saved(tmp_path / f'{number}.png', each) for number, each in enumerate(pixels)]
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'whole')
    whole = find_held_faces(FilePictures(paths))
    assert whole.found.tolist() == [True, False, True]
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'blocks')
    monkeypatch.setattr(sources, 'blocks_of', lambda _: [[1], [0], [2]])
    read, read_one = [], FilePictures.read

    def broken_off(self, index):
        if len(read) == 2:
            read.clear()
            raise KeyboardInterrupt
        read.append(self.paths[index])
        return read_one(self, index)

    monkeypatch.setattr(FilePictures, 'read', broken_off)
    with pytest.raises(KeyboardInterrupt):
        find_held_faces(FilePictures(paths))
    joined = find_held_faces(FilePictures(paths))
    assert read == paths[2:]
    assert joined.names == whole.names
    for each, all_at_once in zip(vars(joined).values(), vars(whole).values()):
        assert np.array_equal(each, all_at_once)


def test_errors_of_each_set_are_drawn_though_one_shows_no_face(tmp_path, monkeypatch, capsys):
    def pictures(side_px):
        shown = ArrayPictures(np.zeros((2, side_px, side_px), np.uint8), 'black')
        return SimpleNamespace(photographs=SimpleNamespace(pictures=shown, labels=np.arange(2)))

    sets = {'first': pictures(48), 'unseen': pictures(9), 'last': pictures(48)}

    def faces(shown):
        found = np.full(2, shown is not sets['unseen'].photographs.pictures)
        return HeldFaces((), np.zeros((2, 0), np.float32), found, np.ones((2, 4), np.float32))

    model = SimpleNamespace(metadata=SimpleNamespace(name='made', labels=LABELS, features=()))
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    monkeypatch.setattr(sources, 'read_other_people', lambda _: sets)
    monkeypatch.setattr(studies, 'EmotionModel', lambda _: model)
    monkeypatch.setattr(studies, 'find_held_faces', faces)
    monkeypatch.setattr(studies, 'held_probabilities', lambda _: lambda _: np.eye(7)[[0, 0]])
    assert studies.main(['errors', '--x', str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert 'No face is found in any picture of unseen.' in said.err
    assert said.out.count('Written: ') == 2
    matrices = {path.name for path in (tmp_path / 'errors').glob('*_confusion.png')}
    assert matrices == {'made_first_confusion.png', 'made_last_confusion.png'}
