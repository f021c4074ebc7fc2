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

"""Real nodes of one test, on a ROS domain of its own; the live view in a process beside them."""

import math
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.extras.node_processes import claim_domain
from emotion_estimator.files import find_shared_file
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.nodes.spin import new_executor
from emotion_estimator.stamps import NS_PER_S

DOMAINS = range(10, 100)
START_NS = 1_700_000_000 * 1_000_000_000
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}


def image_message(bgr, stamp_ns, **fields):
    """Make a bgr8 image; fields replace those of the right message."""
    height, width, _ = bgr.shape
    right = {
        'header': Header(stamp=ROS.time(stamp_ns), frame_id='camera'),
        'height': height,
        'width': width,
        'encoding': 'bgr8',
        'step': 3 * width,
        'data': bgr.tobytes(),
    }
    return Image(**{**right, **fields})


def done_by(asking, name):
    """
    Read what a running node of the namespace / publishes, subscribes to, serves and calls.

    :param asking: any node of the same domain.
    :param name: of the node that is looked at, which may run in another process.
    :returns: by the words of an SROS2 policy, full names without the first slash.
    """
    found = {
        ('topics', 'publish'): asking.get_publisher_names_and_types_by_node(name, '/'),
        ('topics', 'subscribe'): asking.get_subscriber_names_and_types_by_node(name, '/'),
        ('services', 'reply'): asking.get_service_names_and_types_by_node(name, '/'),
        ('services', 'request'): asking.get_client_names_and_types_by_node(name, '/'),
    }
    return {may: {each[1:] for each, _ in names} for may, names in found.items()}


def assert_policy_allows(asking, name):
    """Compare what a running node does with the SROS2 policy that ships."""
    root = ElementTree.parse(find_shared_file('config/sros2_policy.xml')).getroot()
    (profile,) = (each for each in root.iter('profile') if each.get('node') == name)
    for (group, may), names in done_by(asking, name).items():
        patterns = [
            item.text.replace('~', name)
            for part in profile.findall(group)
            if part.get(may) == 'ALLOW'
            for item in part
        ]
        refused = {each for each in names if not any(fnmatch(each, p) for p in patterns)}
        assert not refused, f'The policy does not let {name} {may}: {sorted(refused)}.'
        if may == 'reply':  # these it has always; topics come and go
            needless = {p for p in patterns if not any(fnmatch(each, p) for each in names)}
            assert not needless, f'The policy lets {name} {may} needlessly: {sorted(needless)}.'


class LiveNodes:
    """A context with the nodes under test and one node that talks to them."""

    def __init__(self):
        self.domain_id, self._claim = claim_domain(DOMAINS)
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain_id)
        self.executor = new_executor(self.context)
        self.tester = rclpy.create_node('tester', context=self.context)
        self.executor.add_node(self.tester)
        self.nodes = []
        self.received = defaultdict(list)

    def add(self, node_class, autostart=True, remap=(), **parameters):
        """Start a node under test in this process."""
        overrides = [
            Parameter(name, value=value)
            for name, value in {'autostart': autostart, **parameters}.items()
        ]
        rules = [item for rule in remap for item in ('-r', rule)]
        node = node_class(
            context=self.context,
            parameter_overrides=overrides,
            cli_args=['--ros-args', *rules] if rules else None,
        )
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def publisher(self, message_type, topic, qos=10):
        """Make a publisher; use `matched` before the first message."""
        return self.tester.create_publisher(message_type, topic, qos)

    def listen(self, message_type, topic, qos=10):
        """Collect a topic's messages; returns the list that grows."""
        messages = self.received[topic]
        self.tester.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def camera(self, topic='/image'):
        """Make an image publisher that a subscriber has found."""
        publisher = self.publisher(Image, topic, qos_profile_sensor_data)
        self.until(lambda: publisher.get_subscription_count() == 1, 'the image subscription')
        return publisher

    def until(self, condition, what, timeout_s=20.0):
        """Spin until a condition holds; fail with its name when it does not in time."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f'Waited {timeout_s} s in vain for {what}.'
            self.executor.spin_once(timeout_sec=0.1)

    def spin(self, duration_s):
        """Spin for a while, where the point is that nothing happens."""
        deadline_s = time.monotonic() + duration_s
        while time.monotonic() < deadline_s:
            self.executor.spin_once(timeout_sec=0.05)

    def call(self, service_type, name, request):
        """Call a service and return its response."""
        client = self.tester.create_client(service_type, name)
        self.until(client.service_is_ready, name)
        future = client.call_async(request)
        self.until(future.done, f'the answer of {name}')
        return future.result()

    def change(self, node, transition):
        """Ask for a lifecycle transition; returns whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        name = f'{node.get_fully_qualified_name()}/change_state'
        return self.call(ChangeState, name, request).success

    def state(self, node):
        """Ask for the lifecycle state's name."""
        name = f'{node.get_fully_qualified_name()}/get_state'
        return self.call(GetState, name, GetState.Request()).current_state.label

    def close(self):
        """Take everything down."""
        for node in self.nodes:
            node.close()
            node.destroy_node()
        self.tester.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown(context=self.context)
        self._claim.close()


# The live view in a process of its own, beside real nodes, and what its page shows.


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
