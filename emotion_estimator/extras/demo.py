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
import io
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import rclpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rich.console import Console
from rich.live import Live

from emotion_estimator.assets import FACE_LANDMARKER, find_asset, log_to_terminal
from emotion_estimator.colours import COLOURS, Shades, hexadecimal, ink_on, shades
from emotion_estimator.commands import has_display, note_interrupts, place
from emotion_estimator.extras.demo_observer import (
    Moment,
    Observer,
    Thumbnail,
    frames_sentence,
    view,
)
from emotion_estimator.extras.node_processes import (
    ACTIVATE,
    CONFIGURE,
    NodeProcess,
    StartUpSieve,
    find_video,
    lead,
    quoted,
    to_stderr,
)
from emotion_estimator.files import AssetError, check_files, write_whole
from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S
from emotion_estimator.stamps import NS_PER_S, longest_gap_s
from emotion_estimator.view.main import DEFAULT_PORT, NODE_NAME

EXIT_STOPPED = 130
MOST_FACES = 4
PAGE_WAIT_S = 20.0
"""The clip waits so long for the page, in seconds: to be served, and to be open on a display."""
MEETING_S = 20.0
"""The clip waits so long for the nodes to meet on their topics, in seconds."""
LAST_WORD_S = INPUT_TIMEOUT_S - 0.4
"""Longest wait for the nodes' counts after the last frame, in seconds: they end before they warn
that the camera is silent."""

CAMERA_ENDED = 'The camera has ended; what it said stands above.'
NOT_TO_ITS_END = 'The camera did not show all of it; what it said stands above.'


def main() -> int:
    """
    Run the demonstration.

    :returns: exit status: 0, 1 with a sentence when it cannot be shown to its end, or
        `EXIT_STOPPED`; what was seen until then is drawn.
    :raises OutputError: when its files cannot be written.
    """
    arguments = _parse()
    console = Console()
    log_to_terminal()
    read = {Path(arguments.video): 'the video'} if arguments.video else {}
    logs = () if arguments.log.is_char_device() else (arguments.log,)  # such as /dev/null
    check_files(arguments.out, arguments.annotated, *logs, read=read)
    try:
        video = find_video(arguments.video)
        find_asset(FACE_LANDMARKER)
    except (AssetError, ValueError) as error:
        console.print(str(error), style='red', markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print('Stopped.')
        return EXIT_STOPPED
    noted = note_interrupts()
    rclpy.init(args=[])  # all of the command line is the demonstration's own
    observer: Observer | None = None
    try:
        observer = Observer(thumbnails=not arguments.no_thumbnails, rotate=arguments.rotate)
        executor = SingleThreadedExecutor()
        executor.add_node(observer)
        complaint = _play(arguments, video, observer, executor, console)
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
        complaint = ''
    if complaint:
        console.print(complaint, style='red', markup=False)
    # A webcam has no other end than Ctrl-C.
    stopped = EXIT_STOPPED if noted and not video.isdigit() else 0
    if observer is None or not observer.moments:
        return 1 if complaint else EXIT_STOPPED
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
    return 1 if complaint else stopped


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--video', default='', help='video, photograph, folder of pictures, or a webcam number'
    )
    parser.add_argument('--model', default='basic7', help='model that ships, or a model folder')
    parser.add_argument('--max-faces', type=int, default=MOST_FACES, help='most faces followed')
    parser.add_argument('--rotate', type=int, choices=(0, 90, 180, 270), default=0,
        help='degrees clockwise that turn the frames upright')  # fmt: skip
    parser.add_argument('--out', type=place, default=Path('out/demo/timeline.png'),
        help='picture of the expressions over time; default: %(default)s')  # fmt: skip
    parser.add_argument('--annotated', type=place, default=Path('out/demo/annotated.png'),
        help='picture of one frame with what was found; default: %(default)s')  # fmt: skip
    parser.add_argument(
        '--log',
        type=place,
        default=Path('out/demo/nodes.log'),
        help='file for what libraries say when they start',
    )
    parser.add_argument('--no-page', action='store_true', help='show nothing in a browser')
    parser.add_argument('--no-thumbnails', action='store_true', help='draw no frames')
    return parser.parse_args()


def _play(
    arguments: argparse.Namespace,
    video: str,
    observer: Observer,
    executor: SingleThreadedExecutor,
    console: Console,
) -> str:
    """Run the processes; returns what went wrong, or nothing."""
    with ExitStack() as running:
        sieve = running.enter_context(StartUpSieve(arguments.log, to_stderr))
        # The camera waits for the view and for blendshape_node, which is activated last.
        listeners = f'{observer.get_name()},blendshape_node'
        waiting = ('-p', f'video:={quoted(video)}', '-p', f'wait_for:={listeners}')
        camera = running.enter_context(NodeProcess('extras.camera_node', *waiting, stderr=sieve))
        nodes = {
            'emotion_node': ('-p', 'autostart:=false', '-p', f'model:={quoted(arguments.model)}'),
            'blendshape_node': (
                *('-p', 'autostart:=false'),
                *('-p', f'max_faces:={arguments.max_faces}'),
                *('-p', f'rotate:={arguments.rotate}'),
            ),
        }
        processes = {
            name: running.enter_context(NodeProcess(f'nodes.{name}', *ros_arguments, stderr=sieve))
            for name, ros_arguments in nodes.items()
        }
        page: NodeProcess | None = None
        if not arguments.no_page and find_spec('nicegui') is not None:
            options = ('--', '--open', '--port', str(_free_port()))
            page = running.enter_context(NodeProcess('view.main', *options, stderr=sieve))
        # At once: one that outlived the other would warn that nobody publishes.
        for process in processes.values():
            running.callback(process.interrupt)
        # A node that is active before the other has loaded would miss it, and say so.
        for transition, name in product((CONFIGURE, ACTIVATE), nodes):
            if (transition, name) == (ACTIVATE, 'blendshape_node'):  # the clip begins behind it
                if page is not None:
                    _await_page(page, camera, observer, executor)
                _await_meeting(observer, executor, console, camera.running)
                if not camera.running():  # the clip has not begun
                    return CAMERA_ENDED
            process = processes[name]
            if not lead(observer, executor, name, transition, running=process.running):
                if not rclpy.ok():
                    raise ExternalShutdownException
                return f'{name} did not become active; what it said stands above.'
        _watch(camera, observer, executor, console)
        for process in processes.values():  # before the camera's process, which may take long
            process.interrupt()
        failed = camera.wait() != 0
    if failed:
        return NOT_TO_ITS_END
    if not observer.moments:
        return 'No face was estimated: is there one in the video? What the nodes said is above.'
    return ''


def _free_port() -> int:
    """Choose where the page is served: another port where the usual one is taken."""
    with socket.socket() as probe:
        # As the server does: one that was left a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('localhost', DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


def _await_page(
    page: NodeProcess, camera: NodeProcess, observer: Observer, executor: SingleThreadedExecutor
) -> None:
    """Wait until the page is served, and open where there is a display, or for long enough."""
    deadline_s = time.monotonic() + PAGE_WAIT_S
    while page.running() and camera.running() and rclpy.ok() and time.monotonic() < deadline_s:
        # Its address was printed before; this node and an open page listen to images.
        served = NODE_NAME in observer.get_node_names()
        if served and (not has_display() or observer.count_subscribers('image') > 1):
            return
        executor.spin_once(timeout_sec=0.1)


def _await_meeting(
    observer: Observer,
    executor: SingleThreadedExecutor,
    console: Console,
    running: Callable[[], bool],
) -> None:
    """Wait until all have met on their topics, which takes a busy machine a while."""
    deadline_s = time.monotonic() + MEETING_S
    while running() and observer.context.ok() and (topic := observer.unmet()):
        if time.monotonic() > deadline_s:
            sentence = (
                f'Not all who send and listen on {topic} have met within {MEETING_S:g} s: the '
                'first frames may be lost. Is the machine busy, or does a firewall stand between?'
            )
            console.print(sentence, highlight=False, soft_wrap=True)
            return
        executor.spin_once(timeout_sec=0.1)


def _watch(
    camera: NodeProcess, observer: Observer, executor: SingleThreadedExecutor, console: Console
) -> None:
    shown: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8) as live:
        while (camera.running() and observer.sees_camera) or not _is_over(observer):
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


# What the nodes said over time, as a picture.


_LEGEND_IN = 0.4  # height of the colours' names, in inches


def draw_timeline(
    moments: Sequence[Moment], thumbnails: Sequence[Thumbnail], path: Path, title: str
) -> None:
    """
    Draw probabilities over time, the decided expression below, thumbnails above.

    :param moments: in the order of time, of any number of faces; the most seen are drawn.
    :param thumbnails: in the order of time; may be empty.
    :param path: PNG file to write.
    :param title: headline; of a long one the middle is left out.
    :raises ValueError: when there are no moments.
    """
    if not moments:
        raise ValueError('There is nothing to draw: no face was estimated.')
    of_face: dict[str, list[Moment]] = {}
    for moment in moments:
        of_face.setdefault(moment.face_id, []).append(moment)
    faces = sorted(of_face.values(), key=len, reverse=True)[:MOST_FACES]
    end_s = max(0.1, *(m.time_s for m in moments))
    heights = [1.1] * bool(thumbnails) + [2.4, 0.35] * len(faces)
    height_in = 1.2 + sum(heights)
    # Room for the legend; matplotlib 3.6, which apt has, makes none for one 'outside'.
    below = _LEGEND_IN / height_in
    layout = ConstrainedLayoutEngine(rect=(0, below, 1, 1 - below))
    figure = Figure(figsize=(12, height_in), layout=layout)
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    short = title if len(title) <= 100 else f'{title[:60]}…{title[-39:]}'
    figure.suptitle(short, parse_math=False)
    if thumbnails:
        _draw_thumbnails(axes.pop(0), thumbnails, end_s)
    shown = {name for m in moments for name in m.scores}
    # A user's own model may have classes of its own: they come last.
    colours = shades([name for name in COLOURS if name in shown] + sorted(shown - COLOURS.keys()))
    images_ns = sorted({round(m.time_s * NS_PER_S) for m in moments})
    gap_s = longest_gap_s(images_ns)  # a face unseen for longer leaves a gap in its curve
    for face in faces:
        _draw_scores(axes.pop(0), face, colours, gap_s)
        _draw_decisions(axes.pop(0), face, colours, gap_s)
    figure.axes[-1].set_xlabel('time of the image in s')
    figure.axes[-1].set_xlim(0, end_s)
    handles, names = figure.axes[1 if thumbnails else 0].get_legend_handles_labels()
    figure.legend(handles, names, loc='lower center', ncols=len(names), frameon=False)
    png = io.BytesIO()
    with warnings.catch_warnings():
        # A box stands for each character that the font lacks, as in names of many languages.
        warnings.filterwarnings('ignore', r'Glyph \d+ ')
        figure.savefig(png, format='png', dpi=100)
    write_whole(path, png.getvalue())


def _draw_scores(axis, face: list[Moment], colours: dict[str, Shades], gap_s: float) -> None:  # type: ignore[no-untyped-def]
    times_s = np.array([m.time_s for m in face])
    scores = np.array([[m.scores.get(label, 0.0) for label in colours] for m in face]).T
    # A gap is drawn as one: a row of nothing on either side of it.
    gaps = np.flatnonzero(np.diff(times_s) > gap_s) + 1
    at = np.repeat(gaps, 2)
    edges_s = np.stack([times_s[gaps - 1], times_s[gaps]], axis=1).ravel()
    times_s = np.insert(times_s, at, edges_s)
    scores = np.insert(scores, at, 0.0, axis=1)
    fills = [shade.light for shade in colours.values()]
    axis.stackplot(times_s, scores, labels=list(colours), colors=fills)
    axis.set_ylim(0, 1)
    axis.set_ylabel(f'face_{face[0].face_id}\nprobability')


def _draw_decisions(axis, face: list[Moment], colours: dict[str, Shades], gap_s: float) -> None:  # type: ignore[no-untyped-def]
    start = 0
    for i in range(1, len(face) + 1):
        ends = i == len(face)
        gap = not ends and face[i].time_s - face[i - 1].time_s > gap_s
        if ends or gap or face[i].label != face[start].label:
            begin_s, label = face[start].time_s, face[start].label
            width_s = (face[i - 1].time_s if ends or gap else face[i].time_s) - begin_s
            colour = colours[label].light
            axis.broken_barh([(begin_s, width_s)], (0, 1), color=colour)
            if width_s > 0.05 * max(face[-1].time_s, 1e-9):
                red, green, blue = bytes.fromhex(colour[1:])
                ink = hexadecimal(ink_on((red, green, blue)))
                middle_s = begin_s + width_s / 2
                axis.text(middle_s, 0.5, label, ha='center', va='center', color=ink)
            start = i
    axis.set_yticks([])
    axis.set_ylabel('shown', rotation=0, ha='right', va='center')


def _draw_thumbnails(axis, thumbnails: Sequence[Thumbnail], end_s: float) -> None:  # type: ignore[no-untyped-def]
    height, width, _ = thumbnails[0].rgb.shape
    # As many as fit side by side without being squeezed.
    box = axis.get_position()
    figure_width, figure_height = axis.figure.get_size_inches()
    ratio = box.width * figure_width / (box.height * figure_height)
    count = max(1, min(round(ratio * height / width), len(thumbnails)))
    slot_s = end_s / count
    times_s = np.array([t.time_s for t in thumbnails])
    for slot in range(count):
        middle_s = (slot + 0.5) * slot_s
        nearest = thumbnails[int(np.abs(times_s - middle_s).argmin())]
        axis.imshow(nearest.rgb, extent=(slot * slot_s, (slot + 1) * slot_s, 0, 1), aspect='auto')
    axis.set_xlim(0, end_s)
    axis.set_ylim(0, 1)
    axis.axis('off')
