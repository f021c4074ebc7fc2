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

"""How fast `replay` is against bare MediaPipe, over two cores, and what memory it takes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from dev.bench.pictures import BareMediaPipe, rgb_frames, write_camera_bag
from dev.bench.speed import LOG, ROUNDS, of_rounds, open_log
from emotion_estimator.evaluation.report.write import emotions
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.parameter_values import read_parameters
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.jobs import Finished, Job, Settings, run_jobs
from emotion_estimator.replay.predictions import read_replay
from emotion_estimator.replay.recordings import Selection
from emotion_estimator.replay.replay import replay

FRAMES_A_ROUND = 144
FRAMES_OF_SEVERAL = 1000
ROUNDS_OF_SEVERAL = 3
SHORT, LONG = 1000, 10_000
SMALL = (160, 120)
RATE_HZ = 30.0
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
