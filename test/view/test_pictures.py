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

"""What a page is sent where images and results come, but no picture can be shown."""

import json
from contextlib import ExitStack

import numpy as np
import pytest
from helpers.live_nodes import START_NS, STEP_NS, View, image_message, results
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


class Robot:
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
    robot = Robot(live, tmp_path)
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
