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

"""The demonstration: what it shows and draws, and whom it waits for."""

import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hri_msgs.msg import IdsList
from matplotlib.axes import Axes
from rich.console import Console
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.extras import demo
from emotion_estimator.extras.camera_node import CameraNode
from emotion_estimator.extras.demo_observer import (
    FaceRow,
    FrameCounts,
    Moment,
    Observer,
    Thumbnail,
    bar,
    frames_sentence,
    view,
)
from emotion_estimator.extras.node_processes import is_start_up
from emotion_estimator.messages import ROS, nanoseconds
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


class Clockface:
    """A webcam that shows the time: the first pixels of a picture say when it was read."""

    def isOpened(self):  # noqa: N802, as OpenCV's
        return True

    def get(self, _):
        return 30.0

    def read(self):
        bgr = np.zeros((4, 4, 3), np.uint8)
        bgr.ravel()[:8] = np.frombuffer(time.time_ns().to_bytes(8, 'little'), np.uint8)
        return True, bgr

    def release(self):
        pass


def test_a_picture_of_a_webcam_has_the_stamp_at_which_it_was_read(live, monkeypatch):
    monkeypatch.setattr('emotion_estimator.extras.camera_node.open_video', lambda _: Clockface())
    images = live.listen(Image, '/image')
    live.add(CameraNode, video='0', rate_hz=2.5, wait_for='tester')
    live.until(lambda: len(images) > 3, 'pictures')
    stamps_ns = np.array([nanoseconds(image.header.stamp) for image in images])
    read_ns = [int.from_bytes(bytes(image.data[:8]), 'little') for image in images]
    assert (stamps_ns - read_ns).max() < 0.1 * NS_PER_S
    assert np.diff(stamps_ns) / NS_PER_S == pytest.approx(0.4, abs=0.15)


def moments(label, start_s, end_s, face_id='abc'):
    scores = {'happy': 0.1, 'sad': 0.1, 'neutral': 0.1, label: 0.8}
    return [Moment(t, face_id, label, scores) for t in np.arange(start_s, end_s, 0.1)]


def test_the_timeline_is_a_picture_with_the_colours_of_what_was_shown(tmp_path):
    path = tmp_path / 'timeline.png'
    shown = moments('happy', 0, 3) + moments('sad', 4, 6) + moments('neutral', 2, 5, 'xyz')
    thumbnails = [Thumbnail(t, np.full((90, 160, 3), (10, 200, 30), np.uint8)) for t in range(6)]
    demo.draw_timeline(shown, thumbnails, path, 'Test')
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).reshape(-1, 3)
    assert len(picture) > 500_000
    for colour in ((0xDD, 0xCC, 0x77), (0x33, 0x22, 0x88), (0x88, 0xCC, 0xEE), (10, 200, 30)):
        assert (np.abs(picture.astype(int) - colour).max(axis=1) < 4).sum() > 1000


def test_classes_of_a_user_s_own_model_stand_last_in_colours_of_their_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, 'stackplot', lambda *_, **how: drawn.append(how))
    shown = moments('bored', 0, 3) + moments('amused', 3, 6)
    demo.draw_timeline(shown, [], tmp_path / 'timeline.png', 'Test')
    assert drawn[0]['labels'] == ['happy', 'sad', 'neutral', 'amused', 'bored']
    assert len(set(drawn[0]['colors'])) == 5


@pytest.mark.parametrize('step_s', [0.1, 1.0, 2.0])
def test_a_slow_camera_s_timeline_has_gaps_where_the_face_is_unseen_alone(
    tmp_path, monkeypatch, step_s
):
    drawn = []
    monkeypatch.setattr(Axes, 'stackplot', lambda _, times_s, scores, **how: drawn.append(scores))
    slow = [replace(m, time_s=m.time_s * step_s * 10) for m in moments('happy', 0, 3)]
    demo.draw_timeline(slow[:12] + slow[22:], [], tmp_path / 'timeline.png', 'Test')
    # Twelve images, nothing on either side of the gap, eight images.
    assert np.flatnonzero(drawn[0].sum(axis=0) == 0).tolist() == [12, 13]
    assert drawn[0].shape == (3, 22)


def test_the_middle_of_a_long_title_is_left_out_so_that_both_of_its_ends_are_there(tmp_path):
    path, drawn = tmp_path / 'timeline.png', []
    name = 'camera_of_the_hall_' * 10
    for title in (f'From 1 {name}.mp4', f'From 1 {name[:53]}…{name[-35:]}.mp4', 'x' * 100):
        demo.draw_timeline(moments('happy', 0, 3), [], path, title)
        drawn.append(cv2.imread(str(path)))
    assert (drawn[0] == drawn[1]).all()
    for headline in (picture[:25] for picture in drawn):
        assert headline.min() < 50
        assert headline[:, :20].min() == headline[:, -20:].min() == 255


def test_characters_that_the_font_lacks_cost_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        demo.draw_timeline(moments('happy', 0, 3), [], tmp_path / 'a.png', 'From 笑顔.mp4')


def test_a_timeline_needs_a_face(tmp_path):
    with pytest.raises(ValueError, match='nothing to draw'):
        demo.draw_timeline([], [], tmp_path / 'timeline.png', 'Test')


def test_the_view_shows_faces_confidence_and_rates():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view([FaceRow('abc', 'happy', 0.5, 'sad 0.30')], 3.0, 30.0, 29.5, 12.3))
    text = console.export_text()
    for part in ('face_abc', 'happy', '0.50', 'sad 0.30', '30.0 Hz', '29.5 Hz', '12.3 ms'):
        assert part in text


@pytest.mark.parametrize('share, filled', [(0, 0), (0.5, 10), (1, 20), (2, 20), (-1, 0)])
def test_a_bar_is_filled_by_its_share(share, filled):
    assert bar(share).plain.count('█') == filled


@pytest.mark.parametrize(
    'counts, sentence',
    [
        (FrameCounts(472, 472), 'All 472 frames looked at.'),
        (
            FrameCounts(472, 426, skipped=46),
            '426 of 472 frames looked at; 46 were skipped because the machine was busy.',
        ),
        (
            FrameCounts(100, 90, skipped=7, refused=1),
            '90 of 100 frames looked at; 7 were skipped because the machine was busy, 1 were '
            'refused, see above, 2 were lost between camera and node.',
        ),
        (FrameCounts(10, 9), '9 of 10 frames looked at; 1 were lost between camera and node.'),
    ],
)
def test_frames_that_were_not_looked_at_are_counted_with_their_reasons(counts, sentence):
    assert frames_sentence(counts) == sentence


def heard(observer, stamps_ns, looked_at):
    for number, stamp_ns in enumerate(stamps_ns):
        header = Header(stamp=ROS.time(stamp_ns))
        observer._on_image(Image(header=header))
        if number in looked_at:
            observer._on_tracked(IdsList(header=header))


def test_the_whole_run_is_counted_by_stamps_and_by_what_the_node_tells(live):
    rclpy.init(context=(context := rclpy.Context()), domain_id=live.domain_id)
    observer = Observer(thumbnails=False, context=context)
    try:
        assert observer.whole_run() == (0.0, 0.0, 0.0, 0.0)
        heard(observer, [NS_PER_S + n * NS_PER_S // 10 for n in range(21)], range(0, 20, 2))
        assert observer.whole_run() == pytest.approx((2.0, 10.0, 0.0, 0.0))
        assert observer.frame_counts() == FrameCounts(21, 10)
        assert not demo._is_over(observer)
        observer._last_image_s -= INPUT_TIMEOUT_S - 0.3
        assert demo._is_over(observer)  # before the nodes warn that nothing arrives
        values = {'published': 12, 'skipped': 8, 'refused': 1}
        reported = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        status = DiagnosticStatus(name='blendshape_node', values=reported)
        observer._on_diagnostics(DiagnosticArray(status=[status]))
        assert observer.frame_counts() == FrameCounts(21, 12, 8, 1)
    finally:
        observer.destroy_node()
        rclpy.shutdown(context=context)


# Before the clip begins.


@pytest.fixture
def observer(live):
    watching = Observer(thumbnails=False, context=live.context)
    live.executor.add_node(watching)
    yield watching
    watching.destroy_node()


def test_all_have_met_when_each_knows_who_sends_and_listens(live, observer, landmarker_path):
    assert observer.unmet() == 'blendshapes'
    # As in the demonstration, where it is activated last.
    options = {'landmarker': str(landmarker_path), 'detection_rate_hz': 0.0}
    live.add(BlendshapeNode, autostart=False, **options)
    assert live.change(live.nodes[0], 'configure')
    live.until(lambda: ('blendshape_node', 'subscribers') in observer._links, 'its diagnostics')
    assert observer.unmet() == 'blendshapes'
    live.add(EmotionNode)
    live.until(lambda: observer.unmet() == 'image', 'the meeting')
    camera = live.publisher(Image, 'image')
    live.until(lambda: not observer.unmet(), 'the camera')
    assert observer._links['blendshape_node', 'subscribers'] == 1
    assert observer._links['emotion_node', 'publishers'] == 1
    # The observer and, for its annotated image, blendshape_node.
    assert observer._links['emotion_node', 'subscribers'] == 2
    assert observer.sees_camera
    live.tester.destroy_publisher(camera)
    live.until(lambda: not observer.sees_camera, "the camera's end")


def test_nodes_that_do_not_meet_are_named_by_their_topic_and_waited_for_no_longer(
    live, observer, monkeypatch
):
    monkeypatch.setattr(demo, 'MEETING_S', 0.3)
    console = Console(file=io.StringIO())
    live.executor.remove_node(observer)
    demo._await_meeting(observer, live.executor, console, lambda: True)
    assert console.file.getvalue() == (
        'Not all who send and listen on blendshapes have met within 0.3 s: the first frames may '
        'be lost. Is the machine busy, or does a firewall stand between?\n'
    )


# The demonstration as a process.


def demonstrate(live, video, *arguments, **environment):
    command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video', video]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=200,  # for a machine that has other work
        env={
            **os.environ,
            'ROS_DOMAIN_ID': str(live.domain_id),
            'COLUMNS': '200',
            **environment,
        },
    )


class Clock:
    """Seconds by the wall, and those of the processors that others than this test have taken."""

    def __init__(self):
        self._start_s, self._others_s = time.monotonic(), self._others()

    @staticmethod
    def _others():
        line = Path('/proc/stat').read_text().splitlines()[0].split()[1:9]
        user, nice, system, _, _, irq, soft, steal = map(int, line)
        busy_s = (user + nice + system + irq + soft + steal) / os.sysconf('SC_CLK_TCK')
        return busy_s - sum(os.times()[:4])

    def read(self):
        """Tell both since the start; processes of this test count once they have ended."""
        return time.monotonic() - self._start_s, self._others() - self._others_s


@pytest.mark.timeout(240)
def test_the_demonstration_draws_two_pictures_and_ends_by_itself(live, media, tmp_path):
    picture, annotated, log = (tmp_path / name for name in ('time.png', 'last.png', 'nodes.log'))
    pictures = ('--out', picture, '--annotated', annotated, '--log', log)
    clip = tmp_path / "it's $5 [b] & $6.mp4"
    shutil.copy(media('single_face.mp4'), clip)
    clock, finished = Clock(), demonstrate(live, clip, *pictures)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    wall_s, others_s = clock.read()
    # Where others take much of the machine, the time is theirs, and nodes end after the camera.
    quiet = wall_s < 90 and 'Nothing arrived' not in finished.stderr
    assert quiet or others_s > 0.2 * os.cpu_count() * wall_s, (wall_s, others_s, finished.stderr)
    assert 'happy' in finished.stdout
    page_is_served = 'The live view: http://localhost:' in finished.stdout
    assert page_is_served == (importlib.util.find_spec('nicegui') is not None)
    assert 'frames looked at' in finished.stdout
    # The last view tells the rates of the whole run.
    rates = re.findall(r'images +([\d.]+) Hz +emotions +([\d.]+) Hz', finished.stdout)
    assert [29 < float(image_hz) < 31 for image_hz, _ in rates] == [True]
    assert 0 < float(rates[0][1]) <= float(rates[0][0])
    assert is_start_up(log.read_bytes())
    assert not [line for line in finished.stderr.encode().splitlines() if is_start_up(line)]
    assert f'Timeline: {picture}' in finished.stdout
    assert cv2.imread(str(picture)).shape[1] > 1000
    assert f'Last picture: {annotated}' in finished.stdout
    assert cv2.imread(str(annotated)).shape[1] == 640


@pytest.mark.timeout(240)
def test_without_yunet_the_demonstration_finds_four_people_with_mediapipe_s_detector(
    live, media, tmp_path
):
    models = tmp_path / 'models'
    models.mkdir()
    shutil.copy(find_asset(FACE_LANDMARKER), models)
    alone = {'EMOTION_ESTIMATOR_ASSETS': str(tmp_path), 'HOME': str(tmp_path)}
    no_network = dict.fromkeys(('http_proxy', 'https_proxy'), 'http://127.0.0.1:9')
    outputs = ('--out', tmp_path / 'a.png', '--annotated', tmp_path / 'b.png', '--no-page')
    outputs += ('--log', tmp_path / 'log')
    picture = media('multi_face.jpg')
    finished = demonstrate(live, picture, *outputs, TMPDIR=str(tmp_path), **alone, **no_network)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "MediaPipe's own detector looks for far faces" in finished.stderr
    assert len(set(re.findall(r'face_\w+', finished.stdout))) == 4


@pytest.mark.parametrize('plays', [False, True])
def test_ctrl_c_while_the_demonstration_starts_or_plays_ends_all_of_it_quietly(
    live, media, tmp_path, plays
):
    command = [sys.executable, '-m', 'emotion_estimator.extras.demo', '--video']
    process = subprocess.Popen(
        [*command, media('WolfgangLanger_Pexels.mp4')],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        start_new_session=True,
    )
    images, names = live.listen(Image, '/image', 30), live.tester.get_node_names
    # Its own node is there, and those that it starts are importing; or it has answered.
    live.until(lambda: images[20:] if plays else names()[1:], 'the moment', timeout_s=60)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert ('Timeline:' if plays else 'Stopped.') in output and 'Traceback' not in output


@pytest.mark.parametrize(
    'video, model, sentence',
    [
        ('nowhere.mp4', 'basic7', "There is no video 'nowhere.mp4'"),
        ('single_face.mp4', 'nothing', 'emotion_node did not become active'),
    ],
)
def test_a_demonstration_that_cannot_run_says_why(live, media, video, model, sentence):
    finished = demonstrate(live, video if model == 'basic7' else media(video), '--model', model)
    assert finished.returncode == 1
    assert sentence in finished.stdout
    assert ('There is no model' in finished.stderr) == (model == 'nothing')
    assert 'Traceback' not in finished.stderr


def test_a_demonstration_whose_node_has_ended_waits_for_it_no_longer(live, media):
    start_s = time.monotonic()
    finished = demonstrate(live, media('single_face.mp4'), '--max-faces', '0', '--no-page')
    assert time.monotonic() - start_s < 50  # a node that runs is waited for longer
    assert finished.returncode == 1
    assert 'blendshape_node did not become active; what it said stands above.' in finished.stdout
    assert 'max_faces' in finished.stderr and 'Traceback' not in finished.stderr


def test_a_demonstration_without_its_webcam_says_so_and_not_that_it_saw_no_face(live):
    finished = demonstrate(live, '99', '--no-page')
    assert finished.returncode == 1
    assert 'The camera has ended; what it said stands above.' in finished.stdout
    assert 'No face was estimated' not in finished.stdout
    assert 'The webcam 99 cannot be opened' in finished.stderr


def test_a_page_is_waited_for_no_longer_than_the_camera_runs():
    page, camera = SimpleNamespace(running=lambda: True), SimpleNamespace(running=lambda: False)
    demo._await_page(page, camera, observer=None, executor=None)
