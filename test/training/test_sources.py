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

"""What is kept is named by what decides it, so that nothing stale is taken."""

import re
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
from helpers.faces import media_path

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.faces.encoding import files_that_count
from emotion_estimator.parameters import read_parameters
from training import sources, still_features
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, clip_files
from training.commands import train
from training.commands.evaluate import (
    known_scores,
    models_of_another_encoding,
    others_beside,
    print_tables,
)
from training.datasets.pictures import LABELS, FilePictures, LabelledPictures, Split
from training.extraction.face_reader import empty_table
from training.protocols.other_people import NO_ANSWER, Answers, find_held_faces, scores
from training.sources import KEY_SOURCES, REPOSITORY, code_of, content_key, kept_arrays


@pytest.mark.parametrize('kind', KEY_SOURCES)
def test_a_content_key_names_files_that_exist_each_once(kind):
    named = KEY_SOURCES[kind]
    assert len(set(named)) == len(named)
    assert code_of(*named)


def test_what_decides_the_clips_decides_a_training_that_learns_from_them():
    assert set(KEY_SOURCES['clips']) < set(KEY_SOURCES['training'])


@pytest.mark.parametrize('kind', sorted(KEY_SOURCES))
def test_a_content_key_names_what_of_the_runtime_s_faces_its_modules_use(kind):
    # The first holds formats of images, which here are all the same; the second is not used here.
    others = {'image_decoding', 'mediapipe_landmarker'}
    used = {
        name
        for source in KEY_SOURCES[kind]
        for name in re.findall(
            r'^from emotion_estimator\.faces\.(\w+)', (REPOSITORY / source).read_text(), re.M
        )
    }
    assert {f'emotion_estimator/faces/{name}.py' for name in used - others} <= set(
        KEY_SOURCES[kind]
    )


def test_every_kind_of_key_is_used_and_every_key_has_a_kind():
    text = ''.join(path.read_text() for path in (REPOSITORY / 'training').rglob('*.py'))
    used = re.findall(r"content_key\(\s*'(\w+)'", text)
    assert sorted(used) == sorted(KEY_SOURCES)


def test_other_data_other_settings_and_another_order_give_another_key():
    values = np.arange(6, dtype=np.float32)
    known = content_key('clips', values, 'x', b'y', {'a': 1})
    assert known == content_key('clips', values.copy(), 'x', b'y', {'a': 1})
    assert re.fullmatch('[0-9a-f]{16}', known)
    others = [
        content_key('crops', values, 'x', b'y', {'a': 1}),
        content_key('clips', values.reshape(2, 3), 'x', b'y', {'a': 1}),
        content_key('clips', values.view(np.int32), 'x', b'y', {'a': 1}),
        content_key('clips', values, 'x', {'a': 1}, b'y'),
        content_key('clips', values, 'x', b'y', {'a': 2}),
        content_key('clips', values, 'x', b'y'),
    ]
    assert len({known, *others}) == 7
    assert content_key('clips', values, iter(['x', b'y']), {'a': 1}) == known


def test_pictures_are_taken_into_a_key_one_after_the_other():
    made = []

    def content():
        for number in range(5):
            # All of them would fill the memory.
            assert sum(picture() is not None for picture in made) <= 1
            picture = np.full((8, 8), number)
            made.append(weakref.ref(picture))
            yield picture
            del picture

    assert content_key('held', content())
    assert len(made) == 5


def test_arrays_are_made_once_and_kept(tmp_path):
    made = []

    def make():
        made.append(1)
        return {'a': np.arange(3), 'b': 2.5}

    for _ in range(2):
        with np.load(kept_arrays(tmp_path / 'new' / 'x.npz', make)) as file:
            assert file['a'].tolist() == [0, 1, 2]
            assert file['b'] == 2.5
    assert made == [1]


@pytest.mark.parametrize('start, end', [(300, None), (500, 501), (30, 60), (0, None)])
def test_arrays_are_made_again_where_what_was_kept_is_damaged(tmp_path, start, end):
    kept = kept_arrays(tmp_path / 'x.npz', lambda: {'a': np.arange(99)})
    whole = kept.read_bytes()
    kept.write_bytes(whole[:start] + (b'' if end is None else b'?' * (end - start) + whole[end:]))
    kept_arrays(kept, lambda: {'a': np.arange(99)})
    assert kept.read_bytes() == whole


def test_another_code_gives_another_key_and_another_comment_the_same(tmp_path):
    texts = {'a.py': 'x = 1\n', 'b.py': '"""Says it."""\n# so\nx = 1\n', 'c.py': 'x = 2\n'}
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    same, commented, other = (code_of(str(tmp_path / file)) for file in texts)
    assert same == commented != other


def test_faces_are_looked_at_again_when_what_lies_beside_the_encoding_has_changed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'out')
    shipped = next(sources.ENCODINGS.glob('v*.npz'))
    encoding, visibility = (
        shutil.copy(path, tmp_path / path.name) for path in files_that_count(shipped)
    )
    parameters = read_parameters().changed({'encoding': str(encoding)})
    pictures = FilePictures([media_path('single_face.jpg')])
    find_held_faces(pictures, parameters)
    visibility.unlink()
    find_held_faces(pictures, parameters)
    assert len(list((tmp_path / 'out' / 'held').iterdir())) == 2


# What `make evaluate` prints and records, and what it keeps of earlier calls.


def test_scores_keep_their_names_and_figures_beside_many_methods(capsys):
    metric = {'value': 0.7143, 'low': 0.4286, 'high': 0.8571}
    name = 's_false_switches_per_s_hysteresis_as_trained'
    print_tables({'public': {f'{n}_methodically': {name: metric} for n in range(14)}})
    out = capsys.readouterr().out
    assert name in out and '…' not in out and out.count('0.7143') == 14


def test_sets_and_groups_of_people_that_share_a_name_are_told_apart(tmp_path):
    (tmp_path / 'lab').mkdir()
    for name in 'abc':
        shutil.copy(media_path('single_face.jpg'), tmp_path / 'lab' / f'{name}.jpg')
    (tmp_path / 'labels.csv').write_text(
        'file,expression,gender,ethnicity\n'
        'lab/a.jpg,happy,other,black\nlab/b.jpg,happy,male,other\nlab/c.jpg,happy,male,black\n'
    )
    images = np.zeros((1, 48, 48), np.uint8)
    np.savez(tmp_path / 'lab.npz', images=images, labels=['sad'], names=['S1_1'])
    found = sources.read_other_people(tmp_path)
    assert {name: len(one.people) for name, one in found.items()} == {'lab': 3, 'lab.npz': 1}
    answers = Answers(
        np.array([LABELS.index('happy'), NO_ANSWER, NO_ANSWER]), np.zeros(3, np.int64)
    )
    told = scores(answers, found['lab'], LABELS)
    assert told['x_recall_happy_gender_other']['value'] == 1
    assert told['x_recall_happy_ethnicity_other']['value'] == 0
    assert told['x_recall_happy_black']['value'] == 0.5 and 'x_recall_happy_other' not in told


@pytest.mark.parametrize('content', ['{"a": ', '[1]', '', None])
def test_damaged_scores_of_earlier_calls_are_said_and_left(tmp_path, capsys, content):
    path = tmp_path / 'evaluate.json'
    if content is not None:
        path.write_text(content)
    assert known_scores(path) == {}
    assert capsys.readouterr().out.count('is damaged') == (content is not None)
    path.write_text('{"public": {"basic7": {}}}')
    assert known_scores(path) == {'public': {'basic7': {}}}


def test_beside_a_model_stand_the_baselines_that_see_what_it_sees():
    known = {'basic7': 1, 'basic7_blendshapes': 2, 'fer': 3, 'lstm_mean_pooled': 4}
    methods = {**known, 'constant': 5, 'constant_of_blendshapes': 6, 'happy_unknown_sad': 7}
    of_all = {'basic7_blendshapes': 2, 'fer': 3, 'lstm_mean_pooled': 4, 'constant': 5}
    assert others_beside('basic7', methods) == of_all
    of_blendshapes = {'basic7': 1, 'fer': 3, 'constant': 6}
    assert others_beside('basic7_blendshapes', methods) == of_blendshapes
    assert others_beside('basic7_blendshapes', of_blendshapes) == of_blendshapes


def test_a_picture_that_cannot_be_read_is_said_once_whatever_the_view(monkeypatch, capsys):
    photographs = LabelledPictures.of_files('made', [(Path('1.png'), 0, Split.TRAINING)], ())
    said = 'made/1.png: it is no picture.'
    monkeypatch.setattr(sources, '_said', set())
    monkeypatch.setattr(still_features, 'extract', lambda *_: (empty_table(1), (said,)))
    for view in still_features.TRAINING_VIEWS:
        assert not still_features.read_faces(photographs, view).readable.any()
    assert capsys.readouterr().out == f'{said}\n'


# What `make train` asks of the photographs before hours of work.


def test_a_class_that_nothing_shows_and_a_missing_clip_are_refused_before_any_face_is_found(
    tmp_path, monkeypatch, capsys
):
    for split in ('train', 'val'):
        for name in ('sad', 'happy', 'neutral'):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / '1.png').write_bytes(b'looked at later')
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'out')
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(sources.FER2013_VARIABLE, str(tmp_path))

    def said(model):
        assert train.main(['--models', model]) == 1
        return capsys.readouterr().err

    shows = 'None of the 3 photographs that are learned from shows angry, disgusted, sca'
    assert shows in said('basic7')
    first, *others = clip_files(TRAINING_CLIPS + EVALUATION_CLIPS)
    first.parent.mkdir(parents=True)
    for path in others:
        path.touch()
    assert f'{first} does not exist' in said('happy_unknown_sad')
    first.touch()
    assert 'No face is found in the 3 photographs' in said('happy_unknown_sad')


# What `make evaluate` says of the models before it scores them.


def test_models_that_were_learned_with_another_encoding_are_named(tmp_path):
    shipped, other = still_features.encoding_path(), tmp_path / 'v5.npz'
    other.write_bytes(shipped.read_bytes() + b'fitted again')
    assert models_of_another_encoding(shipped) == []
    assert models_of_another_encoding(other) == ['basic7', 'happy_unknown_sad']
