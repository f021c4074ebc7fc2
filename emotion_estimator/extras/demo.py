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

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('demo'))

import argparse
import logging
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rich.console import Console
from rich.live import Live

from emotion_estimator.assets import (
    DEMO_CLIP,
    FACE_DETECTOR,
    FACE_LANDMARKER,
    find_asset,
    log_to_terminal,
)
from emotion_estimator.commands import note_interrupts
from emotion_estimator.extras.demo_observer import Observer, frames_sentence, view
from emotion_estimator.extras.demo_timeline import MOST_FACES, draw_timeline
from emotion_estimator.extras.node_processes import ACTIVATE, CONFIGURE, NodeProcess, lead
from emotion_estimator.files import PACKAGE, AssetError, check_output
from emotion_estimator.native_output import StartUpSieve, to_stderr
from emotion_estimator.replay.files import open_film

EXIT_STOPPED = 130
LAST_WORD_S = 2.0
"""Longest wait for the nodes' counts after the last frame, in seconds."""

_log = logging.getLogger(f'{PACKAGE}.demo')  # this module is run by the name __main__


def main() -> int:
    """
    Run the demonstration.

    :returns: exit status: 0, or 1 with a sentence when it cannot be shown.
    :raises OutputError: when its files cannot be written.
    """
    arguments = _parse()
    console = Console()
    log_to_terminal()
    check_output(*{path.parent for path in (arguments.out, arguments.annotated, arguments.log)})
    try:
        video = _video(arguments.video)
        find_asset(FACE_LANDMARKER)
        searches = _has_detector()
    except (AssetError, ValueError) as error:
        console.print(str(error), style='red', markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print('Stopped.')
        return EXIT_STOPPED
    noted = note_interrupts()
    rclpy.init()
    observer: Observer | None = None
    try:
        observer = Observer(thumbnails=not arguments.no_thumbnails, rotate=arguments.rotate)
        executor = SingleThreadedExecutor()
        executor.add_node(observer)
        complaint = _play(arguments, video, searches, observer, executor, console)
    except Exception:
        # Ctrl-C ends the context, and thereby whatever was done or waited for.
        if rclpy.ok():
            raise
        console.print('Stopped.')
        complaint = ''
    finally:
        if observer is not None:
            observer.destroy_node()
        rclpy.try_shutdown()
    if noted and complaint:  # the nodes of the same terminal were the first to end
        console.print('Stopped.')
        return EXIT_STOPPED
    if observer is None or not (complaint or observer.moments):
        return EXIT_STOPPED
    if complaint:
        console.print(complaint, style='red', markup=False)
        return 1
    title = f'Expression shown in {Path(video).name if not video.isdigit() else "the webcam"}'
    draw_timeline(observer.moments, observer.thumbnails, arguments.out, title)
    frames = len({moment.time_s for moment in observer.moments})
    counts = frames_sentence(observer.frame_counts())
    console.print(f'\n{counts}', highlight=False, soft_wrap=True)
    console.print(f'{len(observer.moments)} emotion messages on {frames} frames with a face.')
    console.print(f'Timeline: {arguments.out.absolute()}', markup=False, soft_wrap=True)
    if observer.write_annotated(arguments.annotated):
        picture = arguments.annotated.absolute()
        console.print(f'Last picture: {picture}', markup=False, soft_wrap=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--video', default='', help='video, photograph, folder of pictures, or a webcam number'
    )
    parser.add_argument('--model', default='basic7', help='model that ships, or a model folder')
    parser.add_argument('--max-faces', type=int, default=MOST_FACES, help='most faces followed')
    parser.add_argument('--rotate', type=int, choices=(0, 90, 180, 270), default=0,
        help='degrees clockwise that turn the frames upright')  # fmt: skip
    parser.add_argument('--out', type=Path, default=Path('out/demo/timeline.png'))
    parser.add_argument('--annotated', type=Path, default=Path('out/demo/annotated.png'))
    parser.add_argument(
        '--log',
        type=Path,
        default=Path('out/demo/nodes.log'),
        help='file for what libraries say when they start',
    )
    parser.add_argument('--no-thumbnails', action='store_true', help='draw no frames')
    return parser.parse_args()


def _video(named: str) -> str:
    """Find the video; one that cannot be decoded is refused before anything is started."""
    if named:
        if named.isdigit():
            return named
        if not Path(named).exists():
            raise ValueError(
                f'There is no video {named!r}; give a file, or 0 for the first webcam.'
            )
        open_film(Path(named)).close()
        return named
    return str(find_asset(DEMO_CLIP))


def _quoted(text: str) -> str:
    """Quote a string for a ROS argument, which is read as YAML."""
    return "'" + text.replace("'", "''") + "'"


def _has_detector() -> bool:
    """Find what searches for far faces, or fetch it; says what is lost where it is missing."""
    try:
        find_asset(FACE_DETECTOR)
    except AssetError as error:
        _log.warning('%s %s', FACE_DETECTOR.loss, error)
        return False
    return True


def _play(
    arguments: argparse.Namespace,
    video: str,
    searches: bool,
    observer: Observer,
    executor: SingleThreadedExecutor,
    console: Console,
) -> str:
    """Run the processes; returns what went wrong, or nothing."""
    with ExitStack() as running:
        sieve = running.enter_context(StartUpSieve(arguments.log, to_stderr))
        # The camera waits for the view and for blendshape_node, which is activated last.
        waiting = ('-p', f'video:={_quoted(video)}', '-p', 'wait_for_subscribers:=2')
        camera = running.enter_context(NodeProcess('extras.camera_node', *waiting, stderr=sieve))
        nodes = {
            'emotion_node': ('-p', 'autostart:=false', '-p', f'model:={_quoted(arguments.model)}'),
            'blendshape_node': (
                *('-p', 'autostart:=false'),
                *('-p', f'max_faces:={arguments.max_faces}'),
                *('-p', f'rotate:={arguments.rotate}'),
                # What is missing was sought, and its loss told: the node need not do so again.
                *(() if searches else ('-p', 'detection_rate_hz:=0.0')),
            ),
        }
        for name, ros_arguments in nodes.items():
            running.enter_context(NodeProcess(f'nodes.{name}', *ros_arguments, stderr=sieve))
        # A node that is active before the other has loaded would miss it, and say so.
        for transition, name in product((CONFIGURE, ACTIVATE), nodes):
            if not lead(observer, executor, name, transition):
                if not rclpy.ok():
                    raise ExternalShutdownException
                return f'{name} did not become active; what it said stands above.'
        _watch(camera, observer, executor, console)
    if not observer.moments:
        return 'No face was estimated: is there one in the video? What the nodes said is above.'
    return ''


def _watch(
    camera: NodeProcess, observer: Observer, executor: SingleThreadedExecutor, console: Console
) -> None:
    shown: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8) as live:
        while camera.running() or not _is_over(observer):
            executor.spin_once(timeout_sec=0.1)
            live.update(view(observer.faces(), *observer.numbers()))
            for face in observer.faces():
                if shown.get(face.face_id) != face.label:
                    shown[face.face_id] = face.label
                    time_s = observer.numbers()[0]
                    live.console.print(
                        f'{time_s:6.2f} s  face_{face.face_id}  {face.label} {face.confidence:.2f}'
                    )
        live.update(view(observer.faces(), *observer.whole_run()))


def _is_over(observer: Observer) -> bool:
    return observer.counts_are_final or observer.silence_s > LAST_WORD_S
