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

"""Plays a clip to the nodes and shows them on the live page, where no robot and no ROS is."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('emotion_estimator.extras.view_clip'))

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from emotion_estimator.assets import FACE_LANDMARKER, find_asset, log_to_terminal
from emotion_estimator.commands import note_interrupts
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.extras.node_processes import (
    NodeProcess,
    StartUpSieve,
    find_video,
    quoted,
    to_stderr,
)
from emotion_estimator.files import AssetError, find_model
from emotion_estimator.nodes.spin import POLL_S
from emotion_estimator.view.main import DEFAULT_PORT

MOST_FACES = 4
LOG = Path('out/view/nodes.log')
"""What libraries say when they start."""


def main() -> int:
    """
    Run a camera, both nodes and the page until Ctrl-C.

    :returns: exit status: 0, or 1 with a sentence where something cannot be had.
    """
    options = _parse()
    log_to_terminal()
    try:
        video = find_video(options.video)
        find_asset(FACE_LANDMARKER)
        # A node that cannot load it would stay, unconfigured, beside a page that shows nothing.
        EmotionModel(find_model(options.model))
    except (AssetError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    noted = note_interrupts()
    with ExitStack() as running:
        sieve = running.enter_context(StartUpSieve(LOG, to_stderr))
        served = ('--', '--host', options.host, '--port', str(options.port))
        processes = {'page': running.enter_context(NodeProcess('view.main', *served))}
        nodes = (
            *('-p', f'max_faces:={options.max_faces}'),
            *('-p', f'model:={quoted(options.model)}'),
            *('-p', f'rotate:={options.rotate}'),
        )
        both = NodeProcess('nodes.both_nodes', *nodes, stderr=sieve)
        processes['process of both nodes'] = running.enter_context(both)
        # The page looks at the images too, and may do so long before the nodes.
        played = ('-p', f'video:={quoted(video)}', '-p', 'loop:=true')
        waiting = ('-p', 'wait_for:=blendshape_node')
        camera = NodeProcess('extras.camera_node', *played, *waiting, stderr=sieve)
        processes['camera'] = running.enter_context(camera)
        ended: list[str] = []
        while not (ended or noted):
            time.sleep(POLL_S)
            ended = [name for name, process in processes.items() if not process.running()]
    if noted:
        return 0
    # What it said has passed the sieve by now.
    status = processes[ended[0]].end()  # negative: of the signal that killed it
    how = f'with status {status}; what it said stands above.'
    print(f'The {ended[0]} ended {how}', file=sys.stderr)
    return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--video', default='', help='video, photograph, folder of pictures, or a webcam number')
    add('--model', default='basic7', help='model that ships, or a model folder')
    add('--max-faces', type=int, default=MOST_FACES, help='most faces followed')
    add('--rotate', type=int, choices=(0, 90, 180, 270), default=0)
    add('--host', default='localhost', help='address to serve at, see `view --help`')
    add('--port', type=int, default=DEFAULT_PORT)
    return parser.parse_args()
