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

"""A replay tells the same every time, at the rate and in the part that are asked for."""

import os
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.bags import ROS2, START_NS, camera_bag, header, raw_image, stamps, write_bag
from helpers.faces import frames
from helpers.live_nodes import image_message
from hri_msgs.msg import IdsList
from vision_msgs.msg import Classification

from emotion_estimator.evaluation.report.write import emotions
from emotion_estimator.faces.tracker import LISTED_S
from emotion_estimator.messages import nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.parameters import ParameterError, read_parameters
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.predictions import (
    Prediction,
    Replay,
    ReplayFileError,
    read_replay,
    write_replay,
)
from emotion_estimator.replay.recordings import Selection
from emotion_estimator.replay.replay import replay
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture(scope='module')
def parameters():
    return read_parameters()


def blank(count):
    return [np.full((48, 64, 3), 90, np.uint8)] * count


def replayed(path, parameters, selection=Selection(), **options):  # noqa: B008
    recording = open_recording(path)
    reported = replay(recording, parameters, selection, **options)
    recording.close()
    return reported


def test_a_smile_is_reported_alike_on_all_cores_and_on_one(
    tmp_path, parameters, landmarker_path, media
):
    pictures, _ = frames(media('single_face.mp4'))
    small = [cv2.resize(picture, (480, 270)) for picture in pictures[::3]]
    bag = camera_bag(tmp_path / 'bag', small)
    reported = replayed(bag, parameters)
    assert reported.stamps_ns == tuple(stamps(len(small)))
    assert [answer.stamp_ns for answer in reported.predictions] == stamps(len(small))
    assert len({answer.face_id for answer in reported.predictions}) == 1
    assert (reported.predictions[0].label, reported.predictions[-1].label) == ('neutral', 'happy')
    last = reported.predictions[-1]
    assert reported.labels[int(np.argmax(last.probabilities))] == 'happy'
    assert sum(last.probabilities) == pytest.approx(1)
    assert last.head is not None
    assert np.abs(last.head).max() < 0.5
    x_min, y_min, x_max, y_max = last.box
    assert 0 < x_min < x_max < 1
    assert 0 < y_min < y_max < 1
    labels = [answer.label for answer in reported.predictions]
    changes = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
    assert sorted(reported.thumbnails) == [(reported.stamps_ns[i], last.face_id) for i in changes]
    thumbnail = np.frombuffer(reported.thumbnails[reported.stamps_ns[0], last.face_id], np.uint8)
    assert cv2.imdecode(thumbnail, cv2.IMREAD_COLOR).shape == (96, 96, 3)
    assert reported.problems == ()
    cores, before, threads = os.sched_getaffinity(0), threading.active_count(), set()
    os.sched_setaffinity(0, {min(cores)})
    try:
        listeners = (lambda *_: threads.add(threading.active_count()),)
        again = replayed(bag, parameters, listeners=listeners)
    finally:
        os.sched_setaffinity(0, cores)
    assert threads == {before}
    for name, one in (('a', reported), ('b', again)):
        write_replay(tmp_path / f'{name}.json', one)
        (tmp_path / f'{name}.csv').write_bytes(emotions([one]))
    assert (tmp_path / 'a.json').read_bytes() == (tmp_path / 'b.json').read_bytes()
    assert (tmp_path / 'a.csv').read_bytes() == (tmp_path / 'b.csv').read_bytes()
    assert read_replay(tmp_path / 'a.json') == reported


@pytest.mark.parametrize(
    'selection, taken',
    [
        (Selection(), range(10)),
        (Selection(rate_hz=12.5), range(0, 10, 2)),
        (Selection(rate_hz=10), (0, 3, 5, 8)),
        (Selection(rate_hz=1000), range(10)),
        (Selection(from_s=0.12, to_s=0.2), (3, 4, 5)),
        (Selection(rate_hz=12.5, from_s=0.04), (1, 3, 5, 7, 9)),
    ],
)
def test_rate_and_part_go_by_the_stamps(tmp_path, parameters, landmarker_path, selection, taken):
    bag = camera_bag(tmp_path / 'bag', blank(10))
    reported = replayed(bag, parameters, selection)
    assert reported.stamps_ns == tuple(stamps(10)[i] for i in taken)
    assert reported.predictions == ()
    assert reported.settings['rate_hz'] == selection.rate_hz


def test_images_that_cannot_be_used_are_counted(tmp_path, parameters, landmarker_path):
    (bgr,) = blank(1)
    right, later = START_NS, START_NS + NS_PER_S // 10
    images = [
        raw_image(ROS2, bgr, 0),
        raw_image(ROS2, bgr, right),
        raw_image(ROS2, bgr, right),
        raw_image(ROS2, bgr, later, height=9000),
        raw_image(ROS2, bgr, later, encoding='secret'),
        raw_image(ROS2, bgr, later),
        raw_image(ROS2, bgr, right + 1),
    ]
    bag = write_bag(tmp_path / 'bag', [('/camera', START_NS + i, m) for i, m in enumerate(images)])
    reported = replayed(bag, parameters)
    assert reported.stamps_ns == (right, later)
    undecoded, unstamped, repeated = reported.problems
    assert undecoded.startswith('bag: 2 images cannot be decoded; the first: at')
    assert 'the image is cut short' in undecoded
    assert '1 images have no stamp' in unstamped
    assert '1 images repeat a stamp' in repeated
    (late,) = reported.hints
    assert late.startswith('bag: 1 images came late, with a stamp behind the newest one')
    assert late.endswith(
        f'image 7, 0.100 s behind the newest, at {right + 1} ns, 0.000 s after the first.'
    )


def recorded(path, images):
    """Record images with other stamps than times of receipt; a frame_id may follow the stamp."""
    times = stamps(len(images), 30)
    messages = [
        ('/camera', recorded_ns, raw_image(ROS2, bgr, ns, header=header(ROS2, ns, *frame_id)))
        for recorded_ns, (bgr, ns, *frame_id) in zip(times, images)
    ]
    return write_bag(path, messages)


def test_late_and_lone_images_change_no_other_answer(tmp_path, parameters, landmarker_path, media):
    """As some USB cameras' drivers have it, each fifth image is late; one is an hour ahead."""
    pictures, _ = frames(media('single_face.mp4'), 40)
    pictures = [cv2.resize(picture, (480, 270)) for picture in pictures]
    times = stamps(40, 30)
    wrong = {i: times[i] - NS_PER_S // 25 for i in range(4, 40, 5)} | {
        21: times[21] + 3600 * NS_PER_S
    }
    right = [i for i in range(40) if i not in wrong]
    disturbed = [(picture, wrong.get(i, times[i])) for i, picture in enumerate(pictures)]
    clean = replayed(recorded(tmp_path / 'clean', [disturbed[i] for i in right]), parameters)
    reported = replayed(recorded(tmp_path / 'bag', disturbed), parameters)
    assert reported.stamps_ns == clean.stamps_ns == tuple(times[i] for i in right)
    assert reported.predictions == clean.predictions
    assert len(reported.predictions) == len(right)
    assert reported.problems == ()
    late, lone = reported.hints
    assert late.startswith('bag: 8 images came late')
    assert late.endswith(
        f'image 5, 0.007 s behind the newest, at {wrong[4]} ns, 0.093 s after the first.'
    )
    assert lone.startswith('bag: 1 images had a stamp far from those around them')
    assert 'image 22, 3600.033 s ahead of the newest' in lone


@pytest.mark.parametrize(
    'set_s, said, faces',
    [(-100, 'went back', 2), (100, 'jumped ahead', 2), (3, 'went further ahead than', 1)],
)
def test_a_clock_that_was_set_is_reported_with_its_place(
    tmp_path, parameters, landmarker_path, media, set_s, said, faces
):
    pictures, _ = frames(media('single_face.mp4'), 20)
    times = stamps(20, 30)
    times = times[:10] + [ns + set_s * NS_PER_S for ns in times[10:]]
    images = [(cv2.resize(picture, (480, 270)), ns) for picture, ns in zip(pictures, times)]
    reported = replayed(recorded(tmp_path / 'bag', images), parameters)
    assert reported.stamps_ns == tuple(sorted(times))
    ids = {answer.stamp_ns: answer.face_id for answer in reported.predictions}
    first, second = ({ids[ns] for ns in part} for part in (times[:10], times[10:]))
    assert len(first) == len(second) == 1
    assert len(first | second) == faces
    assert reported.problems == ()
    (hint,) = reported.hints
    assert f'1 times the stamps {said}' in hint
    assert 'as when a clock is set' in hint
    assert f'image 11, {abs(set_s) - (0.033 if set_s < 0 else -0.033):.3f} s' in hint
    assert f'at {times[10]} ns' in hint


def test_of_two_cameras_on_a_topic_the_first_is_looked_at(tmp_path, parameters, landmarker_path):
    (bgr,) = blank(1)
    times = stamps(20, 30)
    images = [(bgr, ns - back, name) for ns in times for back, name in ((0, 'left'), (9, 'right'))]
    reported = replayed(recorded(tmp_path / 'bag', images), parameters)
    assert reported.stamps_ns == tuple(times)
    assert reported.problems == ()
    assert reported.hints == (
        "bag: 20 images have the frame_id 'right', not 'left' as those of the camera that came "
        'first on the topic; they were left out. Give each camera its topic.',
    )


@pytest.mark.parametrize('burst_ms', [(0,), (0, 4)])
def test_a_slow_or_bursty_camera_keeps_its_face_and_hears_what_to_set(
    tmp_path, parameters, landmarker_path, media, burst_ms
):
    (picture,), _ = frames(media('single_face.mp4'), 1)
    small = cv2.resize(picture, (480, 270))
    times = [START_NS + (i * 1818 + ms) * 1_000_000 for i in range(6) for ms in burst_ms]
    bag = recorded(tmp_path / 'bag', [(small, ns) for ns in times])
    reported = replayed(bag, parameters)
    assert [answer.stamp_ns for answer in reported.predictions] == times
    assert len({answer.face_id for answer in reported.predictions}) == 1
    (hint,) = reported.hints
    assert (
        'set max_absence_s of blendshape_node to 5.5 (now 1), max_gap_s of emotion_node to 2.0'
        in hint
    )
    fitting = parameters.changed({'max_absence_s': 5.5, 'max_gap_s': 2.0, 'face_timeout_s': 5.5})
    assert replayed(bag, fitting).hints == ()


def test_listeners_hear_of_every_image(tmp_path, parameters, landmarker_path):
    heard, counts = [], []
    bag = camera_bag(tmp_path / 'bag', blank(3))
    replayed(
        bag,
        parameters,
        listeners=(lambda frame, pixels, seen: heard.append((frame.stamp_ns, seen.faces)),),
        progress=counts.append,
    )
    assert heard == [(stamp_ns, ()) for stamp_ns in stamps(3)]
    assert counts == [1, 2, 3]


def test_parameters_are_the_nodes_with_a_fixed_seed(tmp_path, parameters):
    assert parameters.emotion_node['model'] == 'basic7'
    assert parameters.blendshape_node['face_id_seed'] == 1
    path = tmp_path / 'mine.yaml'
    path.write_text(
        '/robot/emotion_node: {ros__parameters: {hysteresis: 3, model: basic7_blendshapes}}\n'
        '/**: {ros__parameters: {min_confidence: 0.25, other_nodes: 1}}\n'
        'blendshape_node: {ros__parameters: {max_faces: 4, face_id_seed: 7}}\n'
    )
    mine = read_parameters(path)
    of_emotion = {'hysteresis': 3.0, 'model': 'basic7_blendshapes', 'min_confidence': 0.25}
    assert mine.emotion_node == {**parameters.emotion_node, **of_emotion}
    of_faces = {'max_faces': 4, 'face_id_seed': 7}
    assert mine.blendshape_node == {**parameters.blendshape_node, **of_faces}
    assert mine.changed({'model': 'other'}).emotion_node['model'] == 'other'


@pytest.mark.parametrize(
    'content, said',
    [
        ('blendshape_node: {ros__parameters: {max_faces: 1.5}}', 'max_faces must be of type int'),
        ('emotion_node: {hysteresis: 2}', ': /emotion_node holds no ros__parameters'),
        ('a: {emotion_node: {hysteresis: 2}}', 'holds no ros__parameters'),
        ('a: {emotion_node: {ros__parameters: {hysteresis: x}}}', 'hysteresis must be of type'),
        (f'emotion_node: {{ros__parameters: {{hysteresis: {10**400}}}}}', 'must be of type float'),
        (f'/*: {{ros__parameters: {{max_faces: {10**400}}}}}', 'must lie between 1 and 10'),
        ('/**: &a {ros__parameters: {max_faces: 2}}\nb: *a', 'it has an alias'),
        (
            ''.join(
                f'/{n}/blendshape_node: {{ros__parameters: {{max_faces: {n}}}}}\n' for n in (1, 2)
            ),
            'for /1/blendshape_node than for /2/blendshape_node, and which',
        ),
        ('- a', 'names no nodes'),
        ('a: [', 'cannot be read'),
    ],
)
def test_wrong_parameter_files_are_reported(tmp_path, content, said):
    path = tmp_path / 'wrong.yaml'
    path.write_text(content)
    with pytest.raises(ParameterError, match=said) as caught:
        read_parameters(path)
    assert str(path) in str(caught.value)


ANSWER = Prediction(
    1_500_000_000, 'abc', 'sad', 0.75, (0.25, 0.75), -0.5, 0.125, None, (0, 0, 1, 1)
)
REPLAY = Replay(
    recording='bag, the first',
    model='some 1.0',
    labels=('happy', 'sad'),
    settings={'rate_hz': 0.0},
    stamps_ns=(1_000_000_000, 1_500_000_000),
    predictions=(ANSWER,),
    thumbnails={},
    problems=(),
)


def test_emotions_are_a_line_for_each_face_and_one_for_an_image_without(tmp_path):
    other = replace(
        REPLAY,
        recording='second',
        labels=('sad', 'unknown'),
        predictions=(replace(ANSWER, head=(0.1, -0.2, 0.3)),),
    )
    text = emotions([REPLAY, other], {'second': ['happy']}).decode()
    lines = text.splitlines()
    assert lines[0] == (
        'recording,stamp_ns,time_s,face,emotion,truth,confidence,valence,arousal,head_roll,'
        'head_pitch,head_yaw,x_min,y_min,x_max,y_max,probability_happy,probability_sad,probability_unknown'
    )
    empty = ',' * 16
    assert lines[1:] == [
        f'"bag, the first",1000000000,0.000{empty}',
        '"bag, the first",1500000000,0.500,abc,sad,,0.7500,-0.5000,0.1250,,,,'
        '0.0000,0.0000,1.0000,1.0000,0.2500,0.7500,',
        f'second,1000000000,0.000{empty}',
        'second,1500000000,0.500,abc,sad,happy,0.7500,-0.5000,0.1250,0.1000,-0.2000,0.3000,'
        '0.0000,0.0000,1.0000,1.0000,,0.2500,0.7500',
    ]


def test_hints_are_kept(tmp_path):
    hinting = replace(REPLAY, hints=('bag: 1 image came late.',))
    write_replay(tmp_path / 'replay.json', hinting)
    assert read_replay(tmp_path / 'replay.json') == hinting


@pytest.mark.parametrize('content', ['', '{', '{"schema": 99}', '{"schema": 1}', '[1]'])
def test_a_damaged_replay_file_is_reported(tmp_path, content):
    path = tmp_path / 'replay.json'
    path.write_text(content)
    with pytest.raises(ReplayFileError, match='again'):
        read_replay(path)


# Both nodes over real topics: a clip in, expressions out.


def play(live, landmarker_path, pictures, rate_hz):
    """Send frame after frame, each when the one before has been dealt with."""
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1)
    emotion_node = live.add(EmotionNode)
    emotions = live.listen(Classification, '/emotion', 100)
    shapes = live.listen(Classification, '/blendshapes', 100)
    tracked = live.listen(IdsList, '/humans/faces/tracked', 100)
    camera = live.camera()
    live.until(lambda: emotion_node.count_subscribers('/emotion') == 1, 'the listener')
    live.until(lambda: node.count_subscribers('/blendshapes') == 2, 'the emotion node')
    stamps_ns = []
    for i, picture in enumerate(pictures):
        stamps_ns.append(START_NS + round(i * NS_PER_S / rate_hz))
        camera.publish(image_message(picture, stamps_ns[-1]))
        live.until(lambda: len(tracked) == len(stamps_ns), 'the frame')
    live.until(lambda: len(emotions) == len(shapes), 'the last emotion')
    return stamps_ns, shapes, emotions, tracked


def test_a_clip_from_neutral_to_a_smile(live, landmarker_path, media):
    pictures, rate_hz = frames(media('single_face.mp4'))
    stamps_ns, _, emotions, _ = play(live, landmarker_path, pictures, rate_hz)
    assert [nanoseconds(message.header.stamp) for message in emotions] == stamps_ns
    assert len({message.header.frame_id for message in emotions}) == 1
    labels = [message.results[0].class_id for message in emotions]
    assert labels[-1] == 'happy'
    assert labels[len(labels) // 6] != 'happy'
    assert emotions[-1].results[0].score > 0.6


def test_no_emotion_without_a_face(live, landmarker_path, media):
    pictures, rate_hz = frames(media('face_noface.mov'))
    small = [cv2.resize(picture, (480, 270)) for picture in pictures[50:130]]
    stamps_ns, shapes, emotions, tracked = play(live, landmarker_path, small, rate_hz)
    assert tracked[0].ids
    assert tracked[-1].ids == []
    with_face = [nanoseconds(message.header.stamp) for message in shapes]
    assert [nanoseconds(message.header.stamp) for message in emotions] == with_face
    assert with_face[-1] < stamps_ns[-20]
    listed = [nanoseconds(message.header.stamp) for message in tracked if message.ids]
    assert 0 <= listed[-1] - with_face[-1] <= LISTED_S * NS_PER_S
