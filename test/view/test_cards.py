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

"""What stands on a person's card, in a real browser."""

import pytest
from helpers.live_nodes import START_NS, STEP_NS, View
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.messages import ROS

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('happy scared neutral unknown', 'happy sad unknown'),
        ('happy sad unknown', 'happy scared sad neutral unknown'),
    ],
)
def test_the_bars_are_those_of_the_model_that_answers(live, browser, tmp_path, before, after):
    view = View(live, tmp_path)
    emotion = live.publisher(Classification, '/emotion')
    page = view.open(browser, live)
    live.until(emotion.get_subscription_count, 'the view')
    sent = 0

    def shows(words):
        nonlocal sent
        sent += 1
        header = Header(stamp=ROS.time(START_NS + sent * STEP_NS), frame_id='face_abc')
        scores = [ObjectHypothesis(class_id=label, score=0.25) for label in words.split()]
        emotion.publish(Classification(header=header, results=scores))
        live.spin(0.1)
        names = page.run(
            '[...document.querySelectorAll(".view-bar-name")].map((x) => x.innerText)'
        )
        return ' '.join(names) == words

    live.until(lambda: shows(before), before)
    live.until(lambda: shows(after), after)
    assert page.errors == []
    page.close()
    view.close()
