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

"""Both nodes can be shut down from every state, active ones included."""

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode

WAYS = {
    'unconfigured': ([], Transition.TRANSITION_UNCONFIGURED_SHUTDOWN),
    'inactive': (['configure'], Transition.TRANSITION_INACTIVE_SHUTDOWN),
    'active': (['configure', 'activate'], Transition.TRANSITION_ACTIVE_SHUTDOWN),
}


@pytest.mark.parametrize('state', WAYS)
@pytest.mark.parametrize('node_class', [BlendshapeNode, EmotionNode])
def test_shutdown_ends_in_finalized(live, landmarker_path, node_class, state):
    named = {'landmarker': str(landmarker_path)} if node_class is BlendshapeNode else {}
    node = live.add(node_class, autostart=False, **named)
    steps, shutdown = WAYS[state]
    assert all(live.change(node, step) for step in steps)
    assert live.state(node) == state
    name = f'{node.get_fully_qualified_name()}/change_state'
    request = ChangeState.Request(transition=Transition(id=shutdown))
    assert live.call(ChangeState, name, request).success
    assert live.state(node) == 'finalized'
