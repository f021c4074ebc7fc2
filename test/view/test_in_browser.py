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

"""The live view in a real browser, beside real nodes: what the page shows of a camera's images."""

import base64
import re

import cv2
import numpy as np
import pytest
from helpers.faces import NEUTRAL, frames
from helpers.live_nodes import (
    START_NS,
    STEP_NS,
    LiveNodes,
    Robot,
    View,
    assert_policy_allows,
    card,
    done_by,
    image_message,
    is_own,
    results,
    text,
)
from hri_msgs.msg import IdsList
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.messages import ROS
from emotion_estimator.parameters import read_parameters
from emotion_estimator.stamps import NS_PER_S

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


@pytest.fixture(scope='module')
def robot(landmarker_path, browser, tmp_path_factory):
    started = Robot(LiveNodes(), landmarker_path, tmp_path_factory.mktemp('recordings'))
    yield started
    started.close()


@pytest.fixture(scope='module')
def clip(media):
    """Give a clip's images, a tenth of a second apart, and what the estimator says of each."""
    pictures, rate_hz = frames(media(NEUTRAL))
    small = [cv2.resize(bgr, (480, 270)) for bgr in pictures[:: round(rate_hz / 10)]][:40]
    with ExpressionEstimator.of_parameters(read_parameters()) as estimator:
        answers = []
        for number, bgr in enumerate(small):
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            (face,) = estimator.estimate(rgb, (number + 1) * STEP_NS / NS_PER_S)
            answers.append((face.expression, face.confidence))
    return small, answers


@pytest.fixture
def page(browser, robot):
    opened = robot.view.open(browser, robot.live)
    robot.watched()
    yield opened
    assert opened.errors == []
    outside = [url for url in opened.requested if not is_own(url, robot.view.address)]
    assert outside == []
    opened.close()


def shows(page, answer):
    """Tell whether the page shows one person with this expression, as sure as it is."""
    label, confidence = answer
    shown = card(page)
    if [name for name, _ in shown] != [label]:
        return False
    percent = shown[0][1]
    return percent == '' if label == 'unknown' else abs(int(percent[:-2]) - 100 * confidence) <= 1


def picture(page):
    """Read what the page shows of the camera, with what is drawn into it, as BGR."""
    data = page.run('document.getElementById("view-canvas").toDataURL()').partition(',')[2]
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def has_picture(page, bgr):
    """Tell whether the page shows this image."""
    shown = picture(page)
    # It came as a JPEG.
    return shown.shape == bgr.shape and np.abs(shown.astype(int) - bgr).mean() < 4


def without_overlays(page):
    page.run('["box", "label", "mesh", "gaze", "axes"].map((name) => view.overlay(name, false))')


def test_the_page_shows_the_person_of_the_clip_and_the_expression_of_each_time(robot, page, clip):
    images, answers = clip
    labels = [label for label, _ in answers]
    first = next(i for i in range(1, len(labels)) if labels[i] != labels[0])
    times = {first - 1, first + 2, len(images) - 1}
    assert len({labels[number] for number in times}) > 1
    without_overlays(page)
    for number, bgr in enumerate(images):
        robot.show(bgr)
        if number in times:
            answer = answers[number]
            robot.live.until(
                lambda a=answer, b=bgr: shows(page, a) and has_picture(page, b),
                f'{answer} with image {number}',
            )


def test_the_mesh_is_drawn_into_its_picture_while_it_is_switched_on(robot, page, clip):
    images, _ = clip
    without_overlays(page)
    topic = '/humans/faces/{}/landmarks'.format
    robot.show(images[0])
    robot.live.until(lambda: card(page) and has_picture(page, images[0]), 'the person')
    face = page.run('document.querySelector(".view-card").dataset.id')
    count = robot.live.tester.count_subscribers
    assert count(topic(face)) == 0
    page.run('view.overlay("mesh", true)')
    robot.live.until(lambda: count(topic(face)) == 1, 'the view to listen')

    def drawn():
        robot.show(images[0])
        # Lines and points are white, and lighter than skin.
        return ((picture(page).astype(int) - images[0]).min(axis=2) > 40).sum() > 200

    robot.live.until(drawn, 'the mesh')
    page.run('view.overlay("mesh", false)')
    robot.live.until(lambda: count(topic(face)) == 0, 'the view to listen no more')
    robot.show(images[0])
    robot.live.until(lambda: has_picture(page, images[0]), 'the picture alone')


def moment(page):
    """Read what of the page changes with each image."""
    return card(page), page.run('document.getElementById("view-canvas").toDataURL()')


def test_pause_holds_what_is_shown_and_going_on_shows_what_is_new(robot, page, clip):
    images, _ = clip
    robot.show(images[0])
    robot.live.until(lambda: card(page), 'the person')
    page.press('#view-pause')
    robot.live.until(lambda: page.run('document.body.classList.contains("view-paused")'), 'pause')
    held = moment(page)
    for bgr in images[-5:]:
        robot.show(bgr)
    robot.live.spin(0.5)
    assert moment(page) == held
    page.press('#view-pause')
    robot.live.until(lambda: moment(page)[1] != held[1], 'the newest picture')


def test_a_page_that_is_connected_again_looks_back_on_what_it_had(robot, page, clip):
    images, _ = clip
    keep = 'class extends WebSocket { constructor(...x) { super(...x); all.push(this); } }'
    page.ask(
        'Page.addScriptToEvaluateOnNewDocument',
        source=f'window.all = []; window.WebSocket = {keep}',
    )
    page.reload()
    robot.live.until(lambda: page.run('!!(window.all && window.view)'), 'the page', timeout_s=60)
    robot.watched()
    robot.show(images[0])
    robot.live.until(lambda: card(page), 'the person')
    without_overlays(page)
    page.press('#view-pause')
    robot.live.until(lambda: has_picture(page, images[0]), 'the picture')
    page.run('all.filter((each) => each.url.endsWith("/moments")).forEach((each) => each.close())')
    status = 'document.getElementById("view-status").dataset.level'
    robot.live.until(lambda: page.run(status) == 'error', 'the break')
    robot.live.until(lambda: page.run(status) != 'error', 'the connection')
    page.run('view.overlay("picture", true)')
    robot.live.spin(0.5)
    assert has_picture(page, images[0])


def test_a_page_that_is_loaded_again_and_a_second_one_show_the_same_person(
    robot, page, browser, clip
):
    images, _ = clip
    robot.show(images[-1])
    robot.live.until(lambda: card(page), 'the person')
    page.run('window.before = true')
    page.reload()
    robot.live.until(
        lambda: page.run('!window.before && !!window.view'), 'the page again', timeout_s=60
    )
    second = browser.open(robot.view.address, 800, 1280)

    def both():
        robot.show(images[-1])
        robot.live.spin(0.1)
        return second.run('!!window.view') and card(second) and card(second) == card(page)

    robot.live.until(both, 'the same person on both', timeout_s=60)
    # The last minute is there at once.
    past = 'document.getElementById("view-timeline").querySelectorAll("*").length'
    assert second.run(past) > 0
    assert second.errors == []
    second.close()


def test_of_a_slow_camera_each_person_is_shown_with_their_image(robot, page, clip):
    """As Pepper over a radio network: the answer comes long after the one before."""
    images, _ = clip
    without_overlays(page)
    for bgr in (images[0], images[-1], images[0]):
        robot.show(bgr)
        robot.live.until(
            lambda b=bgr: card(page) and has_picture(page, b),
            'the person in this image',
        )
        robot.live.spin(1.2)


def test_the_security_policy_allows_what_a_page_makes_the_view_do(robot, page, clip):
    images, _ = clip
    page.press('#view-settings')
    robot.live.until(lambda: 'RECORD' in text(page, '#view-record').upper(), 'the button')
    page.press('#view-record')
    # The second click of a double one does not end what the first begins.
    page.run('document.querySelector("#view-record").click()')

    def does():
        robot.show(images[0])
        done = set().union(*done_by(robot.live.tester, 'emotion_view').values())
        ends = {each.rsplit('/', 1)[-1] for each in done}
        return ends >= {'landmarks', 'expression', 'facs', 'image', 'change_state'}

    robot.live.until(does, 'the topics of the face, the recording and the controls')
    assert_policy_allows(robot.live.tester, 'emotion_view')
    robot.live.until(lambda: ' 1 s,' in text(page, '#view-recorded'), 'no double click any more')
    page.press('#view-record')
    robot.live.until(lambda: 'is written' in text(page, '#view-recorded'), 'the end of it')


def test_a_camera_that_is_lost_is_reported_within_three_seconds(robot, page, clip):
    images, _ = clip
    for bgr in images[:5]:
        robot.show(bgr)
    robot.live.until(lambda: not page.run('!!document.querySelector("#view-problems p")'), 'order')
    robot.live.until(lambda: 'Nothing arrived on /image' in text(page, '#view-problems'), 'it')
    silence_s = float(re.search(r'on /image for ([\d.]+) s', text(page, '#view-problems'))[1])
    assert 1.0 < silence_s < 3.0
    assert page.run('document.getElementById("view-status").dataset.level') == 'warn'
    robot.show(images[0])
    robot.live.until(lambda: 'Nothing' not in text(page, '#view-problems'), 'the camera again')


@pytest.mark.timeout(900)
def test_ten_minutes_leave_the_memory_of_page_and_server_flat(live, browser, tmp_path):
    """By stamps: five images a second, as fast as they are shown."""
    view = View(live, tmp_path)
    publishers = {
        name: live.publisher(Classification, name) for name in ('/blendshapes', '/emotion')
    }
    tracked = live.publisher(IdsList, '/humans/faces/tracked')
    camera = live.publisher(Image, '/image', qos_profile_sensor_data)
    page = view.open(browser, live)
    every = (*publishers.values(), tracked, camera)
    live.until(lambda: all(p.get_subscription_count() for p in every), 'the view')
    image = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    memory = []
    for number in range(1, 3001):
        stamp_ns = START_NS + number * NS_PER_S // 5
        camera.publish(image_message(np.roll(image, number, axis=1), stamp_ns))
        header = Header(stamp=ROS.time(stamp_ns), frame_id='camera')
        for topic, message in results(stamp_ns, number):
            publishers[topic].publish(message)
        tracked.publish(IdsList(header=header, ids=['abc']))
        live.executor.spin_once(timeout_sec=0.002)
        if number % 25 == 0:
            # The page keeps up; by the text, for the picture is the same but turned.
            page.run('new Promise((shown) => requestAnimationFrame(() => shown()))')
        if number in (1200, 3000):
            live.spin(1.0)
            memory.append((page.heap_bytes(), view.memory_bytes()))
    assert [name for name, _ in card(page)] == [results(0, 3000)[1][1].results[0].class_id]
    (heap_then, server_then), (heap, server) = memory
    assert heap - heap_then < 3_000_000, memory
    assert server - server_then < 12_000_000, memory
    assert page.errors == []
    page.close()
    view.close()


def test_with_a_display_the_page_is_opened_in_the_user_s_browser(live, tmp_path):
    noted, program = tmp_path / 'noted', tmp_path / 'browser'
    program.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {noted}\n')
    program.chmod(0o755)
    view = View(live, tmp_path, '--open', DISPLAY=':0', BROWSER=str(program))
    live.until(lambda: noted.exists() and noted.read_text(), 'the browser')
    assert noted.read_text() == view.address
    view.close()


# The live view's settings in a real browser, beside real nodes: what they show and change.


pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


def test_a_slider_shows_and_changes_the_parameter_of_the_running_node(robot, page):
    def of_node():
        return robot.emotion_node.parameters['min_confidence']

    robot.emotion_node.set_parameters([Parameter('min_confidence', value=0.25)])
    page.press('#view-settings')
    control = '.view-control:has(#view-min_confidence)'
    robot.live.until(lambda: '0.25' in text(page, control), 'the value that was set elsewhere')
    page.press('#view-min_confidence', 'ArrowRight')
    robot.live.until(lambda: of_node() != 0.25, 'the change')
    # The middle of 0 to 0.6, and a step further where the slider takes the key.
    assert of_node() == pytest.approx(0.3, abs=0.02)
    robot.live.until(lambda: f'{of_node():g}' in text(page, control), 'the new value')
    robot.emotion_node.set_parameters([Parameter('min_confidence', value=0.5)])
    page.press('#view-max_rate_hz')  # the middle of what reaches from 0 to 1000
    robot.live.until(lambda: robot.node.parameters['max_rate_hz'], 'the other change')
    assert 25 < robot.node.parameters['max_rate_hz'] < 40
    robot.node.set_parameters([Parameter('max_rate_hz', value=0.0)])


PRIOR_FIELD = 'document.getElementById("view-class_prior-field").value'


def test_a_parameter_of_words_is_shown_as_the_running_node_has_it(robot, page):
    page.press('#view-settings')
    for words in ('uniform', 'model'):
        robot.emotion_node.set_parameters([Parameter('class_prior', value=words)])
        robot.live.until(lambda w=words: text(page, '#view-class_prior') == w, words)
        robot.live.until(lambda w=words: page.run(PRIOR_FIELD) == w, f'{words} in the field')


SHARES = f'neutral=.6,happy=.2,sad=.04,surprised=.04,angry=.04,scared=.04,disgusted=.04{"0" * 500}'


def test_a_parameter_of_words_is_set_from_its_field_by_the_button_and_by_enter(robot, page):
    def prior():
        return robot.emotion_node.parameters['class_prior']

    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])
    page.press('#view-settings')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'model', 'the value')
    page.write('#view-class_prior-field', SHARES)
    page.press('#view-class_prior-set')
    robot.live.until(lambda: prior() == SHARES, 'the shares')
    robot.live.until(lambda: text(page, '#view-class_prior') == SHARES, 'the shares on the page')
    page.write('#view-class_prior-field', 'training')
    page.press('#view-class_prior-field', 'Enter')
    robot.live.until(lambda: prior() == 'training', 'training')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'training', 'it on the page')
    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])


@pytest.mark.parametrize(
    ('nonsense', 'said'),
    [
        ('sunshine', "class_prior must be 'model', 'uniform', 'training' or shares"),
        ('happy=1', 'class_prior lacks a share of'),
        ('<b>happy</b>=1', "class_prior: '<b>happy</b>' is none of the classes"),
        ('', "class_prior must be 'model'"),
    ],
)
def test_words_that_the_node_refuses_are_answered_by_its_reason_and_change_nothing(
    robot, page, nonsense, said
):
    robot.emotion_node.set_parameters([Parameter('class_prior', value='uniform')])
    page.press('#view-settings')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'uniform', 'the value')
    page.write('#view-class_prior-field', nonsense)
    page.press('#view-class_prior-set')
    notices = '[...document.querySelectorAll(".q-notification")].map((it) => it.innerText).join()'
    robot.live.until(lambda: said in page.run(notices), 'the reason')
    assert robot.emotion_node.parameters['class_prior'] == 'uniform'
    assert text(page, '#view-class_prior') == 'uniform'
    # It stays in the field, to be mended.
    assert page.run(PRIOR_FIELD) == nonsense
    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])
