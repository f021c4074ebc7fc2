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

"""Plays a video to the two nodes, shows what they say, draws it at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rich.console import Console
from rich.live import Live

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.demo.observer import Observer
from emotion_estimator.demo.processes import NodeProcess, activate
from emotion_estimator.demo.terminal_view import view
from emotion_estimator.demo.timeline import MOST_FACES, draw_timeline
from emotion_estimator.interrupts import note_interrupts

DEFAULT_CLIP = 'media/clips/WolfgangLanger_Pexels.mp4'
LAST_WORD_S = 2.0
"""Silence after the last frame, in seconds, at which the demonstration ends."""


def main() -> int:
    """
    Run the demonstration.

    :returns: exit status: 0, or 1 with a sentence when it cannot be shown.
    """
    arguments = _parse()
    console = Console()
    try:
        video = _video(arguments.video)
    except ValueError as error:
        console.print(str(error), style='red')
        return 1
    note_interrupts()
    rclpy.init()
    observer = Observer(thumbnails=not arguments.no_thumbnails)
    executor = SingleThreadedExecutor()
    executor.add_node(observer)
    try:
        complaint = _play(arguments, video, observer, executor, console)
    finally:
        observer.destroy_node()
        rclpy.try_shutdown()
    if complaint:
        console.print(complaint, style='red')
        return 1
    title = f'Expression shown in {Path(video).name if not video.isdigit() else "the webcam"}'
    draw_timeline(observer.moments, observer.thumbnails, arguments.out, title)
    frames = len({moment.time_s for moment in observer.moments})
    console.print(f'\n{frames} frames with a face, {len(observer.moments)} emotion messages.')
    console.print(f'Timeline: {arguments.out.resolve()}', soft_wrap=True)
    if observer.write_annotated(arguments.annotated):
        console.print(f'Last picture: {arguments.annotated.resolve()}', soft_wrap=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--video', default='', help='video file, or the number of a webcam')
    parser.add_argument('--model', default='basic7', help='model that ships, or a model folder')
    parser.add_argument('--max-faces', type=int, default=MOST_FACES, help='most faces followed')
    parser.add_argument('--out', type=Path, default=Path('out/demo/timeline.png'))
    parser.add_argument('--annotated', type=Path, default=Path('out/demo/annotated.png'))
    parser.add_argument('--no-thumbnails', action='store_true', help='draw no frames')
    return parser.parse_args()


def _video(named: str) -> str:
    if named:
        if named.isdigit() or Path(named).is_file():
            return named
        raise ValueError(f'There is no video {named!r}; give a file, or 0 for the first webcam.')
    folder = os.environ.get(ASSETS_VARIABLE)
    if folder and Path(folder, DEFAULT_CLIP).is_file():
        return str(Path(folder, DEFAULT_CLIP))
    raise ValueError(
        f'There is no {DEFAULT_CLIP} below {ASSETS_VARIABLE} ({folder or "not set"}); '
        'give a video with --video FILE (make demo VIDEO=FILE), or 0 for a webcam.'
    )


def _play(
    arguments: argparse.Namespace,
    video: str,
    observer: Observer,
    executor: SingleThreadedExecutor,
    console: Console,
) -> str:
    """Run the processes; returns what went wrong, or nothing."""
    with ExitStack() as running:
        # The camera waits for the view and for blendshape_node, which is activated last.
        waiting = ('-p', f"video:='{video}'", '-p', 'wait_for_subscribers:=2')
        camera = running.enter_context(NodeProcess('camera_node', *waiting))
        nodes = {
            'emotion_node': ('-p', 'autostart:=false', '-p', f'model:={arguments.model}'),
            'blendshape_node': (
                *('-p', 'autostart:=false'),
                *('-p', f'max_faces:={arguments.max_faces}'),
            ),
        }
        for name, ros_arguments in nodes.items():
            running.enter_context(NodeProcess(name, *ros_arguments))
        try:
            for name in nodes:
                if not activate(observer, executor, name):
                    if not rclpy.ok():
                        raise ExternalShutdownException
                    return f'{name} did not become active; what it said stands above.'
            _watch(camera, observer, executor, console)
        except ExternalShutdownException:
            console.print('Stopped.')
    if not observer.moments:
        return 'No face was estimated: is there one in the video? What the nodes said is above.'
    return ''


def _watch(
    camera: NodeProcess, observer: Observer, executor: SingleThreadedExecutor, console: Console
) -> None:
    shown: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8) as live:
        while camera.running() or time.monotonic() - observer.last_emotion_s < LAST_WORD_S:
            executor.spin_once(timeout_sec=0.1)
            live.update(view(observer.faces(), *observer.numbers()))
            for face in observer.faces():
                if shown.get(face.face_id) != face.label:
                    shown[face.face_id] = face.label
                    time_s = observer.numbers()[0]
                    live.console.print(
                        f'{time_s:6.2f} s  face_{face.face_id}  {face.label} {face.confidence:.2f}'
                    )


if __name__ == '__main__':
    sys.exit(main())
