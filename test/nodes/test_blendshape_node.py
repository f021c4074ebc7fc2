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

"""The camera subscriber with real images over a real topic."""

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from helpers.faces import SMILING, write_encoding
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator import blendshapes
from emotion_estimator.faces.appearance import VISIBLE_NAMES
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.stamps import NS_PER_S

FRAME_NS = NS_PER_S // 30


@pytest.fixture
def face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))


def run_node(live, landmarker_path, **parameters):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1, **parameters)
    return node, live.listen(Classification, '/blendshapes')


def send(live, node, camera, message, received=None):
    """Publish one image and wait until it has been counted and dealt with."""
    before = (node.statistics.report().published, node.statistics.report().refused)
    camera.publish(message)

    def dealt_with():
        report = node.statistics.report()
        return (report.published, report.refused) != before

    live.until(dealt_with, 'the image to be dealt with')
    if received is not None:
        count = received
        live.until(lambda: len(live.received['/blendshapes']) >= count, 'blendshapes')


def test_a_face_gives_named_blendshapes_and_features_with_the_images_stamp(
    live, landmarker_path, face
):
    node, found = run_node(live, landmarker_path)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    send(live, node, camera, image_message(face, START_NS), 1)
    (message,) = found
    assert nanoseconds(message.header.stamp) == START_NS
    encoding = read_encoding(find_encoding(DEFAULT_ENCODING))
    names = [*blendshapes.NAMES, *encoding.names, *VISIBLE_NAMES]
    assert [result.class_id for result in message.results] == names
    scores = {result.class_id: result.score for result in message.results}
    assert all(0 <= scores[name] <= 1 for name in blendshapes.NAMES)
    assert np.isfinite(list(scores.values())).all()
    assert abs(scores['head.yaw']) < 0.5
    assert scores['mouthSmileLeft'] > 0.5
    live.until(lambda: tracked, 'tracked')
    assert [f'face_{i}' for i in tracked[0].ids] == [message.header.frame_id]
    assert tracked[0].header.frame_id == 'camera'


def test_the_encoding_is_the_named_one_or_none(live, landmarker_path, face, tmp_path):
    mine = write_encoding(tmp_path / 'mine.npz')
    node, found = run_node(
        live, landmarker_path, autostart=False, allow_remote_paths=True, encoding=''
    )
    camera = live.publisher(Image, '/image', qos_profile_sensor_data)
    for turn, path in enumerate(['', str(mine)]):
        (result,) = node.set_parameters([Parameter('encoding', value=path)])
        assert result.successful
        assert live.change(node, 'configure') and live.change(node, 'activate')
        live.until(lambda: camera.get_subscription_count() == 1, 'the image subscription')
        send(live, node, camera, image_message(face, START_NS + turn), turn + 1)
        assert live.change(node, 'deactivate') and live.change(node, 'cleanup')
        live.until(lambda: camera.get_subscription_count() == 0, 'the end of the subscription')
    alone, together = ([r.class_id for r in message.results] for message in found)
    assert alone == list(blendshapes.NAMES)
    assert together == [*blendshapes.NAMES, *read_encoding(mine).names, *VISIBLE_NAMES]
    assert together[-1 - len(VISIBLE_NAMES)].startswith('appearance.mine.')


def test_a_landscape_gives_no_face_and_says_so(live, landmarker_path, media):
    landscape = cv2.resize(cv2.imread(str(media('free-mountain-vector-01.jpg'))), (640, 480))
    node, found = run_node(live, landmarker_path)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    send(live, node, live.camera(), image_message(landscape, START_NS))
    live.until(lambda: tracked, 'tracked')
    assert tracked[0].ids == []
    assert found == []


def test_each_of_several_people_has_an_id_that_stays(live, landmarker_path, detector_path, media):
    group = cv2.imread(str(media('multi_face.jpg')))
    # However long a busy machine takes from one image to the next, nobody is gone.
    node, found = run_node(
        live, landmarker_path, detector=str(detector_path), max_faces=5, max_absence_s=60.0
    )
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    for i in range(3):
        send(live, node, camera, image_message(group, START_NS + i * FRAME_NS), 5 * (i + 1))
    live.until(lambda: len(tracked) == 3, 'tracked')
    ids = [sorted(message.ids) for message in tracked]
    assert len(set(ids[0])) == 5
    assert ids[1] == ids[2] == ids[0]
    names = [
        *blendshapes.NAMES,
        *read_encoding(find_encoding(DEFAULT_ENCODING)).names,
        *VISIBLE_NAMES,
    ]
    assert all([result.class_id for result in message.results] == names for message in found)


def faces_far_away(live, landmarker_path, face, **parameters):
    """Show a face some 30 pixels wide; tells how many are found."""
    far = np.zeros((480, 640, 3), np.uint8)
    far[200:290, 300:390] = cv2.resize(face, (90, 90), interpolation=cv2.INTER_AREA)
    node, _ = run_node(live, landmarker_path, **parameters)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    send(live, node, live.camera(), image_message(far, START_NS))
    live.until(lambda: tracked, 'tracked')
    return len(tracked[0].ids)


def test_without_the_detector_a_far_face_is_not_found(live, landmarker_path, face):
    assert faces_far_away(live, landmarker_path, face, detection_rate_hz=0.0) == 0


def test_the_detector_finds_a_far_face(live, landmarker_path, detector_path, face):
    assert faces_far_away(live, landmarker_path, face, detector=str(detector_path)) == 1


def test_a_detector_that_is_none_is_reported(live, landmarker_path, tmp_path, capfd):
    path = tmp_path / 'mine.onnx'
    path.write_bytes(b'not a network')
    node = live.add(
        BlendshapeNode,
        landmarker=str(landmarker_path),
        autostart=False,
        allow_remote_paths=True,
    )
    (result,) = node.set_parameters([Parameter('detector', value=str(path))])
    assert result.successful
    assert not live.change(node, 'configure')
    assert 'OpenCV cannot use' in capfd.readouterr().err


def test_a_face_that_leaves_and_returns(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path, max_absence_s=0.5)
    camera = live.camera()
    nothing = np.zeros_like(face)
    send(live, node, camera, image_message(face, START_NS), 1)
    for i in range(1, 4):
        send(live, node, camera, image_message(nothing, START_NS + i * 10 * FRAME_NS))
    assert len(found) == 1
    stamp_ns = START_NS + 40 * FRAME_NS
    for i in range(10):
        camera.publish(image_message(face, stamp_ns + i * FRAME_NS))
        live.spin(0.05)
    live.until(lambda: len(found) > 1, 'the face that returned')
    assert found[1].header.frame_id != found[0].header.frame_id


def test_a_4k_image_is_looked_at(live, landmarker_path, face):
    large = cv2.copyMakeBorder(cv2.resize(face, (2160, 2160)), 0, 0, 840, 840, cv2.BORDER_CONSTANT)
    node, found = run_node(live, landmarker_path)
    assert large.shape == (2160, 3840, 3)
    camera = live.camera()
    send(live, node, camera, image_message(large, START_NS), 1)
    assert len(found) == 1


@pytest.mark.parametrize(
    'step_ns, counted, new_face',
    [
        (0, 'came twice', None),
        (-NS_PER_S, 'went back', True),
        (3600 * NS_PER_S, 'jumped ahead', True),
    ],
)
def test_stamps_that_repeat_go_back_or_jump(
    live, landmarker_path, face, step_ns, counted, new_face
):
    node, found = run_node(live, landmarker_path)
    camera = live.camera()
    send(live, node, camera, image_message(face, START_NS), 1)
    send(live, node, camera, image_message(face, START_NS + step_ns))
    report = node.statistics.report()
    assert report.refused == 1
    assert counted in report.last_error
    if new_face is None:
        send(live, node, camera, image_message(face, START_NS + FRAME_NS), 2)
        assert found[1].header.frame_id == found[0].header.frame_id
    else:
        live.until(lambda: len(found) == 2, 'the face on its new time line')
        assert nanoseconds(found[1].header.stamp) == START_NS + step_ns
        assert found[1].header.frame_id != found[0].header.frame_id


def test_compressed_images_arrive_on_their_own_topic(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path, image_transport='compressed')
    camera = live.publisher(CompressedImage, '/image/compressed', qos_profile_sensor_data)
    live.until(lambda: camera.get_subscription_count() == 1, 'the subscription')
    jpeg = cv2.imencode('.jpg', face)[1].tobytes()
    for i, data in enumerate([b'', jpeg[: len(jpeg) // 2], b'garbage' * 9]):
        header = Header(stamp=ROS.time(START_NS + i * FRAME_NS), frame_id='camera')
        send(live, node, camera, CompressedImage(header=header, format='jpeg', data=data))
        assert node.statistics.report().refused == i + 1
    header = Header(stamp=ROS.time(START_NS + NS_PER_S), frame_id='camera')
    send(live, node, camera, CompressedImage(header=header, format='jpeg', data=jpeg), 1)
    assert nanoseconds(found[0].header.stamp) == START_NS + NS_PER_S


def warnings_of(messages):
    statuses = [status for message in messages for status in message.status]
    return [status.message for status in statuses if status.level != b'\x00']


def test_every_transition_works_twice(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path, autostart=False)
    assert live.state(node) == 'unconfigured'
    for turn in range(2):
        assert live.change(node, 'configure')
        assert live.change(node, 'activate')
        send(live, node, live.camera(), image_message(face, START_NS + turn), turn + 1)
        live.tester.destroy_publisher(next(live.tester.publishers.__iter__()))
        assert live.change(node, 'deactivate')
        assert live.change(node, 'cleanup')
        assert live.state(node) == 'unconfigured'
    assert len(found) == 2


# Of more images than max_rate_hz asks for, some are passed over.


def looked_at(live, node, camera, face, stamps_ns):
    """Send images one by one; returns which of them were looked at."""
    taken = []
    for stamp_ns in stamps_ns:
        before = node.statistics.report()
        camera.publish(image_message(face, stamp_ns))

        def dealt_with(before=before):
            report = node.statistics.report()
            done = report.published + report.passed_over + report.refused
            return done > before.published + before.passed_over + before.refused

        live.until(dealt_with, 'the image')
        if node.statistics.report().published > before.published:
            taken.append(stamp_ns)
    return taken


def test_a_rate_cap_goes_by_stamps_changes_at_run_time_and_is_no_loss(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path, max_rate_hz=10.0)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    camera = live.camera()
    stamps_ns = [START_NS + i * FRAME_NS for i in range(45)]
    assert looked_at(live, node, camera, face, stamps_ns[:15]) == stamps_ns[:15:3]
    for rate_hz, period in ((0.0, 1), (15.0, 2)):
        node.set_parameters([Parameter('max_rate_hz', value=rate_hz)])
        part, stamps_ns = stamps_ns[15:30], stamps_ns[15:]
        assert looked_at(live, node, camera, face, part) == part[::period]
    report = node.statistics.report()
    assert (report.received, report.passed_over) == (45, 10 + 7)
    assert (report.skipped, report.lost, report.refused) == (0, 0, 0)
    messages.clear()

    def counted():
        statuses = [s for m in messages for s in m.status if s.name == 'blendshape_node']
        return [v.value for s in statuses for v in s.values if v.key == 'passed_over']

    live.until(counted, 'the diagnostics')
    assert counted()[0] == '17'
    assert warnings_of(messages) == []


def test_faces_stay_from_one_look_to_the_next_however_rare(live, landmarker_path, face):
    node, _ = run_node(live, landmarker_path, max_rate_hz=0.5, max_absence_s=0.1)
    tracked = live.listen(IdsList, '/humans/faces/tracked')
    camera = live.camera()
    looked_at(live, node, camera, face, [START_NS])
    # Longer than `max_absence_s`, before the camera's rate is known, and once it is.
    live.until(lambda: tracked, 'the list')
    live.spin(0.5)
    looked_at(live, node, camera, face, [START_NS + i * FRAME_NS for i in range(1, 12)])
    live.spin(0.5)
    assert len(tracked) == 1 and tracked[0].ids
    (problem,) = node.problems()
    assert problem.startswith('Images come 2 s apart, 0.5 a second: set max_absence_s')


def test_a_rate_cap_counts_for_each_face_of_another_detector(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path, max_rate_hz=10.0, ros4hri_input=True)
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(lambda: tracked.get_subscription_count() == 1, 'the list subscription')
    tracked.publish(IdsList(ids=['bob', 'eve']))
    cameras = {name: live.camera(f'/humans/faces/{name}/cropped') for name in ('bob', 'eve')}
    stamps_ns = [START_NS + i * FRAME_NS for i in range(9)]
    for stamp_ns in stamps_ns:
        for camera in cameras.values():
            looked_at(live, node, camera, face, [stamp_ns])
    live.until(lambda: len(found) == 6, 'the faces')
    for name in cameras:
        heard = [m for m in found if m.header.frame_id == f'face_{name}']
        assert [nanoseconds(m.header.stamp) for m in heard] == stamps_ns[::3]
    assert node.statistics.report().passed_over == 12


def test_pictures_of_another_detector_that_repeat_or_go_back_are_counted(
    live, landmarker_path, face
):
    node, found = run_node(live, landmarker_path, ros4hri_input=True)
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(lambda: tracked.get_subscription_count() == 1, 'the list subscription')
    tracked.publish(IdsList(ids=['bob']))
    camera = live.camera('/humans/faces/bob/cropped')
    # The face is unseen for three seconds, which is no fault.
    right_ns = [START_NS + i * FRAME_NS for i in range(8)] + [START_NS + 3 * NS_PER_S]
    repeated_ns, late_ns, back_ns = right_ns[-1], right_ns[-1] - FRAME_NS, START_NS - NS_PER_S
    for stamp_ns in (*right_ns, repeated_ns, late_ns, back_ns):
        looked_at(live, node, camera, face, [stamp_ns])
    live.until(lambda: len(found) == 10, 'the faces')
    assert [nanoseconds(message.header.stamp) for message in found] == [*right_ns, back_ns]
    report = node.statistics.report()
    assert report.refused == 3
    assert 'face bob: header.stamp' in report.last_error and 'went back' in report.last_error


def test_another_detector_s_face_stays_between_pictures_that_are_looked_at_rarely(
    live, landmarker_path, face
):
    node, found = run_node(live, landmarker_path, ros4hri_input=True, max_rate_hz=0.4)
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(lambda: tracked.get_subscription_count() == 1, 'the list subscription')
    tracked.publish(IdsList(ids=['bob']))
    camera = live.camera('/humans/faces/bob/cropped')
    for i in range(8):
        camera.publish(image_message(face, START_NS + i * FRAME_NS))
        live.until(lambda n=i + 1: node.statistics.report().received == n, 'the picture')
    live.until(lambda: found, 'the first picture')
    live.spin(2.4)
    assert node.facts()['faces'] == live.tester.count_publishers('/humans/faces/bob/facs') == 1


def test_a_face_that_is_lost_while_it_is_looked_at_gets_no_topics(live, landmarker_path, face):
    node, found = run_node(live, landmarker_path, ros4hri_input=True)
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(lambda: tracked.get_subscription_count() == 1, 'the list subscription')
    tracked.publish(IdsList(ids=['bob', 'eve']))
    bob, eve = (live.camera(f'/humans/faces/{name}/cropped') for name in ('bob', 'eve'))
    source, look = node._source, node._source.look
    source.look = lambda name, crop: (look(name, crop), source._end({name} & {'bob'}))[0]
    bob.publish(image_message(face, START_NS))
    live.until(lambda: 'bob' not in source._crops, 'the end of bob')
    eve.publish(image_message(face, START_NS))
    live.until(lambda: 'face_eve' in {m.header.frame_id for m in found}, 'the other face')
    topics = (f'/humans/faces/{name}/facs' for name in ('bob', 'eve'))
    assert list(map(live.tester.count_publishers, topics)) == [0, 1]
