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

"""Both nodes under whoever else manages life cycles: Nav2's manager, launch_ros's own start."""

import os
import signal
import subprocess
import sys

import pytest
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetState

from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode

REACHED = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
    Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: State.PRIMARY_STATE_FINALIZED,
}
UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


class Managed:
    """Both nodes, and the calls that Nav2's lifecycle_manager makes of `node_names`."""

    def __init__(self, live, landmarker_path, autostart):
        self.live = live
        self.nodes = [
            live.add(
                BlendshapeNode,
                autostart,
                landmarker=str(landmarker_path),
                detection_rate_hz=0.0,
            ),
            live.add(EmotionNode, autostart),
        ]
        self.names = ['blendshape_node', 'emotion_node']

    def change(self, name, transition):
        """Change a node's state, and look that it is as it has to be, as Nav2 does."""
        request = ChangeState.Request(transition=Transition(id=transition))
        changed = self.live.call(ChangeState, f'{name}/change_state', request).success
        return changed and self.state(name) == REACHED[transition]

    def state(self, name):
        return self.live.call(GetState, f'{name}/get_state', GetState.Request()).current_state.id

    def change_all(self, *transitions):
        """Bring one node after the other up, and down in the opposite order."""
        for transition in transitions:
            names = self.names if transition in UP else self.names[::-1]
            for name in names:
                assert self.change(name, transition), f'{name}: transition {transition}'


def test_nav2_s_manager_starts_pauses_resumes_resets_and_shuts_down_both_nodes(
    live, landmarker_path
):
    managed = Managed(live, landmarker_path, autostart=False)
    managed.change_all(*UP)
    managed.change_all(Transition.TRANSITION_DEACTIVATE)
    managed.change_all(Transition.TRANSITION_ACTIVATE)
    managed.change_all(*DOWN)
    managed.change_all(*UP)
    managed.change_all(*DOWN, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


def test_a_node_that_started_by_itself_refuses_to_be_started_again_and_stays_active(
    live, landmarker_path
):
    managed = Managed(live, landmarker_path, autostart=True)
    active = State.PRIMARY_STATE_ACTIVE
    for name, node in zip(managed.names, managed.nodes):
        live.until(lambda n=name: managed.state(n) == active, f'{name} active')
        for transition in UP:
            assert not managed.change(name, transition)
        assert managed.state(name) == active
        assert node.statistics.report().refused == 0


LAUNCHED = """
import inspect, sys
from launch import LaunchDescription, LaunchService
from launch_ros.actions import LifecycleNode, LifecycleTransition
code, name, autostart = sys.argv[1:]
options = dict(
    executable=sys.executable, arguments=['-c', code], name=name, namespace='',
    parameters=[{'autostart': autostart == 'True'}],
)
if 'autostart' in inspect.signature(LifecycleNode.__init__).parameters:
    actions = [LifecycleNode(**options, autostart=True)]
else:  # what it does, before it had a name
    changes = LifecycleTransition(lifecycle_node_names=['/' + name], transition_ids=[1, 3])
    actions = [LifecycleNode(**options), changes]
service = LaunchService(argv=[])
service.include_launch_description(LaunchDescription(actions))
sys.exit(service.run())
"""


@pytest.mark.parametrize('autostart', [False, True])
def test_launch_ros_s_own_start_and_ours_leave_the_node_active(live, autostart):
    for name in ('launch.actions', 'launch_ros'):
        pytest.importorskip(name, reason='launch is in no package registry; ROS has it.')
    code = "from emotion_estimator.commands import main; raise SystemExit(main('emotion_node'))"
    events = live.listen(TransitionEvent, '/emotion_node/transition_event')
    launched = subprocess.Popen(
        [sys.executable, '-c', LAUNCHED, code, 'emotion_node', str(autostart)],
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def state():
        answer = live.call(GetState, '/emotion_node/get_state', GetState.Request())
        return answer.current_state.label

    try:
        served = '/emotion_node/get_state'
        live.until(lambda: live.tester.count_services(served), 'the node', timeout_s=60)
        live.until(lambda: state() == 'active', 'the active node')
        # Whoever comes second is refused; it comes while this is waited for, or not at all.
        live.spin(2.0)
        assert state() == 'active'
        assert [e.goal_state.label for e in events if e.goal_state.label == 'finalized'] == []
    finally:
        # As Ctrl-C does: SIGTERM would end launch and leave the node.
        launched.send_signal(signal.SIGINT)
        said, _ = launched.communicate(timeout=60)
    assert 'process has finished cleanly' in said
    assert 'Traceback' not in said
