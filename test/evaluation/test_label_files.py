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

"""Labels of topics, folders and tables beside recordings are found and reach the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.bags import START_NS, STEP_NS, header, replay, text, write_bag
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.evaluation.label_files import (
    LabelSource,
    Recorded,
    find_labels,
    labels_of_folder,
)
from emotion_estimator.evaluation.label_topics import label_messages, labels_of_messages
from emotion_estimator.evaluation.labels import LabelError, Segment
from emotion_estimator.evaluation.report.write import write_labelled_report
from emotion_estimator.messages import (
    CLASSIFICATION,
    EXPRESSION,
    OBJECT_HYPOTHESIS,
    bag_types,
)

S = 1_000_000_000
START = 1_700_000_000 * S
SPAN = START, START + 10 * S


def seconds(segments):
    return [
        ((one.start_ns - START) / S, (one.end_ns - START) / S, one.face, one.label)
        for one in segments
    ]


def test_messages_hold_until_the_next_of_their_face():
    messages = [
        (START + 1 * S, 'a', 'happy'),
        (START + 2 * S, 'b', 'sadness'),
        (START + 3 * S, 'a', 'happy'),
        (START + 5 * S, 'a', ''),
        (START + 6 * S, 'b', 'bored'),
    ]
    found = labels_of_messages(messages, '/truth', *SPAN)
    assert seconds(found.segments) == [(1, 5, 'a', 'happy'), (2, 6, 'b', 'sad')]
    assert "/truth: 1 messages, the first at 6.00 s, name 'bored'" in found.problems[0]


def test_messages_of_one_face_are_of_any_face():
    found = labels_of_messages([(START + S, 'x', 'happy')], '/truth', *SPAN)
    assert found.segments == (Segment(START + S, START + 10 * S + 1, '', 'happy'),)
    assert labels_of_messages([], '/truth', 0, S).segments == ()


def test_the_nearest_folder_that_is_an_expression_is_the_label():
    found = labels_of_folder(Path('/data/sad/Happiness/day1/walk.mcap'), 5, 9)
    assert found.segments == (Segment(5, 10, '', 'happy'),)
    found = labels_of_folder(Path('/data/day1/walk.mcap'), 5, 9)
    assert found.segments == ()
    assert 'no folder above it is named after an expression' in found.problems[0]


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / 'sad' / 'v1.5').mkdir(parents=True)
    (tmp_path / 'walk.mcap').touch()
    return {
        'walk.mcap': Recorded(tmp_path / 'walk.mcap', 0, 9 * S, 0),
        'v1.5': Recorded(tmp_path / 'sad' / 'v1.5', 0, 9 * S, 0),
    }


def test_a_table_beside_a_recording_is_its_own(recorded, tmp_path):
    (tmp_path / 'walk.csv').write_text('start_s,end_s,emotion\n1,2,sad\n')
    assert list(find_labels(LabelSource(), recorded)) == ['walk.mcap']
    (tmp_path / 'sad' / 'v1.5.csv').write_text('start,end\n')
    found = find_labels(LabelSource(), recorded)
    assert found['walk.mcap'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert found['v1.5'].segments == ()
    assert 'lacks the column' in found['v1.5'].problems[0]


def test_a_table_that_was_named_is_of_all_recordings(recorded, tmp_path):
    path = tmp_path / 'all.csv'
    path.write_text('recording,start_s,end_s,emotion\nv1.5,1,2,sad\n')
    found = find_labels(LabelSource(path), recorded)
    assert found['v1.5'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert found['walk.mcap'].problems == ('all.csv holds no label of walk.mcap.',)
    with pytest.raises(LabelError, match='not from several'):
        find_labels(LabelSource(path, from_folders=True), recorded)
    with pytest.raises(LabelError, match='cannot be read'):
        find_labels(LabelSource(tmp_path / 'absent.csv'), recorded)


def test_folders_label_what_they_hold(recorded):
    found = find_labels(LabelSource(from_folders=True), recorded)
    assert [one.label for one in found['v1.5'].segments] == ['sad']
    assert found['walk.mcap'].segments == ()


# Labels from a bag's topic, a table beside it or folders reach the report.


STORE = bag_types()
WALK = replay('happy ' * 20 + 'sad ' * 20)


def expression(frame, label, frame_id='face_abc'):
    return STORE.types[EXPRESSION](
        header=header(STORE, START_NS + frame * STEP_NS, frame_id),
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


def label_bag(path, messages):
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for number, (topic, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            raw = STORE.serialize_cdr(message, kind)
            writer.write(connections[topic], START_NS + number, raw)
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
    assert label_messages(path, '/humans/faces/*/expression') == [
        (START_NS, 'abc', 'happy'),
        (START_NS + 5 * STEP_NS, 'def', ''),
    ]
    assert label_messages(path, '/truth') == [
        (START_NS, 'abc', 'happy'),
        (START_NS + 3 * STEP_NS, '', ''),
    ]


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
    runs = [WALK, replace(WALK, recording='sit')]
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


def test_a_table_beside_a_bag_is_found_and_an_empty_recording_harms_nothing(tmp_path):
    (tmp_path / 'walk').mkdir()
    (tmp_path / 'walk.csv').write_text('start_s,end_s,emotion\n0,4,happy\n')
    paths = {'walk': tmp_path / 'walk', 'none': tmp_path / 'none'}
    runs = [WALK, replay(name='none', problems=['none: cannot be read.'])]
    write_labelled_report(tmp_path / 'out', paths, runs, LabelSource())
    found = metrics(tmp_path / 'out')
    assert found['figures']['accuracy']['value'] == 0.5
    assert found['problems'] == ['none: cannot be read.']


def test_labels_come_from_one_source(tmp_path):
    source = LabelSource(topic='/truth', from_folders=True)
    with pytest.raises(LabelError, match='not from several'):
        write_labelled_report(tmp_path, {'walk': tmp_path}, [WALK], source)
