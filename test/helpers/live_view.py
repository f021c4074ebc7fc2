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

"""The live view in a process of its own, beside real nodes, and what its page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

from helpers.live_nodes import START_NS, image_message
from vision_msgs.msg import Classification

from emotion_estimator.messages import nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S

STEP_NS = NS_PER_S // 10  # fewer than the page shows a second, so that it shows each
USUAL = ('--port', '0', '--rate', '15')  # the rate stays, however busy the machine
COMMAND = "from emotion_estimator.commands import main; raise SystemExit(main('view'))"


class View:
    """The live view in a process of its own."""

    def __init__(self, live, folder, *options, **environment):
        self._process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, *USUAL, '--folder', str(folder), *options],
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


def text(page, selector):
    return page.run(f'document.querySelector({selector!r}).innerText')
