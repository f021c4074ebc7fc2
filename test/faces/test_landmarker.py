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

"""MediaPipe's answer read from its structures is that of its public result."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import cv2
import numpy as np
import pytest
from helpers.faces import (
    PEOPLE,
    SMILING,
    back_of_a_head,
    cartoon,
    frames,
    landmarks_of,
    line_drawing,
    photograph,
    smiley,
)

from emotion_estimator import ExpressionEstimator, blendshapes
from emotion_estimator.emotion.decision import DEFAULT_MIN_CONFIDENCE, UNKNOWN, Trust
from emotion_estimator.emotion.estimation import EmotionEstimation
from emotion_estimator.faces import tracker
from emotion_estimator.faces.detection import FaceDetector
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.finder import (
    FaceFinder,
    FinderFiles,
    build_face_counter,
    build_finder,
)
from emotion_estimator.faces.landmarker import FaceLandmarker, LandmarkedFace, box_of
from emotion_estimator.faces.multi_face import CloseUp, FaceSearch
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.tracker import FaceTracker
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.parameters import read_parameters
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def make(landmarker_path, mediapipe_engine):
    """Make landmarkers of MediaPipe's own that are closed after the test."""
    from mediapipe.tasks.python import BaseOptions, vision

    made = []

    def landmarker(faces):
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(landmarker_path)),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=faces,
            output_face_blendshapes=True,
        )
        made.append(vision.FaceLandmarker.create_from_options(options))
        return made[-1]

    yield landmarker
    for each in made:
        each.close()


def pictures(media):
    import mediapipe as mp

    clip, _ = frames(media('single_face.mp4'), 3)
    several = np.hstack([photograph(media(name)) for name in PEOPLE[1:3]])
    nothing = np.zeros((240, 320, 3), np.uint8)
    for rgb in [*(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in clip), nothing, several]:
        yield mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))


@pytest.mark.parametrize('faces', [1, 2])
def test_both_ways_give_the_same_numbers(make, mediapipe_engine, media, faces):
    one, other = make(faces), make(faces)
    assert mediapipe_engine.has_structures(one)
    counts = []
    for i, image in enumerate(pictures(media)):
        found = mediapipe_engine.detect_through_structures(one, image, 40 * (i + 1))
        expected = mediapipe_engine.detect_through_objects(other, image, 40 * (i + 1))
        assert len(found) == len(expected)
        counts.append(len(found))
        for ours, theirs in zip(found, expected):
            np.testing.assert_array_equal(ours.landmarks, theirs.landmarks)
            np.testing.assert_array_equal(ours.scores, theirs.scores)
            assert ours.landmarks.shape == (478, 3)
    assert counts[0] == 1
    assert counts[3] == 0
    assert max(counts) == faces


def test_scores_come_in_the_order_of_the_names(make, media):
    image = next(pictures(media))
    result = make(1).detect_for_video(image, 1)
    assert tuple(s.category_name for s in result.face_blendshapes[0]) == blendshapes.NAMES


FORKED = """
import gc, os, sys
from pathlib import Path
import numpy as np
from emotion_estimator.faces.mediapipe_landmarker import MediaPipeLandmarker
picture = np.zeros((64, 64, 3), np.uint8)
closed, dropped = (MediaPipeLandmarker(Path(sys.argv[1]), stills=True) for _ in range(2))
if not os.fork():
    try:
        closed.find(picture)
    except RuntimeError as error:
        print(error, flush=True)
    closed.close()
    del dropped
    gc.collect()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]), closed.find(picture), dropped.find(picture))
"""


@pytest.mark.parametrize('engine', ['litert', 'mediapipe'])
def test_a_face_that_jerks_is_one_and_leaves_room_for_another(
    landmarker_path, media, engine, request
):
    if engine == 'mediapipe':
        request.getfixturevalue('mediapipe_engine')
    faces = [
        cv2.cvtColor(cv2.resize(photograph(media(name)), (240, 240)), cv2.COLOR_BGR2RGB)
        for name in (SMILING, PEOPLE[0])
    ]
    with ExpressionEstimator(engine=engine, max_faces=2, detection_rate_hz=0.0) as made:
        for number in range(12):
            scene = np.full((480, 640, 3), faces[0][0, 0], np.uint8)
            left = 100 if number < 3 else 160
            scene[120:360, left : left + 240] = faces[0]
            if number > 5:
                scene[120:360, 400:640] = faces[1]
            found = made.estimate(scene, number / 30)
            assert len(found) == 1 + (number > 5) or number == 3, 'it has just jerked'
    first, second = sorted(face.box.x_min for face in found)
    assert second - first > 0.3


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_forked_process_is_told_to_make_another(landmarker_path, mediapipe_engine):
    command = [sys.executable, '-c', FORKED, str(landmarker_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as forking:
        try:
            said, _ = forking.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(forking.pid, signal.SIGKILL)
    of_child, of_parent = said.splitlines()
    assert 'make another estimator there, or take engine: litert' in of_child
    assert of_parent == '0 [] []'


@pytest.mark.parametrize('beside, above', [(300, 0), (0, 300)])
@pytest.mark.parametrize('tilt_deg', [0, -30, 45])
def test_a_tilted_head_is_as_deep_as_an_upright_one(
    landmarker_path, mediapipe_engine, media, beside, above, tilt_deg
):
    upright = cv2.resize(photograph(media(SMILING)), (300, 300))
    matrix = cv2.getRotationMatrix2D((150, 150), tilt_deg, 1)
    tilted = cv2.warpAffine(upright, matrix, (300, 300))
    image = np.pad(tilted, ((above, 0), (beside, 0), (0, 0)))
    landmarker = mediapipe_engine.MediaPipeLandmarker(landmarker_path, stills=True)
    (expected,), (found,) = landmarker.find(upright), landmarker.find(image)
    landmarker.close()
    depth_px = np.ptp(found.landmarks[:, 2]) * image.shape[1]
    assert depth_px == pytest.approx(np.ptp(expected.landmarks[:, 2]) * 300, rel=0.08)


# Where no face is, no expression is reported.


RATE_HZ = 15


DRAWINGS = (smiley, line_drawing, cartoon, back_of_a_head)


def landscape(media):
    return cv2.resize(photograph(media('free-mountain-vector-01.jpg')), (640, 480))


@pytest.fixture
def answers(landmarker_path, basic7):
    """Look at a picture for a second with MediaPipe alone; the labels reported."""
    yield from answers_of(FaceLandmarker(FaceNetworks(landmarker_path)), basic7)


@pytest.fixture
def answers_with_detector(landmarker_path, detector_path, basic7):
    """Look at a picture for a second with YuNet too; the labels reported."""
    search = FaceSearch(
        FaceLandmarker(FaceNetworks(landmarker_path)),
        FaceDetector(detector_path),
        lambda: CloseUp(FaceLandmarker(FaceNetworks(landmarker_path))),
        max_faces=3,
        detection_rate_hz=2.0,
    )
    yield from answers_of(search, basic7)


def test_ids_never_run_out_and_the_latest_differ(media, monkeypatch):
    monkeypatch.setattr(tracker, 'ID_LENGTH', 1)
    monkeypatch.setattr(tracker, 'REMEMBERED_IDS', 20)
    landmarks = landmarks_of(photograph(media(SMILING)))
    face = LandmarkedFace(box_of(landmarks), lambda: None, landmarks)
    follower, ids = FaceTracker(seed=1), []
    for second in range(200):
        follower.reset()
        ids += follower.track([face], 640, 480, second * NS_PER_S)
    assert [len(set(ids[at : at + 20])) for at in range(180)] == [20] * 180


def answers_of(search, model):
    encoding = read_encoding(find_encoding(DEFAULT_ENCODING))
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


def test_a_face_is_reported(answers, media):
    labels = answers(photograph(media(SMILING)))
    assert len(labels) == RATE_HZ + 1
    assert labels[-1] == 'happy'


@pytest.mark.parametrize('draw', DRAWINGS)
def test_no_expression_is_reported_of_what_only_resembles_a_face(answers, draw):
    assert set(answers(draw())) <= {UNKNOWN}


def test_no_expression_is_reported_of_a_landscape(answers, media):
    assert answers(landscape(media)) == []


@pytest.mark.parametrize('look', ['finder', 'counter'])
def test_wood_and_letters_are_no_faces_to_the_search_over_tiles(landmarker_path, media, look):
    # What MediaPipe's detector and its landmark network both take for a face in single frames.
    parameters = {**read_parameters().blendshape_node, 'max_faces': 4}
    files = FinderFiles(landmarker_path, None, None)
    finder, counter = build_finder(parameters, files), build_face_counter(parameters, files)

    def seen(clip, number, step=1):
        bgr = frames(media(clip), number + 1)[0][number]
        picture = cv2.cvtColor(np.ascontiguousarray(bgr[:, ::step]), cv2.COLOR_BGR2RGB)
        if look == 'counter':
            return counter.beside(picture, [])
        return len(finder.find(picture, number * NS_PER_S, line=number).faces)

    assert [seen('WolfgangLanger_Pexels.mp4', number) for number in (397, 403, 405, 411)] == [
        1
    ] * 4
    assert [seen('no_face.mp4', number, step=-1) for number in (83, 87, 88, 89)] == [0] * 4
    finder.close()
    counter.close()


def test_with_the_detector_too_a_face_alone_is_reported(answers_with_detector, media):
    assert answers_with_detector(photograph(media(SMILING)))[-1] == 'happy'
    for draw in DRAWINGS:
        assert set(answers_with_detector(draw())) <= {UNKNOWN}, draw.__name__
    assert answers_with_detector(landscape(media)) == []


# Threads that take turns keep to one core, and nothing else does.


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_only_threads_started_within_keep_to_the_core(mediapipe_engine):
    allowed = os.sched_getaffinity(0)
    seen = {}
    go_on = threading.Event()

    def look(name):
        go_on.wait(5)
        seen[name] = os.sched_getaffinity(0)

    before = threading.Thread(target=look, args=('before',))
    before.start()
    with mediapipe_engine.new_threads_on_one_core() as core:
        within = threading.Thread(target=look, args=('within',))
        within.start()
    after = threading.Thread(target=look, args=('after',))
    after.start()
    go_on.set()
    for thread in (before, within, after):
        thread.join(5)
    assert seen == {'before': allowed, 'within': {core}, 'after': allowed}
    assert os.sched_getaffinity(0) == allowed


def affinities_of_a_thread_that(work, new_threads_on_one_core):
    """Let a thread work; give its affinity then, and that of one that it starts for the core."""
    seen = []

    def start_another():
        work()
        seen.append(os.sched_getaffinity(0))
        with new_threads_on_one_core():
            another = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
            another.start()
        another.join(5)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=start_another)
    thread.start()
    thread.join(5)
    return seen


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_a_thread_that_keeps_off_the_last_core_still_starts_others_on_it(mediapipe_engine):
    keep_off = mediapipe_engine.keep_off_last_core
    on_one = mediapipe_engine.new_threads_on_one_core
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    others = allowed - {core} or allowed
    assert affinities_of_a_thread_that(keep_off, on_one) == [others, {core}, others]
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.skipif(not hasattr(os, 'sched_getaffinity'), reason='needs Linux affinity')
def test_with_a_single_core_nothing_is_kept_off_it(mediapipe_engine):
    keep_off = mediapipe_engine.keep_off_last_core
    on_one = mediapipe_engine.new_threads_on_one_core
    allowed = os.sched_getaffinity(0)
    core = min(allowed)
    os.sched_setaffinity(0, {core})
    try:
        assert affinities_of_a_thread_that(keep_off, on_one) == [{core}] * 3
    finally:
        os.sched_setaffinity(0, allowed)
