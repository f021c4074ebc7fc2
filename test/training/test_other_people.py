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

"""Other people's pictures: looked at as a robot does, and scored; what of them is learned from."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers.faces import media_path

from emotion_estimator.blendshapes import INDEX, NAMES
from emotion_estimator.emotion.decision import TRUSTED_NAMES
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.files import AssetError
from emotion_estimator.parameters import read_parameters
from training import sources
from training.datasets.pictures import (
    LABELS,
    FilePictures,
    LabelledPictures,
    PeoplesPictures,
    Split,
    one_hot,
)
from training.protocols.other_people import (
    ANSWERED,
    COVERED,
    NO_ANSWER,
    NO_FACE,
    TURNED,
    UNSURE,
    Answers,
    HeldFaces,
    Peer,
    decide,
    find_held_faces,
    framed,
    held_probabilities,
    scores,
    surest,
)
from training.still_features import OTHERS_TIMES, _stills, rows_to_learn_from
from training.stills import HAPPY_UNKNOWN_SAD

BLENDSHAPES = sources.MODELS / 'basic7_blendshapes'


def write_picture(path, grey=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((8, 8), grey, np.uint8))


# What of other people's pictures may be learned from stands behind FER2013's training split.


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Two photographs of FER2013 to learn from, two of the web, one of these for scores."""
    images = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    (tmp_path / 'fer2013').mkdir()
    np.savez(
        tmp_path / 'fer2013' / 'fer2013.npz',
        images=images,
        labels=np.array([4, 6, 3]),
        usage=np.array([0, 1, 0]),
        ferplus=np.zeros((3, 10), np.uint8),
    )
    for grey, name in enumerate(('0f', '8f', '1a')):
        write_picture(tmp_path / 'ood' / 'web' / f'{name}.png', grey)
    (tmp_path / 'ood' / 'labels.csv').write_text(
        'file,expression\nweb/0f.png,disgusted\nweb/8f.png,sad\nweb/1a.png,angry\n'
    )
    monkeypatch.setenv('EMOTION_ESTIMATOR_ASSETS', str(tmp_path))
    return tmp_path


def test_other_photographs_to_learn_from_stand_behind_those_of_fer2013(learned):
    found, count = sources.read_to_learn_from()
    assert count == 2
    assert [LABELS[label] for label in found.labels] == ['sad', 'happy', 'disgusted', 'angry']
    names = [found.pictures.name(row).split('/')[-1] for row in range(4)]
    assert names == ['fer2013 row 0', 'fer2013 row 2', '0f.png', '1a.png']
    assert found.pictures.read(1)[0, 0] == 2
    assert found.pictures.read(3).shape == (8, 8, 3)
    some = found.pictures.part([3, 0, 1])
    assert [len(some), some.name(0).split('/')[-1], some.name(2)] == [3, '1a.png', 'fer2013 row 2']
    assert list(some.content()) == [list(found.pictures.content())[row] for row in (3, 0, 1)]
    with pytest.raises(IndexError, match='There are 4 pictures'):
        found.pictures.read(4)


def test_other_photographs_are_learned_from_several_times(learned):
    found, count = sources.read_to_learn_from()
    readable = np.array([[True], [False], [True], [True]])
    stills = _stills(found, (), np.zeros((4, 1, 0), np.float32), readable)
    rows = rows_to_learn_from(stills)
    assert np.bincount(rows, minlength=4).tolist() == [1, 0, OTHERS_TIMES, OTHERS_TIMES]
    # Without votes the label is believed whole.
    taught = stills.select(rows[rows >= count]).vote_shares()
    assert {tuple(row) for row in taught.tolist()} == {
        tuple(one_hot(np.array([LABELS.index(word)]))[0].tolist())
        for word in ('disgusted', 'angry')
    }


def test_without_other_photographs_fer2013_is_learned_from_alone(learned):
    (learned / 'ood').rename(learned / 'away')
    found, count = sources.read_to_learn_from()
    assert len(found) == count == 2


def test_only_a_small_picture_is_enlarged_and_framed():
    small, tall = np.full((99, 60), 200, np.uint8), np.full((100, 60, 3), 200, np.uint8)
    grown = framed(small)
    assert grown.shape == (4 * 99 + 96, 4 * 60 + 96, 3)
    assert (grown[:48] == 0).all() and (grown[48:-48, 48:-48] == 200).all()
    assert framed(tall) is tall


# Faces that are held, and what is answered to them.


def held(*rows):
    """Make faces of blendshapes and further features by name; None is a picture without one."""
    names = (*NAMES, *TRUSTED_NAMES)
    values = np.zeros((len(rows), len(names)), np.float32)
    values[:, len(INDEX) + 2 :] = 1
    for value, row in zip(values, rows):
        for name, number in (row or {}).items():
            value[names.index(name)] = number
    found = np.array([row is not None for row in rows])
    return HeldFaces(names, values * found[:, None], found, np.zeros((len(rows), 4), np.float32))


SMILE = {
    **dict.fromkeys(('mouthSmileLeft', 'mouthSmileRight'), 0.9),
    **dict.fromkeys(('eyeSquintLeft', 'eyeSquintRight'), 0.4),
}


def test_a_held_face_is_answered_as_the_node_does_and_silence_has_a_reason():
    covered, turned = {**SMILE, 'visible.mouth': 0.1}, {**SMILE, 'head.yaw': 0.95}
    faces = held(SMILE, None, covered, turned)
    answers = decide(BLENDSHAPES, faces, read_parameters().changed({'min_confidence': 0.0}))
    model = EmotionModel(BLENDSHAPES)
    quick = surest(held_probabilities(model), faces, model.metadata.features)
    shown = quick.labels[0]
    assert quick.labels.tolist() == [shown, NO_ANSWER, shown, shown]
    assert answers.labels.tolist() == [shown, NO_ANSWER, NO_ANSWER, NO_ANSWER]
    assert answers.reasons.tolist() == [ANSWERED, NO_FACE, COVERED, TURNED]
    three = decide(sources.MODELS / 'happy_unknown_sad', held(None))
    assert three.reasons.tolist() == [NO_FACE]


def test_faces_are_found_as_the_nodes_find_them_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, 'OUT', tmp_path / 'out')
    (tmp_path / 'no.jpg').write_bytes(b'no picture')
    paths = [media_path(name) for name in ('single_face.jpg', 'free-mountain-vector-01.jpg')]
    pictures = FilePictures([*paths, tmp_path / 'no.jpg'])
    faces = find_held_faces(pictures)
    assert faces.found.tolist() == [True, False, False]
    assert faces.names[: len(NAMES)] == NAMES
    assert 0 < faces.boxes[0, 0] < faces.boxes[0, 2] < pictures.read(0).shape[1]
    assert not faces.boxes[1:].any() and not faces.values[1:].any()
    (kept,) = (tmp_path / 'out' / 'held').iterdir()
    written = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(find_held_faces(pictures).values, faces.values)
    assert kept.stat().st_mtime_ns == written


# Scores.


def labelled(labels, **groups):
    files = [(f'{index}.jpg', label, Split.PUBLIC) for index, label in enumerate(labels)]
    people = np.arange(len(labels)).astype(str)
    return PeoplesPictures(
        LabelledPictures.of_files('set', files, ()),
        people,
        {kind: np.array(group) for kind, group in groups.items()},
    )


HAPPY, SAD, NEUTRAL = (LABELS.index(name) for name in ('happy', 'sad', 'neutral'))


def test_unknown_and_no_face_count_as_wrong():
    answers = Answers(
        np.array([HAPPY, NO_ANSWER, SAD, NO_ANSWER, HAPPY, NEUTRAL]),
        np.array([ANSWERED, UNSURE, ANSWERED, NO_FACE, ANSWERED, ANSWERED]),
    )
    truth = labelled(
        [HAPPY, HAPPY, HAPPY, NEUTRAL, NEUTRAL, NEUTRAL],
        gender=['female', 'female', 'male', 'male', 'male', ''],
    )
    found = {name: metric['value'] for name, metric in scores(answers, truth, LABELS).items()}
    assert found['x_accuracy'] == found['x_balanced'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_recall_happy'] == found['x_recall_neutral'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_recall_happy_female'] == 0.5
    assert found['x_recall_happy_male'] == found['x_recall_neutral_male'] == 0
    assert found['x_false_alarms'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_no_answer'] == pytest.approx(1 / 3, abs=1e-4)
    assert found['x_no_face'] == found['x_unsure'] == pytest.approx(1 / 6, abs=1e-4)
    assert 'x_recall_sad' not in found and found['x_turned'] == 0


def test_recalls_are_balanced_over_the_classes_that_occur():
    answers = Answers(np.array([HAPPY] * 4), np.zeros(4, np.int64))
    found = scores(answers, labelled([HAPPY] * 3 + [SAD]), LABELS)
    assert found['x_accuracy']['value'] == 0.75
    assert found['x_balanced']['value'] == 0.5
    assert 'x_false_alarms' not in found


def test_the_seed_reports_classes_have_a_place_for_every_expression():
    happy, unknown, sad = range(3)
    answers = Answers(np.array([happy, unknown, unknown]), np.zeros(3, np.int64))
    found = scores(answers, labelled([HAPPY, NEUTRAL, SAD]), HAPPY_UNKNOWN_SAD.names)
    assert found['x_recall_unknown']['value'] == 1 and found['x_recall_sad']['value'] == 0
    assert sad == 2


def test_the_peer_answers_to_a_face_that_either_finds():
    try:
        peer = Peer()
    except AssetError as error:
        pytest.skip(str(error))
    pictures = FilePictures([media_path('single_face.jpg')])
    picture = pictures.read(0)
    height, width = picture.shape[:2]
    faces = held(SMILE)
    faces.boxes[0] = (0, 0, width, height)
    answers = peer.answers(pictures, faces)
    assert list(answers) == ['fer', 'fer_our_faces']
    assert all(one.labels[0] in range(len(LABELS)) for one in answers.values())
    nothing = peer.answers(FilePictures([media_path('free-mountain-vector-01.jpg')]), held(None))
    assert [one.reasons.tolist() for one in nothing.values()] == [[NO_FACE], [NO_FACE]]
