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

"""Counts, rates, states and what is worth a warning; what a callback raises is counted."""

import itertools
import math
import threading
from functools import wraps

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers.faces import SMILE, SMILING
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.messages import ROS
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.diagnostics import StreamStatistics, loss_problem, stream_problems
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


class Clock:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def received(stamps_ns, duration_s):
    clock = Clock()
    statistics = StreamStatistics(clock)
    for stamp_ns in stamps_ns:
        statistics.receive(stamp_ns)
    clock.now_s += duration_s
    return statistics, clock


def test_rates_are_counts_over_the_period_and_counts_go_on():
    statistics, clock = received(range(0, NS_PER_S, NS_PER_S // 30), 1.0)
    statistics.publish(0.010)
    statistics.publish(0.020)
    statistics.skip()
    statistics.refuse('It was wrong.')
    report = statistics.report()
    assert (report.received, report.published, report.skipped, report.refused) == (31, 2, 1, 1)
    assert report.rate_in_hz == pytest.approx(31)
    assert report.rate_out_hz == pytest.approx(2)
    assert report.latency_p50_s == pytest.approx(0.015)
    assert report.last_error == 'It was wrong.'
    clock.now_s += 1
    later = statistics.report()
    assert (later.received, later.refused_lately, later.rate_in_hz) == (31, 0, 0)
    assert math.isnan(later.latency_p50_s)


def test_silence_is_counted_from_the_last_message():
    statistics, clock = received([0], 0.5)
    assert statistics.silence.duration_s == pytest.approx(0.5)
    clock.now_s += 0.5
    assert statistics.silence.duration_s == pytest.approx(1.0)
    statistics.receive(1)
    assert statistics.silence.duration_s == 0


def arrived(stamps_ms, lost=itertools.repeat(None)):  # noqa: B008
    """Give what is wrong with a stream, and its report, when its last message has arrived."""
    statistics = StreamStatistics(Clock())
    for ms, count in zip(stamps_ms, lost):
        statistics.receive(round(ms * 1_000_000), count)
    report = statistics.report()
    return loss_problem(report, '/image'), report


def every(period_ms, count, start_ms=0):
    return [start_ms + i * period_ms for i in range(count)]


def test_messages_lost_on_the_way_show_in_the_stamps():
    kept = [i * 1000 / 30 for i in range(180) if i % 7 < 2]
    problem, report = arrived(kept)
    assert report.stamp_rate_hz == pytest.approx(30, rel=0.01)
    assert report.lost_share == pytest.approx(5 / 7, abs=0.02)
    assert '% of the messages on /image do not arrive' in problem


def test_where_the_middleware_counts_its_word_holds():
    even = every(33, 50)
    problem, report = arrived(even, itertools.cycle([0, 1]))
    assert report.lost == 25
    assert problem.startswith('33% of the messages on /image do not arrive')
    uneven = [i * 33 for i in range(180) if i % 7 < 2]
    assert arrived(uneven, itertools.repeat(0))[0] == ''


PAUSE = [*every(33, 60), *every(33, 60, 4500)]


@pytest.mark.parametrize(
    'stamps_ms',
    [
        every(33, 90),
        [base + more for base in every(417, 40) for more in (0, 4)],
        [*every(33, 60), *every(66, 40, 60 * 33)],
        [ms + (-1) ** i * 8 for i, ms in enumerate(every(66, 80))],
        every(1818, 50),
        [base + more for base in every(1000, 8) for more in every(33, 10)],
        PAUSE,
        PAUSE[::-1],
        [5] * 80,
        every(33, 10),
    ],
    ids=[
        'even',
        'pairs',
        'half the rate in the dark',
        'jitter',
        'slow',
        'series',
        'a pause',
        'backwards',
        'one stamp',
        'few',
    ],
)
def test_an_uneven_sender_loses_nothing(stamps_ms):
    for count in range(1, len(stamps_ms) + 1):
        assert arrived(stamps_ms[:count])[0] == ''


@pytest.mark.parametrize('at', range(0, 80, 5))
def test_a_single_gap_is_no_lasting_loss(at):
    assert arrived(every(33, 80), [50 * (i == at) for i in range(80)])[0] == ''


@pytest.mark.parametrize(
    'period_ms, count, known',
    [(500, 11, True), (500, 10, False), (33, 40, False), (33, 41, True)],
)
def test_of_few_messages_a_loss_is_known_where_it_lasts_for_seconds(period_ms, count, known):
    problem, report = arrived(every(period_ms, count), itertools.repeat(11))
    assert (report.loses, bool(problem)) == (known, known)


def test_a_loss_about_the_limit_is_said_once_and_one_of_long_ago_no_more():
    clock = Clock()
    statistics = StreamStatistics(clock)
    said = []
    # Of four, five, ten and four messages one is lost.
    for losses in ([0, 0, 1], [0, 0, 0, 1], [0] * 9 + [1], [0, 0, 1]):
        for lost in itertools.islice(itertools.cycle(losses), 41):
            statistics.receive(START_NS + statistics.report().received, lost)
        said.append(statistics.report().loses)
    assert said == [True, True, False, True]
    for _ in range(25):
        clock.now_s += 0.5
        assert statistics.silence.duration_s > 0
    assert statistics.report().lost_share == 0


def test_messages_of_others_are_counted_apart():
    statistics, _ = received([0, NS_PER_S], 1.0)
    statistics.receive_other()
    report = statistics.report()
    assert (report.received, report.of_others) == (2, 1)


def test_a_machine_that_stood_still_does_not_blame_the_sender():
    statistics, clock = received([0], 0.0)
    for step_s, silence_s in ((0.1, 0.1), (0.1, 0.2), (2.5, 0.0), (0.1, 0.1), (0.7, 0.8)):
        clock.now_s += step_s
        assert statistics.silence.duration_s == pytest.approx(silence_s)


def test_a_whole_stream_is_no_problem_and_a_refusal_is_one():
    statistics, _ = received(range(0, NS_PER_S, NS_PER_S // 30), 1.0)
    assert stream_problems(statistics.report()) == []
    statistics.refuse('step is 7 bytes.')
    assert stream_problems(statistics.report()) == ['1 messages refused: step is 7 bytes.']


def test_while_most_images_are_skipped_for_two_seconds_the_reason_is_reported():
    statistics, clock = received([], 0.0)
    said = []
    for second, skipped in enumerate([8, 0, 8, 8, 0]):
        for number in range(10):
            statistics.receive(second * NS_PER_S + number)
        for _ in range(skipped):
            statistics.skip()
        clock.now_s += 1
        said.append(stream_problems(statistics.report()))
    assert said[:3] == [[], [], []]
    assert '8 of 10 messages were skipped in the last second' in said[3][0]
    assert said[4] == []


# A node that does not work is not green.


def test_a_node_that_failed_or_rests_is_not_ok(live):
    node = live.add(EmotionNode, model='nonesuch')
    heard = live.listen(DiagnosticArray, '/diagnostics')

    def status_of(state):
        heard.clear()
        live.until(lambda: heard and heard[-1].status[0].values[0].value == state, state)
        return heard[-1].status[0]

    failed = status_of('unconfigured')
    assert failed.level == DiagnosticStatus.ERROR
    assert failed.message.startswith("There is no model 'nonesuch'")
    node.set_parameters([Parameter('model', value='basic7')])
    assert live.change(node, 'configure')
    inactive = status_of('inactive')
    assert inactive.level == DiagnosticStatus.WARN
    assert inactive.message == 'The node is inactive: activate it.'
    assert live.change(node, 'activate')
    assert status_of('active').level == DiagnosticStatus.OK
    assert live.change(node, 'deactivate')
    assert status_of('inactive').level == DiagnosticStatus.WARN
    assert live.change(node, 'cleanup')
    assert status_of('unconfigured').level == DiagnosticStatus.WARN
    node.trigger_shutdown()
    finalized = status_of('finalized')
    assert finalized.level == DiagnosticStatus.WARN
    assert 'start its process again' in finalized.message


def test_a_node_that_rests_tells_no_size_of_an_image_of_before(live, landmarker_path):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path))
    live.camera().publish(image_message(np.zeros((48, 64, 3), np.uint8), START_NS))
    live.until(lambda: node.facts()['image'] == '64 x 48', 'the image')
    assert live.change(node, 'deactivate')
    assert node.facts()['image'] == ''
    assert live.change(node, 'activate')
    assert node.facts()['image'] == ''


# Whatever a callback raises costs one counted warning.


def failing_once(node_class):
    """Make a node of which each callback, and each round of a thread, raises the first time."""

    class Failing(node_class):
        armed = False

        def __init__(self, **options):
            self.to_fail, self.failed = set(), set()
            super().__init__(**options)
            self.armed = True

        def _failing(self, work):
            name = getattr(work, 'func', work).__qualname__
            if name not in self.failed:
                self.to_fail.add(name)

            @wraps(work)
            def fail_first(*arguments):
                if self.armed and name in self.to_fail:
                    self.to_fail.remove(name)
                    self.failed.add(name)
                    raise RuntimeError(f'{name} fails once')
                return work(*arguments)

            return fail_first

        def guarded(self, work, *further):
            return super().guarded(self._failing(work), *further)

        def attempt(self, work, message):
            super().attempt(self._failing(work), message)

        def start_thread(self, work):
            thread = threading.Thread(target=work)
            thread.start()
            return thread

    return Failing


@pytest.fixture
def play(live, media):
    """Give both nodes something to do: gives a function that sends the next messages."""
    picture = cv2.resize(cv2.imread(str(media(SMILING))), (320, 320))
    images, infos, faces, emotions = (
        live.publisher(kind, topic)
        for kind, topic in (
            (Image, '/image'),
            (CameraInfo, '/camera_info'),
            (Classification, '/blendshapes'),
            (Classification, '/emotion'),
        )
    )
    live.listen(Image, '/annotated_image')
    sent = iter(range(1, 1_000_000))
    k = np.array([320.0, 0, 160, 0, 320, 160, 0, 0, 1])

    def send():
        stamp = ROS.time(START_NS + next(sent) * NS_PER_S // 30)
        header = Header(stamp=stamp, frame_id='face_abc')
        results = [ObjectHypothesis(class_id=name, score=score) for name, score in SMILE.items()]
        infos.publish(CameraInfo(width=320, height=320, k=k))
        images.publish(image_message(picture, START_NS, header=header))
        faces.publish(Classification(header=header, results=results))
        emotions.publish(Classification(header=header, results=results[:1]))

    return send


@pytest.mark.parametrize(
    'node_class, model',
    [(BlendshapeNode, 'landmarker'), (EmotionNode, 'basic7_blendshapes')],
)
def test_each_callback_may_fail_once_and_the_node_goes_on(
    live, play, landmarker_path, node_class, model
):
    named = {'landmarker': str(landmarker_path)} if model == 'landmarker' else {'model': model}
    node = live.add(failing_once(node_class), autostart=False, **named)
    for service in list(node.services):
        # Jazzy's raises itself where no transition is named.
        for _ in range(1 if service.srv_type is ChangeState else 2):
            live.call(service.srv_type, service.srv_name, service.srv_type.Request())
    # Two look at a change before it is made: this package, and rclpy's clock.
    answers = [node.set_parameters([Parameter('ros4hri', value=True)])[0] for _ in range(4)]
    assert [answer.successful for answer in answers] == [False, False, True, True]
    assert all('could not be checked' in answer.reason for answer in answers[:2])
    live.until(lambda: not node.to_fail, 'the timers')
    assert node.statistics.report().refused == len(node.failed)
    before = len(node.failed)
    assert live.change(node, 'configure')
    assert live.change(node, 'activate')

    def all_failed():
        play()
        live.spin(0.05)
        return not node.to_fail and node.statistics.report().published

    live.until(all_failed, f'the failure of each of {node.to_fail}')
    assert node.statistics.report().refused == len(node.failed) - before
    assert 'fails once' in node.statistics.report().last_error
    entities = [*node.subscriptions, *node.timers, *node.services]
    assert len(entities) >= 14
    assert all(hasattr(entity.callback, '__wrapped__') for entity in entities)
    assert live.state(node) == 'active'
    node.armed = False


def test_lists_of_faces_are_bounded_and_so_is_what_is_said_of_them(live, landmarker_path):
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), ros4hri_input=True)
    heard = live.listen(DiagnosticArray, '/diagnostics')
    lists = live.publisher(IdsList, '/humans/faces/tracked')
    live.until(lambda: lists.get_subscription_count() == 1, 'the subscription')
    longest = 'x' * 222
    for ids, followed, refused in (
        ([longest], {longest}, 0),
        (['y' * 223, 'z' * 100_000, 'bob'], {'bob'}, 1),
        ([f'f{number}' for number in range(5000)], {f'f{number}' for number in range(100)}, 1),
    ):
        before = node.statistics.report().refused
        lists.publish(IdsList(ids=ids))
        topics = {f'/humans/faces/{name}/cropped' for name in followed}

        def subscribed(topics=topics):
            return topics == {
                s.topic_name for s in node.subscriptions if 'cropped' in s.topic_name
            }

        live.until(subscribed, 'the subscriptions')
        assert node.statistics.report().refused == before + refused
    live.until(lambda: 'faces' in node.statistics.report().last_error, 'the sentence')
    live.until(node.problems, 'the silence')
    heard.clear()
    live.until(lambda: len(heard) >= 2, 'the status')
    assert all(len(message.status[0].message) <= 2000 for message in heard)
    assert live.state(node) == 'active'
