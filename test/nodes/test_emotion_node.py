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

"""The LSTM node with real blendshapes messages over a real topic."""

import json
import shutil
import threading
import time

import cv2
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from helpers.faces import RESTING, SMILE, SMILING
from helpers.live_nodes import START_NS, assert_policy_allows, done_by, image_message
from hri_msgs.msg import Expression, IdsList
from rclpy.exceptions import InvalidParameterValueException
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.emotion.model import read_metadata
from emotion_estimator.files import find_model
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S

FRAME_NS = NS_PER_S // 30
BLENDSHAPES_ALONE = 'basic7_blendshapes'
"""The made-up faces of these tests have no more."""


def message_of(values, stamp_ns, face='face_abc'):
    return Classification(
        header=Header(stamp=ROS.time(stamp_ns), frame_id=face),
        results=[ObjectHypothesis(class_id=name, score=score) for name, score in values.items()],
    )


def twice(message, name, score):
    message.results = [*message.results, ObjectHypothesis(class_id=name, score=score)]
    return message


@pytest.fixture
def wired(live):
    """Start a node; gives what it says and a way to hand it a message."""

    class Wired:
        def __init__(self):
            self.node = live.add(EmotionNode, model=BLENDSHAPES_ALONE)
            self.emotions = live.listen(Classification, '/emotion')
            self.publisher = live.publisher(Classification, '/blendshapes')
            live.until(lambda: self.publisher.get_subscription_count() == 1, 'the subscription')
            live.until(lambda: self.node.count_subscribers('/emotion') == 1, 'the listener')

        def send(self, message, emotions=None):
            received = self.node.statistics.report().received
            self.publisher.publish(message)
            live.until(lambda: self.node.statistics.report().received > received, 'the message')
            if emotions is not None:
                live.until(lambda: len(self.emotions) >= emotions, 'the emotion')

    return Wired()


def test_an_executor_looks_at_its_nodes_once_a_callback_and_others_wake_it(live):
    looks, done = [], []
    timer = live.tester.create_timer(0, lambda: done.append(1) or timer.cancel())
    live.until(lambda: done, 'the timer')
    nodes = live.executor.get_nodes
    live.executor.get_nodes = lambda: looks.append(1) or nodes()
    live.executor.spin_once(timeout_sec=0.05)
    assert len(looks) == 1
    threading.Timer(0.1, live.executor.create_task, (done.append, 2)).start()
    start_s = time.monotonic()
    live.executor.spin_once(timeout_sec=60)
    assert (done, time.monotonic() - start_s < 30) == ([1, 2], True)


def test_every_class_comes_sorted_with_the_images_header(live, wired):
    expressions = live.listen(Expression, '/humans/faces/abc/expression')
    for i in range(45):
        wired.send(message_of(SMILE, START_NS + i * FRAME_NS), i + 1)
    stamps = [nanoseconds(message.header.stamp) for message in wired.emotions]
    assert stamps == [START_NS + i * FRAME_NS for i in range(45)]
    last = wired.emotions[-1]
    assert last.header.frame_id == 'face_abc'
    scores = [result.score for result in last.results]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert len(last.results) == 8
    assert last.results[0].class_id == 'happy'
    live.until(lambda: expressions, 'expressions')
    live.until(lambda: expressions[-1].header == last.header, 'the last expression')
    assert expressions[-1].expression == Expression.HAPPY
    assert expressions[-1].confidence == pytest.approx(last.results[0].score)
    assert expressions[-1].valence > 0.5
    assert -1 <= expressions[-1].arousal <= 1


def test_unknown_is_an_empty_expression_without_confidence(live, wired):
    wired.node.set_parameters([Parameter('min_confidence', value=0.6)])
    expressions = live.listen(Expression, '/humans/faces/abc/expression')
    mixed = {name: (RESTING[name] + SMILE[name]) / 3 for name in RESTING}
    for i in range(45):
        wired.send(message_of(mixed, START_NS + i * FRAME_NS), i + 1)
    live.until(lambda: expressions, 'expressions')
    by_stamp = {str(e.header.stamp): e for e in expressions}
    for emotion in wired.emotions:
        expression = by_stamp.get(str(emotion.header.stamp))
        if expression is not None and emotion.results[0].class_id == 'unknown':
            assert (expression.expression, expression.confidence) == ('', 0.0)
        elif expression is not None:
            assert expression.expression == emotion.results[0].class_id


@pytest.mark.parametrize(
    'message, sentence',
    [
        (message_of({'jawOpen': 0.5}, START_NS), 'are missing'),
        (message_of({**RESTING, 'jawOpen': float('nan')}, START_NS), 'not a finite number'),
        (message_of(RESTING, 0), 'header.stamp is zero'),
        (message_of(RESTING, START_NS, face='camera'), 'names a face as face_<id>'),
        (message_of(RESTING, START_NS, face='face_'), 'names a face as face_<id>'),
        (message_of(RESTING, START_NS, face='face_1/x'), 'starts with a letter'),
        (message_of({}, START_NS), 'are missing'),
        (twice(message_of(RESTING, START_NS), 'jawOpen', 0.9), '53 results name only 52 features'),
    ],
)
def test_wrong_blendshapes_cost_one_counted_warning(wired, message, sentence):
    wired.send(message)
    report = wired.node.statistics.report()
    assert report.refused == 1
    assert sentence in report.last_error
    assert wired.emotions == []
    wired.send(message_of({**RESTING, 'tailWag': 0.5}, START_NS + FRAME_NS), 1)


@pytest.mark.parametrize(
    'step_ns, counted, emotions',
    [
        (0, 'came twice', 1),
        (-NS_PER_S, 'went back', 2),
        (3600 * NS_PER_S, 'jumped ahead', 2),
    ],
)
def test_stamps_that_repeat_go_back_or_jump(wired, step_ns, counted, emotions):
    wired.send(message_of(SMILE, START_NS), 1)
    wired.send(message_of(RESTING, START_NS + step_ns), emotions)
    report = wired.node.statistics.report()
    assert report.refused == 1
    assert counted in report.last_error
    assert len(wired.emotions) == emotions


def test_late_and_lone_messages_change_no_other_answer(wired):
    wrong = {10: -FRAME_NS, 15: -NS_PER_S // 2, 25: 3600 * NS_PER_S}
    for i in range(30):
        wired.send(message_of(SMILE, START_NS + i * FRAME_NS), i + 1)
        if i in wrong:
            wired.send(message_of(RESTING, START_NS + i * FRAME_NS + wrong[i]))
    stamps = [nanoseconds(message.header.stamp) for message in wired.emotions]
    assert stamps == [START_NS + i * FRAME_NS for i in range(30)]
    assert wired.emotions[-1].results[0].class_id == 'happy'
    assert wired.emotions[-1].results[0].score > 0.99
    report = wired.node.statistics.report()
    assert report.refused == len(wrong)
    assert 'stands alone; the message is left out' in report.last_error


@pytest.mark.parametrize(
    'rate_hz, timeout_s, advice',
    [
        (2, 1.0, 'max_gap_s of emotion_node to 0.8 (now 0.25), face_timeout_s'),
        (8, 0.1, 'face_timeout_s of emotion_node to 0.4 (now 0.1)'),
    ],
)
def test_samples_far_apart_name_the_parameters_to_set(wired, rate_hz, timeout_s, advice):
    wired.node.set_parameters([Parameter('face_timeout_s', value=timeout_s)])
    for i in range(5):
        wired.send(message_of(SMILE, START_NS + i * NS_PER_S // rate_hz), i + 1)
    (problem,) = wired.node.problems()
    assert advice in problem
    assert problem.endswith(
        'Where blendshape_node tells of images that do not arrive, mend that first.'
    )


def test_a_lost_faces_topic_goes_and_a_new_face_gets_its_own(live, wired):
    wired.node.set_parameters([Parameter('face_timeout_s', value=0.3)])

    def topics():
        return [
            t
            for t, _ in live.tester.get_publisher_names_and_types_by_node('emotion_node', '/')
            if t.startswith('/humans')
        ]

    wired.send(message_of(SMILE, START_NS), 1)
    live.until(lambda: topics() == ['/humans/faces/abc/expression'], 'the topic')
    refused = message_of(RESTING, 0)
    live.until(lambda: wired.send(refused) or topics() == [], 'the end of the topic')
    assert wired.node.facts()['faces'] == 0
    wired.send(message_of(SMILE, START_NS + NS_PER_S, face='face_xyz'), 2)
    live.until(lambda: topics() == ['/humans/faces/xyz/expression'], 'the new topic')


def test_without_ros4hri_there_is_no_expression_topic(live):
    node = live.add(EmotionNode, model=BLENDSHAPES_ALONE, ros4hri=False)
    emotions = live.listen(Classification, '/emotion')
    publisher = live.publisher(Classification, '/blendshapes')
    live.until(lambda: publisher.get_subscription_count() == 1, 'the subscription')
    live.until(lambda: node.count_subscribers('/emotion') == 1, 'the listener')
    publisher.publish(message_of(SMILE, START_NS))
    live.until(lambda: emotions, 'the emotion')
    assert node.facts()['faces'] == 1
    topics = [name for name, _ in live.tester.get_topic_names_and_types()]
    assert not any(name.startswith('/humans') for name in topics)


def test_a_pause_without_faces_is_no_warning(live, wired):
    wired.send(message_of(SMILE, START_NS), 1)
    messages = live.listen(DiagnosticArray, '/diagnostics')
    live.until(lambda: len(messages) >= 4, 'diagnostics')
    assert {status.level for message in messages for status in message.status} == {b'\x00'}


def test_every_transition_works_twice(live):
    node = live.add(EmotionNode, model=BLENDSHAPES_ALONE, autostart=False)
    emotions = live.listen(Classification, '/emotion')
    publisher = live.publisher(Classification, '/blendshapes')
    live.until(lambda: node.count_subscribers('/emotion') == 1, 'the listener')
    for turn in (1, 2):
        assert live.change(node, 'configure')
        assert live.change(node, 'activate')
        live.until(lambda: publisher.get_subscription_count() == 1, 'the subscription')
        publisher.publish(message_of(SMILE, START_NS + turn))
        live.until(lambda turn=turn: len(emotions) == turn, 'the emotion')
        assert live.change(node, 'deactivate')
        live.until(lambda: publisher.get_subscription_count() == 0, 'the end')
        assert live.change(node, 'cleanup')
        assert live.state(node) == 'unconfigured'


@pytest.mark.parametrize('damage', ['missing', 'truncated', 'wrong'])
def test_a_wrong_model_fails_the_transition_and_can_be_mended(live, tmp_path, damage, capfd):
    folder = tmp_path / 'mine'
    sentence = "There is no model 'mine'"
    name = 'mine'
    if damage != 'missing':
        shutil.copytree(find_model('basic7'), folder)
        name = str(folder)
        metadata = json.loads((folder / 'metadata.json').read_text())
        network = folder / metadata['network']
        if damage == 'truncated':
            network.write_bytes(network.read_bytes()[:100])
            sentence = 'truncated'
        else:
            metadata['schema'] = 2
            (folder / 'metadata.json').write_text(json.dumps(metadata))
            sentence = 'schema is 2'
    node = live.add(EmotionNode, autostart=False, model=name)
    assert not live.change(node, 'configure')
    assert live.state(node) == 'unconfigured'
    assert sentence in capfd.readouterr().err
    (result,) = node.set_parameters([Parameter('model', value='basic7')])
    assert result.successful
    assert live.change(node, 'configure')
    assert live.change(node, 'activate')


@pytest.mark.parametrize('name, value', [('min_confidence', 0.9), ('hysteresis', 0.5)])
def test_thresholds_out_of_range_are_refused(live, name, value):
    node = live.add(EmotionNode, model=BLENDSHAPES_ALONE, autostart=False)
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert 'out of range' in result.reason
    with pytest.raises(InvalidParameterValueException):
        live.add(EmotionNode, **{name: value})


def test_the_class_prior_changes_while_the_node_runs_and_only_to_what_fits(live, wired):
    def scores_of(number):
        wired.send(message_of(SMILE, START_NS + number * FRAME_NS), number + 1)
        return {result.class_id: result.score for result in wired.emotions[-1].results}

    node = wired.node
    for name, value in (('hysteresis', 1.0), ('min_confidence', 0.0), ('class_prior', 'training')):
        assert node.set_parameters([Parameter(name, value=value)])[0].successful
    before = scores_of(0)
    labels = [name for name in before if name != 'unknown']
    sad = ','.join(f'{name}={10 if name == "sad" else 1}' for name in labels)
    for wrong, sentence in (
        ('sad=1', 'class_prior lacks a share of'),
        (f'{sad},bored=1', "'bored' is none of the classes"),
    ):
        (result,) = node.set_parameters([Parameter('class_prior', value=wrong)])
        assert not result.successful and sentence in result.reason
    assert node.set_parameters([Parameter('class_prior', value=sad)])[0].successful
    stated = scores_of(1)
    assert node.set_parameters([Parameter('class_prior', value='uniform')])[0].successful
    uniform = scores_of(2)
    # Bayes: the same face, so that the odds among the votes differ by what was asked for alone.
    temperature = read_metadata(find_model(node.parameters['model'])).temperature
    odds, even = ((found['sad'] / found['happy']) ** temperature for found in (stated, uniform))
    assert odds == pytest.approx(10 * even, rel=0.2)
    assert sum(stated.values()) == pytest.approx(1)


def test_a_class_prior_that_does_not_fit_the_model_fails_the_configuration(live, capfd):
    node = live.add(EmotionNode, autostart=False, class_prior='happy=1,sad=1')
    assert not live.change(node, 'configure')
    assert 'class_prior lacks a share of angry' in capfd.readouterr().err
    assert node.set_parameters([Parameter('class_prior', value='uniform')])[0].successful
    assert live.change(node, 'configure')


@pytest.mark.parametrize(
    'name, value, sentence',
    [
        ('jawOpen', 1e30, 'jawOpen is 1e+30, but lies between -0.05 and 1.05'),
        ('jawOpen', -5.0, 'jawOpen is -5, but lies between'),
        ('visible.mouth', 1e30, 'visible.mouth is 1e+30'),
        ('head.yaw', 57.0, 'head.yaw is 57, but lies between -3.2 and 3.2'),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_name(live, wired, name, value, sentence):
    wired.send(message_of({**SMILE, name: value}, START_NS))
    live.until(lambda: wired.node.statistics.report().refused == 1, 'the refusal')
    assert sentence in wired.node.statistics.report().last_error
    # A little beyond is rounding.
    wired.send(message_of({**SMILE, 'jawOpen': 1.01}, START_NS + FRAME_NS), 1)
    assert len(wired.emotions) == 1


def test_faces_beyond_a_hundred_at_once_are_left_out(live, wired):
    for number in range(101):
        wired.send(message_of(SMILE, START_NS, f'face_f{number}'))
    live.until(lambda: wired.node.statistics.report().refused == 1, 'the refusal')
    assert '100 faces at once: f100 is left out' in wired.node.statistics.report().last_error
    assert wired.node.facts()['faces'] == 100
    # All of them are gone when the next one comes.
    wired.send(message_of(SMILE, START_NS + 60 * NS_PER_S, 'face_later'), 101)
    assert wired.node.facts()['faces'] == 1


def test_faces_whose_stamps_are_of_two_clocks_are_counted_and_named(wired):
    for number in range(3):
        wired.send(message_of(SMILE, START_NS + number * FRAME_NS, 'face_wall'), 2 * number + 1)
        wired.send(message_of(SMILE, NS_PER_S + number * FRAME_NS, 'face_boot'), 2 * number + 2)
    report = wired.node.statistics.report()
    assert report.refused == 3
    assert 'of face boot lies far behind that of wall' in report.last_error


@pytest.mark.parametrize('ros4hri_input', [False, True])
def test_the_security_policy_allows_what_both_nodes_do(
    live, landmarker_path, media, ros4hri_input
):
    node = live.add(
        BlendshapeNode,
        landmarker=str(landmarker_path),
        ros4hri_input=ros4hri_input,
        max_absence_s=60.0,
    )
    nodes = [node, live.add(EmotionNode, face_timeout_s=60.0)]
    if ros4hri_input:
        tracked = live.publisher(IdsList, '/humans/faces/tracked')
        live.until(lambda: tracked.get_subscription_count() == 1, 'the subscription')
        tracked.publish(IdsList(ids=['one']))
    else:
        camera = live.camera()
        face = cv2.resize(cv2.imread(str(media(SMILING))), (480, 480))
        camera.publish(image_message(face, START_NS))

    name, may, ends = (
        ('blendshape_node', 'subscribe', {'cropped'})
        if ros4hri_input
        else ('emotion_node', 'publish', {'expression'})
    )

    def last_parts():
        return {each.rsplit('/', 1)[-1] for each in done_by(live.tester, name)['topics', may]}

    live.until(lambda: last_parts() >= ends, "a face's topics")
    for each in nodes:
        assert_policy_allows(live.tester, each.get_name())
