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

"""Where no face is, no expression is told."""

import itertools

import cv2
import pytest
from drawings import back_of_a_head, cartoon, line_drawing, smiley
from media import SMILING, photograph

from emotion_estimator import blendshapes
from emotion_estimator.emotion.decision import DEFAULT_MIN_CONFIDENCE, UNKNOWN
from emotion_estimator.emotion.emotion_estimation import EmotionEstimation
from emotion_estimator.emotion.trust import Trust
from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.face_finder import FaceFinder
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_search import FaceSearch
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.files import find_encoding
from emotion_estimator.stamps import NS_PER_S

RATE_HZ = 15


DRAWINGS = (smiley, line_drawing, cartoon, back_of_a_head)


def landscape(media):
    return cv2.resize(photograph(media('free-mountain-vector-01.jpg')), (640, 480))


@pytest.fixture
def answers(landmarker_path, basic7):
    """Look at a picture for a second with MediaPipe alone; the labels told."""
    yield from answers_of(FaceLandmarker(landmarker_path), basic7)


@pytest.fixture
def answers_with_detector(landmarker_path, detector_path, basic7):
    """Look at a picture for a second with YuNet too; the labels told."""
    search = FaceSearch(
        FaceLandmarker(landmarker_path),
        FaceDetector(detector_path),
        lambda: CloseUp(FaceLandmarker(landmarker_path)),
        max_faces=3,
        detection_rate_hz=2.0,
    )
    yield from answers_of(search, basic7)


def answers_of(search, model):
    encoding = read_encoding(find_encoding(DEFAULT_VERSION))
    finder = FaceFinder(search, FaceTracker(seed=1), encoding)
    estimation = EmotionEstimation(model, DEFAULT_MIN_CONFIDENCE, trust=Trust())

    seconds = itertools.count(1, step=10)  # further apart than what is followed

    def look(picture):
        labels = []
        start_ns = next(seconds) * NS_PER_S
        for frame in range(RATE_HZ + 1):
            stamp_ns = start_ns + frame * NS_PER_S // RATE_HZ
            for face in finder.find(picture, stamp_ns).faces:
                features = {
                    **dict(zip(blendshapes.NAMES, face.blendshapes.tolist())),
                    **dict(zip(face.feature_names, face.features.tolist())),
                }
                labels.append(estimation.estimate(face.face_id, stamp_ns, features).label)
        return labels

    yield look
    finder.close()


def test_a_face_is_told(answers, media):
    labels = answers(photograph(media(SMILING)))
    assert len(labels) == RATE_HZ + 1
    assert labels[-1] == 'happy'


@pytest.mark.parametrize('draw', DRAWINGS)
def test_no_expression_is_told_of_what_only_resembles_a_face(answers, draw):
    assert set(answers(draw())) <= {UNKNOWN}


def test_no_expression_is_told_of_a_landscape(answers, media):
    assert answers(landscape(media)) == []


def test_with_the_detector_too_a_face_alone_is_told(answers_with_detector, media):
    assert answers_with_detector(photograph(media(SMILING)))[-1] == 'happy'
    for draw in DRAWINGS:
        assert set(answers_with_detector(draw())) <= {UNKNOWN}, draw.__name__
    assert answers_with_detector(landscape(media)) == []
