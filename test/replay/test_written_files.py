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

"""The bag of what was told, which a replay writes beside its report."""

import shutil
import sqlite3
from contextlib import closing

import cv2
import numpy as np
import pytest
from helpers.bags import (
    ROS1,
    ROS2,
    START_NS,
    camera_bag,
    camera_info,
    header,
    png_image,
    raw_image,
    stamps,
    text,
    write_bag,
    write_ros1_bag,
)
from rosbags.highlevel import AnyReader

from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import FrameResult
from emotion_estimator.evaluation.cli import main
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.geometry import PinholeCamera
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.bag_reader import BagReader
from emotion_estimator.replay.bag_writer import BagWriter, is_recorded_replay
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.recordings import RecordingError, recorded_camera
from emotion_estimator.stamps import Step

TEMPLATE = read_encoding(find_encoding(DEFAULT_ENCODING)).template
OF_FACE = ('facs', 'roi', 'landmarks', 'expression')
# Some run the command.
pytestmark = pytest.mark.usefixtures('landmarker_path')
PICTURE = np.full((48, 64, 3), 90, np.uint8)


def seen(stamp_ns, label='happy'):
    """Say what was seen of one face, in the middle of the image and facing the camera."""
    face = Face(
        'abc',
        Box(0.25, -0.25, 0.5, 0.75),
        lambda: np.full(52, 0.25, np.float32),
        np.asarray(0.5 + 0.1 * TEMPLATE, np.float32),
        ('head.roll',),
        lambda: np.array([0.5], np.float32),
    )
    scores = (('happy', 0.75), ('unknown', 0.25))
    scores = scores if label == 'happy' else scores[::-1]
    estimate = EmotionEstimate(
        'abc', stamp_ns, label, scores[0][1], scores, 0.5, -0.25, Step.FORWARD
    )
    return FrameResult(Step.FORWARD, (face,), (estimate,))


def write(path, bag, beside=None, parameters=None, **options):
    writer = BagWriter(path, parameters or read_parameters(), beside, **options)
    for number, frame in enumerate(open_recording(bag).frames()):
        label = 'happy' if number else 'unknown'
        writer(frame, frame.decode(), seen(frame.stamp_ns, label))
    writer.finish()


def read(path):
    with AnyReader([path]) as reader:
        return [
            (connection.topic, recorded_ns, reader.deserialize(raw, connection.msgtype))
            for connection, recorded_ns, raw in reader.messages()
        ]


@pytest.mark.parametrize('name', ['out.mcap', 'out'])
def test_a_bag_is_a_file_or_a_folder_and_replaces_what_was_there(tmp_path, name):
    bag = camera_bag(tmp_path / 'bag', [PICTURE] * 2)
    for _ in range(2):
        write(tmp_path / name, bag)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(['bag', name])
    assert (tmp_path / name / 'metadata.yaml').is_file() == (name == 'out')
    reported = read(tmp_path / name)
    facs, roi, landmarks, expression = (f'/humans/faces/abc/{name}' for name in OF_FACE)
    topics = ['/blendshapes', facs, roi, landmarks]
    topics += ['/humans/faces/tracked', '/tf', '/emotion', expression]
    assert [topic for topic, _, _ in reported] == topics * 2
    assert [recorded_ns for _, recorded_ns, _ in reported] == [
        ns for ns in stamps(2) for _ in topics
    ]
    messages = [message for _, _, message in reported[:8]]
    blendshapes, facs, roi, landmarks, tracked, frames, emotion, unknown = messages
    assert len(blendshapes.results) == 53
    assert (blendshapes.results[-1].class_id, blendshapes.results[-1].score) == ('head.roll', 0.5)
    assert blendshapes.header.frame_id == emotion.header.frame_id == 'face_abc'
    assert (tracked.ids, tracked.header.frame_id) == (['abc'], 'camera')
    assert facs.header.frame_id == 'face_abc'
    assert (roi.header.frame_id, landmarks.header.frame_id) == ('camera', 'camera')
    assert (facs.intensity[12], facs.confidence[12], facs.confidence[6]) == (0.25, 1, 0)
    assert (roi.xmin, roi.ymin, roi.xmax, roi.ymax, roi.c) == (0.25, 0, 0.5, 0.75, 1)
    assert (landmarks.width, landmarks.height, len(landmarks.landmarks)) == (64, 48, 70)
    head, gaze = frames.transforms
    assert (head.child_frame_id, gaze.child_frame_id) == ('face_abc', 'gaze_abc')
    assert (head.header.frame_id, gaze.header.frame_id) == ('camera', 'face_abc')
    place = gaze.transform.translation
    assert (place.x, place.y, place.z) == (0, 0, 0)
    assert [result.class_id for result in emotion.results] == ['unknown', 'happy']
    assert (unknown.expression, unknown.confidence) == ('', 0.0)
    happy = reported[-1][2]
    assert (happy.expression, happy.confidence) == ('happy', 0.75)
    assert (happy.valence, happy.arousal) == (0.5, -0.25)


@pytest.mark.parametrize(
    'recordings, record, said',
    [
        (['walk.mcap'], 'walk.mcap', 'over the recording'),
        (['bag'], 'bag', 'over the recording'),
        (['bag'], 'bag/bag.mcap', 'over the recording'),
        (['bag'], 'bag/more.mcap', 'over the recording'),
        (['bag'], 'link', 'over the recording'),
        (['bag'], 'link/more.mcap', 'over the recording'),
        (['many'], 'many', 'over the recording'),
        (['walk.mcap'], 'many/x.mcap', 'no replay has written it'),
        (['walk.mcap'], 'bag', 'no replay has written it'),
        (['walk.mcap', 'bag'], 'many', 'no replay has written it'),
        (['walk.mcap'], 'notes.txt', 'no replay has written it'),
        (['walk.mcap'], '.', 'over the recording'),
    ],
)
@pytest.mark.parametrize('more', [(), ('--with-input',)])
def test_a_bag_that_no_replay_wrote_is_never_replaced(
    tmp_path, capfd, recordings, record, said, more
):
    bag = camera_bag(tmp_path / 'bag', [PICTURE] * 2)
    (tmp_path / 'many').mkdir()
    for copy in ('walk.mcap', 'many/x.mcap', 'many/y.mcap', 'many/walk.mcap'):
        shutil.copy(bag / 'bag.mcap', tmp_path / copy)
    (tmp_path / 'notes.txt').write_text('of mine')
    (tmp_path / 'link').symlink_to(bag)
    before = {path: path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}
    paths = [str(tmp_path / name) for name in recordings]
    arguments = ('-o', str(tmp_path / 'out'), '--record', str(tmp_path / record), *more)
    assert main([*paths, *arguments]) == 2
    assert said in capfd.readouterr().err
    assert {p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()} == before


def test_what_a_replay_wrote_is_told_from_what_was_put_beside_or_recorded(tmp_path):
    bag = camera_bag(tmp_path / 'bag', [PICTURE])
    for name in ('out.mcap', 'out'):
        write(tmp_path / name, bag, beside=bag)
        assert is_recorded_replay(tmp_path / name)
    assert not is_recorded_replay(bag)
    assert not is_recorded_replay(bag / 'bag.mcap')
    content = (tmp_path / 'out.mcap').read_bytes()
    for damaged in (b'', content[:100], content[-100:]):
        (tmp_path / 'out.mcap').write_bytes(damaged)
        assert not is_recorded_replay(tmp_path / 'out.mcap')
    (tmp_path / 'out' / 'notes.txt').write_text('of mine')
    assert not is_recorded_replay(tmp_path / 'out')


def test_no_picture_is_written(tmp_path):
    write(tmp_path / 'out.mcap', camera_bag(tmp_path / 'bag', [PICTURE] * 2))
    with AnyReader([tmp_path / 'out.mcap']) as reader:
        assert not {c.msgtype for c in reader.connections if 'Image' in c.msgtype}


def test_a_face_is_listed_for_a_while_after_it_was_seen_last(tmp_path):
    bag = camera_bag(tmp_path / 'bag', [PICTURE] * 10)
    writer = BagWriter(tmp_path / 'out.mcap', read_parameters())
    for number, frame in enumerate(open_recording(bag).frames()):
        there = seen(frame.stamp_ns) if number == 0 else FrameResult(Step.FORWARD, (), ())
        writer(frame, PICTURE, there)
    writer.finish()
    reported = read(tmp_path / 'out.mcap')
    tracked = [message.ids for topic, _, message in reported if topic == '/humans/faces/tracked']
    # 25 images a second: 0.3 s are seven images more.
    assert tracked == [['abc']] * 8 + [[]] * 2
    assert [topic for topic, _, _ in reported].count('/tf') == 1


def test_an_image_without_a_frame_places_no_head(tmp_path):
    nameless = raw_image(ROS2, PICTURE, START_NS, header=header(ROS2, START_NS, ''))
    bag = write_bag(tmp_path / 'bag', [('/image', START_NS, nameless)])
    write(tmp_path / 'out.mcap', bag)
    topics = {topic for topic, _, _ in read(tmp_path / 'out.mcap')}
    assert '/tf' not in topics and '/humans/faces/abc/roi' in topics


def bag_of(store, folder, messages):
    """Write a bag of ROS 1 or ROS 2."""
    if store is ROS1:
        return write_ros1_bag(folder / 'robot.bag', messages)
    return write_bag(folder / 'bag', messages)


@pytest.mark.parametrize(
    'store, topic', [(ROS2, '/robot/image/compressed'), (ROS2, '/robot/image'), (ROS1, '/robot/i')]
)
@pytest.mark.parametrize('focal, reported', [(80.0, 0), (0.0, 1)])
def test_the_calibration_beside_the_images_places_the_head(
    tmp_path, store, topic, focal, reported
):
    make = png_image if topic.endswith('compressed') else raw_image
    messages = [
        (topic, START_NS, make(store, PICTURE, START_NS)),
        *(
            (f'/{name}/camera_info', START_NS + 1, camera_info(store, START_NS, 128, 96, pixels))
            for name, pixels in (('robot', 2 * focal), ('robot', 2 * focal), ('other', 500.0))
        ),
    ]
    bag = bag_of(store, tmp_path, messages)
    refused = []
    camera = recorded_camera(open_recording(bag), read_parameters(), refused.append)
    write(tmp_path / 'out.mcap', bag, camera=camera)
    assert len(refused) == reported
    (frames,) = (m for topic, _, m in read(tmp_path / 'out.mcap') if topic == '/tf')
    place = frames.transforms[0].transform.translation
    # Half of the image's width lies at 30 degrees where nothing better is known.
    pixels = focal or 32 / np.tan(np.radians(30))
    pupils = np.linalg.norm((TEMPLATE[468] - TEMPLATE[473]) * 0.1 * (64, 48, 64))
    assert place.z == pytest.approx(0.063 * pixels / pupils, rel=0.15)


@pytest.mark.parametrize('store', [ROS2, ROS1])
@pytest.mark.parametrize(
    'name, rectified',
    [
        ('image_raw', False),
        ('image_rectangles', False),
        ('image_rect', True),
        ('image_rect_color/compressed', True),
    ],
)
def test_of_rectified_images_the_rectified_camera_counts(tmp_path, store, name, rectified):
    # Focal lengths and middle differ where the distortion is taken out.
    said = camera_info(store, START_NS, 64, 48, 60.0)
    p = said.P if store is ROS1 else said.p
    p[:] = [45, 0, 33, -4.5, 0, 46, 23, 0, 0, 0, 1, 0]
    said.roi.x_offset, said.roi.width, said.binning_y = 4, 60, 2
    make = png_image if name.endswith('compressed') else raw_image
    messages = [
        (f'/robot/{name}', START_NS, make(store, PICTURE, START_NS)),
        ('/robot/camera_info', START_NS + 1, said),
    ]
    bag = bag_of(store, tmp_path, messages)
    camera = recorded_camera(open_recording(bag), read_parameters(), pytest.fail).camera(60, 24)
    raw, even = (60, 30, 28, 12, 60, 24), (45, 23, 29, 11.5, 60, 24)
    assert camera == PinholeCamera(*(even if rectified else raw))


def test_a_calibration_that_cannot_be_used_costs_a_line_and_the_bag_is_written(tmp_path, capfd):
    wrong = camera_info(ROS2, START_NS, 64, 48, 0.0)
    messages = [('/robot/camera_info', ns, wrong) for ns in stamps(3)]
    messages += [('/robot/image', ns, raw_image(ROS2, PICTURE, ns)) for ns in stamps(3)]
    bag = write_bag(tmp_path / 'bag', sorted(messages, key=lambda message: message[1]))
    record = tmp_path / 'said.mcap'
    arguments = [str(bag), '-o', str(tmp_path / 'out'), '--record', str(record)]
    assert main(arguments) == 1
    said = ' '.join(capfd.readouterr().err.split())
    assert said.count('camera_info: k, p, width, height or roi is wrong') == 1
    assert 'A field of view of 60 degrees is assumed.' in said
    with AnyReader([record]) as reader:
        assert {c.topic: c.msgcount for c in reader.connections} == {'/humans/faces/tracked': 3}


def test_frames_of_the_input_and_of_faces_stand_on_one_topic(tmp_path):
    types = ROS2.types
    tree = types['tf2_msgs/msg/TFMessage'](transforms=[])
    bag = write_bag(
        tmp_path / 'bag',
        [
            ('/image', START_NS, raw_image(ROS2, PICTURE, START_NS)),
            ('/tf', START_NS + 1, tree),
        ],
    )
    write(tmp_path / 'out', bag, beside=bag)
    with AnyReader([tmp_path / 'out']) as reader:
        assert [c.msgcount for c in reader.connections if c.topic == '/tf'] == [2]
    frames = [m.transforms for topic, _, m in read(tmp_path / 'out') if topic == '/tf']
    assert [len(transforms) for transforms in frames] == [2, 0]


def test_without_ros4hri_nothing_stands_below_humans(tmp_path):
    bag = camera_bag(tmp_path / 'bag', [PICTURE])
    parameters = read_parameters()
    parameters.blendshape_node['ros4hri'] = parameters.emotion_node['ros4hri'] = False
    write(tmp_path / 'out.mcap', bag, parameters=parameters)
    assert [topic for topic, _, _ in read(tmp_path / 'out.mcap')] == ['/blendshapes', '/emotion']


def test_the_inputs_messages_stand_beside_but_for_the_nodes_own(tmp_path):
    messages = [
        ('/chatter', START_NS - 5, text(ROS2, 'before')),
        ('/image', START_NS, raw_image(ROS2, PICTURE, START_NS)),
        ('/emotion', START_NS, text(ROS2, 'of another run')),
        ('/emotional', START_NS, text(ROS2, 'of the user')),
        ('/humans/faces/abc/expression', START_NS, text(ROS2, 'of another run')),
        ('/humans/faces/abc/roi', START_NS, text(ROS2, 'of another run')),
        ('/humans/faces/abc/cropped', START_NS, text(ROS2, 'of another run')),
        ('/humans/faces/abc/softbiometrics', START_NS, text(ROS2, 'of a detector')),
        ('/chatter', START_NS + 5, text(ROS2, 'behind')),
    ]
    bag = write_bag(tmp_path / 'bag', messages)
    write(tmp_path / 'out.mcap', bag, beside=bag)
    reported = read(tmp_path / 'out.mcap')
    words = [message.data for _, _, message in reported if 'String' in type(message).__name__]
    assert words == ['before', 'of the user', 'of a detector', 'behind']
    assert [message.height for topic, _, message in reported if topic == '/image'] == [48]


def test_a_bag_that_is_given_up_leaves_nothing(tmp_path):
    writer = BagWriter(tmp_path / 'out.mcap', read_parameters())
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_messages_of_an_undefined_type_are_not_copied_and_named(tmp_path):
    path = camera_bag(tmp_path / 'bag', [np.zeros((8, 8, 3), np.uint8)], storage='sqlite3')
    # As before Iron: no definitions; the type is one that nobody knows.
    base = sqlite3.connect(path / 'bag.db3')
    base.execute('DROP TABLE message_definitions')
    base.execute('UPDATE schema SET schema_version = 3')
    base.execute("INSERT INTO topics VALUES (9, '/thing', 'no_such/msg/Thing', 'cdr', '', '')")
    base.execute("INSERT INTO messages VALUES (99, 9, 1700000000000000000, x'00010000')")
    base.commit()
    base.close()
    (path / 'metadata.yaml').unlink()
    writer = BagWriter(tmp_path / 'out.mcap', read_parameters(), path)
    with closing(writer):
        writer.finish()
    topics = [connection.topic for connection in BagReader(tmp_path / 'out.mcap').connections]
    assert topics == ['/camera/image_raw']
    assert '/thing (no_such/msg/Thing)' in writer.problems[0]


def test_a_ros1_bag_cannot_stand_beside(tmp_path):
    bag = write_ros1_bag(
        tmp_path / 'robot.bag', [('/image', 1, raw_image(ROS1, PICTURE, START_NS))]
    )
    with pytest.raises(RecordingError, match='--with-input'):
        BagWriter(tmp_path / 'out.mcap', read_parameters(), bag)
    assert [path.name for path in tmp_path.iterdir()] == ['robot.bag']


def test_with_input_costs_what_is_no_bag_a_hint(tmp_path, capfd):
    bag = camera_bag(tmp_path / 'bag', [PICTURE] * 2)
    (tmp_path / 'film').mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / 'film' / f'{number}.png'), PICTURE)
    arguments = ('-o', str(tmp_path / 'out'), '--record', str(tmp_path / 'rec'), '--with-input')
    assert main([str(bag), str(tmp_path / 'film'), *arguments]) == 0
    said = capfd.readouterr().err
    assert 'film: 3 images' in said
    assert said.count('film is no bag: --with-input has nothing to copy.') == 1
    tracked = '/humans/faces/tracked'
    for name, topics in (('bag', ['/camera/image_raw', tracked]), ('film', [tracked])):
        with AnyReader([tmp_path / 'rec' / f'{name}.mcap']) as reader:
            assert sorted(reader.topics) == topics
