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

"""What the live view records, and what is left of a recording that ends midway."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from helpers.live_nodes import START_NS, image_message
from hri_msgs.msg import IdsList
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.messages import IDS_LIST, bag_types
from emotion_estimator.replay.files import open_recording
from emotion_estimator.view import recorder as recorder_module
from emotion_estimator.view.recorder import Recorder, RecordingNameError, recording_path


@pytest.mark.parametrize(
    'name',
    ['../evil', '/etc/evil', '..', 'a/b', 'a\\b', '.hidden', 'x' * 61, 'a\0b', '<script>', '-o'],
)
def test_a_recording_stays_in_its_folder(tmp_path, name):
    with pytest.raises(RecordingNameError, match='letters, digits'):
        recording_path(tmp_path, name)


def test_a_recording_has_a_name_of_its_own(tmp_path):
    assert recording_path(tmp_path, 'walk').name == 'walk.mcap'
    assert recording_path(tmp_path, 'walk.mcap').parent == tmp_path
    assert recording_path(tmp_path, '').suffix == '.mcap'
    (tmp_path / 'walk.mcap').touch()
    with pytest.raises(RecordingNameError, match=r'recording walk\.mcap already'):
        recording_path(tmp_path, 'walk')


def test_a_recording_holds_what_was_published_and_replay_opens_it(live, tmp_path):
    recorder = Recorder(live.tester, tmp_path / 'recordings')
    recorder.start('walk', ('/camera/image', 'sensor_msgs/msg/Image'))
    emotion = live.publisher(Classification, '/emotion')
    images = live.publisher(Image, '/camera/image')
    for publisher in (emotion, images):
        live.until(lambda p=publisher: p.get_subscription_count() == 1, 'the subscription')
    said = [ObjectHypothesis(class_id=k, score=s) for k, s in (('happy', 0.75), ('unknown', 0.25))]
    emotion.publish(Classification(results=said))
    bgr = np.full((24, 32, 3), 7, np.uint8)
    for number in range(3):
        images.publish(image_message(bgr, START_NS + number * 40_000_000))
    live.until(lambda: recorder.facts()['messages'] == 4, 'the messages')
    facts = recorder.facts()
    assert (facts['records'], facts['name']) == (True, 'walk.mcap')
    recorder.stop()
    path = tmp_path / 'recordings' / 'walk.mcap'
    assert recorder.facts()['word'] == f'{path} is written: 4 messages.'
    assert [each.name for each in path.parent.iterdir()] == ['walk.mcap']
    with AnyReader([path], default_typestore=bag_types()) as reader:
        topics = {connection.topic for connection in reader.connections}
        assert topics == {'/emotion', '/camera/image'}
        (connection,) = (c for c in reader.connections if c.topic == '/emotion')
        ((_, _, raw),) = reader.messages([connection])
        read = reader.deserialize(raw, connection.msgtype)
    assert [(x.class_id, x.score) for x in read.results] == [('happy', 0.75), ('unknown', 0.25)]
    recording = open_recording(path)
    frames = [(frame.stamp_ns, frame.decode()) for frame in recording.frames()]
    recording.close()
    assert [stamp_ns - START_NS for stamp_ns, _ in frames] == [0, 40_000_000, 80_000_000]
    np.testing.assert_array_equal(frames[0][1], bgr)


def test_of_two_live_views_one_alone_writes_a_recording_of_one_name(live, tmp_path):
    first, second = both = [Recorder(live.tester, tmp_path) for _ in range(2)]
    for recorder in both:
        recorder.start('walk', None)
    assert (first.facts()['records'], second.facts()['records']) == (True, False)
    assert 'There is a recording walk.mcap already' in second.facts()['word']
    first.stop()
    assert [each.name for each in tmp_path.iterdir()] == ['walk.mcap']


def test_a_recording_whose_folder_goes_ends_with_a_sentence(live, tmp_path):
    recorder = Recorder(live.tester, tmp_path / 'stick')
    recorder.start('walk', None)
    shutil.rmtree(tmp_path / 'stick')
    emotion = live.publisher(Classification, '/emotion')
    live.until(emotion.get_subscription_count, 'the subscription')
    emotion.publish(Classification())
    live.until(lambda: not recorder.facts()['records'], 'the end of it')
    assert 'walk.mcap cannot be written: No such file' in recorder.facts()['word']


def test_what_is_said_of_a_face_is_recorded_where_the_list_is_remapped(live, tmp_path):
    remapped = ['--ros-args', '-r', '/humans/faces/tracked:=/robot/faces']
    node = rclpy.create_node('remapped', context=live.context, cli_args=remapped)
    live.executor.add_node(node)
    recorder = Recorder(node, tmp_path)
    recorder.start('walk', None)
    tracked = live.publisher(IdsList, '/robot/faces')
    live.until(tracked.get_subscription_count, 'the subscription')
    tracked.publish(IdsList(ids=['abc']))
    live.until(lambda: node.count_subscribers('/humans/faces/abc/roi'), 'the face')
    recorder.stop()
    node.destroy_node()


def test_a_recording_that_cannot_be_written_is_reported(live, tmp_path):
    (taken := tmp_path / 'taken').write_text('a file')
    for folder, why in ((taken, 'is a file, not'), (tmp_path / ('x' * 300), 'name too long')):
        (recorder := Recorder(live.tester, folder)).start('walk', None)
        assert (recorder.facts()['records'], why in recorder.facts()['word']) == (False, True)
    recorder.start('../walk', None)
    assert 'letters, digits' in recorder.facts()['word']


# What ends midway.


IMAGE = 'sensor_msgs/msg/Image'


def write_images(recorder, count):
    """Give a recorder images of a megabyte, more than its bag gathers before it writes."""
    raw = bytes(serialize_message(image_message(np.zeros((512, 700, 3), np.uint8), START_NS)))
    for _ in range(count):
        recorder._write('/image', IMAGE, raw)


def images_in(path):
    recording = open_recording(path)
    try:
        return sum(1 for _ in recording.frames())
    finally:
        recording.close()


KILLED = """
import os, signal, sys
from pathlib import Path
import rclpy
from test_recorder import IMAGE, write_images
from emotion_estimator.view.recorder import Recorder

rclpy.init()
recorder = Recorder(rclpy.create_node('killed'), Path(sys.argv[1]))
recorder.start('walk', ('/image', IMAGE))
write_images(recorder, 5)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_view_recorded_has_its_name_when_the_next_one_starts(live, tmp_path):
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)}
    environment['PYTHONPATH'] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    run = [sys.executable, '-c', KILLED, str(tmp_path)]
    assert subprocess.run(run, env=environment, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith('.walk.mcap.')
    (tmp_path / 'walk.mcap').write_bytes(b'an older one')
    recorder = Recorder(live.tester, tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ['walk.mcap', 'walk_2.mcap']
    assert images_in(tmp_path / 'walk_2.mcap') == 5
    recorder.start('walk_2', None)
    assert 'There is a recording walk_2.mcap already' in recorder.facts()['word']


def test_what_was_recorded_before_a_file_can_grow_no_more_is_kept(live, tmp_path):
    recorder = Recorder(live.tester, tmp_path)
    recorder.start('stick', (IMAGE, IMAGE))
    write_images(recorder, 3)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.facts()['bytes'], limits[1]))
    try:
        write_images(recorder, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    facts = recorder.facts()
    assert not facts['records']
    assert 'cannot be written: File too large' in facts['word']
    assert facts['word'].endswith(' What was written until then is in stick.mcap.')
    assert [each.name for each in tmp_path.iterdir()] == ['stick.mcap']
    assert images_in(tmp_path / 'stick.mcap') == 3


def test_a_recording_that_a_full_disk_ends_listens_to_no_face(live, tmp_path, monkeypatch):
    recorder = Recorder(live.tester, tmp_path)
    recorder.start('walk', None)
    full = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=1))
    monkeypatch.setattr(recorder_module, 'shutil', full)
    raw = bytes(serialize_message(IdsList(ids=['abcde'])))
    recorder._write('/humans/faces/tracked', IDS_LIST, raw)
    assert recorder.facts()['word'].startswith('The recording has ended, since less than 500 MB')
    assert live.tester.count_subscribers('/humans/faces/abcde/roi') == 0
