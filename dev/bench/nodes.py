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

"""Node processes of the benchmark, whose logs go to a file."""

from __future__ import annotations

from pathlib import Path

from dev.bench.finder import has_detector
from emotion_estimator.demo.processes import NodeProcess

LOG = Path('out/bench.log')
"""What nodes, workers and native libraries say meanwhile."""


def new_node(module: str, *arguments: str) -> NodeProcess:
    """
    Start a node.

    :param module: see `NodeProcess`.
    :param arguments: likewise.
    :returns: the process.
    """
    if not has_detector():
        # Nor shall the node seek the detector, which would count as time of its start.
        arguments = (*arguments, '-p', 'detection_rate_hz:=0.0')
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open('ab') as log:
        return NodeProcess(module, *arguments, stderr=log)
