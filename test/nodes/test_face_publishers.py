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

"""REP-155 topics of real nodes: what they say, when they come and go, and taken as input."""

import math
from collections import Counter

import cv2
import numpy as np
import pytest
from helpers.faces import PEOPLE, SERIOUS, SMILING
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import FacialActionUnits, FacialLandmarks, IdsList, NormalizedRegionOfInterest2D
from rclpy.qos import qos_profile_sensor_data
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification

from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.multi_face import face_picture
from emotion_estimator.files import DEFAULT_ENCODING
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.stamps import NS_PER_S

FRAME_NS = NS_PER_S // 30
FACE_ID = 'eszyc'
"""The first id that face_id_seed 1 gives."""
OF_FACE = {
    'roi': NormalizedRegionOfInterest2D,
    'facs': FacialActionUnits,
    'landmarks': FacialLandmarks,
    'cropped': Image,
    'aligned': Image,
}


@pytest.fixture
def face(media):
    """Show a smiling face of 480 x 480 pixels in the right half of an image."""
    image = np.zeros((480, 960, 3), np.uint8)
    image[:, 480:] = cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))
    return image


class Watched:
    """A node with a camera; remembers how many images it was sent."""

    def __init__(self, live, landmarker_path, **parameters):
        self.live = live
        self.node = live.add(
            BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1, **parameters
        )
        self.camera = live.camera()
        self.sent = self.published = 0

    def see(self, image, way_ns=FRAME_NS):
        """Send the next image and wait until it was dealt with."""
        self.sent += way_ns
        self.camera.publish(image_message(image, START_NS + self.sent))
        self.published += 1
        self.live.until(
            lambda: self.node.statistics.report().published == self.published, 'the image'
        )

    def topics(self):
        """Names of the topics below /humans/faces that the node publishes."""
        found = self.live.tester.get_publisher_names_and_types_by_node('blendshape_node', '/')
        return {name for name, _ in found if name.startswith('/humans/faces/')}


def all_of(live, face_id=FACE_ID):
    return {
        name: live.listen(kind, f'/humans/faces/{face_id}/{name}')
        for name, kind in OF_FACE.items()
    }


def test_a_face_s_topics_say_where_it_is_and_what_it_does(live, landmarker_path, face):
    watched = Watched(live, landmarker_path)
    heard = all_of(live)
    frames = live.listen(TFMessage, '/tf')
    watched.see(face)
    live.until(
        lambda: all(
            watched.node.count_publishers(f'/humans/faces/{FACE_ID}/{n}') for n in OF_FACE
        ),
        'the publishers',
    )

    def all_heard():
        watched.see(face)
        return all(heard.values()) and frames

    live.until(all_heard, 'every topic')
    roi, facs, landmarks, cropped, aligned = (heard[name][-1] for name in OF_FACE)
    assert {m.header.frame_id for m in (roi, landmarks, cropped, aligned)} == {'camera'}
    assert facs.header.frame_id == f'face_{FACE_ID}'
    stamps = {START_NS + i * FRAME_NS for i in range(1, watched.published + 1)}
    assert {nanoseconds(heard[name][-1].header.stamp) for name in OF_FACE} <= stamps
    assert 0.6 < roi.xmin < 0.7 and 0.8 < roi.xmax < 0.9 and 0.3 < roi.ymin < roi.ymax < 0.9
    assert facs.intensity[12] > 0.5 and facs.confidence[12] == 1
    assert abs(facs.intensity[51] - facs.intensity[52]) < 0.4 and facs.confidence[51] == 1
    assert facs.confidence[6] == 0 and facs.intensity[15] < 0.2
    assert (landmarks.width, landmarks.height) == (960, 480)
    nose, right_eye, left_eye = (landmarks.landmarks[i] for i in (30, 68, 69))
    assert roi.xmin < right_eye.x < nose.x < left_eye.x < roi.xmax
    assert nose.y > right_eye.y
    for picture in (cropped, aligned):
        assert (picture.width, picture.height, picture.encoding) == (128, 128, 'bgr8')
    pixels = np.frombuffer(cropped.data, np.uint8).reshape(128, 128, 3)
    # The nose is in the middle, and the colours are not swapped.
    middle = face[round(nose.y * 480), round(nose.x * 960)].astype(int)
    assert np.abs(pixels[59:80, 59:69].astype(int) - middle).max(axis=2).min() < 12
    head, gaze = frames[-1].transforms
    assert (head.child_frame_id, gaze.child_frame_id) == (f'face_{FACE_ID}', f'gaze_{FACE_ID}')
    assert (head.header.frame_id, gaze.header.frame_id) == ('camera', f'face_{FACE_ID}')
    place = head.transform.translation
    assert place.x > 0.05 and 0.3 < place.z < 1.5
    # 60 degrees of view: the sellion lies where its landmark is.
    focal = 480 / math.tan(math.radians(30))
    sellion = landmarks.landmarks[27]
    assert place.x / place.z == pytest.approx((sellion.x * 960 - 480) / focal, abs=0.01)


def test_of_a_camera_upside_down_all_but_the_face_s_own_picture_is_as_the_image_came(
    live, landmarker_path, face
):
    watched = Watched(live, landmarker_path, rotate=180)
    heard, frames = all_of(live), live.listen(TFMessage, '/tf')

    def all_heard():
        watched.see(cv2.rotate(face, cv2.ROTATE_180))
        return all(heard.values()) and frames

    live.until(all_heard, 'every topic')
    roi, _, landmarks, cropped, aligned = (heard[name][-1] for name in OF_FACE)
    assert 0.1 < roi.xmin < roi.xmax < 0.4 and 0.1 < roi.ymin < roi.ymax < 0.7
    nose, right_eye, left_eye = (landmarks.landmarks[i] for i in (30, 68, 69))
    assert roi.xmin < left_eye.x < nose.x < right_eye.x < roi.xmax
    assert nose.y < right_eye.y
    rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB)
    expected = face_picture(rgb, Box(1 - roi.xmax, 1 - roi.ymax, 1 - roi.xmin, 1 - roi.ymin))
    expected = cv2.resize(expected, (cropped.width, cropped.height))
    for message in (cropped, aligned):
        picture = ImageDecoder().decode(message).astype(int)
        upside_down = np.abs(picture[::-1, ::-1] - expected).mean()
        # It may be that of the image before; this face's eyes are level in its image.
        assert np.abs(picture - expected).mean() < 0.4 * upside_down
    head = frames[-1].transforms[0].transform
    assert head.translation.x < -0.05 and head.translation.z > 0.3
    turn = head.rotation
    up = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).apply([0, 0, 1])
    assert up[1] > 0.9  # down in the image


def test_a_lost_face_s_topics_go_once_and_a_short_absence_is_none(live, landmarker_path, face):
    # Long, so that a busy machine, which stops between two images, is no absence.
    watched = Watched(live, landmarker_path, max_absence_s=4.5, detection_rate_hz=0.0)
    destroyed = Counter()
    destroy = watched.node.destroy_publisher

    def counted(publisher):
        destroyed[publisher.topic_name.rpartition('/')[2]] += 1
        return destroy(publisher)

    watched.node.destroy_publisher = counted
    tracked = live.listen(IdsList, '/humans/faces/tracked', 100)
    watched.see(face)
    mine = {f'/humans/faces/{FACE_ID}/{name}' for name in OF_FACE}
    live.until(lambda: watched.topics() == mine | {'/humans/faces/tracked'}, 'the topics')
    nothing = np.zeros_like(face)
    for _ in range(31):
        watched.see(nothing, 150_000_000)
    live.until(lambda: watched.topics() == {'/humans/faces/tracked'}, 'the end of the topics')
    assert destroyed == dict.fromkeys(OF_FACE, 1)
    live.until(lambda: len(tracked) == 32, 'the lists')
    present = [len(message.ids) for message in tracked]
    # The image with the face, and 0.3 s more.
    assert present == [1] * 3 + [0] * 29


def test_an_image_without_a_frame_places_no_head(live, landmarker_path, face):
    watched = Watched(live, landmarker_path, detection_rate_hz=0.0)
    frames = live.listen(TFMessage, '/tf', 100)
    while not frames:
        watched.see(face)
    placed = len(frames)
    nameless = Header(stamp=ROS.time(START_NS + NS_PER_S))
    watched.camera.publish(image_message(face, START_NS + NS_PER_S, header=nameless))
    report = watched.node.statistics.report
    live.until(lambda: report().published == watched.published + 1, 'the image')
    watched.sent, watched.published = NS_PER_S, watched.published + 1
    watched.see(face)
    live.until(lambda: len(frames) > placed, 'the next frame')
    stamps = [nanoseconds(message.transforms[0].header.stamp) for message in frames]
    assert START_NS + NS_PER_S not in stamps
    assert {message.transforms[0].header.frame_id for message in frames} == {'camera'}


def test_without_ros4hri_nothing_is_said_there(live, landmarker_path, face):
    watched = Watched(live, landmarker_path, ros4hri=False)
    watched.see(face)
    assert watched.topics() == set()
    assert watched.node.count_publishers('/tf') == 0


def matrix(focal, middle=480.0):
    return np.array([focal, 0, middle, 0, focal, 240, 0, 0, 1])


def info(**fields):
    right = {
        'header': Header(stamp=ROS.time(START_NS), frame_id='camera'),
        'width': 960,
        'height': 480,
        'k': matrix(400.0),
    }
    return CameraInfo(**{**right, **fields})


@pytest.mark.parametrize(
    'message, focal, refused',
    [
        (info(), 400, ''),
        (info(width=1920, height=960, k=np.array([800.0, 0, 960, 0, 800, 480, 0, 0, 1])), 400, ''),
        # The camera sends the lower half of its image.
        (info(height=960, roi=RegionOfInterest(y_offset=480, width=960, height=480)), 400, ''),
        (info(k=np.zeros(9)), None, 'height or roi is wrong'),
        (info(roi=RegionOfInterest(x_offset=640, width=640)), None, '640 x 480 pixels at (640,'),
        (info(k=matrix(1e-300)), None, 'must lie between 96 and 96000 pixels'),
        (info(k=matrix(1e308)), None, 'must lie between 96 and 96000 pixels'),
        (info(k=matrix(400.0, 5000.0)), None, 'must lie inside the image of 960 x 480 pixels'),
        (info(width=640), None, 'another shape'),
    ],
)
def test_camera_info_gives_the_distance_and_a_wrong_one_costs_one_warning(
    live, landmarker_path, face, message, focal, refused
):
    watched = Watched(live, landmarker_path)
    frames = live.listen(TFMessage, '/tf')
    publisher = live.publisher(CameraInfo, '/camera_info', qos_profile_sensor_data)
    live.until(lambda: publisher.get_subscription_count() == 1, 'the subscription')
    for _ in range(3):
        publisher.publish(message)
        live.spin(0.1)

    def framed():
        watched.see(face)
        return frames

    live.until(framed, 'a frame')
    place = frames[-1].transforms[0].transform.translation
    assumed = 480 / math.tan(math.radians(30))
    # The face is in the middle of the image's right half, 240 pixels beside the axis.
    assert place.x / place.z * (focal or assumed) == pytest.approx(240, abs=25)
    report = watched.node.statistics.report()
    assert report.refused == bool(refused)
    assert refused in report.last_error


class Crops:
    """Another detector: publishes ids and crops, as REP-155 has them."""

    def __init__(self, live):
        self.live = live
        self.tracked = live.publisher(IdsList, '/humans/faces/tracked')
        self.cropped = {}

    def list(self, *ids):
        """Say which faces there are."""
        header = Header(stamp=ROS.time(START_NS), frame_id='camera')
        self.tracked.publish(IdsList(header=header, ids=list(ids)))

    def follow(self, face_id):
        """Wait until the node has subscribed to a face's crops."""
        publisher = self.live.publisher(Image, f'/humans/faces/{face_id}/cropped')
        self.live.until(lambda: publisher.get_subscription_count() == 1, 'the crop subscription')
        self.cropped[face_id] = publisher

    def show(self, face_id, bgr, stamp_ns):
        """Publish a face's picture."""
        self.cropped[face_id].publish(image_message(bgr, stamp_ns))


def test_another_detector_s_faces_are_read_under_its_ids(live, landmarker_path, media):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    found = live.listen(Classification, '/blendshapes')
    facs = live.listen(FacialActionUnits, '/humans/faces/bob/facs')
    crops = Crops(live)
    live.until(lambda: crops.tracked.get_subscription_count() == 1, 'the list subscription')
    crops.list('bob', 'eve', 'not/one')
    pictures = {
        face_id: cv2.resize(cv2.imread(str(media(name))), (128, 128))
        for face_id, name in (('bob', PEOPLE[1]), ('eve', SERIOUS))
    }
    for face_id in pictures:
        crops.follow(face_id)
    assert 'not/one' in node.statistics.report().last_error
    for i in range(1, 4):
        for face_id, picture in pictures.items():
            crops.show(face_id, picture, START_NS + i * FRAME_NS)
        live.until(lambda i=i: len(found) == 2 * i, 'both faces')
    assert node.facts()['faces'] == 2
    smile = {'face_bob': [], 'face_eve': []}
    for message in found:
        values = {result.class_id: result.score for result in message.results}
        smile[message.header.frame_id].append(values['mouthSmileLeft'])
        assert 'head.yaw' in values and f'appearance.{DEFAULT_ENCODING}.00' in values
    assert min(smile['face_bob']) > 0.5 and max(smile['face_eve']) < 0.3
    stamps = sorted(nanoseconds(message.header.stamp) for message in found)
    assert stamps == sorted(2 * [START_NS + i * FRAME_NS for i in range(1, 4)])
    live.until(lambda: facs, 'the action units')
    assert facs[-1].intensity[12] > 0.5
    # What the other detector owns is left to it.
    published = live.tester.get_publisher_names_and_types_by_node('blendshape_node', '/')
    mine = {name for name, _ in published if name.startswith(('/humans', '/tf', '/annot'))}
    assert mine == {'/humans/faces/bob/facs', '/humans/faces/eve/facs'}
    crops.list('eve')
    live.until(lambda: crops.cropped['bob'].get_subscription_count() == 0, 'the end of bob')
    live.until(lambda: live.tester.count_publishers('/humans/faces/bob/facs') == 0, 'its topics')
    assert live.tester.count_publishers('/humans/faces/eve/facs') == 1
    assert node.facts()['faces'] == 1
    # Where the detector says no more, nobody is seen.
    live.until(lambda: live.tester.count_publishers('/humans/faces/eve/facs') == 0, 'its end')
    assert node.facts()['faces'] == 0


def test_a_wrong_crop_costs_one_counted_warning_and_an_empty_one_gives_no_face(
    live, landmarker_path
):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    found = live.listen(Classification, '/blendshapes')
    crops = Crops(live)
    live.until(lambda: crops.tracked.get_subscription_count() == 1, 'the list subscription')
    crops.list('bob')
    crops.follow('bob')
    black = np.zeros((64, 64, 3), np.uint8)
    crops.cropped['bob'].publish(image_message(black, START_NS, data=bytes(100)))
    live.until(lambda: node.statistics.report().refused == 1, 'the warning')
    assert '100 bytes' in node.statistics.report().last_error
    crops.show('bob', black, START_NS + FRAME_NS)
    live.until(lambda: node.statistics.report().published == 1, 'the picture')
    assert found == []


def test_a_listed_face_whose_picture_does_not_come_is_reported(live, landmarker_path):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    crops = Crops(live)
    live.until(lambda: crops.tracked.get_subscription_count() == 1, 'the list subscription')
    crops.list('bob')
    live.until(node.problems, 'the warning')
    (problem,) = node.problems()
    assert problem.startswith('Nothing arrived on /humans/faces/bob/cropped for 2 s: nobody')
    crops.follow('bob')
    crops.show('bob', np.zeros((64, 64, 3), np.uint8), START_NS)
    live.until(lambda: not node.problems(), 'the picture')


def test_two_of_these_nodes_work_as_detector_and_reader(live, landmarker_path, face):
    owner = Watched(live, landmarker_path)
    reader = live.add(
        BlendshapeNode,
        landmarker=str(landmarker_path),
        ros4hri_input=True,
        remap=['__node:=reader', 'blendshapes:=of_crops'],
    )
    of_image = live.listen(Classification, '/blendshapes', 100)
    of_crops = live.listen(Classification, '/of_crops', 100)

    def read():
        owner.see(face)
        return of_crops

    live.until(read, 'the blendshapes of a crop')
    same = next(m for m in of_image if m.header.stamp == of_crops[0].header.stamp)
    assert of_crops[0].header == same.header
    mine, theirs = (
        {result.class_id: result.score for result in message.results}
        for message in (of_crops[0], same)
    )
    assert mine['mouthSmileLeft'] == pytest.approx(theirs['mouthSmileLeft'], abs=0.25)
    assert mine['mouthSmileLeft'] > 0.5
    assert reader.statistics.report().refused == 0
