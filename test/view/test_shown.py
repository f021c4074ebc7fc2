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

"""What a page shows, and what it says where it can show nothing."""

import json
import re
from contextlib import ExitStack
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers.live_nodes import START_NS, STEP_NS, View, image_message, results, text
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.colours import shades
from emotion_estimator.messages import ROS
from emotion_estimator.view import robot as robot_module
from emotion_estimator.view.controls import Controls
from emotion_estimator.view.listener import Listener
from emotion_estimator.view.robot import Robot

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


class SendingRobot:
    """Sends images with the results of nodes; a socket takes what a page would be sent."""

    def __init__(self, live, folder):
        from websockets.sync.client import connect

        self.live = live
        self.view = View(live, folder)
        self.camera = live.publisher(Image, '/image', qos_profile_sensor_data)
        self.out = {
            topic: live.publisher(Classification, topic) for topic in ('/blendshapes', '/emotion')
        }
        site = self.view.address.rstrip('/')
        address = site.replace('http', 'ws') + '/moments'
        self._open = ExitStack()
        self.socket = self._open.enter_context(
            connect(address, origin=site, max_size=None, proxy=None)
        )
        self.socket.recv()
        self.socket.send('next')
        live.until(self.out['/emotion'].get_subscription_count, 'the view')
        live.until(self.camera.get_subscription_count, 'the view at the images')
        self.sent = 0

    def show(self, shift_ns=0, **fields):
        """Send an image with one face; its stamp is so much later than that of the results."""
        self.sent += 1
        stamp_ns = START_NS + self.sent * STEP_NS
        image = np.full((4, 6, 3), 200, np.uint8)
        self.camera.publish(image_message(image, stamp_ns + shift_ns, **fields))
        for topic, message in results(stamp_ns, self.sent):
            self.out[topic].publish(message)
        self.live.spin(STEP_NS / 1e9)

    def sent_to_page(self):
        """Give what a page is sent by now: kind, facts, and whether there is a picture."""
        taken = []
        while True:
            try:
                content = self.socket.recv(timeout=0)
            except TimeoutError:
                return taken
            self.socket.send('next')
            end = 4 + int.from_bytes(content[:4], 'little')
            facts = json.loads(content[4:end])
            taken.append((facts['kind'], facts, len(content) > end))

    def until_said(self, condition, what, **fields):
        """Show images until what the page says of problems fulfils a condition."""
        for _ in range(100):
            self.show(**fields)
            sent = self.sent_to_page()
            for kind, facts, _ in sent:
                said = facts['problems'] if kind == 'health' else None
                if said is not None and condition(' '.join(said)):
                    return [(facts, has) for kind, facts, has in sent if kind == 'moment']
        raise AssertionError(f'{what} was not said.')

    def close(self):
        self._open.close()
        self.view.close()


@pytest.fixture
def robot(live, tmp_path):
    robot = SendingRobot(live, tmp_path)
    yield robot
    robot.close()


def test_what_is_said_of_an_image_that_cannot_be_decoded_is_shown_and_why(robot):
    depth = {'encoding': '32FC1', 'step': 24, 'data': bytes(96)}
    refused = 'No picture is shown: 32FC1 on /image carries distances'
    robot.until_said(lambda said: refused in said, refused, **depth)
    moments = []
    for _ in range(10):
        robot.show(**depth)
        moments += [(x, has) for kind, x, has in robot.sent_to_page() if kind == 'moment']
    assert len(moments) > 5
    assert {person['id'] for facts, _ in moments for person in facts['people']} == {'abc'}
    assert not any(has for _, has in moments)
    robot.until_said(lambda said: 'No picture' not in said, 'no more')


def test_images_of_which_no_result_speaks_are_said_to_be_none_that_can_be_shown(robot):
    said = 'No picture is shown: no image on /image has the stamp of one that the nodes looked at'
    robot.until_said(lambda words: said in words, said, shift_ns=STEP_NS // 3)
    robot.until_said(lambda words: 'No picture' not in words, 'no more')


# What stands on a person's card, in a real browser.


def emotions_of_a_face(live):
    """Make what says a face's emotion, each time one step later, and lets the view hear it."""
    emotion = live.publisher(Classification, '/emotion')
    live.until(emotion.get_subscription_count, 'the view')
    steps = count(1)

    def say(labels, score):
        stamp = ROS.time(START_NS + next(steps) * STEP_NS)
        scores = [ObjectHypothesis(class_id=label, score=score) for label in labels]
        header = Header(stamp=stamp, frame_id='face_abc')
        emotion.publish(Classification(header=header, results=scores))
        live.spin(0.1)

    return say


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('happy scared neutral unknown', 'happy sad unknown'),
        ('happy sad unknown', 'happy scared sad neutral unknown'),
    ],
)
def test_the_bars_are_those_of_the_model_that_answers(live, browser, tmp_path, before, after):
    view = View(live, tmp_path)
    page = view.open(browser, live)
    say = emotions_of_a_face(live)

    def shows(words):
        say(words.split(), 0.25)
        names = page.run(
            '[...document.querySelectorAll(".view-bar-name")].map((x) => x.innerText)'
        )
        return ' '.join(names) == words

    live.until(lambda: shows(before), before)
    live.until(lambda: shows(after), after)
    assert page.errors == []
    page.close()
    view.close()


OWN_CLASSES = 'boredom disgust fear happiness irony positive pride unknown'


@pytest.mark.parametrize('dark', [False, True])
def test_a_user_s_classes_have_the_colours_of_the_other_views(live, browser, tmp_path, dark):
    view = View(live, tmp_path)
    page = view.open(browser, live)
    say = emotions_of_a_face(live)
    page.dark(dark)
    labels = OWN_CLASSES.split()

    def shown():
        say(labels, 1 / len(labels))
        bars = '[...document.querySelectorAll(".view-bar")]'
        found = page.run(
            f'{bars}.map((bar) => [bar.querySelector(".view-bar-name").innerText,'
            ' getComputedStyle(bar.querySelector(".view-bar-fill")).backgroundColor])'
        )
        return {label: tuple(map(int, re.findall(r'\d+', colour))) for label, colour in found}

    wanted = {
        label: tuple(bytes.fromhex((one.dark if dark else one.light)[1:]))
        for label, one in shades(labels).items()
    }
    live.until(lambda: shown() == wanted, 'the colours')
    page.close()
    view.close()


def test_a_long_word_of_a_class_stays_beside_its_bar(live, browser, tmp_path):
    view = View(live, tmp_path)
    page = view.open(browser, live)
    say = emotions_of_a_face(live)

    def named():
        say(['contemptuous_or_disappointed'], 1.0)
        return page.run('!!document.querySelector(".view-bar-name")')

    live.until(named, 'the class')
    hidden = 'document.querySelector(".view-bar-name").{0}'.format
    assert page.run(f'{hidden("scrollWidth")} - {hidden("clientWidth")}') == 0
    page.close()
    view.close()


def test_a_page_shows_the_images_that_another_one_chose_and_can_choose_others(
    live, browser, tmp_path
):
    view = View(live, tmp_path)
    for topic in ('/left/image', '/right/image'):
        live.publisher(Image, topic)
    pages = [view.open(browser, live) for _ in range(2)]
    usual = 'those that the nodes look at'

    def choose(page, topic):
        options = '[...document.querySelectorAll(".q-menu .q-item")]'
        of_it = f'{options}.find((x) => x.innerText.includes("{topic}"))'
        page.press('#view-topic')
        live.until(lambda: page.run(f'!!{of_it}'), 'the topics')
        page.run(f'{of_it}.click()')
        live.until(lambda: not page.run(f'{options}.length'), 'the end of the list')

    def both(topic):
        return [text(page, '#view-topic') for page in pages] == [topic, topic]

    for page in pages:
        page.press('#view-settings')
    choose(pages[0], '/right/image')
    live.until(lambda: both('/right/image'), 'the topic on both')
    choose(pages[1], usual)
    live.until(lambda: both(usual), 'the usual one on both')
    choose(pages[1], '/right/image')
    live.until(lambda: both('/right/image'), 'the topic on both again')
    for page in pages:
        assert page.errors == []
        page.close()
    view.close()


# On a phone, which is narrower than the settings and the heads of a desktop's page.


@pytest.fixture
def phone(live, browser, tmp_path):
    view = View(live, tmp_path)
    page = browser.open(view.address, 360, 740)
    loaded = '!!(window.view && document.getElementById("view-people"))'
    live.until(lambda: page.run(loaded), 'the page', timeout_s=90)
    yield page
    assert page.errors == []
    page.close()
    view.close()


def edges(page, selector):
    """Tell the left and right edge of an element, in pixels from the left of the window."""
    return page.run(
        f'(({{left, right}}) => [left, right])'
        f'(document.querySelector({selector!r}).getBoundingClientRect())'
    )


def test_the_settings_are_no_wider_than_a_phone(live, phone):
    phone.press('#view-settings')
    live.until(lambda: edges(phone, '.q-drawer')[0] <= 0, 'the settings, which slide in')
    (left, right), width = edges(phone, '.q-drawer'), phone.run('innerWidth')
    assert (left, width - 20 <= right <= width) == (0, True)
    assert edges(phone, '.view-control-name')[0] > 0


def test_what_the_page_says_of_itself_has_room_on_a_phone(live, phone):
    place = 'document.getElementById("view-status")'
    live.until(lambda: 'images/s' in phone.run(f'{place}.innerText'), 'the rates')
    for words in ('The node does not answer; trying again.', '15 images/s · 15 answers/s · 34 ms'):
        # At once, before the next rates are written there.
        written, width, hidden = phone.run(
            f'{place}.textContent = {words!r}, '
            f'[{place}.innerText, {place}.clientWidth, {place}.scrollWidth - {place}.clientWidth]'
        )
        assert (written, width > 250, hidden) == (words, True, 0)
    assert edges(phone, '#view-settings')[1] <= phone.run('innerWidth')


# What the page says of how the robot fares.


def test_a_node_that_says_nothing_of_itself_any_more_is_reported(live, monkeypatch):
    now_s = 1000.0
    listener = Listener(live.tester, print, lambda result, image: None)
    robot = Robot(live.tester, listener.subscribe, Controls(live.tester, listener.subscribe))
    robot.start()
    live.publisher(Classification, '/blendshapes')
    live.publisher(Classification, '/emotion')
    diagnostics = live.publisher(DiagnosticArray, '/diagnostics')
    live.until(diagnostics.get_subscription_count, 'the page')
    live.until(lambda: robot.look() or robot._names['emotion_node'] == '/tester', 'the node')
    monkeypatch.setattr(robot_module, 'time', SimpleNamespace(monotonic=lambda: now_s))

    def hear():
        before = dict(robot._heard_s)
        status = DiagnosticStatus(name='tester', level=DiagnosticStatus.OK)
        diagnostics.publish(DiagnosticArray(status=[status]))
        live.until(lambda: robot._heard_s != before, 'the status')

    hear()
    now_s += 4.9
    assert robot.report(None)['problems'] == []
    now_s += 0.2
    first, *_ = robot.report(None)['problems']
    assert first.startswith('tester: it has said nothing on /diagnostics for more than 5 s.')
    hear()
    assert robot.report(None)['problems'] == []
