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

"""How little the live view looks at: images by their stamps, and messages many at a time."""

import time
import weakref
from itertools import pairwise
from types import SimpleNamespace

import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from helpers.live_nodes import START_NS
from hri_msgs.msg import IdsList
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.messages import ROS
from emotion_estimator.nodes.spin import new_executor, subscribe_to_all
from emotion_estimator.stamps import NS_PER_S
from emotion_estimator.view import robot
from emotion_estimator.view.listener import Listener
from emotion_estimator.view.main import parse
from emotion_estimator.view.robot import Arrivals, Load
from emotion_estimator.view.state import Pace

STEP_NS = NS_PER_S // 30
TRACKED = '/humans/faces/tracked'


WRONG = ['--rate nan', '--rate 0', '--rate inf', '--width -5', '--port 65536', '--port -1']


@pytest.mark.parametrize('wrong', WRONG)
def test_numbers_that_no_picture_and_no_port_can_have_are_refused(capsys, wrong):
    with pytest.raises(SystemExit, match='2'):
        parse(wrong.split())
    assert f'{wrong.split()[0]} must be' in capsys.readouterr().err


def test_a_rate_that_was_given_stays_on_a_busy_machine_and_the_usual_one_falls():
    given, usual = parse(['--rate', '10']), parse([])
    assert (given.rate, given.busy_rate) == (10.0, 10.0)
    assert (usual.rate, usual.busy_rate) == (15.0, 5.0)


@pytest.mark.parametrize('rate_hz, expected', [(15.0, 15), (10.0, 10), (30.0, 30), (100.0, 30)])
def test_of_thirty_images_a_second_as_many_are_chosen_as_are_shown(rate_hz, expected):
    pace = Pace(rate_hz)
    chosen = [n for n in range(30) if pace.chooses(START_NS + n * STEP_NS)]
    assert len(chosen) == expected
    # Each message of an image is answered alike, also when others have come since.
    again = [n for n in range(30) if pace.chooses(START_NS + n * STEP_NS)]
    assert again == chosen


@pytest.mark.parametrize('camera_hz, expected', [(20, 15), (25, 15), (60, 15), (12, 12)])
def test_of_a_camera_of_any_rate_as_many_are_chosen(camera_hz, expected):
    pace = Pace(15.0)
    stamps_ns = [START_NS + n * NS_PER_S // camera_hz for n in range(4 * camera_hz)]
    assert sum(map(pace.chooses, stamps_ns)) == 4 * expected


def test_of_stamps_that_tremble_every_other_one_is_chosen():
    pace = Pace(15.0)
    tremble_ns = (0, 4_000_000, -4_000_000, 3_000_000, -5_000_000, 0)
    stamps_ns = [START_NS + n * STEP_NS + tremble_ns[n % 6] for n in range(60)]
    assert list(map(pace.chooses, stamps_ns)) == [True, False] * 30


def test_another_rate_counts_from_the_next_image_on():
    pace = Pace(15.0)
    assert [pace.chooses(START_NS + n * STEP_NS) for n in range(3)] == [True, False, True]
    pace.rate_hz = 5.0
    assert [n for n in range(3, 20) if pace.chooses(START_NS + n * STEP_NS)] == [3, 9, 15]


def test_stamps_that_begin_again_are_chosen_again():
    pace = Pace(15.0)
    assert pace.chooses(START_NS)
    assert not pace.chooses(START_NS - 20 * NS_PER_S)
    pace.begin_again()
    assert pace.chooses(START_NS - 20 * NS_PER_S)
    assert not pace.chooses(START_NS - 20 * NS_PER_S + STEP_NS)
    assert pace.chooses(START_NS - 20 * NS_PER_S + 2 * STEP_NS)


def test_processors_that_are_barely_idle_are_busy_until_a_fifth_is_idle_again():
    times_s = iter([(0, 0), (4, 5), (4.1, 10), (4.9, 15), (5, 16), (6.1, 20)])
    load = Load(lambda: next(times_s))
    # The last but one comes too soon to tell.
    assert [load.is_high() for _ in range(5)] == [False, True, True, True, False]


def test_a_system_that_does_not_tell_its_load_is_never_busy():
    assert not Load(lambda: None).is_high()


@pytest.mark.parametrize(
    ('step_s', 'count', 'patience_s', 'rate_hz'),
    [
        (0.125, 0, 1.5, 0.0),
        (0.125, 2, 5.0, 1.0),
        (0.125, 50, 1.5, 8.0),
        (2.0, 2, 5.0, 0.5),
        (2.0, 50, 6.0, 0.5),
    ],
)
def test_images_may_be_silent_for_three_times_their_usual_step(
    monkeypatch, step_s, count, patience_s, rate_hz
):
    now_s = 1000.0
    monkeypatch.setattr(robot, 'time', SimpleNamespace(monotonic=lambda: now_s))
    images = Arrivals()
    for _ in range(count):
        now_s += step_s
        images.add()
    now_s = max(now_s, images.since_s + 2)
    assert images.patience_s == pytest.approx(patience_s)
    assert images.rate_hz() == pytest.approx(rate_hz)


def test_of_images_that_are_not_shown_answers_are_counted_and_nothing_is_read(live):
    ready, answers, remarks = [], [], []
    listener = Listener(
        live.tester, remarks.append, lambda *shown: ready.append(shown), Pace(15.0), answers.append
    )
    listener.start()
    emotion = live.publisher(Classification, '/emotion')
    tracked = live.publisher(IdsList, TRACKED)
    for publisher in (emotion, tracked):
        live.until(lambda p=publisher: p.get_subscription_count() == 1, 'the listener')
    stamps_ns = [START_NS + number * STEP_NS for number in range(4)]
    for stamp_ns in stamps_ns:
        header = Header(stamp=ROS.time(stamp_ns), frame_id='face_a')
        emotion.publish(
            Classification(header=header, results=[ObjectHypothesis(class_id='sad', score=1.0)])
        )
        live.until(lambda s=stamp_ns: s in answers, 'the answer')
        tracked.publish(IdsList(header=header, ids=['a']))
    live.until(lambda: len(ready) == 2, 'the second image that is shown')
    assert answers == stamps_ns
    assert [result.stamp_ns for result, _ in ready] == stamps_ns[::2]
    assert remarks == []


def test_a_topic_begins_again_where_it_steps_back_not_where_it_lies_behind_others(
    live,
):
    ready, answers = [], []
    listener = Listener(
        live.tester, print, lambda *shown: ready.append(shown), answered=answers.append
    )
    listener.start()
    emotion, blendshapes = (live.publisher(Classification, n) for n in ('emotion', 'blendshapes'))
    for publisher in (emotion, blendshapes):
        live.until(publisher.get_subscription_count, 'the listener')

    def send(publisher, class_id, times_s):
        for time_s in times_s:
            stamp = ROS.time(START_NS + round(time_s * NS_PER_S))
            what = ObjectHypothesis(class_id=class_id, score=1.0)
            header = Header(stamp=stamp, frame_id='face_a')
            publisher.publish(Classification(header=header, results=[what]))

    def told_s():
        listener.look()
        said = [(r.stamp_ns, r.faces['a'].scores) for r, _ in ready if r.faces['a'].scores]
        return [(stamp_ns - START_NS) / NS_PER_S for stamp_ns, _ in said]

    send(blendshapes, 'jawOpen', (0.0, 2.0, 4.0))
    live.until(
        lambda: [r.stamp_ns for r, _ in ready][-1:] == [START_NS + 2 * NS_PER_S], 'the second'
    )
    # What belongs to the first comes too late, and is not taken for the begin of a new time.
    send(emotion, 'sad', (0.0, 2.0, 4.0))
    live.until(told_s, 'the last')
    assert told_s() == [4.0]
    answers.clear()
    send(emotion, 'sad', (0.0,))
    live.until(lambda: answers, 'the second round')
    send(blendshapes, 'jawOpen', (0.0, 1.0))
    live.until(lambda: ready[-1][0].stamp_ns == START_NS, 'its first image')
    send(emotion, 'sad', (1.0,))
    live.until(lambda: told_s() != [4.0], 'its second')
    assert told_s() == [4.0, 1.0]
    listener.stop()


@pytest.mark.parametrize('ahead_s', [0.1, 1.1, -1_700_000_000], ids=('joints', 'amcl', 'unset'))
def test_a_robot_s_own_frames_hide_no_image_and_are_no_word_of_a_face(live, ahead_s):
    ready = []
    listener = Listener(live.tester, print, lambda said, _: ready.append(said), Pace(15.0))
    listener.start()
    frames, tracked = live.publisher(TFMessage, '/tf'), live.publisher(IdsList, TRACKED)
    emotion = live.publisher(Classification, 'emotion')
    for publisher in (frames, tracked, emotion):
        live.until(publisher.get_subscription_count, 'the listener')

    def move(parent, child, stamp_ns):
        header = Header(stamp=ROS.time(stamp_ns), frame_id=parent)
        frames.publish(
            TFMessage(transforms=[TransformStamped(header=header, child_frame_id=child)])
        )

    for number in range(8):
        stamp_ns = START_NS + number * 2 * STEP_NS
        header = Header(stamp=ROS.time(stamp_ns), frame_id='face_a')
        tracked.publish(IdsList(header=header, ids=['a']))
        live.until(lambda: listener._followed == ('a',), 'the list')
        move('base', 'face_plate', stamp_ns + round(ahead_s * NS_PER_S))
        move('camera', 'face_a', stamp_ns)
        live.spin(0.05)
        what = ObjectHypothesis(class_id='sad', score=1.0)
        emotion.publish(Classification(header=header, results=[what]))
        live.until(lambda n=number: len(ready) > n, 'what is said of the image')
    shown_ns = [START_NS + number * 2 * STEP_NS for number in range(8)]
    assert [said.stamp_ns for said in ready] == shown_ns
    assert ready[-1].faces['a'].head is not None
    assert 'plate' not in ready[-1].faces
    # A face of which nothing is said any more is not waited for while they come.
    tracked.publish(IdsList(header=Header(stamp=ROS.time(stamp_ns + NS_PER_S)), ids=['a']))
    live.until(
        lambda: move('base', 'arm', stamp_ns) or listener.look() or len(ready) == 9, 'the next'
    )
    listener.stop()


def test_an_image_that_is_taken_after_what_is_said_of_it_is_shown_with_it(live):
    ready = []
    listener = Listener(live.tester, print, lambda *shown: ready.append(shown))
    listener.start()
    tracked = live.publisher(IdsList, TRACKED)
    live.until(tracked.get_subscription_count, 'the listener')
    tracked.publish(IdsList(header=Header(stamp=ROS.time(START_NS)), ids=[]))
    live.until(lambda: listener.look() or ready, 'what is said of the image')
    assert [image for _, image in ready] == [None]
    listener.take_image(START_NS + STEP_NS, 'another')
    assert len(ready) == 1
    tracked.publish(IdsList(header=Header(stamp=ROS.time(START_NS + 2 * STEP_NS)), ids=[]))
    live.until(lambda: listener.look() or len(ready) == 2, 'what is said of the next')
    listener.take_image(START_NS + 2 * STEP_NS, 'its image')
    assert [(said.stamp_ns, image) for said, image in ready[1:]] == [
        (START_NS + 2 * STEP_NS, None),
        (START_NS + 2 * STEP_NS, 'its image'),
    ]
    listener.stop()


class Held:
    """Stands for an image; whether it is held can be told."""


def test_images_are_held_until_they_or_newer_ones_are_shown(live):
    ready = []
    listener = Listener(live.tester, print, lambda said, image: ready.append(said.stamp_ns))
    listener.start()
    tracked = live.publisher(IdsList, TRACKED)
    live.until(tracked.get_subscription_count, 'the listener')
    held = []
    for number in range(6):
        listener.take_image(START_NS + number * STEP_NS, image := Held())
        held.append(weakref.ref(image))
    del image
    assert [each() is not None for each in held] == [True] * 6
    tracked.publish(IdsList(header=Header(stamp=ROS.time(START_NS + 3 * STEP_NS)), ids=[]))
    live.until(lambda: listener.look() or ready, 'what is said of the fourth')
    assert [each() is not None for each in held] == [False] * 4 + [True] * 2
    listener.stop()


def test_of_one_topic_all_that_has_come_is_taken_at_one_look(live):
    gathering = new_executor(live.context, gather_s=0.2)
    listening = rclpy.create_node('listening', context=live.context)
    gathering.add_node(listening)
    heard = []

    def hear(message):
        heard.append(message.data)
        if message.data == '5':
            listening.destroy_subscription(subscription)

    subscription = subscribe_to_all(listening, String, '/topic', hear, QoSProfile(depth=10))
    publisher = live.publisher(String, '/topic')
    live.until(publisher.get_subscription_count, 'the listener')
    for number in range(6):
        publisher.publish(String(data=str(number)))
    live.until(lambda: publisher.wait_for_all_acked(Duration(seconds=1)), 'their arrival')
    deadline_s = time.monotonic() + 10
    while not heard and time.monotonic() < deadline_s:
        gathering.spin_once(timeout_sec=0.1)
    assert heard == list('012345')
    listening.destroy_node()
    gathering.shutdown()


def test_what_comes_within_a_moment_is_looked_for_once(live):
    gathering = new_executor(live.context, gather_s=0.2)
    listening = rclpy.create_node('listening', context=live.context)
    gathering.add_node(listening)
    topics, heard = [f'/topic_{number}' for number in range(5)], []
    for topic in topics:
        listening.create_subscription(String, topic, heard.append, 20)
    publishers = [live.publisher(String, topic) for topic in topics]
    live.until(lambda: all(p.get_subscription_count() for p in publishers), 'the listener')
    looks = []
    look = gathering._wait_for_ready_callbacks

    def counted(*arguments, **named):
        looks.append(time.monotonic())
        return look(*arguments, **named)

    gathering._wait_for_ready_callbacks = counted
    for publisher in publishers:
        publisher.publish(String(data='a'))
    deadline_s = time.monotonic() + 10
    while len(heard) < len(topics) and time.monotonic() < deadline_s:
        gathering.spin_once(timeout_sec=0.1)
    assert len(heard) == len(topics)
    assert all(later - sooner >= 0.19 for sooner, later in pairwise(looks))
    listening.destroy_node()
    gathering.shutdown()
