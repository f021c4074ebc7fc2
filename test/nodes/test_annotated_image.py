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

"""The annotated image of real nodes: only while someone watches, with what `emotion` said."""

import cv2
import numpy as np
import pytest
from helpers.faces import SMILING
from helpers.live_nodes import START_NS, image_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.colours import COLOURS, colour_of, hexadecimal, ink_on, shades
from emotion_estimator.drawing import AXIS_M, GAZE_M, JPEG_PX, Person, annotate, jpeg_of
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import PinholeCamera
from emotion_estimator.faces.image_decoding import ImageDecoder
from emotion_estimator.faces.landmarker import box_of
from emotion_estimator.faces.pose import HeadPose
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S

FRAME_NS = NS_PER_S // 30
SAD = [ObjectHypothesis(class_id='sad', score=0.9)]


@pytest.fixture
def face(media):
    return cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))


def pixels_of(message, colour):
    picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
    return int((picture == colour).all(axis=2).sum())


class Camera:
    """Sends images one by one, each when the one before was dealt with."""

    def __init__(self, live, landmarker_path, step_ns=FRAME_NS, **parameters):
        self.live, self.step_ns = live, step_ns
        self.node = live.add(
            BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1, **parameters
        )
        self.publisher = live.camera()
        self.count = 0

    def see(self, bgr):
        self.count += 1
        self.publisher.publish(image_message(bgr, START_NS + self.count * self.step_ns))
        report = self.node.statistics.report
        self.live.until(lambda: report().published == self.count, 'the image')


def test_it_has_the_image_s_header_and_size_and_shows_the_expression(live, landmarker_path, face):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    live.add(EmotionNode)
    annotated = live.listen(Image, '/annotated_image')

    def coloured():
        camera.see(face)
        return any(pixels_of(message, COLOURS['happy']) > 500 for message in annotated)

    live.until(coloured, 'a picture that says happy')
    stamps = [nanoseconds(message.header.stamp) for message in annotated]
    assert stamps == sorted(set(stamps))
    assert set(stamps) <= {START_NS + i * FRAME_NS for i in range(1, camera.count + 1)}
    last = annotated[-1]
    assert last.header.frame_id == 'camera'
    assert (last.width, last.height, last.encoding, last.step) == (480, 480, 'rgb8', 1440)
    # Where nothing is drawn the image is as it was.
    corner = np.frombuffer(last.data, np.uint8).reshape(480, 480, 3)[400:, :60]
    np.testing.assert_array_equal(corner, face[400:, :60, ::-1])


def test_compressed_it_is_the_same_picture_as_image_transport_would_send_it(
    live, landmarker_path, face
):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    compressed = live.listen(CompressedImage, '/annotated_image/compressed')

    def look(received):
        camera.see(face)
        return received

    live.until(lambda: look(compressed), 'the compressed picture')
    # Who wants it alone costs no raw picture; who wants both gets one drawing.
    raw = live.listen(Image, '/annotated_image')
    live.until(lambda: look(raw), 'the raw picture')
    raw_of = {nanoseconds(message.header.stamp): message for message in raw}

    def pair():
        look(compressed)
        both = [m for m in compressed if nanoseconds(m.header.stamp) in raw_of]
        raw_of.update({nanoseconds(message.header.stamp): message for message in raw})
        return both

    live.until(pair, 'both of one image')
    message = pair()[0]
    same = raw_of[nanoseconds(message.header.stamp)]
    assert message.format == 'rgb8; jpeg compressed bgr8'
    assert message.header == same.header
    assert bytes(message.data[:2]) == b'\xff\xd8' and len(message.data) < len(same.data) / 5
    decoded = ImageDecoder().decode(message).astype(int)
    expected = np.frombuffer(same.data, np.uint8).reshape(same.height, same.width, 3)
    # JPEG halves the colours' resolution; the lines of the mesh are thin.
    assert np.abs(decoded - expected).mean() < 4
    assert np.abs(decoded.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))).max() < 1


def test_unwatched_nothing_is_drawn_and_emotions_are_not_listened_to(live, landmarker_path, face):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    camera.see(face)
    live.spin(0.5)
    assert camera.node.count_subscribers('/emotion') == 0
    for kind, topic in (
        (Image, '/annotated_image'),
        (CompressedImage, '/annotated_image/compressed'),
    ):
        watcher = live.tester.create_subscription(kind, topic, lambda message: None, 10)
        live.until(lambda: camera.node.count_subscribers('/emotion') == 1, 'the subscription')
        live.tester.destroy_subscription(watcher)
        live.until(lambda: camera.node.count_subscribers('/emotion') == 0, 'the end of it')


def test_an_expression_of_long_ago_is_not_drawn_and_a_user_s_own_has_its_colour(
    live, landmarker_path, face
):
    camera = Camera(live, landmarker_path, detection_rate_hz=0.0)
    annotated = live.listen(Image, '/annotated_image')
    shapes = live.listen(Classification, '/blendshapes')
    emotion = live.publisher(Classification, '/emotion')
    live.until(lambda: emotion.get_subscription_count() == 1, 'the subscription')
    camera.see(face)
    live.until(lambda: shapes, 'the face')

    def say(age_ns, *labels):
        stamp = ROS.time(START_NS + camera.count * FRAME_NS - age_ns)
        header = Header(stamp=stamp, frame_id=shapes[0].header.frame_id)
        results = [ObjectHypothesis(class_id=label, score=0.9) for label in labels]
        emotion.publish(Classification(header=header, results=results))

    def drawn(colour):
        annotated.clear()
        camera.see(face)
        live.until(lambda: annotated, 'the picture')
        return pixels_of(annotated[-1], colour)

    say(0, 'sad')
    live.until(lambda: drawn(COLOURS['sad']) > 500, 'a picture with the expression')
    say(2 * NS_PER_S, 'sad')
    live.until(lambda: drawn(COLOURS['sad']) == 0, 'a picture without it')
    # A user's own class, numbered among all of the model.
    say(0, 'contempt', 'sad', 'boredom')
    of_class = shades(['sad', 'boredom', 'contempt'])['contempt'].light
    assert of_class != hexadecimal(colour_of('contempt'))
    own = tuple(bytes.fromhex(of_class[1:]))
    live.until(lambda: drawn(own) > 500, 'a picture in the colour of the class')


def test_of_images_more_than_a_second_apart_the_expression_of_the_one_before_is_drawn(
    live, landmarker_path, face
):
    step_ns = 3 * NS_PER_S // 2
    camera = Camera(live, landmarker_path, step_ns, detection_rate_hz=0.0)
    annotated = live.listen(Image, '/annotated_image')
    shapes = live.listen(Classification, '/blendshapes')
    emotion = live.publisher(Classification, '/emotion')
    live.until(lambda: emotion.get_subscription_count() == 1, 'the subscription')

    def drawn():
        annotated.clear()
        shapes.clear()
        camera.see(face)
        live.until(lambda: annotated and shapes, 'the picture')
        return pixels_of(annotated[-1], COLOURS['sad'])

    def drawn_before_it_is_said():
        pixels = drawn()
        emotion.publish(Classification(header=shapes[0].header, results=SAD))
        return pixels

    live.until(lambda: drawn_before_it_is_said() > 500, 'a picture with the expression')
    live.until(lambda: drawn() == 0, 'a picture without it')


def test_who_watches_again_is_shown_the_rate_of_now_and_no_expression_of_before(
    live, landmarker_path, face
):
    step_ns = 3 * NS_PER_S // 2
    camera = Camera(live, landmarker_path, step_ns, detection_rate_hz=0.0)
    emotion = live.publisher(Classification, '/emotion')
    shapes = live.listen(Classification, '/blendshapes')
    annotated, nobody = [], np.zeros_like(face)

    def watch():
        watcher = live.tester.create_subscription(Image, '/annotated_image', annotated.append, 10)
        live.until(lambda: emotion.get_subscription_count() == 1, 'the subscription')
        return watcher

    def picture_of(bgr):
        annotated.clear()
        camera.see(bgr)
        live.until(lambda: annotated, 'the picture')
        return np.frombuffer(annotated[-1].data, np.uint8).reshape(bgr.shape)

    watcher = watch()
    for _ in range(4):
        picture_of(nobody)
    live.tester.destroy_subscription(watcher)
    live.until(lambda: emotion.get_subscription_count() == 0, 'the end of it')
    for _ in range(10):
        camera.see(nobody)
    watch()
    pinhole = PinholeCamera(400, 400, 240, 240, 480, 480)
    expected = annotate(nobody, pinhole, (), NS_PER_S / step_ns)
    np.testing.assert_array_equal(picture_of(nobody), expected)

    def drawn_before_it_is_said():
        picture_of(face)
        for message in shapes[-1:]:
            emotion.publish(Classification(header=message.header, results=SAD))
        return pixels_of(annotated[-1], COLOURS['sad'])

    live.until(lambda: drawn_before_it_is_said() > 500, 'a picture with the expression')
    for _ in range(4):
        picture_of(face)
    # It is drawn in the pictures of two images, no more, however long nobody watched.
    assert pixels_of(annotated[-1], COLOURS['sad']) == 0


# What is drawn onto an image.


TEMPLATE = read_encoding(find_encoding(DEFAULT_ENCODING)).template
GREY = 128
# Forward, left and up of a head that faces the camera, as columns.
FACING = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], np.float64)
GAZE_COLOUR = (255, 0, 255)


def person(x=0.5, y=0.5, size=0.1, pose=None, gaze=(0, 0, -1), **reported):
    landmarks = (TEMPLATE * [size, size * 4 / 3, size] + [x, y, 0]).astype(np.float32)
    pose = pose or HeadPose(np.array([0.0, 0.0, 1.0]), FACING)
    return Person('abcde', box_of(landmarks), landmarks, pose, np.array(gaze, float), **reported)


def drawn(*people, width=640, height=480, rate_hz=29.7):
    image = np.full((height, width, 3), GREY, np.uint8)
    camera = PinholeCamera(500, 500, width / 2, height / 2, width, height)
    picture = annotate(image, camera, people, rate_hz)
    assert (image == GREY).all()
    assert picture.shape == image.shape
    return picture


def where(picture, colour):
    """Rows and columns of the pixels of a colour."""
    return np.argwhere((np.abs(picture.astype(int) - colour) < 12).all(axis=2))


def test_the_box_the_panel_and_the_bar_have_the_expression_s_colour():
    shown = person(label='happy', confidence=0.5)
    pixels = where(drawn(shown), COLOURS['happy'])
    edges = np.round(np.array([shown.box.y_max * 480, shown.box.x_max * 640]))
    assert np.abs(pixels.max(axis=0) - edges).max() <= 2
    # The panel stands on the box.
    assert 20 < shown.box.y_min * 480 - pixels[:, 0].min() < 70


@pytest.mark.parametrize('confidence', [0.25, 0.75, 1.0])
def test_the_bar_is_as_long_as_the_confidence(confidence):
    full = drawn(person(label='sad', confidence=confidence))
    none = drawn(person(label='sad', confidence=0.0))
    bar = (full == COLOURS['sad']).all(axis=2) & ~(none == COLOURS['sad']).all(axis=2)
    # The digits in the panel differ too; the bar's rows are the lowest.
    row = np.argwhere(bar)[:, 0].max()
    panel = (none == COLOURS['sad']).all(axis=2)[:row].any(axis=0)
    left, right = np.flatnonzero(panel)[[0, -1]]
    columns = np.flatnonzero(bar[row])
    width = columns[-1] - columns[0] + 1
    longest = drawn(person(label='sad', confidence=1.0))
    all_of = (longest == COLOURS['sad']).all(axis=2)[row]
    assert width / all_of.sum() == pytest.approx(confidence, abs=0.05)
    assert left <= columns[0] and columns[-1] <= right + 8


def test_axes_and_gaze_point_where_the_head_and_the_eyes_do():
    gaze = np.array([0.48, 0.36, -0.8])
    picture = drawn(person(gaze=gaze))
    tip = np.array([0, 0, 1.0]) + GAZE_M * gaze
    arrow = where(picture, GAZE_COLOUR)
    assert arrow[:, 1].max() == pytest.approx(320 + 500 * tip[0] / tip[2], abs=3)
    assert arrow[:, 0].max() == pytest.approx(240 + 500 * tip[1] / tip[2], abs=3)
    green, blue = where(picture, (40, 200, 40)), where(picture, (60, 90, 255))
    assert green[:, 1].max() == pytest.approx(320 + 500 * AXIS_M, abs=3)
    assert blue[:, 0].min() == pytest.approx(240 - 500 * AXIS_M, abs=3)


def test_the_mesh_is_light_and_stays_on_the_face():
    shown = person()
    picture = drawn(shown).astype(int)
    # Below the line of text and the panel.
    picture[: round(shown.box.y_min * 480)] = GREY
    mesh = np.argwhere((picture.min(axis=2) > GREY + 5) & (picture.max(axis=2) < 190))
    (top, left), (bottom, right) = mesh.min(axis=0), mesh.max(axis=0)
    points = shown.landmarks[:, :2] * [640, 480]
    assert len(mesh) > 1000
    assert left >= points[:, 0].min() - 2 and right <= points[:, 0].max() + 2
    assert bottom <= points[:, 1].max() + 2 and top >= points[:, 1].min() - 2


@pytest.mark.parametrize('y', [0.06, 0.3, 0.94])
@pytest.mark.parametrize('width', [320, 640])
def test_names_of_people_side_by_side_hide_no_other_one(width, y):
    labels = ('happy', 'surprised', 'scared', 'sad', 'neutral')
    people = [
        person(0.3 + 0.08 * i, y, 0.05, label=label, confidence=0.5)
        for i, label in enumerate(labels)
    ]
    together = drawn(*people, width=width)
    for one in people:
        alone = len(where(drawn(one, width=width), COLOURS[one.label]))
        # Only edges of boxes may be hidden, and parts of none of the names.
        assert len(where(together, COLOURS[one.label])) > 0.8 * alone


@pytest.mark.parametrize('x, y', [(0.0, 0.0), (1.0, 1.0), (0.5, 0.02), (-0.2, 0.5), (3.0, 3.0)])
@pytest.mark.parametrize('size', [(640, 480), (160, 120), (1920, 1080)])
def test_a_face_at_or_over_the_edge_is_drawn_as_far_as_it_goes(x, y, size):
    picture = drawn(person(x, y, label='angry', confidence=2.0), width=size[0], height=size[1])
    assert len(where(picture, COLOURS['angry'])) > 50


def test_a_head_behind_the_camera_has_no_axes():
    behind = HeadPose(np.array([0.0, 0.0, -1.0]), FACING)
    assert len(where(drawn(person(pose=behind)), (40, 200, 40))) == 0


def test_without_faces_only_the_rate_is_written():
    picture = drawn()
    changed = np.argwhere((picture != GREY).any(axis=2))
    assert changed.max(axis=0)[0] < 40 and changed.max(axis=0)[1] < 200
    assert (drawn(rate_hz=12.3) != picture).any()


def test_text_is_dark_on_light_and_light_on_dark():
    assert ink_on(COLOURS['happy']) == (0, 0, 0)
    assert ink_on(COLOURS['sad']) == (255, 255, 255)


@pytest.mark.parametrize(
    ('size', 'most_width', 'packed'),
    [
        ((2, 65_500), 640, (2, 65_500)),
        ((2, 65_501), 640, (2, 65_500)),
        ((640, 131_000), 640, (320, 65_500)),
        ((1280, 960), 640, (640, 480)),
        ((65_501, 1), JPEG_PX, (65_500, 1)),
        ((131_000, 4), 10**9, (65_500, 2)),
    ],
)
def test_a_picture_that_no_jpeg_holds_is_packed_smaller(size, most_width, packed):
    width, height = size
    jpeg = jpeg_of(np.full((height, width, 3), 90, np.uint8), 75, most_width)
    read = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert (read.shape[1], read.shape[0]) == packed
    assert abs(int(read[0, 0, 0]) - 90) < 3
