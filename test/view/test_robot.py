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

"""What the page says of how the robot fares."""

from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from vision_msgs.msg import Classification

from emotion_estimator.view import robot as module
from emotion_estimator.view.controls import Controls
from emotion_estimator.view.listener import Listener
from emotion_estimator.view.robot import Robot


def test_a_node_that_says_nothing_of_itself_any_more_is_reported(live, monkeypatch):
    now_s = 1000.0
    listener = Listener(live.tester, print, lambda result, image: None)
    robot = Robot(live.tester, listener.subscribe, Controls(live.tester, listener.subscribe))
    robot.start()
    live.publisher(Classification, '/blendshapes')
    live.publisher(Classification, '/emotion')
    diagnostics = live.publisher(DiagnosticArray, '/diagnostics')
    live.until(diagnostics.get_subscription_count, 'the page')
    live.until(lambda: robot.look() or robot._names['emotion_node'] == '/tester', 'the node')
    monkeypatch.setattr(module, 'time', SimpleNamespace(monotonic=lambda: now_s))

    def hear():
        before = dict(robot._heard_s)
        status = DiagnosticStatus(name='tester', level=DiagnosticStatus.OK)
        diagnostics.publish(DiagnosticArray(status=[status]))
        live.until(lambda: robot._heard_s != before, 'the status')

    hear()
    now_s += 4.9
    assert robot.report(None)['problems'] == []
    now_s += 0.2
    first, *_ = robot.report(None)['problems']
    assert first.startswith('tester: it has said nothing on /diagnostics for more than 5 s.')
    hear()
    assert robot.report(None)['problems'] == []
