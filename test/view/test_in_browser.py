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
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.faces import NEUTRAL, frames
from helpers.live_nodes import START_NS, LiveNodes, assert_policy_allows, done_by, image_message
from hri_msgs.msg import IdsList
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.messages.incoming import nanoseconds
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.parameter_values import read_parameters
from emotion_estimator.stamps import NS_PER_S

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')
dev_browser = pytest.importorskip('dev.browser', reason='The browser is spoken to by websockets.')

STEP_NS = NS_PER_S // 10  # fewer than the page shows a second, so that it shows each
COMMAND = "from emotion_estimator.commands import main; raise SystemExit(main('view'))"


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    program = dev_browser.find_chromium()
    if program is None:
        pytest.skip(f'There is none of {", ".join(dev_browser.NAMES)} on this machine.')
    with dev_browser.Browser(program, tmp_path_factory.mktemp('browser')) as running:
        yield running


class View:
    """The live view in a process of its own."""

    def __init__(self, live, folder, *options, **environment):
        self._process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, '--port', '0', '--folder', str(folder), *options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id), **environment},
        )
        self.address = re.search(r'http://\S+', self._process.stdout.readline())[0]

    def memory_bytes(self):
        """Tell how much memory the process has."""
        status = Path(f'/proc/{self._process.pid}/status').read_text()
        return 1024 * int(re.search(r'VmRSS:\s+(\d+) kB', status)[1])

    def open(self, browser, live):
        """Open its page and wait until it is there."""
        page = browser.open(self.address)
        live.until(
            lambda: page.run('!!(window.view && document.getElementById("view-people"))'),
            'the page',
            timeout_s=90,
        )
        return page

    def close(self):
        self._process.kill()
        self._process.wait()


class Robot:
    """Both nodes, the live view, and a camera that shows a clip."""

    def __init__(self, live, landmarker_path, folder):
        self.live = live
        self.view = View(live, folder)
        self.node = live.add(
            BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1, detection_rate_hz=0.0
        )
        self.emotion_node = live.add(EmotionNode)
        self.emotions = live.listen(Classification, '/emotion', 100)
        self.camera = live.camera()
        self.sent = 0

    def watched(self):
        """Wait until the view listens, as it does while a page is open."""
        topics = ('/image', '/blendshapes', '/emotion', '/humans/faces/tracked', '/tf')
        count = self.live.tester.count_subscribers
        # Of images and results there is a reader beside it.
        least = {'/image': 2, '/blendshapes': 2, '/emotion': 2}
        self.live.until(
            lambda: all(count(topic) >= least.get(topic, 1) for topic in topics), 'the view'
        )

    def show(self, bgr):
        """Publish the next image and wait for its emotion; returns its stamp in nanoseconds."""
        self.sent += 1
        stamp_ns = START_NS + self.sent * STEP_NS
        self.camera.publish(image_message(bgr, stamp_ns))

        def answered():
            return self.emotions and nanoseconds(self.emotions[-1].header.stamp) == stamp_ns

        self.live.until(answered, f'the emotion of image {self.sent}')
        return stamp_ns

    def close(self):
        self.view.close()
        self.live.close()


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


def is_own(url, address):
    """Tell whether an address is the page's own, or none of the network at all."""
    return url.partition('://')[2].startswith(address.partition('://')[2]) or url.startswith(
        ('data:', 'blob:')
    )


def card(page):
    """Read the one person's card: label and percent."""
    return page.run(
        '[...document.querySelectorAll(".view-card")].map((card) => ['
        'card.querySelector(".view-label").textContent,'
        'card.querySelector(".view-percent").textContent])'
    )


def shows(page, answer):
    """Tell whether the page shows one person with this expression, as sure as it is."""
    label, confidence = answer
    shown = card(page)
    if [name for name, _ in shown] != [label]:
        return False
    percent = shown[0][1]
    return percent == '' if label == 'unknown' else abs(int(percent[:-2]) - 100 * confidence) <= 1


def has_picture(page, bgr):
    """Tell whether the page shows this image."""
    data = page.run('document.getElementById("view-canvas").toDataURL()').partition(',')[2]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
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


def text(page, selector):
    return page.run(f'document.querySelector({selector!r}).innerText')


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


def test_a_parameter_of_words_is_shown_as_the_running_node_has_it(robot, page):
    page.press('#view-settings')
    for words in ('uniform', 'model'):
        robot.emotion_node.set_parameters([Parameter('class_prior', value=words)])
        robot.live.until(lambda w=words: text(page, '#view-class_prior') == w, words)


def test_the_security_policy_allows_what_a_page_makes_the_view_do(robot, page, clip):
    images, _ = clip
    page.press('#view-settings')
    robot.live.until(lambda: 'RECORD' in text(page, '#view-record').upper(), 'the button')
    page.press('#view-record')

    def does():
        robot.show(images[0])
        done = set().union(*done_by(robot.live.tester, 'emotion_view').values())
        ends = {each.rsplit('/', 1)[-1] for each in done}
        return ends >= {'landmarks', 'expression', 'facs', 'image', 'change_state'}

    robot.live.until(does, 'the topics of the face, the recording and the controls')
    assert_policy_allows(robot.live.tester, 'emotion_view')
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


def results(stamp_ns, number):
    """Make what the nodes publish of an image with one face."""
    header = Header(stamp=ROS.time(stamp_ns), frame_id='face_abc')
    share = 0.5 + 0.4 * math.sin(number / 20)
    scores = {'happy': share, 'neutral': 1 - share} if share > 0.5 else {'unknown': 1.0}
    shapes = {**dict.fromkeys(NAMES, 0.1), 'head.roll': 0.0, 'head.pitch': 0.0, 'head.yaw': 0.1}
    return [
        (name, Classification(header=header, results=[
            ObjectHypothesis(class_id=label, score=float(score)) for label, score in of.items()
        ]))
        for name, of in (('/blendshapes', shapes), ('/emotion', scores))
    ]  # fmt: skip


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
