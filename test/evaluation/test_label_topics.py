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

"""Labels from a topic of the bag, and what the report says of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from helpers.bags import START_NS, STEP_NS, header, replay, text, write_bag
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.evaluation.label_files import LabelSource, labels_of_table
from emotion_estimator.evaluation.label_readers import read_table
from emotion_estimator.evaluation.label_topics import (
    Message,
    label_messages,
    labels_of_messages,
)
from emotion_estimator.evaluation.labels import (
    MOST_REPORTED,
    Given,
    LabelError,
    Recorded,
    Segment,
    place,
)
from emotion_estimator.evaluation.report.write import write_labelled_report
from emotion_estimator.messages import (
    CLASSIFICATION,
    EXPRESSION,
    OBJECT_HYPOTHESIS,
    bag_types,
)
from emotion_estimator.stamps import NS_PER_S

STORE = bag_types()
HALVES = replay('happy ' * 20 + 'sad ' * 20)


def expression(frame, label, frame_id='face_abc', stamp_ns=None):
    stamp_ns = START_NS + frame * STEP_NS if stamp_ns is None else stamp_ns
    return STORE.types[EXPRESSION](
        header=header(STORE, stamp_ns, frame_id),
        expression=label,
        valence=0.0,
        arousal=0.0,
        confidence=1.0,
    )


def classification(frame, frame_id='face_abc', **scores):
    hypothesis = STORE.types[OBJECT_HYPOTHESIS]
    return STORE.types[CLASSIFICATION](
        header=header(STORE, START_NS + frame * STEP_NS, frame_id),
        results=[hypothesis(class_id=name, score=score) for name, score in scores.items()],
    )


def label_bag(path, messages, cut=None):
    """Write a bag; of its second message, bytes behind `cut` are left away."""
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for number, (topic, message, *received_ns) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            raw = STORE.serialize_cdr(message, kind)[: cut if number == 1 else None]
            writer.write(connections[topic], *(received_ns or [START_NS + number]), raw)
    return path


def metrics(folder):
    return json.loads((folder / 'metrics.json').read_text())


def test_labels_of_expressions_and_classifications(tmp_path):
    path = label_bag(
        tmp_path / 'walk',
        [
            ('/humans/faces/abc/expression', expression(0, 'happy', 'camera')),
            ('/humans/faces/def/expression', expression(5, '', 'face_def')),
            ('/truth', classification(0, sad=0.1, happy=0.7, neutral=0.2)),
            ('/truth', classification(3, 'camera')),
        ],
    )
    of_faces = [
        Message(START_NS, START_NS, 'abc', 'happy'),
        Message(START_NS + 5 * STEP_NS, START_NS + 1, 'def', ''),
    ]
    of_truth = [
        Message(START_NS, START_NS + 2, 'abc', 'happy'),
        Message(START_NS + 3 * STEP_NS, START_NS + 3, '', ''),
    ]
    assert label_messages(path, '/humans/faces/*/expression') == (of_faces, 0)
    assert label_messages(path, '/truth') == (of_truth, 0)


S = 1_000_000_000
START = 1_700_000_000 * S
SPAN = START, START + 10 * S


def heard(at_s, face, name, stamp_ns=None):
    at_ns = START + round(at_s * S)
    return Message(at_ns if stamp_ns is None else stamp_ns, at_ns, face, name)


def times(found):
    return [
        ((one.start_ns - START) / S, round((one.end_ns - START) / S, 3), one.face, one.label)
        for one in found.segments
    ]


def test_messages_hold_until_the_next_of_their_face():
    messages = [
        heard(1, 'a', 'happy'),
        heard(2, 'b', 'sadness'),
        heard(3, 'a', 'happy'),
        heard(5, 'a', ''),
        heard(6, 'b', 'bored'),
    ]
    found = labels_of_messages(messages, '/truth', *SPAN)
    assert times(found) == [(1, 5, 'a', 'happy'), (2, 6, 'b', 'sad')]
    assert "/truth: 1 messages, the first at 6.00 s, name 'bored'" in found.problems[0]
    assert found.hints == ()


def test_messages_of_one_face_are_of_any_face():
    found = labels_of_messages([heard(1, 'x', 'happy')], '/truth', *SPAN)
    assert found.segments == (Segment(START + S, START + 10 * S + 1, '', 'happy'),)
    assert labels_of_messages([], '/truth', 0, S).segments == ()


@pytest.mark.parametrize(
    'stamps_ns, by_receipt, expected',
    [
        ((0, 0), 2, [(1, 4, 'neutral'), (4, 10, 'happy')]),
        ((START, START), 2, [(1, 4, 'neutral'), (4, 10, 'happy')]),
        ((5 * S, 8 * S), 2, [(1, 4, 'neutral'), (4, 10, 'happy')]),  # such as since the start
        ((START + 2 * S, 0), 1, [(2, 4, 'neutral'), (4, 10, 'happy')]),
        ((START, START + 3 * S), 0, [(0, 3, 'neutral'), (3, 10, 'happy')]),
    ],
)
def test_labels_without_right_stamps_hold_from_when_they_were_recorded(
    stamps_ns, by_receipt, expected
):
    named = zip((1, 4), ('neutral', 'happy'), stamps_ns)
    messages = [heard(at_s, '', name, stamp_ns) for at_s, name, stamp_ns in named]
    found = labels_of_messages(messages, '/truth', *SPAN)
    assert [(*each[:2], each[3]) for each in times(found)] == expected
    said = f'{by_receipt} of 2 labels have no right stamp (header.stamp); the times at which'
    assert [said in hint for hint in found.hints] == [True] * bool(by_receipt)
    assert found.losses == ()


def test_of_labels_of_one_time_the_last_one_of_the_bag_holds():
    messages = [heard(1, '', 'sad'), heard(3, '', 'neutral'), heard(3, '', 'happy')]
    found = labels_of_messages(messages, '/truth', *SPAN)
    assert times(found) == [(1, 3, '', 'sad'), (3, 10, '', 'happy')]


def labels_of_rows(folder, rows):
    path = folder / 'labels.csv'
    path.write_text('\n'.join(['start_s,end_s,emotion', *rows]) + '\n', encoding='utf-8')
    walk = Recorded(folder / 'walk', *SPAN, START)
    return labels_of_table(read_table(path), {'walk': walk})['walk']


def test_a_table_with_a_row_a_frame_says_what_messages_of_each_frame_say(tmp_path):
    names = ['happy'] * 40 + ['sad'] * 3 + ['happy'] * 58
    messages = [heard(i / 10, '', name) for i, name in enumerate(names)]
    rows = [f'{i / 10},{(i + 1) / 10},{name}' for i, name in enumerate(names)]
    found = labels_of_rows(tmp_path, rows)
    assert times(found) == [(0, 4, '', 'happy'), (4, 4.3, '', 'sad'), (4.3, 10, '', 'happy')]
    assert found.segments == labels_of_messages(messages, '/truth', *SPAN).segments
    assert found.problems == found.losses == found.hints == ()


def test_a_table_may_count_one_recording_from_1970_and_another_from_its_first_image(tmp_path):
    begin_s = START_NS // NS_PER_S
    rows = f'clip,1,4,sad\nbag,{begin_s + 1},{begin_s + 3},happy\n'
    (tmp_path / 'labels.csv').write_text(f'recording,start_s,end_s,emotion\n{rows}')
    firsts_ns = {'bag': START_NS, 'clip': NS_PER_S}
    spans = {
        name: Recorded(tmp_path / name, first_ns, first_ns + 10 * NS_PER_S, first_ns)
        for name, first_ns in firsts_ns.items()
    }
    found = labels_of_table(read_table(tmp_path / 'labels.csv'), spans)
    bag, clip = found['bag'], found['clip']
    assert bag.segments == (Segment(START_NS + NS_PER_S, START_NS + 3 * NS_PER_S, '', 'happy'),)
    assert clip.segments == (Segment(2 * NS_PER_S, 5 * NS_PER_S, '', 'sad'),)
    assert bag.losses == clip.losses == ()


@pytest.mark.parametrize(
    'rows, expected',
    [
        (['0,5', '5,10'], [(0, 5), (5, 10)]),
        (['0,1', '1,2'], [(0, 1), (1, 2)]),
        (['0,0.5', '0.5,5', '5,9'], [(0, 5), (5, 9)]),
        (['5,5.5', '0,5'], [(0, 5.5)]),
        (['0,0.5', '0.55,1', '1,1.5'], [(0, 0.5), (0.55, 1.5)]),
        (['0,0.299', '0.3,0.6000000000000001', '0.6,0.9'], [(0, 0.9)]),  # as rounded and summed up
        (['0,0.001', '0.002,0.003'], [(0, 0.001), (0.002, 0.003)]),
    ],
)
def test_rows_of_one_label_that_touch_are_one_where_either_is_short(tmp_path, rows, expected):
    found = labels_of_rows(tmp_path, [f'{row},happy' for row in rows])
    assert [each[:2] for each in times(found)] == expected
    assert found.problems == ()


def test_an_old_label_that_was_kept_for_the_recording_holds():
    (found,) = times(labels_of_messages([heard(0, '', 'sad', START - 3600 * S)], '/t', *SPAN))
    assert found == (0, 10, '', 'sad')


def test_labels_without_stamps_recorded_by_another_clock_are_not_used():
    messages = [Message(0, 5 * S, '', 'neutral'), Message(0, 8 * S, '', 'happy')]
    found = labels_of_messages(messages, '/truth', *SPAN)
    assert found.segments == () and found.given == 2
    (loss,) = found.losses
    assert '2 of 2 labels have no right stamp (header.stamp), and were recorded before' in loss


def reported(folder, messages, **options):
    """Judge one recording by what its bag's messages on /truth say."""
    bag = label_bag(folder / 'walk', messages, **options)
    return write_labelled_report(folder, {'walk': bag}, [HALVES], LabelSource(topic='/truth'))


def test_labels_of_a_topic_that_lie_outside_are_told_with_its_recording(tmp_path):
    report = reported(tmp_path, [('/truth', expression(400, 'happy'))])
    (loss,) = report.losses
    assert loss.startswith('/truth, walk: 1 of 1 labels lie outside the recording, whose images')


def test_a_topic_that_is_not_there_is_reported_with_those_that_are(tmp_path):
    path = write_bag(tmp_path / 'walk', [('/chatter', START_NS, text(STORE, 'hello'))])
    with pytest.raises(LabelError, match=r'on /truth; topics there: /chatter \(std_msgs'):
        label_messages(path, '/truth')
    (tmp_path / 'broken.mcap').write_text('no bag')
    with pytest.raises(LabelError, match=r'/truth of .*broken\.mcap cannot be read'):
        label_messages(tmp_path / 'broken.mcap', '/truth')


def test_the_report_judges_by_the_topic_and_tells_of_bags_without(tmp_path):
    messages = [('/truth', expression(0, 'happy')), ('/truth', expression(30, 'sad'))]
    bag = label_bag(tmp_path / 'walk', messages)
    other = write_bag(tmp_path / 'sit', [('/chatter', START_NS, text(STORE, 'hello'))])
    runs = [HALVES, replace(HALVES, recording='sit')]
    out = tmp_path / 'out'
    report = write_labelled_report(
        out, {'walk': bag, 'sit': other}, runs, LabelSource(topic='/truth')
    )
    assert report.page == out / 'report.html'
    assert ['sit has no' in loss for loss in report.losses] == [True]
    found = metrics(out)
    assert found['figures']['accuracy']['value'] == 0.75
    assert 'accuracy' not in found['recordings']['sit']['figures']
    assert ['sit has no' in problem for problem in found['problems']] == [True]


def test_labels_of_a_bag_without_stamps_are_judged_by_receipt_and_it_is_said(tmp_path):
    times_ns = START_NS, START_NS + 20 * STEP_NS
    labels = [expression(0, name, stamp_ns=0) for name in ('sad', 'happy')]
    report = reported(tmp_path, [('/truth', *each) for each in zip(labels, times_ns)])
    labels = metrics(tmp_path)['recordings']['walk']['labels']
    found = [(one['start_ns'], one['label']) for one in labels]
    assert found == list(zip(times_ns, ('sad', 'happy')))
    assert report.losses == ()
    assert '2 of 2 labels have no right stamp' in report.hints[0]
    assert report.hints[0] in metrics(tmp_path)['problems']


@pytest.mark.parametrize('score', [math.nan, math.inf, -math.inf])
def test_labels_whose_scores_are_not_finite_are_left_out_and_counted(tmp_path, score):
    said = [
        ('/truth', classification(0, happy=0.7, sad=0.3)),
        ('/truth', classification(10, happy=0.6, sad=score)),
        ('/truth', classification(15, happy=score, sad=0.2)),
        ('/truth', classification(20, happy=0.1, sad=0.9)),
    ]
    report = reported(tmp_path, said)
    labels = metrics(tmp_path)['recordings']['walk']['labels']
    found = [
        ((one['start_ns'] - START_NS) // STEP_NS, (one['end_ns'] - START_NS) // STEP_NS)
        for one in labels
    ]
    assert found == [(0, 10), (20, 39)]
    assert [one['label'] for one in labels] == ['happy', 'sad']
    assert report.losses == (
        f'/truth, walk: 2 messages, the first at {10 * STEP_NS / S:.2f} s, have scores that are '
        'no finite numbers; their time was left out.',
    )


def test_a_damaged_message_costs_no_other_label_of_its_bag(tmp_path):
    frames = (0, 'happy'), (10, 'neutral'), (20, 'sad')
    said = [('/truth', expression(frame, name)) for frame, name in frames]
    report = reported(tmp_path, said, cut=20)
    assert metrics(tmp_path)['figures']['accuracy']['value'] == 1.0
    (loss,) = report.losses
    assert loss.startswith('/truth, walk: 1 damaged messages are left out;')
    assert loss in metrics(tmp_path)['problems']


# What is said of many labels.


@pytest.mark.parametrize(
    'begin, length, more',
    [
        (0, 5, f'{4 * 40 - 10 - MOST_REPORTED} more pairs of labels overlap.'),
        (0, 0.5, f'{39 - MOST_REPORTED} more times are not labelled.'),
        (-1.5, 2, f'{40 - MOST_REPORTED} more labels reach beyond the recording.'),
        (-9, 1, f'{40 - MOST_REPORTED} more labels lie outside the recording.'),
    ],
)
def test_of_many_faults_of_a_kind_some_are_told_and_the_others_counted(begin, length, more):
    apart = 0 if begin else 1
    given = []
    for number in range(40):
        start, face = begin + number * apart, '' if apart else f'face_{number}'
        span = (round((start + edge) * NS_PER_S) + START_NS for edge in (0, length))
        given.append(Given(f'line {number}', Segment(*span, face, f'{number}')))
    problems = place(given, START_NS, START_NS + 100 * NS_PER_S).problems
    assert problems[MOST_REPORTED:] == (more,)
    assert problems[0].startswith(('line 0: ', 'line 1: '))
