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

"""
Both nodes in one process: one executor, no second copy of an image, faces handed over in place.

A file of its own because it is a command, beside those of either node.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('emotion_estimator'))

from functools import partial

from emotion_estimator.nodes.blendshape_node import BlendshapeNode, blendshape_node_assets
from emotion_estimator.nodes.emotion_node import EmotionNode, HandOver
from emotion_estimator.nodes.spin import run


def main() -> int:
    """Run blendshape_node and emotion_node; each keeps its own name and parameters."""
    hand_over = HandOver()
    return run(
        [partial(BlendshapeNode, hand_over.offer), partial(EmotionNode, hand_over)],
        {'blendshape_node': blendshape_node_assets},
    )
