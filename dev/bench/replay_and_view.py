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

"""What replay costs against bare MediaPipe, and what the live view costs the nodes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import psutil

from dev.bench.pictures import BareMediaPipe, rgb_frames, write_camera_bag
from dev.bench.speed import (
    LOG,
    RATE_HZ,
    ROUNDS,
    Feeder,
    of_rounds,
    open_log,
    pipeline_fps,
    send_for,
    start_nodes,
)
from dev.browser import Browser, Page, find_chromium
from emotion_estimator.evaluation.report.write import emotions
from emotion_estimator.extras.node_processes import NodeProcess
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.jobs import Finished, Job, Settings, run_jobs
from emotion_estimator.replay.predictions import read_replay
from emotion_estimator.replay.recordings import Selection
from emotion_estimator.replay.replay import replay
from emotion_estimator.view.main import NODE_NAME

FRAMES_A_ROUND = 144
FRAMES_OF_SEVERAL = 1000
ROUNDS_OF_SEVERAL = 3
SHORT, LONG = 1000, 10_000
SMALL = (160, 120)
_WARM = 20
"""Frames of each round that are not counted: the first ones detect the face."""


def measure_replay(frames: list[Rgb]) -> dict[str, float]:
    """
    Measure on bags made of the clip.

    :returns: `replay_fps_ratio`: frames a second of the replay of a bag of raw images against
        MediaPipe's alone, as a process gets cores; `replay_one_core_ratio`: the same on one core,
        by CPU time; `replay_two_cores_ratio`: frames a second of two bags on two cores over one
        on one core, start of the processes included; `replay_memory_ratio`: peak memory of 10,000
        frames over that of 1,000; `replay_bytes_differ`: files of two replays of one bag that are
        not equal.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bag, short, long = folder / 'bag', folder / 'short', folder / 'long'
        write_camera_bag(bag, _repeated(frames, FRAMES_A_ROUND), RATE_HZ)
        small = [
            np.asarray(cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA), np.uint8)
            for frame in frames
        ]
        for path, count in ((short, SHORT), (long, LONG)):
            write_camera_bag(path, _repeated(small, count), RATE_HZ, jpeg_quality=90)
        ratios = [_in_a_process(rounds, bag) for rounds in (_fps_ratios, _one_core_ratios)]
        memory = [_in_a_process(_peak_mb, path)[0] for path in (short, long)]
        return {
            **of_rounds('replay_fps_ratio', ratios[0]),
            **of_rounds('replay_one_core_ratio', ratios[1]),
            **of_rounds('replay_two_cores_ratio', _two_cores_ratios(folder, frames)),
            'replay_memory_mb': memory[1],
            'replay_memory_ratio': memory[1] / memory[0],
            'replay_bytes_differ': _differing(folder, bag),
        }


def _repeated(frames: list[Rgb], count: int) -> Iterator[Rgb]:
    return itertools.islice(itertools.cycle(frames), count)


def _fps_ratios(bag: Path) -> list[float]:
    """Let both look at the same frames by turns; wall time."""
    return _ratios_of_rounds(bag, time.perf_counter)


def _one_core_ratios(bag: Path) -> list[float]:
    """Do the same on one core; CPU time, so that other processes on it do not count."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    return _ratios_of_rounds(bag, time.process_time)


def _ratios_of_rounds(bag: Path, clock: Callable[[], float]) -> list[float]:
    frames = rgb_frames()[:FRAMES_A_ROUND]
    bare = BareMediaPipe()
    ratios = []
    for _ in range(ROUNDS):
        times_s: list[float] = []
        for frame in _repeated(frames, FRAMES_A_ROUND):
            bare.look_at(frame)
            times_s.append(clock())
        bare_s = times_s[-1] - times_s[_WARM]
        ratios.append(bare_s / _replay_s(bag, clock))
    bare.close()
    return ratios


def _replay_s(bag: Path, clock: Callable[[], float]) -> float:
    times_s: list[float] = []
    recording = open_recording(bag)
    replay(recording, read_parameters(), Selection(), (lambda *_: times_s.append(clock()),))
    recording.close()
    return times_s[-1] - times_s[_WARM]


def _two_cores_ratios(folder: Path, frames: list[Rgb]) -> list[float]:
    bags = [folder / 'first', folder / 'second']
    for bag in bags:
        write_camera_bag(bag, _repeated(frames, FRAMES_OF_SEVERAL), RATE_HZ, jpeg_quality=90)
    allowed = os.sched_getaffinity(0)
    ratios = []
    for _ in range(ROUNDS_OF_SEVERAL):
        os.sched_setaffinity(0, {max(allowed)})
        one_s = _wall_s(folder, bags[:1])
        os.sched_setaffinity(0, set(sorted(allowed)[-2:]))
        both_s = _wall_s(folder, bags)
        os.sched_setaffinity(0, allowed)
        ratios.append(len(bags) * one_s / both_s)
    return ratios


def _wall_s(folder: Path, bags: list[Path]) -> float:
    settings = Settings(read_parameters(), Selection(), '', RATE_HZ)
    jobs = [Job(bag.name, bag, settings, folder / f'{bag.name}.json') for bag in bags]
    start_s = time.perf_counter()
    for event in run_jobs(jobs, len(jobs), LOG):
        if isinstance(event, Finished) and event.problem:
            raise RuntimeError(event.problem)
    return time.perf_counter() - start_s


def _peak_mb(bag: Path) -> list[float]:
    recording = open_recording(bag)
    replayed = replay(recording, read_parameters(), Selection())
    recording.close()
    if len(replayed.predictions) < 0.9 * len(replayed.stamps_ns):
        raise RuntimeError(f'The face was seen in only {len(replayed.predictions)} frames.')
    # Not getrusage's ru_maxrss: that begins with the memory of the process that started this one.
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    line = next(line for line in status.splitlines() if line.startswith('VmHWM:'))
    return [int(line.split()[1]) / 1024]


def _differing(folder: Path, bag: Path) -> int:
    contents = []
    for _ in range(2):
        _wall_s(folder, [bag])
        kept, table = folder / f'{bag.name}.json', folder / 'emotions.csv'
        table.write_bytes(emotions([read_replay(kept)]))
        contents.append((kept.read_bytes(), table.read_bytes()))
    return sum(one != other for one, other in zip(*contents))


def _in_a_process(measure: Callable[[Path], list[float]], bag: Path) -> list[float]:
    """Measure where nothing has run before."""
    with multiprocessing.get_context('spawn').Pool(1, _begin) as pool:
        return pool.apply(measure, (bag,))


def _begin() -> None:
    """Leave Ctrl-C to the first process, and what libraries say to the log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open_log() as file:
        os.dup2(file.fileno(), 2)


if __name__ == '__main__':
    for metric, value in measure_replay(rgb_frames()).items():
        print(f'{metric} {value:.4g}')


# What the live view costs: without a page, with one, with ten, in a real browser.


MOST_PAGES = 10
IDLE_S = 10.0
LOAD_TIMEOUT_S = 90.0
LAST_WAIT_S = 1.0
_SHOWN = 'document.querySelector(".view-label")?.textContent ?? ""'
_COUNT = """
window.pictures = 0;
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  window.pictures += 1;
  return draw.apply(this, given);
};
"""


def find_browser() -> str:
    """
    Find what the page is looked at with.

    :returns: path of the browser.
    :raises FileNotFoundError: when it, or NiceGUI, is not there.
    """
    program = find_chromium()
    if program is None or find_spec('nicegui') is None:
        raise FileNotFoundError('There is no Chromium, or no NiceGUI, on this machine.')
    return program


def measure_live_view(frames: list[Rgb], count: int, round_s: float) -> dict[str, float]:
    """
    Let nodes without a page and nodes with one take turns.

    The browser runs on what the nodes leave idle: a tablet's takes nothing of a robot's cores.

    :param count: frames of a round of throughput.
    :param round_s: length of a round at 30 frames a second, in seconds.
    :returns: shares of a core: of a view without a page, of one with a page, and of the browser
        beside that; pictures a second that the page shows while images come as fast as they are
        answered, and of 30 a second; frames a second with a page as a ratio to those without; of
        30 images a second those that a page costs, and what it adds to the latency; how many of
        ten pages show the person.
    """
    with socket.socket() as probe:
        probe.bind(('localhost', 0))
        port = probe.getsockname()[1]
    with ExitStack() as stack:
        feeder = Feeder(frames)
        start_nodes(stack, feeder)
        with open_log() as log:
            options = ('--', '--port', str(port))
            view = stack.enter_context(NodeProcess('view.main', *options, stderr=log))
        while NODE_NAME not in feeder.node.get_node_names():
            send_for(feeder, 0.1)
        send_for(feeder, 3.0)
        idle = _core_share(view.process.pid, feeder, IDLE_S)
        # The browser's last processes may still write there when its first has ended.
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        browser = stack.enter_context(Browser(find_browser(), Path(folder), idle=True))
        address = f'http://localhost:{port}'
        ratios, further_ms, further_lost, shares = [], [], [], []
        drawn_hz: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            fps, latency_ms, lost = _measured(feeder, count, round_s)
            page = _open(browser, address, feeder)
            page.run(_COUNT)
            fps_with = pipeline_fps(feeder, count)
            busy = page.run('window.pictures')
            start_s, before_s = time.monotonic(), _times_s(view, browser)
            latency_with_ms, lost_with = _at_camera_rate(feeder, round_s)
            passed_s = time.monotonic() - start_s
            drawn = page.run('window.pictures') - busy
            drawn_hz.append((busy * fps_with / count, drawn / passed_s))
            shares.append([(b - a) / passed_s for a, b in zip(before_s, _times_s(view, browser))])
            page.close()
            ratios.append(fps_with / fps)
            further_ms.append(latency_with_ms - latency_ms)
            further_lost.append(lost_with - lost)
        pages = [_open(browser, address, feeder) for _ in range(MOST_PAGES)]
        send_for(feeder, 3.0)
        shown = sum(bool(page.run(_SHOWN)) for page in pages)
    return {
        'view_idle_core_share': idle,
        **of_rounds('view_core_share', (of_view for of_view, _ in shares)),
        **of_rounds('view_browser_core_share', (of_browser for _, of_browser in shares)),
        **of_rounds('view_busy_pictures_hz', (busy for busy, _ in drawn_hz)),
        **of_rounds('view_pictures_hz', (drawn for _, drawn in drawn_hz)),
        **of_rounds('view_lost_a_second', further_lost),
        **of_rounds('view_fps_ratio', ratios),
        **of_rounds('view_latency_ms', further_ms),
        'view_pages_of_ten': shown,
    }


def _core_share(pid: int, feeder: Feeder, duration_s: float) -> float:
    """Tell how much of a core a process takes while images come."""
    before_s, start_s = _processor_s(pid), time.monotonic()
    send_for(feeder, duration_s)
    return (_processor_s(pid) - before_s) / (time.monotonic() - start_s)


def _processor_s(pid: int) -> float:
    """Tell how long a process has run on whatever core, in seconds; 0 for one that is gone."""
    if not Path(f'/proc/{pid}').exists():
        return 0.0
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _times_s(view: NodeProcess, browser: Browser) -> tuple[float, float]:
    """Tell how long the view, and the browser with its children, have run."""
    return _processor_s(view.process.pid), sum(map(_processor_s, _family(browser.process_id)))


def _family(pid: int) -> list[int]:
    """List a process and its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _measured(feeder: Feeder, count: int, round_s: float) -> tuple[float, float, float]:
    """Measure frames a second, and what `_at_camera_rate` does."""
    return (pipeline_fps(feeder, count), *_at_camera_rate(feeder, round_s))


def _at_camera_rate(feeder: Feeder, round_s: float) -> tuple[float, float]:
    """Measure at 30 images a second the median latency in ms, and lost ones a second."""
    send_for(feeder, 1.0)
    feeder.forget()
    deadline_s = time.monotonic() + LOAD_TIMEOUT_S
    send_for(feeder, round_s)
    while not feeder.latencies_s and time.monotonic() < deadline_s:
        send_for(feeder, 0.5)
    sent, deadline_s = list(feeder.sent_ns), time.monotonic() + LAST_WAIT_S
    while feeder.in_flight() and time.monotonic() < deadline_s:
        feeder.spin(0.1)
    lost = sum(stamp_ns not in feeder.heard for stamp_ns in sent)
    return 1000 * statistics.median(feeder.latencies_s), lost * RATE_HZ / len(sent)


def _open(browser: Browser, address: str, feeder: Feeder) -> Page:
    """Open a page and wait until it shows the person."""
    page = browser.open(address, watched=False)
    deadline_s = time.monotonic() + LOAD_TIMEOUT_S
    while not page.run(_SHOWN):
        send_for(feeder, 0.5)
        if time.monotonic() > deadline_s:
            raise TimeoutError(f'The page shows nobody within {LOAD_TIMEOUT_S:g} s.')
    return page
