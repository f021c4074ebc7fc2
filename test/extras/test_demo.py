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

"""What the demonstration shows."""

import io

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hri_msgs.msg import IdsList
from rich.console import Console
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emotion_estimator.extras.demo_observer import (
    FaceRow,
    FrameCounts,
    Observer,
    bar,
    frames_sentence,
    view,
)
from emotion_estimator.extras.demo_timeline import Moment, Thumbnail, draw_timeline
from emotion_estimator.extras.node_processes import ACTIVATE, CONFIGURE, lead
from emotion_estimator.messages.outgoing import ROS
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.stamps import NS_PER_S


def moments(label, start_s, end_s, face_id='abc'):
    scores = {'happy': 0.1, 'sad': 0.1, 'neutral': 0.1, label: 0.8}
    return [Moment(t, face_id, label, scores) for t in np.arange(start_s, end_s, 0.1)]


def test_the_timeline_is_a_picture_with_the_colours_of_what_was_shown(tmp_path):
    path = tmp_path / 'timeline.png'
    shown = moments('happy', 0, 3) + moments('sad', 4, 6) + moments('neutral', 2, 5, 'xyz')
    thumbnails = [Thumbnail(t, np.full((90, 160, 3), (10, 200, 30), np.uint8)) for t in range(6)]
    draw_timeline(shown, thumbnails, path, 'Test')
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).reshape(-1, 3)
    assert len(picture) > 500_000
    for colour in ((0xDD, 0xCC, 0x77), (0x33, 0x22, 0x88), (0x88, 0xCC, 0xEE), (10, 200, 30)):
        assert (np.abs(picture.astype(int) - colour).max(axis=1) < 4).sum() > 1000


def test_a_timeline_needs_a_face(tmp_path):
    with pytest.raises(ValueError, match='nothing to draw'):
        draw_timeline([], [], tmp_path / 'timeline.png', 'Test')


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
        (
            FrameCounts(10, 9),
            '9 of 10 frames looked at; 1 were lost between camera and node.',
        ),
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
        assert not observer.counts_are_final
        values = {'published': 12, 'skipped': 8, 'refused': 1}
        told = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        status = DiagnosticStatus(name='blendshape_node', values=told)
        observer._on_diagnostics(DiagnosticArray(status=[status]))
        assert observer.frame_counts() == FrameCounts(21, 12, 8, 1)
    finally:
        observer.destroy_node()
        rclpy.shutdown(context=context)


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
