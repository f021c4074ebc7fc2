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

"""The demonstration's processes: how they are led, what libraries write, what its camera sends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image

from emotion_estimator.extras.camera_node import CameraNode
from emotion_estimator.extras.node_processes import (
    ACTIVATE,
    CONFIGURE,
    NodeProcess,
    StartUpSieve,
    find_video,
    is_start_up,
    lead,
    own_stderr_sieved,
)
from emotion_estimator.files import OutputError
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


def test_a_node_is_led_and_a_step_that_is_already_done_counts_as_done(live):
    node = live.add(EmotionNode, autostart=False)
    for transition, label in (
        (CONFIGURE, 'inactive'),
        (CONFIGURE, 'inactive'),
        (ACTIVATE, 'active'),
        (ACTIVATE, 'active'),
    ):
        assert lead(live.tester, live.executor, 'emotion_node', transition, timeout_s=20)
        assert node._state_machine.current_state[1] == label


def test_a_node_that_cannot_be_configured_or_is_not_there_is_not_led(live):
    live.add(EmotionNode, autostart=False, model='nothing')
    assert not lead(live.tester, live.executor, 'emotion_node', CONFIGURE, timeout_s=20)
    assert not lead(live.tester, live.executor, 'nobody', CONFIGURE, timeout_s=0.5)


def test_a_node_whose_process_has_ended_is_waited_for_no_longer(live):
    looks = iter([True, True])
    start_s = time.monotonic()
    assert not lead(
        live.tester, live.executor, 'nobody', CONFIGURE, running=lambda: next(looks, False)
    )
    assert time.monotonic() - start_s < 30


def test_a_video_that_ros_cannot_name_is_refused_before_a_node_starts(tmp_path):
    folder = tmp_path / 'no UTF-8 \udcff'
    folder.mkdir()
    with pytest.raises(ValueError, match=r"\\udcff' is no UTF-8, which ROS needs; rename it"):
        find_video(str(folder))


@pytest.mark.parametrize('video, status', [('multi_face.jpg', 0), ('nothing.jpg', 1)])
def test_a_process_that_ends_by_itself_is_waited_for_and_gives_its_own_status(
    live, media, tmp_path, monkeypatch, video, status
):
    monkeypatch.setenv('ROS_DOMAIN_ID', str(live.domain_id))
    path = tmp_path / video if status else media(video)
    images = live.listen(Image, '/image')
    camera = NodeProcess('extras.camera_node', '-p', f'video:={path}', '-p', 'wait_for:=tester')
    live.until(lambda: images or not camera.running(), 'the photograph')
    assert camera.wait() == status
    assert bool(images) != bool(status)


# Start-up lines of native libraries are kept in a file; everything else is still read.


START_UP = (
    b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n',
    b'WARNING: Logging before InitGoogle() is written to STDERR\n',
    b'W0000 00:00:1795966955.218556   15443 face_landmarker_graph.cc:181] Sets '
    b'FaceBlendshapesGraph acceleration to xnnpack by default.\n',
    b'W0000 00:00:1795966955.243022   15447 inference_feedback_manager.cc:121] Feedback manager '
    b'requires a model with a single signature inference.\n',
    b'I0000 00:00:1795966955.243022   15447 gl_context_egl.cc:85] Initialized EGL 1.5\n',
)
WORTH_READING = (
    b'Traceback (most recent call last):\n',
    b'E0000 00:00:1795966955.218556   15443 face_landmarker_graph.cc:181] Cannot open it.\n',
    b'F0000 00:00:1795966955.218556   15443 calculator_graph.cc:9] Check failed: x\n',
    b'W0000 00:00:1795966955.218556   15443 other.cc:1] An unknown warning.\n',
    b'[ERROR:0@1.0] global x.cpp:1 setPreferableTarget failed\n',
    b'[ WARN:0@1.0] global cap.cpp:1 open cannot open the camera\n',
    b'[WARN] [1795966977.049] [blendshape_node]: Nothing arrived on /image for 2 s.\n',
    b'[ERROR] [1795966977.049] [emotion_node]: There is no model.\n',
    b'INFO: something else\n',
    b'\n',
)


@pytest.mark.parametrize('line', START_UP)
def test_a_known_start_up_line_is_reported(line):
    assert is_start_up(line)


@pytest.mark.parametrize('line', WORTH_READING)
def test_errors_and_unknown_lines_are_no_start_up_lines(line):
    assert not is_start_up(line)


def test_a_process_s_lines_are_parted_in_their_order_and_none_is_lost(tmp_path):
    passed = []
    content = b''.join(a + b for a, b in zip(START_UP, WORTH_READING)) + b'no end'
    code = f'import os; [os.write(2, bytes([b])) for b in {content!r}]'
    log = tmp_path / 'new' / 'nodes.log'
    with StartUpSieve(log, passed.append) as sieve:
        subprocess.run([sys.executable, '-c', code], stderr=sieve, check=True)
    assert log.read_bytes() == b''.join(START_UP)
    assert passed == [*WORTH_READING[: len(START_UP)], b'no end']


def test_what_was_logged_before_is_kept(tmp_path):
    log = tmp_path / 'log'
    for line in START_UP[:2]:
        with StartUpSieve(log, lambda line: None) as sieve:
            os.write(sieve.fileno(), line)
    assert log.read_bytes() == START_UP[0] + START_UP[1]


def test_a_process_that_lives_on_holds_no_sieve_up(tmp_path):
    passed = []
    with StartUpSieve(tmp_path / 'log', passed.append) as sieve:
        code = 'import os, sys; os.write(2, b"here"); sys.stdout.write("."); sys.stdout.flush(); '
        process = subprocess.Popen(
            [sys.executable, '-c', code + 'sys.stdin.read()'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sieve,
        )
        assert process.stdout.read(1) == b'.'
    assert passed == [b'here']
    process.communicate()


def test_the_process_s_own_native_lines_are_sieved_and_its_stderr_comes_back(tmp_path, capfd):
    log = tmp_path / 'log'
    with own_stderr_sieved(log):
        os.write(2, START_UP[0] + WORTH_READING[0])
        os.system('echo from a child >&2')
    os.write(2, START_UP[1])
    assert log.read_bytes() == START_UP[0]
    said = capfd.readouterr().err.encode()
    assert said == WORTH_READING[0] + b'from a child\n' + START_UP[1]


def test_an_error_inside_leaves_stderr_as_it_was(tmp_path, capfd):
    with pytest.raises(ValueError, match='wrong'), own_stderr_sieved(tmp_path / 'log'):
        os.write(2, b'before\n')
        raise ValueError('wrong')
    os.write(2, b'after\n')
    assert capfd.readouterr().err == 'before\nafter\n'


def test_a_log_that_cannot_be_written_is_named_before_anything_is_started(tmp_path):
    for place, reason in ((tmp_path, 'Is a directory'), (tmp_path / 'log' / 'a', 'log is a file')):
        (tmp_path / 'log').touch()
        said = f'{place} cannot be written: .*{reason}'
        with pytest.raises(OutputError, match=said), StartUpSieve(place, lambda line: None):
            pytest.fail('It has begun.')


def test_a_full_disk_or_a_closed_terminal_holds_no_process_up(tmp_path):
    def broken(line):
        raise BrokenPipeError

    with StartUpSieve(Path('/dev/full'), broken) as sieve:
        for _ in range(1000):  # more than the pipe takes
            os.write(sieve.fileno(), START_UP[0] + WORTH_READING[0])


@pytest.mark.parametrize(
    'wrong, said',
    [
        (('--video', '99'), ['The webcam 99 cannot be opened; ', 'camera ended with status 1;']),
        (('--model', 'nothing'), ["There is no model 'nothing': sought in"]),
    ],
    ids=['camera', 'model'],
)
def test_a_page_with_nothing_to_show_is_not_served_for_ever(live, wrong, said):
    pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')
    command = [sys.executable, '-m', 'emotion_estimator.extras.view_clip', *wrong]
    ended = subprocess.run(
        [*command, '--port', '0'],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
    )
    assert ended.returncode == 1
    # What the nodes say of a missing detector may stand between.
    assert [sentence for sentence in said if sentence not in ended.stderr] == []


# What the demonstration's camera publishes: the frames of a video.


def cut_off(path, pictures):
    """Write a video of which the last third is missing."""
    size = pictures[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 30, size)
    for picture in pictures:
        writer.write(picture)
    writer.release()
    os.truncate(path, path.stat().st_size * 2 // 3)
    return path


@pytest.mark.parametrize('loop', ['false', 'true'])
def test_a_video_that_is_cut_off_costs_one_warning_and_the_exit_status(
    live, start_process, tmp_path, loop
):
    clip = cut_off(tmp_path / 'cut.avi', [np.full((48, 64, 3), n, np.uint8) for n in range(30)])
    images = live.listen(Image, '/image', 100)
    video = ('-p', f'video:={clip}', '-p', f'loop:={loop}', '-p', 'wait_for:=tester')
    process = start_process('extras.camera_node', *video)
    live.until(lambda: images[70:] or process.poll() is not None, 'three rounds, or the end')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert bool(images[70:]) == (loop == 'true')
    assert len(re.findall(r'WARN.*cut\.avi is cut off: .* frames of it are used', output)) == 1


@pytest.mark.timeout(240)
def test_the_demonstration_of_a_clip_that_is_cut_off_draws_it_and_says_so(live, media, tmp_path):
    film = cv2.VideoCapture(str(media('single_face.mp4')))
    clip = cut_off(tmp_path / 'cut.avi', [film.read()[1] for _ in range(45)])
    command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video', clip]
    finished = subprocess.run(
        [*command, '--no-page'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id), 'COLUMNS': '200'},
    )
    assert finished.returncode == 1
    assert 'The camera did not show all of it; what it said stands above.' in finished.stdout
    assert 'Timeline: ' in finished.stdout
    assert finished.stderr.count('cut.avi is cut off: ') == 1


def test_the_camera_begins_when_the_nodes_it_waits_for_listen_however_many_others_do(
    live, tmp_path
):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((8, 8, 3), np.uint8))
    images = live.listen(Image, '/image')
    live.add(CameraNode, video=str(tmp_path), loop=True, wait_for='tester, late_node')
    live.spin(0.3)
    assert images == []
    late = rclpy.create_node('late_node', context=live.context)
    late.create_subscription(Image, '/image', images.append, 1)
    live.until(lambda: images, 'the first image')
    late.destroy_node()


def test_the_camera_plays_a_clip_to_its_end(live, start_process, media):
    images = live.listen(Image, '/image', 100)
    clip = ('-p', f"video:='{media('single_face.mp4')}'")
    process = start_process('extras.camera_node', *clip, '-p', 'wait_for:=tester')
    live.until(lambda: process.poll() is not None, 'the end', timeout_s=60)
    assert process.returncode == 0
    stamps_ns = [m.header.stamp.sec * NS_PER_S + m.header.stamp.nanosec for m in images]
    assert len(images) > 60
    steps = {round(step_ns / (NS_PER_S / 30)) for step_ns in np.diff(stamps_ns)}
    assert min(steps) == 1
    assert images[0].encoding == 'bgr8'


def test_a_webcam_that_gives_no_more_pictures_ends_with_a_sentence(live, media, monkeypatch):
    clip = cv2.VideoCapture(str(media('single_face.mp4')))
    clip.set(cv2.CAP_PROP_POS_FRAMES, clip.get(cv2.CAP_PROP_FRAME_COUNT) - 3)
    monkeypatch.setattr('emotion_estimator.extras.camera_node.open_video', lambda number: clip)
    images = live.listen(Image, '/image')
    live.add(CameraNode, video='0')
    with pytest.raises(ValueError, match='The webcam 0 gives no picture'):
        live.until(lambda: len(images) > 3, 'more pictures than there are')


@pytest.mark.parametrize(
    'name, said', [('nowhere.mp4', 'cannot be opened'), ('damaged.jpg', 'no picture that can be')]
)
@pytest.mark.parametrize('loop', ['true', 'false'])
def test_a_video_that_is_none_ends_with_a_sentence(start_process, tmp_path, name, said, loop):
    (tmp_path / 'damaged.jpg').write_bytes(b'\xff\xd8\xff\xe0')
    video = ('-p', f'video:={tmp_path / name}', '-p', f'loop:={loop}')
    process = start_process('extras.camera_node', *video)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in output
    assert 'Traceback' not in output


def test_an_output_that_cannot_be_written_is_told_before_the_clip_is_played(tmp_path):
    clip, good = tmp_path / 'clip.mp4', tmp_path / 'good.png'
    clip.write_bytes(b'clip')
    for option, place, said in (
        ('--out', tmp_path, 'cannot be written: it is a folder'),
        ('--annotated', good, 'another output'),
        ('--annotated', clip, 'the video'),
        ('--log', clip, 'the video'),
    ):
        outputs = ['--out', good, '--annotated', tmp_path / 'a.png', '--log', tmp_path / 'log']
        command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video', clip]
        finished = subprocess.run(
            [*command, *outputs, option, place], capture_output=True, text=True
        )
        assert (finished.returncode, finished.stdout) == (2, '')
        assert finished.stderr.startswith(f'{place} ') and said in finished.stderr
    assert [p.name for p in tmp_path.iterdir()] == ['clip.mp4']
